//! Personal values on disk: the table beside the chain, and reading an entry together with its values.

use rusqlite::Connection;
use uuid::Uuid;

use super::action_row;
use super::error::journal_error;
use crate::journal::{JournalEntry, JournalError, PersonalValue, Salt, SealedEntry};

/// The values of one entry that are not erased.
pub(super) fn values(connection: &Connection, number: i64) -> rusqlite::Result<Vec<PersonalValue>> {
    let sql = "SELECT pointer, salt, value FROM personal WHERE entry = ?1 ORDER BY pointer";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([number], |row| {
        Ok(PersonalValue { pointer: row.get(0)?, salt: row.get(1)?, value: row.get(2)? })
    })?;
    rows.collect()
}

/// The same, for a body that is known. One before format 6 has none, and its file may have no such table.
pub(super) fn values_of_body(
    connection: &Connection,
    number: i64,
    body: &str,
) -> rusqlite::Result<Vec<PersonalValue>> {
    if body.contains("\"personal\":") { values(connection, number) } else { Ok(Vec::new()) }
}

/// An entry with its values. What does not belong together is damage.
pub(super) fn read(connection: &Connection, number: i64, body: &str) -> Result<JournalEntry, JournalError> {
    let values = values_of_body(connection, number, body).map_err(journal_error)?;
    let record = JournalEntry::parse(body, &values);
    record.map_err(|error| JournalError::Damaged(format!("entry {number}: {error}")))
}

/// Stores the values of an entry that is being written.
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
