//! Tests of all journals against one contract, and of failures that only the journal on disk can have.
#![expect(unreachable_pub, reason = "the modules of a test share their helpers")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed test panics")]

mod archive;
mod contract;
mod cut;
mod disk;
mod erase;
mod fixtures;
mod many;
#[cfg(all(unix, feature = "postgres"))]
mod postgres;
mod sample_entries;
mod service_contract;
mod service_stores;
