//! The fate of one request: not sent, maybe sent, or answered. Values only; sends nothing.
//!
//! Everything after a request depends on the difference. A request that was *not sent* may be sent again. A request
//! that was *maybe sent* may have been executed, so a write must be looked up in the mailbox first. *Answered* carries
//! the server's response.

use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;

use super::auth::AuthRejection;
use super::error::TransportError;
use super::field::retry_after;
use crate::clock::{Clock as _, SystemClock};

/// The fate of one request.
#[derive(Debug)]
pub(crate) enum Delivery {
    /// No byte of the request reached the server, or the server cannot have understood it as a request.
    NotSent(TransportError),
    /// The server may have received and executed the request; its response did not arrive whole.
    MaybeSent(TransportError),
    /// The server's complete response.
    Answered(HttpResponse),
}

/// A complete HTTP response, inflated.
#[derive(Debug, Clone)]
pub(crate) struct HttpResponse {
    /// Status code.
    pub status: u16,
    /// Headers.
    pub headers: HeaderMap,
    /// Body, no longer compressed, within the limit.
    pub body: Bytes,
    /// With a 401: why the sign-in was rejected.
    pub rejection: Option<AuthRejection>,
    /// Whether this request carried credentials; on some connections an earlier one did.
    pub sent_credentials: bool,
}

impl HttpResponse {
    /// `Retry-After` as seconds or as a date, unlimited; the caller limits the wait.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        retry_after(&self.headers, SystemClock.now())
    }
}
