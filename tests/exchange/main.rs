//! The EWS client over real HTTP, against a scripted server that answers, throttles, resets and stalls.
#![expect(
    unreachable_pub,
    clippy::unwrap_used,
    reason = "a test program has no callers, and a panic is its failure"
)]

mod agreement;
mod bad_back_end;
mod contents;
mod conversation;
mod memory;
mod script;
