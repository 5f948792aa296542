//! The fast decoder: decodes the shapes that Exchange sends in practice and declines all others.
//!
//! Exchange writes compact XML with four fixed prefixes (`s h m t`) and its fields in schema order. The scanner compares whole literals
//! where it can predict the next element, looks a field up by name where the prediction failed, and skips fields that the request did
//! not include. Faults, availability and the envelopes of a stream have other prefixes or none; each is compared by literals that hold
//! its declarations. Anything else (another prefix, a comment, CDATA, a declaration inside the response, a duplicate property, an
//! unreadable value) makes it decline, and the reader decides. The scanner is never laxer than the reader: names, attributes, text
//! and values use the same rules.
//!
//! Never returns an error, never allocates more than the values need, never reads a byte twice except after a wrong prediction.

mod availability;
mod calendar_item;
mod changes;
mod cursor;
mod declarations;
mod declined;
mod envelope;
mod fault;
mod field;
mod item;
mod mailboxes;
mod markup;
mod message;
mod opening;
mod payload;
mod property;
mod value;

use super::envelope::SoapEnvelope;
use super::limits::DecodeLimits;
use cursor::Cursor;
use declined::ScanResult;
pub use declined::{DeclineReason, Declined};

/// Decodes one body into an empty envelope, which is large: it is not moved afterwards. Cost: one pass to validate the UTF-8, one pass to
/// scan; memory for the values only.
#[inline(always)]
pub(super) fn scan<'a>(
    body: &'a [u8],
    limits: &DecodeLimits,
    envelope: &mut SoapEnvelope<'a>,
) -> ScanResult<()> {
    if body.len() > limits.body_bytes_max {
        return Err(Declined { reason: DeclineReason::Limits, offset: 0 });
    }
    let Ok(text) = simdutf8::basic::from_utf8(body) else { return Err(not_utf8(body)) };
    let mut cursor = Cursor::new(text, limits);
    cursor.check(limits)?;
    envelope::envelope(&mut cursor, envelope)
}

#[cold]
fn not_utf8(body: &[u8]) -> Declined {
    let offset = std::str::from_utf8(body).map_or_else(|error| error.valid_up_to(), str::len);
    Declined { reason: DeclineReason::Utf8, offset }
}
