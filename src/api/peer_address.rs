//! The peer's IP address, in the extensions of each request. Behind a reverse proxy it is the proxy's address.

use std::net::IpAddr;

/// The peer's IP address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PeerAddress(pub(super) IpAddr);
