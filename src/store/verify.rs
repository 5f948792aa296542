//! Is the journal what was written? Reads everything once, from one moment, and keeps in memory only the lives that are
//! open. Changes nothing.

use std::collections::HashMap;

use rusqlite::Connection;

use super::row::Row;
use super::schema;
use super::sqlite::unusable;
use crate::action::ActionId;
use crate::journal::{Broken, Chain, Entry, EntryError, Head, JournalError, Life, Record, Sealed};

/// What a journal holds that is as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Facts.
    pub entries: u64,
    /// Actions they are about.
    pub actions: u64,
    /// Facts that are about no action: keys, sign-ins, configuration.
    pub admin_events: u64,
    /// Of the actions, not over.
    pub open: usize,
    /// The last hash.
    pub head: Head,
}

/// Why a journal is not known to be as it was written.
#[derive(Debug, thiserror::Error)]
pub enum Unproved {
    /// The chain does not hold.
    #[error(transparent)]
    Chain(#[from] Broken),
    /// An entry is nothing that was ever written.
    #[error("entry {number}: {why}")]
    Entry {
        /// Its number.
        number: u64,
        /// What is wrong with it.
        why: String,
    },
    /// The index says something else than the entries: what is looked up in it cannot be trusted.
    #[error("the index of actions does not agree with the entries about action {action}: {why}")]
    Index {
        /// Which action.
        action: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The file is not put together as Adjourn puts it together.
    #[error("the journal's file is not sound: {0}")]
    File(String),
    /// The hash that was known from before is nowhere in it.
    #[error(
        "the hash that was given is nowhere in the journal: entries were cut off, or the journal is another"
    )]
    Cut,
    /// A later version wrote some of it.
    #[error("entry {number}: {error}")]
    Later {
        /// The first of those entries.
        number: u64,
        /// Which version.
        error: EntryError,
    },
    /// It cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// What adds up while reading.
#[derive(Default)]
struct Reading {
    chain: Chain,
    /// The lives that a fact may follow, with the number of the entry that took each on.
    open: HashMap<ActionId, (u64, Life)>,
    actions: u64,
    admin_events: u64,
    seen: bool,
}

/// Reads and compares all of it. `known` is a last hash from before, which must be in the chain still.
pub(super) fn verify(connection: &Connection, known: Option<Head>) -> Result<Verified, Unproved> {
    let snapshot = connection.unchecked_transaction().map_err(unusable)?;
    schema::check_shape(&snapshot).map_err(|error| Unproved::File(error.to_string()))?;
    check_integrity(&snapshot)?;
    let mut reading =
        Reading { seen: known.is_none() || known == Some(Head::default()), ..Reading::default() };
    // All numbers, those that none should have too.
    let sql = "SELECT number, action, body, hash FROM entries ORDER BY number";
    let mut statement = snapshot.prepare(sql).map_err(unusable)?;
    let mut rows = statement.query([]).map_err(unusable)?;
    while let Some(row) = rows.next().map_err(unusable)? {
        let (number, action, sealed) = stored(row).map_err(unusable)?;
        if number < 1 {
            return Err(Unproved::Entry { number: sealed.number, why: "its number is below 1".to_owned() });
        }
        reading.take(&snapshot, &action, &sealed)?;
        reading.seen |= known == Some(reading.chain.head);
    }
    if !reading.seen {
        return Err(Unproved::Cut);
    }
    reading.finish(&snapshot)
}

fn stored(row: &rusqlite::Row<'_>) -> rusqlite::Result<(i64, String, Sealed)> {
    let number: i64 = row.get(0)?;
    let sealed = Sealed { number: number.unsigned_abs(), body: row.get(2)?, hash: Head(row.get(3)?) };
    Ok((number, row.get(1)?, sealed))
}

impl Reading {
    fn take(&mut self, connection: &Connection, action: &str, sealed: &Sealed) -> Result<(), Unproved> {
        self.chain.check(sealed)?;
        let number = sealed.number;
        let record = Record::read(&sealed.body).map_err(|error| match error {
            EntryError::Later(_) => Unproved::Later { number, error },
            EntryError::Malformed(_) | EntryError::Admin => {
                Unproved::Entry { number, why: error.to_string() }
            }
        })?;
        if record.filed_under() != action {
            return Err(Unproved::Entry { number, why: format!("it is filed under action {action}") });
        }
        match record {
            Record::Action(entry) => self.take_fact(connection, number, &entry),
            Record::Admin(_) => {
                self.admin_events += 1;
                Ok(())
            }
        }
    }

    fn take_fact(&mut self, connection: &Connection, number: u64, entry: &Entry) -> Result<(), Unproved> {
        let (accepted, before) = match self.open.remove(&entry.action) {
            Some((accepted, life)) => (accepted, Some(life)),
            None => (number, None),
        };
        self.actions += u64::from(before.is_none());
        let life = Life::after(before, entry)
            .map_err(|impossible| Unproved::Entry { number, why: impossible.to_string() })?;
        // A fact may follow.
        if life.is_open() || life.waits_for_recheck() {
            self.open.insert(entry.action, (accepted, life));
            return Ok(());
        }
        compare(connection, accepted, &life)
    }

    fn finish(self, connection: &Connection) -> Result<Verified, Unproved> {
        for (accepted, life) in self.open.values() {
            compare(connection, *accepted, life)?;
        }
        // Every life has its row, so a row too many is one of no life.
        let sql = "SELECT action FROM lives AS one
                   WHERE NOT EXISTS (SELECT 1 FROM entries WHERE entries.action = one.action) LIMIT 1";
        let mut statement = connection.prepare(sql).map_err(unusable)?;
        if let Some(row) = statement.query([]).map_err(unusable)?.next().map_err(unusable)? {
            let action = row.get(0).map_err(unusable)?;
            return Err(Unproved::Index { action, why: "no entry is about it" });
        }
        let open = self.open.values().filter(|(_, life)| life.is_open()).count();
        let Self { chain: Chain { length, head }, actions, admin_events, .. } = self;
        Ok(Verified { entries: length, actions, admin_events, open, head })
    }
}

/// SQLite's own look at its tables and indexes: an index that lacks rows would hide them.
fn check_integrity(connection: &Connection) -> Result<(), Unproved> {
    let verdict: String =
        connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)).map_err(unusable)?;
    if verdict == "ok" { Ok(()) } else { Err(Unproved::File(verdict)) }
}

/// Holds a life against its row. A second life of the same name has another number, and shows here.
fn compare(connection: &Connection, accepted: u64, life: &Life) -> Result<(), Unproved> {
    let action = life.action.id.to_string();
    let row = Row::read(connection, &action).map_err(unusable)?;
    match row {
        None => Err(Unproved::Index { action, why: "it is missing there" }),
        Some(row) if row != Row::of(life, accepted) => {
            Err(Unproved::Index { action, why: "it says something else there" })
        }
        Some(_) => Ok(()),
    }
}
