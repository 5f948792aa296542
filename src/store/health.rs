//! Health of the journal: a probe commit that changes nothing, and counts of failed commits. Never adds an entry.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use rusqlite::{Connection, TransactionBehavior};

use super::StoreError;
use super::connection::open_to_write;
use super::directory::JOURNAL_FILE;
use super::error::journal_error;
use crate::journal::{JournalError, JournalHealth};

/// A separate connection for probe commits. SQLite checkpoints the log itself if no other commit happens.
pub(super) struct CommitProbe(Arc<Mutex<Connection>>);

impl CommitProbe {
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let connection = open_to_write(path)?;
        Ok(Self(Arc::new(Mutex::new(connection))))
    }

    /// Commits a transaction that is synced to disk like every other and changes nothing.
    pub(super) async fn commit(&self) -> Result<(), JournalError> {
        let connection = self.0.clone();
        let task = move || commit(&mut connection.lock().unwrap_or_else(PoisonError::into_inner));
        let done = tokio::task::spawn_blocking(task).await;
        done.map_err(|_| JournalError::Unusable("a database task was cancelled or panicked".to_owned()))?
            .map_err(journal_error)
    }
}

/// Rewrites the header's version with its own value: one page of the log and one fsync. The chain does not grow.
fn commit(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    transaction.pragma_update(None, "user_version", version)?;
    transaction.commit()
}

/// Counts of commits since the process started.
#[derive(Default)]
pub(super) struct CommitCounts {
    failed: AtomicU64,
    last: Mutex<Option<Instant>>,
}

/// The same, with the files of the journal.
pub(super) struct CommitStats {
    directory: PathBuf,
    counts: CommitCounts,
}

impl CommitCounts {
    /// Counts the result of one entry or probe and returns it. A fact that cannot follow counts as the caller's error.
    pub(super) fn record(&self, result: Result<(), JournalError>) -> Result<(), JournalError> {
        match &result {
            Ok(()) => *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(now()),
            Err(JournalError::InvalidTransition(_)) => {}
            Err(_) => {
                self.failed.fetch_add(1, Ordering::Relaxed);
            }
        }
        result
    }

    pub(super) fn health(&self) -> JournalHealth {
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let (failed_commits, last_commit_age) =
            (self.failed.load(Ordering::Relaxed), last.map(|last| last.elapsed()));
        JournalHealth { failed_commits, last_commit_age, ..JournalHealth::default() }
    }
}

impl CommitStats {
    pub(super) fn new(directory: &Path) -> Self {
        Self { directory: directory.to_owned(), counts: CommitCounts::default() }
    }

    /// Counts the result of one entry or probe and returns it.
    pub(super) fn record(&self, result: Result<(), JournalError>) -> Result<(), JournalError> {
        self.counts.record(result)
    }

    pub(super) fn health(&self) -> JournalHealth {
        let (free_bytes, size_bytes) = (free_bytes(&self.directory), size_bytes(&self.directory));
        JournalHealth { free_bytes, size_bytes, ..self.counts.health() }
    }
}

/// The size of the journal and of SQLite's log beside it.
fn size_bytes(directory: &Path) -> Option<u64> {
    let size = |suffix: &str| std::fs::metadata(directory.join(format!("{JOURNAL_FILE}{suffix}"))).ok();
    let log = size("-wal").map_or(0, |file| file.len());
    size("").map(|file| file.len().saturating_add(log))
}

/// Free space for an unprivileged process on the disk of this directory.
#[cfg(all(unix, feature = "service"))]
fn free_bytes(directory: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(directory).ok()?;
    disk.f_bavail.checked_mul(disk.f_frsize)
}

#[cfg(not(all(unix, feature = "service")))]
fn free_bytes(_: &Path) -> Option<u64> {
    None
}

#[expect(clippy::disallowed_methods, reason = "how long ago a commit was is no time of the domain")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Journal as _;
    use crate::store::{SqliteJournal, StoreOptions};

    /// Changes with every commit of another connection.
    fn data_version(connection: &Connection) -> i64 {
        connection.pragma_query_value(None, "data_version", |row| row.get(0)).unwrap()
    }

    #[tokio::test]
    async fn a_trial_is_a_commit_that_adds_no_entry() {
        let directory = tempfile::tempdir().unwrap();
        let journal = SqliteJournal::open(directory.path(), StoreOptions::default()).unwrap();
        let witness = Connection::open(directory.path().join("journal.sqlite")).unwrap();
        for _ in 0..3 {
            let before = data_version(&witness);
            journal.try_commit().await.unwrap();
            assert_ne!(data_version(&witness), before);
        }
        assert!(journal.entries(1, 10).await.unwrap().is_empty());
        let health = journal.health();
        assert_eq!((health.failed_commits, health.last_commit_age.is_some()), (0, true));
        assert!(cfg!(not(unix)) || health.free_bytes.is_some_and(|bytes| bytes > 0));
        assert!(health.size_bytes.is_some_and(|bytes| bytes > 0), "{health:?}");
        let read = SqliteJournal::read(directory.path()).unwrap();
        assert!(read.try_commit().await.is_err(), "a reader cannot vouch for writes");
    }

    #[tokio::test]
    async fn a_commit_that_cannot_be_is_an_error_and_is_counted() {
        let directory = tempfile::tempdir().unwrap();
        let journal = SqliteJournal::open(directory.path(), StoreOptions::default()).unwrap();
        let trial = CommitProbe::open(&directory.path().join("journal.sqlite")).unwrap();
        trial.0.lock().unwrap().busy_timeout(std::time::Duration::ZERO).unwrap();
        let mut other = Connection::open(directory.path().join("journal.sqlite")).unwrap();
        let held = other.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
        let commits = CommitStats::new(directory.path());
        assert!(matches!(commits.record(trial.commit().await), Err(JournalError::Unusable(_))));
        drop(held);
        commits.record(trial.commit().await).unwrap();
        assert_eq!(commits.health().failed_commits, 1);
        drop(journal);
    }

    #[tokio::test]
    async fn trials_alone_do_not_let_the_log_grow() {
        let directory = tempfile::tempdir().unwrap();
        drop(SqliteJournal::open(directory.path(), StoreOptions::default()).unwrap());
        let path = directory.path().join("journal.sqlite");
        let mut connection = Connection::open(&path).unwrap();
        crate::store::connection::prepare_to_write(&connection).unwrap();
        // Not every commit waits for the disk here: the number of pages is what counts.
        connection.pragma_update(None, "synchronous", "OFF").unwrap();
        (0..5_000).for_each(|_| commit(&mut connection).unwrap());
        let log = std::fs::metadata(directory.path().join("journal.sqlite-wal")).unwrap().len();
        assert!(log < 8 << 20, "{log} bytes");
    }

    #[test]
    fn a_commit_that_fails_is_counted_and_an_impossible_fact_is_not() {
        let commits = CommitStats::new(Path::new("."));
        let unusable = Err(JournalError::Unusable("disk full".to_owned()));
        assert!(commits.record(unusable).is_err());
        assert_eq!(commits.health().failed_commits, 1);
        assert_eq!(commits.health().last_commit_age, None);
    }
}
