//! Why Autodiscover or the configuration names no server for a room. Values only.

use crate::autodiscover::Cause;
use crate::engine::ErrorKind;
use crate::http::error::TransportError;

/// Why a room's server is not available.
#[derive(Clone)]
pub(super) enum ResolveError {
    /// Until an administrator remedies it.
    Refused(ErrorKind, String),
    /// A later attempt may succeed.
    Unavailable(TransportError),
}

impl ResolveError {
    /// The error of an Autodiscover search that failed for this cause.
    pub(super) fn of_discovery(cause: Cause, headline: String) -> Self {
        match cause {
            Cause::Credentials => Self::Refused(ErrorKind::Credentials, headline),
            Cause::MailboxUnknown => Self::Refused(ErrorKind::NoMailbox, headline),
            Cause::Untrusted | Cause::Redirects | Cause::Malformed | Cause::NoService => {
                Self::Refused(ErrorKind::ServerNotFound, headline)
            }
            Cause::ServerError | Cause::Network => {
                Self::Unavailable(TransportError::ServerNotFound(headline))
            }
        }
    }
}
