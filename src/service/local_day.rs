//! The local day of a room, in the time zone that the configuration has for it, else in UTC. Pure.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::calendar::{self, Window};

/// The day that contains `now`, from midnight to midnight.
pub(super) fn local_day(time_zone: Option<&str>, now: DateTime<Utc>) -> Window {
    let zone: Tz = time_zone.and_then(|name| name.parse().ok()).unwrap_or(Tz::UTC);
    calendar::local_day(&zone, now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_has_the_hours_that_the_zone_gives_it() {
        let hours = |zone: Option<&str>, now: &str| {
            let day = local_day(zone, now.parse().unwrap());
            (day.start().to_rfc3339(), (day.end() - day.start()).num_hours())
        };
        assert_eq!(hours(None, "2026-10-25T12:00:00Z"), ("2026-10-25T00:00:00+00:00".to_owned(), 24));
        let berlin = Some("Europe/Berlin");
        assert_eq!(hours(berlin, "2026-10-25T12:00:00Z"), ("2026-10-24T22:00:00+00:00".to_owned(), 25));
        assert_eq!(hours(berlin, "2026-03-29T12:00:00Z"), ("2026-03-28T23:00:00+00:00".to_owned(), 23));
    }
}
