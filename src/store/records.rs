//! Reads the records of actions by replaying their entries. Never reads the index, and never writes.

use std::collections::HashMap;

use rusqlite::{Connection, Row};

use super::error::journal_error;
use super::personal;
use crate::journal::{ActionRecord, JournalEntry, JournalError};

/// Actions whose entries one statement reads.
pub(super) const CHUNK: usize = 256;

/// The record of one action, replayed from its facts.
pub(super) fn read_action(
    connection: &Connection,
    action: &str,
) -> Result<Option<ActionRecord>, JournalError> {
    let sql = "SELECT action, number, body FROM entries WHERE action = ?1 ORDER BY number";
    let mut statement = connection.prepare_cached(sql).map_err(journal_error)?;
    let mut rows = statement.query([action]).map_err(journal_error)?;
    let mut record = None;
    while let Some(row) = rows.next().map_err(journal_error)? {
        record = Some(apply_row(connection, record, row)?);
    }
    Ok(record)
}

/// The records of these actions, in this order, with one statement per [`CHUNK`].
pub(super) fn records(
    connection: &Connection,
    actions: &[String],
) -> Result<Vec<ActionRecord>, JournalError> {
    let mut found = Vec::with_capacity(actions.len());
    for chunk in actions.chunks(CHUNK) {
        let mut replayed = replay(connection, chunk)?;
        for action in chunk {
            let absent =
                || JournalError::Damaged(format!("the index names action {action}, but no entry does"));
            found.push(replayed.remove(action).ok_or_else(absent)?);
        }
    }
    Ok(found)
}

/// Replays the facts of some actions.
fn replay(
    connection: &Connection,
    actions: &[String],
) -> Result<HashMap<String, ActionRecord>, JournalError> {
    let sql = "SELECT entries.action, entries.number, entries.body FROM json_each(?1) AS wanted
               CROSS JOIN entries ON entries.action = wanted.value ORDER BY wanted.key, entries.number";
    let wanted = serde_json::to_string(actions).map_err(|error| JournalError::Unusable(error.to_string()))?;
    let mut statement = connection.prepare_cached(sql).map_err(journal_error)?;
    let mut rows = statement.query([wanted]).map_err(journal_error)?;
    let mut records: HashMap<String, ActionRecord> = HashMap::with_capacity(actions.len());
    while let Some(row) = rows.next().map_err(journal_error)? {
        let action: String = row.get(0).map_err(journal_error)?;
        let record = apply_row(connection, records.remove(&action), row)?;
        records.insert(action, record);
    }
    Ok(records)
}

/// Applies the entry of this row; its number and body are columns 1 and 2.
fn apply_row(
    connection: &Connection,
    record: Option<ActionRecord>,
    row: &Row<'_>,
) -> Result<ActionRecord, JournalError> {
    let number: i64 = row.get(1).map_err(journal_error)?;
    let body: String = row.get(2).map_err(journal_error)?;
    let damaged = |what: String| JournalError::Damaged(format!("entry {number}: {what}"));
    let JournalEntry::Action(entry) = personal::read(connection, number, &body)? else {
        return Err(damaged("it belongs to no action".to_owned()));
    };
    ActionRecord::apply(record, &entry).map_err(|error| damaged(error.to_string()))
}
