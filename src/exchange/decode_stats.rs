//! Counts how responses were decoded: by the fast scanner, or by the reader and why. Feeds the metric that explains
//! slow decoding.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::ews::codec::DecodePath;

/// Counts responses by path and reason.
#[derive(Debug, Default)]
pub(crate) struct DecodeStats(Mutex<BTreeMap<String, u64>>);

impl DecodeStats {
    pub(super) fn count(&self, path: DecodePath) {
        let name = match path.declined() {
            None => path.as_str().to_owned(),
            Some(declined) => format!("{}: {}", path.as_str(), declined.reason.as_str()),
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(name).or_default() += 1;
    }

    /// `scanner`, or `reader: ` and why the scanner declined, with the number of responses.
    pub(crate) fn counts(&self) -> BTreeMap<String, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
