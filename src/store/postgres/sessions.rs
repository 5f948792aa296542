//! Finds out whether each connection has a session of the server for itself. A connection pooler in transaction mode gives every
//! transaction whichever session is free: prepared statements, settings and advisory locks are then those of other connections. Sets
//! nothing in a session, and prepares nothing.

use std::time::Duration;

use super::connection::Connection;
use super::error::PostgresError;

/// Rounds of the comparison. Other users of the pooler change which session is free.
const ROUNDS: usize = 2;

/// Fails if a pooler shares sessions between the two connections, or with others.
pub(super) async fn require_own(
    one: &Connection,
    other: &Connection,
    limit: Duration,
) -> Result<(), PostgresError> {
    let (first, second) = (session(one, "", limit).await?, session(other, "", limit).await?);
    if first == second {
        return Err(PostgresError::SharedSessions);
    }
    let ways = [(other, &second, one, &first), (one, &first, other, &second)];
    for (holder, held, guest, own) in ways.into_iter().cycle().take(ROUNDS * ways.len()) {
        // While one connection holds its session in a transaction, a pooler gives the other one a session that is free.
        let in_transaction = session(holder, "BEGIN;", limit).await?;
        let beside = session(guest, "", limit).await?;
        holder.batch("COMMIT", limit).await?;
        let afterwards = session(holder, "", limit).await?;
        if [&in_transaction, &afterwards] != [held; 2] || beside != *own {
            return Err(PostgresError::SharedSessions);
        }
    }
    Ok(())
}

/// The process id of the session in which the statement ran, after `before`.
async fn session(
    connection: &Connection,
    before: &str,
    limit: Duration,
) -> Result<Option<String>, PostgresError> {
    connection.simple_value(&format!("{before} SELECT pg_backend_pid()"), limit).await
}
