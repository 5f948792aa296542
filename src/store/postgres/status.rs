//! What an administrator wants to know about the database before anything is written to it. Changes nothing.

use chrono::{DateTime, Utc};

use super::database::{PostgresDatabase, Purpose, SETUP_LIMIT};
use super::error::PostgresError;
use super::moves;
use super::schema::{column, first};

/// The state of a database that can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseStatus {
    /// The server's version, such as `15.18`.
    pub version: String,
    /// The standbys that stream from it, as far as the user may see them.
    pub standbys: u64,
    /// Whether a commit waits for a standby.
    pub waits_for_standby: bool,
    /// The server's time.
    pub now: DateTime<Utc>,
}

const STATUS: &str = "SELECT current_setting('server_version'),
    (SELECT count(*) FROM pg_stat_replication WHERE coalesce(state, 'streaming') = 'streaming'),
    (extract(epoch FROM clock_timestamp()) * 1000)::bigint,
    CASE WHEN to_regnamespace('adjourn') IS NULL THEN has_database_privilege(current_database(), 'CREATE')
         ELSE has_schema_privilege('adjourn', 'USAGE') AND has_schema_privilege('adjourn', 'CREATE') END,
    current_setting('synchronous_standby_names') <> '' AND current_setting('synchronous_commit') NOT IN ('off', 'local')";

impl PostgresDatabase {
    /// Connects, and checks the server as every command does; also whether the user may create the tables.
    ///
    /// # Errors
    /// The database cannot be used, for the reason that a command would report.
    pub async fn status(&self) -> Result<DatabaseStatus, PostgresError> {
        let purpose = Purpose::Other { name: "doctor", statement_limit: SETUP_LIMIT };
        let connection = self.connect_to_write(purpose).await?;
        let rows = connection.query(STATUS, &[], SETUP_LIMIT).await?;
        let row = first(&rows)?;
        if !column::<bool>(row, 3)? {
            let right = "CREATE on the database, or USAGE and CREATE on its schema `adjourn`";
            return Err(PostgresError::RightMissing(right.to_owned()));
        }
        moves::refuse(&connection).await?;
        Ok(DatabaseStatus {
            version: column(row, 0)?,
            standbys: column::<i64>(row, 1)?.unsigned_abs(),
            waits_for_standby: column(row, 4)?,
            now: DateTime::from_timestamp_millis(column(row, 2)?).unwrap_or_default(),
        })
    }
}
