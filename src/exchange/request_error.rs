//! Why an EWS operation has no result. Values only.

use super::resolve_error::ResolveError;
use crate::engine::ErrorKind;
use crate::http::error::TransportError;

/// Why an operation has no result.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestError {
    /// The server refused. Nothing was changed.
    Refused(ErrorKind, String),
    /// The server stayed busy until the operation timeout. Nothing was changed.
    Busy(String),
    /// No usable response after all retries. Nothing was changed.
    InvalidResponse(String),
    /// No connection to the server. Nothing was changed.
    Unreachable(TransportError),
    /// The server may have executed it.
    InDoubt(String),
}

impl From<ResolveError> for RequestError {
    fn from(error: ResolveError) -> Self {
        match error {
            ResolveError::Refused(kind, why) => Self::Refused(kind, why),
            ResolveError::Unavailable(failure) => Self::Unreachable(failure),
        }
    }
}
