//! Finds the personal values to erase, in all chains. `appender.rs` deletes them with the statement that records their number. Never
//! changes anything itself.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::batch::ValueLocation;
use super::error::PostgresError;
use super::link::Link;
use super::schema::{column, first};
use crate::journal::{ErasureRequest, ErasureTarget, RECHECK_SPARED, Role};

/// Values in one statement.
const BATCH: usize = 500;
/// The pointer of the one value that the index of actions repeats.
const ACTOR_NAME: &str = "/fact/action/actor/name";

/// SQL condition for actions whose values stay: open, possibly settled later, or repeatable under a valid key.
const SPARED: &str = "coalesce(a.status = 'open'
    OR (a.status = 'needs-attention' AND a.accepted_ms > $3)
    OR (a.key IS NOT NULL AND a.accepted_ms > $4), false)";

/// The values to look for, as parameters: the instant or the name, now, and the times after which actions are spared.
struct Search {
    wanted: Box<dyn ToSql + Sync + Send>,
    condition: &'static str,
    now: i64,
    spared_after: (i64, i64),
}

impl Search {
    fn of(erasure: &ErasureRequest) -> Self {
        let before = |span| erasure.now.checked_sub_signed(span).map_or(i64::MIN, |at| at.timestamp_millis());
        // Compared without the case of ASCII letters; `encode` also has a form for NUL, which texts of PostgreSQL cannot hold.
        let by_name = "lower(encode(p.value, 'escape')) = lower(encode($1::bytea, 'escape'))";
        let (wanted, condition): (Box<dyn ToSql + Sync + Send>, _) = match &erasure.target {
            ErasureTarget::Before(instant) => (Box::new(instant.timestamp_millis()), "p.at_ms < $1::bigint"),
            ErasureTarget::Person(name) => (Box::new(name.clone().into_bytes()), by_name),
        };
        let spared_after = (before(RECHECK_SPARED), before(erasure.key_ttl));
        Self { wanted, condition, now: erasure.now.timestamp_millis(), spared_after }
    }

    /// Leaves out entries of this instant: the events that record the erasure are among them, and name the administrator.
    async fn select(
        &self,
        link: &Link,
        columns: &str,
        rest: &str,
        limit: Duration,
    ) -> Result<Vec<Row>, PostgresError> {
        let sql = format!(
            "SELECT {columns} FROM personal AS p JOIN entries AS e ON e.writer = p.writer AND e.number = p.number
             LEFT JOIN actions AS a ON a.action = e.action WHERE {} AND p.at_ms < $2 AND {rest}",
            self.condition
        );
        let (recheck, key) = self.spared_after;
        link.query(&sql, &[&*self.wanted, &self.now, &recheck, &key], limit).await
    }
}

/// The next values to erase; for a person, also the other values of the same action that have the same role.
pub(super) async fn locate(
    link: &Link,
    erasure: &ErasureRequest,
    limit: Duration,
) -> Result<Vec<ValueLocation>, PostgresError> {
    let search = Search::of(erasure);
    let rest = format!("NOT {SPARED} LIMIT {BATCH}");
    let rows = search.select(link, "p.writer, p.number, p.pointer, e.action", &rest, limit).await?;
    let found = rows.iter().map(location).collect::<Result<Vec<_>, _>>()?;
    if let ErasureTarget::Before(_) = erasure.target {
        return Ok(found.into_iter().map(|(location, _)| location).collect());
    }
    let mut all = BTreeSet::new();
    for (location, action) in found {
        if let Some(action) = action {
            let same_role = |other: &ValueLocation| Role::of(&other.pointer) == Role::of(&location.pointer);
            all.extend(of_action(link, action, limit).await?.into_iter().filter(same_role));
        }
        all.insert(location);
    }
    Ok(all.into_iter().collect())
}

/// The number of values that match and stay.
pub(super) async fn spared(
    link: &Link,
    erasure: &ErasureRequest,
    limit: Duration,
) -> Result<u64, PostgresError> {
    let rows = Search::of(erasure).select(link, "count(*)", SPARED, limit).await?;
    Ok(column::<i64>(first(&rows)?, 0)?.unsigned_abs())
}

/// Whether the first entry of a chain that is not archived has a format before 6, which stores names in the body.
pub(super) async fn has_names_in_clear(link: &Link, limit: Duration) -> Result<bool, PostgresError> {
    let sql = "SELECT EXISTS (
                   SELECT 1 FROM writers AS w LEFT JOIN archived AS a ON a.writer = w.writer
                   JOIN entries AS e ON e.writer = w.writer AND e.number = coalesce(a.last, 0) + 1
                   WHERE e.body ~ '^[{]\"v\":[1-5],')";
    column(first(&link.query(sql, &[], limit).await?)?, 0)
}

async fn of_action(link: &Link, action: Uuid, limit: Duration) -> Result<Vec<ValueLocation>, PostgresError> {
    let sql = "SELECT p.writer, p.number, p.pointer, e.action FROM entries AS e
               JOIN personal AS p ON p.writer = e.writer AND p.number = e.number WHERE e.action = $1";
    let rows = link.query(sql, &[&action], limit).await?;
    rows.iter().map(|row| location(row).map(|(location, _)| location)).collect()
}

fn location(row: &Row) -> Result<(ValueLocation, Option<Uuid>), PostgresError> {
    let action: Option<Uuid> = column(row, 3)?;
    let pointer: String = column(row, 2)?;
    let named_in = action.filter(|_| pointer == ACTOR_NAME);
    Ok((ValueLocation { writer: column(row, 0)?, number: column(row, 1)?, pointer, named_in }, action))
}
