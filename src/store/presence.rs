//! Stores presence data other than signs (`evidence.rs`): up-times, sources, the start of the check-in rule per room, and decisions.
//! Never decides about a meeting.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};

use super::error::StoreError;
use super::service_store::ServiceStore;
use super::sql::{SqlConnection, SqlRow, Subject, Value, values};
use crate::calendar::RoomAddress;
use crate::cleanup::Decision;
use crate::presence::{Contact, Interval, SourceContact, SourceScope};

/// How long up-times are kept: longer than any meeting's check-in window.
const UPTIMES_KEPT: TimeDelta = TimeDelta::days(7);
/// A source is deleted after this time without contact.
const SOURCES_KEPT: TimeDelta = TimeDelta::days(30);
/// Decisions are kept for a report over a quarter.
const DECISIONS_KEPT: TimeDelta = TimeDelta::days(92);

/// The maximum number of rows of a table; the oldest are deleted first.
pub struct TableBound {
    /// What the rows hold.
    pub what: &'static str,
    /// The table's name.
    table: &'static str,
    /// The column that orders rows by age.
    time: &'static str,
    /// The maximum number of rows.
    pub rows: usize,
    /// The reason for the number, and the effect of a deleted row.
    pub reason: &'static str,
}

/// The tables that grow with use, other than signs and the outbox.
pub const TABLE_BOUNDS: [TableBound; 5] = [
    TableBound {
        what: "up-times of the service",
        table: "uptimes",
        time: "alive_ms",
        rows: 1_000,
        reason: "a start every ten minutes for a week; a deleted up-time counts as unwatched",
    },
    TableBound {
        what: "sources of signs",
        table: "sources",
        time: "last_ms",
        rows: 100_000,
        reason: "twenty sources in each of 5 000 rooms; a deleted source returns with its next sign",
    },
    TableBound {
        what: "decisions about meetings",
        table: "decisions",
        time: "decided_ms",
        rows: 300_000,
        reason: "a quarter of 200 rooms, or three days of 5 000; only the report reads them",
    },
    TableBound {
        what: "series with attendance",
        table: "series",
        time: "came_ms",
        rows: 200_000,
        reason: "forty series in each of 5 000 rooms; counting of strikes restarts for a deleted series",
    },
    TableBound {
        what: "excused dates of series",
        table: "excused",
        time: "start_ms",
        rows: 200_000,
        reason: "forty dates in each of 5 000 rooms; the oldest belong to past dates",
    },
];

/// Deletes the oldest rows beyond the bound and logs it. Only the report misses them.
fn delete_beyond_bound(connection: &dyn SqlConnection, bound: &TableBound) -> Result<(), StoreError> {
    let TableBound { what, table, time, rows, .. } = bound;
    if connection.count(&format!("SELECT count(*) FROM {table}"), &[])? <= *rows {
        return Ok(());
    }
    let newest = format!("SELECT {time} FROM {table} ORDER BY {time} DESC LIMIT 1 OFFSET {}", rows - 1);
    let forgotten = connection.execute(&format!("DELETE FROM {table} WHERE {time} < ({newest})"), &[])?;
    tracing::warn!(
        what,
        forgotten,
        kept = rows,
        "table of the service store is full; the oldest rows were deleted"
    );
    Ok(())
}

impl ServiceStore {
    /// Records that the service was up from its start until now, and the sources in contact.
    ///
    /// # Errors
    /// The service store cannot be written.
    pub async fn record_uptime(&self, up: Interval, sources: Vec<SourceContact>) -> Result<(), StoreError> {
        self.write(Subject::Presence, move |connection| {
            let sql = "INSERT INTO uptimes VALUES (?1, ?2) ON CONFLICT (started_ms) DO UPDATE
                       SET alive_ms = excluded.alive_ms WHERE uptimes.alive_ms < excluded.alive_ms";
            connection.execute(sql, &values![up.from, up.to])?;
            connection.execute_all(KEEP_SOURCE, &sources.iter().map(source_values).collect::<Vec<_>>())?;
            let oldest = |kept: TimeDelta| values![up.to - kept];
            connection.execute("DELETE FROM uptimes WHERE alive_ms < ?1", &oldest(UPTIMES_KEPT))?;
            connection.execute("DELETE FROM sources WHERE last_ms < ?1", &oldest(SOURCES_KEPT))?;
            TABLE_BOUNDS.iter().try_for_each(|bound| delete_beyond_bound(connection, bound))
        })
        .await
    }

    /// The times in which the service was up.
    ///
    /// # Errors
    /// The service store cannot be read.
    pub async fn uptimes(&self) -> Result<Vec<Interval>, StoreError> {
        self.read(|connection| {
            let sql = "SELECT started_ms, alive_ms FROM uptimes ORDER BY alive_ms DESC LIMIT 1000";
            let rows = connection.query(sql, &[])?;
            let spans = rows.iter().map(|row| Ok(Interval::new(row.get(0)?, row.get(1)?)));
            spans.filter_map(Result::transpose).collect()
        })
        .await
    }

    /// The sources with their last contact.
    ///
    /// # Errors
    /// The service store cannot be read.
    pub async fn sources(&self) -> Result<Vec<SourceContact>, StoreError> {
        self.read(|connection| {
            let sql =
                "SELECT link, place, source, since_ms, last_ms, reporter FROM sources ORDER BY last_ms DESC";
            connection.query(sql, &[])?.iter().map(source).collect()
        })
        .await
    }

    /// Records the rooms in which the check-in rule is on; returns since when it is on in each.
    ///
    /// # Errors
    /// The service store cannot be written.
    pub async fn rule_since(
        &self,
        on: Vec<RoomAddress>,
        now: DateTime<Utc>,
    ) -> Result<Vec<(RoomAddress, DateTime<Utc>)>, StoreError> {
        self.write(Subject::Presence, move |connection| {
            let rows: Vec<_> = on.iter().map(|room| values![room.as_str(), now]).collect();
            connection.execute_all("INSERT INTO rule_since VALUES (?1, ?2) ON CONFLICT DO NOTHING", &rows)?;
            let stored = connection.query("SELECT room, since_ms FROM rule_since", &[])?;
            let stored: HashMap<String, DateTime<Utc>> =
                stored.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect::<Result<_, StoreError>>()?;
            let rooms: HashSet<&str> = on.iter().map(RoomAddress::as_str).collect();
            let off = stored.keys().filter(|room| !rooms.contains(room.as_str()));
            let off: Vec<_> = off.map(|room| values![room]).collect();
            connection.execute_all("DELETE FROM rule_since WHERE room = ?1", &off)?;
            let since = |room: RoomAddress| stored.get(room.as_str()).map(|since| (room, *since));
            Ok(on.into_iter().filter_map(since).collect())
        })
        .await
    }

    /// Records decisions about meetings; a later decision about the same meeting replaces an earlier one.
    ///
    /// # Errors
    /// The service store cannot be written.
    pub async fn add_decisions(
        &self,
        decisions: Vec<Decision>,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        self.write(Subject::Presence, move |connection| {
            connection
                .execute_all(KEEP_DECISION, &decisions.iter().map(decision_values).collect::<Vec<_>>())?;
            let oldest = values![now - DECISIONS_KEPT];
            connection.execute("DELETE FROM decisions WHERE decided_ms < ?1", &oldest)?;
            Ok(())
        })
        .await
    }

    /// The decisions since this time, oldest first.
    ///
    /// # Errors
    /// The service store cannot be read.
    pub async fn decisions(&self, since: DateTime<Utc>) -> Result<Vec<Decision>, StoreError> {
        self.read(move |connection| {
            let sql = "SELECT room, uid, start_ms, end_ms, decided_ms, decision, why FROM decisions
                       WHERE decided_ms >= ?1 ORDER BY decided_ms, room";
            connection.query(sql, &values![since])?.iter().map(decision).collect()
        })
        .await
    }
}

const KEEP_SOURCE: &str = "
    INSERT INTO sources (link, place, source, since_ms, last_ms, reporter) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
    ON CONFLICT (link, place, source) DO UPDATE SET since_ms = excluded.since_ms, last_ms = excluded.last_ms";

fn source_values(source: &SourceContact) -> Vec<Value> {
    let (link, place) = match &source.link {
        SourceScope::Display(room) => ("display", room.as_str()),
        SourceScope::Feed(room) => ("feed", room.as_str()),
        SourceScope::Group(None) => ("rest", ""),
        SourceScope::Group(Some(group)) => ("group", group.as_str()),
    };
    let Contact { since, last } = source.contact;
    values![link, place, &source.source, since, last, &source.reporter]
}

fn source(row: &SqlRow) -> Result<SourceContact, StoreError> {
    let contact = Contact { since: row.get(3)?, last: row.get(4)? };
    let link = link(&row.get::<String>(0)?, row.get(1)?)?;
    Ok(SourceContact { link, source: row.get(2)?, reporter: row.get(5)?, contact })
}

fn link(kind: &str, place: String) -> Result<SourceScope, StoreError> {
    Ok(match kind {
        "display" => SourceScope::Display(parse_room(&place)?),
        "feed" => SourceScope::Feed(parse_room(&place)?),
        "rest" => SourceScope::Group(None),
        _ => SourceScope::Group(Some(place)),
    })
}

const KEEP_DECISION: &str = "
    INSERT INTO decisions (room, uid, start_ms, end_ms, decided_ms, decision, why) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
    ON CONFLICT (room, uid, start_ms) DO UPDATE SET
        end_ms     = excluded.end_ms,
        decided_ms = excluded.decided_ms,
        decision   = excluded.decision,
        why        = excluded.why";

fn decision_values(decision: &Decision) -> Vec<Value> {
    let Decision { room, uid, start, end, decided_at, outcome, why } = decision;
    values![room.as_str(), uid, *start, *end, *decided_at, outcome.as_str(), why]
}

fn decision(row: &SqlRow) -> Result<Decision, StoreError> {
    let (room, outcome): (String, String) = (row.get(0)?, row.get(5)?);
    let damaged = || StoreError::Damaged(format!("unknown decision `{outcome}`"));
    Ok(Decision {
        room: parse_room(&room)?,
        uid: row.get(1)?,
        start: row.get(2)?,
        end: row.get(3)?,
        decided_at: row.get(4)?,
        outcome: outcome.parse().map_err(|()| damaged())?,
        why: row.get(6)?,
    })
}

pub(super) fn parse_room(text: &str) -> Result<RoomAddress, StoreError> {
    text.parse().map_err(|_| StoreError::Damaged(format!("`{text}` is not a room address")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_table_of_the_service_store_keeps_its_newest_rows_up_to_its_bound() {
        let store = ServiceStore::in_memory().unwrap();
        let [uptimes, ..] = TABLE_BOUNDS;
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(1);
        let fill = move |connection: &dyn SqlConnection| {
            let sql = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
                       INSERT INTO uptimes SELECT ?2 + i * 2, ?2 + i * 2 + 1 FROM n";
            connection.execute(sql, &values![uptimes.rows + 500, now])
        };
        store.write(Subject::Presence, fill).await.unwrap();
        let up = Interval::new(now, now + TimeDelta::hours(1)).unwrap();
        store.record_uptime(up, Vec::new()).await.unwrap();
        let kept = store.uptimes().await.unwrap();
        assert_eq!(kept.len(), uptimes.rows);
        assert!(kept.contains(&up), "the newest is among them");
    }

    #[tokio::test]
    async fn every_bounded_table_has_the_column_by_which_its_rows_are_old() {
        let store = ServiceStore::in_memory().unwrap();
        for bound in TABLE_BOUNDS {
            let none = TableBound { rows: 1, ..bound };
            let delete = move |connection: &dyn SqlConnection| delete_beyond_bound(connection, &none);
            store.write(Subject::Presence, delete).await.unwrap();
        }
    }
}
