//! The EWS client over real HTTP, against a scripted server that answers, throttles, resets and stalls.
#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod agreement;
mod bad_back_end;
mod contents;
mod conversation;
mod memory;
mod script;
