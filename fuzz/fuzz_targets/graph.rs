//! Fuzzes decoding of Microsoft Graph's responses: any bytes yield a value or an error, in every function that reads a body.
#![no_main]

use adjourn::graph::read_as_every_type;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let _ = read_as_every_type(body);
});
