//! Telling another program what happened: a signed POST for every notice, tried again a few times.
//!
//! ```text
//! Adjourn-Timestamp: 1778058000
//! Adjourn-Signature: v1=HEX      HMAC-SHA-256, by the shared secret, of TIMESTAMP + "." + BODY
//! ```
//!
//! Whoever receives it checks the signature, and that the timestamp is not old. The same notice may come twice: its `id`
//! says so. What could not be told in time is given up, and said in the log; what must not be lost is in the journal.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::Uri;
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Semaphore, broadcast};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Noted, Notice};
use crate::clock::Clock;
use crate::exchange::Secret;
use crate::web::{NoAddress, Posted, Web, address};

/// How often one notice is tried.
const TRIES: u32 = 5;
/// Before the second try; doubles.
const AGAIN: Duration = Duration::from_secs(1);
/// Longest `Retry-After` that is obeyed: each waiting notice occupies one of few slots.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60);
/// Notices on their way at once.
const AT_ONCE: usize = 16;

/// Where to tell.
pub struct Webhook {
    web: Web,
    to: Uri,
    secret: Secret,
    clock: Arc<dyn Clock>,
}

/// Why nobody can be told.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// There is nobody.
    #[error(transparent)]
    Address(#[from] NoAddress),
    /// TLS would not start.
    #[error("TLS cannot be used: {0}")]
    Tls(#[from] rustls::Error),
}

impl Webhook {
    /// Tells whoever is there, signed with this secret.
    ///
    /// # Errors
    /// When the address is none, or would send what is said readable over the network.
    pub fn new(url: &str, secret: Secret, clock: Arc<dyn Clock>) -> Result<Self, WebhookError> {
        Ok(Self { web: Web::new()?, to: address(url)?, secret, clock })
    }

    /// Tells everything that is heard, until nothing is told any more, or another one takes over.
    pub async fn run(self, mut notices: broadcast::Receiver<Noted>, stop: CancellationToken) {
        let (hook, places) = (Arc::new(self), Arc::new(Semaphore::new(AT_ONCE)));
        // What was heard when another took over; until then there is no end.
        let mut left = usize::MAX;
        while left > 0 {
            let heard = tokio::select! {
                heard = notices.recv() => heard,
                () = stop.cancelled(), if left == usize::MAX => {
                    left = notices.len();
                    continue;
                }
            };
            left = if left == usize::MAX { left } else { left - 1 };
            let notice = match heard {
                // How every room looks at every moment is for displays.
                Ok(Noted { notice: Notice::Turned { .. }, .. }) => continue,
                Ok(noted) => noted.notice,
                Err(RecvError::Lagged(missed)) => {
                    tracing::error!(missed, "the webhook is too slow: notices were not told");
                    continue;
                }
                Err(RecvError::Closed) => break,
            };
            let Ok(place) = places.clone().acquire_owned().await else { break };
            let hook = hook.clone();
            tokio::spawn(async move {
                hook.tell(&notice).await;
                drop(place);
            });
        }
        // Those on their way come to their end first.
        let all = u32::try_from(AT_ONCE).unwrap_or(u32::MAX);
        let _ = places.acquire_many(all).await;
    }

    async fn tell(&self, notice: &Notice) {
        let body = body(notice, Uuid::new_v4()).to_string();
        let mut said = None;
        for attempt in 0..TRIES {
            if attempt > 0 {
                tokio::time::sleep(pause(attempt, said.take())).await;
            }
            let headers = self.headers(&body, self.clock.now());
            match self.web.post(&self.to, body.clone(), &headers).await {
                Ok(Posted { status: 200..300, .. }) => return,
                Ok(Posted { status, retry_after }) => {
                    said = retry_after;
                    tracing::warn!(status, attempt, "the webhook did not take a notice");
                }
                Err(why) => tracing::warn!(why, attempt, "the webhook cannot be reached"),
            }
        }
        tracing::error!(kind = notice.kind(), "a notice was given up: the webhook did not take it");
    }

    fn headers(&self, body: &str, now: DateTime<Utc>) -> [(&'static str, String); 2] {
        let timestamp = now.timestamp().to_string();
        let signature = sign(self.secret.expose(), &timestamp, body);
        [("adjourn-timestamp", timestamp), ("adjourn-signature", format!("v1={signature}"))]
    }
}

/// Wait before this attempt: `Retry-After` within limits, else exponential back-off.
fn pause(attempt: u32, said: Option<Duration>) -> Duration {
    let doubled = AGAIN.saturating_mul(1 << attempt.saturating_sub(1).min(16));
    said.map_or(doubled, |said| said.clamp(AGAIN, RETRY_AFTER_MAX))
}

fn sign(secret: &str, timestamp: &str, body: &str) -> String {
    let mut hex = String::new();
    // HMAC takes a key of any length.
    if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) {
        mac.update(timestamp.as_bytes());
        mac.update(b".");
        mac.update(body.as_bytes());
        mac.finalize().into_bytes().iter().for_each(|byte| {
            let _ = write!(hex, "{byte:02x}");
        });
    }
    hex
}

fn body(notice: &Notice, id: Uuid) -> Value {
    let mut body = notice.told();
    body["id"] = json!(id);
    body["event"] = json!(notice.kind());
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_says_within_limits_when_it_is_told_again() {
        assert_eq!([1, 2, 3].map(|attempt| pause(attempt, None).as_secs()), [1, 2, 4]);
        assert_eq!(pause(1, Some(Duration::from_secs(30))), Duration::from_secs(30));
        assert_eq!(pause(4, Some(Duration::ZERO)), AGAIN);
        assert_eq!(pause(1, Some(Duration::MAX)), RETRY_AFTER_MAX);
    }

    /// The expected text was computed by Python: `hmac.new(b"Jefe", b'1778058000.{"id":1}', hashlib.sha256).hexdigest()`.
    #[test]
    fn the_signature_is_what_anybody_computes() {
        let expected = "63e1078f3685f52f5dea1d8384e7afe92074661d1399ae2e822669ce72d0a6b8";
        assert_eq!(sign("Jefe", "1778058000", r#"{"id":1}"#), expected);
    }
}
