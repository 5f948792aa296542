//! What opens the API: the keys, in memory, read from the desk again and again, so that a revoked key is out within a
//! second; and the tokens of an OpenID provider, if one is trusted.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use chrono::{DateTime, Utc};
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use super::provider::{Closed, Provider};
use crate::access::{Holder, KeyId, NotAdmitted, StoredKey, split};
use crate::console::{SignIn, Way};
use crate::store::{Desk, StoreError};

/// How long a revoked key opens at most.
const REFRESH: Duration = Duration::from_secs(1);

/// How often it is looked whether the provider's keys are old.
const LOOK_AT_PROVIDER: Duration = Duration::from_secs(5);

/// Event streams of one key at once: a backend needs one, a floor of displays some dozens.
const STREAMS_MAX: usize = 100;

/// Whose requests are counted.
pub(super) struct InUse {
    pub(super) holder: Holder,
    limiter: Arc<DefaultDirectRateLimiter>,
    /// Places for event streams.
    streams: Arc<Semaphore>,
}

struct Key {
    stored: StoredKey,
    in_use: Arc<InUse>,
}

/// Everything that opens the API.
pub struct KeyRing {
    desk: Desk,
    keys: RwLock<HashMap<KeyId, Key>>,
    provider: ArcSwapOption<Provider>,
}

/// For how long, and on whose word, a token opens.
#[derive(Clone)]
pub(super) struct Pass {
    until: DateTime<Utc>,
    provider: Arc<Provider>,
}

/// Why nothing was opened.
pub(super) enum Shut {
    /// It is not valid.
    Invalid,
    /// It is what it says, and its time is over: a new one may open.
    Expired,
    /// Its holder is known, and nothing is granted to it.
    NoGrant,
    /// Whether it is valid cannot be said yet.
    Away,
}

impl KeyRing {
    /// Reads the keys.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn open(desk: Desk) -> Result<Self, StoreError> {
        let ring = Self { desk, keys: RwLock::default(), provider: ArcSwapOption::empty() };
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
        for stored in stored {
            let same = known.remove(&stored.holder.id).filter(|key| key.stored == stored);
            let fresh = || Key { in_use: Arc::new(InUse::new(stored.holder.clone())), stored };
            let key = same.unwrap_or_else(fresh);
            keys.insert(key.stored.holder.id.clone(), key);
        }
        Ok(())
    }

    /// Takes this provider's tokens from now on, and no other's.
    pub fn trust(&self, provider: Option<Arc<Provider>>) {
        self.provider.store(provider);
    }

    /// The provider whose tokens are taken.
    pub fn trusted(&self) -> Option<Arc<Provider>> {
        self.provider.load_full()
    }

    /// Reads the keys again every second, and the provider's when they are old, until it is told to stop.
    pub async fn watch(&self, stop: CancellationToken) {
        tokio::join!(self.watch_keys(stop.clone()), self.watch_provider(stop));
    }

    async fn watch_provider(&self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            if let Some(provider) = self.trusted() {
                tokio::select! {
                    () = provider.refresh() => {}
                    () = stop.cancelled() => {}
                }
            }
            let _ = tokio::time::timeout(LOOK_AT_PROVIDER, stop.cancelled()).await;
        }
    }

    async fn watch_keys(&self, stop: CancellationToken) {
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

    /// Who comes with this, and until when, where that is known.
    pub(super) async fn open_with(
        &self,
        token: &str,
        now: DateTime<Utc>,
    ) -> Result<(Arc<InUse>, Option<Pass>), Shut> {
        if let Some((id, secret)) = split(token) {
            return Ok((self.open_key(&id, secret).ok_or(Shut::Invalid)?, None));
        }
        let provider = self.trusted().ok_or(Shut::Invalid)?;
        let met = provider.admit(token, now).await.map_err(Shut::from)?;
        Ok((met.in_use, Some(Pass { until: met.until, provider })))
    }

    /// Whether what such a token was let in for still holds.
    pub(super) fn honours(&self, pass: &Pass, now: DateTime<Utc>) -> bool {
        let trusted = self.trusted();
        now < pass.until && trusted.is_some_and(|provider| Arc::ptr_eq(&provider, &pass.provider))
    }

    /// As long for a wrong secret as for the right one.
    fn open_key(&self, id: &KeyId, secret: &str) -> Option<Arc<InUse>> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let key = keys.get(id)?;
        key.stored.is_opened_by(secret).then(|| key.in_use.clone())
    }
}

#[async_trait::async_trait]
impl SignIn for KeyRing {
    async fn way(&self) -> Option<Way> {
        self.trusted()?.way().await
    }
}

impl From<Closed> for Shut {
    fn from(closed: Closed) -> Self {
        match closed {
            Closed::Away => Self::Away,
            Closed::Token(why) => {
                // As a quoted text: a stranger's line breaks stay inside.
                tracing::info!(why = ?why.to_string(), "a token opened nothing");
                match why {
                    NotAdmitted::Expired => Self::Expired,
                    NotAdmitted::NoGrant => Self::NoGrant,
                    NotAdmitted::Malformed(_) | NotAdmitted::UnknownKey | NotAdmitted::Untrue(_) => {
                        Self::Invalid
                    }
                }
            }
        }
    }
}

impl InUse {
    pub(super) fn new(holder: Holder) -> Self {
        let per_minute = NonZeroU32::new(holder.per_minute).unwrap_or(NonZeroU32::MIN);
        let limiter = Arc::new(RateLimiter::direct(Quota::per_minute(per_minute)));
        Self { holder, limiter, streams: Arc::new(Semaphore::new(STREAMS_MAX)) }
    }

    /// The same holder with other rights and the same allowance; what was counted stays.
    pub(super) fn changed(&self, holder: Holder) -> Self {
        Self { holder, limiter: self.limiter.clone(), streams: self.streams.clone() }
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
