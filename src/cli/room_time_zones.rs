//! The time zones of the rooms, from the configured room groups: Graph returns all-day events as dates. Reads no file.

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;

use crate::calendar::{RoomAddress, start_of_day};
use crate::cleanup::Rules;
use crate::graph::RoomTimeZones;

/// The zones of the room groups.
pub(super) struct ConfiguredTimeZones(pub(super) Rules);

impl RoomTimeZones for ConfiguredTimeZones {
    fn start_of_day(&self, room: &RoomAddress, date: NaiveDate) -> Option<DateTime<Utc>> {
        let zone: Tz = self.0.time_zone(room)?.parse().ok()?;
        start_of_day(&zone, date)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(zone: Tz, (year, month, day): (i32, u32, u32)) -> String {
        let date = NaiveDate::from_ymd_opt(year, month, day).unwrap();
        start_of_day(&zone, date).unwrap().to_rfc3339()
    }

    #[test]
    fn a_day_begins_at_midnight_or_at_its_first_instant() {
        assert_eq!(start(chrono_tz::Europe::Berlin, (2026, 7, 1)), "2026-06-30T22:00:00+00:00");
        assert_eq!(start(chrono_tz::UTC, (2026, 7, 1)), "2026-07-01T00:00:00+00:00");
        // Summer time began at midnight in Cuba on 2026-03-08: the day began at 01:00 (UTC−4).
        assert_eq!(start(chrono_tz::America::Havana, (2026, 3, 8)), "2026-03-08T05:00:00+00:00");
    }
}
