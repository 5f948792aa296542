//! One connection to PostgreSQL: its task, its prepared statements, and a time limit for every call. Never opens another one: `link.rs`
//! does.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row, SimpleQueryMessage, Statement};

use super::error::PostgresError;

/// Prepared statements of one connection. When there are more, all are prepared anew.
const STATEMENTS_MAX: usize = 200;

/// Parameters of a statement.
pub(in crate::store) type Parameters<'a> = &'a [&'a (dyn ToSql + Sync)];

/// An open connection. It is closed when dropped, also while a statement runs.
pub(in crate::store) struct Connection {
    client: Client,
    task: JoinHandle<()>,
    statements: Mutex<HashMap<String, Statement>>,
    is_unusable: AtomicBool,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Connection {
    /// A connection whose messages `task` moves.
    pub(super) fn new(client: Client, task: JoinHandle<()>) -> Self {
        Self { client, task, statements: Mutex::default(), is_unusable: AtomicBool::new(false) }
    }

    /// Whether the connection is open, as far as is known.
    pub(in crate::store) fn is_usable(&self) -> bool {
        !self.is_unusable.load(Ordering::Relaxed) && !self.client.is_closed()
    }

    /// Runs one statement. Without an answer within the limit the connection is given up.
    pub(in crate::store) async fn query(
        &self,
        sql: &str,
        parameters: Parameters<'_>,
        limit: Duration,
    ) -> Result<Vec<Row>, PostgresError> {
        let run = async {
            let statement = self.prepared(sql).await?;
            self.client.query(&statement, parameters).await
        };
        self.within(limit, run).await
    }

    /// Runs statements without parameters, in one transaction unless they begin their own.
    pub(in crate::store) async fn batch(&self, sql: &str, limit: Duration) -> Result<(), PostgresError> {
        self.within(limit, self.client.batch_execute(sql)).await
    }

    /// The first value that a statement returns, as text. Prepares nothing.
    pub(super) async fn simple_value(
        &self,
        sql: &str,
        limit: Duration,
    ) -> Result<Option<String>, PostgresError> {
        let messages = self.within(limit, self.client.simple_query(sql)).await?;
        Ok(messages.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        }))
    }

    async fn within<T>(
        &self,
        limit: Duration,
        run: impl Future<Output = Result<T, tokio_postgres::Error>> + Send,
    ) -> Result<T, PostgresError> {
        match timeout(limit, run).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => {
                if ends_connection(&error) {
                    self.is_unusable.store(true, Ordering::Relaxed);
                }
                Err(PostgresError::of(&error))
            }
            Err(_) => {
                self.is_unusable.store(true, Ordering::Relaxed);
                Err(PostgresError::Late(limit))
            }
        }
    }

    async fn prepared(&self, sql: &str) -> Result<Statement, tokio_postgres::Error> {
        let known = self.statements.lock().unwrap_or_else(PoisonError::into_inner).get(sql).cloned();
        if let Some(statement) = known {
            return Ok(statement);
        }
        let statement = self.client.prepare(sql).await?;
        let mut statements = self.statements.lock().unwrap_or_else(PoisonError::into_inner);
        if statements.len() >= STATEMENTS_MAX {
            statements.clear();
        }
        statements.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }
}

/// Whether no further statement should use the connection: it is broken, the server ends, or the server has become a standby.
fn ends_connection(error: &tokio_postgres::Error) -> bool {
    match error.code() {
        None => true,
        Some(code) => {
            let code = code.code();
            code == "25006" || code.starts_with("57P") || code.starts_with("08")
        }
    }
}
