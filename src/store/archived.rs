//! The one row of the table `archived`: the entry after which the chain continues. Never knows the archive file's content.

use rusqlite::{Connection, OptionalExtension as _};

use super::action_row;
use crate::journal::{Archived, Chain, Head};

/// The end of the archived part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ArchivedPart {
    /// Number and hash of the last archived entry.
    pub(super) chain: Chain,
    /// The name of the newest archive file.
    pub(super) file: String,
    /// [`Archived::erased`].
    pub(super) erased: i64,
    /// [`Archived::erased_through`].
    pub(super) erased_through: u64,
}

/// Reads the row, if there is one. A journal of an older schema has no such table and no archive.
pub(super) fn read(connection: &Connection) -> rusqlite::Result<Option<ArchivedPart>> {
    if !has_table(connection)? {
        return Ok(None);
    }
    let sql = "SELECT last, hash, file, erased, erased_through FROM archived ORDER BY last DESC LIMIT 1";
    let part = connection.query_row(sql, [], |row| {
        let length = row.get::<_, i64>(0)?.unsigned_abs();
        Ok(ArchivedPart {
            chain: Chain { length, head: Head(row.get(1)?) },
            file: row.get(2)?,
            erased: row.get(3)?,
            erased_through: row.get::<_, i64>(4)?.unsigned_abs(),
        })
    });
    part.optional()
}

/// Whether the file's schema has archives and personal values.
pub(super) fn has_table(connection: &Connection) -> rusqlite::Result<bool> {
    let sql = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'archived'";
    Ok(connection.query_row(sql, [], |_| Ok(())).optional()?.is_some())
}

/// Replaces the row.
pub(super) fn put(connection: &Connection, part: &ArchivedPart) -> rusqlite::Result<()> {
    connection.execute("DELETE FROM archived", [])?;
    let last = i64::try_from(part.chain.length).unwrap_or(i64::MAX);
    let through = i64::try_from(part.erased_through).unwrap_or(i64::MAX);
    let sql = "INSERT INTO archived (last, hash, file, erased, erased_through) VALUES (?1, ?2, ?3, ?4, ?5)";
    action_row::expect_one_row(
        connection.execute(sql, (last, part.chain.head.0, &part.file, part.erased, through))?,
    )
}

impl ArchivedPart {
    /// The admin event that records this part, for an archive whose first entry is `first`.
    pub(super) fn event(&self, first: u64) -> Archived {
        Archived {
            first,
            last: self.chain.length,
            head: self.chain.head.to_string(),
            file: self.file.clone(),
            erased: self.erased,
            erased_through: self.erased_through,
        }
    }

    /// Whether this event records this part.
    pub(super) fn is_announced_by(&self, event: &Archived) -> bool {
        self.event(event.first) == *event
    }
}
