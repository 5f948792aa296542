//! Sends the stored notices of one webhook in order of their numbers, each until it is accepted or expires. `back_off.rs` decides when
//! a failed one is due again. The queue is in the service store: the command line may requeue notices meanwhile, so the sender reads it
//! again every second.

use std::future::ready;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::StreamExt as _;
use futures_util::stream;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::super::Notice;
use super::back_off::{BACK_OFF_MAX, ReceiverHealth, pause};
use super::endpoint::{AttemptResult, Webhook};
use crate::clock::Clock;
use crate::store::{DueQuery, FailedAttempt, OutboxEntry, QueueState, SendOrder, ServiceStore};
use crate::throttle::jitter;

/// Notices of one webhook that are sent at once while it accepts them. Attempts begin in order of number; of those under way at the same
/// time, a later one may arrive first.
const MAX_CONCURRENT_DELIVERIES: usize = 4;
/// Notices that are read from the store at once.
const READ_MAX: usize = 64;
/// How often the queue is read while nothing is due.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// The wait after the store refused to record a delivery: the notice is sent again then.
const STORE_RETRY: Duration = Duration::from_secs(30);
/// No notice waits.
const NONE_WAITS: i64 = i64::MAX;

/// Counters and gauges of one webhook since the start.
#[derive(Debug)]
pub struct WebhookCounts {
    accepted: AtomicU64,
    dropped: AtomicU64,
    waiting: AtomicU64,
    oldest_ms: AtomicI64,
}

impl Default for WebhookCounts {
    fn default() -> Self {
        let [accepted, dropped, waiting] = [0; 3].map(AtomicU64::new);
        Self { accepted, dropped, waiting, oldest_ms: AtomicI64::new(NONE_WAITS) }
    }
}

impl WebhookCounts {
    /// Notices that the receiver accepted.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Notices that were dropped without acceptance.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Notices that wait, as of the last reading of the queue.
    pub fn waiting(&self) -> u64 {
        self.waiting.load(Ordering::Relaxed)
    }

    /// The age of the oldest notice that waits.
    pub fn oldest_age(&self, now: DateTime<Utc>) -> TimeDelta {
        let oldest = self.oldest_ms.load(Ordering::Relaxed);
        let age = now.timestamp_millis().saturating_sub(oldest).max(0);
        TimeDelta::try_milliseconds(age).unwrap_or(TimeDelta::MAX)
    }

    fn set_queue(&self, state: &QueueState) {
        self.waiting.store(state.waiting as u64, Ordering::Relaxed);
        let oldest = state.oldest.map_or(NONE_WAITS, |oldest| oldest.timestamp_millis());
        self.oldest_ms.store(oldest, Ordering::Relaxed);
    }
}

/// Sends the notices of one webhook.
pub(super) struct Sender {
    name: String,
    webhook: ArcSwap<Webhook>,
    store: ServiceStore,
    clock: Arc<dyn Clock>,
    counts: Arc<WebhookCounts>,
    health: Mutex<ReceiverHealth>,
    /// Notices that the store could not take: the next batch that it takes counts them as missed.
    unstored: AtomicU64,
    /// Wakes the sender: new notices, or a new receiver.
    changed: Notify,
    /// Ends the sender after the attempts under way.
    stop: CancellationToken,
}

impl Sender {
    pub(super) fn new(webhook: Webhook, store: ServiceStore, clock: Arc<dyn Clock>) -> Self {
        Self {
            name: webhook.name().to_owned(),
            webhook: ArcSwap::from_pointee(webhook),
            store,
            clock,
            counts: Arc::default(),
            health: Mutex::default(),
            unstored: AtomicU64::new(0),
            changed: Notify::new(),
            stop: CancellationToken::new(),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn counts(&self) -> &Arc<WebhookCounts> {
        &self.counts
    }

    /// Replaces URL, secret and filter; waiting notices are sent at once.
    pub(super) fn replace(&self, webhook: Webhook) {
        self.webhook.store(Arc::new(webhook));
        self.changed.notify_one();
    }

    pub(super) fn wants(&self, notice: &Notice) -> bool {
        self.webhook.load().filter().lets_through(notice)
    }

    pub(super) fn notices_stored(&self) {
        self.changed.notify_one();
    }

    /// Remembers notices that the store could not take.
    pub(super) fn add_unstored(&self, notices: u64) {
        self.unstored.fetch_add(notices, Ordering::Relaxed);
    }

    /// The notices that the store could not take since the last call.
    pub(super) fn take_unstored(&self) -> u64 {
        self.unstored.swap(0, Ordering::Relaxed)
    }

    /// Counts and reports notices that are not sent.
    pub(super) fn drop_notices(&self, dropped: u64, why: &str) {
        self.counts.dropped.fetch_add(dropped, Ordering::Relaxed);
        tracing::error!(webhook = self.name, dropped, why, "webhook notices dropped");
    }

    pub(super) fn stop(&self) {
        self.stop.cancel();
    }

    /// Sends what is due until `stop`. After `closing`, ends as soon as nothing more is due or a notice fails.
    pub(super) async fn run(self: Arc<Self>, closing: CancellationToken) {
        let mut in_use = None;
        while !self.stop.is_cancelled() {
            let webhook = self.webhook.load_full();
            if !in_use.as_ref().is_some_and(|known| Arc::ptr_eq(known, &webhook)) {
                self.resume().await;
                in_use = Some(webhook.clone());
            }
            let is_closing = closing.is_cancelled();
            if is_closing && !self.is_healthy() {
                return;
            }
            let due = self.due().await;
            let has_sent = !due.is_empty() && self.send(&webhook, due).await;
            match has_sent {
                true => {}
                false if is_closing => return,
                // Nothing is due, or another process sends what is.
                false => self.wait(&closing).await,
            }
        }
    }

    /// Makes every waiting notice due: the service has started, or the receiver is another one.
    async fn resume(&self) {
        *self.health() = ReceiverHealth::default();
        if let Err(error) = self.store.resume_queue(self.name.clone()).await {
            tracing::error!(webhook = self.name, %error, "cannot resume the webhook's queue");
        }
    }

    async fn due(&self) -> Vec<OutboxEntry> {
        let (order, max) = match self.is_healthy() {
            true => (SendOrder::Number, READ_MAX),
            false => (SendOrder::Attempts, 1),
        };
        let (webhook, now) = (self.name.clone(), self.clock.now());
        let query = DueQuery { webhook, now, pause_max: time_delta(BACK_OFF_MAX), order, max };
        match self.store.due_notices(query).await {
            Ok((state, due)) => {
                self.counts.set_queue(&state);
                due
            }
            Err(error) => {
                tracing::error!(webhook = self.name, %error, "cannot read the webhook's queue");
                Vec::new()
            }
        }
    }

    async fn wait(&self, closing: &CancellationToken) {
        tokio::select! {
            () = self.changed.notified() => {}
            () = closing.cancelled() => {}
            () = self.stop.cancelled() => {}
            () = tokio::time::sleep(POLL_INTERVAL) => {}
        }
    }

    /// Sends these notices: a few at once, and no further one after a failure. `false` if other processes had claimed them all.
    async fn send(&self, webhook: &Webhook, due: Vec<OutboxEntry>) -> bool {
        // An unhealthy receiver is tried by one notice.
        let is_trial = !self.is_healthy();
        let goes_on = || is_trial || self.is_healthy() && !self.stop.is_cancelled();
        let sending = stream::iter(due).take_while(|_| ready(goes_on()));
        let delivered = sending.map(|entry| self.deliver_if_claimed(webhook, entry));
        let delivered = delivered.buffer_unordered(MAX_CONCURRENT_DELIVERIES);
        delivered.fold(false, |any, one| ready(any || one)).await
    }

    /// Delivers a notice, unless another process has claimed it.
    async fn deliver_if_claimed(&self, webhook: &Webhook, entry: OutboxEntry) -> bool {
        let is_claimed = self.claim(&entry).await;
        if is_claimed {
            self.deliver(webhook, entry).await;
        }
        is_claimed
    }

    /// Claims a notice for this process. Without an answer of the store it is not sent now.
    async fn claim(&self, OutboxEntry { number, attempts, .. }: &OutboxEntry) -> bool {
        let claimed = self.store.claim_notice(self.name.clone(), *number, *attempts).await;
        claimed.unwrap_or_else(|error| {
            tracing::error!(webhook = self.name, number, %error, "cannot claim a notice; it will be sent later");
            false
        })
    }

    async fn deliver(&self, webhook: &Webhook, entry: OutboxEntry) {
        let result = webhook.send(entry.number, &entry.notice).await;
        let recorded = match result.is_accepted() {
            true => self.record_acceptance(entry.number, &result).await,
            false => self.record_failure(&entry, &result).await,
        };
        if let Err(error) = recorded {
            tracing::error!(webhook = self.name, number = entry.number, %error,
                "cannot record the delivery of a notice; it will be sent again");
            tokio::select! {
                () = self.stop.cancelled() => {}
                () = tokio::time::sleep(STORE_RETRY) => {}
            }
        }
    }

    async fn record_acceptance(
        &self,
        number: u64,
        result: &AttemptResult,
    ) -> Result<(), crate::store::StoreError> {
        *self.health() = ReceiverHealth::default();
        self.counts.accepted.fetch_add(1, Ordering::Relaxed);
        let (webhook, at) = (self.name.clone(), self.clock.now());
        self.store.record_accepted(webhook, number, at, result.to_string()).await
    }

    async fn record_failure(
        &self,
        OutboxEntry { number, attempts, .. }: &OutboxEntry,
        result: &AttemptResult,
    ) -> Result<(), crate::store::StoreError> {
        let (attempts, retry_after) = (attempts.saturating_add(1), result.retry_after());
        let paused = {
            let mut health = self.health();
            *health = health.after_failure(*number);
            health.pause(retry_after, jitter())
        };
        let own = pause(attempts, retry_after, jitter());
        let retry_in_s = own.as_secs();
        tracing::warn!(webhook = self.name, number, attempts, %result, retry_in_s, "the webhook did not accept a notice");
        let at = self.clock.now();
        let failed = FailedAttempt {
            webhook: self.name.clone(),
            number: *number,
            at,
            next: at + time_delta(own),
            paused_until: paused.map(|paused| at + time_delta(paused)),
            result: result.to_string(),
        };
        self.store.record_failed(failed).await
    }

    fn is_healthy(&self) -> bool {
        *self.health() == ReceiverHealth::Healthy
    }

    fn health(&self) -> MutexGuard<'_, ReceiverHealth> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A pause, which is ten minutes at most.
fn time_delta(pause: Duration) -> TimeDelta {
    TimeDelta::from_std(pause).unwrap_or(TimeDelta::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_waiting_notice_has_an_age_and_an_empty_queue_has_none() {
        let counts = WebhookCounts::default();
        let now: DateTime<Utc> = "2026-11-30T12:00:00Z".parse().unwrap();
        assert_eq!(counts.oldest_age(now), TimeDelta::zero());
        let oldest = Some(now - TimeDelta::minutes(5));
        counts.set_queue(&QueueState { waiting: 2, oldest, ..QueueState::default() });
        assert_eq!((counts.waiting(), counts.oldest_age(now)), (2, TimeDelta::minutes(5)));
        assert_eq!(counts.oldest_age(now - TimeDelta::hours(1)), TimeDelta::zero(), "the clock was set back");
    }
}
