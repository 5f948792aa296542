//! The one place where tests and benches open a journal on disk.

use std::path::Path;

use adjourn::store::{SqliteJournal, StoreOptions};

/// The journal in this directory, created if it is missing.
pub fn journal_in(directory: &Path) -> SqliteJournal {
    SqliteJournal::open(directory, StoreOptions::default()).unwrap()
}
