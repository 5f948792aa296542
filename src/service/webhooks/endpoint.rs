//! One webhook's receiver: sends one signed POST and returns the result. Never repeats a request, follows no redirect, and stores
//! nothing.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chrono::SubsecRound as _;
use http::{HeaderName, HeaderValue};
use serde_json::json;

use super::filter::NoticeFilter;
use super::message::{body, signed_headers};
use crate::clock::Clock;
use crate::http::client::{HttpClient, REQUEST_TIMEOUT};
use crate::http::connection_pool::{ConnectionPool, HttpRequest};
use crate::http::delivery::{Delivery, HttpResponse};
use crate::http::error::TransportError;
use crate::http::url::{InvalidUrl, parse_url};
use crate::secret::Secret;
use crate::store::OutboxNotice;

/// How much of the text of a failed connection is kept.
const REASON_CHARS_MAX: usize = 300;
/// How much of the response to a test is shown.
const TEST_BODY_CHARS_MAX: usize = 500;

/// A webhook: its receiver, the secret that signs, and the notices that it wants.
pub struct Webhook {
    name: String,
    filter: NoticeFilter,
    connections: ConnectionPool,
    secret: Secret,
    clock: Arc<dyn Clock>,
}

/// Why a webhook cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// The URL is invalid, or would send notices unencrypted over the network.
    #[error(transparent)]
    Address(#[from] InvalidUrl),
    /// TLS could not be initialised.
    #[error("cannot initialise TLS: {0}")]
    Tls(#[from] rustls::Error),
}

/// The result of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttemptResult {
    /// The receiver answered.
    Answered {
        /// The HTTP status. 200 to 299: the notice is accepted.
        status: u16,
        /// The wait that the receiver asks for.
        retry_after: Option<Duration>,
    },
    /// There was no complete answer.
    Unreachable {
        /// The reason, for people.
        reason: String,
    },
}

/// The answer to a test notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestAnswer {
    /// The result.
    pub result: AttemptResult,
    /// The beginning of the response's body.
    pub body: String,
}

impl Webhook {
    /// A webhook of this name at this URL, signed with this secret.
    ///
    /// # Errors
    /// When the URL is invalid, or would send notices unencrypted over the network.
    pub fn new(
        name: &str,
        url: &str,
        secret: Secret,
        filter: NoticeFilter,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, WebhookError> {
        parse_url(url)?;
        let connections = HttpClient::direct()?.pool_to(url).map_err(|_| InvalidUrl::new(url))?;
        Ok(Self { name: name.to_owned(), filter, connections, secret, clock })
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The notices that it wants.
    pub(super) fn filter(&self) -> &NoticeFilter {
        &self.filter
    }

    /// Sends a notice once. The response's body is not read.
    pub(super) async fn send(&self, number: u64, notice: &OutboxNotice) -> AttemptResult {
        let request = self.request(body(number, notice));
        AttemptResult::of(&within_limit(self.connections.send_ignoring_body(&request)).await)
    }

    /// Sends a notice `test` with the number 0, which is outside of the webhook's numbers.
    pub async fn send_test(&self) -> TestAnswer {
        let (id, at) = (uuid::Uuid::new_v4(), self.clock.now().trunc_subsecs(3));
        let data = json!({ "webhook": self.name }).to_string();
        let notice = OutboxNotice { id, kind: "test".to_owned(), at, body: data };
        let request = self.request(body(0, &notice));
        let delivery = within_limit(self.connections.send(&request)).await;
        let body = match &delivery {
            Delivery::Answered(HttpResponse { body, .. }) => {
                String::from_utf8_lossy(body).chars().take(TEST_BODY_CHARS_MAX).collect()
            }
            Delivery::NotSent(_) | Delivery::MaybeSent(_) => String::new(),
        };
        TestAnswer { result: AttemptResult::of(&delivery), body }
    }

    fn request(&self, body: String) -> HttpRequest {
        let headers = signed_headers(&self.secret, &body, self.clock.now());
        let mut request = HttpRequest::post("application/json", body.into());
        for (name, value) in headers {
            // Digits and hexadecimal digits are valid in a header.
            if let Ok(value) = HeaderValue::from_str(&value) {
                request.headers.insert(HeaderName::from_static(name), value);
            }
        }
        request
    }
}

async fn within_limit(sending: impl Future<Output = Delivery>) -> Delivery {
    let late = |_| Delivery::MaybeSent(TransportError::ResponseTimeout(REQUEST_TIMEOUT));
    tokio::time::timeout(REQUEST_TIMEOUT, sending).await.unwrap_or_else(late)
}

impl AttemptResult {
    fn of(delivery: &Delivery) -> Self {
        match delivery {
            Delivery::Answered(response) => {
                Self::Answered { status: response.status, retry_after: response.retry_after() }
            }
            Delivery::NotSent(error) | Delivery::MaybeSent(error) => {
                let reason = error.describe("the webhook");
                Self::Unreachable { reason: reason.chars().take(REASON_CHARS_MAX).collect() }
            }
        }
    }

    /// Whether the receiver accepted the notice: by a status from 200 to 299 alone. Any other one, 410 included, is a failure.
    pub fn is_accepted(&self) -> bool {
        matches!(self, Self::Answered { status: 200..=299, .. })
    }

    /// The wait that the receiver asks for.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Answered { retry_after, .. } => *retry_after,
            Self::Unreachable { .. } => None,
        }
    }
}

impl fmt::Display for AttemptResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answered { status, .. } => write!(f, "HTTP {status}"),
            Self::Unreachable { reason } => f.write_str(reason),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_success_is_acceptance() {
        let answered = |status| AttemptResult::Answered { status, retry_after: None };
        for status in [200, 202, 204, 299] {
            assert!(answered(status).is_accepted(), "{status}");
        }
        for status in [199, 301, 307, 400, 401, 410, 429, 500, 503] {
            assert!(!answered(status).is_accepted(), "{status}");
        }
        assert!(!AttemptResult::Unreachable { reason: String::new() }.is_accepted());
    }
}
