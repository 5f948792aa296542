//! The OpenID provider whose tokens are taken: its keys, fetched and kept, and those who came with its tokens.
//!
//! Keys are fetched when the service begins, every hour, and when a token names one that is not known, which is how a
//! provider that changed its keys is noticed; never more often than every half minute, whatever strangers send. While
//! the provider is away, the keys it showed last stay good.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use chrono::{DateTime, Utc};
use http::Uri;
use jsonwebtoken::jwk::JwkSet;
use serde::Deserialize;
use tokio::time::Instant;

use super::keys::InUse;
use crate::access::{Admitted, Holder, Issuer, KeyId, NotAdmitted};
use crate::web::{Web, address};

/// How old keys may get before they are fetched again unasked.
const FETCH_AGAIN: Duration = Duration::from_secs(3600);
/// Between two fetches that tokens with an unknown key bring about.
const FETCH_PAUSE: Duration = Duration::from_secs(30);
/// Holders whose requests are counted; more than an organization's backends and operators.
const HOLDERS_MAX: usize = 10_000;
/// Keys of one provider; they have two to ten.
const KEYS_MAX: usize = 100;

/// Whose tokens are taken.
pub struct Provider {
    issuer: Issuer,
    /// Where its keys are; `None`: where its description says.
    keys_at: Option<Uri>,
    web: Web,
    keys: ArcSwapOption<JwkSet>,
    /// When keys were fetched last, or were tried to be. Held while fetching, so that it is done once.
    fetched: tokio::sync::Mutex<Option<Instant>>,
    holders: Mutex<HashMap<KeyId, Met>>,
}

/// A holder whose token was good.
#[derive(Clone)]
pub(super) struct Met {
    pub(super) in_use: Arc<InUse>,
    pub(super) until: DateTime<Utc>,
}

/// Why a token does not open anything.
#[derive(Debug)]
pub(super) enum Closed {
    /// It is no good.
    Token(NotAdmitted),
    /// Its keys could not be fetched yet.
    Away,
}

/// What is read of a provider's description (OpenID Connect Discovery 1.0, section 3).
#[derive(Deserialize)]
struct Description {
    issuer: String,
    jwks_uri: String,
}

/// A set in which a key of a kind we do not know spoils nothing (RFC 7517, section 5).
#[derive(Deserialize)]
struct Shown {
    keys: Vec<serde_json::Value>,
}

impl Provider {
    /// A provider whose keys are not fetched yet.
    ///
    /// # Errors
    /// When TLS cannot be used.
    pub fn new(issuer: Issuer, keys_at: Option<Uri>) -> Result<Self, rustls::Error> {
        Ok(Self {
            issuer,
            keys_at,
            web: Web::new()?,
            keys: ArcSwapOption::empty(),
            fetched: tokio::sync::Mutex::default(),
            holders: Mutex::default(),
        })
    }

    /// Fetches its keys if they are old, or were never to be had.
    pub(super) async fn refresh(&self) {
        // Until it was there once, it is asked often.
        self.fetch(if self.keys.load_full().is_some() { FETCH_AGAIN } else { FETCH_PAUSE }).await;
    }

    /// Who comes with this token, and until when.
    pub(super) async fn admit(&self, token: &str, now: DateTime<Utc>) -> Result<Met, Closed> {
        let known = self.keys.load_full();
        match known.as_deref().map(|keys| self.issuer.admit(token, keys, now)) {
            Some(Ok(admitted)) => return Ok(self.count(admitted, now)),
            Some(Err(NotAdmitted::UnknownKey)) | None => {}
            Some(Err(other)) => return Err(Closed::Token(other)),
        }
        self.fetch(FETCH_PAUSE).await;
        let keys = self.keys.load_full().ok_or(Closed::Away)?;
        let admitted = self.issuer.admit(token, &keys, now).map_err(Closed::Token)?;
        Ok(self.count(admitted, now))
    }

    /// Fetches the keys, unless that was tried less than `pause` ago.
    async fn fetch(&self, pause: Duration) {
        let mut fetched = self.fetched.lock().await;
        if fetched.is_some_and(|at| at.elapsed() < pause) {
            return;
        }
        match self.fetch_keys().await {
            Ok(keys) => self.keys.store(Some(Arc::new(keys))),
            Err(why) => {
                tracing::error!(
                    issuer = self.issuer.issuer,
                    why,
                    "cannot fetch the keys that tokens are signed with"
                );
            }
        }
        *fetched = Some(Instant::now());
    }

    async fn fetch_keys(&self) -> Result<JwkSet, String> {
        let at = match &self.keys_at {
            Some(uri) => uri.clone(),
            None => self.find_keys().await?,
        };
        let shown: Shown = self.web.get(&at).await?;
        let known = shown.keys.into_iter().take(KEYS_MAX).flat_map(serde_json::from_value);
        let keys = JwkSet { keys: known.collect() };
        if keys.keys.is_empty() { Err(format!("{at} shows no key that is known here")) } else { Ok(keys) }
    }

    async fn find_keys(&self) -> Result<Uri, String> {
        let issuer = &self.issuer.issuer;
        let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let at = address(&url).map_err(|error| error.to_string())?;
        let described: Description = self.web.get(&at).await?;
        // Section 4.3: it must be the very same, or somebody else describes himself.
        if described.issuer != *issuer {
            return Err(format!("{at} describes the issuer {}", described.issuer));
        }
        address(&described.jwks_uri).map_err(|error| error.to_string())
    }

    /// The same place for the same holder, so that requests are counted whatever token they come with.
    fn count(&self, Admitted { holder, until }: Admitted, now: DateTime<Utc>) -> Met {
        let mut holders = self.holders.lock().unwrap_or_else(PoisonError::into_inner);
        if holders.len() >= HOLDERS_MAX {
            holders.retain(|_, met| now < met.until);
        }
        if holders.len() >= HOLDERS_MAX {
            holders.clear();
        }
        let known = holders.get(&holder.id).map(|met| met.in_use.clone());
        let met = Met { in_use: counted(known, holder), until };
        holders.insert(met.in_use.holder.id.clone(), met.clone());
        met
    }
}

fn counted(known: Option<Arc<InUse>>, holder: Holder) -> Arc<InUse> {
    match known {
        Some(in_use) if in_use.holder == holder => in_use,
        Some(in_use) => Arc::new(in_use.changed(holder)),
        None => Arc::new(InUse::new(holder)),
    }
}
