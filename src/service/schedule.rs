//! The schedule of a sweep: a cron expression in a time zone. Pure.
//!
//! The `croner` crate handles daylight saving: a time that does not exist runs at the next existing one, and a time that exists
//! twice runs once. A missed run, because the process was down or the previous run took too long, is made up for once.

use std::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use croner::Cron;

use crate::calendar::RoomPattern;

/// A schedule of sweeps.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// The name, in the audit and for the record of its last run.
    pub name: String,
    /// The rooms, as patterns; empty for all rooms.
    pub rooms: Vec<RoomPattern>,
    /// The longest random delay of a run, so that several machines do not start at once.
    pub jitter: TimeDelta,
    cron: Cron,
    zone: Tz,
}

/// Why a schedule is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// The cron expression is invalid.
    #[error("invalid cron expression `{0}`, which needs five fields: {1}")]
    Cron(String, String),
    /// The time zone is unknown.
    #[error("unknown time zone `{0}`; use an IANA name such as Europe/Berlin")]
    Zone(String),
}

impl Schedule {
    /// A schedule over all rooms.
    ///
    /// # Errors
    /// When the expression or the time zone is invalid.
    pub fn new(name: &str, cron: &str, zone: &str) -> Result<Self, ScheduleError> {
        let bad = |error: croner::errors::CronError| ScheduleError::Cron(cron.to_owned(), error.to_string());
        Ok(Self {
            name: name.to_owned(),
            rooms: Vec::new(),
            jitter: TimeDelta::zero(),
            cron: Cron::from_str(cron).map_err(bad)?,
            zone: zone.parse().map_err(|_| ScheduleError::Zone(zone.to_owned()))?,
        })
    }

    /// The first run after `last`; `None` when there is none within the next years.
    pub fn after(&self, last: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let next = self.cron.find_next_occurrence(&last.with_timezone(&self.zone), false).ok()?;
        Some(next.with_timezone(&Utc))
    }

    /// Whether a run is due, given the last run (or the time when the schedule was first seen).
    pub fn is_due(&self, last: DateTime<Utc>, now: DateTime<Utc>) -> bool {
        self.after(last).is_some_and(|next| next <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn it_runs_by_the_clock_on_the_wall() {
        let schedule = Schedule::new("night", "30 2 * * *", "Europe/Berlin").unwrap();
        assert_eq!(schedule.after(utc("2026-01-10T00:00:00Z")), Some(utc("2026-01-10T01:30:00Z")));
        assert_eq!(schedule.after(utc("2026-07-10T00:00:00Z")), Some(utc("2026-07-10T00:30:00Z")));
    }

    #[test]
    fn the_night_that_loses_an_hour_runs_and_the_night_that_has_one_twice_runs_once() {
        let schedule = Schedule::new("night", "30 2 * * *", "Europe/Berlin").unwrap();
        // 29 March 2026: from 2:00 straight to 3:00.
        let runs = |from: &str, until: &str| {
            let (mut at, mut count) = (utc(from), 0);
            while let Some(next) = schedule.after(at).filter(|next| *next < utc(until)) {
                (at, count) = (next, count + 1);
            }
            count
        };
        assert_eq!(runs("2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z"), 1);
        assert_eq!(runs("2026-10-24T12:00:00Z", "2026-10-25T12:00:00Z"), 1);
    }

    #[test]
    fn what_was_missed_is_due_once() {
        let schedule = Schedule::new("hourly", "0 * * * *", "UTC").unwrap();
        let (last, now) = (utc("2026-01-10T00:00:00Z"), utc("2026-01-10T09:20:00Z"));
        assert!(schedule.is_due(last, now));
        assert!(!schedule.is_due(now, now));
    }

    #[test]
    fn nonsense_is_said_to_be_so() {
        assert!(matches!(Schedule::new("x", "every day", "UTC"), Err(ScheduleError::Cron(..))));
        assert!(matches!(Schedule::new("x", "0 * * * *", "Berlin"), Err(ScheduleError::Zone(_))));
    }
}
