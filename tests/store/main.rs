//! Tests of all journals against one contract, and of failures that only the journal on disk can have.
#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod archive;
mod contract;
mod cut;
mod disk;
mod erase;
mod fixtures;
mod many;
mod sample_entries;
