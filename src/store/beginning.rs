//! What a journal file holds of the chains of a database: the file continues after all of them. Reads and writes the tables beside the
//! entries; never the entries themselves.
//!
//! ```text
//! entries 1 … N      those of all chains, in the order of the database, each with the hash of its own chain
//! anchors            name the ends of the chains
//! entry N+1 …        one chain, whose first entry follows the last anchor's hash
//! ```
//!
//! So the last hash covers every entry before the move, too.

use rusqlite::{Connection, OptionalExtension as _};

use crate::journal::{Chain, Head};

/// Where the file's own chain begins: the number of the last entry from the database, and the hash of the last anchor. A journal of an older
/// schema has no such table, and its chain begins with the first entry.
pub(super) fn read(connection: &Connection) -> rusqlite::Result<Option<Chain>> {
    let sql = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'beginning'";
    if connection.query_row(sql, [], |_| Ok(())).optional()?.is_none() {
        return Ok(None);
    }
    let sql = "SELECT last, hash FROM beginning ORDER BY last DESC LIMIT 1";
    let chain = connection.query_row(sql, [], |row| {
        Ok(Chain { length: row.get::<_, i64>(0)?.unsigned_abs(), head: Head(row.get(1)?) })
    });
    chain.optional()
}

/// A chain of the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MovedChain {
    pub(super) writer: i64,
    /// The end of its archived part.
    pub(super) first_after: Chain,
    pub(super) end: Chain,
}

/// The chains of the database.
pub(super) fn chains(connection: &Connection) -> rusqlite::Result<Vec<MovedChain>> {
    let sql = "SELECT writer, first_after, before, length, head FROM chains ORDER BY writer";
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map([], |row| {
        let chain = |length: i64, head| Chain { length: length.unsigned_abs(), head: Head(head) };
        Ok(MovedChain {
            writer: row.get(0)?,
            first_after: chain(row.get(1)?, row.get(2)?),
            end: chain(row.get(3)?, row.get(4)?),
        })
    })?;
    rows.collect()
}

/// An entry's place in its chain: the writer and the number.
pub(super) fn place(connection: &Connection, entry: i64) -> rusqlite::Result<Option<(i64, u64)>> {
    let sql = "SELECT writer, number FROM chained WHERE entry = ?1";
    let place = connection
        .prepare_cached(sql)?
        .query_row([entry], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs())));
    place.optional()
}

/// The hash of an entry of a chain.
pub(super) fn hash(connection: &Connection, writer: i64, number: u64) -> rusqlite::Result<Option<Head>> {
    let sql = "SELECT e.hash FROM chained AS c JOIN entries AS e ON e.number = c.entry
               WHERE c.writer = ?1 AND c.number = ?2";
    let number = i64::try_from(number).unwrap_or(i64::MAX);
    let hash = connection.prepare_cached(sql)?.query_row((writer, number), |row| Ok(Head(row.get(0)?)));
    hash.optional()
}
