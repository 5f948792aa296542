//! Fuzzes the scanner against the reader: whenever the scanner decodes a body, the reader returns the same value.
#![no_main]

#[expect(dead_code, reason = "each target runs some of the checks that the tests share")]
#[path = "../../tests/codec/checks.rs"]
mod checks;

use adjourn::ews::codec::DecodeLimits;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    checks::scanner_agrees_with_reader(body, &DecodeLimits::default());
});
