//! API keys and tokens: authenticates callers. Keys are cached in memory and read from the service store every second, so that a
//! revoked key stops working within a second; tokens are verified by [`super::provider`]. Never decides what a caller may do.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

use super::peer_certificate::PeerCertificate;
use super::principal::Principal;
use super::provider::{Provider, TokenError};
use crate::access::{Fingerprint, KeyId, RejectedToken, Rights, StoredKey, split_token};
use crate::console::{SignInConfig, SignInConfigSource};
use crate::store::{ServiceStore, StoreError};

/// Interval of reading the keys: a revoked key works at most this long.
const KEYS_REFRESH_INTERVAL: Duration = Duration::from_secs(1);

/// Interval of checking whether the provider's keys are due to be fetched again.
const PROVIDER_CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// A key's last use is stored at most this often. People look for keys that are unused for weeks.
const LAST_USED_RESOLUTION_MS: i64 = 60 * 60 * 1_000;

struct KeyEntry {
    stored: StoredKey,
    principal: Arc<Principal>,
    /// When the key was last used, in milliseconds since 1970; 0: not since the start.
    used_ms: AtomicI64,
    /// The last use that is stored, in the same unit.
    stored_used_ms: AtomicI64,
}

/// The API keys, and the OpenID provider if one is trusted.
pub struct KeyRing {
    store: ServiceStore,
    keys: RwLock<HashMap<KeyId, KeyEntry>>,
    provider: ArcSwapOption<Provider>,
}

/// Until when a token is valid, and the provider that vouched for it.
#[derive(Clone)]
pub(super) struct TokenSession {
    until: DateTime<Utc>,
    provider: Arc<Provider>,
}

/// Why authentication failed.
pub(super) enum AuthError {
    /// Unknown key, wrong secret, or a token that is not valid.
    InvalidCredentials,
    /// The secret is right, but the API key has expired.
    KeyExpired,
    /// The secret is right, but the key is bound to a client certificate that this connection did not present.
    CertificateMismatch,
    /// The token is genuine but has expired: a new one may work.
    TokenExpired,
    /// The token is valid, but its claims are granted no rights.
    NoGrant,
    /// The provider's keys could not be fetched yet, so the token cannot be verified.
    ProviderUnavailable,
}

impl KeyRing {
    /// Opens the key ring and reads all keys.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn open(store: ServiceStore) -> Result<Self, StoreError> {
        let ring = Self { store, keys: RwLock::default(), provider: ArcSwapOption::empty() };
        ring.refresh().await?;
        Ok(ring)
    }

    /// Reads the keys again. A key that did not change keeps its request count.
    ///
    /// # Errors
    /// When the store cannot be read. The keys in memory stay valid.
    pub async fn refresh(&self) -> Result<(), StoreError> {
        let stored = self.store.keys().await?;
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

    /// The store of the keys.
    pub(super) fn store(&self) -> &ServiceStore {
        &self.store
    }

    /// Accepts this provider's tokens from now on, and no other's.
    pub fn set_provider(&self, provider: Option<Arc<Provider>>) {
        self.provider.store(provider);
    }

    /// The provider whose tokens are accepted.
    pub fn provider(&self) -> Option<Arc<Provider>> {
        self.provider.load_full()
    }

    /// Refreshes the keys every second, and the provider's keys when they are old, until `stop`.
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
                tracing::error!(%error, "cannot refresh the API keys; the known keys stay valid");
            }
            self.store_last_used(LAST_USED_RESOLUTION_MS).await;
        }
        self.store_last_used(1).await;
    }

    /// Stores the last use of each key that was used at least this much later than stored.
    async fn store_last_used(&self, later_ms: i64) {
        let used = self.last_used_to_store(later_ms);
        if used.is_empty() {
            return;
        }
        if let Err(error) = self.store.record_key_use(used).await {
            tracing::warn!(%error, "cannot store when API keys were last used");
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

    /// When this key expires; `None` for a key without expiry, and for a token.
    pub(super) fn expiry_of(&self, id: &KeyId) -> Option<DateTime<Utc>> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).get(id)?.stored.expires
    }

    /// Whether this key exists, has these rights still, and has not expired.
    pub(super) fn is_valid_key(&self, id: &KeyId, rights: &Rights, now: DateTime<Utc>) -> bool {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        keys.get(id).is_some_and(|key| key.stored.holder.rights == *rights && !key.stored.is_expired(now))
    }

    /// Authenticates a key or token sent over a connection with this client certificate. A token also yields its session.
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

    /// Whether the session is still valid: not expired, and its provider still trusted.
    pub(super) fn is_valid_session(&self, pass: &TokenSession, now: DateTime<Utc>) -> bool {
        let trusted = self.provider();
        now < pass.until && trusted.is_some_and(|provider| Arc::ptr_eq(&provider, &pass.provider))
    }

    /// Takes as long for a wrong secret as for the right one. Only a caller with the right secret learns why the key does not
    /// work.
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

    /// Takes over changes from the store. The request count stays unless the rate limit changed.
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
                // Logged as a quoted string, so that line breaks in it are escaped.
                tracing::info!(why = ?why.to_string(), "token rejected");
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Right;

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_767_225_600 + 60 * minute, 0).unwrap()
    }

    async fn ring(
        expires: Option<DateTime<Utc>>,
        certificate: Option<Fingerprint>,
    ) -> (KeyRing, String, ServiceStore) {
        let store = ServiceStore::in_memory().unwrap();
        let mut new = StoredKey::generate("door", Rights::new("*".parse(), [Right::Read]), 60);
        (new.stored.expires, new.stored.certificate) = (expires, certificate);
        store.add_key(new.stored.clone(), at(0)).await.unwrap();
        (KeyRing::open(store.clone()).await.unwrap(), new.token, store)
    }

    #[tokio::test]
    async fn an_expired_key_says_so_to_the_holder_of_its_secret_alone() {
        let (ring, token, _store) = ring(Some(at(10)), None).await;
        let id = split_token(&token).unwrap().0;
        let rights = Rights::new("*".parse(), [Right::Read]);
        assert!(
            ring.authenticate(&token, None, at(9)).await.is_ok() && ring.is_valid_key(&id, &rights, at(9))
        );
        assert!(!ring.is_valid_key(&id, &Rights::default(), at(9)), "a stream with other rights ends");
        assert!(matches!(ring.authenticate(&token, None, at(10)).await, Err(AuthError::KeyExpired)));
        assert!(!ring.is_valid_key(&id, &rights, at(10)), "an open stream ends");
        let wrong = format!("{token}x");
        assert!(matches!(ring.authenticate(&wrong, None, at(10)).await, Err(AuthError::InvalidCredentials)));
        assert!(matches!(ring.authenticate(&wrong, None, at(9)).await, Err(AuthError::InvalidCredentials)));
    }

    #[tokio::test]
    async fn a_bound_key_opens_with_its_certificate_alone() {
        let (ring, token, _store) = ring(None, Some(Fingerprint([7; 32]))).await;
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
        let (ring, token, store) = ring(None, None).await;
        let last_used = async || store.key_records().await.unwrap()[0].last_used;
        ring.store_last_used(LAST_USED_RESOLUTION_MS).await;
        assert_eq!(last_used().await, None);
        for (minute, written) in [(1, 1), (30, 1), (60, 1), (61, 61), (120, 61)] {
            ring.authenticate(&token, None, at(minute)).await.ok().unwrap();
            assert!(ring.authenticate(&format!("{token}x"), None, at(minute + 500)).await.is_err());
            ring.store_last_used(LAST_USED_RESOLUTION_MS).await;
            assert_eq!(last_used().await, Some(at(written)), "after a use in minute {minute}");
        }
        // A stop stores the rest.
        ring.store_last_used(1).await;
        assert_eq!(last_used().await, Some(at(120)));
    }

    #[tokio::test]
    async fn a_changed_key_keeps_its_count_of_requests() {
        let (ring, token, store) = ring(None, None).await;
        let open = async || ring.authenticate(&token, None, at(0)).await.ok().unwrap().0;
        while open().await.take_request().is_ok() {}
        let mut changed = store.keys().await.unwrap().remove(0);
        changed.holder.rights = Rights::new("one@x.y".parse(), [Right::Read, Right::End]);
        let by = crate::journal::AdminActor::Service;
        assert!(store.change_key(changed.clone(), by, at(0)).await.unwrap());
        ring.refresh().await.unwrap();
        let now = open().await;
        assert_eq!(now.holder, changed.holder);
        assert!(now.take_request().is_err(), "a changed key keeps its rate limit");
    }
}
