//! The fast decoder: decodes the shapes that Exchange sends in practice and declines all others.
//!
//! Exchange writes compact XML with four fixed prefixes (`s h m t`) and its fields in schema order. The scanner compares whole literals
//! where it can predict the next element, looks a field up by name where the prediction failed, and skips fields that the request did
//! not include. Anything else (another prefix, a comment, CDATA, a declaration inside the response, a duplicate property, an
//! unreadable value) makes it decline, and the reader decides. The scanner is never laxer than the reader: names, attributes, text
//! and values use the same rules.
//!
//! Never returns an error, never allocates more than the values need, never reads a byte twice except after a wrong prediction.

mod cursor;
mod envelope;
mod item;
mod mailboxes;
mod markup;
mod message;
mod opening;
mod value;

use serde::Serialize;

use super::decode::{DecodeLimits, SoapEnvelope};
use cursor::Cursor;

/// Why the scanner declined a body, and the byte offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Declined {
    /// The reason.
    pub reason: DeclineReason,
    /// The byte offset in the body.
    pub offset: usize,
}

/// Why the scanner declined a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DeclineReason {
    /// An attribute that is unknown here, of another namespace, duplicate, or malformed.
    Attribute,
    /// The caller's limits are too low for the scanner, or exceeded.
    Limits,
    /// A comment, a CDATA section, a processing instruction, a DOCTYPE, or missing markup.
    Markup,
    /// Namespace declarations other than Exchange's.
    Namespace,
    /// A response of an operation that the scanner does not decode, or a fault.
    Operation,
    /// A required element is missing or in another position.
    Structure,
    /// A duplicate property.
    Twice,
    /// Not UTF-8.
    Utf8,
    /// A value in a form other than Exchange's.
    Value,
}

impl DeclineReason {
    /// Its label in the metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Attribute => "attribute",
            Self::Limits => "limits",
            Self::Markup => "markup",
            Self::Namespace => "namespace",
            Self::Operation => "operation",
            Self::Structure => "structure",
            Self::Twice => "twice",
            Self::Utf8 => "utf8",
            Self::Value => "value",
        }
    }
}

impl std::fmt::Display for Declined {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at byte {}", self.reason.as_str(), self.offset)
    }
}

type ScanResult<T> = Result<T, Declined>;

/// Decodes one body. Cost: one pass to validate the UTF-8, one pass to scan; memory for the values only.
pub(super) fn scan<'a>(body: &'a [u8], limits: &DecodeLimits) -> ScanResult<SoapEnvelope<'a>> {
    if body.len() > limits.body_bytes_max {
        return Err(Declined { reason: DeclineReason::Limits, offset: 0 });
    }
    let text = simdutf8::compat::from_utf8(body)
        .map_err(|error| Declined { reason: DeclineReason::Utf8, offset: error.valid_up_to() })?;
    envelope::envelope(&mut Cursor::new(text, limits)?)
}
