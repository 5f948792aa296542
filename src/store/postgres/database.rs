//! Opens connections to the one database: by TLS, with the settings that every session needs, and only to a server that keeps what it
//! acknowledges. Runs no statement of the journal.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
#[cfg(feature = "service")]
use tokio_postgres::config::Host;
use tokio_postgres::{Config, Row};

use super::connection::Connection;
use super::error::PostgresError;
use super::sessions;
use super::settings::PostgresSettings;
use super::tls::PostgresTls;

/// The oldest version of the server, as `server_version_num` has it.
const OLDEST_VERSION: i32 = 140_000;
/// Time limit for opening a connection, all hosts together.
const OPEN_LIMIT: Duration = Duration::from_secs(10);
/// Time limit of the statements that prepare a session or the tables.
pub(in crate::store) const SETUP_LIMIT: Duration = Duration::from_secs(10);
/// Time limit of one statement of a verification, a move or an archive; some compare whole tables.
pub(in crate::store) const VERIFY_LIMIT: Duration = Duration::from_secs(600);

/// One plan for all batches, by the indexes: to plan the statement anew takes longer than to execute it, and with a plan from the time at which
/// the tables were empty the server would read them from end to end.
const FIXED_PLANS: &str =
    "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET jit = off;";

/// The purpose of connections that only check.
const CHECK: &str = "check";
/// The server's version, and what determines whether it keeps what it acknowledges.
pub(in crate::store) const PROMISES: &str =
    "SELECT current_setting('server_version_num')::int, current_setting('server_version'),
     current_setting('fsync') = 'on', current_setting('synchronous_standby_names') <> '',
     EXISTS (SELECT 1 FROM pg_stat_replication WHERE coalesce(state, 'streaming') = 'streaming')";

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Purpose {
    /// Appends entries. The server never cancels such a statement: with a standby it could commit and report an error.
    Append,
    /// Everything else; the server cancels a statement that runs longer.
    Other {
        /// Shown in PostgreSQL's list of connections.
        name: &'static str,
        /// The server's time limit of a statement.
        statement_limit: Duration,
    },
}

impl Purpose {
    fn name(self) -> &'static str {
        match self {
            Self::Append => "append",
            Self::Other { name, .. } => name,
        }
    }

    fn statement_limit(self) -> Duration {
        match self {
            // Zero: no limit.
            Self::Append => Duration::ZERO,
            Self::Other { statement_limit, .. } => statement_limit,
        }
    }
}

/// A PostgreSQL database, with what it takes to connect to it.
#[derive(Clone)]
pub struct PostgresDatabase {
    config: Arc<Config>,
    tls: PostgresTls,
    name: Arc<str>,
    accept_loss: bool,
}

impl PostgresDatabase {
    /// The database of these settings. Opens no connection.
    ///
    /// # Errors
    /// The connection text or the CA file cannot be used.
    pub fn new(settings: &PostgresSettings) -> Result<Self, PostgresError> {
        Ok(Self {
            config: Arc::new(settings.config()?),
            tls: PostgresTls::new(settings.ca_file.as_deref())?,
            name: settings.name.as_str().into(),
            accept_loss: settings.accept_loss,
        })
    }

    /// The database for people, without user and password.
    #[cfg(feature = "service")]
    pub(in crate::store) fn place(&self) -> String {
        let host = |host: &Host| match host {
            Host::Tcp(name) => name.clone(),
            #[cfg(unix)]
            Host::Unix(path) => path.display().to_string(),
        };
        let hosts: Vec<String> = self.config.get_hosts().iter().map(host).collect();
        let addresses = self.config.get_hostaddrs().iter().map(ToString::to_string);
        let hosts = if hosts.is_empty() { addresses.collect() } else { hosts };
        let name = self.config.get_dbname().or(self.config.get_user()).unwrap_or_default();
        format!("the PostgreSQL database {name} on {}", hosts.join(", "))
    }

    /// Connects, and checks the server's version, its sessions, and what it promises about acknowledged commits.
    ///
    /// # Errors
    /// No server answers, it refuses the connection, it is too old, a pooler shares its sessions, or it may lose commits.
    pub async fn check(&self) -> Result<(), PostgresError> {
        let purpose = Purpose::Other { name: CHECK, statement_limit: SETUP_LIMIT };
        self.connect_to_write(purpose).await.map(|_| ())
    }

    /// Opens a connection to a server that keeps what it acknowledges, with a session of its own.
    pub(in crate::store) async fn connect_to_write(
        &self,
        purpose: Purpose,
    ) -> Result<Connection, PostgresError> {
        self.check_sessions().await?;
        let connection = self.connect(purpose).await?;
        self.check_server(&connection).await?;
        Ok(connection)
    }

    /// Refuses a pooler that shares sessions between connections.
    pub(in crate::store) async fn check_sessions(&self) -> Result<(), PostgresError> {
        let (one, other) = tokio::try_join!(self.open(CHECK), self.open(CHECK))?;
        sessions::require_own(&one, &other, SETUP_LIMIT).await
    }

    /// Opens a connection, and prepares its session.
    pub(in crate::store) async fn connect(&self, purpose: Purpose) -> Result<Connection, PostgresError> {
        let connection = self.open(purpose.name()).await?;
        connection.batch(&self.session_settings(purpose), SETUP_LIMIT).await?;
        Ok(connection)
    }

    /// Opens a connection without any setting.
    async fn open(&self, purpose: &str) -> Result<Connection, PostgresError> {
        let mut config = Config::clone(&self.config);
        config.application_name(format!("adjourn {purpose} {}", self.name));
        let opened = timeout(OPEN_LIMIT, config.connect(self.tls.clone())).await;
        let (client, messages) = opened
            .map_err(|_| PostgresError::Late(OPEN_LIMIT))?
            .map_err(|error| PostgresError::of(&error))?;
        let task = tokio::spawn(async move {
            if let Err(error) = messages.await {
                tracing::debug!(error = %PostgresError::of(&error), "a connection to PostgreSQL ended");
            }
        });
        Ok(Connection::new(client, task))
    }

    /// The settings of a session. The names of tables are found in our schema alone.
    fn session_settings(&self, purpose: Purpose) -> String {
        let limit = purpose.statement_limit().as_millis();
        // A statement that waits for a lock has not committed, so it may be cancelled; else each new connection would wait behind the one
        // before it, which waits for a standby.
        let lock_limit = if matches!(purpose, Purpose::Append) { "'5s'" } else { "0" };
        let plans = if matches!(purpose, Purpose::Append) { FIXED_PLANS } else { "" };
        let keeps_commits = "SELECT set_config('synchronous_commit', 'on', false)
             WHERE current_setting('synchronous_commit') IN ('off', 'local');";
        format!(
            "SET search_path = adjourn, pg_temp; SET default_transaction_isolation = 'read committed';
             SET statement_timeout = {limit}; SET lock_timeout = {lock_limit};
             SET idle_in_transaction_session_timeout = '10s'; SET client_min_messages = 'warning'; {plans} {}",
            if self.accept_loss { "" } else { keeps_commits }
        )
    }

    /// Refuses a server that is too old, or one that may lose what it acknowledged.
    pub(in crate::store) async fn check_server(&self, connection: &Connection) -> Result<(), PostgresError> {
        self.check_promises(&connection.query(PROMISES, &[], SETUP_LIMIT).await?)
    }

    /// The same for the rows of [`PROMISES`].
    pub(in crate::store) fn check_promises(&self, rows: &[Row]) -> Result<(), PostgresError> {
        let row = rows.first().ok_or_else(|| PostgresError::Damaged("no row".to_owned()))?;
        let of_row = |error: tokio_postgres::Error| PostgresError::of(&error);
        let number: i32 = row.try_get(0).map_err(of_row)?;
        if number < OLDEST_VERSION {
            return Err(PostgresError::TooOld(row.try_get(1).map_err(of_row)?));
        }
        let may_lose = |why: &str| Err(PostgresError::MayLose(why.to_owned()));
        let (syncs, waits, has_standby): (bool, bool, bool) = (
            row.try_get(2).map_err(of_row)?,
            row.try_get(3).map_err(of_row)?,
            row.try_get(4).map_err(of_row)?,
        );
        match (self.accept_loss, syncs, has_standby && !waits) {
            (true, ..) | (false, true, false) => Ok(()),
            (false, false, _) => may_lose("fsync is off"),
            (false, true, true) => may_lose(
                "it has a standby, but synchronous_standby_names is empty, so a failover loses commits",
            ),
        }
    }
}
