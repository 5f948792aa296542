//! Stores when a series was last attended, and which of its dates are excused. Never decides whether a date was missed.

use std::collections::BTreeSet;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

use super::error::StoreError;
use super::service_store::ServiceStore;
use super::sql::{Subject, values};
use crate::calendar::{RoomAddress, Uid};
use crate::cleanup::Attendance;
use crate::engine::CalendarError;
use crate::journal::JournalError;

/// How long attendance of a series is kept: longer than a yearly series pauses.
const ATTENDANCE_KEPT: TimeDelta = TimeDelta::days(800);

#[async_trait]
impl Attendance for ServiceStore {
    async fn record_attended(
        &self,
        room: &RoomAddress,
        uid: &Uid,
        start: DateTime<Utc>,
    ) -> Result<(), CalendarError> {
        let row = values![room.as_str(), uid.as_str(), start];
        let kept = self.write(Subject::Presence, move |connection| {
            let sql = "INSERT INTO series VALUES (?1, ?2, ?3)
                       ON CONFLICT (room, uid) DO UPDATE SET came_ms = excluded.came_ms
                       WHERE series.came_ms < excluded.came_ms";
            connection.execute(sql, &row)?;
            connection.execute("DELETE FROM series WHERE came_ms < ?1", &values![start - ATTENDANCE_KEPT])
        });
        kept.await.map(|_| ()).map_err(calendar_error)
    }

    async fn last_attended(
        &self,
        room: &RoomAddress,
        uid: &Uid,
    ) -> Result<Option<DateTime<Utc>>, CalendarError> {
        let series = values![room.as_str(), uid.as_str()];
        let last = self.read(move |connection| {
            let sql = "SELECT came_ms FROM series WHERE room = ?1 AND uid = ?2";
            connection.query_first(sql, &series)?.map(|row| row.get(0)).transpose()
        });
        last.await.map_err(calendar_error)
    }

    async fn excuse_date(
        &self,
        room: &RoomAddress,
        uid: &Uid,
        start: DateTime<Utc>,
    ) -> Result<(), CalendarError> {
        let date = values![room.as_str(), uid.as_str(), start];
        let kept = self.write(Subject::Presence, move |connection| {
            connection.execute("INSERT INTO excused VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING", &date)?;
            connection.execute("DELETE FROM excused WHERE start_ms < ?1", &values![start - ATTENDANCE_KEPT])
        });
        kept.await.map(|_| ()).map_err(calendar_error)
    }

    async fn excused_dates(
        &self,
        room: &RoomAddress,
        uid: &Uid,
    ) -> Result<BTreeSet<DateTime<Utc>>, CalendarError> {
        let series = values![room.as_str(), uid.as_str()];
        let dates = self.read(move |connection| {
            let sql = "SELECT start_ms FROM excused WHERE room = ?1 AND uid = ?2";
            connection.query(sql, &series)?.iter().map(|row| row.get(0)).collect()
        });
        dates.await.map_err(calendar_error)
    }
}

fn calendar_error(error: StoreError) -> CalendarError {
    JournalError::Unusable(error.to_string()).into()
}
