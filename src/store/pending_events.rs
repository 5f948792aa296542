//! Admin events that wait in the service store until the journal's owner writes them into the chain. Never records one twice.
//!
//! One process at a time owns the journal. A command that changes a key while the service runs stores the change and its event here;
//! the service moves the event within seconds, and without a service the command moves it itself. After a crash between the two
//! files, the mover first looks for the event in the chain. Where processes share the store, one of them moves an event
//! (`claims.rs`).

use super::error::StoreError;
use super::service_store::ServiceStore;
use super::sql::{SqlConnection, Subject, values};
use crate::journal::{AdminEntry, AdminQuery, Journal, JournalError};

/// Events that may wait: no site changes so many keys between two runs of a process that writes the journal.
pub const PENDING_MAX: usize = 10_000;
/// Events in one read.
const BATCH: usize = 100;

/// Why events could not be moved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PendingError {
    /// The service store failed.
    #[error("cannot read the waiting admin events: {0}")]
    Store(#[from] StoreError),
    /// The journal failed.
    #[error("cannot record the waiting admin events: {0}")]
    Journal(#[from] JournalError),
}

/// Adds an event; `false` when too many wait.
pub(super) fn push(connection: &dyn SqlConnection, entry: &AdminEntry) -> Result<bool, StoreError> {
    if connection.count("SELECT count(*) FROM pending_admin_events", &[])? >= PENDING_MAX {
        return Ok(false);
    }
    let body = serde_json::to_string(entry).map_err(|error| StoreError::Damaged(error.to_string()))?;
    connection.execute("INSERT INTO pending_admin_events (entry) VALUES (?1)", &values![body])?;
    Ok(true)
}

impl ServiceStore {
    /// Moves waiting admin events into the journal, oldest first; returns how many.
    ///
    /// # Errors
    /// The service store or the journal cannot be used. Events that were not moved keep waiting.
    pub async fn move_pending_events(&self, journal: &dyn Journal) -> Result<usize, PendingError> {
        let mut moved = 0;
        loop {
            let waiting = self.pending_events().await?;
            for (number, body) in &waiting {
                if !self.claim_pending_event(*number).await? {
                    return Ok(moved);
                }
                match serde_json::from_str(body) {
                    // Only the first event can already be in the chain: each is deleted before the next is recorded.
                    Ok(entry) if moved == 0 => record_once(journal, entry).await?,
                    Ok(entry) => journal.record_admin(entry).await?,
                    Err(_) => {
                        tracing::error!(
                            number,
                            "dropped an unreadable admin event that was waiting for the journal"
                        )
                    }
                }
                self.delete_pending_event(*number).await?;
                moved += 1;
            }
            if waiting.len() < BATCH {
                return Ok(moved);
            }
        }
    }

    async fn pending_events(&self) -> Result<Vec<(i64, String)>, StoreError> {
        self.read(|connection| {
            let sql = "SELECT number, entry FROM pending_admin_events ORDER BY number LIMIT ?1";
            let rows = connection.query(sql, &values![BATCH])?;
            rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
        })
        .await
    }

    async fn delete_pending_event(&self, number: i64) -> Result<(), StoreError> {
        self.write(Subject::Keys, move |connection| {
            connection.execute("DELETE FROM pending_admin_events WHERE number = ?1", &values![number])?;
            Ok(())
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

/// Newest admin events that are searched for an event recorded just before a crash.
const NEWEST: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{AdminActor, AdminEvent, MemoryJournal};

    fn revoked(key: &str) -> AdminEntry {
        let event = AdminEvent::KeyRevoked { key_id: key.to_owned(), name: None };
        AdminEntry { at: chrono::DateTime::UNIX_EPOCH, by: AdminActor::Service, event }
    }

    async fn keep(store: &ServiceStore, entry: AdminEntry) -> bool {
        store.write(Subject::Keys, move |connection| push(connection, &entry)).await.unwrap()
    }

    #[tokio::test]
    async fn an_event_that_was_recorded_before_a_stop_is_not_recorded_again() {
        let (store, journal) = (ServiceStore::in_memory().unwrap(), MemoryJournal::default());
        for key in ["a", "b", "c"] {
            assert!(keep(&store, revoked(key)).await);
        }
        // The process crashed after the journal recorded the first event, before the service store deleted it.
        journal.record_admin(revoked("a")).await.unwrap();
        assert_eq!(store.move_pending_events(&journal).await.unwrap(), 3);
        let events = journal.admin_events(&AdminQuery::default()).await.unwrap().events;
        let keys: Vec<_> = events.into_iter().map(|(_, entry)| entry).collect();
        assert_eq!(keys, [revoked("c"), revoked("b"), revoked("a")]);
        assert_eq!(store.move_pending_events(&journal).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn more_than_may_wait_are_refused() {
        let store = ServiceStore::in_memory().unwrap();
        store
            .write(Subject::Keys, |connection| {
                (0..PENDING_MAX).try_for_each(|_| push(connection, &revoked("a")).map(|taken| assert!(taken)))
            })
            .await
            .unwrap();
        assert!(!keep(&store, revoked("one too many")).await);
    }
}
