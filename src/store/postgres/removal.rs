//! The one statement that removes archived entries: it deletes them, records where each chain continues, and appends the admin event, or
//! changes nothing. A client that stops at any instruction leaves no lock behind in the database.

use std::time::Duration;

use tokio_postgres::types::ToSql;

use super::batch::{Batch, BatchResult, WriterSession};
use super::connection::Connection;
use super::error::PostgresError;
use super::tables::as_column;
use crate::journal::Chain;
use crate::store::archived::ArchivedPart;

/// The entries of one chain that leave.
#[derive(Debug, Clone)]
pub(super) struct RemovedChain {
    pub(super) writer: i32,
    /// The end of the beginning that was archived before.
    pub(super) after: Chain,
    /// The archived beginning afterwards.
    pub(super) part: ArchivedPart,
}

/// What leaves the database: exactly what the archive file has.
#[derive(Debug, Clone)]
pub(super) struct Removal {
    pub(super) chains: Vec<RemovedChain>,
    /// The name of the archive file.
    pub(super) file: String,
    /// Entries in the file.
    pub(super) entries: u64,
    /// Personal values in the file.
    pub(super) values: u64,
}

/// The rows leave first, and `me` is changed after them: the statement may take minutes, and the writer's row, which its renewals and other
/// processes change too, is locked only at the end. `me` and the last line compare what left with what the file has: the number of entries
/// and of values, the last hash of each chain, and that no action has entries that stay. A division by zero undoes everything.
const SQL: &str = "
    WITH parts AS MATERIALIZED (
        SELECT * FROM unnest($7::integer[], $8::bigint[], $9::bigint[], $10::bytea[], $11::bigint[], $12::bigint[])
            AS x (writer, after, last, hash, erased, through)),
    values_gone AS (
        DELETE FROM personal AS v USING parts AS p
        WHERE v.writer = p.writer AND v.number > p.after AND v.number <= p.last RETURNING 1),
    actions_gone AS (
        DELETE FROM actions AS a USING parts AS p, entries AS e
        WHERE e.writer = p.writer AND e.number > p.after AND e.number <= p.last AND e.step = 0
            AND a.action = e.action AND a.status <> 'open'
        RETURNING a.action),
    entries_gone AS (
        DELETE FROM entries AS e USING parts AS p
        WHERE e.writer = p.writer AND e.number > p.after AND e.number <= p.last
        RETURNING e.writer, e.number, e.action, e.hash),
    me AS (
        UPDATE writers SET length = $5, head = $6
        WHERE writer = $1 AND session = $2 AND sealed_at IS NULL AND length = $3 AND head = $4
            AND (SELECT count(*) FROM entries_gone) = $14
            AND (SELECT count(*) FROM values_gone) = $15
            AND (SELECT count(*) FROM entries_gone AS g JOIN parts AS p
                 ON g.writer = p.writer AND g.number = p.last AND g.hash = p.hash) = (SELECT count(*) FROM parts)
            AND (SELECT count(*) FROM entries AS e JOIN actions_gone AS a ON a.action = e.action)
                = (SELECT count(*) FROM entries_gone WHERE action IS NOT NULL)
        RETURNING writer),
    recorded AS (
        INSERT INTO archived (writer, last, hash, file, erased, erased_through)
        SELECT p.writer, p.last, p.hash, $13, p.erased, p.through FROM me, parts AS p
        ON CONFLICT (writer) DO UPDATE SET last = excluded.last, hash = excluded.hash, file = excluded.file,
            erased = excluded.erased, erased_through = excluded.erased_through
        RETURNING 1),
    entered AS (
        INSERT INTO entries (writer, number, body, hash)
        SELECT me.writer, x.number, x.body, x.hash
        FROM me, unnest($16::bigint[], $17::text[], $18::bytea[]) AS x (number, body, hash)
        ORDER BY x.number RETURNING 1),
    named AS (
        INSERT INTO personal (writer, number, pointer, at_ms, salt, value)
        SELECT me.writer, x.number, x.pointer, x.at_ms, x.salt, x.value
        FROM me, unnest($19::bigint[], $20::text[], $21::bigint[], $22::bytea[], $23::bytea[])
            AS x (number, pointer, at_ms, salt, value)
        RETURNING 1)
    SELECT 1 / (CASE WHEN (SELECT count(*) FROM me) = 1
        AND (SELECT count(*) FROM recorded) = (SELECT count(*) FROM parts)
        AND (SELECT count(*) FROM entered) = cardinality($16::bigint[])
        AND (SELECT count(*) FROM named) = cardinality($19::bigint[]) THEN 1 ELSE 0 END)";

/// The columns of the archived beginnings.
#[derive(Default)]
struct PartColumns<'a> {
    writers: Vec<i32>,
    afters: Vec<i64>,
    lasts: Vec<i64>,
    hashes: Vec<&'a [u8]>,
    erased: Vec<i64>,
    throughs: Vec<i64>,
}

impl<'a> PartColumns<'a> {
    fn of(chains: &'a [RemovedChain]) -> Self {
        let mut columns = Self::default();
        for RemovedChain { writer, after, part } in chains {
            columns.writers.push(*writer);
            columns.afters.push(as_column(after.length));
            columns.lasts.push(as_column(part.chain.length));
            columns.hashes.push(&part.chain.head.0);
            columns.erased.push(part.erased);
            columns.throughs.push(as_column(part.erased_through));
        }
        columns
    }
}

impl Removal {
    /// Removes the entries and stores the batch, which has the admin event, behind `before`; or does nothing.
    pub(super) async fn store(
        &self,
        batch: &Batch,
        connection: &Connection,
        me: WriterSession,
        before: Chain,
        limit: Duration,
    ) -> Result<BatchResult, PostgresError> {
        let after = batch.chain_after(before);
        let (length, head) = (as_column(before.length), before.head.0.to_vec());
        let (new_length, new_head) = (as_column(after.length), after.head.0.to_vec());
        let parts = PartColumns::of(&self.chains);
        let (count, value_count) = (as_column(self.entries), as_column(self.values));
        let entries = batch.entry_columns();
        let values = batch.value_columns();
        let parameters: [&(dyn ToSql + Sync); 23] = [
            &me.writer,
            &me.session,
            &length,
            &head,
            &new_length,
            &new_head,
            &parts.writers,
            &parts.afters,
            &parts.lasts,
            &parts.hashes,
            &parts.erased,
            &parts.throughs,
            &self.file,
            &count,
            &value_count,
            &entries.numbers,
            &entries.bodies,
            &entries.hashes,
            &values.number,
            &values.pointer,
            &values.at_ms,
            &values.salt,
            &values.value,
        ];
        match connection.query(SQL, &parameters, limit).await {
            Ok(_) => Ok(BatchResult::Stored { taken: Default::default() }),
            Err(error) if error.is_division_by_zero() => Ok(BatchResult::NotOurs),
            Err(error) => Err(error),
        }
    }
}
