//! Decides which entries an archive may take, and removes them. Entries leave only from the beginning, and only when all actions
//! before the cut are over. Never removes an entry that no archive file holds.

use chrono::{DateTime, TimeDelta, Utc};
use rusqlite::{Connection, Transaction};
use serde::Deserialize;

use super::error::journal_error;
use super::writer;
use crate::journal::{JournalError, RECHECK_SPARED};

/// Actions removed in one transaction.
const BATCH: usize = 500;

/// The conditions for the end of an archive.
#[derive(Debug, Clone, Copy)]
pub(super) struct ArchiveCutoff {
    /// Entries at or after this instant stay.
    pub(super) before: DateTime<Utc>,
    /// The current time.
    pub(super) now: DateTime<Utc>,
    /// How long an idempotency key is valid.
    pub(super) key_ttl: TimeDelta,
}

/// The time of any entry.
#[derive(Deserialize)]
pub(super) struct EntryTime {
    pub(super) at: DateTime<Utc>,
}

/// The last entry that may leave, among those from `first` on; below `first` when none may. Also the action that keeps it from
/// being a later entry.
pub(super) fn last_archivable(
    connection: &Connection,
    first: u64,
    limits: &ArchiveCutoff,
) -> Result<(u64, Option<String>), JournalError> {
    let first = i64::try_from(first).unwrap_or(i64::MAX);
    let mut last = last_before(connection, first, limits.before)?;
    let mut blocking = None;
    while let Some((accepted, action)) = blocked_by(connection, first, last, limits).map_err(journal_error)? {
        last = accepted - 1;
        blocking = Some(action);
    }
    Ok((last.max(0).unsigned_abs(), blocking))
}

/// The number of the last entry before this instant.
fn last_before(connection: &Connection, first: i64, before: DateTime<Utc>) -> Result<i64, JournalError> {
    let sql = "SELECT number, body FROM entries WHERE number >= ?1 ORDER BY number";
    let mut statement = connection.prepare(sql).map_err(journal_error)?;
    let mut rows = statement.query([first]).map_err(journal_error)?;
    let mut last = first - 1;
    while let Some(row) = rows.next().map_err(journal_error)? {
        let number: i64 = row.get(0).map_err(journal_error)?;
        let body: String = row.get(1).map_err(journal_error)?;
        let dated: EntryTime = serde_json::from_str(&body)
            .map_err(|error| JournalError::Damaged(format!("entry {number}: {error}")))?;
        if dated.at >= before {
            break;
        }
        last = number;
    }
    Ok(last)
}

/// The first action accepted up to `last` that is not over there: open, possibly settled later, repeatable under a valid key,
/// or with entries beyond `last`.
fn blocked_by(
    connection: &Connection,
    first: i64,
    last: i64,
    limits: &ArchiveCutoff,
) -> rusqlite::Result<Option<(i64, String)>> {
    let sql = "SELECT accepted, action FROM lives AS l WHERE accepted BETWEEN ?1 AND ?2 AND (
            ending = 'open'
            OR (ending = 'needs-attention' AND accepted_ms > ?3)
            OR (key IS NOT NULL AND accepted_ms > ?4)
            OR EXISTS (SELECT 1 FROM entries AS e WHERE e.action = l.action AND e.number > ?2)
        ) ORDER BY accepted LIMIT 1";
    let before = |span| limits.now.checked_sub_signed(span).map_or(i64::MIN, |at| at.timestamp_millis());
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query((first, last, before(RECHECK_SPARED), before(limits.key_ttl)))?;
    rows.next()?.map(|row| Ok((row.get(0)?, row.get(1)?))).transpose()
}

/// Removes entries up to `last`, action by action, so that a crash in between leaves whole actions.
pub(super) fn prune(connection: &mut Connection, last: u64) -> Result<(), JournalError> {
    let last = i64::try_from(last).unwrap_or(i64::MAX);
    loop {
        let transaction = writer::begin_immediate(connection).map_err(journal_error)?;
        let removed = remove_some(&transaction, last).map_err(journal_error)?;
        transaction.commit().map_err(journal_error)?;
        if removed == 0 {
            break;
        }
    }
    let transaction = writer::begin_immediate(connection).map_err(journal_error)?;
    remove_admin_events(&transaction, last).map_err(journal_error)?;
    transaction.commit().map_err(journal_error)
}

fn remove_some(transaction: &Transaction<'_>, last: i64) -> rusqlite::Result<usize> {
    let sql = "SELECT action FROM lives WHERE accepted <= ?1 ORDER BY accepted LIMIT ?2";
    let mut statement = transaction.prepare_cached(sql)?;
    let batch = i64::try_from(BATCH).unwrap_or(i64::MAX);
    let rows = statement.query_map((last, batch), |row| row.get(0))?;
    let actions: Vec<String> = rows.collect::<Result<_, _>>()?;
    for action in &actions {
        let values = "DELETE FROM personal WHERE entry IN (SELECT number FROM entries WHERE action = ?1)";
        transaction.prepare_cached(values)?.execute([action])?;
        transaction.prepare_cached("DELETE FROM entries WHERE action = ?1")?.execute([action])?;
        transaction.prepare_cached("DELETE FROM lives WHERE action = ?1")?.execute([action])?;
    }
    Ok(actions.len())
}

fn remove_admin_events(transaction: &Transaction<'_>, last: i64) -> rusqlite::Result<()> {
    let values = "DELETE FROM personal WHERE entry IN
                  (SELECT number FROM entries WHERE action = '' AND number <= ?1)";
    transaction.execute(values, [last])?;
    transaction.execute("DELETE FROM entries WHERE action = '' AND number <= ?1", [last])?;
    Ok(())
}
