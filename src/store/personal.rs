//! Personal values: the table beside the chain. An entry's body holds only their HMACs, so deleting a value keeps the chain intact.

use rusqlite::Connection;
use uuid::Uuid;

use super::action_row;
use super::error::journal_error;
use crate::journal::{JournalEntry, JournalError, PersonalValue, Salt, SealedEntry};

/// The values of one entry that were not erased.
pub(super) fn values(connection: &Connection, number: i64) -> rusqlite::Result<Vec<PersonalValue>> {
    let sql = "SELECT pointer, salt, value FROM personal WHERE entry = ?1 ORDER BY pointer";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([number], |row| {
        Ok(PersonalValue { pointer: row.get(0)?, salt: row.get(1)?, value: row.get(2)? })
    })?;
    rows.collect()
}

/// As [`values`], for a known body. A body before format 6 has none, and its file may lack the table.
pub(super) fn values_of_body(
    connection: &Connection,
    number: i64,
    body: &str,
) -> rusqlite::Result<Vec<PersonalValue>> {
    if body.contains("\"personal\":") { values(connection, number) } else { Ok(Vec::new()) }
}

/// Reads an entry with its values. A value that does not match its HMAC is damage.
pub(super) fn read(connection: &Connection, number: i64, body: &str) -> Result<JournalEntry, JournalError> {
    let values = values_of_body(connection, number, body).map_err(journal_error)?;
    let record = JournalEntry::parse(body, &values);
    record.map_err(|error| JournalError::Damaged(format!("entry {number}: {error}")))
}

/// Stores the values of a new entry.
pub(super) fn put(connection: &Connection, sealed: &SealedEntry, at_ms: i64) -> rusqlite::Result<()> {
    let number = i64::try_from(sealed.number).unwrap_or(i64::MAX);
    let sql = "INSERT INTO personal (entry, pointer, at_ms, salt, value) VALUES (?1, ?2, ?3, ?4, ?5)";
    let mut statement = connection.prepare_cached(sql)?;
    for kept in &sealed.personal {
        action_row::expect_one_row(statement.execute((
            number,
            &kept.pointer,
            at_ms,
            kept.salt,
            &kept.value,
        ))?)?;
    }
    Ok(())
}

/// A random key for one value: 122 random bits.
pub(super) fn salt() -> Salt {
    Uuid::new_v4().into_bytes()
}
