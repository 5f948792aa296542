//! [`Journal`] over PostgreSQL: one writer among several. Never decides which fact may follow which, and never calls another process
//! dead: `renewer.rs` does.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::sleep;
use uuid::Uuid;

use super::anchors::{self, Anchorer};
use super::appender::{Appender, Job, QUEUE_MAX};
use super::archive::PreparedArchive;
use super::archived_chains::ArchivedChains;
use super::batch::{ValueLocation, WriterSession};
use super::database::{PROMISES, PostgresDatabase, Purpose, SETUP_LIMIT, VERIFY_LIMIT};
use super::error::PostgresError;
use super::link::{Link, jitter};
use super::records::{BESIDE_ENTRY, ENTRY_COLUMNS, Reader, read_entry, stored_records};
use super::renewer::Renewer;
use super::schema::{column, first};
use super::settings::PostgresSettings;
use super::state::{HeldLock, WriterState};
use super::tables::{JOURNAL, as_column, indexed};
use super::verify::{self, VerifiedChains};
use super::writers::{self, ChainInfo, WriterId};
use super::{archive, erase, find, moves};
use crate::action::ActionId;
use crate::journal::{
    ActionEntry, ActionRecord, AdminEntry, AdminEvent, AdminPage, AdminQuery, Archived, Chain,
    ErasureRequest, ErasureResult, Head, Journal, JournalEntry, JournalError, JournalHealth, JournalLock,
    LockName, Position, Query, RecordPage, SealedEntry,
};
use crate::store::StoreError;
use crate::store::archive::{ArchiveError, ArchiveOrder, ArchiveReport};
use crate::store::health::CommitCounts;
use crate::store::verify_error::VerifyError;
use crate::store::writer::PendingEntry;

/// Time limit of a read that an action waits for.
const READ_LIMIT: Duration = Duration::from_secs(5);
/// Time limit of a read of the audit.
const AUDIT_LIMIT: Duration = Duration::from_secs(30);
/// A lock that another process holds is asked for again after this time, and up to four times as long.
const LOCK_AGAIN: Duration = Duration::from_millis(25);
/// Actions that are read to find those with recent facts.
const RECENT_MAX: usize = 20_000;
/// The number of a process that only reads; writers are counted from 1.
const READER: i32 = 0;
/// The lock under which one process at a time erases or archives.
const ERASURE_LOCK: &str = "erasure";

/// The journal of a PostgreSQL database, as one of its writers.
pub struct PostgresJournal {
    database: PostgresDatabase,
    state: Arc<WriterState>,
    me: WriterId,
    /// The task that appends. None in a process that only reads, and after the end.
    appender: Mutex<Option<RunningAppender>>,
    /// Dropped last: the anchors end.
    _anchors: Option<oneshot::Sender<()>>,
    reads: Link,
    audit: Link,
    commits: CommitCounts,
    size: AtomicU64,
}

/// The queue of the task that appends, and the task.
struct RunningAppender {
    queue: mpsc::Sender<Job>,
    task: JoinHandle<()>,
}

impl PostgresJournal {
    /// Opens the journal as one more writer. Creates the tables if they are missing. Must be called inside a Tokio runtime.
    ///
    /// # Errors
    /// The database cannot be reached or used, or may lose what it acknowledges.
    pub async fn open(settings: &PostgresSettings) -> Result<Self, StoreError> {
        let database = PostgresDatabase::new(settings)?;
        let purpose = Purpose::Other { name: "start", statement_limit: SETUP_LIMIT };
        let connection = database.connect_to_write(purpose).await?;
        JOURNAL.prepare(&connection).await?;
        moves::refuse(&connection).await?;
        let me = writers::begin(&connection, &settings.name, SETUP_LIMIT).await?;
        // A move that began in between looked at the writers either before this one began, or it refuses.
        if let Err(moved) = moves::refuse(&connection).await {
            let session = WriterSession { writer: me.number, session: 0 };
            writers::seal_own(&connection, session, SETUP_LIMIT).await?;
            return Err(moved.into());
        }
        Ok(Self::start(database, me))
    }

    /// Opens the journal for reading: this process becomes no writer, and every write is refused.
    ///
    /// # Errors
    /// The database cannot be reached or used, or holds no journal.
    pub async fn read(settings: &PostgresSettings) -> Result<Self, StoreError> {
        let database = PostgresDatabase::new(settings)?;
        let purpose = Purpose::Other { name: "start", statement_limit: SETUP_LIMIT };
        database.check_sessions().await?;
        let connection = database.connect(purpose).await?;
        JOURNAL.require(&connection).await?;
        moves::refuse_to_read(&connection).await?;
        let state = Arc::new(WriterState::default());
        state.refuse_writes();
        Ok(Self::with(database, state, WriterId { number: READER, incarnation: Uuid::nil() }))
    }

    /// Verifies every entry of every chain, the index of actions and the anchors. With `known`, a hash from an earlier time, also verifies
    /// that no entry was removed since: that of an anchor, or of any entry.
    ///
    /// # Errors
    /// An entry, an anchor or the index was changed, or the journal cannot be read.
    pub async fn verify(&self, known: Option<Head>) -> Result<VerifiedChains, VerifyError> {
        self.verify_with_archives(known, &[]).await
    }

    /// As [`Self::verify`], together with all archive files, oldest first, that precede the chains.
    ///
    /// # Errors
    /// An entry, an anchor, the index or an archive file was changed, or something cannot be read.
    pub async fn verify_with_archives(
        &self,
        known: Option<Head>,
        files: &[PathBuf],
    ) -> Result<VerifiedChains, VerifyError> {
        let purpose = Purpose::Other { name: "verify", statement_limit: VERIFY_LIMIT };
        let connection = self.database.connect(purpose).await?;
        verify::verify(&connection, known, files).await
    }

    fn start(database: PostgresDatabase, me: WriterId) -> Self {
        let state = Arc::new(WriterState::default());
        let (queue, jobs) = mpsc::channel(QUEUE_MAX);
        let (renewals, stop) = oneshot::channel();
        tokio::spawn(Renewer::new(database.clone(), state.clone(), me).run(stop));
        let task = tokio::spawn(Appender::new(database.clone(), state.clone(), me, renewals).run(jobs));
        let (anchors, no_anchors) = oneshot::channel();
        let purpose = Purpose::Other { name: "anchor", statement_limit: READ_LIMIT };
        let link = Link::new(database.clone(), purpose);
        tokio::spawn(Anchorer::new(link, state.clone(), me.number).run(no_anchors));
        let journal = Self::with(database, state, me);
        let appender = Mutex::new(Some(RunningAppender { queue, task }));
        Self { appender, _anchors: Some(anchors), ..journal }
    }

    /// A journal without the tasks of a writer.
    fn with(database: PostgresDatabase, state: Arc<WriterState>, me: WriterId) -> Self {
        let link =
            |name, statement_limit| Link::new(database.clone(), Purpose::Other { name, statement_limit });
        Self {
            state,
            me,
            appender: Mutex::default(),
            _anchors: None,
            reads: link("read", READ_LIMIT),
            audit: link("audit", AUDIT_LIMIT),
            database,
            commits: CommitCounts::default(),
            size: AtomicU64::new(0),
        }
    }

    /// The number of this process as a writer; 0 if it only reads.
    pub fn writer(&self) -> i32 {
        self.me.number
    }

    /// Moves the entries of whole years into an archive file, while other processes may write. Never loses an entry: after a crash at any
    /// step, the same call continues.
    ///
    /// # Errors
    /// Nothing can be archived, the file cannot be written, or the journal cannot be read or written.
    pub async fn archive(&self, order: ArchiveOrder) -> Result<ArchiveReport, ArchiveError> {
        // Values that are erased between the file and the removal would be in the file and announced as erased.
        let _lock = self.take_or_wait(ERASURE_LOCK).await?;
        let prepared = archive::prepare(&self.database, &order).await?;
        if let Some((event, removal)) = prepared.removal {
            let event = JournalEntry::Admin(AdminEntry { at: order.now, by: order.by, event });
            let (answer, answered) = oneshot::channel();
            self.enqueue(Job::Archive { event, removal, answer }).await?;
            answered.await.map_err(|_| task_ended())??;
        }
        let head = self.head().await?.unwrap_or_default().head;
        let PreparedArchive { first, last, blocked_by, .. } = prepared;
        Ok(ArchiveReport { first, last, head, blocked_by })
    }

    /// The time of the database's clock.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn database_time(&self) -> Result<DateTime<Utc>, JournalError> {
        let sql = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint";
        let rows = self.audit.query(sql, &[], AUDIT_LIMIT).await?;
        DateTime::from_timestamp_millis(column(first(&rows)?, 0)?)
            .ok_or_else(|| JournalError::Damaged("the time of the database is out of range".to_owned()))
    }

    /// All chains, in the order in which their processes began.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub async fn chains(&self) -> Result<Vec<ChainInfo>, JournalError> {
        let rows = self.audit.query(writers::CHAINS, &[], AUDIT_LIMIT).await?;
        Ok(rows.iter().map(writers::chain_info).collect::<Result<_, PostgresError>>()?)
    }

    /// The entries of a chain as stored, in order: at most `max`, from the number `first` on.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub async fn entries_of(
        &self,
        writer: i32,
        first: u64,
        max: usize,
    ) -> Result<Vec<SealedEntry>, JournalError> {
        let sql = format!(
            "SELECT {ENTRY_COLUMNS} FROM entries AS e {BESIDE_ENTRY} WHERE e.writer = $1 AND e.number >= $2
             ORDER BY e.number LIMIT $3"
        );
        let (first, max) = (as_column(first), as_column(max as u64));
        let rows = self.audit.query(&sql, &[&writer, &first, &max], AUDIT_LIMIT).await?;
        let entries = rows.iter().map(|row| read_entry(row, 0).map(|written| written.sealed));
        Ok(entries.collect::<Result<_, PostgresError>>()?)
    }

    fn queue(&self) -> Option<mpsc::Sender<Job>> {
        let appender = self.appender.lock().unwrap_or_else(PoisonError::into_inner);
        appender.as_ref().map(|appender| appender.queue.clone())
    }

    async fn enqueue(&self, job: Job) -> Result<(), JournalError> {
        self.state.check()?;
        let queue = self.queue().ok_or_else(task_ended)?;
        queue.send(job).await.map_err(|_| task_ended())
    }

    async fn write(&self, record: JournalEntry) -> Result<(), JournalError> {
        let (answer, answered) = oneshot::channel();
        self.enqueue(Job::Write(PendingEntry { record, answer })).await?;
        answered.await.map_err(|_| task_ended())?
    }

    /// Takes a lock, unless another process holds it.
    async fn take(&self, name: &str) -> Result<Option<HeldLock>, JournalError> {
        let (answer, answered) = oneshot::channel();
        self.enqueue(Job::Take { name: indexed(name), answer }).await?;
        answered.await.map_err(|_| task_ended())?
    }

    async fn take_or_wait(&self, name: &str) -> Result<HeldLock, JournalError> {
        loop {
            if let Some(held) = self.take(name).await? {
                return Ok(held);
            }
            sleep(LOCK_AGAIN.mul_f64(1.0 + 3.0 * jitter())).await;
        }
    }

    /// Erases these values and records their number.
    async fn erase_batch(
        &self,
        erasure: &ErasureRequest,
        values: Vec<ValueLocation>,
    ) -> Result<(), JournalError> {
        let through = values.iter().map(|value| value.number.unsigned_abs()).max().unwrap_or_default();
        let event = AdminEvent::Erased { values: values.len() as u64, through };
        let event = JournalEntry::Admin(AdminEntry { at: erasure.now, by: erasure.by.clone(), event });
        let (answer, answered) = oneshot::channel();
        self.enqueue(Job::Erase { event, values, answer }).await?;
        answered.await.map_err(|_| task_ended())?
    }

    /// Checks that the server keeps what it acknowledges, commits without a change, and reads the size of the tables.
    async fn probe(&self) -> Result<(), JournalError> {
        self.state.check()?;
        self.database.check_promises(&self.reads.query(PROMISES, &[], READ_LIMIT).await?)?;
        let WriterId { number, incarnation } = self.me;
        if self.reads.query(writers::PROBE, &[&number, &incarnation], READ_LIMIT).await?.is_empty() {
            return Err(JournalError::Fenced);
        }
        let sql = "SELECT (pg_total_relation_size('entries') + pg_total_relation_size('personal')
                   + pg_total_relation_size('actions'))::bigint";
        let rows = self.reads.query(sql, &[], READ_LIMIT).await?;
        let size = rows.first().map(|row| column::<i64>(row, 0)).transpose()?.unwrap_or_default();
        self.size.store(size.unsigned_abs(), Ordering::Relaxed);
        Ok(())
    }
}

#[async_trait]
impl Journal for PostgresJournal {
    async fn record(&self, entry: ActionEntry) -> Result<(), JournalError> {
        self.commits.record(self.write(entry.into()).await)
    }

    async fn record_admin(&self, entry: AdminEntry) -> Result<(), JournalError> {
        self.commits.record(self.write(entry.into()).await)
    }

    async fn lock(&self, name: &LockName) -> Result<JournalLock, JournalError> {
        Ok(JournalLock::released_by(Box::new(self.take_or_wait(&name.to_string()).await?)))
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn ended(&self) -> Option<JournalError> {
        self.state.check().err()
    }

    async fn try_lock(&self, name: &LockName) -> Result<Option<JournalLock>, JournalError> {
        let held = self.take(&name.to_string()).await?;
        Ok(held.map(|held| JournalLock::released_by(Box::new(held))))
    }

    async fn admin_events(&self, query: &AdminQuery) -> Result<AdminPage, JournalError> {
        find::admin_events(&self.audit, query, AUDIT_LIMIT).await
    }

    async fn action_record(&self, action: ActionId) -> Result<Option<ActionRecord>, JournalError> {
        let reader = Reader::Link(&self.reads);
        let mut stored = stored_records(&reader, &[action.0], READ_LIMIT).await?;
        Ok(stored.remove(&action).map(|stored| stored.record))
    }

    async fn find(&self, query: &Query) -> Result<Vec<ActionRecord>, JournalError> {
        find::find(&self.reads, query, READ_LIMIT).await
    }

    async fn page(
        &self,
        query: &Query,
        after: Option<Position>,
        examine: usize,
    ) -> Result<RecordPage, JournalError> {
        find::page(&self.audit, query, (after, examine), AUDIT_LIMIT).await
    }

    async fn actions_since(&self, since: DateTime<Utc>) -> Result<Vec<ActionId>, JournalError> {
        // The index has the time at which an action was accepted; one that stayed open longer than a day is not found.
        let query =
            Query { since: Some(since - TimeDelta::days(1)), limit: Some(RECENT_MAX), ..Query::default() };
        let recent = find::find(&self.audit, &query, AUDIT_LIMIT).await?;
        Ok(recent
            .into_iter()
            .filter(|record| record.last_at >= since)
            .map(|record| record.action.id)
            .collect())
    }

    async fn entries(&self, first: u64, max: usize) -> Result<Vec<SealedEntry>, JournalError> {
        self.entries_of(self.me.number, first, max).await
    }

    async fn first_entry(&self) -> Result<Option<SealedEntry>, JournalError> {
        let sql =
            format!("SELECT {ENTRY_COLUMNS} FROM entries AS e {BESIDE_ENTRY} ORDER BY e.position LIMIT 1");
        let rows = self.audit.query(&sql, &[], AUDIT_LIMIT).await?;
        let first = rows.first().map(|row| read_entry(row, 0).map(|written| written.sealed));
        Ok(first.transpose()?)
    }

    async fn try_commit(&self) -> Result<(), JournalError> {
        self.commits.record(self.probe().await)
    }

    fn health(&self) -> JournalHealth {
        let size = self.size.load(Ordering::Relaxed);
        JournalHealth { size_bytes: (size > 0).then_some(size), ..self.commits.health() }
    }

    fn chain(&self) -> Option<Chain> {
        (self.me.number != READER).then(|| self.state.chain())
    }

    /// Writes an anchor first, unless this process only reads.
    async fn head(&self) -> Result<Option<Chain>, JournalError> {
        if self.me.number == READER {
            return Ok(Some(anchors::last(&self.audit).await?));
        }
        self.state.check()?;
        anchors::write(&self.reads, self.me.number).await.map(Some)
    }

    async fn archived(&self) -> Result<Option<Archived>, JournalError> {
        let rows = self.reads.query(writers::ARCHIVED, &[], READ_LIMIT).await?;
        Ok(ArchivedChains::of(&rows)?.summary())
    }

    async fn erase(&self, erasure: ErasureRequest) -> Result<ErasureResult, JournalError> {
        let _lock = self.take_or_wait(ERASURE_LOCK).await?;
        let mut values = 0;
        loop {
            let batch = erase::locate(&self.audit, &erasure, AUDIT_LIMIT).await?;
            if batch.is_empty() {
                break;
            }
            values += batch.len() as u64;
            self.erase_batch(&erasure, batch).await?;
        }
        let spared = erase::spared(&self.audit, &erasure, AUDIT_LIMIT).await?;
        let in_clear = erase::has_names_in_clear(&self.audit, AUDIT_LIMIT).await?;
        // The server's log, and the rows until a vacuum, still hold the values for a while.
        Ok(ErasureResult { values, spared, in_clear, log_remains: values > 0 })
    }

    fn queued_facts(&self) -> usize {
        self.queue().map_or(0, |queue| queue.max_capacity() - queue.capacity())
    }

    /// Seals the chain of this process. A journal that is dropped instead does the same as long as its runtime lives.
    async fn close(&self) {
        let appender = self.appender.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(RunningAppender { queue, task }) = appender {
            drop(queue);
            // If the task panicked, others seal the chain.
            let _ = task.await;
        }
    }
}

fn task_ended() -> JournalError {
    JournalError::Unusable("the task that appends has ended".to_owned())
}
