//! The protocol of Exchange Web Services (EWS): encodes requests and decodes responses.
//!
//! Synchronous and pure: never opens a socket, reads a clock or uses randomness. Each operation is one file in [`op`] with its request and
//! its response; [`codec`] holds the encoder and decoders they share; [`soap`] the envelope, the headers and faults;
//! [`code`] the table of response codes and their meanings; `fields` the table of the fields of a calendar item.
//!
//! Decoding has two paths that return the same value. The *scanner* (`codec::scanner`) decodes the shapes that Exchange sends in practice
//! and declines all others; the *reader* (`codec::reader`) decodes any well-formed response. [`codec::decode`] tries the scanner first
//! and falls back to the reader.

pub mod code;
pub mod codec;
mod fields;
pub mod op;
pub mod soap;
pub mod types;

pub use op::encode_into;
