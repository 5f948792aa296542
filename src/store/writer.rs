//! The one thread that writes. Whatever waits is written together: a sweep costs an fsync for each batch, not for each
//! fact.

use std::collections::HashMap;
use std::thread::JoinHandle;

use rusqlite::{Connection, OptionalExtension, Transaction};
use tokio::sync::{mpsc, oneshot};

use super::StoreError;
use super::keeper::{Keeper, begin_anew};
use super::row::{self, Row};
use super::sqlite::{life, unusable};
use crate::action::ActionId;
use crate::journal::{AdminEntry, Chain, Entry, Head, JournalError, Life, Record, Sealed};

/// Facts that may wait; whoever comes then waits for a place.
const QUEUE: usize = 4_096;
/// Facts in one transaction: enough for any sweep, and short enough to answer soon.
const BATCH: usize = 1_024;

/// An entry to be written, and who wants to know.
pub(super) struct Job {
    pub(super) record: Record,
    pub(super) answer: oneshot::Sender<Result<(), JournalError>>,
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

/// The thread, and the way to it. Both are `None` only while the writer is dropped.
pub(super) struct Writer {
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
pub(super) fn start(connection: Connection, keeper: Keeper) -> Result<Writer, StoreError> {
    let state = State::read(&connection)?;
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    let (sender, receiver) = mpsc::channel(QUEUE);
    let run = move || write_all(connection, &keeper, state, receiver);
    let thread = std::thread::Builder::new().name("adjourn-journal".to_owned()).spawn(run);
    Ok(Writer { queue: Some(sender), thread: Some(thread.map_err(StoreError::Thread)?) })
}

impl State {
    fn read(connection: &Connection) -> Result<Self, StoreError> {
        Ok(Self { chain: chain(connection)?, open: open(connection)? })
    }
}

fn chain(connection: &Connection) -> Result<Chain, StoreError> {
    let last = "SELECT number, hash FROM entries ORDER BY number DESC LIMIT 1";
    let last = connection
        .query_row(last, [], |row| {
            Ok(Chain { length: row.get::<_, i64>(0)?.unsigned_abs(), head: Head(row.get(1)?) })
        })
        .optional()?;
    Ok(last.unwrap_or_default())
}

fn open(connection: &Connection) -> Result<HashMap<ActionId, Life>, StoreError> {
    let mut statement = connection.prepare("SELECT action FROM lives WHERE ending = 'open'")?;
    let actions: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let damaged = |error: JournalError| StoreError::Damaged(error.to_string());
    let lives = actions.iter().filter_map(|action| life(connection, action).map_err(damaged).transpose());
    lives.map(|life| life.map(|life| (life.action.id, life))).collect()
}

fn write_all(mut connection: Connection, keeper: &Keeper, state: State, mut jobs: mpsc::Receiver<Job>) {
    let mut known = Some(state);
    let mut batch = Vec::with_capacity(BATCH);
    let mut in_log = 0;
    while jobs.blocking_recv_many(&mut batch, BATCH) > 0 {
        let len = batch.len();
        in_log += len;
        let written = write_batch(&mut connection, &mut known, &mut batch);
        for (job, answer) in batch.drain(..).zip(written) {
            // Whoever does not wait any more has been dropped; the fact is kept all the same.
            let _ = job.answer.send(answer);
        }
        if in_log >= WORK_IN_AT_LAST {
            // If somebody reads for long, it is tried again after a tenth as many.
            let again = WORK_IN_AT_LAST - WORK_IN_AT_LAST / 10;
            in_log = if begin_anew(&connection) { 0 } else { again };
        } else if in_log % CALL_AFTER < len {
            keeper.call();
        }
    }
}

/// Writes, and forgets what it knew when that failed: whether the disk took it, only the file can say.
fn write_batch(
    connection: &mut Connection,
    known: &mut Option<State>,
    batch: &mut [Job],
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
    batch: &[Job],
) -> rusqlite::Result<Vec<Result<(), JournalError>>> {
    let mut chain = state.chain;
    let mut lives: HashMap<ActionId, Life> = HashMap::new();
    let transaction = connection.transaction()?;
    let mut answers = Vec::with_capacity(batch.len());
    for Job { record, .. } in batch {
        answers.push(match record {
            Record::Action(entry) => {
                let known = lives.get(&entry.action).or_else(|| state.open.get(&entry.action)).cloned();
                put_fact(&transaction, &mut chain, known, entry)?.map(|life| {
                    lives.insert(entry.action, life);
                })
            }
            Record::Admin(entry) => put_admin(&transaction, &mut chain, entry)?,
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
    entry: &Entry,
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
    let body = match entry.body() {
        Ok(body) => body,
        Err(error) => return Ok(Err(JournalError::Unusable(error.to_string()))),
    };
    let number = put(transaction, &entry.action.to_string(), chain.seal(body))?;
    Row::of(&life, number).put(transaction)?;
    Ok(Ok(life))
}

fn put_admin(
    transaction: &Transaction<'_>,
    chain: &mut Chain,
    entry: &AdminEntry,
) -> rusqlite::Result<Result<(), JournalError>> {
    match entry.body() {
        Ok(body) => put(transaction, "", chain.seal(body)).map(|_| Ok(())),
        Err(error) => Ok(Err(JournalError::Unusable(error.to_string()))),
    }
}

/// Stores one entry; its number.
fn put(transaction: &Transaction<'_>, action: &str, sealed: Sealed) -> rusqlite::Result<u64> {
    let number = i64::try_from(sealed.number).unwrap_or(i64::MAX);
    let rows = transaction
        .prepare_cached("INSERT INTO entries (number, action, body, hash) VALUES (?1, ?2, ?3, ?4)")?
        .execute((number, action, &sealed.body, sealed.hash.0))?;
    row::one(rows)?;
    Ok(sealed.number)
}
