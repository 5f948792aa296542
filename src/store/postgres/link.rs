//! A connection that is opened again when it breaks, for statements that may be repeated: reads, and writes that change nothing the
//! second time. Appends have their own rules (`appender.rs`).

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_postgres::Row;
use uuid::Uuid;

use super::connection::{Connection, Parameters};
use super::database::{PostgresDatabase, Purpose};
use super::error::PostgresError;

/// The first pause after a failed attempt to connect; each further one is twice as long …
const PAUSE_MIN: Duration = Duration::from_millis(50);
/// … up to this one: facts are taken again soon after a new primary takes writes.
const PAUSE_MAX: Duration = Duration::from_millis(500);

/// A pause that grows with every failure, with jitter so that processes do not connect in step.
#[derive(Debug, Default)]
pub(in crate::store) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The pause after one more failure.
    pub(in crate::store) fn next_pause(&mut self) -> Duration {
        let pause = PAUSE_MIN.saturating_mul(1 << self.failures.min(8)).min(PAUSE_MAX);
        self.failures += 1;
        pause.mul_f64(0.5 + jitter() / 2.0)
    }
}

/// A random number from 0 to 1.
pub(in crate::store) fn jitter() -> f64 {
    f64::from(u16::from_be_bytes([Uuid::new_v4().as_bytes()[0], Uuid::new_v4().as_bytes()[1]]))
        / f64::from(u16::MAX)
}

/// A connection for one purpose, opened when it is first used.
pub(in crate::store) struct Link {
    database: PostgresDatabase,
    purpose: Purpose,
    current: Mutex<Option<Arc<Connection>>>,
}

impl Link {
    pub(in crate::store) fn new(database: PostgresDatabase, purpose: Purpose) -> Self {
        Self { database, purpose, current: Mutex::new(None) }
    }

    /// Runs a statement that may be repeated. If the connection breaks, the statement runs once more on another one.
    pub(in crate::store) async fn query(
        &self,
        sql: &str,
        parameters: Parameters<'_>,
        limit: Duration,
    ) -> Result<Vec<Row>, PostgresError> {
        let deadline = Instant::now() + limit;
        let connection = self.connection(deadline, limit).await?;
        match connection.query(sql, parameters, deadline.duration_since(Instant::now())).await {
            Err(error) if !connection.is_usable() && !matches!(error, PostgresError::Late(_)) => {
                let connection = self.connection(deadline, limit).await?;
                connection.query(sql, parameters, deadline.duration_since(Instant::now())).await
            }
            done => done,
        }
    }

    /// The open connection, or a new one.
    async fn connection(&self, deadline: Instant, limit: Duration) -> Result<Arc<Connection>, PostgresError> {
        let late = |_| PostgresError::Late(limit);
        let mut current = timeout_at(deadline, self.current.lock()).await.map_err(late)?;
        if let Some(open) = current.as_ref().filter(|open| open.is_usable()) {
            return Ok(open.clone());
        }
        *current = None;
        let mut backoff = Backoff::default();
        loop {
            let error = match timeout_at(deadline, self.database.connect(self.purpose)).await.map_err(late)? {
                Ok(connection) => return Ok(current.insert(Arc::new(connection)).clone()),
                Err(error) => error,
            };
            let pause = backoff.next_pause();
            if !matches!(error, PostgresError::Unreachable(_) | PostgresError::Late(_))
                || Instant::now() + pause >= deadline
            {
                return Err(error);
            }
            sleep(pause).await;
        }
    }
}
