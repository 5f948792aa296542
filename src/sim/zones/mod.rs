//! Windows time zones: converts between instants and local time. Pure arithmetic with one rule per zone; historical
//! rules and exceptions of single years are not modelled.

mod table;
mod zone;

pub(crate) use zone::{Transition, UTC, Zone};

/// All zones, by name.
pub(crate) fn all() -> impl Iterator<Item = &'static Zone> {
    table::ZONES.iter()
}

/// Finds a zone by its Windows name; also accepts Exchange's other name for UTC.
pub(crate) fn find(id: &str) -> Option<&'static Zone> {
    match id {
        "tzone://Microsoft/Utc" => Some(&UTC),
        _ => all().find(|zone| zone.id.eq_ignore_ascii_case(id)),
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn clocks_go_forward_and_back_where_they_should() {
        for (zone, utc, local) in [
            ("Romance Standard Time", "2026-03-29T00:59:00Z", "2026-03-29T01:59:00"),
            ("Romance Standard Time", "2026-03-29T01:00:00Z", "2026-03-29T03:00:00"),
            ("Romance Standard Time", "2026-10-25T00:59:00Z", "2026-10-25T02:59:00"),
            ("Romance Standard Time", "2026-10-25T01:00:00Z", "2026-10-25T02:00:00"),
            ("Pacific Standard Time", "2026-07-01T12:00:00Z", "2026-07-01T05:00:00"),
            ("AUS Eastern Standard Time", "2026-01-15T00:00:00Z", "2026-01-15T11:00:00"),
            ("AUS Eastern Standard Time", "2026-07-15T00:00:00Z", "2026-07-15T10:00:00"),
            ("Israel Standard Time", "2026-03-27T00:00:00Z", "2026-03-27T03:00:00"),
            ("India Standard Time", "2026-07-15T00:00:00Z", "2026-07-15T05:30:00"),
        ] {
            let zone = find(zone).unwrap();
            assert_eq!(zone.local(at(utc)), local.parse().unwrap(), "{} {utc}", zone.id);
        }
    }

    #[test]
    fn every_zone_reads_its_own_clock() {
        for zone in all() {
            for hour in 0..24 * 366 {
                let instant = at("2026-01-01T00:00:00Z") + TimeDelta::hours(hour);
                let back = zone.instant(zone.local(instant));
                assert!(instant - back == TimeDelta::zero() || instant - back == zone.extra(), "{}", zone.id);
            }
        }
        assert_eq!(find("utc").map(|zone| zone.id), Some("UTC"));
        assert_eq!(find("Middle-earth Standard Time"), None);
    }
}
