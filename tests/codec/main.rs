//! Tests of the EWS codec: encoding and decoding without a socket.
#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod battery;
mod changes;
mod checks;
mod codes;
mod contents;
mod corpus;
mod cuts;
mod encode;
mod rules;
mod support;
