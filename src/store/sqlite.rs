//! [`Journal`] over SQLite: one writer thread and read-only connections. Never decides which fact may follow which.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use rusqlite::Connection;
use tokio::sync::{Mutex as AsyncMutex, oneshot};

use super::checkpointer::Checkpointer;
use super::connection;
use super::directory::{self, JOURNAL_FILE};
use super::error::{StoreError, journal_error};
use super::find::{find, page};
use super::head_file::HeadFile;
use super::health::{CommitProbe, CommitStats};
use super::records::read_action;
use super::schema::{self, JOURNAL};
use super::verify::{self, VerifiedJournal};
use super::verify_error::VerifyError;
use super::writer::{self, Job, JournalWriter, PendingEntry};
use super::{
    ArchiveError, ArchiveOrder, ArchiveReport, admin, archive, archived, erase, head_file, moved_to, personal,
};
use crate::action::ActionId;
use crate::journal::{
    ActionEntry, ActionRecord, AdminEntry, AdminPage, AdminQuery, Archived, Chain, ErasureRequest,
    ErasureResult, Head, Journal, JournalEntry, JournalError, JournalHealth, Position, Query, RecordPage,
    SealedEntry, actions_since,
};

/// Options for opening a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreOptions {
    /// How long to wait for another process to release the state directory.
    pub lock_patience: Duration,
    /// Largest size of the journal, in pages of 4 KiB; at the limit, writes fail as on a full disk. `None`: SQLite's limit, 16 TiB.
    pub pages_max: Option<u32>,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self { lock_patience: Duration::from_secs(5), pages_max: None }
    }
}

/// The journal of a state directory.
pub struct SqliteJournal {
    reader: Arc<Mutex<Connection>>,
    /// For probe commits; `None` when the journal is open for reading.
    trial: Option<CommitProbe>,
    commits: CommitStats,
    /// The audit's own connection. A query that waits for it holds no thread and no lock that an action needs.
    audit: Arc<AsyncMutex<Connection>>,
    writer: Option<JournalWriter>,
    /// Held as long as the journal and its writer: fields are dropped in this order.
    _lock: Option<File>,
}

impl SqliteJournal {
    /// Opens the journal in `directory` for this process alone. Creates both if they are missing.
    ///
    /// # Errors
    /// The directory cannot be used, another process owns it, or the file is not a journal.
    pub fn open(directory: &Path, options: StoreOptions) -> Result<Self, StoreError> {
        let unusable = |error| StoreError::Directory { path: directory.to_owned(), error };
        directory::create(directory).map_err(unusable)?;
        let lock = directory::lock(directory, options.lock_patience)?;
        moved_to::refuse(directory)?;
        Self::open_locked(directory, lock, options)
    }

    /// Opens an existing journal for this process alone, also one that has moved, so that an interrupted move can go on.
    #[cfg(all(feature = "postgres", feature = "service"))]
    pub(super) fn open_to_move(directory: &Path) -> Result<Self, StoreError> {
        if !directory.join(JOURNAL_FILE).exists() {
            return Err(StoreError::Absent { path: directory.to_owned() });
        }
        let options = StoreOptions::default();
        let lock = directory::lock(directory, options.lock_patience)?;
        Self::open_locked(directory, lock, options)
    }

    fn open_locked(directory: &Path, lock: File, options: StoreOptions) -> Result<Self, StoreError> {
        let path = directory.join(JOURNAL_FILE);
        let head = HeadFile::in_directory(directory);
        let stored_head = head.load()?;
        if !path.exists() {
            head_file::refuse_absent_journal(stored_head)?;
        }
        let mut connection = connection::open_to_write(&path)?;
        if let Some(pages) = options.pages_max {
            connection.pragma_update(None, "max_page_count", pages)?;
        }
        JOURNAL.migrate(&mut connection)?;
        schema::check_tables(&connection)?;
        head_file::check(&connection, stored_head)?;
        let writer = writer::start(connection, Checkpointer::start(&path)?, head)?;
        let reader = Arc::new(Mutex::new(connection::open_to_read(&path)?));
        let audit = Arc::new(AsyncMutex::new(connection::open_to_read(&path)?));
        let (trial, commits) = (Some(CommitProbe::open(&path)?), CommitStats::new(directory));
        Ok(Self { reader, trial, commits, audit, writer: Some(writer), _lock: Some(lock) })
    }

    /// Opens the journal in `directory` for reading; another process may be writing to it.
    ///
    /// # Errors
    /// There is no journal, or it cannot be read.
    pub fn read(directory: &Path) -> Result<Self, StoreError> {
        let path = directory.join(JOURNAL_FILE);
        // The head file is read before the journal, because a writer may append in between.
        let stored_head = HeadFile::in_directory(directory).load()?;
        let absent = || match head_file::refuse_absent_journal(stored_head) {
            Ok(()) => StoreError::Absent { path: directory.to_owned() },
            Err(cut) => cut,
        };
        if !path.exists() {
            return Err(absent());
        }
        let connection = connection::open_to_read(&path)?;
        // A process that was killed while it created the file has left it empty.
        if JOURNAL.check(&*connection.unchecked_transaction()?)? == 0 {
            return Err(absent());
        }
        head_file::check(&connection, stored_head)?;
        let audit = Arc::new(AsyncMutex::new(connection::open_to_read(&path)?));
        let (reader, commits) = (Arc::new(Mutex::new(connection)), CommitStats::new(directory));
        Ok(Self { reader, trial: None, commits, audit, writer: None, _lock: None })
    }

    /// Verifies every entry's hash and the index of actions. With `known`, a hash from an earlier time, also verifies that no
    /// entry was removed since.
    ///
    /// # Errors
    /// An entry or the index was changed, or the journal cannot be read.
    pub async fn verify(&self, known: Option<Head>) -> Result<VerifiedJournal, VerifyError> {
        self.verify_with_archives(known, Vec::new()).await
    }

    /// As [`Self::verify`], together with the archive files in the order in which they were made.
    ///
    /// # Errors
    /// An entry, the index or an archive file was changed, or a file cannot be read.
    pub async fn verify_with_archives(
        &self,
        known: Option<Head>,
        files: Vec<PathBuf>,
    ) -> Result<VerifiedJournal, VerifyError> {
        let reader = self.reader.clone();
        let task =
            move || verify::verify(&reader.lock().unwrap_or_else(PoisonError::into_inner), known, &files);
        tokio::task::spawn_blocking(task).await.map_err(|_| thread_ended())?
    }

    /// Writes whole years to an archive file and removes them from the journal.
    ///
    /// # Errors
    /// The file cannot be written, or no entries can be archived. The journal is unchanged then.
    pub async fn archive(&self, order: ArchiveOrder) -> Result<ArchiveReport, ArchiveError> {
        let (answer, answered) = oneshot::channel();
        let task = move |connection: &mut Connection| {
            let _ = answer.send(archive::archive(connection, &order));
        };
        self.enqueue(Job::Task(Box::new(task))).await?;
        answered.await.map_err(|_| thread_ended())?
    }

    /// The archived part before the first entry, if there is one.
    #[cfg(all(feature = "postgres", feature = "service"))]
    pub(super) async fn archived_part(&self) -> Result<Option<archived::ArchivedPart>, JournalError> {
        self.with_reader(|connection| archived::read(connection).map_err(journal_error)).await
    }

    /// Where the chain begins, if the entries before it came from a database.
    #[cfg(all(feature = "postgres", feature = "service"))]
    pub(super) async fn beginning(&self) -> Result<Option<Chain>, JournalError> {
        self.with_reader(|connection| super::beginning::read(connection).map_err(journal_error)).await
    }

    /// Sends a job to the writer thread.
    async fn enqueue(&self, job: Job) -> Result<(), JournalError> {
        let queue = self.writer.as_ref().and_then(JournalWriter::queue);
        let queue =
            queue.ok_or_else(|| JournalError::Unusable("this process opened it read-only".to_owned()))?;
        queue.send(job).await.map_err(|_| thread_ended())
    }

    /// Erases as many values as fit into one transaction.
    async fn erase_batch(&self, erasure: &ErasureRequest) -> Result<u64, JournalError> {
        let (answer, answered) = oneshot::channel();
        let erasure = erasure.clone();
        let task = move |connection: &mut Connection| {
            let _ = answer.send(erase::batch(connection, &erasure));
        };
        self.enqueue(Job::Task(Box::new(task))).await?;
        answered.await.map_err(|_| thread_ended())?
    }

    async fn write(&self, record: JournalEntry) -> Result<(), JournalError> {
        let (answer, answered) = oneshot::channel();
        self.enqueue(Job::Write(PendingEntry { record, answer })).await?;
        answered.await.map_err(|_| thread_ended())?
    }

    /// Runs a query on the audit's connection; queries run one at a time.
    async fn with_audit_connection<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, JournalError> + Send + 'static,
    ) -> Result<T, JournalError> {
        let connection = self.audit.clone().lock_owned().await;
        tokio::task::spawn_blocking(move || read(&connection)).await.map_err(|_| thread_ended())?
    }

    async fn with_reader<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, JournalError> + Send + 'static,
    ) -> Result<T, JournalError> {
        let reader = self.reader.clone();
        let task = move || read(&reader.lock().unwrap_or_else(PoisonError::into_inner));
        tokio::task::spawn_blocking(task).await.map_err(|_| thread_ended())?
    }
}

#[async_trait]
impl Journal for SqliteJournal {
    async fn record(&self, entry: ActionEntry) -> Result<(), JournalError> {
        self.commits.record(self.write(entry.into()).await)
    }

    async fn record_admin(&self, entry: AdminEntry) -> Result<(), JournalError> {
        self.commits.record(self.write(entry.into()).await)
    }

    async fn admin_events(&self, query: &AdminQuery) -> Result<AdminPage, JournalError> {
        let query = query.clone();
        self.with_audit_connection(move |connection| admin::find(connection, &query)).await
    }

    async fn try_commit(&self) -> Result<(), JournalError> {
        let can_write =
            self.writer.as_ref().and_then(JournalWriter::queue).is_some_and(|queue| !queue.is_closed());
        match &self.trial {
            Some(trial) if can_write => self.commits.record(trial.commit().await),
            Some(_) => self.commits.record(Err(thread_ended())),
            None => Err(JournalError::Unusable("this process opened it read-only".to_owned())),
        }
    }

    fn health(&self) -> JournalHealth {
        self.commits.health()
    }

    async fn erase(&self, erasure: ErasureRequest) -> Result<ErasureResult, JournalError> {
        let mut values = 0;
        loop {
            match self.erase_batch(&erasure).await? {
                0 => break,
                batch => values += batch,
            }
        }
        let (answer, answered) = oneshot::channel();
        let task = move |connection: &mut Connection| {
            let _ = answer.send(erase::finish(connection, &erasure, values));
        };
        self.enqueue(Job::Task(Box::new(task))).await?;
        answered.await.map_err(|_| thread_ended())?
    }

    async fn archived(&self) -> Result<Option<Archived>, JournalError> {
        self.with_reader(|connection| {
            let part = archived::read(connection).map_err(journal_error)?;
            Ok(part.map(|part| part.event(1)))
        })
        .await
    }

    fn chain(&self) -> Option<Chain> {
        self.writer.as_ref().map(|writer| writer.tip.get())
    }

    fn queued_facts(&self) -> usize {
        let queue = self.writer.as_ref().and_then(JournalWriter::queue);
        queue.map_or(0, |queue| queue.max_capacity() - queue.capacity())
    }

    async fn action_record(&self, action: ActionId) -> Result<Option<ActionRecord>, JournalError> {
        self.with_reader(move |connection| read_action(connection, &action.to_string())).await
    }

    async fn find(&self, query: &Query) -> Result<Vec<ActionRecord>, JournalError> {
        let query = query.clone();
        self.with_reader(move |connection| find(connection, &query)).await
    }

    async fn page(
        &self,
        query: &Query,
        after: Option<Position>,
        examine: usize,
    ) -> Result<RecordPage, JournalError> {
        let query = query.clone();
        self.with_audit_connection(move |connection| page(connection, &query, after, examine)).await
    }

    async fn actions_since(&self, since: DateTime<Utc>) -> Result<Vec<ActionId>, JournalError> {
        actions_since(self, since).await
    }

    async fn entries(&self, first: u64, max: usize) -> Result<Vec<SealedEntry>, JournalError> {
        self.with_reader(move |connection| {
            let sql = "SELECT number, body, hash FROM entries WHERE number >= ?1 ORDER BY number LIMIT ?2";
            let mut statement = connection.prepare_cached(sql).map_err(journal_error)?;
            let (first, max) = (sql_integer(first), sql_integer(max as u64));
            let rows = statement
                .query_map([first, max], |row| {
                    let number: i64 = row.get(0)?;
                    let body: String = row.get(1)?;
                    let personal = personal::values_of_body(connection, number, &body)?;
                    Ok(SealedEntry { number: number.unsigned_abs(), body, hash: Head(row.get(2)?), personal })
                })
                .map_err(journal_error)?;
            rows.collect::<Result<_, _>>().map_err(journal_error)
        })
        .await
    }
}

fn thread_ended() -> JournalError {
    JournalError::Unusable("the writer thread has ended".to_owned())
}

fn sql_integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_an_action_reads_and_writes_does_not_wait_for_the_audit() {
        let directory = tempfile::tempdir().unwrap();
        let journal = SqliteJournal::open(directory.path(), StoreOptions::default()).unwrap();
        // The audit's connection stays busy.
        let audit = journal.audit.clone().lock_owned().await;
        let all = Query::default();
        let mut waits = journal.page(&all, None, 1);
        assert!(
            tokio::time::timeout(Duration::ZERO, &mut waits).await.is_err(),
            "it waits for the connection"
        );
        let room = "room@example.com".parse().unwrap();
        let actor = crate::action::Actor::program("door");
        let ask = crate::action::ActionKind::End(crate::action::Notify::Nobody);
        let action = crate::action::Action::new(ActionId::random(), room, ask, actor);
        let (id, fact) = (action.id, crate::journal::Fact::Accepted { action: Box::new(action) });
        journal.record(ActionEntry { action: id, at: chrono::DateTime::UNIX_EPOCH, fact }).await.unwrap();
        assert_eq!(journal.find(&Query::default()).await.unwrap().len(), 1);
        assert!(journal.action_record(id).await.unwrap().is_some());
        drop(audit);
        assert_eq!(waits.await.unwrap().records.len(), 1);
    }
}
