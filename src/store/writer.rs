//! The one thread that writes. Whatever waits is written together: a sweep costs an fsync for each batch, not for each
//! fact.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use super::action_row::{self, ActionRow};
use super::checkpointer::{Checkpointer, restart_wal};
use super::error::journal_error;
use super::head_file::HeadFile;
use super::sqlite::read_action;
use super::{StoreError, archived, personal};
use crate::action::ActionId;
use crate::journal::{ActionEntry, ActionRecord, Chain, Head, JournalEntry, JournalError};

/// Facts that may wait; whoever comes then waits for a place.
const QUEUE_MAX: usize = 4_096;
/// Facts in one transaction: enough for any sweep, and short enough to answer soon.
const BATCH: usize = 1_024;

/// What the thread is asked to do.
pub(super) enum Job {
    /// Write an entry, together with others.
    Write(PendingEntry),
    /// Do something in transactions of its own. It sends its answer itself.
    Task(Task),
}

/// Works on the file between two batches.
pub(super) type Task = Box<dyn FnOnce(&mut Connection) + Send>;

/// An entry to be written, and who wants to know.
pub(super) struct PendingEntry {
    pub(super) record: JournalEntry,
    pub(super) answer: oneshot::Sender<Result<(), JournalError>>,
}

/// The chain's end as the file has it, for those who do not write.
#[derive(Clone, Default)]
pub(super) struct ChainTip(Arc<Mutex<Chain>>);

impl ChainTip {
    pub(super) fn get(&self) -> Chain {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, chain: Chain) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = chain;
    }
}

/// What the writer knows besides the file.
struct WriterState {
    chain: Chain,
    /// The open actions.
    open: HashMap<ActionId, ActionRecord>,
}

/// Facts after which the keeper is called. A fact is some seven pages of the log. While the keeper works, the disk has less
/// time for commits: seldom and long is better for those who wait at a door than often and short.
const CHECKPOINT_AFTER: usize = 1_000;
/// … and facts after which the log is worked in here, before the next one: where the keeper never comes to its end because
/// facts come all the time, the log must not grow for ever.
const RESTART_WAL_AFTER: usize = 10_000;

/// Between two writes of `journal.head`: whoever loses the log (WAL) unnoticed loses seconds.
const HEAD_STORED_EVERY: Duration = Duration::from_secs(10);

/// The thread, and the way to it. Both are `None` only while the writer is dropped.
pub(super) struct JournalWriter {
    pub(super) tip: ChainTip,
    queue: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl JournalWriter {
    pub(super) fn queue(&self) -> Option<&mpsc::Sender<Job>> {
        self.queue.as_ref()
    }
}

/// Waits until what was sent is written and the file is closed: whoever owns the state directory next finds it at rest.
impl Drop for JournalWriter {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has closed the file too.
            let _ = thread.join();
        }
    }
}

/// Starts the thread. It ends when the writer is dropped, and what was sent is written by then.
pub(super) fn start(
    connection: Connection,
    keeper: Checkpointer,
    head: HeadFile,
) -> Result<JournalWriter, StoreError> {
    let state = WriterState::read(&connection)?;
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    let (sender, receiver) = mpsc::channel(QUEUE_MAX);
    let tip = ChainTip::default();
    tip.set(state.chain);
    head.store(state.chain);
    let (known, stored) = (Some(state), now());
    let hand = WriterLoop {
        connection,
        checkpointer: keeper,
        head,
        head_stored_at: stored,
        state: known,
        tip: tip.clone(),
        entries_in_wal: 0,
    };
    let run = move || hand.run(receiver);
    let thread = std::thread::Builder::new().name("adjourn-journal".to_owned()).spawn(run);
    Ok(JournalWriter { tip, queue: Some(sender), thread: Some(thread.map_err(StoreError::Thread)?) })
}

impl WriterState {
    fn read(connection: &Connection) -> Result<Self, StoreError> {
        Ok(Self { chain: chain_end(connection)?, open: open_actions(connection)? })
    }
}

/// The end of the chain in the file; where all entries are archived, the end of the archive.
pub(super) fn chain_end(connection: &Connection) -> rusqlite::Result<Chain> {
    let last = "SELECT number, hash FROM entries ORDER BY number DESC LIMIT 1";
    let last = connection
        .query_row(last, [], |row| {
            Ok(Chain { length: row.get::<_, i64>(0)?.unsigned_abs(), head: Head(row.get(1)?) })
        })
        .optional()?;
    match last {
        Some(chain) => Ok(chain),
        None => Ok(archived::read(connection)?.map_or_else(Chain::default, |archived| archived.chain)),
    }
}

fn open_actions(connection: &Connection) -> Result<HashMap<ActionId, ActionRecord>, StoreError> {
    let mut statement = connection.prepare("SELECT action FROM lives WHERE ending = 'open'")?;
    let actions: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let damaged = |error: JournalError| StoreError::Damaged(error.to_string());
    let lives =
        actions.iter().filter_map(|action| read_action(connection, action).map_err(damaged).transpose());
    lives.map(|life| life.map(|life| (life.action.id, life))).collect()
}

/// Everything the thread works with.
struct WriterLoop {
    connection: Connection,
    checkpointer: Checkpointer,
    head: HeadFile,
    /// When `head` was written last.
    head_stored_at: Instant,
    state: Option<WriterState>,
    tip: ChainTip,
    /// Facts since the log was worked in.
    entries_in_wal: usize,
}

impl WriterLoop {
    fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        let mut batch = Vec::with_capacity(BATCH);
        while jobs.blocking_recv_many(&mut batch, BATCH) > 0 {
            let mut pending = Vec::with_capacity(batch.len());
            for job in batch.drain(..) {
                match job {
                    Job::Write(one) => pending.push(one),
                    Job::Task(task) => {
                        self.write(std::mem::take(&mut pending));
                        self.run_task(task);
                    }
                }
            }
            self.write(pending);
        }
        self.head.store(self.tip.get());
    }

    fn run_task(&mut self, task: Task) {
        self.state = None;
        task(&mut self.connection);
        // Where the file cannot be read now, the next batch says so.
        if let Ok(state) = WriterState::read(&self.connection) {
            self.tip.set(state.chain);
            self.head.store(state.chain);
            self.state = Some(state);
        }
    }

    fn write(&mut self, mut batch: Vec<PendingEntry>) {
        let len = batch.len();
        if len == 0 {
            return;
        }
        self.entries_in_wal += len;
        let written = write_batch(&mut self.connection, &mut self.state, &mut batch);
        if let Some(state) = &self.state {
            self.tip.set(state.chain);
        }
        for (one, answer) in batch.into_iter().zip(written) {
            // Whoever does not wait any more has been dropped; the fact is kept all the same.
            let _ = one.answer.send(answer);
        }
        self.maintain_wal(len);
    }

    fn maintain_wal(&mut self, len: usize) {
        if self.entries_in_wal >= RESTART_WAL_AFTER {
            // If somebody reads for long, it is tried again after a tenth as many.
            let again = RESTART_WAL_AFTER - RESTART_WAL_AFTER / 10;
            self.entries_in_wal = if restart_wal(&self.connection) { 0 } else { again };
        } else if self.entries_in_wal % CHECKPOINT_AFTER < len {
            self.checkpointer.request_checkpoint();
        }
        if self.head_stored_at.elapsed() >= HEAD_STORED_EVERY {
            self.head.store(self.tip.get());
            self.head_stored_at = now();
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "how often a file is written is no time of the domain")]
fn now() -> Instant {
    Instant::now()
}

/// Writes, and forgets what it knew when that failed: whether the disk took it, only the file can say.
fn write_batch(
    connection: &mut Connection,
    known: &mut Option<WriterState>,
    batch: &mut [PendingEntry],
) -> Vec<Result<(), JournalError>> {
    let failed = |error: JournalError| batch.iter().map(|_| Err(error.clone())).collect();
    let mut state = match known.take().map_or_else(|| WriterState::read(connection), Ok) {
        Ok(state) => state,
        Err(StoreError::Sqlite(error)) => return failed(journal_error(error)),
        Err(error) => return failed(JournalError::Damaged(error.to_string())),
    };
    match write(connection, &mut state, batch) {
        Ok(answers) => {
            *known = Some(state);
            answers
        }
        Err(error) => failed(journal_error(error)),
    }
}

/// All or nothing, but for facts that are impossible: those are refused alone.
fn write(
    connection: &mut Connection,
    state: &mut WriterState,
    batch: &[PendingEntry],
) -> rusqlite::Result<Vec<Result<(), JournalError>>> {
    let mut chain = state.chain;
    let mut lives: HashMap<ActionId, ActionRecord> = HashMap::new();
    let transaction = begin_immediate(connection)?;
    let mut answers = Vec::with_capacity(batch.len());
    for PendingEntry { record, .. } in batch {
        answers.push(match record {
            JournalEntry::Action(entry) => {
                let known = lives.get(&entry.action).or_else(|| state.open.get(&entry.action)).cloned();
                append_fact(&transaction, &mut chain, known, (entry, record))?.map(|life| {
                    lives.insert(entry.action, life);
                })
            }
            JournalEntry::Admin(_) => append(&transaction, &mut chain, record)?.map(|_| ()),
        });
    }
    transaction.commit()?;
    state.chain = chain;
    for (id, life) in lives {
        if life.is_open() {
            state.open.insert(id, life);
        } else {
            state.open.remove(&id);
        }
    }
    Ok(answers)
}

/// Stores the fact and its life's row, unless it cannot follow what is known.
fn append_fact(
    transaction: &Transaction<'_>,
    chain: &mut Chain,
    known: Option<ActionRecord>,
    (entry, record): (&ActionEntry, &JournalEntry),
) -> rusqlite::Result<Result<ActionRecord, JournalError>> {
    let before = match known {
        Some(life) => Some(life),
        // Closed ones are not kept in memory; nothing may follow them.
        None => match read_action(transaction, &entry.action.to_string()) {
            Ok(life) => life,
            Err(error) => return Ok(Err(error)),
        },
    };
    let life = match ActionRecord::apply(before, entry) {
        Ok(life) => life,
        Err(impossible) => return Ok(Err(impossible.into())),
    };
    let number = match append(transaction, chain, record)? {
        Ok(number) => number,
        Err(error) => return Ok(Err(error)),
    };
    ActionRow::from_record(&life, number).put(transaction)?;
    Ok(Ok(life))
}

/// Begins a transaction that may write from its first statement on. One that reads first fails at its first write, when
/// another connection of this process has committed in between.
pub(super) fn begin_immediate(connection: &mut Connection) -> rusqlite::Result<Transaction<'_>> {
    connection.transaction_with_behavior(TransactionBehavior::Immediate)
}

/// Stores one entry and its personal values; its number.
pub(super) fn append(
    transaction: &Transaction<'_>,
    chain: &mut Chain,
    record: &JournalEntry,
) -> rusqlite::Result<Result<u64, JournalError>> {
    let text = match record.to_text(&mut personal::salt) {
        Ok(text) => text,
        Err(error) => return Ok(Err(JournalError::Unusable(error.to_string()))),
    };
    let sealed = chain.seal_text(text);
    let number = i64::try_from(sealed.number).unwrap_or(i64::MAX);
    let rows = transaction
        .prepare_cached("INSERT INTO entries (number, action, body, hash) VALUES (?1, ?2, ?3, ?4)")?
        .execute((number, record.filed_under(), &sealed.body, sealed.hash.0))?;
    action_row::expect_one_row(rows)?;
    personal::put(transaction, &sealed, record.at().timestamp_millis())?;
    Ok(Ok(sealed.number))
}
