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

use super::key_ring::Principal;
use crate::access::{AcceptedToken, Holder, KeyId, RejectedToken, TrustedIssuer};
use crate::console::{ConsoleClient, SignInConfig};
use crate::https_client::{HttpsClient, parse_url};

/// How old keys may get before they are fetched again unasked.
const REFETCH_INTERVAL: Duration = Duration::from_secs(3600);
/// Between two fetches that tokens with an unknown key bring about.
const FETCH_INTERVAL_MIN: Duration = Duration::from_secs(30);
/// How long a browser's page waits to hear where people sign in; without it, it offers API keys only.
const ENDPOINTS_TIMEOUT: Duration = Duration::from_secs(3);
/// Holders whose requests are counted; more than an organization's backends and operators.
const HOLDERS_MAX: usize = 10_000;
/// Longest `access_token_issuer` that is accepted.
const ISSUER_MAX: usize = 2048;
/// Keys of one provider; they have two to ten.
const KEYS_MAX: usize = 100;

/// Whose tokens are taken, and what they are good for.
pub struct Provider {
    issuer: TrustedIssuer,
    /// What the console is at this provider.
    console: Option<ConsoleClient>,
    keys: Arc<ProviderKeys>,
    /// By allowance as well: whoever has two, by two kinds of tokens, uses up each.
    holders: Mutex<HashMap<(KeyId, u32), KnownHolder>>,
}

/// The keys that one issuer shows.
struct ProviderKeys {
    issuer: String,
    /// Where they are; `None`: where the issuer's description says.
    jwks_uri: Option<Uri>,
    web: HttpsClient,
    published: ArcSwapOption<PublishedKeys>,
    /// When they were fetched last, or were tried to be. Held while fetching, so that it is done once.
    fetched: tokio::sync::Mutex<Option<Instant>>,
    /// Where browsers sign in, and when that was asked. Held while asking.
    endpoints: tokio::sync::Mutex<Option<(Instant, Option<OidcEndpoints>)>>,
}

/// The keys and names that the issuer published last.
struct PublishedKeys {
    keys: JwkSet,
    /// `access_token_issuer` of its metadata (AD FS).
    access_token_issuer: Option<String>,
}

/// Where people sign in, and where the browser gets its token.
#[derive(Clone)]
struct OidcEndpoints {
    authorization: String,
    token: String,
}

/// A holder whose token was good.
#[derive(Clone)]
pub(super) struct KnownHolder {
    pub(super) principal: Arc<Principal>,
    pub(super) until: DateTime<Utc>,
}

/// Why a token does not open anything.
#[derive(Debug)]
pub(super) enum TokenError {
    /// It is no good.
    Rejected(RejectedToken),
    /// Its keys could not be fetched yet.
    ProviderUnavailable,
}

/// What is read of a provider's description (OpenID Connect Discovery 1.0, section 3).
#[derive(Deserialize)]
struct DiscoveryDocument {
    issuer: String,
    jwks_uri: String,
    /// AD FS publishes `http://HOST/adfs/services/trust` here, beside the `issuer` `https://HOST/adfs`.
    access_token_issuer: Option<String>,
    authorization_endpoint: Option<String>,
    token_endpoint: Option<String>,
}

/// A set in which a key of a kind we do not know spoils nothing (RFC 7517, section 5).
#[derive(Deserialize)]
struct RawKeySet {
    keys: Vec<serde_json::Value>,
}

impl Provider {
    /// A provider whose keys are not fetched yet.
    ///
    /// # Errors
    /// When TLS cannot be used.
    pub fn new(issuer: TrustedIssuer, keys_at: Option<Uri>) -> Result<Self, rustls::Error> {
        let keys = ProviderKeys {
            issuer: issuer.issuer.clone(),
            jwks_uri: keys_at,
            web: HttpsClient::new()?,
            published: ArcSwapOption::empty(),
            fetched: tokio::sync::Mutex::default(),
            endpoints: tokio::sync::Mutex::default(),
        };
        Ok(Self { issuer, console: None, keys: Arc::new(keys), holders: Mutex::default() })
    }

    /// The same issuer's tokens, for another audience or other grants: its keys are known already.
    #[must_use]
    pub fn with_issuer(&self, issuer: TrustedIssuer) -> Self {
        let console = self.console.clone();
        Self { issuer, console, keys: self.keys.clone(), holders: Mutex::default() }
    }

    /// The same, at which browsers may sign in for the console.
    #[must_use]
    pub fn for_console(self, client: Option<ConsoleClient>) -> Self {
        Self { console: client, ..self }
    }

    /// How a browser signs in there, as far as the provider can be asked.
    pub(super) async fn sign_in_config(&self) -> Option<SignInConfig> {
        let ConsoleClient { id, scope } = self.console.clone()?;
        // In a task of its own, as with keys.
        let asked = tokio::spawn(self.keys.clone().fetch_endpoints());
        let doors = tokio::time::timeout(ENDPOINTS_TIMEOUT, asked).await.ok()?.ok()??;
        Some(SignInConfig {
            client_id: id,
            scope,
            authorization_endpoint: doors.authorization,
            token_endpoint: doors.token,
        })
    }

    /// Fetches its keys if they are old, or were never to be had.
    pub(super) async fn refresh(&self) {
        // Until it was there once, it is asked often.
        let pause = if self.keys.published.load().is_some() { REFETCH_INTERVAL } else { FETCH_INTERVAL_MIN };
        self.keys.clone().fetch(pause).await;
    }

    /// Who comes with this token, and until when.
    pub(super) async fn admit(&self, token: &str, now: DateTime<Utc>) -> Result<KnownHolder, TokenError> {
        match self.keys.published.load_full().map(|shown| self.verify(token, &shown, now)) {
            Some(Ok(admitted)) => return Ok(self.remember(admitted, now)),
            Some(Err(RejectedToken::UnknownKey)) | None => {}
            Some(Err(other)) => return Err(TokenError::Rejected(other)),
        }
        // In a task of its own: whoever asked may go, and what was begun for it is still done once.
        let _ = tokio::spawn(self.keys.clone().fetch(FETCH_INTERVAL_MIN)).await;
        let shown = self.keys.published.load_full().ok_or(TokenError::ProviderUnavailable)?;
        let admitted = self.verify(token, &shown, now).map_err(TokenError::Rejected)?;
        Ok(self.remember(admitted, now))
    }

    fn verify(
        &self,
        token: &str,
        published: &PublishedKeys,
        now: DateTime<Utc>,
    ) -> Result<AcceptedToken, RejectedToken> {
        self.issuer.authenticate(token, &published.keys, published.access_token_issuer.as_deref(), now)
    }

    /// The same place for the same holder, so that requests are counted whatever token they come with.
    fn remember(&self, AcceptedToken { holder, until }: AcceptedToken, now: DateTime<Utc>) -> KnownHolder {
        let mut holders = self.holders.lock().unwrap_or_else(PoisonError::into_inner);
        if holders.len() >= HOLDERS_MAX {
            holders.retain(|_, met| now < met.until);
        }
        if holders.len() >= HOLDERS_MAX {
            let first = holders.iter().min_by_key(|(_, met)| met.until).map(|(place, _)| place.clone());
            first.map(|place| holders.remove(&place));
        }
        let place = (holder.id.clone(), holder.per_minute);
        let known = holders.get(&place).map(|met| met.principal.clone());
        let met = KnownHolder { principal: principal_for(known, holder), until };
        holders.insert(place, met.clone());
        met
    }
}

impl ProviderKeys {
    /// Fetches them, unless that was tried less than `pause` ago.
    async fn fetch(self: Arc<Self>, pause: Duration) {
        let mut fetched = self.fetched.lock().await;
        if fetched.is_some_and(|at| at.elapsed() < pause) {
            return;
        }
        *fetched = Some(Instant::now());
        match self.fetch_keys().await {
            Ok(present) => self.published.store(Some(Arc::new(present))),
            Err(why) => {
                tracing::error!(self.issuer, why, "cannot fetch the keys that tokens are signed with")
            }
        }
    }

    async fn fetch_keys(&self) -> Result<PublishedKeys, String> {
        let (at, access_token_issuer) = match &self.jwks_uri {
            Some(uri) => (uri.clone(), None),
            None => self.discover_jwks_uri().await?,
        };
        let shown: RawKeySet = self.web.get(&at).await?;
        let known = shown.keys.into_iter().take(KEYS_MAX).flat_map(serde_json::from_value);
        let keys = JwkSet { keys: known.collect() };
        if keys.keys.is_empty() {
            return Err(format!("{at} shows no key that is known here"));
        }
        Ok(PublishedKeys { keys, access_token_issuer })
    }

    /// Where browsers sign in, asked again when that is old or was not to be had.
    async fn fetch_endpoints(self: Arc<Self>) -> Option<OidcEndpoints> {
        let mut asked = self.endpoints.lock().await;
        if let Some((at, doors)) = &*asked
            && at.elapsed() < if doors.is_some() { REFETCH_INTERVAL } else { FETCH_INTERVAL_MIN }
        {
            return doors.clone();
        }
        let found = self.fetch_discovery_document().await.and_then(|described| described.endpoints());
        let doors = found.map_err(|why| tracing::error!(self.issuer, why, "browsers cannot sign in")).ok();
        *asked = Some((Instant::now(), doors.clone()));
        doors
    }

    /// The address of its keys, and the issuer of its access tokens where that differs.
    async fn discover_jwks_uri(&self) -> Result<(Uri, Option<String>), String> {
        let described = self.fetch_discovery_document().await?;
        let keys_at = parse_url(&described.jwks_uri).map_err(|error| error.to_string())?;
        let access_token_issuer =
            described.access_token_issuer.filter(|name| !name.is_empty() && name.len() <= ISSUER_MAX);
        Ok((keys_at, access_token_issuer))
    }

    async fn fetch_discovery_document(&self) -> Result<DiscoveryDocument, String> {
        let url = format!("{}/.well-known/openid-configuration", self.issuer.trim_end_matches('/'));
        let at = parse_url(&url).map_err(|error| error.to_string())?;
        let described: DiscoveryDocument = self.web.get(&at).await?;
        // Section 4.3: it must be the very same, or somebody else describes himself.
        if described.issuer != self.issuer {
            return Err(format!("{at} describes the issuer {}", described.issuer));
        }
        Ok(described)
    }
}

impl DiscoveryDocument {
    fn endpoints(self) -> Result<OidcEndpoints, String> {
        let at = |url: Option<String>, what: &str| {
            let url = url.ok_or_else(|| format!("its description has no {what}"))?;
            parse_url(&url).map(|_| url).map_err(|error| error.to_string())
        };
        Ok(OidcEndpoints {
            authorization: at(self.authorization_endpoint, "authorization_endpoint")?,
            token: at(self.token_endpoint, "token_endpoint")?,
        })
    }
}

fn principal_for(known: Option<Arc<Principal>>, holder: Holder) -> Arc<Principal> {
    match known {
        Some(in_use) if in_use.holder == holder => in_use,
        Some(in_use) => Arc::new(in_use.with_holder(holder)),
        None => Arc::new(Principal::new(holder)),
    }
}
