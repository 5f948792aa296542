//! The tables of the service store with the columns that both databases have, to copy their rows from one to the other. Claims stay behind:
//! they belong to processes that have ended. Never decides which rows count.

use super::error::StoreError;
use super::sql::{SqlConnection, Value};

/// A table, the columns to copy, and the order of its rows.
struct ServiceTable {
    name: &'static str,
    columns: &'static str,
    order: &'static str,
}

/// Every table of the service store but `sign_number_ranges`, which only PostgreSQL has.
/// Notices have their bodies, so they come last: what fails before them fails early.
const TABLES: [ServiceTable; 14] = [
    ServiceTable {
        name: "keys",
        columns: "id, name, hash, rooms, rights, per_minute, created_ms, revoked_ms, expires_ms, certificate, last_used_ms",
        order: "id",
    },
    // The database numbers them again, in the same order.
    ServiceTable { name: "pending_admin_events", columns: "entry", order: "number" },
    ServiceTable {
        name: "displays",
        columns: "key_id, room, paired_ms, paired_by, contact_ms, version, lost_ms",
        order: "key_id",
    },
    ServiceTable {
        name: "evidence",
        columns: "number, room, event, at_ms, received_ms, source, reporter, minutes, uid, original_ms, keep_until_ms",
        order: "number",
    },
    ServiceTable { name: "refused_evidence", columns: "room, from_ms, to_ms", order: "room" },
    ServiceTable { name: "uptimes", columns: "started_ms, alive_ms", order: "started_ms" },
    ServiceTable {
        name: "sources",
        columns: "link, place, source, since_ms, last_ms, reporter",
        order: "link, place, source",
    },
    ServiceTable { name: "rule_since", columns: "room, since_ms", order: "room" },
    ServiceTable {
        name: "decisions",
        columns: "room, uid, start_ms, end_ms, decided_ms, decision, why",
        order: "room, uid, start_ms",
    },
    ServiceTable { name: "series", columns: "room, uid, came_ms", order: "room, uid" },
    ServiceTable { name: "excused", columns: "room, uid, start_ms", order: "room, uid, start_ms" },
    ServiceTable { name: "runs", columns: "schedule, last_ms", order: "schedule" },
    ServiceTable {
        name: "webhook_queues",
        columns: "webhook, last, paused_until_ms, attempted_ms, result",
        order: "webhook",
    },
    ServiceTable {
        name: "webhook_notices",
        columns: "webhook, number, id, kind, at_ms, expires_ms, attempts, next_ms, dropped_ms, bytes, body",
        order: "webhook, number",
    },
];

/// The rows of all tables, in the order of [`TABLES`].
pub(super) struct ServiceRows(Vec<Vec<Vec<Value>>>);

impl ServiceRows {
    /// Reads all rows.
    pub(super) fn read(connection: &dyn SqlConnection) -> Result<Self, StoreError> {
        let rows = TABLES.iter().map(|table| {
            let sql = format!("SELECT {} FROM {} ORDER BY {}", table.columns, table.name, table.order);
            Ok(connection.query(&sql, &[])?.into_iter().map(|row| row.0).collect())
        });
        rows.collect::<Result<_, StoreError>>().map(Self)
    }

    /// How many rows there are.
    pub(super) fn count(&self) -> u64 {
        self.0.iter().map(|rows| rows.len() as u64).sum()
    }

    /// Stores these rows in place of all others.
    pub(super) fn replace(&self, connection: &dyn SqlConnection) -> Result<(), StoreError> {
        for (table, rows) in TABLES.iter().zip(&self.0) {
            connection.execute(&format!("DELETE FROM {}", table.name), &[])?;
            let parameters: Vec<String> =
                (1..=table.columns.split(',').count()).map(|number| format!("?{number}")).collect();
            let sql =
                format!("INSERT INTO {} ({}) VALUES ({})", table.name, table.columns, parameters.join(", "));
            connection.execute_all(&sql, rows)?;
        }
        Ok(())
    }
}

/// The first table that has rows.
pub(super) fn first_used(connection: &dyn SqlConnection) -> Result<Option<&'static str>, StoreError> {
    for table in &TABLES {
        if connection.count(&format!("SELECT count(*) FROM {}", table.name), &[])? > 0 {
            return Ok(Some(table.name));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;
    use crate::store::service_schema::SERVICE;

    /// A table or column that a later migration adds must be copied too.
    #[test]
    fn every_table_and_column_is_copied() {
        let mut connection = Connection::open_in_memory().unwrap();
        SERVICE.migrate(&mut connection).unwrap();
        let query = |sql: &str| -> Vec<String> {
            let mut statement = connection.prepare(sql).unwrap();
            let rows = statement.query_map([], |row| row.get(0)).unwrap();
            rows.collect::<Result<_, _>>().unwrap()
        };
        let mut names: Vec<String> = TABLES.iter().map(|table| table.name.to_owned()).collect();
        names.sort();
        assert_eq!(query("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name"), names);
        for table in &TABLES {
            let mut columns: Vec<&str> = table.columns.split(", ").collect();
            columns.sort_unstable();
            let sql = format!("SELECT name FROM pragma_table_info('{}') ORDER BY name", table.name);
            let stored = query(&sql).into_iter();
            let copied: Vec<String> = stored
                .filter(|name| (table.name, name.as_str()) != ("pending_admin_events", "number"))
                .collect();
            assert_eq!(copied, columns, "{}", table.name);
        }
    }
}
