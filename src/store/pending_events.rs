//! Admin events that wait in the service store until the owner of the journal writes them into the chain.
//!
//! The journal belongs to one process at a time. A command that changes a key while the service runs stores the change and its
//! event here; the service moves the event within seconds, and where no service runs the command does so itself. Each event
//! is recorded once: after a stop between the two files the chain is asked whether it has the event.

use rusqlite::Connection;

use super::service_store::ServiceStore;
use super::sqlite::StoreError;
use crate::journal::{AdminEntry, AdminQuery, Journal, JournalError};

/// Events that may wait: no house changes so many keys between two runs of anything that writes the journal.
pub const PENDING_MAX: usize = 10_000;
/// Moved at once.
const BATCH: usize = 100;

/// Why events still wait.
#[derive(Debug, thiserror::Error)]
pub enum PendingError {
    /// The service store.
    #[error("cannot read the admin events that wait: {0}")]
    Store(#[from] StoreError),
    /// The journal.
    #[error("cannot record the admin events that wait: {0}")]
    Journal(#[from] JournalError),
}

/// Adds one; `false` when too many wait.
pub(super) fn push(connection: &Connection, entry: &AdminEntry) -> Result<bool, StoreError> {
    let waiting: i64 =
        connection.query_row("SELECT count(*) FROM pending_admin_events", [], |row| row.get(0))?;
    if usize::try_from(waiting).unwrap_or(usize::MAX) >= PENDING_MAX {
        return Ok(false);
    }
    let body = serde_json::to_string(entry).map_err(|error| StoreError::Damaged(error.to_string()))?;
    connection.execute("INSERT INTO pending_admin_events (entry) VALUES (?1)", [body])?;
    Ok(true)
}

impl ServiceStore {
    /// Moves the admin events that wait into the journal, oldest first; returns how many.
    ///
    /// # Errors
    /// When one file cannot be used: what was not moved waits on.
    pub async fn move_pending_events(&self, journal: &dyn Journal) -> Result<usize, PendingError> {
        let mut moved = 0;
        loop {
            let waiting = self.pending_events().await?;
            for (number, body) in &waiting {
                match serde_json::from_str(body) {
                    // Only the first can be in the chain already: each is deleted before the next is recorded.
                    Ok(entry) if moved == 0 => record_once(journal, entry).await?,
                    Ok(entry) => journal.record_admin(entry).await?,
                    Err(_) => {
                        tracing::error!(number, "an admin event that waits cannot be read: it is dropped")
                    }
                }
                let number = *number;
                self.with_connection(move |connection| {
                    connection.execute("DELETE FROM pending_admin_events WHERE number = ?1", [number])?;
                    Ok(())
                })
                .await?;
                moved += 1;
            }
            if waiting.len() < BATCH {
                return Ok(moved);
            }
        }
    }

    async fn pending_events(&self) -> Result<Vec<(i64, String)>, StoreError> {
        self.with_connection(|connection| {
            let sql = "SELECT number, entry FROM pending_admin_events ORDER BY number LIMIT ?1";
            let mut statement = connection.prepare_cached(sql)?;
            let rows = statement.query_map([BATCH as i64], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }
}

async fn record_once(journal: &dyn Journal, entry: AdminEntry) -> Result<(), JournalError> {
    let newest = journal.admin_events(&AdminQuery { limit: NEWEST, ..AdminQuery::default() }).await?;
    if newest.events.iter().any(|(_, known)| *known == entry) {
        return Ok(());
    }
    journal.record_admin(entry).await
}

/// Admin events among which one is looked for that was recorded just before a stop.
const NEWEST: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{AdminActor, AdminEvent, MemoryJournal};

    fn revoked(key: &str) -> AdminEntry {
        let event = AdminEvent::KeyRevoked { key_id: key.to_owned(), name: None };
        AdminEntry { at: chrono::DateTime::UNIX_EPOCH, by: AdminActor::Service, event }
    }

    async fn keep(desk: &ServiceStore, entry: AdminEntry) -> bool {
        desk.with_connection(move |connection| push(connection, &entry)).await.unwrap()
    }

    #[tokio::test]
    async fn an_event_that_was_recorded_before_a_stop_is_not_recorded_again() {
        let (desk, journal) = (ServiceStore::in_memory().unwrap(), MemoryJournal::default());
        for key in ["a", "b", "c"] {
            assert!(keep(&desk, revoked(key)).await);
        }
        // The process stopped after the journal took the first one, before it was deleted here.
        journal.record_admin(revoked("a")).await.unwrap();
        assert_eq!(desk.move_pending_events(&journal).await.unwrap(), 3);
        let events = journal.admin_events(&AdminQuery::default()).await.unwrap().events;
        let keys: Vec<_> = events.into_iter().map(|(_, entry)| entry).collect();
        assert_eq!(keys, [revoked("c"), revoked("b"), revoked("a")]);
        assert_eq!(desk.move_pending_events(&journal).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn more_than_may_wait_are_refused() {
        let desk = ServiceStore::in_memory().unwrap();
        desk.with_connection(|connection| {
            let transaction = connection.transaction()?;
            (0..PENDING_MAX)
                .try_for_each(|_| push(&transaction, &revoked("a")).map(|taken| assert!(taken)))?;
            Ok(transaction.commit()?)
        })
        .await
        .unwrap();
        assert!(!keep(&desk, revoked("one too many")).await);
    }
}
