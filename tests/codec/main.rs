//! Tests of the EWS codec: encoding and decoding without a socket.
#![expect(unreachable_pub, reason = "the modules of a test share their helpers")]
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed test panics")]

mod battery;
mod changes;
mod checks;
mod codes;
mod contents;
mod corpus;
mod cuts;
mod encode;
mod examples;
mod rules;
mod shapes;
mod support;
