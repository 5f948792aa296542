//! `iCalUId`: the UID of EWS; for an occurrence with the date in hexadecimal digits 33 to 40 of a global object id.
//! Encoding only.

use chrono::{Datelike as _, NaiveDate};

use crate::sim::views::EventInstance;

/// How a global object id begins.
const GLOBAL_OBJECT_ID: &str = "040000008200E00074C5B7101A82E008";
/// The digits of the occurrence's date.
const DATE: std::ops::Range<usize> = 32..40;

/// The `iCalUId` of an event.
pub(super) fn ical_uid(view: &EventInstance<'_>) -> String {
    let uid = &view.event.uid;
    match (view.original_start, &view.event.series) {
        (Some(start), Some(series)) => with_date(uid, series.zone.local(start).date()),
        _ => uid.clone(),
    }
}

/// The id with a date; ids of foreign calendars stay as they are.
fn with_date(uid: &str, date: NaiveDate) -> String {
    let mut out = uid.to_owned();
    if uid.is_ascii() && uid.to_ascii_uppercase().starts_with(GLOBAL_OBJECT_ID) && uid.len() >= DATE.end {
        out.replace_range(DATE, &format!("{:04X}{:02X}{:02X}", date.year(), date.month(), date.day()));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_is_written_as_in_microsofts_example() {
        let day = NaiveDate::from_ymd_opt(2017, 8, 14).unwrap();
        let master = "040000008200E00074C5B7101A82E00800000000824D";
        assert_eq!(with_date(master, day), "040000008200E00074C5B7101A82E00807E1080E824D");
        assert_eq!(with_date("meeting@example.com", day), "meeting@example.com");
    }
}
