//! Decides which entries of the database an archive may take: the beginnings of chains, up to a position at which every action is over. Never
//! changes anything.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::archived_chains::ArchivedChains;
use super::connection::Connection;
use super::database::{SETUP_LIMIT, VERIFY_LIMIT};
use super::error::PostgresError;
use super::schema::{column, first};
use crate::journal::{Chain, JournalError, RECHECK_SPARED};
use crate::store::prune::{ArchiveCutoff, EntryTime};

/// After this time no fact follows the end of an action: the second look at a mailbox that cannot be read is postponed for as long as an action
/// may stay open (`journal.give_up_after_s`, 30 days at most). Actions whose last fact is younger stay, however long they were open.
const LATE_SPARED: TimeDelta = RECHECK_SPARED;

/// The beginning of a chain that may leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ChainCut {
    pub(super) writer: i32,
    /// The end of the beginning that was archived before.
    pub(super) after: Chain,
    /// The last entry.
    pub(super) last: u64,
}

/// What may leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ArchiveCut {
    pub(super) chains: Vec<ChainCut>,
    /// The first action that keeps later entries here.
    pub(super) blocked_by: Option<String>,
}

/// Finds the entries that may leave, in one snapshot: an entry that another process appends meanwhile stays.
pub(super) async fn find(
    connection: &Connection,
    limits: &ArchiveCutoff,
) -> Result<ArchiveCut, JournalError> {
    connection.batch("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY", SETUP_LIMIT).await?;
    let found = find_in_snapshot(connection, limits).await;
    let ended = connection.batch("COMMIT", SETUP_LIMIT).await;
    let found = found?;
    ended?;
    Ok(found)
}

async fn find_in_snapshot(
    connection: &Connection,
    limits: &ArchiveCutoff,
) -> Result<ArchiveCut, JournalError> {
    let late = limits.now.checked_sub_signed(LATE_SPARED).unwrap_or(DateTime::<Utc>::MIN_UTC);
    let before = limits.before.min(late);
    let by_time = first_action_at(connection, before).await?;
    let blocking = blocking_action(connection, limits).await?;
    let action_end = blocking.as_ref().map_or(by_time, |(accepted, _)| by_time.min(*accepted));
    let end = action_end.min(last_entry_of_writers(connection).await?);
    let end = first_event_at(connection, before, end).await?;
    let end = first_entry_since(connection, late, end).await?;
    let end = between_actions(connection, end).await?;
    let chains = chains_before(connection, end).await?;
    let blocked_by =
        blocking.filter(|(accepted, _)| *accepted < by_time).map(|(_, action)| action.to_string());
    Ok(ArchiveCut { chains, blocked_by })
}

/// The position of the first action that was accepted at this time or later. An action belongs to the year in which it was accepted.
async fn first_action_at(connection: &Connection, at: DateTime<Utc>) -> Result<i64, PostgresError> {
    let sql = "SELECT min(accepted) FROM actions WHERE accepted_ms >= $1";
    let rows = connection.query(sql, &[&at.timestamp_millis()], VERIFY_LIMIT).await?;
    Ok(column::<Option<i64>>(first(&rows)?, 0)?.unwrap_or(i64::MAX))
}

/// The first action that is open, possibly settled later, or repeatable under a valid key; and its position.
async fn blocking_action(
    connection: &Connection,
    limits: &ArchiveCutoff,
) -> Result<Option<(i64, Uuid)>, PostgresError> {
    let sql = "SELECT accepted, action FROM actions WHERE status = 'open'
                   OR (status = 'needs-attention' AND accepted_ms > $1) OR (key IS NOT NULL AND accepted_ms > $2)
               ORDER BY accepted LIMIT 1";
    let since = |span| limits.now.checked_sub_signed(span).map_or(i64::MIN, |at| at.timestamp_millis());
    let (recheck, key) = (since(RECHECK_SPARED), since(limits.key_ttl));
    let rows = connection.query(sql, &[&recheck, &key], VERIFY_LIMIT).await?;
    rows.first().map(|row| Ok((column(row, 0)?, column(row, 1)?))).transpose()
}

/// The position of the first entry that ends the chain of a process which may still write: the process compares it after a reconnect.
async fn last_entry_of_writers(connection: &Connection) -> Result<i64, PostgresError> {
    let sql = "SELECT min(e.position) FROM writers AS w
               JOIN entries AS e ON e.writer = w.writer AND e.number = w.length WHERE w.sealed_at IS NULL";
    let rows = connection.query(sql, &[], VERIFY_LIMIT).await?;
    Ok(column::<Option<i64>>(first(&rows)?, 0)?.unwrap_or(i64::MAX))
}

/// The position of the first admin event at this time or later, if it is before `end`; else `end`.
async fn first_event_at(connection: &Connection, at: DateTime<Utc>, end: i64) -> Result<i64, JournalError> {
    let sql = "SELECT position, body FROM entries WHERE action IS NULL AND position > $1 AND position < $2
               ORDER BY position LIMIT 1000";
    let mut after = i64::MIN;
    loop {
        let rows = connection.query(sql, &[&after, &end], VERIFY_LIMIT).await?;
        for row in &rows {
            after = column(row, 0)?;
            let dated: EntryTime = serde_json::from_str(column(row, 1)?)
                .map_err(|error| JournalError::Damaged(format!("an admin event: {error}")))?;
            if dated.at >= at {
                return Ok(after);
            }
        }
        if rows.is_empty() {
            return Ok(end);
        }
    }
}

/// The position of the first entry that is younger than [`LATE_SPARED`], if it is before `end`; else `end`. Only a process that lived
/// since then can have written one; its entries are read from the last one back.
async fn first_entry_since(
    connection: &Connection,
    since: DateTime<Utc>,
    mut end: i64,
) -> Result<i64, JournalError> {
    let sql = "SELECT writer FROM writers WHERE until > clock_timestamp() - make_interval(days => $1)";
    // One day more, for clocks that differ.
    let days = i32::try_from(LATE_SPARED.num_days()).unwrap_or(i32::MAX).saturating_add(1);
    for writer in connection.query(sql, &[&days], VERIFY_LIMIT).await? {
        let (writer, mut before): (i32, i64) = (column(&writer, 0)?, i64::MAX);
        while let Some(number) = read_back(connection, writer, before, since, &mut end).await? {
            before = number;
        }
    }
    Ok(end)
}

/// Reads the entries of a chain before this number, one page at most. Returns the number at which to go on; `None` after an older entry.
async fn read_back(
    connection: &Connection,
    writer: i32,
    before: i64,
    since: DateTime<Utc>,
    end: &mut i64,
) -> Result<Option<i64>, JournalError> {
    let sql = "SELECT number, position, body FROM entries WHERE writer = $1 AND number < $2
               ORDER BY number DESC LIMIT 500";
    let rows = connection.query(sql, &[&writer, &before], VERIFY_LIMIT).await?;
    for row in &rows {
        let (number, position): (i64, i64) = (column(row, 0)?, column(row, 1)?);
        let dated: EntryTime = serde_json::from_str(column(row, 2)?)
            .map_err(|error| JournalError::Damaged(format!("entry {number} of writer {writer}: {error}")))?;
        if dated.at < since {
            return Ok(None);
        }
        *end = position.min(*end);
    }
    Ok(rows.last().map(|row| column(row, 0)).transpose()?)
}

/// The last position up to `end` at which no action is in progress, so that no action has entries on both sides.
async fn between_actions(connection: &Connection, end: i64) -> Result<i64, PostgresError> {
    let sql = "
        WITH spans AS (
            SELECT a.accepted, max(e.position) AS last FROM actions AS a JOIN entries AS e ON e.action = a.action
            WHERE a.accepted < $1 GROUP BY a.action, a.accepted),
        gaps AS (
            SELECT accepted AS gap,
                max(last) OVER (ORDER BY accepted ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS last_before
            FROM spans
            UNION ALL SELECT $1, (SELECT max(last) FROM spans))
        SELECT max(gap) FROM gaps WHERE last_before IS NULL OR last_before < gap";
    let rows = connection.query(sql, &[&end], VERIFY_LIMIT).await?;
    Ok(column::<Option<i64>>(first(&rows)?, 0)?.unwrap_or(i64::MIN))
}

/// The entries of each chain before this position that are still here.
async fn chains_before(connection: &Connection, end: i64) -> Result<Vec<ChainCut>, PostgresError> {
    let archived = ArchivedChains::read(connection).await?;
    let sql = "SELECT w.writer, coalesce(stays.first - 1, w.length) FROM writers AS w
               LEFT JOIN (SELECT writer, min(number) AS first FROM entries WHERE position >= $1 GROUP BY writer)
                   AS stays ON stays.writer = w.writer
               ORDER BY w.writer";
    let rows = connection.query(sql, &[&end], VERIFY_LIMIT).await?;
    let cuts = rows.iter().map(|row| {
        let (writer, last) = (column(row, 0)?, column::<i64>(row, 1)?.max(0).unsigned_abs());
        Ok(ChainCut { writer, after: archived.end(writer), last })
    });
    let cuts = cuts.collect::<Result<Vec<_>, PostgresError>>()?;
    Ok(cuts.into_iter().filter(|cut| cut.last > cut.after.length).collect())
}
