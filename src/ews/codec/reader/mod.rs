//! The general decoder: any well-formed response, with quick-xml's events, resolved namespaces, any prefix and any order.
//!
//! ```text
//! bytes ─► here: size, encoding ─► document: tags, namespaces, limits ─► envelope ─┬─► message ─► payload, changes ─► item
//!                                                                                  ├─► availability
//!                                                                                  └─► fault
//! ```
//!
//! Its rules, which the scanner follows by declining everything unusual:
//!
//! * an unreadable value makes its one property absent and never costs the item;
//! * an unknown enumeration value is kept verbatim;
//! * if a property appears twice, the last one counts;
//! * an unknown element is skipped, wherever it is;
//! * a body that is truncated, malformed or over a limit never yields a response.
//!
//! Never recurses, never panics; its time is linear in the body's length.

mod availability;
mod changes;
mod document;
mod envelope;
mod fault;
mod item;
mod mailboxes;
mod message;
mod namespace;
mod payload;
mod property;
#[cfg(test)]
mod tests;
mod value;

use super::envelope::SoapEnvelope;
use super::error::{DecodeError, Deviation, Encoding};
use super::limits::DecodeLimits;
use document::XmlDocument;

/// A UTF-8 byte order mark: allowed and ignored.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Decodes one body.
pub(super) fn read<'a>(body: &'a [u8], limits: &DecodeLimits) -> Result<SoapEnvelope<'a>, DecodeError> {
    if body.len() > limits.body_bytes_max {
        let deviation = Deviation::BodyTooLarge { bytes: body.len(), limit: limits.body_bytes_max };
        return Err(DecodeError::new(deviation, limits.body_bytes_max));
    }
    if let Some(encoding) = utf16_encoding(body) {
        return Err(DecodeError::new(Deviation::NotUtf8(encoding), 0));
    }
    let bytes = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
    let skipped = body.len() - bytes.len();
    let text = simdutf8::compat::from_utf8(bytes).map_err(|error| {
        DecodeError::new(Deviation::NotUtf8(Encoding::Unknown), skipped + error.valid_up_to())
    })?;
    envelope::envelope(&mut XmlDocument::new(text, skipped, limits))
}

/// Detects UTF-16 by its byte order mark, or by the NUL beside its first `<` (XML 1.0, appendix F). Otherwise much of it would pass
/// for UTF-8 with NULs.
fn utf16_encoding(body: &[u8]) -> Option<Encoding> {
    match body {
        [0xfe, 0xff, ..] | [0, b'<', ..] => Some(Encoding::Utf16Be),
        [0xff, 0xfe, ..] | [b'<', 0, ..] => Some(Encoding::Utf16Le),
        _ => None,
    }
}
