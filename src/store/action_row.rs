//! One row of `lives`, the index of actions. Updated with each fact and compared during verification. Holds nothing that the entries
//! do not hold.

use rusqlite::{Connection, OptionalExtension, named_params};

use crate::action::IdempotencyKey;
use crate::calendar::Uid;
use crate::journal::{ActionRecord, ActionStatus};

/// The columns by which actions are looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ActionRow {
    pub(super) action: String,
    /// The number of the entry that accepted the action, which orders actions.
    pub(super) accepted: i64,
    pub(super) accepted_ms: i64,
    pub(super) room: String,
    pub(super) actor: String,
    pub(super) rule: Option<String>,
    pub(super) key: Option<String>,
    pub(super) ending: String,
    pub(super) uid: Option<String>,
}

impl ActionRow {
    /// The row of a record whose `Accepted` entry has this number.
    pub(super) fn from_record(record: &ActionRecord, accepted: u64) -> Self {
        let uid = record.intent.as_ref().and_then(|intent| intent.before.uid.as_ref());
        Self {
            action: record.action.id.to_string(),
            accepted: i64::try_from(accepted).unwrap_or(i64::MAX),
            accepted_ms: record.accepted_at.timestamp_millis(),
            room: record.action.room.to_string(),
            actor: record.action.actor.name().to_owned(),
            rule: record.action.actor.rule().map(str::to_owned),
            key: record.action.key.as_ref().map(IdempotencyKey::as_str).map(str::to_owned),
            ending: ActionStatus::of(record).as_str().to_owned(),
            uid: uid.map(Uid::as_str).map(str::to_owned),
        }
    }

    /// Reads the row of an action, if there is one.
    pub(super) fn read(connection: &Connection, action: &str) -> rusqlite::Result<Option<Self>> {
        let sql = "SELECT action, accepted, accepted_ms, room, actor, rule, key, ending, uid
                   FROM lives WHERE action = ?1";
        let row = connection.prepare_cached(sql)?.query_row([action], |row| {
            Ok(Self {
                action: row.get(0)?,
                accepted: row.get(1)?,
                accepted_ms: row.get(2)?,
                room: row.get(3)?,
                actor: row.get(4)?,
                rule: row.get(5)?,
                key: row.get(6)?,
                ending: row.get(7)?,
                uid: row.get(8)?,
            })
        });
        row.optional()
    }

    /// Inserts the row. In an existing row, only the columns that can change during an action are updated.
    pub(super) fn put(&self, connection: &Connection) -> rusqlite::Result<()> {
        let sql = "INSERT INTO lives (action, accepted, accepted_ms, room, actor, rule, key, ending, uid)
                   VALUES (:action, :accepted, :accepted_ms, :room, :actor, :rule, :key, :ending, :uid)
                   ON CONFLICT (action) DO UPDATE SET ending = :ending, uid = :uid";
        let rows = connection.prepare_cached(sql)?.execute(named_params! {
            ":action": self.action,
            ":accepted": self.accepted,
            ":accepted_ms": self.accepted_ms,
            ":room": self.room,
            ":actor": self.actor,
            ":rule": self.rule,
            ":key": self.key,
            ":ending": self.ending,
            ":uid": self.uid,
        })?;
        expect_one_row(rows)
    }
}

/// Fails unless exactly one row was written: a trigger in the file may have swallowed it.
pub(super) fn expect_one_row(rows: usize) -> rusqlite::Result<()> {
    if rows == 1 { Ok(()) } else { Err(rusqlite::Error::StatementChangedRows(rows)) }
}
