//! Bearer tokens (RFC 6750): one cached token for all connections, fetched by one task at a time and renewed before it
//! expires. A [`TokenSource`] fetches it; this file sends nothing itself.
//!
//! No request waits for a renewal while the cached token is valid. After a failed fetch the source is not called again
//! during a back-off, however many requests need a token.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Mutex as AsyncMutex;
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::basic::sensitive;
use super::challenge_of;
use crate::http::auth::{AuthRejection, AuthRound, AuthSession, ChallengeAction, Credential, scheme_names};
use crate::http::error::TransportError;
use crate::secret::Secret;

/// A token is renewed when this much of its lifetime is left, or a fifth of the lifetime if that is less.
const RENEW_BEFORE: Duration = Duration::from_secs(5 * 60);
/// A rejected token that is younger than this is not fetched again: the source would return the same one.
const REFETCH_AGE_MIN: Duration = Duration::from_secs(30);
/// Longest token, since every request carries it.
const TOKEN_BYTES_MAX: usize = 64 << 10;
/// First back-off after a failed fetch; doubles …
const FETCH_BACKOFF_FIRST: Duration = Duration::from_secs(2);
/// … up to this.
const FETCH_BACKOFF_MAX: Duration = Duration::from_secs(5 * 60);

/// An access token and its lifetime.
pub(crate) struct AccessToken {
    /// The token.
    pub secret: Secret,
    /// Lifetime from now on.
    pub lifetime: Duration,
}

/// Fetches access tokens.
#[async_trait]
pub(crate) trait TokenSource: Send + Sync {
    /// Fetches a new token.
    ///
    /// # Errors
    /// Why none was returned, as a [`TransportError::SignIn`].
    async fn fetch(&self) -> Result<AccessToken, TransportError>;
}

/// Sends a bearer token with every request.
#[derive(Clone)]
pub(crate) struct Bearer {
    tokens: Arc<TokenCache>,
}

struct TokenCache {
    source: Box<dyn TokenSource>,
    cached: Mutex<Option<CachedToken>>,
    /// Held by the task that fetches.
    fetching: AsyncMutex<FetchBackoff>,
}

#[derive(Clone)]
struct CachedToken {
    header: http::HeaderValue,
    fetched_at: Instant,
    renew_at: Instant,
    expires_at: Instant,
}

/// Result of the last fetches.
#[derive(Default)]
struct FetchBackoff {
    failed: Option<(Instant, TransportError)>,
    in_a_row: u32,
}

impl Bearer {
    /// With tokens from this source.
    pub(crate) fn new(source: Box<dyn TokenSource>) -> Self {
        let tokens = TokenCache { source, cached: Mutex::new(None), fetching: AsyncMutex::default() };
        Self { tokens: Arc::new(tokens) }
    }
}

impl Credential for Bearer {
    fn session(&self, _certificate: Option<&[u8]>) -> Box<dyn AuthSession> {
        Box::new(BearerSession { tokens: self.tokens.clone(), sent: None, was_retried: false })
    }
}

/// The authentication state of one connection.
struct BearerSession {
    tokens: Arc<TokenCache>,
    sent: Option<CachedToken>,
    was_retried: bool,
}

#[async_trait]
impl AuthSession for BearerSession {
    async fn first_round(&mut self) -> Result<AuthRound, TransportError> {
        self.was_retried = false;
        let cached = self.tokens.valid_token(None).await?;
        Ok(self.round_with(cached))
    }

    async fn on_challenge(&mut self, challenges: &[&str]) -> Result<ChallengeAction, TransportError> {
        if challenge_of(challenges, "Bearer").is_none() && !challenges.is_empty() {
            return Ok(ChallengeAction::Reject(AuthRejection::Offers(scheme_names(challenges))));
        }
        let rejected = self.sent.take();
        let is_expired =
            rejected.as_ref().is_some_and(|cached| cached.fetched_at.elapsed() >= REFETCH_AGE_MIN);
        if self.was_retried || !is_expired {
            return Ok(ChallengeAction::Reject(AuthRejection::TokenNotAccepted("a fresh token (Bearer)")));
        }
        self.was_retried = true;
        let cached = self.tokens.valid_token(rejected.as_ref()).await?;
        if rejected.is_some_and(|rejected| rejected.header == cached.header) {
            return Ok(ChallengeAction::Reject(AuthRejection::TokenNotAccepted(
                "the same token once more (Bearer)",
            )));
        }
        Ok(ChallengeAction::Retry(self.round_with(cached)))
    }
}

impl BearerSession {
    fn round_with(&mut self, cached: CachedToken) -> AuthRound {
        let authorization = Some(cached.header.clone());
        self.sent = Some(cached);
        AuthRound { authorization, with_body: true }
    }
}

impl TokenCache {
    /// A valid token other than the rejected one, unless the source has no other.
    async fn valid_token(
        self: &Arc<Self>,
        rejected: Option<&CachedToken>,
    ) -> Result<CachedToken, TransportError> {
        match self.usable(rejected) {
            Some(cached) if Instant::now() < cached.renew_at => Ok(cached),
            Some(cached) => {
                self.renew_in_the_background();
                Ok(cached)
            }
            None => self.fetch(rejected).await,
        }
    }

    fn usable(&self, rejected: Option<&CachedToken>) -> Option<CachedToken> {
        let cached = self.cached.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        let other = rejected.is_none_or(|rejected| rejected.header != cached.header);
        (other && Instant::now() < cached.expires_at).then_some(cached)
    }

    /// The cached token, if another request fetched it after the rejected one, even if it is the same.
    fn fetched_since(&self, rejected: Option<&CachedToken>) -> Option<CachedToken> {
        let cached = self.cached.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        rejected.is_some_and(|rejected| cached.fetched_at > rejected.fetched_at).then_some(cached)
    }

    fn renew_in_the_background(self: &Arc<Self>) {
        if self.fetching.try_lock().is_err() {
            return; // a fetch is under way
        }
        let tokens = self.clone();
        tokio::spawn(async move {
            let _ = tokens.fetch(None).await; // the cached token is still valid; the next request tries again
        });
    }

    /// Fetches a token, or waits for a fetch under way and takes its result.
    async fn fetch(&self, rejected: Option<&CachedToken>) -> Result<CachedToken, TransportError> {
        let mut backoff = self.fetching.lock().await;
        if let Some(cached) = self.usable(rejected).filter(|cached| Instant::now() < cached.renew_at) {
            return Ok(cached);
        }
        if let Some(cached) = self.fetched_since(rejected) {
            return Ok(cached);
        }
        if let Some((until, failure)) = &backoff.failed
            && Instant::now() < *until
        {
            return Err(failure.clone());
        }
        match self.source.fetch().await.and_then(to_cached) {
            Ok(cached) => {
                *backoff = FetchBackoff::default();
                *self.cached.lock().unwrap_or_else(PoisonError::into_inner) = Some(cached.clone());
                Ok(cached)
            }
            Err(failure) => {
                let pause =
                    FETCH_BACKOFF_FIRST.saturating_mul(1 << backoff.in_a_row.min(16)).min(FETCH_BACKOFF_MAX);
                backoff.in_a_row = backoff.in_a_row.saturating_add(1);
                backoff.failed = Some((Instant::now() + pause.max(failure.retry_after()), failure.clone()));
                Err(failure)
            }
        }
    }
}

fn to_cached(token: AccessToken) -> Result<CachedToken, TransportError> {
    let text = Zeroizing::new(format!("Bearer {}", token.secret.expose()));
    let bad = || {
        TransportError::sign_in(
            "the fetched token is empty, too long, or has characters that no HTTP header may contain",
        )
    };
    let fits = (1..=TOKEN_BYTES_MAX).contains(&token.secret.expose().len());
    let header = sensitive(&text).filter(|_| fits).ok_or_else(bad)?;
    let since = Instant::now();
    let until = since + token.lifetime;
    let renew = since + token.lifetime.saturating_sub(RENEW_BEFORE.min(token.lifetime / 5));
    Ok(CachedToken { header, fetched_at: since, renew_at: renew, expires_at: until })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// Returns the tokens 1, 2, 3 …; or an error.
    #[derive(Clone, Default)]
    struct Counter {
        asked: Arc<AtomicU32>,
        broken: bool,
        /// It returns the same token every time.
        stuck: bool,
    }

    #[async_trait]
    impl TokenSource for Counter {
        async fn fetch(&self) -> Result<AccessToken, TransportError> {
            let number = self.asked.fetch_add(1, Ordering::Relaxed) + 1;
            tokio::time::sleep(Duration::from_millis(200)).await;
            if self.broken {
                return Err(TransportError::sign_in("no"));
            }
            let number = if self.stuck { 1 } else { number };
            Ok(AccessToken { secret: Secret::new(number.to_string()), lifetime: Duration::from_secs(3600) })
        }
    }

    async fn authorization_of(bearer: &Bearer) -> String {
        let round = bearer.session(None).first_round().await.unwrap();
        round.authorization.unwrap().to_str().unwrap().to_owned()
    }

    #[test]
    fn a_token_of_no_usable_length_is_none() {
        let of = |bytes: usize| {
            let (secret, lifetime) = (Secret::new("x".repeat(bytes)), Duration::from_secs(60));
            to_cached(AccessToken { secret, lifetime })
        };
        assert!(of(0).is_err() && of(TOKEN_BYTES_MAX + 1).is_err() && of(TOKEN_BYTES_MAX).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_hundred_requests_at_once_fetch_one_token() {
        let source = Counter::default();
        let bearer = Arc::new(Bearer::new(Box::new(source.clone())));
        let all = (0..100).map(|_| {
            let bearer = bearer.clone();
            tokio::spawn(async move { authorization_of(&bearer).await })
        });
        for one in all.collect::<Vec<_>>() {
            assert_eq!(one.await.unwrap(), "Bearer 1");
        }
        assert_eq!(source.asked.load(Ordering::Relaxed), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_renewed_before_it_ends_and_nobody_waits() {
        let source = Counter::default();
        let bearer = Bearer::new(Box::new(source.clone()));
        authorization_of(&bearer).await;
        tokio::time::sleep(Duration::from_secs(3600 - 240)).await;
        let before = Instant::now();
        assert_eq!(authorization_of(&bearer).await, "Bearer 1");
        assert_eq!(authorization_of(&bearer).await, "Bearer 1");
        assert_eq!(before.elapsed(), Duration::ZERO);
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(authorization_of(&bearer).await, "Bearer 2");
        assert_eq!(source.asked.load(Ordering::Relaxed), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_source_that_gives_none_is_left_alone_for_a_while() {
        let source = Counter { broken: true, ..Counter::default() };
        let bearer = Bearer::new(Box::new(source.clone()));
        for _ in 0..1000 {
            bearer.session(None).first_round().await.unwrap_err();
        }
        assert_eq!(source.asked.load(Ordering::Relaxed), 1);
        tokio::time::sleep(Duration::from_secs(3)).await;
        bearer.session(None).first_round().await.unwrap_err();
        assert_eq!(source.asked.load(Ordering::Relaxed), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_token_is_replaced_once_and_a_young_one_never() {
        let source = Counter::default();
        let bearer = Bearer::new(Box::new(source.clone()));
        let mut session = bearer.session(None);
        session.first_round().await.unwrap();
        assert!(matches!(session.on_challenge(&["Bearer"]).await.unwrap(), ChallengeAction::Reject(_)));
        tokio::time::sleep(REFETCH_AGE_MIN).await;
        session.first_round().await.unwrap();
        let ChallengeAction::Retry(round) = session.on_challenge(&["Bearer"]).await.unwrap() else {
            panic!("gave up")
        };
        assert_eq!(round.authorization.unwrap(), "Bearer 2");
        assert!(matches!(session.on_challenge(&["Bearer"]).await.unwrap(), ChallengeAction::Reject(_)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_source_that_has_no_other_token_is_asked_once_for_all_whose_token_was_refused() {
        let source = Counter { stuck: true, ..Counter::default() };
        let bearer = Bearer::new(Box::new(source.clone()));
        let mut sessions: Vec<_> = (0..8).map(|_| bearer.session(None)).collect();
        for session in &mut sessions {
            session.first_round().await.unwrap();
        }
        tokio::time::sleep(REFETCH_AGE_MIN).await;
        let results = sessions
            .into_iter()
            .map(|mut session| tokio::spawn(async move { session.on_challenge(&["Bearer"]).await }));
        for one in results.collect::<Vec<_>>() {
            let ChallengeAction::Reject(rejection) = one.await.unwrap().unwrap() else {
                panic!("said again")
            };
            assert_eq!(rejection.to_string(), "after the same token once more (Bearer)");
        }
        assert_eq!(source.asked.load(Ordering::Relaxed), 2);
    }
}
