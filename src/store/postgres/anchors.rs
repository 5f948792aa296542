//! Writes anchors, and the task that does so at an interval. Never changes a chain. Of several processes that write the next anchor at
//! once, one succeeds; the others read it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_postgres::Row;

use super::error::PostgresError;
use super::link::Link;
use super::records::head;
use super::schema::{column, first};
use super::state::WriterState;
use super::tables::as_column;
use super::ticks::Ticks;
use crate::journal::{Anchor, AnchoredChain, Chain, JournalError, SealedEntry};

/// Time between two anchors.
const ANCHOR_EVERY: Duration = Duration::from_secs(60);
/// Entries of this process after which an anchor is written earlier.
const ANCHOR_ENTRIES: u64 = 1_000;
/// Time between two looks at the length of this process's chain.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Time limit of each statement.
const LIMIT: Duration = Duration::from_secs(5);
/// Attempts to write the next anchor before other processes do.
const ATTEMPTS: u32 = 5;

/// The last anchor, and the ends of the chains that grew since. One statement, so both are from the same instant.
const ENDS: &str = r#"
    SELECT last.number, last.hash, to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
           grown.writer, grown.length, grown.head
    FROM (SELECT 1) AS one
    LEFT JOIN (SELECT number, hash FROM anchors ORDER BY number DESC LIMIT 1) AS last ON true
    LEFT JOIN (SELECT w.writer, w.length, w.head FROM writers AS w LEFT JOIN anchored AS a ON a.writer = w.writer
               WHERE w.length > coalesce(a.length, 0)) AS grown ON true
    ORDER BY grown.writer"#;

/// Stores an anchor unless this process is sealed.
const STORE: &str = "
    WITH stored AS (
        INSERT INTO anchors (number, body, hash)
        SELECT $1, $2, $3 FROM writers WHERE writer = $4 AND sealed_at IS NULL
        RETURNING number)
    INSERT INTO anchored (writer, length)
    SELECT x.writer, x.length FROM stored, unnest($5::integer[], $6::bigint[]) AS x (writer, length)
    ORDER BY x.writer
    ON CONFLICT (writer) DO UPDATE SET length = excluded.length
    RETURNING writer";

/// The number and hash of the last anchor.
pub(super) async fn last(link: &Link) -> Result<Chain, PostgresError> {
    let sql = "SELECT number, hash FROM anchors ORDER BY number DESC LIMIT 1";
    link.query(sql, &[], LIMIT).await?.first().map_or(Ok(Chain::default()), anchor_end)
}

/// Writes the next anchor if a chain grew since the last one. Returns the number and hash of the last anchor afterwards.
pub(super) async fn write(link: &Link, writer: i32) -> Result<Chain, JournalError> {
    for _ in 0..ATTEMPTS {
        let (mut chain, anchor) = read_ends(link, writer).await?;
        if anchor.chains.is_empty() {
            return Ok(chain);
        }
        let text = anchor.to_text().map_err(|error| JournalError::Unusable(error.to_string()))?;
        match store(link, writer, &chain.seal(text), &anchor.chains).await {
            Ok(true) => return Ok(chain),
            Ok(false) => return Err(JournalError::Fenced),
            // Another process wrote this number, perhaps from an earlier look at the chains.
            Err(error) if error.is_unique_violation() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(last(link).await?)
}

/// The last anchor, and the next one.
async fn read_ends(link: &Link, writer: i32) -> Result<(Chain, Anchor), PostgresError> {
    let rows = link.query(ENDS, &[], LIMIT).await?;
    let row = first(&rows)?;
    let last = if column::<Option<i64>>(row, 0)?.is_some() { anchor_end(row)? } else { Chain::default() };
    let at = column::<&str>(row, 2)?;
    let at = at.parse().map_err(|_| PostgresError::Damaged(format!("the database's time is {at}")))?;
    let has_grown = column::<Option<i32>>(row, 3)?.is_some();
    let chains = rows.iter().filter(|_| has_grown).map(chain_end).collect::<Result<_, _>>()?;
    Ok((last, Anchor { at, by: writer, chains }))
}

fn anchor_end(row: &Row) -> Result<Chain, PostgresError> {
    Ok(Chain { length: column::<i64>(row, 0)?.unsigned_abs(), head: head(column(row, 1)?)? })
}

fn chain_end(row: &Row) -> Result<AnchoredChain, PostgresError> {
    let (writer, length) = (column(row, 3)?, column::<i64>(row, 4)?.unsigned_abs());
    Ok(AnchoredChain { writer, length, head: head(column(row, 5)?)? })
}

/// Stores an anchor; `false` if this process is sealed.
async fn store(
    link: &Link,
    writer: i32,
    anchor: &SealedEntry,
    chains: &[AnchoredChain],
) -> Result<bool, PostgresError> {
    let (number, hash) = (as_column(anchor.number), anchor.hash.0.as_slice());
    let writers: Vec<i32> = chains.iter().map(|chain| chain.writer).collect();
    let lengths: Vec<i64> = chains.iter().map(|chain| as_column(chain.length)).collect();
    let rows = link.query(STORE, &[&number, &anchor.body, &hash, &writer, &writers, &lengths], LIMIT).await?;
    Ok(!rows.is_empty())
}

/// The task that writes anchors while this process lives.
pub(super) struct Anchorer {
    link: Link,
    state: Arc<WriterState>,
    writer: i32,
    /// When it last looked at the anchors, and what it saw: the number of the last one, and the length of its own chain.
    looked_at: Instant,
    number: u64,
    length: u64,
}

impl Anchorer {
    pub(super) fn new(link: Link, state: Arc<WriterState>, writer: i32) -> Self {
        Self { link, state, writer, looked_at: Instant::now(), number: 0, length: 0 }
    }

    /// Works until this process may write no more, or `stop` is dropped.
    pub(super) async fn run(mut self, stop: oneshot::Receiver<()>) {
        let mut ticks = Ticks::new(LOOK_EVERY, self.state.clone(), stop);
        while ticks.next().await {
            let has_grown = self.state.chain().length - self.length >= ANCHOR_ENTRIES;
            if has_grown || self.looked_at.elapsed() >= ANCHOR_EVERY {
                if let Err(error) = self.look(has_grown).await {
                    tracing::warn!(%error, "could not write an anchor of the journal's chains");
                }
                self.looked_at = Instant::now();
            }
        }
    }

    /// Writes an anchor, unless another process has written one since the last look.
    async fn look(&mut self, has_grown: bool) -> Result<(), JournalError> {
        let (before, length) = (self.number, self.state.chain().length);
        self.number = last(&self.link).await?.length;
        if has_grown || self.number == before {
            self.number = write(&self.link, self.writer).await?.length;
            self.length = length;
        }
        Ok(())
    }
}
