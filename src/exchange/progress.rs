//! The state of one operation across its attempts, and an admitted request. Values only.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OwnedMutexGuard;
use tokio::time::Instant;

use super::decide::RetryState;
use super::request_error::RequestError;
use super::server_state::ServerKey;
use crate::ews::op::{Effect, Operation};
use crate::http::connection_pool::ConnectionPool;
use crate::http::error::TransportError;
use crate::throttle::{Permit, RoomState, WRITE_WAIT_MAX};

/// The state of one operation, which every attempt continues.
pub(super) struct OperationProgress {
    /// The state of the room.
    pub(super) room: Arc<RoomState>,
    pub(super) retry: RetryState,
    /// The result if time ends before the next attempt.
    pub(super) last_error: RequestError,
    /// Held from before the first request until the server accepts the account.
    pub(super) sign_in_lock: Option<OwnedMutexGuard<()>>,
    pub(super) deadline: Instant,
    /// A write is not sent after this time.
    pub(super) send_by: Instant,
}

/// What the search of a room's server ended in.
pub(super) enum FoundServer {
    /// The connections to it.
    Connections(Arc<ConnectionPool>),
    /// It could not be found, which counts as an attempt.
    Unavailable(TransportError),
}

/// A request that may be sent now.
pub(super) struct AdmittedRequest {
    /// The room's server.
    pub(super) server: ServerKey,
    pub(super) found: FoundServer,
    pub(super) permit: Permit,
    pub(super) began: Instant,
}

impl OperationProgress {
    pub(super) fn new<O: Operation>(op: &O, room: Arc<RoomState>, operation_timeout: Duration) -> Self {
        let deadline = Instant::now() + operation_timeout;
        // The time of Autodiscover does not count for a write: it runs once and can take longer.
        let send_by = match O::EFFECT {
            Effect::Read => deadline,
            Effect::Write => deadline.min(Instant::now() + WRITE_WAIT_MAX),
        };
        let creates_item = op.creates_item();
        Self {
            room,
            retry: RetryState { attempt: 0, was_rediscovered: false, effect: O::EFFECT, creates_item },
            last_error: RequestError::Busy(String::from("waiting for a request slot")),
            sign_in_lock: None,
            deadline,
            send_by,
        }
    }
}
