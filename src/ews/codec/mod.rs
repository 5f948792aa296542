//! The machinery of encoding and decoding.
