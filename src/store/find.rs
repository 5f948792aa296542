//! Queries over the index of actions (`lives`): the index to use, a bound on the rows, and the entries behind them. Never writes.
//!
//! Each statement names its index (`INDEXED BY`): SQLite has no statistics for this file, and a plan that changed with the content
//! could read the whole journal one day. [`find`] serves the engine, which queries one room, key or event. [`page`] serves the audit:
//! it examines a bounded number of rows in the order of an index, in two statements.

use rusqlite::types::Value;
use rusqlite::{Connection, Row, params_from_iter};

use super::error::journal_error;
use super::records::{CHUNK, records};
use crate::journal::{ActionRecord, ActionStatus, JournalError, Position, Query, RecordPage};

/// Conditions on a row of the index, and their values.
#[derive(Default)]
struct Conditions {
    sql: Vec<String>,
    values: Vec<Value>,
}

impl Conditions {
    /// Adds a condition; each `?` in it takes the next value.
    fn add(&mut self, condition: &str, values: impl IntoIterator<Item = Value>) {
        let mut sql = String::with_capacity(condition.len() + 4);
        let mut values = values.into_iter();
        for char in condition.chars() {
            sql.push(char);
            if char == '?' {
                self.values.extend(values.next());
                sql.push_str(&self.values.len().to_string());
            }
        }
        self.sql.push(sql);
    }

    fn text(&mut self, condition: &str, text: Option<String>) {
        if let Some(text) = text {
            self.add(condition, [text.into()]);
        }
    }

    fn room_actor_and_rule(&mut self, query: &Query) {
        self.text("room = ?", query.room.as_ref().map(ToString::to_string));
        self.text("actor = ?", query.actor.clone());
        self.text("rule = ?", query.rule.clone());
    }

    fn times(&mut self, query: &Query) {
        if let Some(since) = query.since {
            self.add("accepted_ms >= ?", [since.timestamp_millis().into()]);
        }
        if let Some(until) = query.until {
            // The index has milliseconds; `Query::matches` compares exactly.
            self.add("accepted_ms <= ?", [until.timestamp_millis().into()]);
        }
    }

    fn rest(&mut self, query: &Query) {
        self.text("key = ?", query.key.as_ref().map(ToString::to_string));
        self.text("uid = ?", query.uid.as_ref().map(ToString::to_string));
        self.text("uid = ?", query.identity.as_ref().map(|(uid, _)| uid.to_string()));
        if let Some(ending) = query.status {
            // A literal, so that SQLite can prove that a partial index covers it.
            self.add(&format!("ending = '{}'", ending.as_str()), []);
        }
    }

    /// All conditions, joined by `AND`.
    fn all(&self) -> String {
        if self.sql.is_empty() { "1".to_owned() } else { self.sql.join(" AND ") }
    }
}

/// Whether the file has all indexes. A journal of an older version, opened for reading only, lacks some.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum IndexHint {
    Indexed,
    Unindexed,
}

/// The schema version that added the last index.
const INDEXED_SINCE: i64 = 2;

impl IndexHint {
    fn of(connection: &Connection) -> Result<Self, JournalError> {
        let version: i64 =
            connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(journal_error)?;
        Ok(if version >= INDEXED_SINCE { Self::Indexed } else { Self::Unindexed })
    }

    fn index(self, name: &str) -> String {
        match self {
            Self::Indexed => format!("INDEXED BY {name}"),
            Self::Unindexed => String::new(),
        }
    }
}

/// The index with the fewest rows for this query.
fn most_selective_index(query: &Query) -> &'static str {
    let is_dated = query.since.is_some() || query.until.is_some();
    match query {
        Query { key: Some(_), .. } => "lives_by_key",
        Query { uid: Some(_), .. } | Query { identity: Some(_), .. } => "lives_by_uid",
        Query { status: Some(ActionStatus::Open), .. } => "lives_open",
        Query { status: Some(ActionStatus::NeedsAttention), .. } => "lives_unsettled",
        Query { room: Some(_), .. } if is_dated => "lives_by_room_time",
        Query { room: Some(_), status: Some(_), .. } => "lives_by_room_ending",
        Query { room: Some(_), .. } => "lives_by_room",
        Query { rule: Some(_), .. } => "lives_by_rule",
        Query { actor: Some(_), .. } => "lives_by_actor",
        _ if is_dated => "lives_by_time",
        _ => "lives_by_accepted",
    }
}

/// The records that match a query, the last accepted first.
pub(super) fn find(connection: &Connection, query: &Query) -> Result<Vec<ActionRecord>, JournalError> {
    // One snapshot for the index and the entries: an archive may remove both in between.
    let snapshot = connection.unchecked_transaction().map_err(journal_error)?;
    let (sql, values) = find_sql(query, IndexHint::of(&snapshot)?);
    let mut statement = snapshot.prepare_cached(&sql).map_err(journal_error)?;
    let mut rows = statement.query(params_from_iter(values)).map_err(journal_error)?;
    let max = query.limit.unwrap_or(usize::MAX);
    let mut found = Vec::new();
    while found.len() < max {
        let mut actions: Vec<String> = Vec::new();
        while actions.len() < CHUNK.min(max - found.len()) {
            let Some(row) = rows.next().map_err(journal_error)? else { break };
            actions.push(row.get(0).map_err(journal_error)?);
        }
        if actions.is_empty() {
            break;
        }
        found.extend(records(&snapshot, &actions)?.into_iter().filter(|record| query.matches(record)));
    }
    found.truncate(max);
    Ok(found)
}

fn find_sql(query: &Query, hint: IndexHint) -> (String, Vec<Value>) {
    let mut conditions = Conditions::default();
    conditions.room_actor_and_rule(query);
    conditions.times(query);
    conditions.rest(query);
    let (index, all) = (hint.index(most_selective_index(query)), conditions.all());
    let sql = format!("SELECT action FROM lives {index} WHERE {all} ORDER BY accepted DESC");
    (sql, conditions.values)
}

/// The matching actions among the next `examine` after `after`, newest first by time.
pub(super) fn page(
    connection: &Connection,
    query: &Query,
    after: Option<Position>,
    examine: usize,
) -> Result<RecordPage, JournalError> {
    let snapshot = connection.unchecked_transaction().map_err(journal_error)?;
    let (sql, values) = page_sql(query, (after, examine), IndexHint::of(&snapshot)?);
    let mut statement = snapshot.prepare_cached(&sql).map_err(journal_error)?;
    let mut rows = statement.query(params_from_iter(values)).map_err(journal_error)?;
    let max = query.limit.unwrap_or(usize::MAX);
    let (mut page, mut matching, mut last) = (RecordPage::default(), Vec::new(), None);
    while matching.len() < max {
        let Some(row) = rows.next().map_err(journal_error)? else { break };
        let (action, position, matches) = examined(row).map_err(journal_error)?;
        page.examined += 1;
        last = Some(position);
        if matches {
            matching.push((position, action));
        }
    }
    page.next = last.filter(|_| page.examined >= examine || matching.len() >= max);
    let actions: Vec<String> = matching.iter().map(|(_, action)| action.clone()).collect();
    let records = records(&snapshot, &actions)?;
    let positions = matching.into_iter().map(|(position, _)| position);
    page.records = positions.zip(records).filter(|(_, record)| query.matches(record)).collect();
    Ok(page)
}

/// Conditions on the index go into the `WHERE`, so the scan stops after `examine` rows; all others become a column.
fn page_sql(
    query: &Query,
    (after, examine): (Option<Position>, usize),
    hint: IndexHint,
) -> (String, Vec<Value>) {
    let mut range = Conditions::default();
    let mut only = Query { since: query.since, until: query.until, ..Query::default() };
    let index = match query {
        Query { room: Some(room), .. } => {
            only.room = Some(room.clone());
            "lives_by_room_time"
        }
        Query { actor: Some(actor), .. } => {
            only.actor = Some(actor.clone());
            "lives_by_actor"
        }
        Query { rule: Some(rule), .. } => {
            only.rule = Some(rule.clone());
            "lives_by_rule"
        }
        _ => "lives_by_time",
    };
    range.room_actor_and_rule(&only);
    range.times(&only);
    if let Some(Position { at_ms, number }) = after {
        let number = i64::try_from(number).unwrap_or(i64::MAX);
        range.add("(accepted_ms, accepted) < (?, ?)", [at_ms.into(), number.into()]);
    }
    let range_sql = range.all();
    let mut rest = Conditions { sql: Vec::new(), values: range.values };
    rest.room_actor_and_rule(query);
    rest.rest(query);
    let (matches, index) = (rest.all(), hint.index(index));
    let sql = format!(
        "SELECT action, accepted_ms, accepted, coalesce({matches}, 0) FROM lives {index} WHERE {range_sql} \
         ORDER BY accepted_ms DESC, accepted DESC LIMIT {examine}"
    );
    (sql, rest.values)
}

fn examined(row: &Row<'_>) -> rusqlite::Result<(String, Position, bool)> {
    let number = row.get::<_, i64>(2)?.unsigned_abs();
    Ok((row.get(0)?, Position { at_ms: row.get(1)?, number }, row.get(3)?))
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;

    use super::*;
    use crate::action::{Action, ActionId, ActionKind, Actor, Notify, Outcome, Refusal};
    use crate::journal::{ActionEntry, Chain, Fact, JournalEntry};
    use crate::store::action_row::{self, ActionRow};
    use crate::store::personal;
    use crate::store::schema::JOURNAL;

    /// One action a second, over a hundred rooms in rotation, by fifty actors.
    const ACTIONS: u64 = 20_000;
    const ROOMS: u64 = 100;
    const ACTORS: u64 = 50;
    /// Virtual machine steps of SQLite per examined row.
    const STEPS_FOR_A_ROW: i32 = 60;

    fn action(number: u64) -> Action {
        let room = format!("room{}@rooms.example", number % ROOMS).parse().unwrap();
        let actor = Actor::program(format!("door {}", number % ACTORS));
        let id = ActionId(uuid::Uuid::from_u128(u128::from(number)));
        Action::new(id, room, ActionKind::End(Notify::Attendees), actor)
    }

    fn put(connection: &Connection, chain: &mut Chain, action: Action, number: u64) {
        let at = chrono::DateTime::from_timestamp(1_767_225_600 + number as i64, 0).unwrap();
        let outcome = Box::new(Outcome::Refused { refusal: Refusal::NoCurrentEvent });
        let id = action.id;
        let mut facts = vec![Fact::Accepted { action: Box::new(action) }];
        // One in five thousand stays open.
        facts.extend((number % 5_000 != 7).then(|| Fact::Closed { outcome, requests: Vec::new() }));
        let (mut record, mut first) = (None, 0);
        for fact in facts {
            let entry = ActionEntry { action: id, at, fact };
            record = Some(ActionRecord::apply(record, &entry).unwrap());
            let sealed = chain.seal_text(JournalEntry::from(entry).to_text(&mut personal::salt).unwrap());
            first = if first == 0 { sealed.number } else { first };
            personal::put(connection, &sealed, at.timestamp_millis()).unwrap();
            let sql = "INSERT INTO entries (number, action, body, hash) VALUES (?1, ?2, ?3, ?4)";
            let values = (sealed.number as i64, id.to_string(), &sealed.body, sealed.hash.0);
            action_row::expect_one_row(connection.prepare_cached(sql).unwrap().execute(values).unwrap())
                .unwrap();
        }
        ActionRow::from_record(&record.unwrap(), first).put(connection).unwrap();
    }

    fn filled() -> Connection {
        let mut connection = Connection::open_in_memory().unwrap();
        JOURNAL.migrate(&mut connection).unwrap();
        let (transaction, mut chain) = (connection.transaction().unwrap(), Chain::default());
        (0..ACTIONS).for_each(|number| put(&transaction, &mut chain, action(number), number));
        transaction.commit().unwrap();
        connection
    }

    fn queries() -> Vec<Query> {
        let time = |number: u64| chrono::DateTime::from_timestamp(1_767_225_600 + number as i64, 0);
        let room = Query::room(&"room7@rooms.example".parse().unwrap());
        let actor = Query { actor: Some("door 7".to_owned()), ..Query::default() };
        vec![
            Query::default(),
            room.clone(),
            actor.clone(),
            Query { actor: Some("door 7".to_owned()), ..room.clone() },
            Query { rule: Some("no-check-in".to_owned()), ..Query::default() },
            Query { since: time(9_000), until: time(9_100), ..Query::default() },
            Query { since: time(9_000), ..room.clone() },
            Query { until: time(9_000), ..actor },
            Query { key: Some("nobody:knows".parse().unwrap()), ..Query::default() },
            room.with_status(ActionStatus::NeedsAttention),
            Query::default().with_status(ActionStatus::Done),
        ]
    }

    #[test]
    fn a_page_looks_at_a_bounded_number_of_rows_by_an_index() {
        let connection = filled();
        for query in queries() {
            for after in [None, Some(Position { at_ms: 1_767_225_600_000 + 15_000_000, number: 30_000 })] {
                let (sql, values) = page_sql(&query, (after, 500), IndexHint::Indexed);
                assert_plan(&connection, &sql, &values);
                let mut statement = connection.prepare(&sql).unwrap();
                let rows = statement.query_map(params_from_iter(values), |_| Ok(())).unwrap().count();
                let steps = statement.get_status(StatementStatus::VmStep);
                assert!(
                    rows <= 500 && steps <= 500 * STEPS_FOR_A_ROW,
                    "{query:?}: {rows} rows, {steps} steps"
                );
                let scanned = statement.get_status(StatementStatus::FullscanStep);
                // Without a room, actor or rule, the query reads the index by time from its end.
                assert!(scanned <= 500, "{query:?}: {scanned}");
                assert_eq!(statement.get_status(StatementStatus::Sort), 0, "{query:?}");
                let page = page(&connection, &query, after, 500).unwrap();
                assert!(page.examined <= 500, "{query:?}: {}", page.examined);
            }
        }
    }

    #[test]
    fn what_the_engine_asks_before_each_action_is_read_by_an_index() {
        let connection = filled();
        let room = Query::room(&"room7@rooms.example".parse().unwrap());
        let mut asked = vec![
            (room.clone().with_status(ActionStatus::Open), 4 + 1),
            (Query::default().with_status(ActionStatus::Open), 4 + 1),
            (Query::default().with_status(ActionStatus::NeedsAttention), 1),
            // A room of two hundred refusals has no completed action.
            (room.clone().with_status(ActionStatus::Done), 1),
            (Query { uid: Some(crate::calendar::Uid::new("u")), ..room }, 1),
        ];
        asked.push((Query { key: Some("k".parse().unwrap()), ..Query::default() }, 1));
        for (query, rows_max) in asked {
            let (sql, values) = find_sql(&query, IndexHint::Indexed);
            assert_plan(&connection, &sql, &values);
            let mut statement = connection.prepare(&sql).unwrap();
            let rows = statement.query_map(params_from_iter(values), |_| Ok(())).unwrap().count();
            let steps = statement.get_status(StatementStatus::VmStep);
            assert!(rows <= rows_max && steps <= 400, "{query:?}: {rows} rows, {steps} steps");
        }
        assert_eq!(find(&connection, &Query::default().with_status(ActionStatus::Open)).unwrap().len(), 4);
    }

    #[test]
    fn an_older_file_that_is_open_for_reading_is_answered_without_the_new_indexes() {
        let connection = filled();
        let with: Vec<_> =
            queries().iter().map(|query| page(&connection, query, None, 50).unwrap()).collect();
        for index in ["time", "room_time", "room_ending", "actor", "rule"] {
            connection.execute_batch(&format!("DROP INDEX lives_by_{index}")).unwrap();
        }
        connection.execute_batch("DROP INDEX lives_unsettled; PRAGMA user_version = 1").unwrap();
        let without: Vec<_> =
            queries().iter().map(|query| page(&connection, query, None, 50).unwrap()).collect();
        assert_eq!(with, without);
        find(&connection, &Query::default().with_status(ActionStatus::NeedsAttention)).unwrap();
    }

    /// Each step of the plan searches an index or reads one in order. Only the few unsettled actions are sorted.
    fn assert_plan(connection: &Connection, sql: &str, values: &[Value]) {
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let steps = statement.query_map(params_from_iter(values), |row| row.get::<_, String>(3)).unwrap();
        for step in steps {
            let step = step.unwrap();
            let by_index =
                step.contains(" USING INDEX lives_") || step.contains(" USING COVERING INDEX lives_");
            let few = step == "USE TEMP B-TREE FOR ORDER BY" && sql.contains("lives_unsettled");
            assert!(by_index || few, "{step} of {sql}");
        }
    }
}
