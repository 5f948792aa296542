//! The outbox of the service store: notices that a webhook has not accepted yet. Each webhook has its own sequence number that never
//! decreases; a receiver that sees a gap knows that a notice was lost. Never sends anything.

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension as _, Transaction};
use uuid::Uuid;

use super::error::StoreError;
use super::presence::parse_time;
use super::service_store::ServiceStore;

/// Waiting notices of all webhooks: an hour without the receiver at the largest site.
pub const OUTBOX_NOTICES_MAX: usize = 10_000;
/// Bytes of all waiting bodies.
pub const OUTBOX_BYTES_MAX: usize = 16 << 20;

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

/// A notice in the outbox, with its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxEntry {
    /// One more than the previous notice of this webhook.
    pub number: u64,
    /// The notice.
    pub notice: OutboxNotice,
}

impl ServiceStore {
    /// Adds notices to the outbox of a webhook; returns how many did not fit. Each takes a number even if it does not fit, and so do the
    /// `missed` notices before them.
    ///
    /// # Errors
    /// The service store cannot be written.
    pub async fn enqueue_notices(
        &self,
        webhook: String,
        missed: u64,
        notices: Vec<OutboxNotice>,
    ) -> Result<u64, StoreError> {
        self.with_connection(move |connection| {
            let transaction = connection.transaction()?;
            let last = last(&transaction, &webhook)?;
            let (mut number, mut dropped) = (last.saturating_add(signed(missed)), 0);
            let (mut count, mut bytes) = waiting(&transaction)?;
            for notice in notices {
                if is_queued(&transaction, &webhook, notice.id)? {
                    continue;
                }
                number += 1;
                if count >= OUTBOX_NOTICES_MAX || bytes + notice.body.len() > OUTBOX_BYTES_MAX {
                    dropped += 1;
                    continue;
                }
                (count, bytes) = (count + 1, bytes + notice.body.len());
                insert(&transaction, &webhook, number, &notice)?;
            }
            let sql = "INSERT INTO webhooks VALUES (?1, ?2) ON CONFLICT (webhook) DO UPDATE SET last = ?2";
            transaction.prepare_cached(sql)?.execute((&webhook, number))?;
            transaction.commit()?;
            Ok(dropped)
        })
        .await
    }

    /// The first waiting notices of this webhook after this number.
    ///
    /// # Errors
    /// The service store cannot be read.
    pub async fn outbox_entries(
        &self,
        webhook: String,
        after: u64,
        max: usize,
    ) -> Result<Vec<OutboxEntry>, StoreError> {
        self.with_connection(move |connection| {
            let sql = "SELECT number, id, kind, at_ms, body FROM outbox WHERE webhook = ?1 AND number > ?2
                       ORDER BY number LIMIT ?3";
            let mut statement = connection.prepare_cached(sql)?;
            let mut rows = statement.query((webhook, signed(after), signed(max as u64)))?;
            let mut entries = Vec::new();
            while let Some(row) = rows.next()? {
                let id: String = row.get(1)?;
                let id = id.parse().map_err(|_| StoreError::Damaged(format!("`{id}` is not a notice id")))?;
                let (kind, at, body) = (row.get(2)?, parse_time(row.get(3)?)?, row.get(4)?);
                let number = row.get::<_, i64>(0)?.unsigned_abs();
                entries.push(OutboxEntry { number, notice: OutboxNotice { id, kind, at, body } });
            }
            Ok(entries)
        })
        .await
    }

    /// Removes a notice from the outbox.
    ///
    /// # Errors
    /// The service store cannot be written.
    pub async fn remove_outbox_entry(&self, webhook: String, number: u64) -> Result<(), StoreError> {
        self.with_connection(move |connection| {
            let sql = "DELETE FROM outbox WHERE webhook = ?1 AND number = ?2";
            connection.prepare_cached(sql)?.execute((webhook, signed(number)))?;
            Ok(())
        })
        .await
    }

    /// Removes the notices of all other webhooks; returns how many there were.
    ///
    /// # Errors
    /// The service store cannot be written.
    pub async fn remove_other_webhooks(&self, webhook: String) -> Result<usize, StoreError> {
        self.with_connection(move |connection| {
            let transaction = connection.transaction()?;
            let removed = transaction.execute("DELETE FROM outbox WHERE webhook != ?1", [&webhook])?;
            transaction.execute("DELETE FROM webhooks WHERE webhook != ?1", [&webhook])?;
            transaction.commit()?;
            Ok(removed)
        })
        .await
    }

    /// The number of waiting notices.
    ///
    /// # Errors
    /// The service store cannot be read.
    pub async fn count_outbox_entries(&self) -> Result<usize, StoreError> {
        self.with_connection(|connection| Ok(waiting(connection)?.0)).await
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn last(connection: &Connection, webhook: &str) -> Result<i64, StoreError> {
    let sql = "SELECT last FROM webhooks WHERE webhook = ?1";
    let last = connection.prepare_cached(sql)?.query_row([webhook], |row| row.get(0)).optional()?;
    Ok(last.unwrap_or_default())
}

/// The number of waiting notices, and the bytes of their bodies.
fn waiting(connection: &Connection) -> Result<(usize, usize), StoreError> {
    let sql = "SELECT count(*), coalesce(sum(length(CAST(body AS BLOB))), 0) FROM outbox";
    let (count, bytes): (i64, i64) =
        connection.prepare_cached(sql)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let size = |number: i64| usize::try_from(number).unwrap_or(usize::MAX);
    Ok((size(count), size(bytes)))
}

fn is_queued(connection: &Connection, webhook: &str, id: Uuid) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM outbox WHERE webhook = ?1 AND id = ?2";
    Ok(connection.prepare_cached(sql)?.exists((webhook, id.to_string()))?)
}

fn insert(
    transaction: &Transaction<'_>,
    webhook: &str,
    number: i64,
    OutboxNotice { id, kind, at, body }: &OutboxNotice,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO outbox VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let values = (webhook, number, id.to_string(), kind, at.timestamp_millis(), body);
    transaction.prepare_cached(sql)?.execute(values)?;
    Ok(())
}
