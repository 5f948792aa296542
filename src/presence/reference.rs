//! References to events in the spellings that check-in systems use, normalized for comparison. Pure.
//!
//! | reference | compared by |
//! | --- | --- |
//! | EWS `ItemId`, Graph or REST id | the base64 text with `-` for `/` and `_` for `+` (Graph's alphabet) |
//! | EWS `UID`, Graph `iCalUId` of a meeting made by Outlook or Exchange | the global object id with bytes 17 to 20 zero, and the date that stood there |
//! | any other UID | as it is |
//!
//! Sources: Graph and REST write item ids in the URL-safe alphabet (documentation of `Office.context.mailbox.convertToRestId`);
//! bytes 17 to 20 of a `PidLidGlobalObjectId` hold the date of an exception, and are zero in a `PidLidCleanGlobalObjectId`
//! (MS-OXOCAL 2.2.1.27 and 2.2.1.28).

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use crate::calendar::Event;

/// The first bytes of every global object id, as hexadecimal text.
const GLOBAL_OBJECT_ID: &str = "040000008200E00074C5B7101A82E008";
/// The date stands in these characters: four of the year, two of the month, two of the day.
const DATE: std::ops::Range<usize> = 32..40;

/// How precisely a reference names an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReferenceMatch {
    /// It names this event only.
    ThisEvent,
    /// It names the event's series: this date or another one.
    Series,
}

/// The normalized spelling of an id.
pub(super) fn canonical_id(id: &str) -> String {
    id.trim().chars().map(|letter| if letter == '/' { '-' } else { letter }).map(plus).collect()
}

fn plus(letter: char) -> char {
    if letter == '+' { '_' } else { letter }
}

/// The normalized spelling of a UID, and the date in its global object id.
pub(super) fn canonical_uid(uid: &str) -> (String, Option<NaiveDate>) {
    let upper = uid.trim().to_ascii_uppercase();
    let is_global = upper.is_ascii() && upper.len() >= DATE.end && upper.starts_with(GLOBAL_OBJECT_ID);
    if !is_global {
        return (uid.trim().to_owned(), None);
    }
    let (head, rest) = upper.split_at(DATE.start);
    let (date, tail) = rest.split_at(DATE.len());
    (format!("{head}00000000{tail}"), date_of(date))
}

fn date_of(hex: &str) -> Option<NaiveDate> {
    let number = |range: std::ops::Range<usize>| u32::from_str_radix(hex.get(range)?, 16).ok();
    NaiveDate::from_ymd_opt(i32::try_from(number(0..4)?).ok()?, number(4..6)?, number(6..8)?)
}

/// Whether the reference names the event, and how precisely.
pub(super) fn match_reference(reference: &str, event: &Event) -> Option<ReferenceMatch> {
    if canonical_id(reference) == canonical_id(event.id.as_str()) {
        return Some(ReferenceMatch::ThisEvent);
    }
    let (wanted, date) = canonical_uid(reference);
    let (uid, _) = canonical_uid(event.uid.as_ref()?.as_str());
    if wanted != uid {
        return None;
    }
    match date {
        _ if !event.kind.is_date_of_series() => Some(ReferenceMatch::ThisEvent),
        Some(date) => {
            is_on(date, event.original_start.unwrap_or(event.start)).then_some(ReferenceMatch::ThisEvent)
        }
        None => Some(ReferenceMatch::Series),
    }
}

/// The date is in the time zone of the series, so it may differ from the UTC date by one day.
fn is_on(date: NaiveDate, start: DateTime<Utc>) -> bool {
    (start.date_naive() - date).abs() <= TimeDelta::days(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLEAN: &str =
        "040000008200E00074C5B7101A82E00800000000C0CFBB3A4F10DC01000000000000000010000000611ADE0C";

    #[test]
    fn graph_and_ews_spell_one_id_in_two_ways() {
        assert_eq!(canonical_id("AA/b+c="), canonical_id("AA-b_c="));
        assert_ne!(canonical_id("AA/b+c="), canonical_id("AA/b+d="));
    }

    #[test]
    fn a_dated_global_object_id_is_its_clean_one_and_a_date() {
        let dated = CLEAN.replacen("E00800000000", "E00807EA0C02", 1);
        let (clean, date) = canonical_uid(&dated.to_lowercase());
        assert_eq!((clean.as_str(), date), (CLEAN, NaiveDate::from_ymd_opt(2026, 12, 2)));
        assert_eq!(canonical_uid(CLEAN), (CLEAN.to_owned(), None));
    }

    #[test]
    fn other_uids_and_odd_letters_stay_as_they_are() {
        for uid in [
            "event-1@example.com",
            "",
            "040000008200E00074C5B7101A82E008",
            "040000008200é00074C5B7101A82E00800000000",
        ] {
            assert_eq!(canonical_uid(uid), (uid.to_owned(), None), "{uid}");
        }
    }
}
