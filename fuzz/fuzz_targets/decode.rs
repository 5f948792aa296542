//! Fuzzes decoding: any bytes yield a value or an error with an offset inside the body, under limits low enough to be reached.
#![no_main]

#[expect(dead_code, reason = "each target runs some of the checks that the tests share")]
#[path = "../../tests/codec/checks.rs"]
mod checks;

use adjourn::ews::codec::DecodeLimits;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let tight = DecodeLimits { body_bytes_max: 4096, depth_max: 12, attributes_max: 6, namespaces_max: 8, entries_max: 5 };
    let _ = checks::decodes_or_says_where(body, &DecodeLimits::default());
    let _ = checks::decodes_or_says_where(body, &tight);
    checks::cuts_the_same_whatever_the_pieces(body);
});
