//! The time zones of the rooms, which all-day events need: Graph returns them as dates without a zone. Values only.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use crate::calendar::RoomAddress;

/// The earliest local midnight of a date is this long before midnight in UTC (UTC+14, Kiribati) …
const EARLIEST_MIDNIGHT: TimeDelta = TimeDelta::hours(14);
/// … and the latest this long after it (UTC−12).
const LATEST_MIDNIGHT: TimeDelta = TimeDelta::hours(12);

/// The time zones of the rooms.
pub trait RoomTimeZones: Send + Sync {
    /// The first instant of this date at the room; `None` when the room's time zone is unknown. An all-day event of such a room
    /// takes the whole time that its dates can have in any zone, and no action touches it.
    fn start_of_day(&self, room: &RoomAddress, date: NaiveDate) -> Option<DateTime<Utc>>;
}

/// No room's time zone is known.
#[derive(Debug, Clone, Copy, Default)]
pub struct UnknownTimeZones;

impl RoomTimeZones for UnknownTimeZones {
    fn start_of_day(&self, _: &RoomAddress, _: NaiveDate) -> Option<DateTime<Utc>> {
        None
    }
}

/// The days of every room are those of UTC.
#[derive(Debug, Clone, Copy, Default)]
pub struct UtcDays;

impl RoomTimeZones for UtcDays {
    fn start_of_day(&self, _: &RoomAddress, date: NaiveDate) -> Option<DateTime<Utc>> {
        Some(midnight(date))
    }
}

/// The whole days of an all-day event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Days {
    /// In the room's time zone.
    InZone(DateTime<Utc>, DateTime<Utc>),
    /// In any time zone.
    InAnyZone(DateTime<Utc>, DateTime<Utc>),
}

/// The days from `first` (included) to `end` (excluded) at the room.
pub(super) fn days(zones: &dyn RoomTimeZones, room: &RoomAddress, first: NaiveDate, end: NaiveDate) -> Days {
    match (zones.start_of_day(room, first), zones.start_of_day(room, end)) {
        (Some(start), Some(end)) => Days::InZone(start, end),
        _ => {
            let (start, end) = in_any_zone(midnight(first), midnight(end));
            Days::InAnyZone(start, end)
        }
    }
}

/// All instants that dates can have in any zone, where `start` and `end` are their midnights in UTC.
pub(super) fn in_any_zone(start: DateTime<Utc>, end: DateTime<Utc>) -> (DateTime<Utc>, DateTime<Utc>) {
    let earliest = start.checked_sub_signed(EARLIEST_MIDNIGHT).unwrap_or(start);
    (earliest, end.checked_add_signed(LATEST_MIDNIGHT).unwrap_or(end))
}

fn midnight(date: NaiveDate) -> DateTime<Utc> {
    date.and_time(chrono::NaiveTime::MIN).and_utc()
}
