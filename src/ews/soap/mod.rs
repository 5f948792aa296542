//! The SOAP envelope: request headers, the server's version in responses, and faults. Never knows an operation.

mod fault;
mod headers;
mod version;

pub use fault::{ServerVersionInfo, SoapFault};
pub use headers::*;
pub use version::ServerVersion;
