//! Bodies truncated at every byte: each yields an error with an offset inside the body; never a panic, and never a value
//! that differs from the whole body's.

use adjourn::ews::codec::{DecodeLimits, Deviation};

use crate::checks;
use crate::support::{fixtures, read};

#[test]
fn every_fixture_cut_at_every_byte() {
    for (name, body) in fixtures() {
        let whole = read(&body).unwrap_or_else(|error| panic!("{name}: {error}"));
        for cut in 0..body.len() {
            if let Ok(envelope) = read(&body[..cut]) {
                assert_eq!(envelope, whole, "{name}, cut at {cut}");
                assert!(body[cut..].iter().all(u8::is_ascii_whitespace), "{name}, cut at {cut}");
            }
        }
    }
}

#[test]
fn a_cut_between_tags_names_what_is_open() {
    let body = crate::support::fixture("find_item.xml");
    let cut = body.windows(17).position(|window| window == b"</t:CalendarItem>").unwrap();
    assert_eq!(crate::support::deviation(&body[..cut]), Deviation::Truncated("t:CalendarItem".into()));
}

#[test]
fn every_fixture_with_one_byte_missing() {
    for (_, body) in fixtures() {
        for missing in 0..body.len() {
            let mut shorter = body.clone();
            shorter.remove(missing);
            checks::scanner_agrees_with_reader(&shorter, &DecodeLimits::default());
            let _ = checks::decodes_or_says_where(&shorter, &DecodeLimits::default());
        }
    }
}
