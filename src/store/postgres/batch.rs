//! The one statement that appends: it checks that this process still owns its chain and that the chain ends where the process thinks,
//! then stores everything of a batch or nothing. A client that stops at any instruction leaves no lock behind in the database.

use std::collections::HashSet;
use std::time::Duration;

use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::connection::Connection;
use super::error::PostgresError;
use super::schema::{column, first};
use super::tables::{as_column, indexed};
use crate::action::ActionId;
use crate::journal::{Chain, ERASED, SealedEntry};
use crate::store::action_row::ActionRow;

/// Who appends: the number of the writer, and of its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WriterSession {
    pub(super) writer: i32,
    pub(super) session: i32,
}

/// Location of one personal value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ValueLocation {
    pub(super) writer: i32,
    pub(super) number: i64,
    pub(super) pointer: String,
    /// The action whose row in the index repeats the value.
    pub(super) named_in: Option<Uuid>,
}

/// An entry to append.
#[derive(Debug, Clone)]
pub(super) struct BatchEntry {
    pub(super) sealed: SealedEntry,
    /// The action, and the number of the fact in it; `None` for an admin event.
    pub(super) step: Option<(ActionId, i32)>,
    pub(super) at_ms: i64,
}

/// A lock to take or to give back, and the number by which this process knows this taking from others of the same name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LockToken {
    pub(super) name: String,
    pub(super) token: i64,
}

/// Everything that one statement stores.
#[derive(Debug, Clone, Default)]
pub(super) struct Batch {
    pub(super) entries: Vec<BatchEntry>,
    /// Rows of actions that begin in this batch.
    pub(super) begun: Vec<ActionRow>,
    /// Rows of actions that began before.
    pub(super) moved: Vec<ActionRow>,
    pub(super) erased: Vec<ValueLocation>,
    pub(super) taken: Vec<LockToken>,
    pub(super) freed: Vec<LockToken>,
}

/// What the database did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum BatchResult {
    /// Everything is stored. These locks were taken; the others are held by another process.
    Stored { taken: HashSet<String> },
    /// Nothing is stored: the writer is sealed, or the chain does not end where this process thinks.
    NotOurs,
}

/// One `UPDATE` is the check and the lock of the writer's row; everything else follows from the row it returns. A lock that a live process
/// holds is left out before its row is touched, so that two statements never wait for each other's rows.
const SQL: &str = "
    WITH me AS (
        UPDATE writers SET length = $5, head = $6
        WHERE writer = $1 AND session = $2 AND sealed_at IS NULL AND length = $3 AND head = $4
        RETURNING writer),
    entered AS (
        INSERT INTO entries (writer, number, action, step, body, hash)
        SELECT me.writer, x.number, x.action, x.step, x.body, x.hash
        FROM me, unnest($7::bigint[], $8::uuid[], $9::integer[], $10::text[], $11::bytea[])
            AS x (number, action, step, body, hash)
        ORDER BY x.number RETURNING position, action, step),
    named AS (
        INSERT INTO personal (writer, number, pointer, at_ms, salt, value)
        SELECT me.writer, x.number, x.pointer, x.at_ms, x.salt, x.value
        FROM me, unnest($12::bigint[], $13::text[], $14::bigint[], $15::bytea[], $16::bytea[])
            AS x (number, pointer, at_ms, salt, value)
        RETURNING 1),
    begun AS (
        INSERT INTO actions (action, accepted, accepted_ms, room, actor, rule, key, status, uid)
        SELECT x.action, e.position, x.accepted_ms, x.room, x.actor, x.rule, x.key, x.status, x.uid
        FROM unnest($17::uuid[], $18::bigint[], $19::text[], $20::text[], $21::text[], $22::text[], $23::text[],
                    $24::text[]) AS x (action, accepted_ms, room, actor, rule, key, status, uid)
        JOIN entered AS e ON e.action = x.action AND e.step = 0
        RETURNING 1),
    moved AS (
        UPDATE actions AS a SET status = x.status, uid = x.uid
        FROM me, unnest($25::uuid[], $26::text[], $27::text[]) AS x (action, status, uid)
        WHERE a.action = x.action RETURNING 1),
    erased AS (
        DELETE FROM personal AS p
        USING me, unnest($28::integer[], $29::bigint[], $30::text[]) AS x (writer, number, pointer)
        WHERE p.writer = x.writer AND p.number = x.number AND p.pointer = x.pointer RETURNING 1),
    unnamed AS (
        UPDATE actions AS a SET actor = $32 FROM me WHERE a.action = ANY ($31::uuid[])),
    taken AS (
        INSERT INTO locks AS l (name, writer, token)
        SELECT x.name, me.writer, x.token FROM me, unnest($33::text[], $34::bigint[]) AS x (name, token)
        WHERE NOT EXISTS (
            SELECT 1 FROM locks AS h JOIN writers AS w ON w.writer = h.writer
            WHERE h.name = x.name AND h.writer <> me.writer AND w.sealed_at IS NULL)
        ORDER BY x.name
        ON CONFLICT (name) DO UPDATE SET writer = excluded.writer, token = excluded.token
        WHERE l.writer = excluded.writer
            OR EXISTS (SELECT 1 FROM writers AS w WHERE w.writer = l.writer AND w.sealed_at IS NOT NULL)
        RETURNING name),
    freed AS (
        DELETE FROM locks AS l USING me, unnest($35::text[], $36::bigint[]) AS x (name, token)
        WHERE l.name = x.name AND l.token = x.token AND l.writer = me.writer)
    SELECT (SELECT count(*) FROM me),
        ARRAY[(SELECT count(*) FROM entered), (SELECT count(*) FROM named), (SELECT count(*) FROM begun),
              (SELECT count(*) FROM moved), (SELECT count(*) FROM erased)],
        ARRAY(SELECT name FROM taken)";

/// The columns of the rows in `actions`.
#[derive(Default)]
struct ActionColumns {
    action: Vec<Uuid>,
    accepted_ms: Vec<i64>,
    room: Vec<String>,
    actor: Vec<String>,
    rule: Vec<Option<String>>,
    key: Vec<Option<String>>,
    status: Vec<String>,
    uid: Vec<Option<String>>,
}

impl ActionColumns {
    fn of(rows: &[ActionRow]) -> Self {
        let mut columns = Self::default();
        for row in rows {
            // Rows are made from records, whose ids are UUIDs.
            columns.action.push(row.action.parse().unwrap_or_default());
            columns.accepted_ms.push(row.accepted_ms);
            columns.room.push(indexed(&row.room));
            columns.actor.push(indexed(&row.actor));
            columns.rule.push(row.rule.as_deref().map(indexed));
            columns.key.push(row.key.as_deref().map(indexed));
            columns.status.push(row.ending.clone());
            columns.uid.push(row.uid.as_deref().map(indexed));
        }
        columns
    }
}

/// The columns of the entries, without their actions.
pub(super) struct EntryColumns<'a> {
    pub(super) numbers: Vec<i64>,
    pub(super) bodies: Vec<&'a str>,
    pub(super) hashes: Vec<&'a [u8]>,
}

/// The columns of the rows in `personal`.
#[derive(Default)]
pub(super) struct ValueColumns<'a> {
    pub(super) number: Vec<i64>,
    pub(super) pointer: Vec<&'a str>,
    pub(super) at_ms: Vec<i64>,
    pub(super) salt: Vec<&'a [u8]>,
    pub(super) value: Vec<&'a [u8]>,
}

impl<'a> ValueColumns<'a> {
    fn of(entries: &'a [BatchEntry]) -> Self {
        let mut columns = Self::default();
        for entry in entries {
            for value in &entry.sealed.personal {
                columns.number.push(as_column(entry.sealed.number));
                columns.pointer.push(&value.pointer);
                columns.at_ms.push(entry.at_ms);
                columns.salt.push(&value.salt);
                columns.value.push(value.value.as_bytes());
            }
        }
        columns
    }
}

impl Batch {
    /// The end of the chain after this batch.
    pub(super) fn chain_after(&self, before: Chain) -> Chain {
        let last = self.entries.last().map(|entry| &entry.sealed);
        last.map_or(before, |last| Chain { length: last.number, head: last.hash })
    }

    pub(super) fn entry_columns(&self) -> EntryColumns<'_> {
        let entries = || self.entries.iter().map(|entry| &entry.sealed);
        EntryColumns {
            numbers: entries().map(|entry| as_column(entry.number)).collect(),
            bodies: entries().map(|entry| entry.body.as_str()).collect(),
            hashes: entries().map(|entry| entry.hash.0.as_slice()).collect(),
        }
    }

    pub(super) fn value_columns(&self) -> ValueColumns<'_> {
        ValueColumns::of(&self.entries)
    }

    /// Stores the batch behind `before`, or nothing. An error of the server means that nothing was stored; if the connection is not usable
    /// afterwards, nothing is known.
    pub(super) async fn store(
        &self,
        connection: &Connection,
        me: WriterSession,
        before: Chain,
        limit: Duration,
    ) -> Result<BatchResult, PostgresError> {
        let after = self.chain_after(before);
        let chain = (
            as_column(before.length),
            before.head.0.to_vec(),
            as_column(after.length),
            after.head.0.to_vec(),
        );
        let EntryColumns { numbers, bodies, hashes } = self.entry_columns();
        let (actions, steps): (Vec<Option<Uuid>>, Vec<Option<i32>>) = self
            .entries
            .iter()
            .map(|entry| (entry.step.map(|(id, _)| id.0), entry.step.map(|(_, step)| step)))
            .unzip();
        let values = self.value_columns();
        let (begun, moved) = (ActionColumns::of(&self.begun), ActionColumns::of(&self.moved));
        let erased_writers: Vec<i32> = self.erased.iter().map(|location| location.writer).collect();
        let erased_numbers: Vec<i64> = self.erased.iter().map(|location| location.number).collect();
        let erased_pointers: Vec<&str> =
            self.erased.iter().map(|location| location.pointer.as_str()).collect();
        let unnamed: Vec<Uuid> = self.erased.iter().filter_map(|location| location.named_in).collect();
        let (taken, freed) = (LockColumns::of(&self.taken), LockColumns::of(&self.freed));
        let parameters: [&(dyn ToSql + Sync); 36] = [
            &me.writer,
            &me.session,
            &chain.0,
            &chain.1,
            &chain.2,
            &chain.3,
            &numbers,
            &actions,
            &steps,
            &bodies,
            &hashes,
            &values.number,
            &values.pointer,
            &values.at_ms,
            &values.salt,
            &values.value,
            &begun.action,
            &begun.accepted_ms,
            &begun.room,
            &begun.actor,
            &begun.rule,
            &begun.key,
            &begun.status,
            &begun.uid,
            &moved.action,
            &moved.status,
            &moved.uid,
            &erased_writers,
            &erased_numbers,
            &erased_pointers,
            &unnamed,
            &ERASED,
            &taken.names,
            &taken.tokens,
            &freed.names,
            &freed.tokens,
        ];
        let rows = connection.query(SQL, &parameters, limit).await?;
        let row = first(&rows)?;
        if column::<i64>(row, 0)? != 1 {
            return Ok(BatchResult::NotOurs);
        }
        let expected =
            [numbers.len(), values.number.len(), self.begun.len(), self.moved.len(), self.erased.len()];
        let stored: Vec<i64> = column(row, 1)?;
        // A rule or trigger that somebody added could have swallowed rows.
        if !stored.iter().map(|count| count.unsigned_abs()).eq(expected.iter().map(|count| *count as u64)) {
            let why = format!("a statement stored {stored:?} rows instead of {expected:?}");
            return Err(PostgresError::Damaged(why));
        }
        Ok(BatchResult::Stored { taken: column::<Vec<String>>(row, 2)?.into_iter().collect() })
    }
}

/// The columns of rows in `locks`.
struct LockColumns<'a> {
    names: Vec<&'a str>,
    tokens: Vec<i64>,
}

impl<'a> LockColumns<'a> {
    fn of(tokens: &'a [LockToken]) -> Self {
        Self {
            names: tokens.iter().map(|one| one.name.as_str()).collect(),
            tokens: tokens.iter().map(|one| one.token).collect(),
        }
    }
}
