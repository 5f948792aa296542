//! Why the scanner declines a body. Never an error: the reader then decodes the body.

use serde::Serialize;

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
    /// A response of an operation that the scanner does not decode.
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

/// A scanned value, or why the scanner declined.
pub(super) type ScanResult<T> = Result<T, Declined>;
