//! A request whose credentials a server may reject: shared by the client and by the probe of a rejection
//! (`sign_in_probe.rs`). Values only.

use tokio::time::Instant;

use super::server_state::ServerKey;
use crate::http::connection_pool::ConnectionPool;

/// One request with credentials and where it goes.
pub(super) struct SignInAttempt<'a> {
    pub(super) transport: &'a ConnectionPool,
    pub(super) server: &'a ServerKey,
    pub(super) room: &'a str,
    /// When the request began.
    pub(super) began: Instant,
}
