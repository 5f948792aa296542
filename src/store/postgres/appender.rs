//! The task that appends: it stores all waiting entries with one statement, and takes and gives back locks with the same one. A statement
//! is never cancelled. If its answer is lost, the task connects again and compares the chain before it does anything else.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use super::batch::{BatchResult, LockToken, ValueLocation, WriterSession};
use super::connection::Connection;
use super::database::{PostgresDatabase, Purpose};
use super::ending::{Comparison, compare};
use super::error::PostgresError;
use super::link::Backoff;
use super::plan::Plan;
use super::records::{Reader, StoredRecord, stored_records};
use super::removal::Removal;
use super::state::{HeldLock, WriterState};
use super::writers::{self, WriterId};
use crate::action::ActionId;
use crate::journal::{Fact, JournalEntry, JournalError};
use crate::store::writer::PendingEntry;

/// Jobs that may wait in the queue. A sender waits when it is full.
pub(super) const QUEUE_MAX: usize = 4_096;
/// Jobs in one statement.
const BATCH: usize = 1_024;
/// How long a batch waits for the database, reconnecting included. Afterwards its entries count as not stored: their effects must not happen.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long the removal of archived entries may take: it may be millions. Only `adjourn audit archive` waits.
const REMOVAL_PATIENCE: Duration = Duration::from_secs(3_600);
/// Time after which the server is checked again before a batch.
const CHECK_EVERY: Duration = Duration::from_secs(10);
/// Pause before a lock that could not be given back is given back again.
const RELEASE_AGAIN: Duration = Duration::from_millis(500);
/// How long the last statement of an ending process may take.
const CLOSE_LIMIT: Duration = Duration::from_secs(2);

/// Why the database stored nothing of a process that may write, where the chain ends as expected.
const NO_REASON: &str = "the database refused a batch for no visible reason";
/// The same for a removal.
const CHANGED_ENTRIES: &str =
    "the entries to archive are no longer those of the file, so nothing was removed; run the command again";

/// Work for the task.
pub(super) enum Job {
    /// Append an entry, together with others.
    Write(PendingEntry),
    /// Take a lock, if no other process that lives holds it.
    Take { name: String, answer: oneshot::Sender<Result<Option<HeldLock>, JournalError>> },
    /// Append this event, and erase the values that it announces.
    Erase {
        event: JournalEntry,
        values: Vec<ValueLocation>,
        answer: oneshot::Sender<Result<(), JournalError>>,
    },
    /// Append this event, and remove the entries that it announces as archived.
    Archive { event: JournalEntry, removal: Removal, answer: oneshot::Sender<Result<(), JournalError>> },
}

/// What an admin event announces.
enum Change {
    Erase(Vec<ValueLocation>),
    Remove(Removal),
}

/// A waiting request for a lock.
struct PendingLock {
    token: LockToken,
    answer: oneshot::Sender<Result<Option<HeldLock>, JournalError>>,
}

/// Why a plan was not stored.
enum NotStored {
    /// Another process stored the same step of one of the actions.
    Duplicate(String),
    Failed(JournalError),
}

/// Everything that the task owns.
pub(super) struct Appender {
    database: PostgresDatabase,
    state: Arc<WriterState>,
    me: WriterId,
    /// The connection, and the session that it began.
    open: Option<(Connection, WriterSession)>,
    /// When the server was last found to keep what it acknowledges.
    checked_at: Instant,
    /// Whether the log has it that the server is refused.
    is_refused: bool,
    /// The records of this process's open actions.
    records: HashMap<ActionId, StoredRecord>,
    /// The plan that was sent, while its answer is not known.
    sent: Option<Plan>,
    /// Dropped at the end: only then the renewals end.
    _renewals: oneshot::Sender<()>,
}

impl Appender {
    pub(super) fn new(
        database: PostgresDatabase,
        state: Arc<WriterState>,
        me: WriterId,
        renewals: oneshot::Sender<()>,
    ) -> Self {
        let (open, records, sent) = (None, HashMap::new(), None);
        let (checked_at, is_refused) = (Instant::now(), false);
        Self { database, state, me, open, checked_at, is_refused, records, sent, _renewals: renewals }
    }

    /// Works until the queue is closed and empty, then seals the chain of this process.
    pub(super) async fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        let mut waiting = Vec::new();
        loop {
            tokio::select! {
                biased;
                count = jobs.recv_many(&mut waiting, BATCH) => if count == 0 { break },
                () = self.state.wait_for_release() => {}
                () = sleep(RELEASE_AGAIN), if self.state.has_releases() => {}
            }
            self.work(std::mem::take(&mut waiting)).await;
        }
        // A process that wrote nothing has no connection yet.
        let connected = timeout(CLOSE_LIMIT, self.connect(Instant::now() + CLOSE_LIMIT)).await;
        self.state.close();
        if let (Ok(Ok(())), Some((connection, me))) = (connected, &self.open) {
            // If this fails, others seal the chain when its renewal expires.
            let _ = writers::seal_own(connection, *me, CLOSE_LIMIT).await;
        }
    }

    async fn work(&mut self, jobs: Vec<Job>) {
        let (mut entries, mut locks, mut events) = (Vec::new(), Vec::new(), Vec::new());
        for job in jobs {
            match job {
                Job::Write(entry) => entries.push(entry),
                Job::Take { name, answer } => {
                    locks.push(PendingLock { token: self.state.token(name), answer })
                }
                Job::Erase { event, values, answer } => events.push((event, Change::Erase(values), answer)),
                Job::Archive { event, removal, answer } => {
                    events.push((event, Change::Remove(removal), answer))
                }
            }
        }
        self.append(entries, locks).await;
        for (event, change, answer) in events {
            let _ = answer.send(self.append_with(&event, change).await);
        }
    }

    /// Appends an event, and makes the change that it announces.
    async fn append_with(&mut self, event: &JournalEntry, change: Change) -> Result<(), JournalError> {
        let mut plan = Plan::new(self.me.number, self.state.chain());
        plan.add(event, None)?;
        let patience = match change {
            Change::Erase(values) => {
                plan.batch.erased = values;
                PATIENCE
            }
            Change::Remove(removal) => {
                plan.removal = Some(removal);
                REMOVAL_PATIENCE
            }
        };
        Ok(self.store(plan, Instant::now() + patience).await.map(|_| ())?)
    }

    /// Appends entries, takes locks and gives others back, with one statement if all goes well.
    async fn append(&mut self, entries: Vec<PendingEntry>, locks: Vec<PendingLock>) {
        let deadline = Instant::now() + PATIENCE;
        let records: Vec<&JournalEntry> = entries.iter().map(|entry| &entry.record).collect();
        let (answers, taken) = self.append_together(&records, &locks, deadline).await;
        for (entry, answer) in entries.into_iter().zip(answers) {
            // The receiver may be gone; the entry is stored all the same.
            let _ = entry.answer.send(answer);
        }
        for lock in locks {
            let is_taken = taken.as_ref().map(|names| names.contains(&lock.token.name)).map_err(Clone::clone);
            let held = is_taken.map(|taken| taken.then(|| HeldLock::new(self.state.clone(), lock.token)));
            // If the receiver is gone, the lock is dropped, and thereby given back.
            let _ = lock.answer.send(held);
        }
    }

    /// The answers to the entries, and the names of the locks that were taken.
    async fn append_together(
        &mut self,
        entries: &[&JournalEntry],
        locks: &[PendingLock],
        deadline: Instant,
    ) -> (Vec<Result<(), JournalError>>, Result<Vec<String>, JournalError>) {
        let mut planned = match self.plan(entries, KnownFrom::Memory, deadline).await {
            Ok(planned) => planned,
            Err(error) => return (failed(entries, &error), Err(error)),
        };
        let releases = self.add_locks(&mut planned.0, locks);
        match self.store(planned.0, deadline).await {
            Ok(Some(taken)) => (planned.1, Ok(taken)),
            // The entries were found after a reconnect. What became of the locks is not known, and taking them twice does no harm.
            Ok(None) => (planned.1, self.take_again(locks, releases, deadline).await),
            Err(NotStored::Duplicate(_)) => {
                let mut answers = Vec::with_capacity(entries.len());
                for entry in entries {
                    answers.push(self.append_one(entry, deadline).await);
                }
                (answers, self.take_again(locks, releases, deadline).await)
            }
            Err(NotStored::Failed(error)) => {
                self.give_up(locks, releases);
                (failed(entries, &error), Err(error))
            }
        }
    }

    /// Appends one entry behind what the database has of its action, whatever is in memory.
    async fn append_one(&mut self, entry: &JournalEntry, deadline: Instant) -> Result<(), JournalError> {
        let (plan, mut answers) = self.plan(&[entry], KnownFrom::Database, deadline).await?;
        match answers.pop() {
            Some(Ok(())) => self.store(plan, deadline).await.map(|_| ()).map_err(JournalError::from),
            Some(refused) => refused,
            None => Ok(()),
        }
    }

    async fn take_again(
        &mut self,
        locks: &[PendingLock],
        releases: Vec<LockToken>,
        deadline: Instant,
    ) -> Result<Vec<String>, JournalError> {
        self.state.put_back(releases);
        let mut plan = Plan::new(self.me.number, self.state.chain());
        let releases = self.add_locks(&mut plan, locks);
        let stored = self.store(plan, deadline).await;
        stored.map(Option::unwrap_or_default).map_err(|error| {
            self.give_up(locks, releases);
            error.into()
        })
    }

    /// Keeps the locks to give back for the next statement, also those that nobody receives: the database may have given them all the same.
    fn give_up(&self, locks: &[PendingLock], releases: Vec<LockToken>) {
        self.state.put_back(releases.into_iter().chain(locks.iter().map(|lock| lock.token.clone())));
    }

    /// Adds the locks to take, and those to give back, which are returned.
    fn add_locks(&self, plan: &mut Plan, locks: &[PendingLock]) -> Vec<LockToken> {
        let mut taken: HashMap<&str, &LockToken> = HashMap::new();
        for lock in locks {
            // The last taking of a name counts; the others are given back without effect.
            taken.insert(&lock.token.name, &lock.token);
        }
        let releases = self.state.take_releases();
        let freed = releases.iter().filter(|one| !taken.contains_key(one.name.as_str()));
        plan.batch.freed = freed.cloned().collect();
        plan.batch.taken = taken.into_values().cloned().collect();
        releases
    }

    /// Plans the entries behind the records in memory and in the database. An entry that cannot follow is answered, and left out.
    async fn plan(
        &mut self,
        entries: &[&JournalEntry],
        from: KnownFrom,
        deadline: Instant,
    ) -> Result<(Plan, Vec<Result<(), JournalError>>), JournalError> {
        let unknown: Vec<Uuid> = entries.iter().filter_map(|entry| self.unknown(entry, from)).collect();
        let known = self.read(&unknown, deadline).await?;
        let mut plan = Plan::new(self.me.number, self.state.chain());
        let add = |entry: &&JournalEntry| {
            let known = match entry {
                JournalEntry::Action(fact) => {
                    known.get(&fact.action).or_else(|| self.records.get(&fact.action))
                }
                JournalEntry::Admin(_) => None,
            };
            plan.add(entry, known)
        };
        let answers = entries.iter().map(add).collect();
        plan.index();
        Ok((plan, answers))
    }

    /// The action whose record has to be read. A new action is taken to be new: if it is not, the database refuses it.
    fn unknown(&self, entry: &JournalEntry, from: KnownFrom) -> Option<Uuid> {
        let JournalEntry::Action(fact) = entry else { return None };
        let is_new = matches!(fact.fact, Fact::Accepted { .. });
        let is_known = is_new || self.records.contains_key(&fact.action);
        (from == KnownFrom::Database || !is_known).then_some(fact.action.0)
    }

    async fn read(
        &mut self,
        actions: &[Uuid],
        deadline: Instant,
    ) -> Result<HashMap<ActionId, StoredRecord>, JournalError> {
        if actions.is_empty() {
            return Ok(HashMap::new());
        }
        loop {
            self.connect(deadline).await?;
            let Some((connection, _)) = &self.open else { continue };
            let limit = deadline.duration_since(Instant::now());
            match stored_records(&Reader::Connection(connection), actions, limit).await {
                Err(JournalError::Unusable(_)) if !connection.is_usable() && Instant::now() < deadline => {}
                done => return done,
            }
        }
    }

    /// Stores a plan. `Some` has the locks that were taken; `None` means that the answer was lost and the entries were found.
    async fn store(&mut self, plan: Plan, deadline: Instant) -> Result<Option<Vec<String>>, NotStored> {
        self.connect(deadline).await?;
        // A reconnect may have found an earlier batch, behind which this plan has to be made again; only the caller can do that.
        if plan.before != self.state.chain() {
            let why = "the chain went on after a reconnect".to_owned();
            return Err(NotStored::Duplicate(why));
        }
        self.sent = Some(plan);
        loop {
            match self.send(deadline).await {
                Sent::Done(done) => return done,
                Sent::Again => {}
                Sent::Lost => {
                    self.connect(deadline).await?;
                    // `connect` compares the chain, and clears what was sent if it is there.
                    if self.sent.is_none() {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Sends the plan once.
    async fn send(&mut self, deadline: Instant) -> Sent {
        let (Some((connection, me)), Some(plan)) = (&self.open, &self.sent) else { return Sent::Lost };
        let limit = deadline.duration_since(Instant::now());
        let result = match &plan.removal {
            Some(removal) => removal.store(&plan.batch, connection, *me, plan.before, limit).await,
            None => plan.batch.store(connection, *me, plan.before, limit).await,
        };
        let is_usable = connection.is_usable();
        match result {
            Ok(BatchResult::Stored { taken }) => {
                self.adopt();
                Sent::Done(Ok(Some(taken.into_iter().collect())))
            }
            Ok(BatchResult::NotOurs) => {
                let why = if plan.removal.is_some() { CHANGED_ENTRIES } else { NO_REASON };
                self.sent = None;
                Sent::Done(Err(self.refused(why, deadline).await.into()))
            }
            Err(error) if error.is_damage() => {
                self.sent = None;
                Sent::Done(Err(self.state.end(error.into()).into()))
            }
            Err(_) if !is_usable => {
                self.open = None;
                Sent::Lost
            }
            Err(error) if error.may_be_repeated() && Instant::now() < deadline => Sent::Again,
            // The statement of a removal whose process is gone may still run in the server.
            Err(error) if plan.removal.is_some() && error.is_lock_timeout() && Instant::now() < deadline => {
                Sent::Again
            }
            Err(error) => {
                self.sent = None;
                let is_duplicate = error.is_unique_violation();
                let error = error.to_string();
                Sent::Done(Err(if is_duplicate {
                    NotStored::Duplicate(error)
                } else {
                    NotStored::Failed(JournalError::Unusable(error))
                }))
            }
        }
    }

    /// The sent plan is stored.
    fn adopt(&mut self) {
        let Some(plan) = self.sent.take() else { return };
        self.state.set_chain(plan.after());
        for (action, stored) in plan.updated {
            if stored.record.is_open() {
                self.records.insert(action, stored);
            } else {
                self.records.remove(&action);
            }
        }
    }

    /// Why the database stored nothing; `otherwise`, if this process may still write.
    async fn refused(&mut self, otherwise: &str, deadline: Instant) -> JournalError {
        let Some((connection, me)) = &self.open else { return late() };
        let limit = deadline.duration_since(Instant::now());
        let stored = match writers::stored_chain(connection, self.me, limit).await {
            Ok(stored) => stored,
            Err(error) => return error.into(),
        };
        match compare(stored, self.state.chain(), None) {
            Comparison::Ended(why) => self.state.end(why),
            _ if stored.is_some_and(|stored| stored.session != me.session) => self
                .state
                .end(JournalError::Damaged("another process writes under the number of this one".to_owned())),
            _ => JournalError::Unusable(otherwise.to_owned()),
        }
    }

    /// Connects if no connection is open, begins a session, and compares the chain: a batch whose answer was lost is adopted or known not
    /// to be stored afterwards.
    async fn connect(&mut self, deadline: Instant) -> Result<(), JournalError> {
        self.state.check()?;
        if self.is_open().await {
            return Ok(());
        }
        self.open = None;
        let mut backoff = Backoff::default();
        while Instant::now() < deadline {
            let error = match self.connect_once(deadline).await {
                Ok(()) => {
                    self.report_accepted();
                    return self.state.check();
                }
                Err(error) => error,
            };
            self.report_refused(&error);
            let pause = backoff.next_pause();
            if Instant::now() + pause >= deadline {
                return Err(error.into());
            }
            sleep(pause).await;
        }
        // What was sent stays, so that the next batch compares it with the chain.
        Err(late())
    }

    /// Whether the open connection can be used. From time to time its server is checked again: it may have a new standby since.
    async fn is_open(&mut self) -> bool {
        let Some((connection, _)) = self.open.as_ref().filter(|(connection, _)| connection.is_usable())
        else {
            return false;
        };
        if self.checked_at.elapsed() < CHECK_EVERY {
            return true;
        }
        // If it fails, the next connection shows why.
        let keeps = self.database.check_server(connection).await.is_ok();
        self.checked_at = Instant::now();
        keeps
    }

    /// Logs a server that this process may not write to, once.
    fn report_refused(&mut self, error: &PostgresError) {
        if error.is_refusal() && !std::mem::replace(&mut self.is_refused, true) {
            tracing::error!(%error, "this process stores no facts, and so acts on no calendar, until the database is corrected");
        }
    }

    fn report_accepted(&mut self) {
        if std::mem::take(&mut self.is_refused) {
            tracing::info!("the database is corrected: this process stores facts again");
        }
    }

    /// One attempt. The server may be another one than before, with other settings and other standbys.
    async fn connect_once(&mut self, deadline: Instant) -> Result<(), PostgresError> {
        let limit = || deadline.duration_since(Instant::now());
        let connection = self.database.connect_to_write(Purpose::Append).await?;
        self.checked_at = Instant::now();
        let me = writers::begin_session(&connection, self.me, limit()).await?;
        let stored = match me {
            Some(_) => writers::stored_chain(&connection, self.me, limit()).await?,
            None => None,
        };
        let sent = self.sent.as_ref().map(Plan::after);
        match (compare(stored, self.state.chain(), sent), me) {
            (Comparison::Ended(why), _) => drop(self.state.end(why)),
            (Comparison::Stored, Some(_)) => self.adopt(),
            (Comparison::NotStored, _) | (Comparison::Stored, None) => {}
        }
        self.open = me.map(|me| (connection, me));
        Ok(())
    }
}

/// Where records come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KnownFrom {
    /// From memory, and from the database where there is none.
    Memory,
    /// From the database.
    Database,
}

/// The result of sending a plan once.
enum Sent {
    Done(Result<Option<Vec<String>>, NotStored>),
    /// The server undid the statement for the sake of another one.
    Again,
    /// No answer, and the connection is dead.
    Lost,
}

impl From<JournalError> for NotStored {
    fn from(error: JournalError) -> Self {
        Self::Failed(error)
    }
}

impl From<NotStored> for JournalError {
    fn from(error: NotStored) -> Self {
        match error {
            NotStored::Duplicate(why) => {
                Self::Unusable(format!("another process stored the same step: {why}"))
            }
            NotStored::Failed(error) => error,
        }
    }
}

fn late() -> JournalError {
    JournalError::Unusable(
        "PostgreSQL did not answer in time; whether the entries are stored is not known".to_owned(),
    )
}

fn failed(entries: &[&JournalEntry], error: &JournalError) -> Vec<Result<(), JournalError>> {
    entries.iter().map(|_| Err(error.clone())).collect()
}
