//! The moves of a journal between this database and a state directory: the table `moves`, whose last row decides whether processes may
//! open the database. Never moves anything: `arrival.rs` and `departure.rs` do.

use super::connection::Connection;
#[cfg(feature = "service")]
use super::connection::Parameters;
use super::database::SETUP_LIMIT;
use super::error::PostgresError;
use super::schema::{column, first};

/// The last move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Move {
    /// Into the database, or out of it.
    pub(super) is_arrival: bool,
    /// The state directory.
    pub(super) place: String,
    /// The writer whose chain arrived, or that moves the journal away.
    pub(super) writer: Option<i32>,
    pub(super) is_done: bool,
}

/// Reads the last move. A database of an older schema has none.
pub(super) async fn last(connection: &Connection) -> Result<Option<Move>, PostgresError> {
    let exists = "SELECT to_regclass('adjourn.moves') IS NOT NULL";
    if !column::<bool>(first(&connection.query(exists, &[], SETUP_LIMIT).await?)?, 0)? {
        return Ok(None);
    }
    let sql = "SELECT direction, place, writer, done_at IS NOT NULL FROM moves ORDER BY number DESC LIMIT 1";
    let rows = connection.query(sql, &[], SETUP_LIMIT).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let is_arrival = match column::<&str>(row, 0)? {
        "in" => true,
        "out" => false,
        other => return Err(PostgresError::Damaged(format!("a move has the direction {other}"))),
    };
    let (place, writer, is_done) = (column(row, 1)?, column(row, 2)?, column(row, 3)?);
    Ok(Some(Move { is_arrival, place, writer, is_done }))
}

/// Fails while a move has not finished, and when the journal has left the database.
pub(super) async fn refuse(connection: &Connection) -> Result<(), PostgresError> {
    match last(connection).await? {
        None | Some(Move { is_arrival: true, is_done: true, .. }) => Ok(()),
        Some(Move { is_done: false, place, .. }) => Err(PostgresError::MoveUnfinished(place)),
        Some(Move { is_arrival: false, is_done: true, place, .. }) => Err(PostgresError::Moved(place)),
    }
}

/// Fails while an arrival has not finished: the database then has a part of a journal. A journal that has left stays readable.
pub(super) async fn refuse_to_read(connection: &Connection) -> Result<(), PostgresError> {
    match last(connection).await? {
        Some(Move { is_arrival: true, is_done: false, place, .. }) => {
            Err(PostgresError::MoveUnfinished(place))
        }
        _ => Ok(()),
    }
}

/// Records that a move begins.
#[cfg(feature = "service")]
pub(super) async fn begin(
    connection: &Connection,
    direction: &str,
    place: &str,
    writer: Option<i32>,
) -> Result<(), PostgresError> {
    let sql = "INSERT INTO moves (direction, place, writer) VALUES ($1, $2, $3)";
    let parameters: Parameters<'_> = &[&direction, &place, &writer];
    connection.query(sql, parameters, SETUP_LIMIT).await.map(|_| ())
}
