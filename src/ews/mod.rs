//! Exchange's language: bytes to values and values to bytes.
//!
//! Synchronous. Knows no socket, no clock and no randomness. Every operation is one file in [`op`] with its request,
//! its answer and its tests; [`codec`] holds the machinery they share; [`soap`] the envelope, the headers and faults;
//! [`code`] the one table that says what each response code means for us.
//!
//! Decoding has two paths that give the same value: the *scanner* (`codec::scanner`) knows the shapes Exchange really
//! sends and either answers or says "not mine"; the *reader* (`codec::reader`) is always right. [`codec::decode`] tries the
//! first and falls back to the second.

pub mod code;
pub mod codec;
pub mod op;
pub mod soap;
pub mod types;

pub use op::encode_into;
