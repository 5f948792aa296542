//! Decodes one response body, by the scanner or else by the reader. Decides the path and nothing else.

use serde::Serialize;

use super::envelope::SoapEnvelope;
use super::error::DecodeError;
use super::limits::DecodeLimits;
use super::reader;
use super::scanner::{self, Declined};

/// A decoded body, and the path that decoded it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Decoded<'a> {
    /// The content; the same from both paths.
    pub envelope: SoapEnvelope<'a>,
    /// The path that decoded it.
    pub path: DecodePath,
}

/// The path that decoded a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DecodePath {
    /// The scanner, the fast path.
    Scanner,
    /// The reader; the value says why the scanner declined, if it ran.
    Reader(Option<Declined>),
}

impl DecodePath {
    /// `scanner` or `reader`, as in the metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scanner => "scanner",
            Self::Reader(_) => "reader",
        }
    }

    /// Why the scanner declined, if it ran and declined.
    pub fn declined(self) -> Option<Declined> {
        match self {
            Self::Scanner => None,
            Self::Reader(declined) => declined,
        }
    }
}

/// Decodes a body by the scanner if it knows the shape, else by the reader.
///
/// # Errors
/// The body is not a SOAP envelope in UTF-8, is truncated, or exceeds a limit; the error holds the byte offset.
pub fn decode<'a>(body: &'a [u8], limits: &DecodeLimits) -> Result<Decoded<'a>, DecodeError> {
    let mut decoded = Decoded { envelope: SoapEnvelope::EMPTY, path: DecodePath::Scanner };
    if let Err(declined) = scanner::scan(body, limits, &mut decoded.envelope) {
        decoded = Decoded { envelope: reader::read(body, limits)?, path: DecodePath::Reader(Some(declined)) };
    }
    Ok(decoded)
}

/// Decodes a body by the reader alone.
///
/// # Errors
/// As [`decode`].
pub fn decode_with_reader<'a>(body: &'a [u8], limits: &DecodeLimits) -> Result<Decoded<'a>, DecodeError> {
    let envelope = reader::read(body, limits)?;
    Ok(Decoded { envelope, path: DecodePath::Reader(None) })
}

/// Decodes a body by the scanner alone, for benches and comparisons.
///
/// # Errors
/// The scanner does not know the shape of the body.
pub fn decode_with_scanner<'a>(body: &'a [u8], limits: &DecodeLimits) -> Result<Decoded<'a>, Declined> {
    let mut decoded = Decoded { envelope: SoapEnvelope::EMPTY, path: DecodePath::Scanner };
    scanner::scan(body, limits, &mut decoded.envelope)?;
    Ok(decoded)
}
