//! HTTP to any server: connections (TLS trust, Happy Eyeballs), header fields, and errors below HTTP. Knows no server's
//! protocol and no credentials.

pub(crate) mod error;
pub(crate) mod field;
pub(crate) mod happy_eyeballs;
#[cfg(feature = "service")]
pub(crate) mod https_client;
pub(crate) mod net;
mod pinning;
