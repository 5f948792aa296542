//! The SOAP envelope: headers of requests, what comes around answers, and faults. Never knows an operation.

mod fault;
mod headers;

pub use fault::{ServerVersionInfo, SoapFault};
pub use headers::*;
