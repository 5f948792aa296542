//! The limits within which Exchange's responses are decoded.

use crate::ews::codec::DecodeLimits;
use crate::http::answer_budget::ANSWER_BYTES_MAX;

/// List entries of one response: items, occurrences, free/busy events, … Ten times the largest view.
pub const ANSWER_ENTRIES_MAX: usize = 10_000;

/// The limits of every response.
pub(super) fn decode_limits() -> DecodeLimits {
    DecodeLimits {
        body_bytes_max: ANSWER_BYTES_MAX,
        entries_max: ANSWER_ENTRIES_MAX,
        ..DecodeLimits::default()
    }
}
