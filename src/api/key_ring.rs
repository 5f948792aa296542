//! What opens the API: the keys, in memory, read from the desk again and again, so that a revoked key is out within a
//! second; and the tokens of an OpenID provider, if one is trusted.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use chrono::{DateTime, Utc};
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio_util::sync::CancellationToken;

use super::peer_certificate::PeerCertificate;
use super::provider::{Provider, TokenError};
use crate::access::{Fingerprint, Holder, KeyId, RejectedToken, StoredKey, split_token};
use crate::console::{SignInConfig, SignInConfigSource};
use crate::store::{ServiceStore, StoreError};

/// How long a revoked key opens at most.
const KEYS_REFRESH_INTERVAL: Duration = Duration::from_secs(1);

/// How often it is looked whether the provider's keys are old.
const PROVIDER_CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// How often at most it is written that a key was used. People look for keys that are not used for weeks.
const LAST_USED_RESOLUTION_MS: i64 = 60 * 60 * 1_000;

/// Whose requests are counted.
pub(super) struct Principal {
    pub(super) holder: Holder,
    limiter: Arc<DefaultDirectRateLimiter>,
}

struct KeyEntry {
    stored: StoredKey,
    principal: Arc<Principal>,
    /// When it opened something last, in milliseconds since 1970; 0: not since the service began.
    used_ms: AtomicI64,
    /// The same as it stands in the store.
    stored_used_ms: AtomicI64,
}

/// Everything that opens the API.
pub struct KeyRing {
    desk: ServiceStore,
    keys: RwLock<HashMap<KeyId, KeyEntry>>,
    provider: ArcSwapOption<Provider>,
}

/// For how long, and on whose word, a token opens.
#[derive(Clone)]
pub(super) struct TokenSession {
    until: DateTime<Utc>,
    provider: Arc<Provider>,
}

/// Why nothing was opened.
pub(super) enum AuthError {
    /// It is not valid.
    InvalidCredentials,
    /// An API key with the right secret whose time is over.
    KeyExpired,
    /// An API key with the right secret that is bound to a client certificate, which this connection has not.
    CertificateMismatch,
    /// It is what it says, and its time is over: a new one may open.
    TokenExpired,
    /// Its holder is known, and nothing is granted to it.
    NoGrant,
    /// Whether it is valid cannot be said yet.
    ProviderUnavailable,
}

impl KeyRing {
    /// Reads the keys.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn open(desk: ServiceStore) -> Result<Self, StoreError> {
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
            let key = match known.remove(&stored.holder.id) {
                Some(key) => key.updated(stored),
                None => KeyEntry::new(stored),
            };
            keys.insert(key.stored.holder.id.clone(), key);
        }
        Ok(())
    }

    /// Takes this provider's tokens from now on, and no other's.
    pub fn set_provider(&self, provider: Option<Arc<Provider>>) {
        self.provider.store(provider);
    }

    /// The provider whose tokens are taken.
    pub fn provider(&self) -> Option<Arc<Provider>> {
        self.provider.load_full()
    }

    /// Reads the keys again every second, and the provider's when they are old, until it is told to stop.
    pub async fn refresh_until(&self, stop: CancellationToken) {
        tokio::join!(self.refresh_keys_until(stop.clone()), self.refresh_provider_until(stop));
    }

    async fn refresh_provider_until(&self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            if let Some(provider) = self.provider() {
                tokio::select! {
                    () = provider.refresh() => {}
                    () = stop.cancelled() => {}
                }
            }
            let _ = tokio::time::timeout(PROVIDER_CHECK_INTERVAL, stop.cancelled()).await;
        }
    }

    async fn refresh_keys_until(&self, stop: CancellationToken) {
        while tokio::time::timeout(KEYS_REFRESH_INTERVAL, stop.cancelled()).await.is_err() {
            if let Err(error) = self.refresh().await {
                tracing::error!(%error, "cannot read the API keys again");
            }
            self.store_last_used(LAST_USED_RESOLUTION_MS).await;
        }
        self.store_last_used(1).await;
    }

    /// Stores when keys were used that were used at least so much later than the store has it.
    async fn store_last_used(&self, later_ms: i64) {
        let used = self.last_used_to_store(later_ms);
        if used.is_empty() {
            return;
        }
        if let Err(error) = self.desk.record_key_use(used).await {
            tracing::warn!(%error, "cannot store when API keys were used");
        }
    }

    fn last_used_to_store(&self, later_ms: i64) -> Vec<(KeyId, DateTime<Utc>)> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let used = keys.iter().filter_map(|(id, key)| {
            let used_ms = key.used_ms.load(Ordering::Relaxed);
            let written_ms = key.stored_used_ms.load(Ordering::Relaxed);
            (used_ms >= written_ms.saturating_add(later_ms)).then(|| {
                key.stored_used_ms.store(used_ms, Ordering::Relaxed);
                Some((id.clone(), DateTime::from_timestamp_millis(used_ms)?))
            })?
        });
        used.collect()
    }

    /// Whether this key opens anything still.
    pub(super) fn is_valid_key(&self, id: &KeyId, now: DateTime<Utc>) -> bool {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        keys.get(id).is_some_and(|key| !key.stored.is_expired(now))
    }

    /// Who comes with this over a connection with this client certificate, and until when, where that is known.
    pub(super) async fn authenticate(
        &self,
        token: &str,
        certificate: Option<PeerCertificate>,
        now: DateTime<Utc>,
    ) -> Result<(Arc<Principal>, Option<TokenSession>), AuthError> {
        if let Some((id, secret)) = split_token(token) {
            return Ok((self.authenticate_key(&id, secret, certificate, now)?, None));
        }
        let provider = self.provider().ok_or(AuthError::InvalidCredentials)?;
        let met = provider.admit(token, now).await.map_err(AuthError::from)?;
        Ok((met.principal, Some(TokenSession { until: met.until, provider })))
    }

    /// Whether what such a token was let in for still holds.
    pub(super) fn is_valid_session(&self, pass: &TokenSession, now: DateTime<Utc>) -> bool {
        let trusted = self.provider();
        now < pass.until && trusted.is_some_and(|provider| Arc::ptr_eq(&provider, &pass.provider))
    }

    /// As long for a wrong secret as for the right one. Only the holder of the right one learns why the key opens nothing.
    fn authenticate_key(
        &self,
        id: &KeyId,
        secret: &str,
        certificate: Option<PeerCertificate>,
        now: DateTime<Utc>,
    ) -> Result<Arc<Principal>, AuthError> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let key =
            keys.get(id).filter(|key| key.stored.has_secret(secret)).ok_or(AuthError::InvalidCredentials)?;
        if key.stored.is_expired(now) {
            return Err(AuthError::KeyExpired);
        }
        let shown = certificate.map(|certificate| Fingerprint(certificate.0));
        if key.stored.certificate.is_some_and(|bound| shown != Some(bound)) {
            return Err(AuthError::CertificateMismatch);
        }
        key.used_ms.fetch_max(now.timestamp_millis(), Ordering::Relaxed);
        Ok(key.principal.clone())
    }
}

impl KeyEntry {
    fn new(stored: StoredKey) -> Self {
        let in_use = Arc::new(Principal::new(stored.holder.clone()));
        Self { stored, principal: in_use, used_ms: AtomicI64::new(0), stored_used_ms: AtomicI64::new(0) }
    }

    /// As it is stored now. What was counted stays, unless the allowance changed.
    fn updated(self, stored: StoredKey) -> Self {
        let in_use = match &stored.holder {
            holder if *holder == self.principal.holder => self.principal,
            holder if holder.per_minute == self.principal.holder.per_minute => {
                Arc::new(self.principal.with_holder(holder.clone()))
            }
            holder => Arc::new(Principal::new(holder.clone())),
        };
        Self { stored, principal: in_use, ..self }
    }
}

#[async_trait::async_trait]
impl SignInConfigSource for KeyRing {
    async fn sign_in_config(&self) -> Option<SignInConfig> {
        self.provider()?.sign_in_config().await
    }
}

impl From<TokenError> for AuthError {
    fn from(closed: TokenError) -> Self {
        match closed {
            TokenError::ProviderUnavailable => Self::ProviderUnavailable,
            TokenError::Rejected(why) => {
                // As a quoted text: a stranger's line breaks stay inside.
                tracing::info!(why = ?why.to_string(), "a token opened nothing");
                match why {
                    RejectedToken::Expired => Self::TokenExpired,
                    RejectedToken::NoGrant => Self::NoGrant,
                    RejectedToken::Malformed(_) | RejectedToken::UnknownKey | RejectedToken::Untrue(_) => {
                        Self::InvalidCredentials
                    }
                }
            }
        }
    }
}

impl Principal {
    pub(super) fn new(holder: Holder) -> Self {
        let per_minute = NonZeroU32::new(holder.per_minute).unwrap_or(NonZeroU32::MIN);
        let limiter = Arc::new(RateLimiter::direct(Quota::per_minute(per_minute)));
        Self { holder, limiter }
    }

    /// The same holder with other rights and the same allowance; what was counted stays.
    pub(super) fn with_holder(&self, holder: Holder) -> Self {
        Self { holder, limiter: self.limiter.clone() }
    }

    /// Takes one request off the key's allowance, or says after how many seconds there is one again.
    pub(super) fn take_request(&self) -> Result<(), u32> {
        self.limiter.check().map_err(|wait| {
            let wait = wait.wait_time_from(DefaultClock::default().now());
            u32::try_from(wait.as_secs()).unwrap_or(u32::MAX).saturating_add(1)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Right, Rights};

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_767_225_600 + 60 * minute, 0).unwrap()
    }

    async fn ring(
        expires: Option<DateTime<Utc>>,
        certificate: Option<Fingerprint>,
    ) -> (KeyRing, String, ServiceStore) {
        let desk = ServiceStore::in_memory().unwrap();
        let mut new = StoredKey::generate("door", Rights::new("*".parse(), [Right::Read]), 60);
        (new.stored.expires, new.stored.certificate) = (expires, certificate);
        desk.add_key(new.stored.clone(), at(0)).await.unwrap();
        (KeyRing::open(desk.clone()).await.unwrap(), new.token, desk)
    }

    #[tokio::test]
    async fn an_expired_key_says_so_to_the_holder_of_its_secret_alone() {
        let (ring, token, _desk) = ring(Some(at(10)), None).await;
        let id = split_token(&token).unwrap().0;
        assert!(ring.authenticate(&token, None, at(9)).await.is_ok() && ring.is_valid_key(&id, at(9)));
        assert!(matches!(ring.authenticate(&token, None, at(10)).await, Err(AuthError::KeyExpired)));
        assert!(!ring.is_valid_key(&id, at(10)), "a stream that began before ends");
        let wrong = format!("{token}x");
        assert!(matches!(ring.authenticate(&wrong, None, at(10)).await, Err(AuthError::InvalidCredentials)));
        assert!(matches!(ring.authenticate(&wrong, None, at(9)).await, Err(AuthError::InvalidCredentials)));
    }

    #[tokio::test]
    async fn a_bound_key_opens_with_its_certificate_alone() {
        let (ring, token, _desk) = ring(None, Some(Fingerprint([7; 32]))).await;
        assert!(ring.authenticate(&token, Some(PeerCertificate([7; 32])), at(0)).await.is_ok());
        for other in [None, Some(PeerCertificate([8; 32]))] {
            assert!(matches!(
                ring.authenticate(&token, other, at(0)).await,
                Err(AuthError::CertificateMismatch)
            ));
            let wrong = format!("{token}x");
            assert!(matches!(
                ring.authenticate(&wrong, other, at(0)).await,
                Err(AuthError::InvalidCredentials)
            ));
        }
    }

    #[tokio::test]
    async fn the_last_use_is_written_once_an_hour() {
        let (ring, token, desk) = ring(None, None).await;
        let last_used = async || desk.key_records().await.unwrap()[0].last_used;
        ring.store_last_used(LAST_USED_RESOLUTION_MS).await;
        assert_eq!(last_used().await, None);
        for (minute, written) in [(1, 1), (30, 1), (60, 1), (61, 61), (120, 61)] {
            ring.authenticate(&token, None, at(minute)).await.ok().unwrap();
            assert!(ring.authenticate(&format!("{token}x"), None, at(minute + 500)).await.is_err());
            ring.store_last_used(LAST_USED_RESOLUTION_MS).await;
            assert_eq!(last_used().await, Some(at(written)), "after a use in minute {minute}");
        }
        // At a stop, what was not written yet is.
        ring.store_last_used(1).await;
        assert_eq!(last_used().await, Some(at(120)));
    }

    #[tokio::test]
    async fn a_changed_key_keeps_its_count_of_requests() {
        let (ring, token, desk) = ring(None, None).await;
        let open = async || ring.authenticate(&token, None, at(0)).await.ok().unwrap().0;
        while open().await.take_request().is_ok() {}
        let mut changed = desk.keys().await.unwrap().remove(0);
        changed.holder.rights = Rights::new("one@x.y".parse(), [Right::Read, Right::End]);
        let by = crate::journal::AdminActor::Service;
        assert!(desk.change_key(changed.clone(), by, at(0)).await.unwrap());
        ring.refresh().await.unwrap();
        let now = open().await;
        assert_eq!(now.holder, changed.holder);
        assert!(now.take_request().is_err(), "a change is no new allowance");
    }
}
