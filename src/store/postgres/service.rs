//! The service store on PostgreSQL: runs the statements of the other files in transactions, for several processes at once. Never decides
//! anything, and never sends a statement again that may have run.
//!
//! A transaction runs on a thread that may block, as SQLite's do, to its end, also if its caller has gone. A client that stops in the
//! middle holds its locks until PostgreSQL ends its session (ten seconds without a statement).

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::BytesMut;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};
use tokio_postgres::Row;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

use super::super::error::StoreError;
use super::super::service_tables::{self, ServiceRows};
use super::super::sql::{SqlConnection, SqlRow, Subject, Value};
use super::connection::Connection;
use super::database::{PostgresDatabase, Purpose};
use super::error::PostgresError;
use super::link::Backoff;
use super::moves;
use super::schema::column;
use super::service_schema::SERVICE;

/// Time limit of a call, waiting for a connection and for other transactions included.
const CALL_LIMIT: Duration = Duration::from_secs(10);
/// Time limit of a call that copies all tables; each statement has the server's limit.
const MOVE_LIMIT: Duration = Duration::from_secs(600);
/// Connections of one process: a long transaction leaves the others to reads of the keys and to webhooks.
const CONNECTIONS_MAX: usize = 4;
/// Statements that are sent before the first of them is answered.
const PIPELINED_MAX: usize = 64;

const READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// The database, and the connections to it. Cheap to clone.
#[derive(Clone)]
pub(in crate::store) struct PostgresService(Arc<Connections>);

struct Connections {
    database: PostgresDatabase,
    idle: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
}

impl PostgresService {
    /// Checks the server, and creates or migrates the tables. Refuses a database that is part of a move, or that was left by one.
    pub(in crate::store) async fn open(database: PostgresDatabase) -> Result<Self, PostgresError> {
        let connection = database.connect(purpose()).await?;
        moves::refuse(&connection).await?;
        Self::open_to_move(database).await
    }

    /// The same, also while the database is part of a move.
    pub(super) async fn open_to_move(database: PostgresDatabase) -> Result<Self, PostgresError> {
        let connection = database.connect_to_write(purpose()).await?;
        SERVICE.prepare(&connection).await?;
        let (idle, permits) = (Mutex::new(Vec::new()), Arc::new(Semaphore::new(CONNECTIONS_MAX)));
        Ok(Self(Arc::new(Connections { database, idle, permits })))
    }

    /// Reads one state of the database.
    pub(in crate::store) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn SqlConnection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.transaction(READ.to_owned(), CALL_LIMIT, work).await
    }

    /// Reads all rows of all tables.
    pub(super) async fn rows(&self) -> Result<ServiceRows, StoreError> {
        self.transaction(READ.to_owned(), MOVE_LIMIT, ServiceRows::read).await
    }

    /// The first table that has rows.
    pub(super) async fn first_used(&self) -> Result<Option<&'static str>, StoreError> {
        self.read(service_tables::first_used).await
    }

    /// Replaces rows of all tables in one transaction. No other process uses the tables meanwhile.
    pub(super) async fn replace(
        &self,
        work: impl FnOnce(&dyn SqlConnection) -> Result<(), StoreError> + Send + 'static,
    ) -> Result<(), StoreError> {
        self.transaction("BEGIN".to_owned(), MOVE_LIMIT, work).await
    }

    /// Runs `work` in one transaction, which an error of `work` rolls back. It begins when no other transaction about the subject runs.
    pub(in crate::store) async fn write<T: Send + 'static, E: From<StoreError> + Send + 'static>(
        &self,
        subject: Subject,
        work: impl FnOnce(&dyn SqlConnection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E> {
        let begin = format!("BEGIN; SELECT pg_advisory_xact_lock({})", lock(subject));
        self.transaction(begin, CALL_LIMIT, work).await
    }

    async fn transaction<T: Send + 'static, E: From<StoreError> + Send + 'static>(
        &self,
        begin: String,
        limit: Duration,
        work: impl FnOnce(&dyn SqlConnection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E> {
        let (deadline, connections) = (Instant::now() + limit, self.0.clone());
        let permit = connections.permit(deadline).await.map_err(StoreError::from)?;
        let runtime = Handle::current();
        let task = move || {
            let connection =
                runtime.block_on(connections.begin(&begin, deadline)).map_err(StoreError::from)?;
            let transaction = Transaction { connection, runtime, deadline };
            let done = transaction.run(work);
            connections.take_back(transaction.connection);
            drop(permit);
            done
        };
        let cancelled =
            |_| StoreError::Damaged("a database task was cancelled or panicked".to_owned()).into();
        tokio::task::spawn_blocking(task).await.unwrap_or_else(|error| Err(cancelled(error)))
    }
}

impl Connections {
    async fn permit(&self, deadline: Instant) -> Result<OwnedSemaphorePermit, PostgresError> {
        let permit = timeout_at(deadline, self.permits.clone().acquire_owned()).await;
        permit.ok().and_then(Result::ok).ok_or(PostgresError::Late(CALL_LIMIT))
    }

    /// A connection in a new transaction. One that broke while it was idle is replaced: it has changed nothing yet.
    async fn begin(&self, begin: &str, deadline: Instant) -> Result<Connection, PostgresError> {
        while let Some(connection) = self.take_idle() {
            match connection.batch(begin, remaining(deadline)).await {
                Ok(()) => return Ok(connection),
                Err(error) if connection.is_usable() => {
                    // The connection is in a transaction that failed; PostgreSQL rolls it back when the connection is dropped.
                    return Err(error);
                }
                Err(_) => {}
            }
        }
        let connection = self.connect(deadline).await?;
        connection.batch(begin, remaining(deadline)).await?;
        Ok(connection)
    }

    /// A new connection. While no server can be reached, it is tried again: after a failover another one accepts writes within seconds.
    async fn connect(&self, deadline: Instant) -> Result<Connection, PostgresError> {
        let mut backoff = Backoff::default();
        loop {
            let opened = timeout_at(deadline, self.database.connect(purpose())).await;
            let pause = backoff.next_pause();
            match opened.unwrap_or(Err(PostgresError::Late(CALL_LIMIT))) {
                Err(PostgresError::Unreachable(_)) if Instant::now() + pause < deadline => {
                    tokio::time::sleep(pause).await;
                }
                done => return done,
            }
        }
    }

    fn take_idle(&self) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(Connection::is_usable);
        idle.pop()
    }

    fn take_back(&self, connection: Connection) {
        if connection.is_usable() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
    }
}

fn purpose() -> Purpose {
    Purpose::Other { name: "service store", statement_limit: CALL_LIMIT }
}

fn remaining(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}

/// The advisory lock of a subject. Never changed once released: processes of two versions may share the store.
fn lock(subject: Subject) -> i64 {
    /// `adjsvc` as a number, and room for 65 536 subjects.
    const FIRST: i64 = 0x61_64_6a_73_76_63_00_00;
    FIRST
        + match subject {
            Subject::Keys => 1,
            Subject::Signs => 2,
            Subject::Presence => 3,
            Subject::Schedules => 4,
            Subject::Outbox => 5,
        }
}

/// A transaction on its thread.
struct Transaction {
    connection: Connection,
    runtime: Handle,
    deadline: Instant,
}

impl Transaction {
    fn run<T, E: From<StoreError>>(
        &self,
        work: impl FnOnce(&dyn SqlConnection) -> Result<T, E>,
    ) -> Result<T, E> {
        let done = work(self);
        let end = if done.is_ok() { "COMMIT" } else { "ROLLBACK" };
        let ended = self.runtime.block_on(self.connection.batch(end, remaining(self.deadline)));
        match (done, ended) {
            (Ok(_), Err(error)) => Err(StoreError::Unconfirmed(error.to_string()).into()),
            // Without a rollback the connection is broken, and PostgreSQL rolls back.
            (done, _) => done,
        }
    }

    fn rows(&self, sql: &str, values: &[Value]) -> Result<Vec<Row>, PostgresError> {
        self.runtime.block_on(query(&self.connection, &dialect(sql), values, self.deadline))
    }
}

impl SqlConnection for Transaction {
    fn execute(&self, sql: &str, values: &[Value]) -> Result<usize, StoreError> {
        let sql = format!("WITH changed AS ({sql} RETURNING 1) SELECT count(*) FROM changed");
        let rows = self.rows(&sql, values)?;
        let count = rows.first().map_or(Ok(0), |row| column::<i64>(row, 0))?;
        Ok(usize::try_from(count).unwrap_or_default())
    }

    fn execute_all(&self, sql: &str, rows: &[Vec<Value>]) -> Result<(), StoreError> {
        // The first prepares the statement for all.
        let Some((first, others)) = rows.split_first() else { return Ok(()) };
        self.rows(sql, first)?;
        let sql = dialect(sql);
        let sending = others.iter().map(|values| query(&self.connection, &sql, values, self.deadline));
        let sending = stream::iter(sending).buffered(PIPELINED_MAX);
        Ok(self.runtime.block_on(sending.try_for_each(|_| std::future::ready(Ok(()))))?)
    }

    fn query(&self, sql: &str, values: &[Value]) -> Result<Vec<SqlRow>, StoreError> {
        let rows = self.rows(sql, values)?;
        Ok(rows.iter().map(sql_row).collect::<Result<_, _>>()?)
    }
}

/// The statement with PostgreSQL's names of parameters. None has a question mark otherwise.
fn dialect(sql: &str) -> String {
    sql.replace('?', "$")
}

async fn query(
    connection: &Connection,
    sql: &str,
    values: &[Value],
    deadline: Instant,
) -> Result<Vec<Row>, PostgresError> {
    let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| value as _).collect();
    connection.query(sql, &values, remaining(deadline)).await
}

fn sql_row(row: &Row) -> Result<SqlRow, PostgresError> {
    let value = |(index, of): (usize, &tokio_postgres::Column)| match *of.type_() {
        Type::INT8 => column::<Option<i64>>(row, index).map(Value::from),
        Type::TEXT => column::<Option<String>>(row, index).map(Value::from),
        Type::BYTEA => Ok(column::<Option<Vec<u8>>>(row, index)?.map_or(Value::Null, Value::Bytes)),
        ref other => Err(PostgresError::Damaged(format!("a column has the type {other}"))),
    };
    row.columns().iter().enumerate().map(value).collect::<Result<_, _>>().map(SqlRow)
}

impl ToSql for Value {
    fn to_sql(
        &self,
        of: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Integer(number) => number.to_sql(of, out),
            // PostgreSQL's texts have no NUL. A text is stored and searched with the same replacement.
            Self::Text(text) if text.contains('\0') => text.replace('\0', "\u{fffd}").to_sql(of, out),
            Self::Text(text) => text.to_sql(of, out),
            Self::Bytes(bytes) => bytes.to_sql(of, out),
        }
    }

    fn accepts(of: &Type) -> bool {
        matches!(*of, Type::INT8 | Type::TEXT | Type::BYTEA)
    }

    to_sql_checked!();
}
