//! Recurrence: on which days a series happens. Pure arithmetic on dates; exceptions and deletions are looked up here
//! and decided elsewhere.
//!
//! All series run in UTC, which is a simplification: a meeting "at nine in Berlin" does not move with daylight saving.
//! Days are tested one after the other from the first date on, because that is obviously right for every pattern and
//! a decade is only 3650 tests.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveTime, TimeDelta, Utc, Weekday};

use super::event::Exception;

/// Days a series may span before expansion stops: 30 years, so that a series without an end has one here.
const DAYS_MAX: usize = 30 * 366;

/// On which days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pattern {
    /// Every `interval` days.
    Daily {
        /// Days from one to the next, at least 1.
        interval: u32,
    },
    /// On these weekdays of every `interval`th week; weeks begin on Sunday.
    Weekly {
        /// Weeks from one to the next, at least 1.
        interval: u32,
        /// Which days of such a week.
        days: Vec<Weekday>,
    },
    /// On this day of every `interval`th month, or its last day when the month is shorter.
    Monthly {
        /// Months from one to the next, at least 1.
        interval: u32,
        /// 1 to 31.
        day: u32,
    },
    /// On the `nth` such weekday of every `interval`th month; 5 means the last.
    MonthlyWeekday {
        /// Months from one to the next, at least 1.
        interval: u32,
        /// Which weekday.
        day: Weekday,
        /// 1 to 4, or 5 for the last.
        nth: u32,
    },
}

/// Until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Range {
    /// For ever (here: 30 years).
    NoEnd,
    /// Up to and including this day.
    Until(NaiveDate),
    /// This many dates, deleted ones counted.
    Count(u32),
}

/// A pattern, its range, and the dates that differ.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// On which days.
    pub pattern: Pattern,
    /// Until when.
    pub range: Range,
    /// Dates that were changed, by original start.
    pub exceptions: BTreeMap<DateTime<Utc>, Exception>,
    /// Dates that were deleted, by original start.
    pub deleted: BTreeSet<DateTime<Utc>>,
}

impl Series {
    /// A series without exceptions.
    pub fn new(pattern: Pattern, range: Range) -> Self {
        Self { pattern, range, exceptions: BTreeMap::new(), deleted: BTreeSet::new() }
    }

    /// Every day from Monday to Friday.
    pub fn every_workday(range: Range) -> Self {
        let days = vec![Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri];
        Self::new(Pattern::Weekly { interval: 1, days }, range)
    }

    /// Once a week, on the weekday of `start`.
    pub fn weekly_on(start: DateTime<Utc>, range: Range) -> Self {
        Self::new(Pattern::Weekly { interval: 1, days: vec![start.weekday()] }, range)
    }

    /// Original starts in order, deleted and changed ones included, `first` being the series' own start.
    pub(crate) fn starts(&self, first: DateTime<Utc>) -> impl Iterator<Item = DateTime<Utc>> + '_ {
        let (day, time) = (first.date_naive(), first.time());
        let (last, count) = match self.range {
            Range::NoEnd => (NaiveDate::MAX, usize::MAX),
            Range::Until(last) => (last, usize::MAX),
            Range::Count(count) => (NaiveDate::MAX, usize::try_from(count).unwrap_or(usize::MAX)),
        };
        day.iter_days()
            .take(DAYS_MAX)
            .take_while(move |day| *day <= last)
            .filter(move |candidate| self.pattern.falls_on(*candidate, day))
            .take(count)
            .map(move |day| at(day, time))
    }

    /// Like [`Self::starts`], from the first that could still matter to a window beginning at `from`.
    pub(crate) fn starts_in(
        &self,
        first: DateTime<Utc>,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> impl Iterator<Item = DateTime<Utc>> + '_ {
        self.starts(first).skip_while(move |start| *start < from).take_while(move |start| *start < to)
    }

    /// Whether `start` is a date of the pattern, changed and deleted ones included.
    pub(crate) fn has(&self, first: DateTime<Utc>, start: DateTime<Utc>) -> bool {
        let day = start + TimeDelta::seconds(1);
        self.starts_in(first, start, day).next() == Some(start)
    }
}

impl Pattern {
    fn falls_on(&self, day: NaiveDate, first: NaiveDate) -> bool {
        match self {
            Self::Daily { interval } => every(*interval, (day - first).num_days()),
            Self::Weekly { interval, days } => {
                days.contains(&day.weekday())
                    && every(*interval, (sunday(day) - sunday(first)).num_days() / 7)
            }
            Self::Monthly { interval, day: wanted } => {
                every(*interval, months(first, day)) && day.day() == (*wanted).min(days_in_month(day))
            }
            Self::MonthlyWeekday { interval, day: weekday, nth } => {
                every(*interval, months(first, day)) && day.weekday() == *weekday && is_nth(*nth, day)
            }
        }
    }
}

fn every(interval: u32, distance: i64) -> bool {
    distance % i64::from(interval.max(1)) == 0
}

fn sunday(day: NaiveDate) -> NaiveDate {
    day.checked_sub_days(Days::new(u64::from(day.weekday().num_days_from_sunday()))).unwrap_or(day)
}

fn months(from: NaiveDate, to: NaiveDate) -> i64 {
    i64::from(to.year() - from.year()) * 12 + i64::from(to.month()) - i64::from(from.month())
}

fn days_in_month(day: NaiveDate) -> u32 {
    (28..=31).rev().find(|last| day.with_day(*last).is_some()).unwrap_or(28)
}

fn is_nth(nth: u32, day: NaiveDate) -> bool {
    if nth >= 5 { day.day() + 7 > days_in_month(day) } else { (day.day() - 1) / 7 + 1 == nth }
}

fn at(day: NaiveDate, time: NaiveTime) -> DateTime<Utc> {
    day.and_time(time).and_utc()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(pattern: Pattern, range: Range, first: &str) -> Vec<String> {
        let first: DateTime<Utc> = first.parse().unwrap();
        Series::new(pattern, range)
            .starts(first)
            .take(5)
            .map(|start| start.format("%a %m-%d").to_string())
            .collect()
    }

    #[test]
    fn patterns_fall_on_the_days_they_say() {
        let weekly = Pattern::Weekly { interval: 2, days: vec![Weekday::Mon, Weekday::Thu] };
        assert_eq!(
            days(weekly, Range::NoEnd, "2026-05-05T09:00:00Z"),
            ["Thu 05-07", "Mon 05-18", "Thu 05-21", "Mon 06-01", "Thu 06-04"]
        );
        let until = Range::Until(NaiveDate::from_ymd_opt(2026, 5, 10).unwrap());
        assert_eq!(
            days(Pattern::Daily { interval: 3 }, until, "2026-05-05T09:00:00Z"),
            ["Tue 05-05", "Fri 05-08"]
        );
        let end_of_month = Pattern::Monthly { interval: 1, day: 31 };
        assert_eq!(
            days(end_of_month, Range::Count(3), "2026-01-31T09:00:00Z"),
            ["Sat 01-31", "Sat 02-28", "Tue 03-31"]
        );
        let last_friday = Pattern::MonthlyWeekday { interval: 1, day: Weekday::Fri, nth: 5 };
        assert_eq!(days(last_friday, Range::Count(2), "2026-05-01T09:00:00Z"), ["Fri 05-29", "Fri 06-26"]);
    }
}
