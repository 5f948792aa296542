//! The conversation over real HTTP, against a server that does what it is told: answers, throttles, resets, stalls.
#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod agreement;
mod bad_back_end;
mod contents;
mod conversation;
mod memory;
mod script;
