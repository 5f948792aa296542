//! The keys that open something, in memory: read from the desk again and again, so that a revoked key is out within a
//! second.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::access::{KeyId, StoredKey, split};
use crate::store::{Desk, StoreError};

/// How long a revoked key opens at most.
const REFRESH: Duration = Duration::from_secs(1);

/// Event streams of one key at once: a backend needs one, a floor of displays some dozens.
const STREAMS_MAX: usize = 100;

/// A key in use.
pub(super) struct InUse {
    pub(super) key: StoredKey,
    limiter: DefaultDirectRateLimiter,
    /// Places for event streams.
    streams: Arc<Semaphore>,
}

/// All of them.
pub struct KeyRing {
    desk: Desk,
    keys: RwLock<HashMap<KeyId, Arc<InUse>>>,
}

impl KeyRing {
    /// Reads the keys.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn open(desk: Desk) -> Result<Self, StoreError> {
        let ring = Self { desk, keys: RwLock::default() };
        ring.refresh().await?;
        Ok(ring)
    }

    /// Reads them again. One that did not change keeps its count of requests.
    ///
    /// # Errors
    /// When they cannot be read: then those known stay.
    pub async fn refresh(&self) -> Result<(), StoreError> {
        let stored = self.desk.keys().await?;
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        let mut known = std::mem::take(&mut *keys);
        for key in stored {
            let same = known.remove(&key.id).filter(|in_use| in_use.key == key);
            keys.insert(key.id.clone(), same.unwrap_or_else(|| Arc::new(InUse::new(key))));
        }
        Ok(())
    }

    /// Reads them again every second, until it is told to stop.
    pub async fn watch(&self, stop: CancellationToken) {
        while tokio::time::timeout(REFRESH, stop.cancelled()).await.is_err() {
            if let Err(error) = self.refresh().await {
                tracing::error!(%error, "cannot read the API keys again");
            }
        }
    }

    /// Whether this key opens anything still.
    pub(super) fn knows(&self, id: &KeyId) -> bool {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).contains_key(id)
    }

    /// The key that this token is. As long for a wrong secret as for the right one.
    pub(super) fn open_with(&self, token: &str) -> Option<Arc<InUse>> {
        let (id, secret) = split(token)?;
        let in_use = self.keys.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()?;
        in_use.key.is_opened_by(secret).then_some(in_use)
    }
}

impl InUse {
    fn new(key: StoredKey) -> Self {
        let per_minute = NonZeroU32::new(key.per_minute).unwrap_or(NonZeroU32::MIN);
        let limiter = RateLimiter::direct(Quota::per_minute(per_minute));
        Self { key, limiter, streams: Arc::new(Semaphore::new(STREAMS_MAX)) }
    }

    /// A place for one more event stream, until it is dropped.
    pub(super) fn stream(&self) -> Option<OwnedSemaphorePermit> {
        self.streams.clone().try_acquire_owned().ok()
    }

    /// Takes one request off the key's allowance, or says after how many seconds there is one again.
    pub(super) fn take(&self) -> Result<(), u32> {
        self.limiter.check().map_err(|wait| {
            let wait = wait.wait_time_from(DefaultClock::default().now());
            u32::try_from(wait.as_secs()).unwrap_or(u32::MAX).saturating_add(1)
        })
    }
}
