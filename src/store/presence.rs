//! Stores presence data other than signs (`evidence.rs`): up-times, sources, the start of the check-in rule per room, and decisions.
//! Never decides about a meeting.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use rusqlite::{Connection, OptionalExtension, Row, named_params};

use super::error::StoreError;
use super::service_store::ServiceStore;
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
fn delete_beyond_bound(connection: &Connection, bound: &TableBound) -> Result<(), StoreError> {
    let TableBound { what, table, time, rows, .. } = bound;
    let count: i64 = connection
        .prepare_cached(&format!("SELECT count(*) FROM {table}"))?
        .query_row([], |row| row.get(0))?;
    let kept = i64::try_from(*rows).unwrap_or(i64::MAX);
    if count <= kept {
        return Ok(());
    }
    let newest = format!("SELECT {time} FROM {table} ORDER BY {time} DESC LIMIT 1 OFFSET {}", kept - 1);
    let forgotten = connection.execute(&format!("DELETE FROM {table} WHERE {time} < ({newest})"), [])?;
    tracing::warn!(what, forgotten, kept, "table of the service store is full; the oldest rows were deleted");
    Ok(())
}

impl ServiceStore {
    /// Records that the service was up from its start until now, and the sources in contact.
    ///
    /// # Errors
    /// The service store cannot be written.
    pub async fn record_uptime(&self, up: Interval, sources: Vec<SourceContact>) -> Result<(), StoreError> {
        self.with_connection(move |connection| {
            let transaction = connection.transaction()?;
            let (started, alive) = (up.from.timestamp_millis(), up.to.timestamp_millis());
            let sql = "INSERT INTO uptimes VALUES (?1, ?2)
                       ON CONFLICT (started_ms) DO UPDATE SET alive_ms = max(alive_ms, ?2)";
            transaction.execute(sql, [started, alive])?;
            sources.iter().try_for_each(|source| insert_source(&transaction, source))?;
            let oldest = |kept: TimeDelta| [(up.to - kept).timestamp_millis()];
            transaction.execute("DELETE FROM uptimes WHERE alive_ms < ?1", oldest(UPTIMES_KEPT))?;
            transaction.execute("DELETE FROM sources WHERE last_ms < ?1", oldest(SOURCES_KEPT))?;
            TABLE_BOUNDS.iter().try_for_each(|bound| delete_beyond_bound(&transaction, bound))?;
            Ok(transaction.commit()?)
        })
        .await
    }

    /// The times in which the service was up.
    ///
    /// # Errors
    /// The service store cannot be read.
    pub async fn uptimes(&self) -> Result<Vec<Interval>, StoreError> {
        self.with_connection(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT started_ms, alive_ms FROM uptimes ORDER BY alive_ms DESC LIMIT 1000",
            )?;
            let mut rows = statement.query([])?;
            let mut uptimes = Vec::new();
            while let Some(row) = rows.next()? {
                uptimes.extend(Interval::new(parse_time(row.get(0)?)?, parse_time(row.get(1)?)?));
            }
            Ok(uptimes)
        })
        .await
    }

    /// The sources with their last contact.
    ///
    /// # Errors
    /// The service store cannot be read.
    pub async fn sources(&self) -> Result<Vec<SourceContact>, StoreError> {
        self.with_connection(|connection| {
            let sql =
                "SELECT link, place, source, since_ms, last_ms, reporter FROM sources ORDER BY last_ms DESC";
            let mut statement = connection.prepare_cached(sql)?;
            let mut rows = statement.query([])?;
            let mut sources = Vec::new();
            while let Some(row) = rows.next()? {
                let contact = Contact { since: parse_time(row.get(3)?)?, last: parse_time(row.get(4)?)? };
                let link = link(&row.get::<_, String>(0)?, row.get(1)?)?;
                sources.push(SourceContact { link, source: row.get(2)?, reporter: row.get(5)?, contact });
            }
            Ok(sources)
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
        self.with_connection(move |connection| {
            let transaction = connection.transaction()?;
            let mut known = Vec::new();
            for room in on {
                let (name, now) = (room.as_str(), now.timestamp_millis());
                transaction.execute("INSERT OR IGNORE INTO rule_since VALUES (?1, ?2)", (name, now))?;
                let sql = "SELECT since_ms FROM rule_since WHERE room = ?1";
                let since: Option<i64> = transaction.query_row(sql, [name], |row| row.get(0)).optional()?;
                known.extend(since.and_then(DateTime::from_timestamp_millis).map(|since| (room, since)));
            }
            delete_other_rooms(&transaction, &known)?;
            transaction.commit()?;
            Ok(known)
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
        self.with_connection(move |connection| {
            let transaction = connection.transaction()?;
            decisions.iter().try_for_each(|decision| insert_decision(&transaction, decision))?;
            let oldest = (now - DECISIONS_KEPT).timestamp_millis();
            transaction.execute("DELETE FROM decisions WHERE decided_ms < ?1", [oldest])?;
            Ok(transaction.commit()?)
        })
        .await
    }

    /// The decisions since this time, oldest first.
    ///
    /// # Errors
    /// The service store cannot be read.
    pub async fn decisions(&self, since: DateTime<Utc>) -> Result<Vec<Decision>, StoreError> {
        self.with_connection(move |connection| {
            let sql = "SELECT room, uid, start_ms, end_ms, decided_ms, decision, why FROM decisions
                       WHERE decided_ms >= ?1 ORDER BY decided_ms, room";
            let mut statement = connection.prepare_cached(sql)?;
            let mut rows = statement.query([since.timestamp_millis()])?;
            let mut decisions = Vec::new();
            while let Some(row) = rows.next()? {
                decisions.push(decision(row)?);
            }
            Ok(decisions)
        })
        .await
    }
}

fn insert_source(connection: &Connection, source: &SourceContact) -> Result<(), StoreError> {
    let (link, place) = match &source.link {
        SourceScope::Display(room) => ("display", room.as_str()),
        SourceScope::Feed(room) => ("feed", room.as_str()),
        SourceScope::Group(None) => ("rest", ""),
        SourceScope::Group(Some(group)) => ("group", group.as_str()),
    };
    let Contact { since, last } = source.contact;
    let sql = "INSERT INTO sources (link, place, source, since_ms, last_ms, reporter) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
               ON CONFLICT (link, place, source) DO UPDATE SET since_ms = ?4, last_ms = ?5";
    let (since, last) = (since.timestamp_millis(), last.timestamp_millis());
    connection.prepare_cached(sql)?.execute((link, place, &source.source, since, last, &source.reporter))?;
    Ok(())
}

fn link(kind: &str, place: String) -> Result<SourceScope, StoreError> {
    Ok(match kind {
        "display" => SourceScope::Display(parse_room(&place)?),
        "feed" => SourceScope::Feed(parse_room(&place)?),
        "rest" => SourceScope::Group(None),
        _ => SourceScope::Group(Some(place)),
    })
}

fn delete_other_rooms(
    connection: &Connection,
    known: &[(RoomAddress, DateTime<Utc>)],
) -> Result<(), StoreError> {
    let stored: Vec<String> = {
        let mut statement = connection.prepare_cached("SELECT room FROM rule_since")?;
        let rooms = statement.query_map([], |row| row.get(0))?;
        rooms.collect::<Result<_, _>>()?
    };
    let on: HashSet<&str> = known.iter().map(|(room, _)| room.as_str()).collect();
    for room in stored.iter().filter(|room| !on.contains(room.as_str())) {
        connection.execute("DELETE FROM rule_since WHERE room = ?1", [room])?;
    }
    Ok(())
}

fn insert_decision(connection: &Connection, decision: &Decision) -> Result<(), StoreError> {
    let sql =
        "INSERT OR REPLACE INTO decisions VALUES (:room, :uid, :start, :end, :decided, :decision, :why)";
    connection.prepare_cached(sql)?.execute(named_params! {
        ":room": decision.room.as_str(),
        ":uid": decision.uid,
        ":start": decision.start.timestamp_millis(),
        ":end": decision.end.timestamp_millis(),
        ":decided": decision.decided_at.timestamp_millis(),
        ":decision": decision.outcome.as_str(),
        ":why": decision.why,
    })?;
    Ok(())
}

fn decision(row: &Row<'_>) -> Result<Decision, StoreError> {
    let (room, outcome): (String, String) = (row.get(0)?, row.get(5)?);
    let damaged = || StoreError::Damaged(format!("unknown decision `{outcome}`"));
    Ok(Decision {
        room: parse_room(&room)?,
        uid: row.get(1)?,
        start: parse_time(row.get(2)?)?,
        end: parse_time(row.get(3)?)?,
        decided_at: parse_time(row.get(4)?)?,
        outcome: outcome.parse().map_err(|()| damaged())?,
        why: row.get(6)?,
    })
}

pub(super) fn parse_room(text: &str) -> Result<RoomAddress, StoreError> {
    text.parse().map_err(|_| StoreError::Damaged(format!("`{text}` is not a room address")))
}

pub(super) fn parse_time(ms: i64) -> Result<DateTime<Utc>, StoreError> {
    DateTime::from_timestamp_millis(ms)
        .ok_or_else(|| StoreError::Damaged(format!("{ms} is not a time in milliseconds")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_table_of_the_service_store_keeps_its_newest_rows_up_to_its_bound() {
        let store = ServiceStore::in_memory().unwrap();
        let [uptimes, ..] = TABLE_BOUNDS;
        let rows = uptimes.rows as i64;
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(1);
        let fill = move |connection: &mut Connection| {
            let sql = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
                       INSERT INTO uptimes SELECT ?2 + i * 2, ?2 + i * 2 + 1 FROM n";
            connection.execute(sql, [rows + 500, now.timestamp_millis()])?;
            Ok(())
        };
        store.with_connection(fill).await.unwrap();
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
            store.with_connection(move |connection| delete_beyond_bound(connection, &none)).await.unwrap();
        }
    }
}
