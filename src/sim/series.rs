//! A recurring series: expands its pattern into occurrences. Pure arithmetic on dates; it stores exceptions and
//! deletions and never decides about them.
//!
//! A series follows its time zone's clock: a meeting "at nine in Berlin" moves with daylight saving. Every day from the
//! first on is tested against the pattern: that is obviously correct for all patterns, and a decade has only 3650 days.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Utc, Weekday};

use super::details::Exception;
use super::pattern::RecurrencePattern;
use super::zones::{self, Zone};

/// Limit of a series' expansion: 30 years, also for a series without an end.
const DAYS_MAX: usize = 30 * 366;

/// The end of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecurrenceRange {
    /// No end (limited to 30 years here).
    NoEnd,
    /// Up to and including this day.
    Until(NaiveDate),
    /// This many occurrences, deleted ones included.
    Count(u32),
}

/// A pattern, its range, its exceptions and deleted occurrences.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// The pattern.
    pub pattern: RecurrencePattern,
    /// Its end.
    pub range: RecurrenceRange,
    /// Modified occurrences, by original start.
    pub exceptions: BTreeMap<DateTime<Utc>, Exception>,
    /// Deleted occurrences, by original start.
    pub deleted: BTreeSet<DateTime<Utc>>,
    /// The time zone.
    pub(crate) zone: &'static Zone,
}

impl Series {
    /// A series without exceptions.
    pub fn new(pattern: RecurrencePattern, range: RecurrenceRange) -> Self {
        let (exceptions, deleted) = (BTreeMap::new(), BTreeSet::new());
        Self { pattern, range, exceptions, deleted, zone: &zones::UTC }
    }

    /// Every day from Monday to Friday.
    pub fn every_workday(range: RecurrenceRange) -> Self {
        let days = vec![Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri];
        Self::new(RecurrencePattern::Weekly { interval: 1, days, first_day: Weekday::Sun }, range)
    }

    /// Once a week, on the weekday of `start`.
    pub fn weekly_on(start: DateTime<Utc>, range: RecurrenceRange) -> Self {
        let days = vec![start.weekday()];
        Self::new(RecurrencePattern::Weekly { interval: 1, days, first_day: Weekday::Sun }, range)
    }

    /// Original starts in order, including deleted and modified occurrences. `first` is the series' own start.
    pub(crate) fn starts(&self, first: DateTime<Utc>) -> impl Iterator<Item = DateTime<Utc>> + '_ {
        let first = self.zone.local(first);
        self.starts_from(first.date()).map(move |day| self.zone.instant(day.and_time(first.time())))
    }

    /// Days in order; the series begins with the first matching day from `day` on.
    pub(crate) fn starts_from(&self, day: NaiveDate) -> impl Iterator<Item = NaiveDate> + '_ {
        let (last, count) = match self.range {
            RecurrenceRange::NoEnd => (NaiveDate::MAX, usize::MAX),
            RecurrenceRange::Until(last) => (last, usize::MAX),
            RecurrenceRange::Count(count) => (NaiveDate::MAX, usize::try_from(count).unwrap_or(usize::MAX)),
        };
        day.iter_days()
            .take(DAYS_MAX)
            .take_while(move |day| *day <= last)
            .filter(move |candidate| self.pattern.falls_on(*candidate, day))
            .take(count)
    }

    /// Like [`Self::starts`], limited to a window.
    pub(crate) fn starts_in(
        &self,
        first: DateTime<Utc>,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> impl Iterator<Item = DateTime<Utc>> + '_ {
        self.starts(first).skip_while(move |start| *start < from).take_while(move |start| *start < to)
    }

    /// Whether `start` is an occurrence of the pattern, including deleted and modified ones.
    pub(crate) fn has(&self, first: DateTime<Utc>, start: DateTime<Utc>) -> bool {
        let day = start + TimeDelta::seconds(1);
        self.starts_in(first, start, day).next() == Some(start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(pattern: RecurrencePattern, range: RecurrenceRange, first: &str) -> Vec<String> {
        let first: DateTime<Utc> = first.parse().unwrap();
        Series::new(pattern, range)
            .starts(first)
            .take(5)
            .map(|start| start.format("%a %m-%d").to_string())
            .collect()
    }

    #[test]
    fn patterns_fall_on_the_days_they_say() {
        let weekly = RecurrencePattern::Weekly {
            interval: 2,
            days: vec![Weekday::Mon, Weekday::Thu],
            first_day: Weekday::Sun,
        };
        assert_eq!(
            days(weekly, RecurrenceRange::NoEnd, "2026-05-05T09:00:00Z"),
            ["Thu 05-07", "Mon 05-18", "Thu 05-21", "Mon 06-01", "Thu 06-04"]
        );
        let until = RecurrenceRange::Until(NaiveDate::from_ymd_opt(2026, 5, 10).unwrap());
        assert_eq!(
            days(RecurrencePattern::Daily { interval: 3 }, until, "2026-05-05T09:00:00Z"),
            ["Tue 05-05", "Fri 05-08"]
        );
        let end_of_month = RecurrencePattern::Monthly { interval: 1, day: 31 };
        assert_eq!(
            days(end_of_month, RecurrenceRange::Count(3), "2026-01-31T09:00:00Z"),
            ["Sat 01-31", "Sat 02-28", "Tue 03-31"]
        );
        let last_friday = RecurrencePattern::MonthlyWeekday { interval: 1, day: Weekday::Fri.into(), nth: 5 };
        assert_eq!(
            days(last_friday, RecurrenceRange::Count(2), "2026-05-01T09:00:00Z"),
            ["Fri 05-29", "Fri 06-26"]
        );
    }

    #[test]
    fn years_and_classes_of_days_are_counted_in_their_month() {
        use crate::sim::pattern::DayOfWeek;
        let november = RecurrencePattern::Yearly { month: 11, day: 13 };
        assert_eq!(
            days(november, RecurrenceRange::Count(2), "2026-01-01T08:00:00Z"),
            ["Fri 11-13", "Sat 11-13"]
        );
        let leap = RecurrencePattern::Yearly { month: 2, day: 29 };
        assert_eq!(
            days(leap, RecurrenceRange::Count(3), "2026-01-01T08:00:00Z"),
            ["Sat 02-28", "Sun 02-28", "Tue 02-29"]
        );
        let third = |day| RecurrencePattern::YearlyWeekday { month: 11, day, nth: 3 };
        let first = "2026-01-01T08:00:00Z";
        assert_eq!(days(third(DayOfWeek::WeekendDay), RecurrenceRange::Count(1), first), ["Sun 11-08"]);
        assert_eq!(days(third(DayOfWeek::Weekday), RecurrenceRange::Count(1), first), ["Wed 11-04"]);
        let last = |day| RecurrencePattern::MonthlyWeekday { interval: 1, day, nth: 5 };
        assert_eq!(days(last(DayOfWeek::Day), RecurrenceRange::Count(2), first), ["Sat 01-31", "Sat 02-28"]);
        assert_eq!(
            days(last(DayOfWeek::Weekday), RecurrenceRange::Count(2), first),
            ["Fri 01-30", "Fri 02-27"]
        );
    }

    #[test]
    fn a_series_keeps_to_the_clock_of_its_zone() {
        let mut series = Series::new(RecurrencePattern::Daily { interval: 1 }, RecurrenceRange::Count(3));
        series.zone = zones::find("W. Europe Standard Time").unwrap();
        let starts: Vec<_> = series.starts("2026-03-28T08:00:00Z".parse().unwrap()).collect();
        let expected = ["2026-03-28T08:00:00Z", "2026-03-29T07:00:00Z", "2026-03-30T07:00:00Z"];
        assert_eq!(starts, expected.map(|at| at.parse::<DateTime<Utc>>().unwrap()));
        assert!(series.has(starts[0], starts[2]));
    }
}
