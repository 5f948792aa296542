//! The service store: the SQLite file `service.sqlite` with API keys, check-ins, decisions and schedules. It is separate from the
//! journal because the command line may write to it while the service runs. Never holds facts about actions.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use super::error::StoreError;
use super::service_schema::SERVICE;
use super::{connection, directory};
use crate::calendar::{RoomAddress, Uid};
use crate::cleanup::Attendance;
use crate::engine::CalendarError;
use crate::journal::JournalError;

/// The database file.
const FILE: &str = "service.sqlite";
/// Its name before the first release.
const FORMER_FILE: &str = "desk.sqlite";

/// How long attendance of a series is kept: longer than a yearly series pauses.
const ATTENDANCE_KEPT: TimeDelta = TimeDelta::days(800);

/// The service store. Cheap to clone.
#[derive(Clone)]
pub struct ServiceStore(Arc<Mutex<Connection>>);

impl ServiceStore {
    /// Opens the service store in the state directory. Creates the directory and the file if they are missing.
    ///
    /// # Errors
    /// The directory or the file cannot be used, the file is not a service store, or only a file of the former name exists.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        directory::create(path).map_err(|error| StoreError::Directory { path: path.to_owned(), error })?;
        refuse_former_name(path)?;
        let mut connection = connection::open_to_write(&path.join(FILE))?;
        // Another process may write at the same time. A transaction that begins by reading cannot wait for it: SQLite refuses its first
        // write at once ("database is locked").
        connection.set_transaction_behavior(TransactionBehavior::Immediate);
        SERVICE.migrate(&mut connection)?;
        Ok(Self(Arc::new(Mutex::new(connection))))
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
        let mut connection = Connection::open_in_memory()?;
        SERVICE.migrate(&mut connection)?;
        Ok(Self(Arc::new(Mutex::new(connection))))
    }

    pub(super) async fn with_connection<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let connection = self.0.clone();
        let task = move || work(&mut connection.lock().unwrap_or_else(PoisonError::into_inner));
        tokio::task::spawn_blocking(task)
            .await
            .map_err(|_| StoreError::Damaged("a database task was cancelled or panicked".to_owned()))?
    }

    /// The last run of this schedule.
    ///
    /// # Errors
    /// The service store cannot be read.
    pub async fn last_run(&self, schedule: String) -> Result<Option<DateTime<Utc>>, StoreError> {
        self.with_connection(move |connection| {
            let sql = "SELECT last_ms FROM runs WHERE schedule = ?1";
            let last: Option<i64> = connection.query_row(sql, [schedule], |row| row.get(0)).optional()?;
            Ok(last.and_then(DateTime::from_timestamp_millis))
        })
        .await
    }

    /// Records a run of this schedule.
    ///
    /// # Errors
    /// The service store cannot be written.
    pub async fn record_run(&self, schedule: String, at: DateTime<Utc>) -> Result<(), StoreError> {
        self.with_connection(move |connection| {
            let sql = "INSERT INTO runs VALUES (?1, ?2) ON CONFLICT (schedule) DO UPDATE SET last_ms = ?2";
            connection.execute(sql, (schedule, at.timestamp_millis()))?;
            Ok(())
        })
        .await
    }
}

#[async_trait]
impl Attendance for ServiceStore {
    async fn record_attended(
        &self,
        room: &RoomAddress,
        uid: &Uid,
        start: DateTime<Utc>,
    ) -> Result<(), CalendarError> {
        let (room, uid, attended) = (room.to_string(), uid.to_string(), start.timestamp_millis());
        let oldest = (start - ATTENDANCE_KEPT).timestamp_millis();
        let kept = self.with_connection(move |connection| {
            let transaction = connection.transaction()?;
            let sql = "INSERT INTO series VALUES (?1, ?2, ?3)
                       ON CONFLICT (room, uid) DO UPDATE SET came_ms = max(came_ms, ?3)";
            transaction.execute(sql, (room, uid, attended))?;
            transaction.execute("DELETE FROM series WHERE came_ms < ?1", [oldest])?;
            Ok(transaction.commit()?)
        });
        kept.await.map_err(calendar_error)
    }

    async fn last_attended(
        &self,
        room: &RoomAddress,
        uid: &Uid,
    ) -> Result<Option<DateTime<Utc>>, CalendarError> {
        let (room, uid) = (room.to_string(), uid.to_string());
        let last = self.with_connection(move |connection| {
            let sql = "SELECT came_ms FROM series WHERE room = ?1 AND uid = ?2";
            let mut statement = connection.prepare_cached(sql)?;
            let attended: Option<i64> = statement.query_row((room, uid), |row| row.get(0)).optional()?;
            Ok(attended.and_then(DateTime::from_timestamp_millis))
        });
        last.await.map_err(calendar_error)
    }

    async fn excuse_date(
        &self,
        room: &RoomAddress,
        uid: &Uid,
        start: DateTime<Utc>,
    ) -> Result<(), CalendarError> {
        let (room, uid, start) = (room.to_string(), uid.to_string(), start.timestamp_millis());
        let kept = self.with_connection(move |connection| {
            let transaction = connection.transaction()?;
            transaction.execute("INSERT OR IGNORE INTO excused VALUES (?1, ?2, ?3)", (room, uid, start))?;
            let oldest = start - ATTENDANCE_KEPT.num_milliseconds();
            transaction.execute("DELETE FROM excused WHERE start_ms < ?1", [oldest])?;
            Ok(transaction.commit()?)
        });
        kept.await.map_err(calendar_error)
    }

    async fn excused_dates(
        &self,
        room: &RoomAddress,
        uid: &Uid,
    ) -> Result<BTreeSet<DateTime<Utc>>, CalendarError> {
        let (room, uid) = (room.to_string(), uid.to_string());
        let dates = self.with_connection(move |connection| {
            let sql = "SELECT start_ms FROM excused WHERE room = ?1 AND uid = ?2";
            let mut statement = connection.prepare_cached(sql)?;
            let dates = statement.query_map((room, uid), |row| row.get::<_, i64>(0))?;
            let dates: Vec<i64> = dates.collect::<Result<_, _>>()?;
            Ok(dates.into_iter().filter_map(DateTime::from_timestamp_millis).collect())
        });
        dates.await.map_err(calendar_error)
    }
}

fn calendar_error(error: StoreError) -> CalendarError {
    JournalError::Unusable(error.to_string()).into()
}

/// Refuses a directory that holds the service store only under its former name. A new, empty store beside it would lose all keys
/// silently. Adjourn does not rename the file itself: another process may still write to it, and its log (WAL) must move with it.
fn refuse_former_name(path: &Path) -> Result<(), StoreError> {
    if path.join(FORMER_FILE).exists() && !path.join(FILE).exists() {
        return Err(StoreError::FormerName { path: path.to_owned(), former: FORMER_FILE, name: FILE });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
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
