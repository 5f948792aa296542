//! The service store: API keys, check-ins, decisions, schedules and the outbox of webhooks. It is separate from the journal because the
//! command line may write to it while the service runs; in PostgreSQL, several services share it. Never holds facts about actions.
//!
//! ```text
//! keys.rs, displays.rs, pending_events.rs, evidence.rs, presence.rs, attendance.rs, schedules.rs, outbox.rs, claims.rs
//!     └──► ServiceStore: read, write ──► SqlConnection (sql.rs) ──► SQLite (sqlite_service.rs)
//!                                                                └──► PostgreSQL (postgres/service.rs)
//! ```

use std::path::Path;

use super::error::StoreError;
#[cfg(feature = "postgres")]
use super::postgres::{PostgresDatabase, PostgresService};
#[cfg(feature = "postgres")]
use super::service_tables::ServiceRows;
use super::sql::{SqlConnection, Subject};
use super::sqlite_service::{FILE, FORMER_FILE, SqliteService};

/// The service store. Cheap to clone.
#[derive(Clone)]
pub struct ServiceStore(Database);

/// The database that holds it.
#[derive(Clone)]
enum Database {
    Sqlite(SqliteService),
    #[cfg(feature = "postgres")]
    Postgres(PostgresService),
}

impl ServiceStore {
    /// Opens the service store in the state directory. Creates the directory and the file if they are missing.
    ///
    /// # Errors
    /// The directory or the file cannot be used, the file is not a service store, or only a file of the former name exists.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(Self(Database::Sqlite(SqliteService::open(path)?)))
    }

    /// Whether the state directory holds a service store. A file of the former name counts, so that [`Self::open`] reports it.
    pub fn exists_in(path: &Path) -> bool {
        path.join(FILE).exists() || path.join(FORMER_FILE).exists()
    }

    /// Opens a service store in memory, for demos and tests. Its content ends with the process.
    ///
    /// # Errors
    /// SQLite cannot allocate the database.
    pub fn in_memory() -> Result<Self, StoreError> {
        Ok(Self(Database::Sqlite(SqliteService::in_memory()?)))
    }

    /// Opens the service store in a PostgreSQL database. Creates or migrates its tables.
    ///
    /// # Errors
    /// The database cannot be reached or used, or its tables are not those of a service store.
    #[cfg(feature = "postgres")]
    pub async fn open_postgres(database: PostgresDatabase) -> Result<Self, StoreError> {
        Ok(Self(Database::Postgres(PostgresService::open(database).await?)))
    }

    /// Runs `work` with all rows of the state directory's store, also if its journal has moved. No other process writes meanwhile.
    #[cfg(feature = "postgres")]
    pub(super) async fn with_rows_of<T: Send + 'static, E: From<StoreError> + Send + 'static>(
        path: &Path,
        work: impl FnOnce(ServiceRows) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E> {
        let store =
            if Self::exists_in(path) { SqliteService::open(path) } else { SqliteService::in_memory() };
        store?.alone(|connection| work(ServiceRows::read(connection)?)).await
    }

    /// Stores these rows in place of all others in the state directory's store, also while its journal is on the way there.
    #[cfg(feature = "postgres")]
    pub(super) async fn replace_rows_of(path: &Path, rows: ServiceRows) -> Result<(), StoreError> {
        SqliteService::open(path)?.alone(move |connection| rows.replace(connection)).await
    }

    /// Whether other processes that do the same work may use this store.
    pub fn is_shared(&self) -> bool {
        match self.0 {
            Database::Sqlite(_) => false,
            #[cfg(feature = "postgres")]
            Database::Postgres(_) => true,
        }
    }

    /// Reads by statements that change nothing.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn SqlConnection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        match &self.0 {
            Database::Sqlite(sqlite) => sqlite.read(work).await,
            #[cfg(feature = "postgres")]
            Database::Postgres(postgres) => postgres.read(work).await,
        }
    }

    /// Runs `work` in one transaction; an error of `work` leaves the store as it is. Of the transactions about one subject, in all
    /// processes, one runs at a time.
    pub(super) async fn write<T: Send + 'static, E: From<StoreError> + Send + 'static>(
        &self,
        #[cfg_attr(not(feature = "postgres"), expect(unused_variables, reason = "SQLite has one lock"))]
        subject: Subject,
        work: impl FnOnce(&dyn SqlConnection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E> {
        match &self.0 {
            // SQLite has one transaction at a time that writes, whatever its subject.
            Database::Sqlite(sqlite) => sqlite.write(work).await,
            #[cfg(feature = "postgres")]
            Database::Postgres(postgres) => postgres.write(subject, work).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta};
    use rusqlite::Connection;

    use super::*;

    #[tokio::test]
    async fn a_service_store_of_the_former_name_is_refused_until_it_is_renamed() {
        let directory = tempfile::tempdir().unwrap();
        let (file, former) = (directory.path().join(FILE), directory.path().join(FORMER_FILE));
        let ran = DateTime::UNIX_EPOCH + TimeDelta::days(1);
        let store = ServiceStore::open(directory.path()).unwrap();
        store.record_run("hourly".to_owned(), ran).await.unwrap();
        drop(store);
        std::fs::rename(&file, &former).unwrap();
        assert!(ServiceStore::exists_in(directory.path()), "a command must not report that there is none");
        let refused = ServiceStore::open(directory.path()).map(|_| ()).unwrap_err();
        assert!(matches!(refused, StoreError::FormerName { .. }), "{refused}");
        let message = refused.to_string();
        assert!(message.contains("rename desk.sqlite to service.sqlite"), "{message}");
        assert!(message.contains("desk.sqlite-wal"), "{message}");
        assert!(!file.exists() && former.exists(), "nothing was made or moved");
        std::fs::rename(&former, &file).unwrap();
        let store = ServiceStore::open(directory.path()).unwrap();
        assert_eq!(store.last_run("hourly".to_owned()).await.unwrap(), Some(ran));
    }

    #[test]
    fn opening_waits_while_another_process_writes() {
        let directory = tempfile::tempdir().unwrap();
        drop(ServiceStore::open(directory.path()).unwrap());
        let other = Connection::open(directory.path().join(FILE)).unwrap();
        other.execute_batch("BEGIN IMMEDIATE; INSERT INTO runs VALUES ('hourly', 1)").unwrap();
        let writing = std::thread::spawn(move || {
            std::thread::sleep(std::time::Duration::from_millis(100));
            other.execute_batch("COMMIT").unwrap();
        });
        ServiceStore::open(directory.path()).unwrap();
        assert!(writing.join().is_ok());
    }

    #[test]
    fn a_service_store_is_opened_beside_a_file_of_the_former_name() {
        let directory = tempfile::tempdir().unwrap();
        drop(ServiceStore::open(directory.path()).unwrap());
        std::fs::write(directory.path().join(FORMER_FILE), b"left behind").unwrap();
        ServiceStore::open(directory.path()).unwrap();
        assert_eq!(std::fs::read(directory.path().join(FORMER_FILE)).unwrap(), b"left behind");
    }
}
