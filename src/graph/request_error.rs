//! Errors of a request after all retries. Values only; `error.rs` makes the engine's `CalendarError` of them.

use crate::engine::ErrorKind;
use crate::http::error::TransportError;

/// Why a request failed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestError {
    /// Graph refused. As far as its error proves, nothing was changed.
    Refused(ErrorKind, String),
    /// Graph stayed busy until the operation timeout. Nothing was changed.
    Busy(String),
    /// No usable response after all retries. Nothing was changed.
    InvalidResponse(String),
    /// No connection to the server. Nothing was changed.
    Unreachable(TransportError),
    /// The server may have executed it.
    InDoubt(String),
}
