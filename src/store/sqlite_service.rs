//! The service store on SQLite: the file `service.sqlite` in the state directory, or a database in memory. Never decides anything: it
//! runs the statements of the other files, one transaction at a time.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, Row, ToSql, TransactionBehavior, params_from_iter};

use super::error::StoreError;
use super::service_schema::SERVICE;
use super::sql::{SqlConnection, SqlRow, Value};
use super::{connection, directory, moved_to};

/// The database file.
pub(super) const FILE: &str = "service.sqlite";
/// Its name before the first release.
pub(super) const FORMER_FILE: &str = "desk.sqlite";

/// The database, and the threads that wait for it.
#[derive(Clone)]
pub(super) struct SqliteService {
    connection: Arc<Mutex<Connection>>,
    /// The state directory; none in memory.
    directory: Option<Arc<Path>>,
}

impl SqliteService {
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        directory::create(path).map_err(|error| StoreError::Directory { path: path.to_owned(), error })?;
        refuse_former_name(path)?;
        let mut connection = connection::open_to_write(&path.join(FILE))?;
        // Another process may write at the same time. A transaction that begins by reading cannot wait for it: SQLite refuses its first
        // write at once ("database is locked").
        connection.set_transaction_behavior(TransactionBehavior::Immediate);
        SERVICE.migrate(&mut connection)?;
        Ok(Self { connection: Arc::new(Mutex::new(connection)), directory: Some(path.into()) })
    }

    pub(super) fn in_memory() -> Result<Self, StoreError> {
        let mut connection = Connection::open_in_memory()?;
        SERVICE.migrate(&mut connection)?;
        Ok(Self { connection: Arc::new(Mutex::new(connection)), directory: None })
    }

    /// Reads.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn SqlConnection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.on_thread(move |connection| work(connection)).await
    }

    /// Runs `work` in one transaction, which an error of `work` rolls back. Refuses a directory whose journal has moved: within the
    /// transaction, since the move may have ended while this one waited for it.
    pub(super) async fn write<T: Send + 'static, E: From<StoreError> + Send + 'static>(
        &self,
        work: impl FnOnce(&dyn SqlConnection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E> {
        let directory = self.directory.clone();
        self.alone(move |connection| {
            directory.as_deref().map_or(Ok(()), moved_to::refuse)?;
            work(connection)
        })
        .await
    }

    /// Runs `work` in one transaction, also in a directory whose journal has moved. No other process writes meanwhile.
    pub(super) async fn alone<T: Send + 'static, E: From<StoreError> + Send + 'static>(
        &self,
        work: impl FnOnce(&dyn SqlConnection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E> {
        self.on_thread(move |connection| {
            let transaction = connection
                .transaction_with_behavior(TransactionBehavior::Immediate)
                .map_err(StoreError::from)?;
            let done = work(&*transaction)?;
            transaction.commit().map_err(StoreError::from)?;
            Ok(done)
        })
        .await
    }

    async fn on_thread<T: Send + 'static, E: From<StoreError> + Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E> {
        let connection = self.connection.clone();
        let task = move || work(&mut connection.lock().unwrap_or_else(PoisonError::into_inner));
        let cancelled =
            |_| StoreError::Damaged("a database task was cancelled or panicked".to_owned()).into();
        tokio::task::spawn_blocking(task).await.unwrap_or_else(|error| Err(cancelled(error)))
    }
}

impl SqlConnection for Connection {
    fn execute(&self, sql: &str, values: &[Value]) -> Result<usize, StoreError> {
        Ok(self.prepare_cached(sql)?.execute(params_from_iter(values))?)
    }

    fn execute_all(&self, sql: &str, rows: &[Vec<Value>]) -> Result<(), StoreError> {
        let mut statement = self.prepare_cached(sql)?;
        for values in rows {
            statement.execute(params_from_iter(values))?;
        }
        Ok(())
    }

    fn query(&self, sql: &str, values: &[Value]) -> Result<Vec<SqlRow>, StoreError> {
        let mut statement = self.prepare_cached(sql)?;
        let columns = statement.column_count();
        let mut found = statement.query(params_from_iter(values))?;
        let mut rows = Vec::new();
        while let Some(row) = found.next()? {
            rows.push(SqlRow((0..columns).map(|column| value(row, column)).collect::<Result<_, _>>()?));
        }
        Ok(rows)
    }
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Integer(number) => ValueRef::Integer(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

fn value(row: &Row<'_>, column: usize) -> Result<Value, StoreError> {
    Ok(match row.get_ref(column)? {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Integer(number),
        ValueRef::Blob(bytes) => Value::Bytes(bytes.to_vec()),
        ValueRef::Real(_) | ValueRef::Text(_) => Value::Text(row.get(column)?),
    })
}

/// Refuses a directory that holds the service store only under its former name. A new, empty store beside it would lose all keys
/// silently. Adjourn does not rename the file itself: another process may still write to it, and its log (WAL) must move with it.
fn refuse_former_name(path: &Path) -> Result<(), StoreError> {
    if path.join(FORMER_FILE).exists() && !path.join(FILE).exists() {
        return Err(StoreError::FormerName { path: path.to_owned(), former: FORMER_FILE, name: FILE });
    }
    Ok(())
}
