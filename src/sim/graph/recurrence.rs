//! `patternedRecurrence`: reads and writes six patterns and three ranges.

use chrono::{DateTime, NaiveDate, Utc, Weekday};
use serde_json::{Value, json};

use super::error::GraphError;
use super::times;
use crate::sim::pattern::{DayOfWeek, RecurrencePattern};
use crate::sim::series::{RecurrenceRange, Series};

/// The weekdays from Monday, with their words.
const DAYS: [(Weekday, &str); 7] = [
    (Weekday::Mon, "monday"),
    (Weekday::Tue, "tuesday"),
    (Weekday::Wed, "wednesday"),
    (Weekday::Thu, "thursday"),
    (Weekday::Fri, "friday"),
    (Weekday::Sat, "saturday"),
    (Weekday::Sun, "sunday"),
];
const INDICES: [&str; 5] = ["first", "second", "third", "fourth", "last"];
/// Limit of an interval and of a number of occurrences.
const NUMBER_MAX: u64 = 999;

/// The recurrence of a series that starts at `first`.
pub(super) fn write(series: &Series, first: DateTime<Utc>) -> Value {
    let (kind, last, count) = match series.range {
        RecurrenceRange::NoEnd => ("noEnd", None, 0),
        RecurrenceRange::Until(last) => ("endDate", Some(last), 0),
        RecurrenceRange::Count(count) => ("numbered", None, count),
    };
    json!({
        "pattern": pattern(&series.pattern),
        "range": {
            "type": kind,
            "startDate": series.zone.local(first).date().to_string(),
            "endDate": last.map_or_else(|| "0001-01-01".to_owned(), |last| last.to_string()),
            "recurrenceTimeZone": series.zone.id,
            "numberOfOccurrences": count,
        },
    })
}

fn pattern(pattern: &RecurrencePattern) -> Value {
    let written =
        |kind: &str, interval: u32, month: u32, day: u32, days: &[&str], first: &str, index: u32| {
            json!({
                "type": kind,
                "interval": interval,
                "month": month,
                "dayOfMonth": day,
                "daysOfWeek": days,
                "firstDayOfWeek": first,
                "index": INDICES.get((index.clamp(1, 5) - 1) as usize),
            })
        };
    match pattern {
        RecurrencePattern::Daily { interval } => written("daily", *interval, 0, 0, &[], "sunday", 1),
        RecurrencePattern::Weekly { interval, days, first_day } => {
            let days: Vec<&str> = days.iter().map(|day| word(*day)).collect();
            written("weekly", *interval, 0, 0, &days, word(*first_day), 1)
        }
        RecurrencePattern::Monthly { interval, day } => {
            written("absoluteMonthly", *interval, 0, *day, &[], "sunday", 1)
        }
        RecurrencePattern::MonthlyWeekday { interval, day, nth } => {
            written("relativeMonthly", *interval, 0, 0, &words(*day), "sunday", *nth)
        }
        RecurrencePattern::Yearly { month, day } => {
            written("absoluteYearly", 1, *month, *day, &[], "sunday", 1)
        }
        RecurrencePattern::YearlyWeekday { month, day, nth } => {
            written("relativeYearly", 1, *month, 0, &words(*day), "sunday", *nth)
        }
    }
}

fn word(day: Weekday) -> &'static str {
    DAYS.iter().find(|(known, _)| *known == day).map_or("monday", |(_, word)| word)
}

fn words(days: DayOfWeek) -> Vec<&'static str> {
    DAYS.iter().filter(|(day, _)| days.has(*day)).map(|(_, word)| *word).collect()
}

/// Parses a recurrence: the series, and the start day of its pattern.
pub(super) fn read(value: &Value) -> Result<(Series, NaiveDate), GraphError> {
    let invalid = || GraphError::bad_request("ErrorPropertyValidationFailure", "The recurrence is invalid.");
    let (pattern, range) = (value.get("pattern"), value.get("range"));
    let (pattern, range) = pattern.zip(range).ok_or_else(invalid)?;
    if let Some(zone) = text(range, "recurrenceTimeZone").filter(|zone| !zone.is_empty()) {
        times::zone(zone)?;
    }
    let pattern = read_pattern(pattern).ok_or_else(invalid)?;
    let (range, start) = read_range(range).ok_or_else(invalid)?;
    match range {
        RecurrenceRange::Until(last) if last < start => Err(invalid()),
        _ => Ok((Series::new(pattern, range), start)),
    }
}

fn read_pattern(value: &Value) -> Option<RecurrencePattern> {
    let interval = number(value, "interval");
    let day = || number(value, "dayOfMonth").filter(|day| *day <= 31);
    let month = || number(value, "month").filter(|month| *month <= 12);
    let nth = || match text(value, "index") {
        None => Some(1),
        Some(word) => {
            INDICES.iter().position(|known| *known == word).and_then(|at| u32::try_from(at + 1).ok())
        }
    };
    Some(match text(value, "type")? {
        "daily" => RecurrencePattern::Daily { interval: interval? },
        "weekly" => {
            let first_day = text(value, "firstDayOfWeek").map_or(Some(Weekday::Sun), weekday)?;
            let days = days(value)?;
            RecurrencePattern::Weekly { interval: interval?, days, first_day }
        }
        "absoluteMonthly" => RecurrencePattern::Monthly { interval: interval?, day: day()? },
        "relativeMonthly" => {
            RecurrencePattern::MonthlyWeekday { interval: interval?, day: class(&days(value)?)?, nth: nth()? }
        }
        "absoluteYearly" => RecurrencePattern::Yearly { month: month()?, day: day()? },
        "relativeYearly" => {
            RecurrencePattern::YearlyWeekday { month: month()?, day: class(&days(value)?)?, nth: nth()? }
        }
        _ => return None,
    })
}

fn read_range(value: &Value) -> Option<(RecurrenceRange, NaiveDate)> {
    let start = date(value, "startDate")?;
    let range = match text(value, "type")? {
        "noEnd" => RecurrenceRange::NoEnd,
        "endDate" => RecurrenceRange::Until(date(value, "endDate")?),
        "numbered" => RecurrenceRange::Count(number(value, "numberOfOccurrences")?),
        _ => return None,
    };
    Some((range, start))
}

fn text<'v>(value: &'v Value, name: &str) -> Option<&'v str> {
    value.get(name)?.as_str()
}

fn number(value: &Value, name: &str) -> Option<u32> {
    let number = value.get(name)?.as_u64().filter(|number| (1..=NUMBER_MAX).contains(number))?;
    u32::try_from(number).ok()
}

fn date(value: &Value, name: &str) -> Option<NaiveDate> {
    let day = NaiveDate::parse_from_str(text(value, name)?, "%Y-%m-%d").ok()?;
    let (first, last) = (NaiveDate::from_ymd_opt(1900, 1, 1)?, NaiveDate::from_ymd_opt(4500, 12, 31)?);
    (first..=last).contains(&day).then_some(day)
}

fn weekday(word: &str) -> Option<Weekday> {
    DAYS.iter().find(|(_, known)| known.eq_ignore_ascii_case(word)).map(|(day, _)| *day)
}

fn days(value: &Value) -> Option<Vec<Weekday>> {
    let listed = value.get("daysOfWeek")?.as_array()?;
    let named: Vec<Weekday> = listed.iter().map(|day| weekday(day.as_str()?)).collect::<Option<_>>()?;
    let days: Vec<Weekday> = DAYS.iter().map(|(day, _)| *day).filter(|day| named.contains(day)).collect();
    (!days.is_empty()).then_some(days)
}

/// The class of days that a list of weekdays means in a relative pattern.
fn class(days: &[Weekday]) -> Option<DayOfWeek> {
    let same = |class: DayOfWeek| DAYS.iter().all(|(day, _)| class.has(*day) == days.contains(day));
    let classes = [DayOfWeek::Day, DayOfWeek::Weekday, DayOfWeek::WeekendDay];
    match days {
        [only] => Some(DayOfWeek::On(*only)),
        _ => classes.into_iter().find(|class| same(*class)),
    }
}
