//! The SOAP 1.1 envelope around every request: its headers and how they are written. Never knows an operation.

mod headers;

pub use headers::*;
