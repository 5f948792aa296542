//! The machinery of encoding and decoding.

mod text;
pub mod writer;
