//! A PostgreSQL primary with a streaming standby for tests, and the failover from one to the other.

use std::sync::Arc;
use std::time::Duration;

use crate::postgres::{PASSWORD, PostgresServer, PostgresTestDatabase};

/// Whether a commit waits for the standby.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replication {
    Synchronous,
    Asynchronous,
}

/// Two servers: the standby has everything that the primary has.
pub struct PostgresPair {
    pub primary: Arc<PostgresServer>,
    pub standby: Arc<PostgresServer>,
}

impl PostgresPair {
    /// `None` where PostgreSQL is not installed.
    pub fn start(replication: Replication) -> Option<Self> {
        let primary = PostgresServer::start()?;
        let standby = Arc::new(primary.standby());
        let pair = Self { primary, standby };
        pair.wait_for_state("async");
        if replication == Replication::Synchronous {
            pair.require_standbys("*");
            pair.wait_for_state("sync");
        }
        Some(pair)
    }

    /// A new database of the primary.
    pub fn database(&self) -> PostgresTestDatabase {
        self.primary.database()
    }

    /// The same database on the standby.
    pub fn on_standby(&self, database: &PostgresTestDatabase) -> PostgresTestDatabase {
        PostgresTestDatabase { server: self.standby.clone(), name: database.name.clone() }
    }

    /// A connection text that names both servers.
    pub fn url(&self, database: &PostgresTestDatabase) -> String {
        let (primary, standby) = (self.primary.port, self.standby.port);
        format!("postgres://adjourn:{PASSWORD}@127.0.0.1:{primary},127.0.0.1:{standby}/{}", database.name)
    }

    /// Sets `synchronous_standby_names`; new sessions have it afterwards.
    pub fn require_standbys(&self, names: &str) {
        self.primary.sql("postgres", &format!("ALTER SYSTEM SET synchronous_standby_names = '{names}'"));
        self.primary.sql("postgres", "SELECT pg_reload_conf()");
        wait("the setting is read", || {
            self.primary.sql("postgres", "SHOW synchronous_standby_names") == names
        });
    }

    /// Stops the replication when the standby has everything: what is committed from now on, it lacks.
    pub fn detach_standby(&self) {
        let end = self.primary.sql("postgres", "SELECT pg_current_wal_lsn()");
        let has_all = format!("SELECT pg_last_wal_replay_lsn() >= '{end}'");
        wait("the standby has everything", || self.standby.sql("postgres", &has_all) == "t");
        self.standby.sql("postgres", "ALTER SYSTEM SET primary_conninfo = ''");
        self.standby.sql("postgres", "SELECT pg_reload_conf()");
        let receivers = "SELECT count(*) FROM pg_stat_wal_receiver";
        wait("the standby receives nothing", || self.standby.sql("postgres", receivers) == "0");
    }

    /// Kills the primary, and makes the standby the new one.
    pub fn fail_over(&self) {
        self.primary.kill();
        self.promote();
    }

    /// Makes the standby the primary.
    pub fn promote(&self) {
        assert_eq!(self.standby.sql("postgres", "SELECT pg_promote()"), "t");
    }

    fn wait_for_state(&self, state: &str) {
        let sql = "SELECT sync_state FROM pg_stat_replication WHERE state = 'streaming'";
        wait("the standby streams", || self.primary.sql("postgres", sql) == state);
    }
}

fn wait(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..600 {
        if holds() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("never: {what}");
}
