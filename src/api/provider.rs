//! The OpenID provider whose tokens are accepted: fetches and caches its signing keys, verifies tokens, and remembers their
//! holders. Never grants rights; [`crate::access`] maps claims to rights.
//!
//! Keys are fetched at the start, every hour, and when a token names an unknown key, which is how a key rotation is noticed.
//! Fetches are at least half a minute apart, whatever tokens callers send. While the provider is unavailable, the last keys stay
//! valid.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use chrono::{DateTime, Utc};
use http::Uri;
use jsonwebtoken::jwk::JwkSet;
use serde::Deserialize;
use tokio::time::Instant;

use super::principal::Principal;
use crate::access::{AcceptedToken, Holder, KeyId, RejectedToken, TrustedIssuer};
use crate::console::{ConsoleClient, SignInConfig};
use crate::http::client::{FetchError, HttpClient};
use crate::http::error::error_chain;
use crate::http::url::{InvalidUrl, parse_url};

/// Age at which keys are fetched again.
const REFETCH_INTERVAL: Duration = Duration::from_secs(3600);
/// Shortest time between two fetches.
const FETCH_INTERVAL_MIN: Duration = Duration::from_secs(30);
/// How long the console's page waits for the sign-in endpoints. Without them it offers API keys only.
const ENDPOINTS_TIMEOUT: Duration = Duration::from_secs(3);
/// Token holders that are remembered for rate limits; more than an organization's backends and operators.
const HOLDERS_MAX: usize = 10_000;
/// Bytes of an `access_token_issuer` that is accepted.
const ISSUER_MAX: usize = 2048;
/// Keys that are read from one provider; providers have two to ten.
const KEYS_MAX: usize = 100;

/// A trusted issuer, with the rights that its tokens get.
pub struct Provider {
    issuer: TrustedIssuer,
    /// The console's client registration at this provider.
    console: Option<ConsoleClient>,
    keys: Arc<ProviderKeys>,
    /// By holder and rate limit: a holder with two kinds of tokens has a count for each limit.
    holders: Mutex<HashMap<(KeyId, u32), KnownHolder>>,
}

/// The signing keys of one issuer.
struct ProviderKeys {
    issuer: String,
    /// URL of the keys; `None`: as the issuer's discovery document says.
    jwks_uri: Option<Uri>,
    web: HttpClient,
    published: ArcSwapOption<PublishedKeys>,
    /// When the keys were last fetched, or a fetch was tried. The lock is held during a fetch, so that only one runs.
    fetched: tokio::sync::Mutex<Option<Instant>>,
    /// The sign-in endpoints, and when they were fetched. The lock is held during the fetch.
    endpoints: tokio::sync::Mutex<Option<(Instant, Option<OidcEndpoints>)>>,
}

/// The keys and the issuer name that were last fetched.
struct PublishedKeys {
    keys: JwkSet,
    /// `access_token_issuer` of its metadata (AD FS).
    access_token_issuer: Option<String>,
}

/// The endpoints that the console's sign-in uses.
#[derive(Clone)]
struct OidcEndpoints {
    authorization: String,
    token: String,
}

/// A holder of a valid token.
#[derive(Clone)]
pub(super) struct KnownHolder {
    pub(super) principal: Arc<Principal>,
    pub(super) until: DateTime<Utc>,
}

/// Why a token was not accepted.
#[derive(Debug)]
pub(super) enum TokenError {
    /// The token is not valid.
    Rejected(RejectedToken),
    /// The issuer's keys could not be fetched yet.
    ProviderUnavailable,
}

/// Why an issuer's keys or endpoints could not be fetched.
#[derive(Debug, thiserror::Error)]
enum ProviderError {
    /// A URL that no request may go to, of the issuer or in its discovery document.
    #[error(transparent)]
    Url(#[from] InvalidUrl),
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error("{0} has no key of a supported kind")]
    NoKey(Uri),
    #[error("{url} names another issuer: {issuer}")]
    OtherIssuer { url: Uri, issuer: String },
    #[error("the discovery document has no {0}")]
    NoEndpoint(&'static str),
}

/// The members that are read from a discovery document (OpenID Connect Discovery 1.0, section 3).
#[derive(Deserialize)]
struct DiscoveryDocument {
    issuer: String,
    jwks_uri: String,
    /// AD FS publishes `http://HOST/adfs/services/trust` here, beside the `issuer` `https://HOST/adfs`.
    access_token_issuer: Option<String>,
    authorization_endpoint: Option<String>,
    token_endpoint: Option<String>,
}

/// A key set as JSON values, so that one key of an unknown kind does not fail the others (RFC 7517, section 5).
#[derive(Deserialize)]
struct RawKeySet {
    keys: Vec<serde_json::Value>,
}

impl Provider {
    /// Creates a provider; its keys are fetched later.
    ///
    /// # Errors
    /// When TLS cannot be initialized.
    pub fn new(issuer: TrustedIssuer, keys_at: Option<Uri>) -> Result<Self, rustls::Error> {
        let keys = ProviderKeys {
            issuer: issuer.issuer.clone(),
            jwks_uri: keys_at,
            web: HttpClient::direct()?,
            published: ArcSwapOption::empty(),
            fetched: tokio::sync::Mutex::default(),
            endpoints: tokio::sync::Mutex::default(),
        };
        Ok(Self { issuer, console: None, keys: Arc::new(keys), holders: Mutex::default() })
    }

    /// The same issuer with another audience or other grants. Keeps the fetched keys.
    #[must_use]
    pub fn with_issuer(&self, issuer: TrustedIssuer) -> Self {
        let console = self.console.clone();
        Self { issuer, console, keys: self.keys.clone(), holders: Mutex::default() }
    }

    /// Sets the console's client registration.
    #[must_use]
    pub fn for_console(self, client: Option<ConsoleClient>) -> Self {
        Self { console: client, ..self }
    }

    /// What the console needs for signing in, if the endpoints can be fetched.
    pub(super) async fn sign_in_config(&self) -> Option<SignInConfig> {
        let ConsoleClient { id, scope } = self.console.clone()?;
        // In a task of its own, so that the fetch continues when the caller is gone.
        let asked = tokio::spawn(self.keys.clone().fetch_endpoints());
        let doors = tokio::time::timeout(ENDPOINTS_TIMEOUT, asked).await.ok()?.ok()??;
        Some(SignInConfig {
            client_id: id,
            scope,
            authorization_endpoint: doors.authorization,
            token_endpoint: doors.token,
        })
    }

    /// Fetches the keys if they are old or were never fetched.
    pub(super) async fn refresh(&self) {
        // Retries often until the first success.
        let pause = if self.keys.published.load().is_some() { REFETCH_INTERVAL } else { FETCH_INTERVAL_MIN };
        self.keys.clone().fetch(pause).await;
    }

    /// Verifies a token. Fetches the keys first if the token's key is unknown.
    pub(super) async fn admit(&self, token: &str, now: DateTime<Utc>) -> Result<KnownHolder, TokenError> {
        match self.keys.published.load_full().map(|shown| self.verify(token, &shown, now)) {
            Some(Ok(admitted)) => return Ok(self.remember(admitted, now)),
            Some(Err(RejectedToken::UnknownKey)) | None => {}
            Some(Err(other)) => return Err(TokenError::Rejected(other)),
        }
        // In a task of its own, so that the fetch continues when the caller is gone.
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

    /// Returns the holder's entry, so that its requests share one rate limit whatever token they use. The entry that expires
    /// first is dropped at the limit.
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
    /// Fetches the keys, unless that was tried less than `pause` ago.
    async fn fetch(self: Arc<Self>, pause: Duration) {
        let mut fetched = self.fetched.lock().await;
        if fetched.is_some_and(|at| at.elapsed() < pause) {
            return;
        }
        *fetched = Some(Instant::now());
        match self.fetch_keys().await {
            Ok(present) => self.published.store(Some(Arc::new(present))),
            Err(error) => {
                let why = error_chain(&error);
                tracing::error!(self.issuer, why, "cannot fetch the signing keys of the OpenID provider");
            }
        }
    }

    async fn fetch_keys(&self) -> Result<PublishedKeys, ProviderError> {
        let (at, access_token_issuer) = match &self.jwks_uri {
            Some(uri) => (uri.clone(), None),
            None => self.discover_jwks_uri().await?,
        };
        let shown: RawKeySet = self.web.get_json(&at).await?;
        let known = shown.keys.into_iter().take(KEYS_MAX).flat_map(serde_json::from_value);
        let keys = JwkSet { keys: known.collect() };
        if keys.keys.is_empty() {
            return Err(ProviderError::NoKey(at));
        }
        Ok(PublishedKeys { keys, access_token_issuer })
    }

    /// The sign-in endpoints; fetched again when old or missing.
    async fn fetch_endpoints(self: Arc<Self>) -> Option<OidcEndpoints> {
        let mut asked = self.endpoints.lock().await;
        if let Some((at, doors)) = &*asked
            && at.elapsed() < if doors.is_some() { REFETCH_INTERVAL } else { FETCH_INTERVAL_MIN }
        {
            return doors.clone();
        }
        let found = self.fetch_discovery_document().await.and_then(|described| described.endpoints());
        let doors = found
            .map_err(|error| {
                let why = error_chain(&error);
                tracing::error!(
                    self.issuer,
                    why,
                    "cannot fetch the sign-in endpoints; the console offers API keys only"
                );
            })
            .ok();
        *asked = Some((Instant::now(), doors.clone()));
        doors
    }

    /// Reads the URL of the keys from the discovery document, and the issuer of access tokens where that differs.
    async fn discover_jwks_uri(&self) -> Result<(Uri, Option<String>), ProviderError> {
        let described = self.fetch_discovery_document().await?;
        let keys_at = parse_url(&described.jwks_uri)?;
        let access_token_issuer =
            described.access_token_issuer.filter(|name| !name.is_empty() && name.len() <= ISSUER_MAX);
        Ok((keys_at, access_token_issuer))
    }

    async fn fetch_discovery_document(&self) -> Result<DiscoveryDocument, ProviderError> {
        let url = format!("{}/.well-known/openid-configuration", self.issuer.trim_end_matches('/'));
        let at = parse_url(&url)?;
        let described: DiscoveryDocument = self.web.get_json(&at).await?;
        // Section 4.3: the issuer must be identical, else another party's document would be trusted.
        if described.issuer != self.issuer {
            return Err(ProviderError::OtherIssuer { url: at, issuer: described.issuer });
        }
        Ok(described)
    }
}

impl DiscoveryDocument {
    fn endpoints(self) -> Result<OidcEndpoints, ProviderError> {
        let at = |url: Option<String>, what: &'static str| {
            let url = url.ok_or(ProviderError::NoEndpoint(what))?;
            parse_url(&url)?;
            Ok::<_, ProviderError>(url)
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
