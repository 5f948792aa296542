//! The statements about the table of writers: begin to write, renew, seal another writer, and read where a chain ends. Never
//! appends an entry, and never deletes a row.

use std::time::Duration;

use tokio_postgres::Row;
use uuid::Uuid;

use super::batch::WriterSession;
use super::connection::Connection;
use super::error::PostgresError;
use super::records::head;
use super::schema::{column, first};
use super::tables::indexed;
use crate::journal::{Chain, Head};
use crate::store::archived::ArchivedPart;

/// How long a renewal is valid, by the database's clock.
pub(super) const VALID_FOR: Duration = Duration::from_secs(10);
/// `VALID_FOR` in SQL.
const UNTIL: &str = "clock_timestamp() + interval '10 seconds'";

/// A process as a writer. A database that lost the row of a process may give its number to another one; the incarnation is random.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WriterId {
    pub(super) number: i32,
    pub(super) incarnation: Uuid,
}

/// Registers this process as a new writer.
pub(super) async fn begin(
    connection: &Connection,
    name: &str,
    limit: Duration,
) -> Result<WriterId, PostgresError> {
    let incarnation = Uuid::new_v4();
    let sql = format!(
        "INSERT INTO writers (incarnation, name, version, head, until) VALUES ($1, $2, $3, $4, {UNTIL})
         RETURNING writer"
    );
    let (name, version, head) = (indexed(name), env!("CARGO_PKG_VERSION"), Head::default().0.to_vec());
    let rows = connection.query(&sql, &[&incarnation, &name, &version, &head], limit).await?;
    Ok(WriterId { number: column(first(&rows)?, 0)?, incarnation })
}

/// The writer with this number; `None` if it has no row.
#[cfg(feature = "service")]
pub(super) async fn with_number(
    connection: &Connection,
    number: i32,
    limit: Duration,
) -> Result<Option<WriterId>, PostgresError> {
    let sql = "SELECT incarnation FROM writers WHERE writer = $1";
    let rows = connection.query(sql, &[&number], limit).await?;
    rows.first().map(|row| Ok(WriterId { number, incarnation: column(row, 0)? })).transpose()
}

/// Renews a writer; returns the database's time in seconds, or `None` if the writer is sealed.
pub(super) async fn renew(
    connection: &Connection,
    me: WriterId,
    is_locked: bool,
    limit: Duration,
) -> Result<Option<f64>, PostgresError> {
    let sql = format!(
        "UPDATE writers SET until = {UNTIL}, is_locked = $3
         WHERE writer = $1 AND incarnation = $2 AND sealed_at IS NULL
         RETURNING extract(epoch FROM clock_timestamp())::float8"
    );
    let rows = connection.query(&sql, &[&me.number, &me.incarnation, &is_locked], limit).await?;
    rows.first().map(|row| column(row, 0)).transpose()
}

/// Takes the advisory lock of an incarnation for this session, unless another session holds it.
pub(super) async fn lock_incarnation(
    connection: &Connection,
    incarnation: Uuid,
    limit: Duration,
) -> Result<bool, PostgresError> {
    let rows = connection.query("SELECT pg_try_advisory_lock($1)", &[&lock_key(incarnation)], limit).await?;
    column(first(&rows)?, 0)
}

/// The number of the advisory lock of an incarnation.
fn lock_key(incarnation: Uuid) -> i64 {
    incarnation.as_u64_pair().0.cast_signed()
}

/// A writer that is not sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LiveWriter {
    pub(super) writer: i32,
    pub(super) name: String,
    /// Its renewal is no longer valid.
    pub(super) is_expired: bool,
    /// It had its advisory lock, which is gone: its process or its connection has ended.
    pub(super) has_lost_lock: bool,
}

/// The other writers that are not sealed.
pub(super) async fn others(
    connection: &Connection,
    writer: i32,
    limit: Duration,
) -> Result<Vec<LiveWriter>, PostgresError> {
    // The number of the lock is that of `lock_key`; the shared lock lasts for this statement alone.
    let sql = "SELECT writer, name, until < clock_timestamp(),
                   CASE WHEN is_locked THEN pg_try_advisory_xact_lock_shared(
                       ('x' || left(replace(incarnation::text, '-', ''), 16))::bit(64)::bigint) ELSE false END
               FROM writers WHERE sealed_at IS NULL AND writer <> $1 ORDER BY writer";
    let rows = connection.query(sql, &[&writer], limit).await?;
    let other = |row: &Row| {
        let (writer, name) = (column(row, 0)?, column(row, 1)?);
        Ok(LiveWriter { writer, name, is_expired: column(row, 2)?, has_lost_lock: column(row, 3)? })
    };
    rows.iter().map(other).collect()
}

/// Seals another writer: from now on its statements change nothing. `by` must not be sealed itself. Without `at_once` the other's renewal must
/// have expired. Returns the end of its chain, or `None` if it was not sealed by this call.
pub(super) async fn seal(
    connection: &Connection,
    (writer, by): (i32, i32),
    at_once: bool,
    limit: Duration,
) -> Result<Option<u64>, PostgresError> {
    let sql = "UPDATE writers SET sealed_at = clock_timestamp(), sealed_by = $2
               WHERE writer = $1 AND sealed_at IS NULL AND ($3 OR until < clock_timestamp())
               AND EXISTS (SELECT 1 FROM writers AS me WHERE me.writer = $2 AND me.sealed_at IS NULL)
               RETURNING length";
    let rows = connection.query(sql, &[&writer, &by, &at_once], limit).await?;
    rows.first().map(|row| Ok(column::<i64>(row, 0)?.unsigned_abs())).transpose()
}

/// Seals this process's own chain, when it ends in order.
pub(super) async fn seal_own(
    connection: &Connection,
    me: WriterSession,
    limit: Duration,
) -> Result<(), PostgresError> {
    let sql = "UPDATE writers SET sealed_at = clock_timestamp(), sealed_by = $1
               WHERE writer = $1 AND session = $2 AND sealed_at IS NULL";
    connection.query(sql, &[&me.writer, &me.session], limit).await.map(|_| ())
}

/// Begins a new session of a writer: statements of earlier connections that are still on their way change nothing from now on. Waits for one
/// that is running. `None` if the writer has no row.
pub(super) async fn begin_session(
    connection: &Connection,
    me: WriterId,
    limit: Duration,
) -> Result<Option<WriterSession>, PostgresError> {
    let sql =
        "UPDATE writers SET session = session + 1 WHERE writer = $1 AND incarnation = $2 RETURNING session";
    let rows = connection.query(sql, &[&me.number, &me.incarnation], limit).await?;
    let session = |row| Ok(WriterSession { writer: me.number, session: column(row, 0)? });
    rows.first().map(session).transpose()
}

/// Where a chain ends in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StoredChain {
    pub(super) session: i32,
    pub(super) is_sealed: bool,
    pub(super) chain: Chain,
    /// Whether the last entry is there, with this hash, or was archived.
    pub(super) has_last: bool,
}

/// Reads where the chain of a writer ends; `None` if the writer has no row.
pub(super) async fn stored_chain(
    connection: &Connection,
    me: WriterId,
    limit: Duration,
) -> Result<Option<StoredChain>, PostgresError> {
    let sql = "SELECT w.session, w.sealed_at IS NOT NULL, w.length, w.head,
               w.length = 0 OR coalesce(e.hash = w.head, false) OR coalesce(a.last = w.length AND a.hash = w.head, false)
               FROM writers AS w LEFT JOIN entries AS e ON e.writer = w.writer AND e.number = w.length
               LEFT JOIN archived AS a ON a.writer = w.writer
               WHERE w.writer = $1 AND w.incarnation = $2";
    let rows = connection.query(sql, &[&me.number, &me.incarnation], limit).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let chain = Chain { length: column::<i64>(row, 2)?.unsigned_abs(), head: head(column(row, 3)?)? };
    let (session, is_sealed, has_last) = (column(row, 0)?, column(row, 1)?, column(row, 4)?);
    Ok(Some(StoredChain { session, is_sealed, chain, has_last }))
}

/// Changes nothing in a writer's row, to test whether commits succeed. Returns whether the writer is not sealed.
pub(super) const PROBE: &str = "UPDATE writers SET version = version WHERE writer = $1 AND incarnation = $2 AND sealed_at IS NULL RETURNING writer";

/// A chain of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChainInfo {
    /// The number of the process that writes or wrote it.
    pub writer: i32,
    /// The random id of the process.
    pub incarnation: Uuid,
    /// The name of the process, for people.
    pub name: String,
    /// The version of Adjourn that it is or was.
    pub version: String,
    /// The end of the chain.
    pub chain: Chain,
    /// The end of its beginning that is in archive files, if there is one.
    pub archived: Option<Chain>,
    /// The writer that sealed the chain; the writer itself if it ended in order. `None` while it may grow.
    pub sealed_by: Option<i32>,
}

/// The query for [`ChainInfo`]s.
pub(super) const CHAINS: &str =
    "SELECT w.writer, w.incarnation, w.name, w.version, w.length, w.head, w.sealed_by, a.last, a.hash
     FROM writers AS w LEFT JOIN archived AS a ON a.writer = w.writer ORDER BY w.writer";

/// Reads a row of [`CHAINS`].
pub(super) fn chain_info(row: &Row) -> Result<ChainInfo, PostgresError> {
    let archived = column::<Option<i64>>(row, 7)?.map(|last| {
        Ok::<_, PostgresError>(Chain { length: last.unsigned_abs(), head: head(column(row, 8)?)? })
    });
    Ok(ChainInfo {
        writer: column(row, 0)?,
        incarnation: column(row, 1)?,
        name: column(row, 2)?,
        version: column(row, 3)?,
        chain: Chain { length: column::<i64>(row, 4)?.unsigned_abs(), head: head(column(row, 5)?)? },
        archived: archived.transpose()?,
        sealed_by: column(row, 6)?,
    })
}

/// The query for the archived beginnings of chains.
pub(super) const ARCHIVED: &str =
    "SELECT writer, last, hash, file, erased, erased_through FROM archived ORDER BY writer";

/// Reads a row of [`ARCHIVED`]: the chain, and its archived beginning.
pub(super) fn archived_part(row: &Row) -> Result<(i32, ArchivedPart), PostgresError> {
    let chain = Chain { length: column::<i64>(row, 1)?.unsigned_abs(), head: head(column(row, 2)?)? };
    let (file, erased) = (column(row, 3)?, column(row, 4)?);
    let erased_through = column::<i64>(row, 5)?.unsigned_abs();
    Ok((column(row, 0)?, ArchivedPart { chain, file, erased, erased_through }))
}
