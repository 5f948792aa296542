//! Erases personal values from the table beside the chain. Each batch is one transaction that deletes values and records their
//! number; after a crash between two batches, the next erasure continues. Never changes an entry.

use std::collections::BTreeSet;
use std::time::Duration;

use rusqlite::{Connection, Transaction, named_params};

use super::connection::BUSY_TIMEOUT;
use super::error::journal_error;
use super::writer;
use crate::journal::{
    AdminEntry, AdminEvent, Chain, ERASED, ErasureRequest, ErasureResult, ErasureTarget, JournalEntry,
    JournalError, RECHECK_SPARED, Role,
};

/// Values in one transaction. Actions that wait for a commit meanwhile wait for milliseconds.
const BATCH: usize = 500;
/// The pointer of the one value that the index of actions repeats.
const ACTOR_NAME: &str = "/fact/action/actor/name";

/// SQL condition for actions whose values stay: open, possibly settled later, or repeatable under a valid key.
const SPARED: &str = "coalesce(l.ending = 'open'
    OR (l.ending = 'needs-attention' AND l.accepted_ms > :recheck)
    OR (l.key IS NOT NULL AND l.accepted_ms > :key), 0)";

/// Location of one personal value.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct ValueLocation {
    entry: i64,
    pointer: String,
    /// The action's id; empty for an admin event.
    action: String,
}

/// Erases one batch and records it; returns the number of values, zero when none are left.
pub(super) fn batch(connection: &mut Connection, erasure: &ErasureRequest) -> Result<u64, JournalError> {
    let mut chain = writer::chain_end(connection).map_err(journal_error)?;
    let transaction = writer::begin_immediate(connection).map_err(journal_error)?;
    let locations = locate_values(&transaction, erasure, BATCH).map_err(journal_error)?;
    let Some(through) = locations.iter().map(|location| location.entry.unsigned_abs()).max() else {
        return Ok(0);
    };
    for location in &locations {
        erase(&transaction, location).map_err(journal_error)?;
    }
    let values = locations.len() as u64;
    let event = AdminEvent::Erased { values, through };
    let entry = AdminEntry { at: erasure.now, by: erasure.by.clone(), event };
    record(&transaction, &mut chain, entry)?;
    transaction.commit().map_err(journal_error)?;
    Ok(values)
}

fn record(transaction: &Transaction<'_>, chain: &mut Chain, entry: AdminEntry) -> Result<(), JournalError> {
    writer::append(transaction, chain, &JournalEntry::Admin(entry)).map_err(journal_error)?.map(|_| ())
}

fn erase(transaction: &Transaction<'_>, location: &ValueLocation) -> rusqlite::Result<()> {
    let sql = "DELETE FROM personal WHERE entry = ?1 AND pointer = ?2";
    transaction.prepare_cached(sql)?.execute((location.entry, &location.pointer))?;
    if location.pointer == ACTOR_NAME {
        let sql = "UPDATE lives SET actor = ?1 WHERE action = ?2";
        transaction.prepare_cached(sql)?.execute((ERASED, &location.action))?;
    }
    Ok(())
}

/// The next values to erase; for a person, also the other values of the same action that have the same role.
fn locate_values(
    transaction: &Transaction<'_>,
    erasure: &ErasureRequest,
    max: usize,
) -> rusqlite::Result<BTreeSet<ValueLocation>> {
    let sql =
        format!("{} AND NOT {SPARED} LIMIT :max", matching_sql(erasure, "p.entry, p.pointer, e.action"));
    let found = select(transaction, &sql, erasure, max)?;
    if let ErasureTarget::Before(_) = erasure.target {
        return Ok(found);
    }
    let mut all = BTreeSet::new();
    for location in found {
        let role = Role::of(&location.pointer);
        let others =
            if location.action.is_empty() { Vec::new() } else { of_action(transaction, &location.action)? };
        all.extend(others.into_iter().filter(|other| Role::of(&other.pointer) == role));
        all.insert(location);
    }
    Ok(all)
}

/// Leaves out entries of this instant: the events that record the erasure are among them, and name the administrator.
fn matching_sql(erasure: &ErasureRequest, columns: &str) -> String {
    let (condition, order) = match erasure.target {
        ErasureTarget::Before(_) => ("p.at_ms < :wanted", "INDEXED BY personal_by_time"),
        ErasureTarget::Person(_) => ("p.value = :wanted COLLATE NOCASE", ""),
    };
    format!(
        "SELECT {columns} FROM personal AS p {order} JOIN entries AS e ON e.number = p.entry
         LEFT JOIN lives AS l ON l.action = e.action WHERE {condition} AND p.at_ms < :now"
    )
}

fn select(
    connection: &Connection,
    sql: &str,
    erasure: &ErasureRequest,
    max: usize,
) -> rusqlite::Result<BTreeSet<ValueLocation>> {
    let mut statement = connection.prepare_cached(sql)?;
    let wanted = wanted(&erasure.target);
    let (recheck, key) = spared_after(erasure);
    let (now, max) = (erasure.now.timestamp_millis(), i64::try_from(max).unwrap_or(i64::MAX));
    let parameters = named_params! {
        ":wanted": wanted, ":now": now, ":recheck": recheck, ":key": key, ":max": max,
    };
    let rows = statement.query_map(parameters, |row| {
        Ok(ValueLocation { entry: row.get(0)?, pointer: row.get(1)?, action: row.get(2)? })
    })?;
    rows.collect()
}

fn wanted(whose: &ErasureTarget) -> rusqlite::types::Value {
    match whose {
        ErasureTarget::Before(instant) => instant.timestamp_millis().into(),
        ErasureTarget::Person(name) => name.clone().into(),
    }
}

/// Actions accepted later than these times (milliseconds) are spared: if they need attention, and if they have a key.
fn spared_after(erasure: &ErasureRequest) -> (i64, i64) {
    let before = |span| erasure.now.checked_sub_signed(span).map_or(i64::MIN, |at| at.timestamp_millis());
    (before(RECHECK_SPARED), before(erasure.key_ttl))
}

fn of_action(connection: &Connection, action: &str) -> rusqlite::Result<Vec<ValueLocation>> {
    let sql = "SELECT p.entry, p.pointer, e.action FROM entries AS e JOIN personal AS p ON p.entry = e.number
               WHERE e.action = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([action], |row| {
        Ok(ValueLocation { entry: row.get(0)?, pointer: row.get(1)?, action: row.get(2)? })
    })?;
    rows.collect()
}

/// Counts the spared values and truncates the log, whose old pages still hold the erased ones.
pub(super) fn finish(
    connection: &mut Connection,
    erasure: &ErasureRequest,
    values: u64,
) -> Result<ErasureResult, JournalError> {
    let spared = spared(connection, erasure).map_err(journal_error)?;
    let in_clear = has_names_in_clear(connection).map_err(journal_error)?;
    let log_remains = !truncate_wal(connection);
    Ok(ErasureResult { values, spared, in_clear, log_remains })
}

fn spared(connection: &Connection, erasure: &ErasureRequest) -> rusqlite::Result<u64> {
    let sql = format!("{} AND {SPARED}", matching_sql(erasure, "count(*)"));
    let (recheck, key) = spared_after(erasure);
    let (wanted, now) = (wanted(&erasure.target), erasure.now.timestamp_millis());
    let parameters = named_params! { ":wanted": wanted, ":now": now, ":recheck": recheck, ":key": key };
    connection.query_row(&sql, parameters, |row| Ok(row.get::<_, i64>(0)?.unsigned_abs()))
}

/// Whether the oldest entry has a format before 6, which stores names in the body. Those bodies begin with their version.
fn has_names_in_clear(connection: &Connection) -> rusqlite::Result<bool> {
    let sql = "SELECT body FROM entries ORDER BY number LIMIT 1";
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    let Some(row) = rows.next()? else { return Ok(false) };
    let body: String = row.get(0)?;
    Ok((1..6).any(|version| body.starts_with(&format!("{{\"v\":{version},"))))
}

/// How long to wait for a checkpoint and for short reads. Not longer, because actions wait for this thread.
const WAL_TIMEOUT: Duration = Duration::from_millis(250);

fn truncate_wal(connection: &Connection) -> bool {
    let hardly_waiting = connection.busy_timeout(WAL_TIMEOUT);
    let busy = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
    let waiting_again = connection.busy_timeout(BUSY_TIMEOUT);
    hardly_waiting.and(waiting_again).is_ok() && busy.is_ok_and(|busy| busy == 0)
}
