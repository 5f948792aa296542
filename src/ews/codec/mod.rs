//! The machinery of encoding and decoding: bytes to values, values to bytes.
//!
//! ```text
//! bytes ─► decode ─┬─► scanner   the shapes Exchange really sends: answers, or says "not mine" and why
//!                  └─► reader    quick-xml, any prefix, any order: always right
//!              both by the rules: what a character, an attribute, a boolean, a time is
//! ```
//!
//! A stream of answers is cut into bodies first, as its bytes arrive (`envelopes`).
//!
//! Never opens a socket, never recurses, never trusts a number that came from outside.

pub(crate) mod bytes;
mod decode;
mod envelopes;
mod error;
pub(crate) mod reader;
pub(crate) mod rules;
pub(crate) mod scanner;
mod text;
pub mod writer;

pub use decode::{Body, Decoded, Envelope, Limits, Path, decode, decode_with_reader, decode_with_scanner};
pub use envelopes::{Envelopes, Uncut};
pub use error::{DecodeError, Deviation, Encoding};
pub use scanner::{Declined, Reason};
