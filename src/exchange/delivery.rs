//! The fate of one request: not sent, maybe sent, or answered. Values only; sends nothing.
//!
//! Everything after a request depends on the difference. A request that was *not sent* may be sent again. A request
//! that was *maybe sent* may have been executed, so a write must be looked up in the mailbox first. *Answered* carries
//! the server's response.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, header};

use super::login::AuthRejection;
use crate::clock::{Clock as _, SystemClock};
use crate::http::error::TransportError;
use crate::http::field::retry_after;

/// Longest request id that is kept.
const REQUEST_ID_BYTES_MAX: usize = 128;

/// The fate of one request.
#[derive(Debug)]
pub enum Delivery {
    /// No byte of the request reached the server, or the server cannot have understood it as a request.
    NotSent(TransportError),
    /// The server may have received and executed the request; its response did not arrive whole.
    MaybeSent(TransportError),
    /// The server's complete response.
    Answered(HttpResponse),
}

/// A complete HTTP response, inflated.
#[derive(Debug, Clone)]
pub struct HttpResponse {
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

/// Whether only an authenticated client gets such a response: EWS and Autodiscover return XML, and faults have status
/// 500. Any other response may come from a device in front of Exchange (a busy load balancer, a firewall) and proves
/// nothing.
pub(super) fn proves_authenticated(status: u16, headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    matches!(status, 200 | 500) && kind.is_some_and(|kind| kind.to_ascii_lowercase().contains("xml"))
}

impl HttpResponse {
    /// See [`proves_authenticated`].
    pub(super) fn proves_authenticated(&self) -> bool {
        proves_authenticated(self.status, &self.headers)
    }

    /// `Retry-After` as seconds or as a date, unlimited; the caller limits the wait.
    pub fn retry_after(&self) -> Option<Duration> {
        retry_after(&self.headers, SystemClock.now())
    }

    /// Exchange's own id of the request, which its administrators find in their logs.
    pub fn request_id(&self) -> Option<&str> {
        let id = self.headers.get("request-id")?.to_str().ok()?;
        // The id goes into the journal and to callers; Exchange's is a GUID.
        (id.len() <= REQUEST_ID_BYTES_MAX).then_some(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_exchange_itself_says_proves_that_we_were_let_in() {
        let proves = |status, kind: &'static str| {
            let headers = [(header::CONTENT_TYPE, http::HeaderValue::from_static(kind))];
            proves_authenticated(status, &headers.into_iter().collect())
        };
        assert!(proves(200, "text/xml; charset=utf-8") && proves(500, "Text/XML"));
        for status in [302, 400, 401, 403, 404, 429, 456, 502, 503, 504] {
            assert!(!proves(status, "text/xml"), "{status}");
        }
        assert!(
            !proves(200, "text/html")
                && !proves(500, "text/html")
                && !proves_authenticated(200, &HeaderMap::new())
        );
    }
}
