//! The local day of a place, from the first instant of its date to the first instant of the next date. Values only: the caller
//! passes the time zone and the time.

use chrono::{DateTime, LocalResult, NaiveDate, NaiveTime, TimeDelta, TimeZone, Utc};

use super::Window;

/// The longest step of a clock at midnight, in hours, that is looked over.
const STEP_HOURS_MAX: i64 = 3;

/// The day in this zone that contains `now`; this instant alone outside the years that the calendar of the zone covers.
pub fn local_day(zone: &impl TimeZone, now: DateTime<Utc>) -> Window {
    let date = now.with_timezone(zone).date_naive();
    let next = || start_of_day(zone, date.succ_opt()?);
    let day = start_of_day(zone, date).zip(next()).and_then(|(start, end)| Window::new(start, end).ok());
    day.unwrap_or_else(|| Window::instant(now))
}

/// The first instant of the date. Some zones have no midnight on the day when summer time begins.
pub fn start_of_day(zone: &impl TimeZone, date: NaiveDate) -> Option<DateTime<Utc>> {
    let midnight = date.and_time(NaiveTime::MIN);
    (0..=2 * STEP_HOURS_MAX).find_map(|half_hours| {
        match zone.from_local_datetime(&(midnight + TimeDelta::minutes(30 * half_hours))) {
            LocalResult::Single(first) | LocalResult::Ambiguous(first, _) => Some(first.with_timezone(&Utc)),
            LocalResult::None => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use chrono::FixedOffset;

    use super::*;

    #[test]
    fn a_day_is_the_one_of_the_place() {
        let now: DateTime<Utc> = "2026-05-06T23:30:00Z".parse().unwrap();
        let day = |hours: i32| {
            let zone = FixedOffset::east_opt(hours * 3600).unwrap();
            let day = local_day(&zone, now);
            (day.start().to_rfc3339(), day.end().to_rfc3339())
        };
        let days = |from: &str, to: &str| (format!("{from}:00:00+00:00"), format!("{to}:00:00+00:00"));
        assert_eq!(day(0), days("2026-05-06T00", "2026-05-07T00"));
        assert_eq!(day(2), days("2026-05-06T22", "2026-05-07T22"));
        assert_eq!(day(-5), days("2026-05-06T05", "2026-05-07T05"));
    }
}
