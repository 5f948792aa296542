//! The beginning of a move in the database, for both directions: in a transaction in which no process becomes a writer, and only when none
//! writes. Never decides whether a move may begin otherwise.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::connection::Connection;
use super::database::{Purpose, SETUP_LIMIT, VERIFY_LIMIT};
use super::error::PostgresError;
use super::journal_move::MoveError;
use super::schema::column;
use super::writers::VALID_FOR;

/// A process that ended without sealing its chain, as a killed one or a short command does, counts as writing for so long.
const WRITERS_END_WITHIN: Duration = VALID_FOR.saturating_add(Duration::from_secs(2));
/// The connections of a move, in both directions.
pub(super) const PURPOSE: Purpose = Purpose::Other { name: "move", statement_limit: VERIFY_LIMIT };
/// Time between two attempts.
const AGAIN_AFTER: Duration = Duration::from_millis(500);

/// Runs `work` in a transaction. While `work` finds that a process writes, it runs again, until every process that has ended no longer counts.
pub(super) async fn while_no_process_writes<T>(
    connection: &Connection,
    work: impl AsyncFn() -> Result<T, MoveError>,
) -> Result<T, MoveError> {
    let deadline = Instant::now() + WRITERS_END_WITHIN;
    loop {
        match in_transaction(connection, &work).await {
            Err(MoveError::Writing(_)) if Instant::now() < deadline => sleep(AGAIN_AFTER).await,
            done => return done,
        }
    }
}

/// A process that becomes a writer after the transaction sees what it stored.
async fn in_transaction<T>(
    connection: &Connection,
    work: &impl AsyncFn() -> Result<T, MoveError>,
) -> Result<T, MoveError> {
    connection.batch("BEGIN; LOCK TABLE writers IN SHARE ROW EXCLUSIVE MODE", VERIFY_LIMIT).await?;
    let done = work().await;
    let ended = connection.batch(if done.is_ok() { "COMMIT" } else { "ROLLBACK" }, SETUP_LIMIT).await;
    let done = done?;
    ended?;
    Ok(done)
}

/// Fails while a process writes to the database.
pub(super) async fn refuse_writers(connection: &Connection) -> Result<(), MoveError> {
    let sql = "SELECT name FROM writers WHERE sealed_at IS NULL AND until >= clock_timestamp() LIMIT 1";
    match connection.query(sql, &[], SETUP_LIMIT).await?.first() {
        Some(row) => Err(MoveError::Writing(column(row, 0)?)),
        None => Ok(()),
    }
}

/// Seals the chains of processes that have ended without doing so.
pub(super) async fn seal_ended(connection: &Connection, by: i32) -> Result<(), PostgresError> {
    let sql = "UPDATE writers SET sealed_at = clock_timestamp(), sealed_by = $1
               WHERE sealed_at IS NULL AND until < clock_timestamp() AND writer <> $1";
    connection.query(sql, &[&by], SETUP_LIMIT).await.map(|_| ())
}
