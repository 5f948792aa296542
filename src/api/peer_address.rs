//! The address at the other end of a connection; in the extensions of each request. Behind a reverse proxy it is the proxy's.

use std::net::IpAddr;

/// The peer's IP address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PeerAddress(pub(super) IpAddr);
