//! Sends notices to webhooks by signed POSTs, and again for a day until each is accepted.
//!
//! ```text
//! NoticeBus ──► Webhooks: filter (filter.rs) ──► a queue for each webhook in the service store (store::outbox)
//!                                                    └──► Sender (sender.rs) ──► Webhook: POST (endpoint.rs, message.rs)
//!                                                             └──► back_off.rs (pure): when a failed notice is sent again
//! ```
//!
//! A notice is stored before it is sent. What waits when the service stops is sent after the next start. Notices can be lost (a full
//! queue, a receiver that is down for a day); the journal cannot. One task receives all notices, so a change of the configuration loses
//! none, and stores none twice.

mod back_off;
mod endpoint;
mod filter;
mod message;
mod sender;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use back_off::BACK_OFF_MAX;
pub use endpoint::{AttemptResult, TestAnswer, Webhook, WebhookError};
pub use filter::{NoticeFilter, WebhookKind};
use sender::Sender;
pub use sender::WebhookCounts;

use super::{GapNotice, SequencedNotice};
use crate::clock::Clock;
use crate::store::{OutboxBatch, OutboxNotice, ServiceStore};

/// Webhooks of one service: each has a queue, a task and four connections.
pub const WEBHOOKS_MAX: usize = 16;
/// How long a notice is sent again before it is dropped.
pub const DELIVERY_MAX: TimeDelta = TimeDelta::days(1);

/// Notices that are stored in one transaction.
const BATCH_MAX: usize = 256;
/// How often notices are dropped for their age.
const EXPIRY_INTERVAL: Duration = Duration::from_secs(60);
/// How long waiting notices are still sent when the service stops. With the time limit of a request, it ends within the grace of
/// `adjourn serve` for its tasks.
const CLOSING_MAX: Duration = Duration::from_secs(5);

/// Why notices were dropped for their age, and the remedy.
const EXPIRED: &str =
    "not accepted within 24 hours; within 24 hours more, `adjourn webhook redeliver` queues them again";

/// The webhooks of the service.
pub struct Webhooks {
    store: ServiceStore,
    clock: Arc<dyn Clock>,
    senders: Mutex<Vec<Arc<Sender>>>,
    tasks: TaskTracker,
    /// Set when no further notice is stored.
    closing: CancellationToken,
}

impl Webhooks {
    /// No webhook, with the queues in this store.
    pub fn new(store: ServiceStore, clock: Arc<dyn Clock>) -> Self {
        let (tasks, closing) = (TaskTracker::new(), CancellationToken::new());
        Self { store, clock, senders: Mutex::default(), tasks, closing }
    }

    /// Replaces the webhooks. One with the name of an earlier one goes on with its queue, and sends at once; the queue of one that is
    /// missing stays until its notices expire.
    pub fn replace(&self, webhooks: Vec<Webhook>) {
        let mut senders = self.senders();
        let mut next = Vec::new();
        for webhook in webhooks {
            next.push(match senders.iter().find(|sender| sender.name() == webhook.name()) {
                Some(known) => {
                    known.replace(webhook);
                    known.clone()
                }
                None => self.start(webhook),
            });
        }
        for sender in senders.iter().filter(|old| !next.iter().any(|new| new.name() == old.name())) {
            sender.stop();
        }
        *senders = next;
    }

    fn start(&self, webhook: Webhook) -> Arc<Sender> {
        let sender = Arc::new(Sender::new(webhook, self.store.clone(), self.clock.clone()));
        self.tasks.spawn(sender.clone().run(self.closing.clone()));
        sender
    }

    /// The names of the webhooks, with their counters.
    pub fn counts(&self) -> Vec<(String, Arc<WebhookCounts>)> {
        self.senders().iter().map(|sender| (sender.name().to_owned(), sender.counts().clone())).collect()
    }

    /// Stores published notices until the bus is closed, and then ends the senders. Notices that were not accepted wait in the store.
    pub async fn run(self: Arc<Self>, notices: broadcast::Receiver<SequencedNotice>) {
        tokio::select! {
            () = self.receive(notices) => {}
            () = self.expire() => {}
        }
        self.closing.cancel();
        self.tasks.close();
        if tokio::time::timeout(CLOSING_MAX, self.tasks.wait()).await.is_err() {
            self.senders().iter().for_each(|sender| sender.stop());
            self.tasks.wait().await;
        }
    }

    async fn receive(&self, mut notices: broadcast::Receiver<SequencedNotice>) {
        while let Some(batch) = NoticeBatch::receive(&mut notices).await {
            self.store_batch(batch).await;
        }
    }

    /// Stores the notices in the queue of each webhook that wants them, in one transaction.
    async fn store_batch(&self, batch: NoticeBatch) {
        let (now, senders) = (self.clock.now(), self.senders().clone());
        let rendered: Vec<_> = batch.notices.iter().map(|one| (&one.notice, render(one))).collect();
        let mut batches = Vec::new();
        for sender in &senders {
            if batch.missed > 0 {
                sender.drop_notices(batch.missed, "the service store is too slow to store them");
            }
            let wanted = rendered.iter().filter(|(notice, _)| sender.wants(notice));
            let wanted = wanted.map(|(_, stored)| stored.clone()).collect();
            batches.extend(outbox_batch(sender, batch.missed + sender.take_unstored(), wanted, now));
        }
        if batches.is_empty() {
            return;
        }
        let lost: Vec<_> =
            batches.iter().map(|batch| (batch.webhook.clone(), batch.lost_if_unstored())).collect();
        let stored = self.store.enqueue_notices(batches, now + DELIVERY_MAX).await;
        let find = |name: &str| senders.iter().find(|sender| sender.name() == name);
        match stored {
            Ok(dropped) => dropped.iter().for_each(|(name, count)| {
                find(name).iter().for_each(|sender| sender.drop_notices(*count, "its queue is full"));
            }),
            Err(error) => lost.iter().for_each(|(name, (missed, notices))| {
                find(name).iter().for_each(|sender| {
                    sender.add_unstored(missed + notices);
                    sender.drop_notices(*notices, &error.to_string());
                });
            }),
        }
        senders.iter().for_each(|sender| sender.notices_stored());
    }

    /// Drops notices for their age at intervals, also those of webhooks that are no longer configured.
    async fn expire(&self) {
        let mut interval = tokio::time::interval(EXPIRY_INTERVAL);
        loop {
            interval.tick().await;
            if self.clock.doubt().is_some() {
                // Nothing is deleted for its age by a clock that may be wrong.
                continue;
            }
            if let Err(error) = self.expire_once().await {
                tracing::error!(%error, "cannot drop the expired notices of webhooks");
            }
        }
    }

    async fn expire_once(&self) -> Result<(), crate::store::StoreError> {
        let dropped = self.store.expire_notices(self.clock.now()).await?;
        let senders = self.senders().clone();
        for (webhook, dropped) in dropped {
            match senders.iter().find(|sender| sender.name() == webhook) {
                Some(sender) => sender.drop_notices(dropped, EXPIRED),
                None => tracing::error!(
                    webhook,
                    dropped,
                    why = EXPIRED,
                    "notices of a webhook that is no longer configured dropped"
                ),
            }
        }
        self.store.forget_queues(senders.iter().map(|sender| sender.name().to_owned()).collect()).await
    }

    fn senders(&self) -> MutexGuard<'_, Vec<Arc<Sender>>> {
        self.senders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Notices that are stored together.
#[derive(Default)]
struct NoticeBatch {
    /// Notices that were lost before these, because the store was too slow.
    missed: u64,
    notices: Vec<SequencedNotice>,
}

impl NoticeBatch {
    /// Waits for a notice, and takes what was published besides it; `None` at the end of the bus.
    async fn receive(notices: &mut broadcast::Receiver<SequencedNotice>) -> Option<Self> {
        let mut batch = Self::default();
        match notices.recv().await {
            Ok(notice) => batch.add(notice),
            Err(RecvError::Lagged(count)) => batch.missed += count,
            Err(RecvError::Closed) => return None,
        }
        while batch.notices.len() < BATCH_MAX {
            match notices.try_recv() {
                Ok(notice) => batch.add(notice),
                Err(TryRecvError::Lagged(count)) => batch.missed += count,
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        Some(batch)
    }

    /// Adds a notice, unless it is for displays only.
    fn add(&mut self, notice: SequencedNotice) {
        if WebhookKind::of(&notice.notice).is_some() {
            self.notices.push(notice);
        }
    }
}

fn render(SequencedNotice { id, at, notice, .. }: &SequencedNotice) -> OutboxNotice {
    let (kind, body) = (notice.kind().to_owned(), notice.to_json());
    OutboxNotice { id: *id, kind, at: *at, body }
}

/// What a webhook's queue takes of a batch; `None` if it takes nothing. A gap precedes the notices if some are missed.
fn outbox_batch(
    sender: &Sender,
    missed: u64,
    wanted: Vec<OutboxNotice>,
    now: DateTime<Utc>,
) -> Option<OutboxBatch> {
    let gap = (missed > 0).then(|| gap_notice(missed, now));
    let notices: Vec<_> = gap.into_iter().chain(wanted).collect();
    let batch = OutboxBatch { webhook: sender.name().to_owned(), missed, notices };
    (!batch.notices.is_empty()).then_some(batch)
}

fn gap_notice(missed: u64, at: DateTime<Utc>) -> OutboxNotice {
    let body = serde_json::to_string(&GapNotice { missed: Some(missed) }).unwrap_or_default();
    OutboxNotice { id: uuid::Uuid::new_v4(), kind: "gap".to_owned(), at, body }
}

#[cfg(test)]
mod tests {
    use super::super::Notice;
    use super::*;

    fn checked_in(number: u64) -> SequencedNotice {
        let (room, at) = ("r@example.com".parse().unwrap(), DateTime::UNIX_EPOCH);
        let notice = Notice::CheckedIn { room, at, source: "panel".to_owned() };
        SequencedNotice { number, id: uuid::Uuid::from_u128(u128::from(number)), at, notice }
    }

    #[tokio::test]
    async fn what_was_published_is_one_batch_and_what_was_lost_is_counted() {
        let (notices, mut receiver) = broadcast::channel(2);
        for number in 1..=4 {
            notices.send(checked_in(number)).unwrap();
        }
        let batch = NoticeBatch::receive(&mut receiver).await.unwrap();
        let numbers: Vec<_> = batch.notices.iter().map(|notice| notice.number).collect();
        assert_eq!((batch.missed, numbers), (2, vec![3, 4]));
        let room = Notice::RoomChanged { room: "r@example.com".parse().unwrap() };
        notices.send(SequencedNotice { notice: room, ..checked_in(5) }).unwrap();
        assert!(NoticeBatch::receive(&mut receiver).await.unwrap().notices.is_empty(), "for displays only");
        drop(notices);
        assert!(NoticeBatch::receive(&mut receiver).await.is_none());
    }

    /// The store is full or locked for a moment: the receiver sees from the numbers, and by a gap, that notices are lost.
    #[tokio::test]
    async fn what_the_store_could_not_take_is_missed_in_the_next_batch() {
        let filter = NoticeFilter::default();
        let (clock, store) = (Arc::new(crate::clock::SystemClock), ServiceStore::in_memory().unwrap());
        let secret = crate::secret::Secret::new("shared".to_owned());
        let webhook = Webhook::new("one", "http://127.0.0.1:9/", secret, filter, clock.clone()).unwrap();
        let sender = Sender::new(webhook, store, clock);
        let notice = gap_notice(1, DateTime::UNIX_EPOCH);
        let batch = |sender: &Sender| {
            let wanted = vec![notice.clone(), notice.clone()];
            outbox_batch(sender, sender.take_unstored(), wanted, DateTime::UNIX_EPOCH).unwrap()
        };
        let first = batch(&sender);
        assert_eq!((first.missed, first.notices.len(), first.lost_if_unstored()), (0, 2, (0, 2)));
        sender.add_unstored(2);
        let second = batch(&sender);
        assert_eq!((second.missed, second.notices.len(), second.lost_if_unstored()), (2, 3, (2, 2)));
        assert_eq!(second.notices[0].body, r#"{"missed":2}"#);
        assert_eq!(batch(&sender).missed, 0, "counted once");
    }

    #[test]
    fn a_gap_has_the_count_of_the_lost_notices() {
        let gap = gap_notice(2, DateTime::UNIX_EPOCH);
        assert_eq!((gap.kind.as_str(), gap.body.as_str()), ("gap", r#"{"missed":2}"#));
    }
}
