//! The world and the caller of one request, and the form of its result. Never sees a socket.

use tokio::time::Instant;

use crate::sim::ews_error::EwsError;
use crate::sim::mailbox::Mailbox;
use crate::sim::notify::{Hub, StreamHandle};
use crate::sim::rights::DelegateRights;
use crate::sim::world::World;
use crate::sim::zones::Zone;

/// The world and the caller of one request.
pub(crate) struct RequestContext<'w> {
    pub(crate) world: &'w mut World,
    /// The target mailbox, if the request names one or the account has one.
    pub(crate) acting: Option<u32>,
    /// Whether the account acts as a delegate, without impersonation.
    pub(crate) is_delegate: bool,
    /// The delegate's rights in the target mailbox; `None` for its owner and under impersonation.
    pub(crate) rights: Option<DelegateRights>,
    /// The subscriptions.
    pub(crate) hub: &'w mut Hub,
    pub(crate) caller: RequestOrigin,
    /// The time zone for times without an offset.
    pub(crate) zone: &'static Zone,
}

/// Where and when a request arrived.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RequestOrigin {
    /// The back end that received it.
    pub(crate) back_end: usize,
    pub(crate) now: Instant,
}

/// The result of an operation.
pub(crate) enum OperationResponse {
    Complete(String),
    /// A stream of events, for so many minutes.
    Streaming(StreamHandle, u32),
}

impl RequestContext<'_> {
    /// The target mailbox.
    pub(crate) fn mailbox(&self) -> Result<&Mailbox, EwsError> {
        self.acting.and_then(|number| self.world.mailboxes.get(&number)).ok_or_else(|| {
            EwsError::new(
                "ErrorMissingEmailAddress",
                "When making a request as an account that does not have a mailbox, you must specify the mailbox \
                 primary SMTP address for any distinguished folder Ids.",
            )
        })
    }
}
