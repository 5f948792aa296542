//! Reads the records of actions by replaying their entries, from whichever chains they are in. Every entry is checked against its hash, and
//! every continuation on another chain against the entry that it names. Never writes.

use std::collections::HashMap;
use std::time::Duration;

use tokio_postgres::Row;
use uuid::Uuid;

use super::connection::{Connection, Parameters};
use super::error::PostgresError;
use super::link::Link;
use super::schema::column;
use crate::action::ActionId;
use crate::journal::{
    ActionRecord, Chain, Head, JournalEntry, JournalError, PersonalValue, Predecessor, SealedEntry,
};

/// Actions whose entries one statement reads.
pub(super) const CHUNK: usize = 256;

/// The columns that [`read_entry`] reads; `e` is the entry.
pub(super) const ENTRY_COLUMNS: &str =
    "e.writer, e.number, e.body, e.hash, coalesce(before.hash, archived.hash), v.pointers, v.salts, v.values";

/// The tables beside `entries AS e` that those columns need.
pub(super) const BESIDE_ENTRY: &str = "
    LEFT JOIN entries AS before ON before.writer = e.writer AND before.number = e.number - 1
    LEFT JOIN archived ON archived.writer = e.writer AND archived.last = e.number - 1
    LEFT JOIN LATERAL (
        SELECT array_agg(pointer ORDER BY pointer) AS pointers, array_agg(salt ORDER BY pointer) AS salts,
               array_agg(value ORDER BY pointer) AS values
        FROM personal AS p WHERE p.writer = e.writer AND p.number = e.number) AS v ON true";

/// An entry, and whose chain it is in.
pub(super) struct WrittenEntry {
    pub(super) writer: i32,
    pub(super) sealed: SealedEntry,
    /// The hash of the entry before it in its chain.
    before: Option<Head>,
}

impl WrittenEntry {
    /// Parses the entry, unless it is not what was hashed.
    pub(super) fn parse(&self) -> Result<JournalEntry, JournalError> {
        let number = self.sealed.number;
        let chain = match (number, self.before) {
            (1, _) => Some(Chain::default()),
            (number, Some(head)) => Some(Chain { length: number.saturating_sub(1), head }),
            _ => None,
        };
        let mut chain = chain.ok_or_else(|| self.damaged("the entry before it is missing"))?;
        chain.check(&self.sealed).map_err(|error| self.damaged(&error.to_string()))?;
        self.sealed.parse().map_err(|error| self.damaged(&error.to_string()))
    }

    fn damaged(&self, what: &str) -> JournalError {
        JournalError::Damaged(format!("entry {} of writer {}: {what}", self.sealed.number, self.writer))
    }

    fn as_predecessor(&self) -> Predecessor {
        Predecessor { writer: self.writer, number: self.sealed.number, hash: self.sealed.hash }
    }
}

/// Reads the columns of [`ENTRY_COLUMNS`], which begin at `index`.
pub(super) fn read_entry(row: &Row, index: usize) -> Result<WrittenEntry, PostgresError> {
    let number = column::<i64>(row, index + 1)?.unsigned_abs();
    let (body, hash) = (column(row, index + 2)?, head(column(row, index + 3)?)?);
    let before = column::<Option<&[u8]>>(row, index + 4)?.map(head).transpose()?;
    let pointers = column::<Option<Vec<String>>>(row, index + 5)?.unwrap_or_default();
    let salts = column::<Option<Vec<&[u8]>>>(row, index + 6)?.unwrap_or_default();
    let values = column::<Option<Vec<&[u8]>>>(row, index + 7)?.unwrap_or_default();
    let damaged = || PostgresError::Damaged(format!("a personal value of entry {number} cannot be read"));
    let personal = pointers.into_iter().zip(salts.into_iter().zip(values)).map(|(pointer, (salt, value))| {
        let salt = salt.try_into().map_err(|_| damaged())?;
        let value = String::from_utf8(value.to_vec()).map_err(|_| damaged())?;
        Ok(PersonalValue { pointer, salt, value })
    });
    let sealed =
        SealedEntry { number, body, hash, personal: personal.collect::<Result<_, PostgresError>>()? };
    Ok(WrittenEntry { writer: column(row, index)?, sealed, before })
}

/// A hash in a column.
pub(super) fn head(bytes: &[u8]) -> Result<Head, PostgresError> {
    let bytes = bytes.try_into().map_err(|_| PostgresError::Damaged("a hash has not 32 bytes".to_owned()))?;
    Ok(Head(bytes))
}

/// A record as the chains have it: its last entry, and how many entries it has.
#[derive(Debug, Clone)]
pub(super) struct StoredRecord {
    pub(super) record: ActionRecord,
    pub(super) last: Predecessor,
    pub(super) entries: i32,
    /// Whether the process that wrote the last entry is sealed.
    pub(super) is_sealed: bool,
}

/// Where statements that only read run.
pub(super) enum Reader<'a> {
    Link(&'a Link),
    Connection(&'a Connection),
}

impl Reader<'_> {
    async fn query(
        &self,
        sql: &str,
        parameters: Parameters<'_>,
        limit: Duration,
    ) -> Result<Vec<Row>, PostgresError> {
        match self {
            Self::Link(link) => link.query(sql, parameters, limit).await,
            Self::Connection(connection) => connection.query(sql, parameters, limit).await,
        }
    }
}

/// The records of these actions, as far as they exist.
pub(super) async fn stored_records(
    reader: &Reader<'_>,
    actions: &[Uuid],
    limit: Duration,
) -> Result<HashMap<ActionId, StoredRecord>, JournalError> {
    let sql = format!(
        "SELECT e.action, e.step, w.sealed_at IS NOT NULL, {ENTRY_COLUMNS} FROM entries AS e {BESIDE_ENTRY}
         LEFT JOIN writers AS w ON w.writer = e.writer WHERE e.action = ANY ($1) ORDER BY e.action, e.step"
    );
    let mut records: HashMap<ActionId, StoredRecord> = HashMap::with_capacity(actions.len());
    for row in reader.query(&sql, &[&actions], limit).await? {
        let (action, step) = (ActionId(column(&row, 0)?), column::<i32>(&row, 1)?);
        let record = apply(records.remove(&action), &row, step)?;
        records.insert(action, record);
    }
    Ok(records)
}

fn apply(before: Option<StoredRecord>, row: &Row, step: i32) -> Result<StoredRecord, JournalError> {
    let written = read_entry(row, 3)?;
    let JournalEntry::Action(entry) = written.parse()? else {
        return Err(written.damaged("it belongs to no action"));
    };
    let after = written.sealed.predecessor().map_err(|error| written.damaged(&error.to_string()))?;
    let (entries, last) = before.as_ref().map_or((0, None), |before| (before.entries, Some(before.last)));
    let elsewhere = last.filter(|last| last.writer != written.writer);
    if step != entries || after != elsewhere {
        return Err(written.damaged("it does not follow the entry before it of its action"));
    }
    let record = ActionRecord::apply(before.map(|before| before.record), &entry)
        .map_err(|error| written.damaged(&error.to_string()))?;
    let is_sealed = column(row, 2)?;
    Ok(StoredRecord { record, last: written.as_predecessor(), entries: entries + 1, is_sealed })
}

/// The records of these actions, in this order. The index named them, so each has entries, unless they were archived since.
pub(super) async fn records(
    link: &Link,
    actions: &[Uuid],
    limit: Duration,
) -> Result<Vec<ActionRecord>, JournalError> {
    let mut found = Vec::with_capacity(actions.len());
    for chunk in actions.chunks(CHUNK) {
        let mut stored = stored_records(&Reader::Link(link), chunk, limit).await?;
        let absent: Vec<Uuid> =
            chunk.iter().copied().filter(|action| !stored.contains_key(&ActionId(*action))).collect();
        if !absent.is_empty() {
            require_archived(link, &absent, limit).await?;
        }
        found.extend(
            chunk.iter().filter_map(|action| stored.remove(&ActionId(*action))).map(|stored| stored.record),
        );
    }
    Ok(found)
}

/// Refuses actions that the index still names although they have no entries.
async fn require_archived(link: &Link, actions: &[Uuid], limit: Duration) -> Result<(), JournalError> {
    let sql = "SELECT action FROM actions WHERE action = ANY ($1) LIMIT 1";
    let named = link.query(sql, &[&actions], limit).await?;
    match named.first().map(|row| column::<Uuid>(row, 0)).transpose()? {
        None => Ok(()),
        Some(action) => {
            Err(JournalError::Damaged(format!("the index names action {action}, but no entry does")))
        }
    }
}
