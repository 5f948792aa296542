//! Creates and migrates tables in the schema `adjourn`, and compares them with fresh ones. Knows no table by its name except the one
//! that holds the versions.
//!
//! Several parts of Adjourn keep tables in the schema, each with its own list of migrations.

use std::fmt::Write as _;

use tokio_postgres::Row;

use super::connection::Connection;
use super::database::SETUP_LIMIT;
use super::error::PostgresError;

/// The lock under which one process at a time migrates: `adjourn` as a number.
const MIGRATION_LOCK: i64 = 0x61_64_6a_6f_75_72_6e;

/// The table of versions, one row for each part. Never changed once released.
const VERSIONS: &str = "CREATE TABLE versions (part text PRIMARY KEY, version integer NOT NULL)";

/// The tables of one part.
#[derive(Clone, Copy)]
pub(in crate::store) struct PostgresSchema {
    /// The row of the part in `versions`.
    pub(in crate::store) part: &'static str,
    /// Each migrates from its index to the next version. Never changed once released; only appended to.
    pub(in crate::store) migrations: &'static [&'static str],
}

impl PostgresSchema {
    /// Migrates to the current version in one transaction, then compares the tables with fresh ones.
    pub(in crate::store) async fn prepare(self, connection: &Connection) -> Result<(), PostgresError> {
        self.in_transaction(connection, "COMMIT", self.migrate(connection)).await?;
        self.check(connection).await
    }

    /// Compares the tables with fresh ones.
    pub(in crate::store) async fn check(self, connection: &Connection) -> Result<(), PostgresError> {
        self.in_transaction(connection, "ROLLBACK", self.check_tables(connection)).await
    }

    /// Checks that the tables exist in the current version. Changes nothing.
    pub(in crate::store) async fn require(self, connection: &Connection) -> Result<(), PostgresError> {
        let sql = "SELECT to_regclass('adjourn.versions') IS NOT NULL";
        let exists = column(first(&connection.query(sql, &[], SETUP_LIMIT).await?)?, 0)?;
        match if exists { self.version(connection).await? } else { 0 } {
            0 => Err(PostgresError::Absent),
            version if version < self.migrations.len() => Err(PostgresError::OlderSchema(version)),
            _ => Ok(()),
        }
    }

    /// Runs `work` in a transaction, which ends with `end`, or with a rollback if `work` fails.
    async fn in_transaction(
        self,
        connection: &Connection,
        end: &str,
        work: impl Future<Output = Result<(), PostgresError>> + Send,
    ) -> Result<(), PostgresError> {
        connection.batch("BEGIN", SETUP_LIMIT).await?;
        let done = work.await;
        let ended = connection.batch(if done.is_ok() { end } else { "ROLLBACK" }, SETUP_LIMIT).await;
        done.and(ended)
    }

    async fn migrate(self, connection: &Connection) -> Result<(), PostgresError> {
        connection.query("SELECT pg_advisory_xact_lock($1)", &[&MIGRATION_LOCK], SETUP_LIMIT).await?;
        create_schema(connection).await?;
        let version = self.version(connection).await?;
        for migration in self.migrations.iter().skip(version) {
            connection.batch(migration, SETUP_LIMIT).await?;
        }
        if version == self.migrations.len() {
            return Ok(());
        }
        let current = i32::try_from(self.migrations.len()).unwrap_or(i32::MAX);
        let sql = "INSERT INTO versions VALUES ($1, $2) ON CONFLICT (part) DO UPDATE SET version = $2";
        connection.query(sql, &[&self.part, &current], SETUP_LIMIT).await.map(|_| ())
    }

    async fn version(self, connection: &Connection) -> Result<usize, PostgresError> {
        let sql = "SELECT version FROM versions WHERE part = $1";
        let rows = connection.query(sql, &[&self.part], SETUP_LIMIT).await?;
        let Some(row) = rows.first() else { return Ok(0) };
        let version = usize::try_from(column::<i32>(row, 0)?).unwrap_or(usize::MAX);
        if version > self.migrations.len() { Err(PostgresError::NewerSchema(version)) } else { Ok(version) }
    }

    /// Compares our tables with fresh ones. A trigger could swallow facts and a narrower index could hide them, and everyone who
    /// owns the tables can add either. The fresh tables are temporary: no other session sees them.
    async fn check_tables(self, connection: &Connection) -> Result<(), PostgresError> {
        connection.batch("SET LOCAL search_path = pg_temp", SETUP_LIMIT).await?;
        for migration in self.migrations {
            connection.batch(migration, SETUP_LIMIT).await?;
        }
        let sql = "SELECT nspname::text FROM pg_namespace WHERE oid = pg_my_temp_schema()";
        let rows = connection.query(sql, &[], SETUP_LIMIT).await?;
        let fresh: String = column(first(&rows)?, 0)?;
        let expected = shape(connection, &fresh, &fresh).await?;
        let found = shape(connection, "adjourn", &fresh).await?;
        match difference(&expected, &found) {
            None => Ok(()),
            Some(difference) => Err(PostgresError::OtherTables(difference)),
        }
    }
}

/// Creates the schema and the table of versions, unless they exist. A schema with other tables only is another program's.
async fn create_schema(connection: &Connection) -> Result<(), PostgresError> {
    let sql = "SELECT to_regclass('adjourn.versions') IS NOT NULL,
               EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = 'adjourn'),
               EXISTS (SELECT 1 FROM pg_class WHERE relnamespace = to_regnamespace('adjourn'))";
    let rows = connection.query(sql, &[], SETUP_LIMIT).await?;
    let row = first(&rows)?;
    match (column(row, 0)?, column(row, 1)?, column(row, 2)?) {
        (true, ..) => Ok(()),
        (false, _, true) => Err(PostgresError::OtherProgram),
        (false, true, false) => connection.batch(VERSIONS, SETUP_LIMIT).await,
        (false, false, false) => {
            connection.batch(&format!("CREATE SCHEMA adjourn; {VERSIONS}"), SETUP_LIMIT).await
        }
    }
}

/// Everything that determines what a statement on the tables does, one line each: columns, constraints, indexes, triggers, rules and
/// policies. `$1` is the schema, `$2` one with all the tables that count.
const SHAPE: &str = "
    WITH tables AS (
        SELECT c.oid, c.relname::text AS name, c.relkind, c.relrowsecurity FROM pg_class c
        WHERE c.relnamespace = to_regnamespace($1) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
        AND EXISTS (SELECT 1 FROM pg_class own WHERE own.relnamespace = to_regnamespace($2)
                    AND own.relname = c.relname))
    SELECT line FROM (
        SELECT format('table %s %s %s', name, relkind, relrowsecurity) FROM tables
        UNION ALL
        SELECT format('column %s.%s %s %s %s %s', name, attname, format_type(atttypid, atttypmod), attnotnull,
                      attidentity, pg_get_expr(d.adbin, d.adrelid))
        FROM tables JOIN pg_attribute a ON a.attrelid = oid AND attnum > 0 AND NOT attisdropped
        LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        UNION ALL
        SELECT format('constraint %s.%s %s', name, conname, pg_get_constraintdef(c.oid))
        FROM tables JOIN pg_constraint c ON conrelid = tables.oid
        UNION ALL
        SELECT format('index %s %s', indisvalid, regexp_replace(pg_get_indexdef(indexrelid), ' ON (pg_temp|pg_temp_[0-9]+|adjourn)\\.', ' ON '))
        FROM tables JOIN pg_index ON indrelid = oid
        UNION ALL
        SELECT format('trigger %s.%s', name, tgname) FROM tables
        JOIN pg_trigger ON tgrelid = tables.oid AND NOT tgisinternal
        UNION ALL
        SELECT format('rule %s.%s', name, rulename) FROM tables JOIN pg_rewrite ON ev_class = tables.oid
        UNION ALL
        SELECT format('policy %s.%s', name, polname) FROM tables JOIN pg_policy ON polrelid = tables.oid
    ) AS lines (line) ORDER BY line COLLATE \"C\"";

async fn shape(connection: &Connection, schema: &str, fresh: &str) -> Result<Vec<String>, PostgresError> {
    let rows = connection.query(SHAPE, &[&schema, &fresh], SETUP_LIMIT).await?;
    rows.iter().map(|row| column(row, 0)).collect()
}

/// The first line that only one of the two has.
fn difference(expected: &[String], found: &[String]) -> Option<String> {
    let lacks = expected.iter().find(|line| !found.contains(line));
    let adds = found.iter().find(|line| !expected.contains(line));
    let mut text = String::new();
    if let Some(line) = lacks {
        let _ = write!(text, "missing: {line}");
    }
    if let Some(line) = adds {
        let _ = write!(text, "{}unexpected: {line}", if text.is_empty() { "" } else { "; " });
    }
    (!text.is_empty()).then_some(text)
}

/// The only row of a result.
pub(in crate::store) fn first(rows: &[Row]) -> Result<&Row, PostgresError> {
    rows.first().ok_or_else(|| PostgresError::Damaged("a statement returned no row".to_owned()))
}

/// A column of a row. A value of another type means that the tables were changed.
pub(in crate::store) fn column<'a, T: tokio_postgres::types::FromSql<'a>>(
    row: &'a Row,
    index: usize,
) -> Result<T, PostgresError> {
    row.try_get(index).map_err(|error| PostgresError::of(&error))
}
