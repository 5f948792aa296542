//! What every journal must do, over each that there is; and what only the one on disk can do wrong.
#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod archive;
mod contract;
mod cut;
mod disk;
mod erase;
mod fixtures;
mod many;
mod sample_entries;
