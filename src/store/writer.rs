//! The one thread that writes. Whatever waits is written together: a sweep costs an fsync for each batch, not for each
//! fact.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use super::error::unusable;
use super::head_file::HeadFile;
use super::keeper::{Keeper, begin_anew};
use super::row::{self, Row};
use super::sqlite::life;
use super::{StoreError, archived, personal};
use crate::action::ActionId;
use crate::journal::{Chain, Entry, Head, JournalError, Life, Record};

/// Facts that may wait; whoever comes then waits for a place.
const QUEUE: usize = 4_096;
/// Facts in one transaction: enough for any sweep, and short enough to answer soon.
const BATCH: usize = 1_024;

/// What the thread is asked to do.
pub(super) enum Job {
    /// Write an entry, together with others.
    Write(Pending),
    /// Do something in transactions of its own. It sends its answer itself.
    Task(Task),
}

/// Works on the file between two batches.
pub(super) type Task = Box<dyn FnOnce(&mut Connection) + Send>;

/// An entry to be written, and who wants to know.
pub(super) struct Pending {
    pub(super) record: Record,
    pub(super) answer: oneshot::Sender<Result<(), JournalError>>,
}

/// The chain's end as the file has it, for those who do not write.
#[derive(Clone, Default)]
pub(super) struct Tip(Arc<Mutex<Chain>>);

impl Tip {
    pub(super) fn get(&self) -> Chain {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, chain: Chain) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = chain;
    }
}

/// What the writer knows besides the file.
struct State {
    chain: Chain,
    /// The open actions.
    open: HashMap<ActionId, Life>,
}

/// Facts after which the keeper is called. A fact is some seven pages of the log. While the keeper works, the disk has less
/// time for commits: seldom and long is better for those who wait at a door than often and short.
const CALL_AFTER: usize = 1_000;
/// … and facts after which the log is worked in here, before the next one: where the keeper never comes to its end because
/// facts come all the time, the log must not grow for ever.
const WORK_IN_AT_LAST: usize = 10_000;

/// Between two writes of `journal.head`: whoever loses the log (WAL) unnoticed loses seconds.
const HEAD_STORED_EVERY: Duration = Duration::from_secs(10);

/// The thread, and the way to it. Both are `None` only while the writer is dropped.
pub(super) struct Writer {
    pub(super) tip: Tip,
    queue: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn queue(&self) -> Option<&mpsc::Sender<Job>> {
        self.queue.as_ref()
    }
}

/// Waits until what was sent is written and the file is closed: whoever owns the state directory next finds it at rest.
impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has closed the file too.
            let _ = thread.join();
        }
    }
}

/// Starts the thread. It ends when the writer is dropped, and what was sent is written by then.
pub(super) fn start(connection: Connection, keeper: Keeper, head: HeadFile) -> Result<Writer, StoreError> {
    let state = State::read(&connection)?;
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    let (sender, receiver) = mpsc::channel(QUEUE);
    let tip = Tip::default();
    tip.set(state.chain);
    head.store(state.chain);
    let (known, stored) = (Some(state), now());
    let hand = Hand { connection, keeper, head, stored, known, tip: tip.clone(), in_log: 0 };
    let run = move || hand.work(receiver);
    let thread = std::thread::Builder::new().name("adjourn-journal".to_owned()).spawn(run);
    Ok(Writer { tip, queue: Some(sender), thread: Some(thread.map_err(StoreError::Thread)?) })
}

impl State {
    fn read(connection: &Connection) -> Result<Self, StoreError> {
        Ok(Self { chain: chain(connection)?, open: open(connection)? })
    }
}

/// The end of the chain in the file; where all entries are archived, the end of the archive.
pub(super) fn chain(connection: &Connection) -> rusqlite::Result<Chain> {
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

fn open(connection: &Connection) -> Result<HashMap<ActionId, Life>, StoreError> {
    let mut statement = connection.prepare("SELECT action FROM lives WHERE ending = 'open'")?;
    let actions: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let damaged = |error: JournalError| StoreError::Damaged(error.to_string());
    let lives = actions.iter().filter_map(|action| life(connection, action).map_err(damaged).transpose());
    lives.map(|life| life.map(|life| (life.action.id, life))).collect()
}

/// Everything the thread works with.
struct Hand {
    connection: Connection,
    keeper: Keeper,
    head: HeadFile,
    /// When `head` was written last.
    stored: Instant,
    known: Option<State>,
    tip: Tip,
    /// Facts since the log was worked in.
    in_log: usize,
}

impl Hand {
    fn work(mut self, mut jobs: mpsc::Receiver<Job>) {
        let mut batch = Vec::with_capacity(BATCH);
        while jobs.blocking_recv_many(&mut batch, BATCH) > 0 {
            let mut pending = Vec::with_capacity(batch.len());
            for job in batch.drain(..) {
                match job {
                    Job::Write(one) => pending.push(one),
                    Job::Task(task) => {
                        self.write(std::mem::take(&mut pending));
                        self.run(task);
                    }
                }
            }
            self.write(pending);
        }
        self.head.store(self.tip.get());
    }

    fn run(&mut self, task: Task) {
        self.known = None;
        task(&mut self.connection);
        // Where the file cannot be read now, the next batch says so.
        if let Ok(state) = State::read(&self.connection) {
            self.tip.set(state.chain);
            self.head.store(state.chain);
            self.known = Some(state);
        }
    }

    fn write(&mut self, mut batch: Vec<Pending>) {
        let len = batch.len();
        if len == 0 {
            return;
        }
        self.in_log += len;
        let written = write_batch(&mut self.connection, &mut self.known, &mut batch);
        if let Some(state) = &self.known {
            self.tip.set(state.chain);
        }
        for (one, answer) in batch.into_iter().zip(written) {
            // Whoever does not wait any more has been dropped; the fact is kept all the same.
            let _ = one.answer.send(answer);
        }
        self.work_in(len);
    }

    fn work_in(&mut self, len: usize) {
        if self.in_log >= WORK_IN_AT_LAST {
            // If somebody reads for long, it is tried again after a tenth as many.
            let again = WORK_IN_AT_LAST - WORK_IN_AT_LAST / 10;
            self.in_log = if begin_anew(&self.connection) { 0 } else { again };
        } else if self.in_log % CALL_AFTER < len {
            self.keeper.call();
        }
        if self.stored.elapsed() >= HEAD_STORED_EVERY {
            self.head.store(self.tip.get());
            self.stored = now();
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
    known: &mut Option<State>,
    batch: &mut [Pending],
) -> Vec<Result<(), JournalError>> {
    let failed = |error: JournalError| batch.iter().map(|_| Err(error.clone())).collect();
    let mut state = match known.take().map_or_else(|| State::read(connection), Ok) {
        Ok(state) => state,
        Err(StoreError::Sqlite(error)) => return failed(unusable(error)),
        Err(error) => return failed(JournalError::Damaged(error.to_string())),
    };
    match write(connection, &mut state, batch) {
        Ok(answers) => {
            *known = Some(state);
            answers
        }
        Err(error) => failed(unusable(error)),
    }
}

/// All or nothing, but for facts that are impossible: those are refused alone.
fn write(
    connection: &mut Connection,
    state: &mut State,
    batch: &[Pending],
) -> rusqlite::Result<Vec<Result<(), JournalError>>> {
    let mut chain = state.chain;
    let mut lives: HashMap<ActionId, Life> = HashMap::new();
    let transaction = begin(connection)?;
    let mut answers = Vec::with_capacity(batch.len());
    for Pending { record, .. } in batch {
        answers.push(match record {
            Record::Action(entry) => {
                let known = lives.get(&entry.action).or_else(|| state.open.get(&entry.action)).cloned();
                put_fact(&transaction, &mut chain, known, (entry, record))?.map(|life| {
                    lives.insert(entry.action, life);
                })
            }
            Record::Admin(_) => put(&transaction, &mut chain, record)?.map(|_| ()),
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
fn put_fact(
    transaction: &Transaction<'_>,
    chain: &mut Chain,
    known: Option<Life>,
    (entry, record): (&Entry, &Record),
) -> rusqlite::Result<Result<Life, JournalError>> {
    let before = match known {
        Some(life) => Some(life),
        // Closed ones are not kept in memory; nothing may follow them.
        None => match life(transaction, &entry.action.to_string()) {
            Ok(life) => life,
            Err(error) => return Ok(Err(error)),
        },
    };
    let life = match Life::after(before, entry) {
        Ok(life) => life,
        Err(impossible) => return Ok(Err(impossible.into())),
    };
    let number = match put(transaction, chain, record)? {
        Ok(number) => number,
        Err(error) => return Ok(Err(error)),
    };
    Row::of(&life, number).put(transaction)?;
    Ok(Ok(life))
}

/// Begins a transaction that may write from its first statement on. One that reads first fails at its first write, when
/// another connection of this process has committed in between.
pub(super) fn begin(connection: &mut Connection) -> rusqlite::Result<Transaction<'_>> {
    connection.transaction_with_behavior(TransactionBehavior::Immediate)
}

/// Stores one entry and its personal values; its number.
pub(super) fn put(
    transaction: &Transaction<'_>,
    chain: &mut Chain,
    record: &Record,
) -> rusqlite::Result<Result<u64, JournalError>> {
    let text = match record.text(&mut personal::salt) {
        Ok(text) => text,
        Err(error) => return Ok(Err(JournalError::Unusable(error.to_string()))),
    };
    let sealed = chain.seal_text(text);
    let number = i64::try_from(sealed.number).unwrap_or(i64::MAX);
    let rows = transaction
        .prepare_cached("INSERT INTO entries (number, action, body, hash) VALUES (?1, ?2, ?3, ?4)")?
        .execute((number, record.filed_under(), &sealed.body, sealed.hash.0))?;
    row::one(rows)?;
    personal::put(transaction, &sealed, record.at().timestamp_millis())?;
    Ok(Ok(sealed.number))
}
