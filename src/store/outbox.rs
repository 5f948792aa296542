//! The outbox of the service store: the notices that a webhook has not accepted yet, and those that were dropped within the last day.
//! Each webhook has a queue with numbers of its own that never decrease, so a receiver that sees a gap knows that a notice was lost.
//! The command line reads and requeues notices while the service sends them. Never sends anything, and never decides when to.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::error::StoreError;
use super::service_store::ServiceStore;
use super::sql::{SqlConnection, SqlRow, Subject, values};

/// Stored notices of one webhook: an hour without the receiver at the largest site, a day at a site of two hundred rooms.
pub const OUTBOX_NOTICES_MAX: usize = 10_000;
/// Bytes of the stored bodies of one webhook.
pub const OUTBOX_BYTES_MAX: usize = 16 << 20;
/// How long a dropped notice stays stored, so that an administrator can send it again.
pub const DROPPED_KEPT: TimeDelta = TimeDelta::days(1);

/// A notice for a webhook, before it has a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxNotice {
    /// The notice's id; the same in each delivery attempt.
    pub id: Uuid,
    /// The notice's kind.
    pub kind: String,
    /// The time of the event.
    pub at: DateTime<Utc>,
    /// The JSON body.
    pub body: String,
}

/// Notices for one webhook that are stored together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxBatch {
    /// The webhook's name.
    pub webhook: String,
    /// Notices that were lost before these; each takes a number.
    pub missed: u64,
    /// The notices, in order.
    pub notices: Vec<OutboxNotice>,
}

impl OutboxBatch {
    /// The notices that were missed before this batch, and those that are lost with it; a gap is no notice of its own.
    pub(crate) fn lost_if_unstored(&self) -> (u64, u64) {
        (self.missed, self.notices.len() as u64 - u64::from(self.missed > 0))
    }
}

/// A notice in the outbox, with its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxEntry {
    /// One more than the previous notice of this webhook.
    pub number: u64,
    /// Failed attempts so far.
    pub attempts: u32,
    /// The notice.
    pub notice: OutboxNotice,
}

/// Which waiting notices come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendOrder {
    /// The lowest number.
    Number,
    /// The fewest attempts, then the lowest number.
    Attempts,
}

/// A query for the notices of a webhook that are due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueQuery {
    /// The webhook's name.
    pub webhook: String,
    /// The present time.
    pub now: DateTime<Utc>,
    /// The longest pause. A time further ahead was recorded by a clock that was set back since, and counts as past.
    pub pause_max: TimeDelta,
    /// Which notices come first.
    pub order: SendOrder,
    /// The maximum number of notices.
    pub max: usize,
}

/// An attempt that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedAttempt {
    /// The webhook's name.
    pub webhook: String,
    /// The notice's number.
    pub number: u64,
    /// The time of the attempt.
    pub at: DateTime<Utc>,
    /// When the notice is due again.
    pub next: DateTime<Utc>,
    /// Until when no notice of the webhook is due; `None`: the others are not held up.
    pub paused_until: Option<DateTime<Utc>>,
    /// The result, for people.
    pub result: String,
}

/// The state of a webhook's queue.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueueState {
    /// Notices that wait.
    pub waiting: usize,
    /// The time of the oldest of them.
    pub oldest: Option<DateTime<Utc>>,
    /// Dropped notices that are still stored.
    pub dropped: usize,
    /// Until when no notice is due, if the webhook pauses.
    pub paused_until: Option<DateTime<Utc>>,
    /// The time of the last attempt.
    pub attempted: Option<DateTime<Utc>>,
    /// The result of the last attempt.
    pub result: Option<String>,
}

impl ServiceStore {
    /// Adds notices to the queues of webhooks, which hold them until `expires`; returns how many did not fit, by webhook. Each takes
    /// a number even if it does not fit, and so do the missed notices.
    ///
    /// # Errors
    /// The service store cannot be written.
    pub async fn enqueue_notices(
        &self,
        batches: Vec<OutboxBatch>,
        expires: DateTime<Utc>,
    ) -> Result<Vec<(String, u64)>, StoreError> {
        self.write(Subject::Outbox, move |connection| {
            let mut dropped = Vec::new();
            for batch in batches {
                let count = enqueue(connection, &batch, expires)?;
                dropped.extend((count > 0).then_some((batch.webhook, count)));
            }
            Ok(dropped)
        })
        .await
    }

    /// The state of a webhook's queue, and its notices that are due.
    ///
    /// # Errors
    /// The service store cannot be read.
    pub async fn due_notices(&self, query: DueQuery) -> Result<(QueueState, Vec<OutboxEntry>), StoreError> {
        self.read(move |connection| {
            let state = queue_state(connection, &query.webhook)?;
            let latest = query.now + query.pause_max;
            let pauses = state.paused_until.is_some_and(|until| until > query.now && until <= latest);
            let due = if pauses { Vec::new() } else { due(connection, &query, latest)? };
            Ok((state, due))
        })
        .await
    }

    /// The state of a webhook's queue; the default one if the webhook never had a notice.
    ///
    /// # Errors
    /// The service store cannot be read.
    pub async fn queue_state(&self, webhook: String) -> Result<QueueState, StoreError> {
        self.read(move |connection| queue_state(connection, &webhook)).await
    }

    /// Removes a notice that its receiver accepted.
    ///
    /// # Errors
    /// The service store cannot be written.
    pub async fn record_accepted(
        &self,
        webhook: String,
        number: u64,
        at: DateTime<Utc>,
        result: String,
    ) -> Result<(), StoreError> {
        self.write(Subject::Outbox, move |connection| {
            let sql = "DELETE FROM webhook_notices WHERE webhook = ?1 AND number = ?2";
            connection.execute(sql, &values![&webhook, number])?;
            record_result(connection, &webhook, at, &result)
        })
        .await
    }

    /// Records a failed attempt, and when the next one is due.
    ///
    /// # Errors
    /// The service store cannot be written.
    pub async fn record_failed(&self, failed: FailedAttempt) -> Result<(), StoreError> {
        self.write(Subject::Outbox, move |connection| {
            let FailedAttempt { webhook, number, at, next, paused_until, result } = failed;
            let sql = "UPDATE webhook_notices SET attempts = attempts + 1, next_ms = ?3
                       WHERE webhook = ?1 AND number = ?2";
            connection.execute(sql, &values![&webhook, number, next])?;
            if let Some(until) = paused_until {
                let sql = "UPDATE webhook_queues SET paused_until_ms = ?2 WHERE webhook = ?1";
                connection.execute(sql, &values![&webhook, until])?;
            }
            record_result(connection, &webhook, at, &result)
        })
        .await
    }

    /// Ends the pauses of a webhook and of its notices: every waiting notice is due.
    ///
    /// # Errors
    /// The service store cannot be written.
    pub async fn resume_queue(&self, webhook: String) -> Result<(), StoreError> {
        self.write(Subject::Outbox, move |connection| {
            resume(connection, &webhook)?;
            let sql = "UPDATE webhook_notices SET next_ms = 0 WHERE webhook = ?1 AND dropped_ms IS NULL";
            connection.execute(sql, &values![webhook])?;
            Ok(())
        })
        .await
    }

    /// Makes every stored notice of the webhook due that was dropped or had a failed attempt, if its event was at `since` or later,
    /// and holds it until `expires`; returns how many there were. Ends the webhook's pause.
    ///
    /// # Errors
    /// The service store cannot be written.
    pub async fn requeue_notices(
        &self,
        webhook: String,
        since: Option<DateTime<Utc>>,
        expires: DateTime<Utc>,
    ) -> Result<usize, StoreError> {
        self.write(Subject::Outbox, move |connection| {
            resume(connection, &webhook)?;
            let sql =
                "UPDATE webhook_notices SET dropped_ms = NULL, attempts = 0, next_ms = 0, expires_ms = ?3
                       WHERE webhook = ?1 AND at_ms >= ?2 AND (dropped_ms IS NOT NULL OR attempts > 0)";
            let since = since.map_or(i64::MIN, |since| since.timestamp_millis());
            connection.execute(sql, &values![webhook, since, expires])
        })
        .await
    }

    /// Drops the waiting notices that have expired, and deletes those that were dropped [`DROPPED_KEPT`] ago; returns how many were
    /// dropped now, by webhook.
    ///
    /// # Errors
    /// The service store cannot be written.
    pub async fn expire_notices(&self, now: DateTime<Utc>) -> Result<Vec<(String, u64)>, StoreError> {
        self.write(Subject::Outbox, move |connection| {
            let old = values![now - DROPPED_KEPT];
            connection.execute("DELETE FROM webhook_notices WHERE dropped_ms <= ?1", &old)?;
            let sql = "UPDATE webhook_notices SET dropped_ms = ?1
                       WHERE dropped_ms IS NULL AND expires_ms <= ?1 RETURNING webhook";
            let mut dropped = BTreeMap::<String, u64>::new();
            for row in connection.query(sql, &values![now])? {
                *dropped.entry(row.get(0)?).or_default() += 1;
            }
            Ok(dropped.into_iter().collect())
        })
        .await
    }

    /// Deletes the queues of webhooks other than these that hold no notice. Such a webhook would begin at number 1 again.
    ///
    /// # Errors
    /// The service store cannot be written.
    pub async fn forget_queues(&self, configured: Vec<String>) -> Result<(), StoreError> {
        self.write(Subject::Outbox, move |connection| {
            let sql = "SELECT webhook FROM webhook_queues WHERE NOT EXISTS
                       (SELECT 1 FROM webhook_notices WHERE webhook_notices.webhook = webhook_queues.webhook)";
            let empty = connection.query(sql, &[])?;
            let empty: Vec<String> = empty.iter().map(|row| row.get(0)).collect::<Result<_, _>>()?;
            let forgotten = empty.into_iter().filter(|webhook| !configured.contains(webhook));
            let forgotten: Vec<_> = forgotten.map(|webhook| values![webhook]).collect();
            connection.execute_all("DELETE FROM webhook_queues WHERE webhook = ?1", &forgotten)
        })
        .await
    }
}

/// Adds one batch; returns how many notices did not fit.
fn enqueue(
    connection: &dyn SqlConnection,
    batch: &OutboxBatch,
    expires: DateTime<Utc>,
) -> Result<u64, StoreError> {
    let webhook = &batch.webhook;
    let mut number = last(connection, webhook)?.saturating_add(batch.missed);
    let (mut usage, mut rows) = (Usage::read(connection, webhook)?, Vec::new());
    for OutboxNotice { id, kind, at, body } in &batch.notices {
        number += 1;
        if usage.make_room(connection, webhook, body.len())? {
            rows.push(values![webhook, number, id.to_string(), kind, *at, expires, body.len(), body]);
        }
    }
    let sql = "INSERT INTO webhook_notices (webhook, number, id, kind, at_ms, expires_ms, bytes, body)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    connection.execute_all(sql, &rows)?;
    let sql = "INSERT INTO webhook_queues (webhook, last) VALUES (?1, ?2)
               ON CONFLICT (webhook) DO UPDATE SET last = excluded.last";
    connection.execute(sql, &values![webhook, number])?;
    Ok((batch.notices.len() - rows.len()) as u64)
}

fn last(connection: &dyn SqlConnection, webhook: &str) -> Result<u64, StoreError> {
    let sql = "SELECT last FROM webhook_queues WHERE webhook = ?1";
    connection.query_first(sql, &values![webhook])?.map_or(Ok(0), |row| row.get(0))
}

/// The stored notices of a webhook, dropped ones included, and the bytes of their bodies.
struct Usage {
    count: usize,
    bytes: usize,
}

impl Usage {
    fn read(connection: &dyn SqlConnection, webhook: &str) -> Result<Self, StoreError> {
        let sql = "SELECT count(*), CAST(coalesce(sum(bytes), 0) AS BIGINT) FROM webhook_notices WHERE webhook = ?1";
        let row = connection.query_first(sql, &values![webhook])?;
        row.map_or(Ok(Self { count: 0, bytes: 0 }), |row| Ok(Self { count: row.get(0)?, bytes: row.get(1)? }))
    }

    fn fits(&self, bytes: usize) -> bool {
        self.count < OUTBOX_NOTICES_MAX && self.bytes.saturating_add(bytes) <= OUTBOX_BYTES_MAX
    }

    /// Counts a notice of this many bytes if it fits; the oldest dropped notices are deleted for it.
    fn make_room(
        &mut self,
        connection: &dyn SqlConnection,
        webhook: &str,
        bytes: usize,
    ) -> Result<bool, StoreError> {
        while !self.fits(bytes) {
            let sql = "DELETE FROM webhook_notices WHERE webhook = ?1 AND number = (
                           SELECT number FROM webhook_notices WHERE webhook = ?1 AND dropped_ms IS NOT NULL
                           ORDER BY dropped_ms, number LIMIT 1)
                       RETURNING bytes";
            let Some(freed) = connection.query_first(sql, &values![webhook])? else { return Ok(false) };
            self.count = self.count.saturating_sub(1);
            self.bytes = self.bytes.saturating_sub(freed.get(0)?);
        }
        self.count += 1;
        self.bytes += bytes;
        Ok(true)
    }
}

fn queue_state(connection: &dyn SqlConnection, webhook: &str) -> Result<QueueState, StoreError> {
    let sql =
        "SELECT count(*) FILTER (WHERE dropped_ms IS NULL), min(at_ms) FILTER (WHERE dropped_ms IS NULL),
                      count(dropped_ms)
               FROM webhook_notices WHERE webhook = ?1";
    let mut state = QueueState::default();
    if let Some(row) = connection.query_first(sql, &values![webhook])? {
        (state.waiting, state.oldest, state.dropped) = (row.get(0)?, row.get(1)?, row.get(2)?);
    }
    let sql = "SELECT paused_until_ms, attempted_ms, result FROM webhook_queues WHERE webhook = ?1";
    if let Some(row) = connection.query_first(sql, &values![webhook])? {
        (state.paused_until, state.attempted, state.result) = (row.get(0)?, row.get(1)?, row.get(2)?);
    }
    Ok(state)
}

/// The first notices that are due.
fn due(
    connection: &dyn SqlConnection,
    query: &DueQuery,
    latest: DateTime<Utc>,
) -> Result<Vec<OutboxEntry>, StoreError> {
    let order = match query.order {
        SendOrder::Number => "number",
        SendOrder::Attempts => "attempts, number",
    };
    let sql = format!(
        "SELECT number, attempts, id, kind, at_ms, body FROM webhook_notices
         WHERE webhook = ?1 AND dropped_ms IS NULL AND (next_ms <= ?2 OR next_ms > ?3) ORDER BY {order} LIMIT ?4"
    );
    let values = values![&query.webhook, query.now, latest, query.max];
    connection.query(&sql, &values)?.iter().map(entry).collect()
}

fn entry(row: &SqlRow) -> Result<OutboxEntry, StoreError> {
    let id: String = row.get(2)?;
    let id = id.parse().map_err(|_| StoreError::Damaged(format!("`{id}` is not a notice id")))?;
    let notice = OutboxNotice { id, kind: row.get(3)?, at: row.get(4)?, body: row.get(5)? };
    Ok(OutboxEntry { number: row.get(0)?, attempts: row.get(1)?, notice })
}

fn record_result(
    connection: &dyn SqlConnection,
    webhook: &str,
    at: DateTime<Utc>,
    result: &str,
) -> Result<(), StoreError> {
    let sql = "UPDATE webhook_queues SET attempted_ms = ?2, result = ?3 WHERE webhook = ?1";
    connection.execute(sql, &values![webhook, at, result])?;
    Ok(())
}

/// Ends the pause of a webhook.
fn resume(connection: &dyn SqlConnection, webhook: &str) -> Result<(), StoreError> {
    let sql = "UPDATE webhook_queues SET paused_until_ms = NULL WHERE webhook = ?1";
    connection.execute(sql, &values![webhook])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::service_schema::{OUTBOX, WEBHOOK_QUEUES};
    use super::*;

    const HOOK: &str = "facility";

    fn noon() -> DateTime<Utc> {
        "2026-11-30T12:00:00Z".parse().unwrap()
    }

    fn notice(id: u128, body: &str) -> OutboxNotice {
        let (kind, body) = ("check-in".to_owned(), body.to_owned());
        OutboxNotice { id: Uuid::from_u128(id), kind, at: noon(), body }
    }

    async fn add(store: &ServiceStore, notices: Vec<OutboxNotice>) -> Vec<(String, u64)> {
        let batch = OutboxBatch { webhook: HOOK.to_owned(), missed: 0, notices };
        store.enqueue_notices(vec![batch], noon() + TimeDelta::days(1)).await.unwrap()
    }

    fn query(now: DateTime<Utc>, order: SendOrder) -> DueQuery {
        let pause_max = TimeDelta::minutes(10);
        DueQuery { webhook: HOOK.to_owned(), now, pause_max, order, max: 10 }
    }

    async fn due_numbers(store: &ServiceStore, now: DateTime<Utc>, order: SendOrder) -> Vec<u64> {
        let (_, due) = store.due_notices(query(now, order)).await.unwrap();
        due.iter().map(|entry| entry.number).collect()
    }

    fn failed(number: u64, next: TimeDelta, pause: Option<TimeDelta>) -> FailedAttempt {
        FailedAttempt {
            webhook: HOOK.to_owned(),
            number,
            at: noon(),
            next: noon() + next,
            paused_until: pause.map(|pause| noon() + pause),
            result: "HTTP 503".to_owned(),
        }
    }

    #[tokio::test]
    async fn a_failed_notice_is_due_later_and_a_pause_holds_up_all() {
        let store = ServiceStore::in_memory().unwrap();
        add(&store, vec![notice(1, "{}"), notice(2, "{}"), notice(3, "{}")]).await;
        let second = TimeDelta::seconds(1);
        store.record_failed(failed(1, second, None)).await.unwrap();
        assert_eq!(due_numbers(&store, noon(), SendOrder::Number).await, [2, 3]);
        let later = noon() + second;
        assert_eq!(due_numbers(&store, later, SendOrder::Number).await, [1, 2, 3]);
        assert_eq!(due_numbers(&store, later, SendOrder::Attempts).await, [2, 3, 1]);
        store.record_failed(failed(2, second * 2, Some(second * 5))).await.unwrap();
        assert_eq!(due_numbers(&store, noon() + second * 4, SendOrder::Number).await, [0; 0]);
        assert_eq!(due_numbers(&store, noon() + second * 5, SendOrder::Number).await, [1, 2, 3]);
        let yesterday = noon() - TimeDelta::days(1);
        assert_eq!(
            due_numbers(&store, yesterday, SendOrder::Number).await,
            [1, 2, 3],
            "the clock was set back"
        );
        store.record_accepted(HOOK.to_owned(), 1, later, "HTTP 204".to_owned()).await.unwrap();
        let state = store.queue_state(HOOK.to_owned()).await.unwrap();
        assert_eq!((state.waiting, state.oldest), (2, Some(noon())));
        assert_eq!((state.attempted, state.result.as_deref()), (Some(later), Some("HTTP 204")));
        store.resume_queue(HOOK.to_owned()).await.unwrap();
        assert_eq!(due_numbers(&store, noon(), SendOrder::Number).await, [2, 3]);
    }

    #[tokio::test]
    async fn a_queue_that_is_full_leaves_a_gap_in_its_numbers_and_other_queues_alone() {
        let store = ServiceStore::in_memory().unwrap();
        let half = "x".repeat(OUTBOX_BYTES_MAX / 2);
        let dropped = add(&store, vec![notice(1, &half), notice(2, &half), notice(3, "{}")]).await;
        assert_eq!(dropped, [(HOOK.to_owned(), 1)]);
        let other = OutboxBatch { webhook: "other".to_owned(), missed: 2, notices: vec![notice(3, "{}")] };
        let expires = noon() + TimeDelta::days(2);
        assert_eq!(store.enqueue_notices(vec![other], expires).await.unwrap(), []);
        let of_other = DueQuery { webhook: "other".to_owned(), ..query(noon(), SendOrder::Number) };
        assert_eq!(store.due_notices(of_other).await.unwrap().1[0].number, 3, "two were missed");

        // A dropped notice makes room for a new one.
        let late = noon() + TimeDelta::days(1);
        assert_eq!(store.expire_notices(late).await.unwrap(), [(HOOK.to_owned(), 2)]);
        assert_eq!(add(&store, vec![notice(4, "{}")]).await, []);
        assert_eq!(due_numbers(&store, late, SendOrder::Number).await, [4]);
        assert_eq!(store.queue_state(HOOK.to_owned()).await.unwrap().dropped, 1, "the oldest went");
    }

    #[tokio::test]
    async fn a_dropped_notice_is_kept_for_a_day_and_can_be_queued_again() {
        let store = ServiceStore::in_memory().unwrap();
        add(&store, vec![notice(1, "{}"), notice(2, "{}")]).await;
        store.record_failed(failed(1, TimeDelta::minutes(10), Some(TimeDelta::minutes(10)))).await.unwrap();
        let (name, late) = (HOOK.to_owned(), noon() + TimeDelta::days(1));
        let requeue = async |since| {
            store.requeue_notices(name.clone(), since, late + TimeDelta::days(1)).await.unwrap()
        };
        assert_eq!(requeue(None).await, 1, "the failed one, at once");
        assert_eq!(due_numbers(&store, noon(), SendOrder::Number).await, [1, 2]);
        assert_eq!(store.expire_notices(late).await.unwrap(), [(name.clone(), 1)], "the other had longer");
        assert_eq!(requeue(Some(noon() + TimeDelta::seconds(1))).await, 0, "it is older");
        assert_eq!(requeue(Some(noon())).await, 1);
        assert_eq!(due_numbers(&store, late, SendOrder::Number).await, [1, 2]);
        let end = late + TimeDelta::days(1);
        assert_eq!(store.expire_notices(end).await.unwrap(), [(name.clone(), 2)]);
        assert_eq!(store.expire_notices(end + DROPPED_KEPT).await.unwrap(), [], "dropped once only");
        assert_eq!(requeue(None).await, 0, "deleted");
        store.forget_queues(vec![name.clone()]).await.unwrap();
        add(&store, vec![notice(3, "{}")]).await;
        assert_eq!(due_numbers(&store, end, SendOrder::Number).await, [3], "numbers go on");
        store.record_accepted(name.clone(), 3, end, "HTTP 200".to_owned()).await.unwrap();
        store.forget_queues(Vec::new()).await.unwrap();
        assert_eq!(store.queue_state(name).await.unwrap(), QueueState::default());
    }

    /// The one webhook of the former outbox had the hash of its URL as its name.
    #[test]
    fn the_former_outbox_becomes_the_queue_of_the_webhook_default() {
        let connection = rusqlite::Connection::open_in_memory().unwrap();
        connection.execute_batch(OUTBOX).unwrap();
        connection
            .execute_batch(
                "INSERT INTO webhooks VALUES ('0a1b', 17), ('0c2d', 3);
                 INSERT INTO outbox VALUES ('0a1b', 17, '00000000-0000-0000-0000-000000000001', 'sweep', 5, '{}');
                 INSERT INTO outbox VALUES ('0c2d', 3, '00000000-0000-0000-0000-000000000002', 'sweep', 5, '{}');",
            )
            .unwrap();
        connection.execute_batch(WEBHOOK_QUEUES).unwrap();
        let all = DueQuery { webhook: "default".to_owned(), ..query(noon(), SendOrder::Number) };
        let due = due(&connection, &all, noon()).unwrap();
        assert_eq!((due.len(), due[0].number, due[0].notice.id), (1, 17, Uuid::from_u128(1)));
        assert_eq!(last(&connection, "default").unwrap(), 17);
    }
}
