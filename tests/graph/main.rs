//! The Graph client over real HTTP, against a scripted server that answers, throttles, resets and stalls; and its decoding of
//! responses from outside.
#![expect(
    unreachable_pub,
    clippy::unwrap_used,
    reason = "a test program has no callers, and a panic is its failure"
)]

mod bodies;
mod conversation;
mod directory;
mod reads;
#[path = "../exchange/script.rs"]
#[expect(dead_code, reason = "the server plays more reactions than these tests need")]
mod script;
mod writes;
