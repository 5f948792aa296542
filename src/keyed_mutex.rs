//! A mutex per key: tasks that lock the same key run one after another. Holds no data.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OwnedMutexGuard;

/// Keys that are kept; with more, unlocked ones are dropped.
const NAMES_KEPT: usize = 20_000;

/// Mutexes by key.
#[derive(Debug, Default)]
pub(crate) struct KeyedMutex {
    mutexes: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

impl KeyedMutex {
    /// Locks `name`; released when dropped. Fair: first come, first served.
    pub(crate) async fn lock(&self, name: &str) -> OwnedMutexGuard<()> {
        self.mutex_of(name).lock_owned().await
    }

    /// Locks `name` if it is unlocked.
    pub(crate) fn try_lock(&self, name: &str) -> Option<OwnedMutexGuard<()>> {
        self.mutex_of(name).try_lock_owned().ok()
    }

    fn mutex_of(&self, name: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut places = self.mutexes.lock().unwrap_or_else(PoisonError::into_inner);
        if places.len() >= NAMES_KEPT {
            places.retain(|_, place| Arc::strong_count(place) > 1);
        }
        places.entry(name.to_owned()).or_default().clone()
    }
}
