//! The machinery of encoding and decoding: bytes to values, values to bytes.
//!
//! ```text
//! bytes ─► decode ─┬─► scanner   the shapes Exchange really sends: answers, or says "not mine" and why
//!                  └─► reader    quick-xml, any prefix, any order: always right
//!              both by the rules: what a character, an attribute, a boolean, a time is
//! ```
//!
//! A stream of answers is cut into bodies first, as its bytes arrive (`envelope_splitter`).
//!
//! Never opens a socket, never recurses, never trusts a number that came from outside.

pub(crate) mod byte_scanner;
mod decode;
mod envelope_splitter;
mod error;
mod escape;
pub(crate) mod reader;
pub(crate) mod rules;
pub(crate) mod scanner;
pub mod xml_writer;

pub use decode::{
    DecodeLimits, DecodePath, Decoded, SoapBody, SoapEnvelope, decode, decode_with_reader,
    decode_with_scanner,
};
pub use envelope_splitter::{EnvelopeSplitter, FramingError};
pub use error::{DecodeError, Deviation, Encoding};
pub use scanner::{DeclineReason, Declined};
