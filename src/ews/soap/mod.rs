//! Envelope, headers, faults.

mod fault;

pub use fault::{Fault, ServerVersionInfo};
