//! Queries over the index of actions: conditions, a bound on the rows, and the entries behind them. Never writes.
//!
//! [`find`] serves the engine, which queries one room, key or event. [`page`] serves the audit: it examines a bounded number of rows in the
//! order of an index.

use std::time::Duration;

use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::link::Link;
use super::records::{BESIDE_ENTRY, CHUNK, ENTRY_COLUMNS, read_entry, records};
use super::schema::column;
use super::tables::{as_column, indexed};
use crate::journal::{
    ADMIN_EVENTS_READ_MAX, ActionRecord, AdminPage, AdminQuery, JournalEntry, JournalError, Position, Query,
    RecordPage,
};

/// Conditions on a row of the index, and their values.
#[derive(Default)]
struct Conditions {
    sql: Vec<String>,
    values: Vec<Box<dyn ToSql + Sync + Send>>,
}

impl Conditions {
    /// Adds a condition; each `?` in it takes the next value.
    fn add(&mut self, condition: &str, values: impl IntoIterator<Item = Box<dyn ToSql + Sync + Send>>) {
        let (mut sql, mut values) = (String::with_capacity(condition.len() + 4), values.into_iter());
        for char in condition.chars() {
            if char == '?' {
                self.values.extend(values.next());
                sql.push_str(&format!("${}", self.values.len()));
            } else {
                sql.push(char);
            }
        }
        self.sql.push(sql);
    }

    fn text(&mut self, condition: &str, text: Option<String>) {
        if let Some(text) = text {
            self.add(condition, [Box::new(indexed(&text)) as _]);
        }
    }

    fn number(&mut self, condition: &str, number: Option<i64>) {
        if let Some(number) = number {
            self.add(condition, [Box::new(number) as _]);
        }
    }

    fn room_actor_and_rule(&mut self, query: &Query) {
        self.text("room = ?", query.room.as_ref().map(ToString::to_string));
        self.text("actor = ?", query.actor.clone());
        self.text("rule = ?", query.rule.clone());
    }

    fn times(&mut self, query: &Query) {
        self.number("accepted_ms >= ?", query.since.map(|since| since.timestamp_millis()));
        // The index has milliseconds; `Query::matches` compares exactly.
        self.number("accepted_ms <= ?", query.until.map(|until| until.timestamp_millis()));
    }

    fn rest(&mut self, query: &Query) {
        self.text("key = ?", query.key.as_ref().map(ToString::to_string));
        self.text("uid = ?", query.uid.as_ref().map(ToString::to_string));
        self.text("uid = ?", query.identity.as_ref().map(|(uid, _)| uid.to_string()));
        if let Some(status) = query.status {
            // A literal, so that the server can prove that a partial index covers it.
            self.add(&format!("status = '{}'", status.as_str()), []);
        }
    }

    fn all(&self) -> String {
        if self.sql.is_empty() { "true".to_owned() } else { self.sql.join(" AND ") }
    }

    fn parameters(&self) -> Vec<&(dyn ToSql + Sync)> {
        self.values.iter().map(|value| &**value as &(dyn ToSql + Sync)).collect()
    }
}

/// The records that match a query, the last accepted first.
pub(super) async fn find(
    link: &Link,
    query: &Query,
    limit: Duration,
) -> Result<Vec<ActionRecord>, JournalError> {
    let max = query.limit.unwrap_or(usize::MAX);
    let (mut found, mut before) = (Vec::new(), i64::MAX);
    while found.len() < max {
        let mut conditions = Conditions::default();
        conditions.room_actor_and_rule(query);
        conditions.times(query);
        conditions.rest(query);
        conditions.number("accepted < ?", Some(before));
        let sql = format!(
            "SELECT action, accepted FROM actions WHERE {} ORDER BY accepted DESC LIMIT {CHUNK}",
            conditions.all()
        );
        let rows = link.query(&sql, &conditions.parameters(), limit).await?;
        let actions: Vec<Uuid> = rows.iter().map(|row| column(row, 0)).collect::<Result<_, _>>()?;
        let Some(last) = rows.last() else { break };
        before = column(last, 1)?;
        found
            .extend(records(link, &actions, limit).await?.into_iter().filter(|record| query.matches(record)));
        if rows.len() < CHUNK {
            break;
        }
    }
    found.truncate(max);
    Ok(found)
}

/// The matching actions among the next `examine` after `after`, newest first by time.
pub(super) async fn page(
    link: &Link,
    query: &Query,
    (after, examine): (Option<Position>, usize),
    limit: Duration,
) -> Result<RecordPage, JournalError> {
    let (sql, conditions) = page_sql(query, after, examine);
    let rows = link.query(&sql, &conditions.parameters(), limit).await?;
    let max = query.limit.unwrap_or(usize::MAX);
    let (mut page, mut matching, mut last) = (RecordPage::default(), Vec::new(), None);
    for row in &rows {
        if matching.len() >= max {
            break;
        }
        let position = Position { at_ms: column(row, 1)?, number: column::<i64>(row, 2)?.unsigned_abs() };
        page.examined += 1;
        last = Some(position);
        if column(row, 3)? {
            matching.push((position, column::<Uuid>(row, 0)?));
        }
    }
    page.next = last.filter(|_| page.examined >= examine || matching.len() >= max);
    let actions: Vec<Uuid> = matching.iter().map(|(_, action)| *action).collect();
    let records = records(link, &actions, limit).await?;
    let positions = matching.into_iter().map(|(position, _)| position);
    page.records = positions.zip(records).filter(|(_, record)| query.matches(record)).collect();
    Ok(page)
}

/// One condition on a column of an index and the times go into the `WHERE`, so that the scan stops after `examine` rows; all others become a
/// column.
fn page_sql(query: &Query, after: Option<Position>, examine: usize) -> (String, Conditions) {
    let mut only = Query { since: query.since, until: query.until, ..Query::default() };
    match query {
        Query { room: Some(room), .. } => only.room = Some(room.clone()),
        Query { actor: Some(actor), .. } => only.actor = Some(actor.clone()),
        Query { rule: Some(rule), .. } => only.rule = Some(rule.clone()),
        _ => {}
    }
    let mut range = Conditions::default();
    range.room_actor_and_rule(&only);
    range.times(&only);
    if let Some(Position { at_ms, number }) = after {
        let values: [Box<dyn ToSql + Sync + Send>; 2] = [Box::new(at_ms), Box::new(as_column(number))];
        range.add("(accepted_ms, accepted) < (?, ?)", values);
    }
    let range_sql = range.all();
    let mut rest = Conditions { sql: Vec::new(), values: range.values };
    rest.room_actor_and_rule(query);
    rest.rest(query);
    let sql = format!(
        "SELECT action, accepted_ms, accepted, coalesce({}, false) FROM actions WHERE {range_sql}
         ORDER BY accepted_ms DESC, accepted DESC LIMIT {}",
        rest.all(),
        as_column(examine as u64)
    );
    (sql, rest)
}

/// Admin events that one statement reads.
const ADMIN_CHUNK: usize = 500;

/// The admin events of all chains that match a query, newest first. Their numbers are positions in the order of all entries.
pub(super) async fn admin_events(
    link: &Link,
    query: &AdminQuery,
    limit: Duration,
) -> Result<AdminPage, JournalError> {
    let sql = format!(
        "SELECT e.position, {ENTRY_COLUMNS} FROM entries AS e {BESIDE_ENTRY}
         WHERE e.action IS NULL AND e.position < $1 ORDER BY e.position DESC LIMIT {ADMIN_CHUNK}"
    );
    let mut before = query.before.map_or(i64::MAX, as_column);
    let (mut page, mut read) = (AdminPage::default(), 0);
    loop {
        let rows = link.query(&sql, &[&before], limit).await?;
        for row in &rows {
            let position = column::<i64>(row, 0)?;
            if read >= ADMIN_EVENTS_READ_MAX || page.events.len() >= query.limit {
                page.more = Some(position.unsigned_abs() + 1);
                return Ok(page);
            }
            (read, before) = (read + 1, position);
            match read_entry(row, 1)?.parse()? {
                JournalEntry::Admin(entry) if query.matches(&entry) => {
                    page.events.push((position.unsigned_abs(), entry));
                }
                JournalEntry::Admin(_) => {}
                JournalEntry::Action(_) => {
                    let why = format!("the entry at position {position}: it is stored under no action");
                    return Err(JournalError::Damaged(why));
                }
            }
        }
        if rows.len() < ADMIN_CHUNK {
            return Ok(page);
        }
    }
}
