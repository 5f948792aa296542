//! What became of one request on its way: not sent, maybe sent, or answered. Values only.
//!
//! The difference decides everything after it. *Not sent* may go out again whatever it was; *maybe sent* may have been
//! carried out, so that a write must look before it does anything else; *answered* is the server's word.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, header};

use super::login::AuthRejection;
use crate::clock::{Clock as _, SystemClock};
use crate::http_field::retry_after;

/// The longest name of a request that is kept.
const REQUEST_ID_BYTES_MAX: usize = 128;

/// What became of one request.
#[derive(Debug)]
pub enum Delivery {
    /// No byte of the request reached the server, or the server cannot have understood it as one.
    NotSent(TransportError),
    /// The server may have received and carried out the request; its answer did not arrive whole.
    MaybeSent(TransportError),
    /// The server's answer, whole.
    Answered(HttpResponse),
}

/// A whole HTTP answer, inflated.
#[derive(Debug, Clone)]
pub struct HttpResponse {
    /// Status code.
    pub status: u16,
    /// Headers.
    pub headers: HeaderMap,
    /// Body, no longer compressed, within the limit.
    pub body: Bytes,
    /// With a 401: what became of the sign-in.
    pub rejection: Option<AuthRejection>,
    /// Whether this request said who we are: on some connections, an earlier one has.
    pub sent_credentials: bool,
}

/// Whether only somebody who was let in hears such an answer: EWS and Autodiscover speak XML, and faults come with 500. Any
/// other is what something in front of Exchange may say to whomever (a busy load balancer, a firewall), and proves nothing.
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

    /// Exchange's own name for the request, for its administrators' logs.
    pub fn request_id(&self) -> Option<&str> {
        let id = self.headers.get("request-id")?.to_str().ok()?;
        // It goes into the journal and to callers; Exchange's is a GUID.
        (id.len() <= REQUEST_ID_BYTES_MAX).then_some(id)
    }
}

/// What stands in the way of a TLS connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsFailure {
    /// The certificate is over.
    Expired,
    /// The certificate is not valid yet, or our clock is behind.
    NotYetValid,
    /// The certificate is another name's.
    WrongName,
    /// Nobody whom we trust vouches for the certificate.
    UnknownIssuer,
    /// The server wants a certificate of ours, or does not want this one.
    ClientCertificate,
    /// The server's certificate is marked as a CA (`CaUsedAsEndEntity`).
    CaCertificate,
    /// Something else is wrong with the certificate.
    BadCertificate,
    /// The port speaks another protocol than TLS.
    NotTls,
    /// Anything else: no common version or cipher.
    Other,
}

impl TlsFailure {
    /// In words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "the certificate has expired",
            Self::NotYetValid => "the certificate is not valid yet",
            Self::WrongName => "the certificate is for another name",
            Self::UnknownIssuer => "the certificate's issuer is not trusted",
            Self::ClientCertificate => "the server does not accept our client certificate, or wants one",
            Self::CaCertificate => {
                "the server's certificate is marked as a certification authority's (CA:TRUE)"
            }
            Self::BadCertificate => "the certificate cannot be used",
            Self::NotTls => "that port speaks no TLS, but something like plain HTTP",
            Self::Other => "TLS failed",
        }
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransportError {
    /// There is no address of that name.
    Resolve(String),
    /// Where the room's server is cannot be found out now.
    ServerNotFound(String),
    /// Nobody takes the connection.
    Connect(String),
    /// Whoever took it is not who we meant, or not to be trusted.
    Tls(TlsFailure, String),
    /// The proxy did not let us through.
    Proxy(String),
    /// No connection within this time.
    ConnectTimeout(Duration),
    /// Connected and sent, no answer within this time.
    FirstByteTimeout(Duration),
    /// The answer began and did not end within this time.
    ResponseTimeout(Duration),
    /// The connection broke.
    ConnectionLost(String),
    /// The answer to a plain `http` request is not HTTP.
    NotHttp(String),
    /// The body is larger than this many bytes, as sent or inflated.
    TooLarge(usize),
    /// Other large answers take the memory that all answers may take together, so many bytes.
    OutOfMemoryBudget(usize),
    /// The body says it is gzip and is not.
    InvalidGzip,
    /// We could not say who we are.
    SignIn {
        /// Asking again changes nothing: somebody has to mend it.
        is_permanent: bool,
        /// What stood in the way. Never holds a secret.
        reason: String,
        /// When it is worth asking again, if that was said.
        retry_after: Duration,
    },
}

impl TransportError {
    /// We cannot say who we are until somebody mends it.
    pub(super) fn sign_in(why: &str) -> Self {
        Self::SignIn { is_permanent: true, reason: why.to_owned(), retry_after: Duration::ZERO }
    }

    pub(super) fn retry_after(&self) -> Duration {
        match self {
            Self::SignIn { retry_after, .. } => *retry_after,
            _ => Duration::ZERO,
        }
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resolve(why) => write!(f, "no connection to Exchange: its name has no address: {why}"),
            Self::ServerNotFound(why) => f.write_str(why),
            Self::Connect(why) => write!(f, "no connection to Exchange: {why}"),
            Self::Tls(trouble, why) => write!(f, "no connection to Exchange: {}: {why}", trouble.as_str()),
            Self::Proxy(why) => write!(f, "the proxy lets nothing through: {why}"),
            Self::ConnectTimeout(after) => write!(f, "no connection to Exchange within {after:?}"),
            Self::FirstByteTimeout(after) => write!(f, "Exchange did not answer within {after:?}"),
            Self::ResponseTimeout(after) => write!(f, "Exchange's answer was not complete within {after:?}"),
            Self::ConnectionLost(why) => write!(f, "the connection to Exchange broke: {why}"),
            Self::NotHttp(why) => write!(
                f,
                "that port speaks no plain HTTP; if it speaks TLS, the URL must begin with https: {why}"
            ),
            Self::TooLarge(limit) => write!(f, "Exchange's answer is larger than {limit} bytes"),
            Self::OutOfMemoryBudget(bytes) => write!(
                f,
                "Exchange sends too many large answers at once; together they may take {} MiB of memory",
                bytes >> 20
            ),
            Self::InvalidGzip => f.write_str("Exchange's answer is not the gzip it says it is"),
            Self::SignIn { reason: why, .. } => f.write_str(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_exchange_itself_says_proves_that_we_were_let_in() {
        let said = |status, kind: &'static str| {
            let headers = [(header::CONTENT_TYPE, http::HeaderValue::from_static(kind))];
            proves_authenticated(status, &headers.into_iter().collect())
        };
        assert!(said(200, "text/xml; charset=utf-8") && said(500, "Text/XML"));
        for status in [302, 400, 401, 403, 404, 429, 456, 502, 503, 504] {
            assert!(!said(status, "text/xml"), "{status}");
        }
        assert!(
            !said(200, "text/html")
                && !said(500, "text/html")
                && !proves_authenticated(200, &HeaderMap::new())
        );
    }
}
