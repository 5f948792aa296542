//! The fast path: knows the shapes Exchange really sends, and answers or says "not mine".
//!
//! Exchange writes compact XML with four fixed prefixes (`s h m t`) and its fields in schema order. So the scanner
//! compares whole literals where it can guess what comes next, looks a field up by name where it guessed wrong, and
//! steps over fields nobody asked for. Whatever else it meets (another prefix, a comment, CDATA, a declaration inside
//! the answer, a property twice, a value it cannot read) makes it decline, and the reader gives the verdict. It is
//! never laxer than the reader: names, attributes, text and values go through the same rules.
//!
//! Never fails, never allocates more than the values need, never reads a byte twice but on a wrong guess.

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

/// Why the scanner left a body to the reader, and at which byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Declined {
    /// Why.
    pub reason: DeclineReason,
    /// The byte of the body where it shows.
    pub offset: usize,
}

/// Why the scanner left a body to the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DeclineReason {
    /// An attribute it does not know here, one of another namespace, one twice, or a malformed one.
    Attribute,
    /// The limits leave too little room, or are exceeded.
    Limits,
    /// A comment, a CDATA section, a processing instruction, a DOCTYPE, or no markup at all where some was due.
    Markup,
    /// Namespaces declared otherwise than Exchange declares them.
    Namespace,
    /// An answer of an operation it does not know, or a fault.
    Operation,
    /// An element that must be there is not, or not here.
    Structure,
    /// The same property twice.
    Twice,
    /// Not UTF-8.
    Utf8,
    /// A value that is not as Exchange writes it.
    Value,
}

impl DeclineReason {
    /// As metrics name it.
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

/// Scans one body. Cost: one pass to check the UTF-8, one to scan; memory for the values alone.
pub(super) fn scan<'a>(body: &'a [u8], limits: &DecodeLimits) -> ScanResult<SoapEnvelope<'a>> {
    if body.len() > limits.body_bytes_max {
        return Err(Declined { reason: DeclineReason::Limits, offset: 0 });
    }
    let text = simdutf8::compat::from_utf8(body)
        .map_err(|error| Declined { reason: DeclineReason::Utf8, offset: error.valid_up_to() })?;
    envelope::envelope(&mut Cursor::new(text, limits)?)
}
