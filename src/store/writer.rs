//! The writer thread. Writes all waiting entries in one transaction, so that a sweep costs one fsync for each batch instead of
//! one for each fact. Never changes or deletes an entry itself; archiving and erasing run here as tasks.

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
use super::records::read_action;
use super::{StoreError, archived, beginning, personal};
use crate::action::ActionId;
use crate::journal::{ActionEntry, ActionRecord, Chain, Head, JournalEntry, JournalError};

/// Entries that may wait in the queue. A sender waits when it is full.
const QUEUE_MAX: usize = 4_096;
/// Entries in one transaction: enough for any sweep, and few enough for a quick answer.
const BATCH: usize = 1_024;

/// Work for the writer thread.
pub(super) enum Job {
    /// Append an entry, in one transaction with others.
    Write(PendingEntry),
    /// Run a task that makes its own transactions and sends its own answer.
    Task(Task),
}

/// A task that runs between two batches.
pub(super) type Task = Box<dyn FnOnce(&mut Connection) + Send>;

/// An entry that waits for its transaction, and the channel for its answer.
pub(super) struct PendingEntry {
    pub(super) record: JournalEntry,
    pub(super) answer: oneshot::Sender<Result<(), JournalError>>,
}

/// The committed end of the chain, shared with readers.
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

/// What the writer keeps in memory.
struct WriterState {
    chain: Chain,
    /// The open actions.
    open: HashMap<ActionId, ActionRecord>,
}

/// Entries between two requests for a checkpoint. An entry takes about seven pages of the log. A checkpoint competes with commits
/// for the disk, so a few long ones disturb actions less than many short ones.
const CHECKPOINT_AFTER: usize = 1_000;
/// Entries after which the writer itself restarts the log: under steady load a checkpoint never reaches the end, and the log
/// must not grow without limit.
const RESTART_WAL_AFTER: usize = 10_000;

/// Time between two writes of `journal.head`: a lost log (WAL) is noticed unless it held less than this.
const HEAD_STORED_EVERY: Duration = Duration::from_secs(10);

/// The thread and its queue. Both are `None` only while the value is dropped.
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

/// Waits until all queued entries are written and the file is closed, so that the next owner of the directory finds it complete.
impl Drop for JournalWriter {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // If the thread panicked, the file is closed too.
            let _ = thread.join();
        }
    }
}

/// Starts the thread. It ends when the writer is dropped, after writing all queued entries.
pub(super) fn start(
    connection: Connection,
    checkpointer: Checkpointer,
    head: HeadFile,
) -> Result<JournalWriter, StoreError> {
    let state = WriterState::read(&connection)?;
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    let (sender, receiver) = mpsc::channel(QUEUE_MAX);
    let tip = ChainTip::default();
    tip.set(state.chain);
    head.store(state.chain);
    let (state, head_stored_at) = (Some(state), now());
    let hand = WriterLoop {
        connection,
        checkpointer,
        head,
        head_stored_at,
        state,
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

/// The last entry's number and hash; if all entries are archived, those of the archive's last entry. Where the last entry is one of a
/// database, its number and the hash of the last anchor.
pub(super) fn chain_end(connection: &Connection) -> rusqlite::Result<Chain> {
    let beginning = beginning::read(connection)?;
    let last = "SELECT number, hash FROM entries ORDER BY number DESC LIMIT 1";
    let last = connection
        .query_row(last, [], |row| {
            Ok(Chain { length: row.get::<_, i64>(0)?.unsigned_abs(), head: Head(row.get(1)?) })
        })
        .optional()?;
    match last {
        Some(chain) => Ok(beginning.filter(|beginning| chain.length <= beginning.length).unwrap_or(chain)),
        None => Ok(archived::read(connection)?.map_or_else(Chain::default, |archived| archived.chain)),
    }
}

fn open_actions(connection: &Connection) -> Result<HashMap<ActionId, ActionRecord>, StoreError> {
    let mut statement = connection.prepare("SELECT action FROM lives WHERE ending = 'open'")?;
    let actions: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let damaged = |error: JournalError| StoreError::Damaged(error.to_string());
    let records =
        actions.iter().filter_map(|action| read_action(connection, action).map_err(damaged).transpose());
    records.map(|record| record.map(|record| (record.action.id, record))).collect()
}

/// Everything that the writer thread owns.
struct WriterLoop {
    connection: Connection,
    checkpointer: Checkpointer,
    head: HeadFile,
    /// The last write of `journal.head`.
    head_stored_at: Instant,
    state: Option<WriterState>,
    tip: ChainTip,
    /// Entries since the log was restarted.
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
        // If the file cannot be read now, the next batch reports it.
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
            // The receiver may be gone; the entry is stored all the same.
            let _ = one.answer.send(answer);
        }
        self.maintain_wal(len);
    }

    fn maintain_wal(&mut self, len: usize) {
        if self.entries_in_wal >= RESTART_WAL_AFTER {
            // A long read blocks the restart; try again after a tenth of the entries.
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

/// Writes a batch. After a failure it drops the state in memory: only the file shows whether the commit reached the disk.
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

/// Commits the whole batch or nothing, except that a fact that cannot follow is refused alone.
fn write(
    connection: &mut Connection,
    state: &mut WriterState,
    batch: &[PendingEntry],
) -> rusqlite::Result<Vec<Result<(), JournalError>>> {
    let mut chain = state.chain;
    let mut updated: HashMap<ActionId, ActionRecord> = HashMap::new();
    let transaction = begin_immediate(connection)?;
    let mut answers = Vec::with_capacity(batch.len());
    for PendingEntry { record, .. } in batch {
        answers.push(match record {
            JournalEntry::Action(entry) => {
                let known = updated.get(&entry.action).or_else(|| state.open.get(&entry.action)).cloned();
                append_fact(&transaction, &mut chain, known, (entry, record))?.map(|changed| {
                    updated.insert(entry.action, changed);
                })
            }
            JournalEntry::Admin(_) => append(&transaction, &mut chain, record)?.map(|_| ()),
        });
    }
    transaction.commit()?;
    state.chain = chain;
    for (id, changed) in updated {
        if changed.is_open() {
            state.open.insert(id, changed);
        } else {
            state.open.remove(&id);
        }
    }
    Ok(answers)
}

/// Appends the fact and updates the action's row, unless the fact cannot follow.
fn append_fact(
    transaction: &Transaction<'_>,
    chain: &mut Chain,
    known: Option<ActionRecord>,
    (entry, record): (&ActionEntry, &JournalEntry),
) -> rusqlite::Result<Result<ActionRecord, JournalError>> {
    let before = match known {
        Some(known) => Some(known),
        // Closed actions are not kept in memory; no fact may follow them except a recheck.
        None => match read_action(transaction, &entry.action.to_string()) {
            Ok(stored) => stored,
            Err(error) => return Ok(Err(error)),
        },
    };
    let updated = match ActionRecord::apply(before, entry) {
        Ok(updated) => updated,
        Err(impossible) => return Ok(Err(impossible.into())),
    };
    let number = match append(transaction, chain, record)? {
        Ok(number) => number,
        Err(error) => return Ok(Err(error)),
    };
    ActionRow::from_record(&updated, number).put(transaction)?;
    Ok(Ok(updated))
}

/// Begins an immediate transaction. A transaction that begins by reading fails at its first write if another connection of this
/// process has committed in between.
pub(super) fn begin_immediate(connection: &mut Connection) -> rusqlite::Result<Transaction<'_>> {
    connection.transaction_with_behavior(TransactionBehavior::Immediate)
}

/// Appends one entry and stores its personal values; returns its number.
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
