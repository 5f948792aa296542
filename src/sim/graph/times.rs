//! Times on the wire: `dateTimeTimeZone` with seven digits and no offset, `DateTimeOffset` in UTC, and the names of
//! time zones. All-day events float: they begin at midnight in whatever zone is requested.

use chrono::{DateTime, Datelike as _, Days, NaiveDate, NaiveDateTime, NaiveTime, Timelike as _, Utc};
use serde_json::{Value, json};

use super::error::GraphError;
use crate::sim::views::EventInstance;
use crate::sim::zones::{self, Zone};

/// Years that a request may name. Arithmetic on them cannot overflow.
const YEARS: std::ops::RangeInclusive<i32> = 1900..=4500;

/// The IANA names that clients send most, with their Windows names.
const IANA: [(&str, &str); 10] = [
    ("Etc/UTC", "UTC"),
    ("Etc/GMT", "UTC"),
    ("GMT", "GMT Standard Time"),
    ("Europe/London", "GMT Standard Time"),
    ("Europe/Berlin", "W. Europe Standard Time"),
    ("Europe/Paris", "Romance Standard Time"),
    ("America/New_York", "Eastern Standard Time"),
    ("America/Los_Angeles", "Pacific Standard Time"),
    ("Asia/Tokyo", "Tokyo Standard Time"),
    ("Asia/Kolkata", "India Standard Time"),
];

/// The time zone with this Windows or IANA name.
pub(super) fn zone(name: &str) -> Result<&'static Zone, GraphError> {
    let iana = IANA.iter().find(|(iana, _)| iana.eq_ignore_ascii_case(name)).map(|(_, windows)| *windows);
    zones::find(iana.unwrap_or(name)).ok_or_else(|| {
        GraphError::bad_request(
            "TimeZoneNotSupportedException",
            format!(
                "A valid TimeZone value must be specified. The following TimeZone value is not supported: \
                     '{name}'."
            ),
        )
    })
}

/// A `dateTimeTimeZone` of an instant.
pub(super) fn date_time(at: DateTime<Utc>, zone: &Zone) -> Value {
    local_date_time(zone.local(at), zone)
}

fn local_date_time(local: NaiveDateTime, zone: &Zone) -> Value {
    json!({ "dateTime": format!("{}.0000000", local.format("%Y-%m-%dT%H:%M:%S")), "timeZone": zone.id })
}

/// A `DateTimeOffset` with seven digits.
pub(super) fn offset_time(at: DateTime<Utc>) -> String {
    let ticks = at.nanosecond() % 1_000_000_000 / 100;
    format!("{}.{ticks:07}Z", at.format("%Y-%m-%dT%H:%M:%S"))
}

/// `start` and `end` of an event.
pub(super) fn start_and_end(view: &EventInstance<'_>, zone: &Zone) -> (Value, Value) {
    match all_day(view) {
        None => (date_time(view.start, zone), date_time(view.end, zone)),
        Some((first, after)) => {
            let midnight = |day: NaiveDate| local_date_time(day.and_time(NaiveTime::MIN), zone);
            (midnight(first), midnight(after))
        }
    }
}

/// The time that an event takes in a calendar view: all-day events last from midnight to midnight in UTC.
pub(super) fn span(view: &EventInstance<'_>) -> (DateTime<Utc>, DateTime<Utc>) {
    match all_day(view) {
        None => (view.start, view.end),
        Some((first, after)) => {
            let midnight = |day: NaiveDate| day.and_time(NaiveTime::MIN).and_utc();
            (midnight(first), midnight(after))
        }
    }
}

/// The first day of an all-day event, and the day after its last.
fn all_day(view: &EventInstance<'_>) -> Option<(NaiveDate, NaiveDate)> {
    view.details.all_day.then_some(())?;
    let first = view.event.start_zone(view.details).local(view.start).date();
    let end = view.event.end_zone(view.details).local(view.end);
    let next = |day: NaiveDate| day.checked_add_days(Days::new(1)).unwrap_or(day);
    let after = if end.time() == NaiveTime::MIN { end.date() } else { next(end.date()) };
    Some((first, after.max(next(first))))
}

/// An instant of a query: with an offset, else in `zone`.
pub(super) fn instant(text: &str, zone: &Zone) -> Option<DateTime<Utc>> {
    // A `+` of an offset arrives as a space.
    let text = text.trim().replace(' ', "+");
    let at = match DateTime::parse_from_rfc3339(&text) {
        Ok(at) => at.with_timezone(&Utc),
        Err(_) => zone.instant(checked(local(&text)?)?),
    };
    YEARS.contains(&at.year()).then_some(at)
}

/// The local time of a `dateTimeTimeZone`, and its zone. An offset in `dateTime` wins over `timeZone`.
pub(super) fn read_date_time(
    name: &str,
    value: &Value,
) -> Result<(NaiveDateTime, &'static Zone), GraphError> {
    let invalid = |what: &str| {
        GraphError::invalid_request(format!("The property '{name}' has an invalid value: {what}."))
    };
    let text = value.get("dateTime").and_then(Value::as_str).ok_or_else(|| invalid("dateTime is missing"))?;
    let named = value.get("timeZone").and_then(Value::as_str).filter(|zone| !zone.is_empty());
    let zone = zone(named.ok_or_else(|| invalid("timeZone is missing"))?)?;
    let at = DateTime::parse_from_rfc3339(text).map(|at| at.with_timezone(&Utc)).ok();
    let read = match at {
        Some(at) => checked(at.naive_utc()).map(|_| zone.local(at)),
        None => local(text).and_then(checked),
    };
    read.map(|local| (local, zone)).ok_or_else(|| invalid("dateTime is not a time"))
}

fn local(text: &str) -> Option<NaiveDateTime> {
    let day = || NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().map(|day| day.and_time(NaiveTime::MIN));
    let formats = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M"];
    let time = formats.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok());
    time.or_else(day)?.with_nanosecond(0)
}

fn checked(local: NaiveDateTime) -> Option<NaiveDateTime> {
    YEARS.contains(&local.year()).then_some(local)
}
