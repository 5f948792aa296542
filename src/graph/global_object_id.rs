//! Global object ids: one id for all occurrences of a series and all copies of a meeting, as EWS returns it. Pure.
//!
//! ```text
//! 040000008200E00074C5B7101A82E008 07EA0A05 …          the iCalUId of an occurrence
//! └ PidLidGlobalObjectId: fixed ─┘ └ year, month, day of the occurrence: zero in the clean id
//! ```

use std::borrow::Cow;

/// The first 16 bytes of every global object id (MS-OXOCAL, section 2.2.1.27).
const BYTE_ARRAY_ID: &str = "040000008200E00074C5B7101A82E008";
/// Hex digits of year, month and day (`YH`, `YL`, `M`, `D`), which follow.
const DATE_DIGITS: usize = 8;
const NO_DATE: &str = "00000000";

/// The clean global object id (`PidLidCleanGlobalObjectId`), which is the `UID` of EWS. An id of another calendar program is
/// returned as it is.
pub(super) fn clean(ical_uid: &str) -> Cow<'_, str> {
    let dated = split(ical_uid).filter(|(_, date, _)| *date != NO_DATE);
    match dated {
        Some((before, _, after)) => Cow::Owned(format!("{before}{NO_DATE}{after}")),
        None => Cow::Borrowed(ical_uid),
    }
}

/// The digits before the date, of the date, and after it.
fn split(ical_uid: &str) -> Option<(&str, &str, &str)> {
    if !ical_uid.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let (before, rest) = ical_uid.split_at_checked(BYTE_ARRAY_ID.len())?;
    let (date, after) = rest.split_at_checked(DATE_DIGITS)?;
    before.eq_ignore_ascii_case(BYTE_ARRAY_ID).then_some((before, date, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_of_an_occurrence_is_removed_and_nothing_else() {
        let series = "040000008200E00074C5B7101A82E008000000004D2A8F3BDD0AD801000000000000000010000000AB";
        let occurrence = "040000008200E00074C5B7101A82E00807E1080E4D2A8F3BDD0AD801000000000000000010000000AB";
        assert_eq!(clean(occurrence), series);
        assert!(matches!(clean(series), Cow::Borrowed(_)));
        assert_eq!(
            clean(&occurrence.to_lowercase()),
            series.to_lowercase(),
            "the case of the server is kept"
        );
    }

    #[test]
    fn ids_of_other_programs_are_left_as_they_are() {
        for other in [
            "",
            "040000008200FEFE0BA532444B5FD89BDE22BA103",
            "7f6e1c0a-2a5e-4b0c-9d1b-0c8e6f1d2a3b@example.org",
            "040000008200E00074C5B7101A82E00807E108",
            "040000008200E00074C5B7101A82E00807E1080E-not-hex",
            "040000008200E00074C5B7101A82E008é7E1080E",
        ] {
            assert_eq!(clean(other), other);
        }
    }
}
