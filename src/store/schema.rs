//! The tables and their migrations. Never changes the content of an entry.
//!
//! `entries` is the journal itself: rows are never changed, and deleted only after an archive file holds them. `lives` is an index of
//! actions that can be rebuilt from `entries`.

use rusqlite::Connection;

use super::StoreError;

/// The application id `adjn`, so that another program's database is not used as a journal.
const APPLICATION_ID: i32 = 0x61_64_6a_6e;

/// Each migrates from its index to the next version. Never changed once released; only appended to.
const MIGRATIONS: [&str; 4] = [TABLES, INDEXES, PERSONAL_AND_ARCHIVED, MOVED_CHAINS];

const TABLES: &str = "
    CREATE TABLE entries (
        number INTEGER PRIMARY KEY,
        action TEXT NOT NULL,
        body   TEXT NOT NULL,
        hash   BLOB NOT NULL
    ) STRICT;
    CREATE INDEX entries_by_action ON entries (action, number);

    CREATE TABLE lives (
        action      TEXT PRIMARY KEY,
        accepted    INTEGER NOT NULL,
        accepted_ms INTEGER NOT NULL,
        room        TEXT NOT NULL,
        actor       TEXT NOT NULL,
        rule        TEXT,
        key         TEXT,
        ending      TEXT NOT NULL,
        uid         TEXT
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX lives_by_accepted ON lives (accepted);
    CREATE INDEX lives_by_room     ON lives (room, accepted);
    CREATE INDEX lives_by_key      ON lives (key, accepted) WHERE key IS NOT NULL;
    CREATE INDEX lives_by_uid      ON lives (uid, accepted) WHERE uid IS NOT NULL;
    CREATE INDEX lives_open        ON lives (accepted) WHERE ending = 'open';
";

/// The audit filters by room, actor, rule and time; an action reads the completed actions of its room; the search for unsettled
/// actions goes by time.
const INDEXES: &str = "
    CREATE INDEX lives_by_time      ON lives (accepted_ms, accepted);
    CREATE INDEX lives_by_room_time ON lives (room, accepted_ms, accepted);
    CREATE INDEX lives_by_actor     ON lives (actor, accepted_ms, accepted);
    CREATE INDEX lives_by_rule      ON lives (rule, accepted_ms, accepted) WHERE rule IS NOT NULL;
    CREATE INDEX lives_by_room_ending ON lives (room, ending, accepted);
    CREATE INDEX lives_unsettled    ON lives (accepted_ms, accepted) WHERE ending = 'needs-attention';
";

/// Beside the chain: personal values (`at_ms` is the time of their entry), and the entry after which the chain continues once entries
/// were archived (one row at most).
const PERSONAL_AND_ARCHIVED: &str = "
    CREATE TABLE personal (
        entry   INTEGER NOT NULL,
        pointer TEXT NOT NULL,
        at_ms   INTEGER NOT NULL,
        salt    BLOB NOT NULL,
        value   TEXT NOT NULL,
        PRIMARY KEY (entry, pointer)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX personal_by_time ON personal (at_ms);

    CREATE TABLE archived (
        last           INTEGER PRIMARY KEY,
        hash           BLOB NOT NULL,
        file           TEXT NOT NULL,
        erased         INTEGER NOT NULL,
        erased_through INTEGER NOT NULL
    ) STRICT;
";

/// The chains of a database whose journal moved into the file (`beginning.rs`): where each entry is in its chain, the ends, the anchors, and
/// the entry after which the file's own chain continues (one row at most).
const MOVED_CHAINS: &str = "
    CREATE TABLE chains (
        writer      INTEGER PRIMARY KEY,
        name        TEXT NOT NULL,
        version     TEXT NOT NULL,
        first_after INTEGER NOT NULL,
        before      BLOB NOT NULL,
        length      INTEGER NOT NULL,
        head        BLOB NOT NULL
    ) STRICT;
    CREATE TABLE chained (
        writer INTEGER NOT NULL,
        number INTEGER NOT NULL,
        entry  INTEGER NOT NULL UNIQUE,
        PRIMARY KEY (writer, number)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE anchors (
        number INTEGER PRIMARY KEY,
        body   TEXT NOT NULL,
        hash   BLOB NOT NULL
    ) STRICT;
    CREATE TABLE beginning (
        last INTEGER PRIMARY KEY,
        hash BLOB NOT NULL
    ) STRICT;
";

/// The schema of the journal.
pub(super) const JOURNAL: Schema = Schema { application_id: APPLICATION_ID, migrations: &MIGRATIONS };

/// The application id and migrations of a database file.
#[derive(Clone, Copy)]
pub(super) struct Schema {
    /// Identifies the file, so that another program's database is not used.
    pub(super) application_id: i32,
    /// Each migrates from its index to the next version. Never changed once released; only appended to.
    pub(super) migrations: &'static [&'static str],
}

impl Schema {
    /// Migrates the file to the current version in one transaction: a crash in the middle leaves the old version.
    pub(super) fn migrate(self, connection: &mut Connection) -> Result<(), StoreError> {
        self.migrate_to(connection, self.migrations.len())
    }

    fn migrate_to(self, connection: &mut Connection, wanted: usize) -> Result<(), StoreError> {
        let transaction = connection.transaction()?;
        let version = self.check(&transaction)?;
        for migration in self.migrations.iter().take(wanted).skip(version) {
            transaction.execute_batch(migration)?;
        }
        transaction.pragma_update(None, "application_id", self.application_id)?;
        transaction.pragma_update(None, "user_version", wanted.max(version) as i64)?;
        transaction.commit()?;
        Ok(())
    }

    /// The file's version, if this Adjourn knows it. Call it inside a transaction, because another process may be migrating the
    /// file.
    pub(super) fn check(self, connection: &Connection) -> Result<usize, StoreError> {
        let id: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
        let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        let version = usize::try_from(version).unwrap_or(usize::MAX);
        match (id, version) {
            (0, 0) if tables == 0 => Ok(0),
            (id, version) if id == self.application_id && version <= self.migrations.len() => Ok(version),
            (id, later) if id == self.application_id => Err(StoreError::NewerSchema(later)),
            _ => Err(StoreError::NotAJournal),
        }
    }
}

/// Compares the file's schema with a fresh one. A trigger could swallow facts and a narrower index could hide them, and anyone who
/// can write to the file can add either.
pub(super) fn check_tables(connection: &Connection) -> Result<(), StoreError> {
    let mut made_now = Connection::open_in_memory()?;
    JOURNAL.migrate_to(&mut made_now, JOURNAL.check(connection)?)?;
    if shape(connection)? != shape(&made_now)? {
        return Err(StoreError::Damaged("its tables are not those that Adjourn creates".to_owned()));
    }
    Ok(())
}

fn shape(connection: &Connection) -> rusqlite::Result<Vec<(String, String, Option<String>)>> {
    let sql = "SELECT type, name, sql FROM sqlite_schema ORDER BY type, name";
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    rows.collect()
}
