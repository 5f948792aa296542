//! Sends every notice to a webhook by a signed POST, with retries.
//!
//! ```text
//! Adjourn-Timestamp: 1778058000
//! Adjourn-Signature: v1=HEX      HMAC-SHA-256, by the shared secret, of TIMESTAMP + "." + BODY
//!
//! {"event":"action","number":17,"id":"…","time":"2026-05-06T09:00:00Z","room":…}
//! ```
//!
//! The receiver checks the signature, and that the timestamp is recent. A notice may arrive twice, with the same `id` and
//! `number`. Numbers are consecutive, also over a restart, so a missing number means a lost notice. A notice waits in the
//! service store (`store::outbox`) until the receiver accepts it or all retries fail; a notice that waits when the service
//! stops is sent after the next start. Notices can be lost; the journal cannot.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderName, HeaderValue};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::{Notify, Semaphore, broadcast};
use tokio_util::sync::CancellationToken;

use super::{Notice, SequencedNotice};
use crate::clock::Clock;
use crate::exchange::Secret;
use crate::http::client::{HttpClient, REQUEST_TIMEOUT};
use crate::http::connection_pool::{ConnectionPool, HttpRequest};
use crate::http::delivery::Delivery;
use crate::http::error::TransportError;
use crate::http::url::{InvalidUrl, parse_url};
use crate::store::{OutboxEntry, OutboxNotice, ServiceStore};

/// Attempts to deliver one notice.
const TRIES: u32 = 5;
/// The pause before the second attempt; doubles.
const RETRY_FIRST: Duration = Duration::from_secs(1);
/// The longest `Retry-After` that is obeyed: each waiting notice occupies one of few slots.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60);
/// Notices in delivery at once.
const MAX_CONCURRENT_DELIVERIES: usize = 16;
/// Notices stored in one transaction, and read from the store at once.
const BATCH_MAX: usize = 256;

/// The stored notices that wait for a webhook, and counters. Cheap to clone.
#[derive(Clone)]
pub struct Outbox {
    store: ServiceStore,
    counts: Arc<WebhookCounts>,
}

/// Counters of webhook notices since the start.
#[derive(Debug, Default)]
pub struct WebhookCounts {
    /// Notices that a webhook accepted.
    pub accepted: AtomicU64,
    /// Notices that were dropped without delivery.
    pub dropped: AtomicU64,
}

impl Outbox {
    /// An outbox in this store.
    pub fn new(store: ServiceStore) -> Self {
        Self { store, counts: Arc::default() }
    }

    /// The counters.
    pub fn counts(&self) -> &WebhookCounts {
        &self.counts
    }

    fn drop_notices(&self, dropped: u64, why: &str) {
        self.counts.dropped.fetch_add(dropped, Ordering::Relaxed);
        tracing::error!(dropped, why, "webhook notices dropped");
    }
}

/// Delivers notices to one webhook.
pub struct WebhookSender {
    connections: ConnectionPool,
    secret: Secret,
    clock: Arc<dyn Clock>,
    outbox: Outbox,
    /// The webhook's name in the outbox: a hash of its URL, which may contain a secret.
    name: String,
    /// Signals a new notice in the outbox.
    posted: Notify,
    /// Set when no further notice is added.
    closing: CancellationToken,
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

/// The result of delivering one notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DeliveryResult {
    Accepted,
    /// All attempts failed.
    Abandoned,
    /// Not delivered before the service stopped: it stays in the outbox.
    Pending,
}

impl WebhookSender {
    /// A sender for this URL that signs with this secret.
    ///
    /// # Errors
    /// When the URL is invalid, or would send notices unencrypted over the network.
    pub fn new(
        url: &str,
        secret: Secret,
        clock: Arc<dyn Clock>,
        outbox: Outbox,
    ) -> Result<Self, WebhookError> {
        let mut name = String::new();
        Sha256::digest(url.as_bytes()).iter().for_each(|byte| {
            let _ = write!(name, "{byte:02x}");
        });
        parse_url(url)?;
        let connections = HttpClient::direct()?.pool_to(url).map_err(|_| InvalidUrl::new(url))?;
        let closing = CancellationToken::new();
        Ok(Self { connections, secret, clock, outbox, name, posted: Notify::new(), closing })
    }

    /// Drops the notices that wait for other webhooks, which are no longer configured.
    pub async fn forget_others(&self) {
        match self.outbox.store.remove_other_webhooks(self.name.clone()).await {
            Ok(0) => {}
            Ok(dropped) => self
                .outbox
                .drop_notices(dropped as u64, "they were waiting for a webhook that is no longer configured"),
            Err(error) => tracing::error!(%error, "cannot drop the notices of other webhooks"),
        }
    }

    /// Delivers the stored notices and all new ones, until the notice bus is closed or another webhook takes over. Undelivered
    /// notices stay in the outbox.
    pub async fn run(self, notices: broadcast::Receiver<SequencedNotice>, stop: CancellationToken) {
        let sender = Arc::new(self);
        tokio::join!(sender.receive(notices, stop), sender.clone().send());
    }

    /// Stores published notices in the outbox, until the bus is closed.
    async fn receive(&self, mut notices: broadcast::Receiver<SequencedNotice>, stop: CancellationToken) {
        // After `stop`, the number of notices that were published before it; until then, no limit.
        let mut left = usize::MAX;
        while left > 0 {
            let received = tokio::select! {
                received = notices.recv() => received,
                () = stop.cancelled(), if left == usize::MAX => {
                    left = notices.len();
                    continue;
                }
            };
            if matches!(received, Err(RecvError::Closed)) {
                break;
            }
            let mut batch = NoticeBatch::default();
            let mut taken = usize::from(batch.add(received.map_err(lost_count)));
            while taken < BATCH_MAX.min(left) {
                match notices.try_recv() {
                    Ok(sequenced) => taken += usize::from(batch.add(Ok(sequenced))),
                    Err(TryRecvError::Lagged(count)) => taken += usize::from(batch.add(Err(count))),
                    Err(TryRecvError::Empty | TryRecvError::Closed) => break,
                }
            }
            left = if left == usize::MAX { left } else { left.saturating_sub(taken) };
            self.post(batch).await;
        }
        self.closing.cancel();
    }

    async fn post(&self, NoticeBatch { lost: missed, mut entries }: NoticeBatch) {
        if missed > 0 {
            self.outbox.drop_notices(missed, "the service store is too slow to store them");
            entries.push(gap_notice(missed, self.clock.now()));
        }
        let count = entries.len() as u64;
        if count == 0 {
            return;
        }
        match self.outbox.store.enqueue_notices(self.name.clone(), missed, entries).await {
            Ok(0) => {}
            Ok(dropped) => self.outbox.drop_notices(dropped, "the outbox is full"),
            Err(error) => self.outbox.drop_notices(count, &error.to_string()),
        }
        self.posted.notify_one();
    }

    /// Sends the notices in the outbox, a few at once, until it is empty and closing.
    async fn send(self: Arc<Self>) {
        let (permits, mut after) = (Arc::new(Semaphore::new(MAX_CONCURRENT_DELIVERIES)), 0);
        loop {
            let is_last = self.closing.is_cancelled();
            let entries = self.outbox.store.outbox_entries(self.name.clone(), after, BATCH_MAX).await;
            let entries = entries.unwrap_or_else(|error| {
                tracing::error!(%error, "cannot read the webhook's outbox");
                Vec::new()
            });
            if entries.is_empty() && is_last {
                break;
            }
            if entries.is_empty() {
                tokio::select! {
                    () = self.posted.notified() => {}
                    () = self.closing.cancelled() => {}
                }
            }
            for entry in entries {
                after = entry.number;
                let Ok(permit) = permits.clone().acquire_owned().await else { return };
                let sender = self.clone();
                tokio::spawn(async move {
                    sender.deliver(entry).await;
                    drop(permit);
                });
            }
        }
        // Wait for the deliveries in progress.
        let all = u32::try_from(MAX_CONCURRENT_DELIVERIES).unwrap_or(u32::MAX);
        let _ = permits.acquire_many(all).await;
    }

    async fn deliver(&self, OutboxEntry { number, notice: entry }: OutboxEntry) {
        match self.send_with_retries(number, &entry).await {
            DeliveryResult::Pending => return,
            DeliveryResult::Accepted => {
                self.outbox.counts.accepted.fetch_add(1, Ordering::Relaxed);
            }
            DeliveryResult::Abandoned => {
                self.outbox.drop_notices(1, "the webhook rejected it, or was unreachable, in all attempts")
            }
        }
        if let Err(error) = self.outbox.store.remove_outbox_entry(self.name.clone(), number).await {
            tracing::error!(%error, "cannot remove a delivered notice from the outbox; it will be sent again");
        }
    }

    async fn send_with_retries(&self, number: u64, entry: &OutboxNotice) -> DeliveryResult {
        let body = body(number, entry).to_string();
        let mut retry_after = None;
        for attempt in 0..TRIES {
            if attempt > 0 {
                tokio::select! {
                    () = self.closing.cancelled() => return DeliveryResult::Pending,
                    () = tokio::time::sleep(pause(attempt, retry_after.take())) => {}
                }
            }
            match self.send_once(&body).await {
                Delivery::Answered(response) if (200..300).contains(&response.status) => {
                    return DeliveryResult::Accepted;
                }
                Delivery::Answered(response) => {
                    retry_after = response.retry_after();
                    let status = response.status;
                    tracing::warn!(status, attempt, "the webhook rejected a notice");
                }
                Delivery::NotSent(error) | Delivery::MaybeSent(error) => {
                    tracing::warn!(why = error.describe("the webhook"), attempt, "cannot reach the webhook");
                }
            }
        }
        DeliveryResult::Abandoned
    }

    /// Sends a notice once. The response's body is not read.
    async fn send_once(&self, body: &str) -> Delivery {
        let mut request = HttpRequest::post("application/json", body.to_owned().into());
        for (name, value) in self.headers(body, self.clock.now()) {
            // Digits and hexadecimal digits are valid in a header.
            if let Ok(value) = HeaderValue::from_str(&value) {
                request.headers.insert(HeaderName::from_static(name), value);
            }
        }
        let late = |_| Delivery::MaybeSent(TransportError::ResponseTimeout(REQUEST_TIMEOUT));
        let sent = tokio::time::timeout(REQUEST_TIMEOUT, self.connections.send_ignoring_body(&request));
        sent.await.unwrap_or_else(late)
    }

    fn headers(&self, body: &str, now: DateTime<Utc>) -> [(&'static str, String); 2] {
        let timestamp = now.timestamp().to_string();
        let signature = sign(self.secret.expose(), &timestamp, body);
        [("adjourn-timestamp", timestamp), ("adjourn-signature", format!("v1={signature}"))]
    }
}

/// The pause before this attempt: `Retry-After` within limits, else exponential back-off.
fn pause(attempt: u32, retry_after: Option<Duration>) -> Duration {
    let doubled = RETRY_FIRST.saturating_mul(1 << attempt.saturating_sub(1).min(16));
    retry_after.map_or(doubled, |retry_after| retry_after.clamp(RETRY_FIRST, RETRY_AFTER_MAX))
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

/// Notices that are stored together.
#[derive(Default)]
struct NoticeBatch {
    /// Notices that were lost before these.
    lost: u64,
    entries: Vec<OutboxNotice>,
}

impl NoticeBatch {
    /// Adds a notice, or a number of lost ones; returns whether it was a notice.
    fn add(&mut self, received: Result<SequencedNotice, u64>) -> bool {
        match received {
            // Room states are for displays only.
            Ok(SequencedNotice { notice: Notice::RoomChanged { .. }, .. }) => true,
            Ok(SequencedNotice { id, at, notice, .. }) => {
                let (kind, body) = (notice.kind().to_owned(), notice.to_json().to_string());
                self.entries.push(OutboxNotice { id, kind, at, body });
                true
            }
            Err(missed) => {
                self.lost += missed;
                false
            }
        }
    }
}

fn lost_count(error: RecvError) -> u64 {
    match error {
        RecvError::Lagged(missed) => missed,
        RecvError::Closed => 0,
    }
}

fn gap_notice(missed: u64, at: DateTime<Utc>) -> OutboxNotice {
    let body = json!({ "missed": missed }).to_string();
    OutboxNotice { id: uuid::Uuid::new_v4(), kind: "gap".to_owned(), at, body }
}

/// The body of the POST: the notice's data, its id, by which the receiver detects a repeated delivery, and its number, by which
/// it detects a loss.
fn body(number: u64, entry: &OutboxNotice) -> Value {
    let mut body: Value = serde_json::from_str(&entry.body).unwrap_or_else(|_| json!({}));
    body["id"] = json!(entry.id);
    body["event"] = json!(entry.kind);
    body["number"] = json!(number);
    body["time"] = json!(entry.at.to_rfc3339_opts(SecondsFormat::Millis, true));
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_says_within_limits_when_it_is_told_again() {
        assert_eq!([1, 2, 3].map(|attempt| pause(attempt, None).as_secs()), [1, 2, 4]);
        assert_eq!(pause(1, Some(Duration::from_secs(30))), Duration::from_secs(30));
        assert_eq!(pause(4, Some(Duration::ZERO)), RETRY_FIRST);
        assert_eq!(pause(1, Some(Duration::MAX)), RETRY_AFTER_MAX);
    }

    /// A receiver that answers each POST with this status, and the bodies that it received.
    async fn receiver(status: &'static str) -> (String, tokio::sync::mpsc::UnboundedReceiver<Value>) {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let (got, bodies) = tokio::sync::mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (mut text, mut buffer) = (String::new(), [0; 4096]);
                while !text.trim_end().ends_with('}') {
                    let len = stream.read(&mut buffer).await.unwrap();
                    text += std::str::from_utf8(&buffer[..len]).unwrap();
                }
                let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                let body = serde_json::from_str(text.split_once("\r\n\r\n").unwrap().1).unwrap();
                stream.write_all(answer.as_bytes()).await.unwrap();
                let _ = got.send(body);
            }
        });
        (url, bodies)
    }

    fn sender(url: &str, outbox: &Outbox) -> WebhookSender {
        let clock = Arc::new(crate::clock::SystemClock);
        WebhookSender::new(url, Secret::new("s".to_owned()), clock, outbox.clone()).unwrap()
    }

    fn checked_in(number: u64) -> SequencedNotice {
        let room = "r@example.com".parse().unwrap();
        let at = DateTime::UNIX_EPOCH;
        let notice = Notice::CheckedIn { room, at, source: "panel".to_owned() };
        SequencedNotice { number, id: uuid::Uuid::from_u128(u128::from(number)), at, notice }
    }

    async fn next(bodies: &mut tokio::sync::mpsc::UnboundedReceiver<Value>) -> Value {
        tokio::time::timeout(Duration::from_secs(20), bodies.recv()).await.unwrap().unwrap()
    }

    #[tokio::test]
    async fn a_consumer_that_is_too_slow_receives_that_it_missed_some_and_the_numbers_show_it() {
        let (url, mut bodies) = receiver("200 OK").await;
        let outbox = Outbox::new(ServiceStore::in_memory().unwrap());
        let (notices, received) = broadcast::channel(1);
        for number in 1..=3 {
            notices.send(checked_in(number)).unwrap();
        }
        let running = tokio::spawn(sender(&url, &outbox).run(received, CancellationToken::new()));
        let mut posted_bodies = [next(&mut bodies).await, next(&mut bodies).await];
        posted_bodies.sort_by_key(|body| body["number"].as_u64());
        let of = |body: &Value| (body["event"].clone(), body["number"].as_u64().unwrap());
        assert_eq!(posted_bodies.each_ref().map(of), [("check-in".into(), 3), ("gap".into(), 4)]);
        assert_eq!(
            (&posted_bodies[1]["missed"], &posted_bodies[0]["time"]),
            (&2.into(), &"1970-01-01T00:00:00.000Z".into())
        );
        drop(notices);
        running.await.unwrap();
        assert_eq!(outbox.counts().dropped.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn what_waits_at_the_stop_is_told_after_the_start_under_its_number_and_id() {
        let store = ServiceStore::in_memory().unwrap();
        let (down, mut refused) = receiver("503 Service Unavailable").await;
        let (notices, received) = broadcast::channel(8);
        let running =
            tokio::spawn(sender(&down, &Outbox::new(store.clone())).run(received, CancellationToken::new()));
        notices.send(checked_in(7)).unwrap();
        let first = next(&mut refused).await;
        drop(notices);
        running.await.unwrap();
        assert_eq!(store.count_outbox_entries().await.unwrap(), 1, "it waits");

        // The same webhook, which works now.
        let (notices, received) = broadcast::channel(8);
        let (url, mut bodies) = receiver("200 OK").await;
        let again = WebhookSender {
            connections: HttpClient::direct().unwrap().pool_to(&url).unwrap(),
            ..sender(&down, &Outbox::new(store.clone()))
        };
        let running = tokio::spawn(again.run(received, CancellationToken::new()));
        assert_eq!(next(&mut bodies).await, first, "the same body");
        notices.send(checked_in(8)).unwrap();
        let second = next(&mut bodies).await;
        assert_eq!((&first["number"], &second["number"]), (&1.into(), &2.into()), "numbers go on");
        drop(notices);
        running.await.unwrap();
        assert_eq!(store.count_outbox_entries().await.unwrap(), 0);
    }

    #[tokio::test]
    async fn an_outbox_that_is_full_drops_the_notice_counts_it_and_leaves_a_gap_in_the_numbers() {
        use crate::store::OUTBOX_BYTES_MAX;
        let store = ServiceStore::in_memory().unwrap();
        let entry = |id: u128, bytes: usize| OutboxNotice {
            id: uuid::Uuid::from_u128(id),
            kind: "check-in".to_owned(),
            at: DateTime::UNIX_EPOCH,
            body: format!("\"{}\"", "x".repeat(bytes)),
        };
        let post = |entries: Vec<OutboxNotice>| store.enqueue_notices("hook".to_owned(), 0, entries);
        let half = OUTBOX_BYTES_MAX / 2;
        assert_eq!(post(vec![entry(1, half), entry(2, half), entry(3, 10)]).await.unwrap(), 1);
        assert_eq!(post(vec![entry(3, 10)]).await.unwrap(), 0, "known by its id");
        let entries = store.outbox_entries("hook".to_owned(), 0, 10).await.unwrap();
        assert_eq!(entries.iter().map(|entry| entry.number).collect::<Vec<_>>(), [1, 3]);
        assert_eq!(store.remove_other_webhooks("another".to_owned()).await.unwrap(), 2);
    }

    /// The expected text was computed by Python: `hmac.new(b"Jefe", b'1778058000.{"id":1}', hashlib.sha256).hexdigest()`.
    #[test]
    fn the_signature_is_what_anybody_computes() {
        let expected = "63e1078f3685f52f5dea1d8384e7afe92074661d1399ae2e822669ce72d0a6b8";
        assert_eq!(sign("Jefe", "1778058000", r#"{"id":1}"#), expected);
    }
}
