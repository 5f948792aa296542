//! Encoder and decoders: values to bytes, bytes to values.
//!
//! ```text
//! bytes ─► decode ─┬─► scanner   the shapes that Exchange sends in practice; declines all others, with a reason
//!                  └─► reader    quick-xml, any prefix, any order
//!              both use `rules`: characters, attributes, booleans, times
//! ```
//!
//! `envelope_splitter` first cuts a stream of responses into bodies, as the bytes arrive.
//!
//! Never opens a socket, never recurses, never trusts a number from the server.

pub(crate) mod byte_scanner;
mod decode;
mod envelope;
mod envelope_splitter;
mod error;
mod escape;
mod limits;
pub(crate) mod reader;
pub(crate) mod rules;
pub(crate) mod scanner;
pub mod xml_writer;

pub use decode::{DecodePath, Decoded, decode, decode_with_reader, decode_with_scanner};
pub use envelope::{SoapBody, SoapEnvelope};
pub use envelope_splitter::{EnvelopeSplitter, FramingError};
pub use error::{DecodeError, Deviation, Encoding};
pub use limits::DecodeLimits;
pub use scanner::{DeclineReason, Declined};
