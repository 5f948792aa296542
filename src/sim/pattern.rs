//! The six recurrence patterns of EWS. Pure arithmetic on calendar days; knows no time zone.

use chrono::{Datelike, Days, NaiveDate, Weekday};

/// A day of the week, or a class of such days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DayOfWeek {
    /// This weekday.
    On(Weekday),
    /// Any day.
    Day,
    /// Monday to Friday.
    Weekday,
    /// Saturday and Sunday.
    WeekendDay,
}

impl From<Weekday> for DayOfWeek {
    fn from(day: Weekday) -> Self {
        Self::On(day)
    }
}

impl DayOfWeek {
    /// Whether a weekday belongs to it.
    pub fn has(self, day: Weekday) -> bool {
        let weekend = matches!(day, Weekday::Sat | Weekday::Sun);
        match self {
            Self::On(only) => only == day,
            Self::Day => true,
            Self::Weekday => !weekend,
            Self::WeekendDay => weekend,
        }
    }
}

/// A recurrence pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecurrencePattern {
    /// Every `interval` days.
    Daily {
        /// Days between occurrences, at least 1.
        interval: u32,
    },
    /// On these weekdays of every `interval`th week.
    Weekly {
        /// Weeks between occurrences, at least 1.
        interval: u32,
        /// The weekdays.
        days: Vec<Weekday>,
        /// First day of the week.
        first_day: Weekday,
    },
    /// On this day of every `interval`th month, or its last day when the month is shorter.
    Monthly {
        /// Months between occurrences, at least 1.
        interval: u32,
        /// 1 to 31.
        day: u32,
    },
    /// On the `nth` such day of every `interval`th month; 5 means the last.
    MonthlyWeekday {
        /// Months between occurrences, at least 1.
        interval: u32,
        /// Which days count.
        day: DayOfWeek,
        /// 1 to 4, or 5 for the last.
        nth: u32,
    },
    /// On this day of every year, or the last day of the month in a year in which it is shorter.
    Yearly {
        /// 1 to 12.
        month: u32,
        /// 1 to 31.
        day: u32,
    },
    /// On the `nth` such day of a month of every year; 5 means the last.
    YearlyWeekday {
        /// 1 to 12.
        month: u32,
        /// Which days count.
        day: DayOfWeek,
        /// 1 to 4, or 5 for the last.
        nth: u32,
    },
}

impl RecurrencePattern {
    /// Whether the pattern of a series that starts on `first` includes a day.
    pub(super) fn falls_on(&self, day: NaiveDate, first: NaiveDate) -> bool {
        match self {
            Self::Daily { interval } => every(*interval, (day - first).num_days()),
            Self::Weekly { interval, days, first_day } => {
                let weeks = (week(day, *first_day) - week(first, *first_day)).num_days() / 7;
                days.contains(&day.weekday()) && every(*interval, weeks)
            }
            Self::Monthly { interval, day: wanted } => {
                every(*interval, months(first, day)) && is_day(*wanted, day)
            }
            Self::MonthlyWeekday { interval, day: weekday, nth } => {
                every(*interval, months(first, day)) && is_nth(*weekday, *nth, day)
            }
            Self::Yearly { month, day: wanted } => day.month() == *month && is_day(*wanted, day),
            Self::YearlyWeekday { month, day: weekday, nth } => {
                day.month() == *month && is_nth(*weekday, *nth, day)
            }
        }
    }
}

fn every(interval: u32, distance: i64) -> bool {
    distance % i64::from(interval.max(1)) == 0
}

/// The first day of the week of a day.
fn week(day: NaiveDate, first_day: Weekday) -> NaiveDate {
    let since = day.weekday().days_since(first_day);
    day.checked_sub_days(Days::new(u64::from(since))).unwrap_or(day)
}

fn months(from: NaiveDate, to: NaiveDate) -> i64 {
    i64::from(to.year() - from.year()) * 12 + i64::from(to.month()) - i64::from(from.month())
}

fn is_day(wanted: u32, day: NaiveDate) -> bool {
    day.day() == wanted.min(days_in_month(day))
}

fn days_in_month(day: NaiveDate) -> u32 {
    (28..=31).rev().find(|last| day.with_day(*last).is_some()).unwrap_or(28)
}

fn is_nth(days: DayOfWeek, nth: u32, day: NaiveDate) -> bool {
    let such = |number: &u32| day.with_day(*number).is_some_and(|day| days.has(day.weekday()));
    if !days.has(day.weekday()) {
        return false;
    }
    match nth {
        5.. => (day.day() + 1..=days_in_month(day)).filter(such).count() == 0,
        _ => (1..=day.day()).filter(such).count() == nth as usize,
    }
}
