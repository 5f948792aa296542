//! Bearer tokens (RFC 6750): one for all connections, fetched by one task at a time, renewed before it ends. Where they come
//! from is a [`Source`]'s business.
//!
//! Nobody waits for a renewal while the token in hand is good, and a source that refuses or is away is left alone for a
//! while, however many requests want a token.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Mutex as Turn;
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::basic::sensitive;
use super::{Credential, Denied, Dialogue, Leg, Next, challenge, schemes};
use crate::exchange::delivery::Failure;
use crate::exchange::secret::Secret;

/// A token is renewed when this much of its time is left, or a fifth of it when that is less.
const RENEW_BEFORE: Duration = Duration::from_secs(5 * 60);
/// A token younger than this that is refused is not worth fetching again: it would be the same.
const YOUNG: Duration = Duration::from_secs(30);
/// Longest token: it goes along with every request.
const TOKEN_BYTES_MAX: usize = 64 << 10;
/// How long a source that gave no token is left alone at first; doubles.
const REST_FIRST: Duration = Duration::from_secs(2);
/// … up to this.
const REST_MAX: Duration = Duration::from_secs(5 * 60);

/// A token and how long it is good for.
pub struct Token {
    /// As it is sent.
    pub secret: Secret,
    /// From now on.
    pub lifetime: Duration,
}

/// Where tokens come from.
#[async_trait]
pub trait Source: Send + Sync {
    /// A new token.
    ///
    /// # Errors
    /// Why there is none, as a [`Failure::SignIn`].
    async fn fetch(&self) -> Result<Token, Failure>;
}

/// Says a token in every request.
#[derive(Clone)]
pub struct Bearer {
    tokens: Arc<Tokens>,
}

struct Tokens {
    source: Box<dyn Source>,
    held: Mutex<Option<Held>>,
    /// Held by whoever fetches.
    fetching: Turn<Rest>,
}

#[derive(Clone)]
struct Held {
    header: http::HeaderValue,
    since: Instant,
    renew: Instant,
    until: Instant,
}

/// What the last attempts came to.
#[derive(Default)]
struct Rest {
    failed: Option<(Instant, Failure)>,
    in_a_row: u32,
}

impl Bearer {
    /// With tokens from there.
    pub fn new(source: Box<dyn Source>) -> Self {
        let tokens = Tokens { source, held: Mutex::new(None), fetching: Turn::default() };
        Self { tokens: Arc::new(tokens) }
    }
}

impl Credential for Bearer {
    fn dialogue(&self, _certificate: Option<&[u8]>) -> Box<dyn Dialogue> {
        Box::new(Word { tokens: self.tokens.clone(), said: None, again: false })
    }
}

/// What is said on one connection.
struct Word {
    tokens: Arc<Tokens>,
    said: Option<Held>,
    again: bool,
}

#[async_trait]
impl Dialogue for Word {
    async fn begin(&mut self) -> Result<Leg, Failure> {
        self.again = false;
        let held = self.tokens.good(None).await?;
        Ok(self.say(held))
    }

    async fn challenged(&mut self, challenges: &[&str]) -> Result<Next, Failure> {
        if challenge(challenges, "Bearer").is_none() && !challenges.is_empty() {
            return Ok(Next::Refused(Denied::Offers(schemes(challenges))));
        }
        let refused = self.said.take();
        let worn_out = refused.as_ref().is_some_and(|held| held.since.elapsed() >= YOUNG);
        if self.again || !worn_out {
            return Ok(Next::Refused(Denied::TokenNotAccepted("a fresh token (Bearer)")));
        }
        self.again = true;
        let held = self.tokens.good(refused.as_ref()).await?;
        if refused.is_some_and(|refused| refused.header == held.header) {
            return Ok(Next::Refused(Denied::TokenNotAccepted("the same token once more (Bearer)")));
        }
        Ok(Next::Again(self.say(held)))
    }
}

impl Word {
    fn say(&mut self, held: Held) -> Leg {
        let authorization = Some(held.header.clone());
        self.said = Some(held);
        Leg { authorization, body: true }
    }
}

impl Tokens {
    /// A token that is not this one, unless its source has no other.
    async fn good(self: &Arc<Self>, refused: Option<&Held>) -> Result<Held, Failure> {
        match self.usable(refused) {
            Some(held) if Instant::now() < held.renew => Ok(held),
            Some(held) => {
                self.renew_in_the_background();
                Ok(held)
            }
            None => self.fetch(refused).await,
        }
    }

    fn usable(&self, refused: Option<&Held>) -> Option<Held> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        let other = refused.is_none_or(|refused| refused.header != held.header);
        (other && Instant::now() < held.until).then_some(held)
    }

    /// The same token, if somebody asked for another one after it was said.
    fn fetched_since(&self, refused: Option<&Held>) -> Option<Held> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        refused.is_some_and(|refused| held.since > refused.since).then_some(held)
    }

    fn renew_in_the_background(self: &Arc<Self>) {
        if self.fetching.try_lock().is_err() {
            return; // somebody is at it
        }
        let tokens = self.clone();
        tokio::spawn(async move {
            let _ = tokens.fetch(None).await; // the token in hand is still good; the next request tries again
        });
    }

    /// Waits for whoever fetches already, and takes what they got.
    async fn fetch(&self, refused: Option<&Held>) -> Result<Held, Failure> {
        let mut rest = self.fetching.lock().await;
        if let Some(held) = self.usable(refused).filter(|held| Instant::now() < held.renew) {
            return Ok(held);
        }
        if let Some(held) = self.fetched_since(refused) {
            return Ok(held);
        }
        if let Some((until, failure)) = &rest.failed
            && Instant::now() < *until
        {
            return Err(failure.clone());
        }
        match self.source.fetch().await.and_then(hold) {
            Ok(held) => {
                *rest = Rest::default();
                *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(held.clone());
                Ok(held)
            }
            Err(failure) => {
                let pause = REST_FIRST.saturating_mul(1 << rest.in_a_row.min(16)).min(REST_MAX);
                rest.in_a_row = rest.in_a_row.saturating_add(1);
                rest.failed = Some((Instant::now() + pause.max(failure.retry_after()), failure.clone()));
                Err(failure)
            }
        }
    }
}

fn hold(token: Token) -> Result<Held, Failure> {
    let text = Zeroizing::new(format!("Bearer {}", token.secret.expose()));
    let bad = || Failure::sign_in("what came as a token is none: it cannot stand in a header");
    let fits = (1..=TOKEN_BYTES_MAX).contains(&token.secret.expose().len());
    let header = sensitive(&text).filter(|_| fits).ok_or_else(bad)?;
    let since = Instant::now();
    let until = since + token.lifetime;
    let renew = since + token.lifetime.saturating_sub(RENEW_BEFORE.min(token.lifetime / 5));
    Ok(Held { header, since, renew, until })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// Gives out 1, 2, 3 …; or nothing.
    #[derive(Clone, Default)]
    struct Counter {
        asked: Arc<AtomicU32>,
        broken: bool,
        /// It has one token only.
        stuck: bool,
    }

    #[async_trait]
    impl Source for Counter {
        async fn fetch(&self) -> Result<Token, Failure> {
            let number = self.asked.fetch_add(1, Ordering::Relaxed) + 1;
            tokio::time::sleep(Duration::from_millis(200)).await;
            if self.broken {
                return Err(Failure::sign_in("no"));
            }
            let number = if self.stuck { 1 } else { number };
            Ok(Token { secret: Secret::new(number.to_string()), lifetime: Duration::from_secs(3600) })
        }
    }

    async fn said(bearer: &Bearer) -> String {
        let leg = bearer.dialogue(None).begin().await.unwrap();
        leg.authorization.unwrap().to_str().unwrap().to_owned()
    }

    #[test]
    fn a_token_of_no_usable_length_is_none() {
        let of = |bytes: usize| {
            let (secret, lifetime) = (Secret::new("x".repeat(bytes)), Duration::from_secs(60));
            hold(Token { secret, lifetime })
        };
        assert!(of(0).is_err() && of(TOKEN_BYTES_MAX + 1).is_err() && of(TOKEN_BYTES_MAX).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_hundred_requests_at_once_fetch_one_token() {
        let source = Counter::default();
        let bearer = Arc::new(Bearer::new(Box::new(source.clone())));
        let all = (0..100).map(|_| {
            let bearer = bearer.clone();
            tokio::spawn(async move { said(&bearer).await })
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
        said(&bearer).await;
        tokio::time::sleep(Duration::from_secs(3600 - 240)).await;
        let before = Instant::now();
        assert_eq!(said(&bearer).await, "Bearer 1");
        assert_eq!(said(&bearer).await, "Bearer 1");
        assert_eq!(before.elapsed(), Duration::ZERO);
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(said(&bearer).await, "Bearer 2");
        assert_eq!(source.asked.load(Ordering::Relaxed), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_source_that_gives_none_is_left_alone_for_a_while() {
        let source = Counter { broken: true, ..Counter::default() };
        let bearer = Bearer::new(Box::new(source.clone()));
        for _ in 0..1000 {
            bearer.dialogue(None).begin().await.unwrap_err();
        }
        assert_eq!(source.asked.load(Ordering::Relaxed), 1);
        tokio::time::sleep(Duration::from_secs(3)).await;
        bearer.dialogue(None).begin().await.unwrap_err();
        assert_eq!(source.asked.load(Ordering::Relaxed), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_token_is_replaced_once_and_a_young_one_never() {
        let source = Counter::default();
        let bearer = Bearer::new(Box::new(source.clone()));
        let mut word = bearer.dialogue(None);
        word.begin().await.unwrap();
        assert!(matches!(word.challenged(&["Bearer"]).await.unwrap(), Next::Refused(_)));
        tokio::time::sleep(YOUNG).await;
        word.begin().await.unwrap();
        let Next::Again(leg) = word.challenged(&["Bearer"]).await.unwrap() else { panic!("gave up") };
        assert_eq!(leg.authorization.unwrap(), "Bearer 2");
        assert!(matches!(word.challenged(&["Bearer"]).await.unwrap(), Next::Refused(_)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_source_that_has_no_other_token_is_asked_once_for_all_whose_token_was_refused() {
        let source = Counter { stuck: true, ..Counter::default() };
        let bearer = Bearer::new(Box::new(source.clone()));
        let mut words: Vec<_> = (0..8).map(|_| bearer.dialogue(None)).collect();
        for word in &mut words {
            word.begin().await.unwrap();
        }
        tokio::time::sleep(YOUNG).await;
        let heard =
            words.into_iter().map(|mut word| tokio::spawn(async move { word.challenged(&["Bearer"]).await }));
        for one in heard.collect::<Vec<_>>() {
            let Next::Refused(denied) = one.await.unwrap().unwrap() else { panic!("said again") };
            assert_eq!(denied.to_string(), "after the same token once more (Bearer)");
        }
        assert_eq!(source.asked.load(Ordering::Relaxed), 2);
    }
}
