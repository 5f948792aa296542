//! One after another: whoever names the same thing waits until the one before is through.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OwnedMutexGuard;

/// Names remembered before those that nobody waits for are forgotten.
const NAMES_KEPT: usize = 20_000;

/// Turns by name.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    places: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

impl Turns {
    /// Waits for the turn of `name`. Given back when dropped. Fair: first come, first served.
    pub(crate) async fn take(&self, name: &str) -> OwnedMutexGuard<()> {
        self.place(name).lock_owned().await
    }

    /// The turn of `name`, if nothing else has it.
    pub(crate) fn try_take(&self, name: &str) -> Option<OwnedMutexGuard<()>> {
        self.place(name).try_lock_owned().ok()
    }

    fn place(&self, name: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if places.len() >= NAMES_KEPT {
            places.retain(|_, place| Arc::strong_count(place) > 1);
        }
        places.entry(name.to_owned()).or_default().clone()
    }
}
