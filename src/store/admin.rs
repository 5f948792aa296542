//! Reads admin events: entries that belong to no action. Never writes.

use rusqlite::Connection;

use super::error::journal_error;
use super::personal;
use crate::journal::{ADMIN_EVENTS_READ_MAX, AdminPage, AdminQuery, JournalEntry, JournalError};

/// The admin events that match a query, newest first. The index `entries_by_action` holds them in order of their numbers.
pub(super) fn find(connection: &Connection, query: &AdminQuery) -> Result<AdminPage, JournalError> {
    let sql = "SELECT number, body FROM entries WHERE action = '' AND number < ?1 ORDER BY number DESC";
    let mut statement = connection.prepare_cached(sql).map_err(journal_error)?;
    let before = query.before.map_or(i64::MAX, |before| i64::try_from(before).unwrap_or(i64::MAX));
    let mut rows = statement.query([before]).map_err(journal_error)?;
    let (mut page, mut read) = (AdminPage::default(), 0);
    while let Some(row) = rows.next().map_err(journal_error)? {
        let number = row.get::<_, i64>(0).map_err(journal_error)?.unsigned_abs();
        if read >= ADMIN_EVENTS_READ_MAX || page.events.len() >= query.limit {
            page.more = Some(number + 1);
            break;
        }
        read += 1;
        let body: String = row.get(1).map_err(journal_error)?;
        match personal::read(connection, row.get(0).map_err(journal_error)?, &body)? {
            JournalEntry::Admin(entry) if query.matches(&entry) => page.events.push((number, entry)),
            JournalEntry::Admin(_) => {}
            JournalEntry::Action(_) => {
                return Err(JournalError::Damaged(format!("entry {number}: it is stored under no action")));
            }
        }
    }
    Ok(page)
}
