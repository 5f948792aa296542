//! The seam between the service store and its database. A subject's file (`keys.rs`, `outbox.rs` …) has its rules and its statements
//! once; [`SqlConnection`] runs them, over SQLite (`sqlite_service.rs`) or PostgreSQL (`postgres/service.rs`). Never opens a database.
//!
//! The statements are the SQL that both share. Parameters are `?1`, `?2` …. It has `ON CONFLICT` instead of `INSERT OR …`, names the
//! stored row's columns with their table there, has no `max` of two values, and casts a sum to `BIGINT`.

use chrono::{DateTime, Utc};

use super::error::StoreError;

/// Runs statements, of one transaction or of one reading.
pub(super) trait SqlConnection {
    /// Runs a statement; returns the number of rows that it changed.
    fn execute(&self, sql: &str, values: &[Value]) -> Result<usize, StoreError>;

    /// Runs a statement once for each of these rows of values, in order. A database behind a network gets them in one round trip.
    fn execute_all(&self, sql: &str, rows: &[Vec<Value>]) -> Result<(), StoreError>;

    /// Runs a statement; returns its rows.
    fn query(&self, sql: &str, values: &[Value]) -> Result<Vec<SqlRow>, StoreError>;
}

impl dyn SqlConnection + '_ {
    /// The first row of a query, if it has one.
    pub(super) fn query_first(&self, sql: &str, values: &[Value]) -> Result<Option<SqlRow>, StoreError> {
        Ok(self.query(sql, values)?.into_iter().next())
    }

    /// The number that a query returns.
    pub(super) fn count(&self, sql: &str, values: &[Value]) -> Result<usize, StoreError> {
        let row = self.query_first(sql, values)?;
        row.map_or(Ok(0), |row| row.get(0))
    }
}

/// The subjects whose changes wait for each other, so that a limit or a name that a transaction has checked still holds at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    /// Keys, displays, and admin events that wait for the journal.
    Keys,
    /// Signs of presence.
    Signs,
    /// Up-times, sources, decisions and series.
    Presence,
    /// Runs of schedules.
    Schedules,
    /// The queues of webhooks.
    Outbox,
}

/// A value of a statement or a row. A time is an [`Value::Integer`] of milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Null,
    Integer(i64),
    Text(String),
    Bytes(Vec<u8>),
}

/// The values of a statement, as a `Vec` of [`Value`].
macro_rules! values {
    ($($value:expr),* $(,)?) => { vec![$($crate::store::sql::Value::from($value)),*] };
}
pub(super) use values;

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Integer(number.into())
    }
}

/// A number beyond the database's largest is stored as the largest.
impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Integer(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<usize> for Value {
    fn from(number: usize) -> Self {
        Self::from(number as u64)
    }
}

impl From<DateTime<Utc>> for Value {
    fn from(time: DateTime<Utc>) -> Self {
        Self::Integer(time.timestamp_millis())
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Self::Text(text.clone())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<[u8; 32]> for Value {
    fn from(bytes: [u8; 32]) -> Self {
        Self::Bytes(bytes.to_vec())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// A row that a query returned.
pub(super) struct SqlRow(pub(super) Vec<Value>);

impl SqlRow {
    /// The value of a column, counted from zero.
    pub(super) fn get<T: FromValue>(&self, column: usize) -> Result<T, StoreError> {
        let value = self.0.get(column).and_then(T::from_value);
        value.ok_or_else(|| StoreError::Damaged(format!("column {} of a row has no valid value", column + 1)))
    }
}

/// A type that a column is read as. `None`: the column holds no such value.
pub(super) trait FromValue: Sized {
    fn from_value(value: &Value) -> Option<Self>;
}

impl FromValue for i64 {
    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Integer(number) = value { Some(*number) } else { None }
    }
}

/// Numbers that are never negative.
macro_rules! unsigned_from_value {
    ($($number:ty),*) => { $(
        impl FromValue for $number {
            fn from_value(value: &Value) -> Option<Self> {
                i64::from_value(value).and_then(|number| number.try_into().ok())
            }
        }
    )* };
}
unsigned_from_value!(u32, u64, usize);

impl FromValue for DateTime<Utc> {
    fn from_value(value: &Value) -> Option<Self> {
        i64::from_value(value).and_then(Self::from_timestamp_millis)
    }
}

impl FromValue for String {
    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Text(text) = value { Some(text.clone()) } else { None }
    }
}

impl FromValue for [u8; 32] {
    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Bytes(bytes) = value { bytes.as_slice().try_into().ok() } else { None }
    }
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: &Value) -> Option<Self> {
        if *value == Value::Null { Some(None) } else { T::from_value(value).map(Some) }
    }
}
