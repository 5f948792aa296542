//! Windows sign-in: NTLM (MS-NTHT, MS-NLMP; version 2 only) and Negotiate (RFC 4559), which is Kerberos where a KDC is to be
//! had and NTLM else. The messages are `sspi`'s; whose turn it is, the body, and the channel binding are decided here.
//!
//! The sign-in belongs to the TCP connection: nothing more is said on it once it is known. What `sspi` does with foreign
//! bytes happens in a task of its own, so that not even a panic in there is one of ours.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::HeaderValue;
use tokio::time::Instant;
use tracing::warn;

use super::basic::sensitive;
use super::binding::{self, ChannelBinding};
use super::first::{First, Going, Leave};
use super::sspi_step::{Context, Identity, Stuck};
use super::{Credential, Denied, Dialogue, Leg, Next, challenge, schemes};
use crate::exchange::delivery::Failure;
use crate::exchange::secret::Secret;

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum WindowsScheme {
    Ntlm,
    Negotiate,
}

/// What proves who we are.
#[derive(Debug, Clone)]
pub enum Proof {
    /// For both schemes.
    Password(Secret),
    /// For Negotiate with Kerberos: a key of the account's keytab.
    Key(super::keytab::Key),
}

/// A Windows account.
#[derive(Debug, Clone)]
pub struct Windows {
    /// Which scheme is spoken.
    pub scheme: WindowsScheme,
    /// `DOMAIN\name` or `name@domain`.
    pub username: String,
    /// What proves it.
    pub proof: Proof,
    /// Whether the sign-in is bound to its connection.
    pub binding: ChannelBinding,
    /// Where tickets come from, as `tcp://dc1.example.com:88`; without it, what `/etc/krb5.conf` says.
    pub kdc: Option<String>,
}

/// The account towards one server.
pub(in crate::exchange) struct Account {
    windows: Windows,
    identity: Identity,
    /// `HTTP/host`: the service for which a ticket is asked.
    service: String,
    learnt: Mutex<Learnt>,
    first: Arc<First>,
    /// The turn of one that was refused with its binding, for the one that goes without.
    again: Mutex<Option<Going>>,
}

/// What the server made of the channel binding (`auto` only).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Learnt {
    Nothing,
    /// It was accepted once: it is never left out any more.
    Bound,
    /// It was refused; whether it is accepted without is being found out.
    Trying,
    /// Accepted without, refused with.
    Unbound,
    /// Refused both ways at this time: the password is wrong, and each further try counts towards a lock.
    Neither(Instant),
}

/// What a refusal or its opposite leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    Nothing,
    /// Once more, without the binding.
    Unbound,
    /// It is accepted without, for the first time.
    Warn,
}

/// How long a password that was refused both ways is not tried without the binding again.
const NEITHER_FOR: Duration = Duration::from_secs(20 * 60);

impl Learnt {
    /// What follows when a sign-in that was, or was not, bound is, or is not, accepted.
    fn hears(&mut self, bound: bool, accepted: bool) -> Then {
        let (next, then) = match (*self, bound, accepted) {
            (_, true, true) => (Self::Bound, Then::Nothing),
            (Self::Nothing, true, false) => (Self::Trying, Then::Unbound),
            (Self::Neither(since), true, false) if since.elapsed() >= NEITHER_FOR => {
                (Self::Trying, Then::Unbound)
            }
            (Self::Trying, false, true) => (Self::Unbound, Then::Warn),
            (Self::Trying, false, false) => (Self::Neither(Instant::now()), Then::Nothing),
            (same, ..) => (same, Then::Nothing),
        };
        *self = next;
        then
    }
}

impl WindowsScheme {
    fn name(self) -> &'static str {
        match self {
            Self::Ntlm => "NTLM",
            Self::Negotiate => "Negotiate",
        }
    }
}

impl Account {
    /// Towards the server of this host name.
    pub(in crate::exchange) fn new(windows: Windows, host: &str) -> Result<Self, String> {
        let identity = Identity::new(&windows)?;
        let service = format!("HTTP/{host}");
        let (learnt, first, again) = (Mutex::new(Learnt::Nothing), Arc::default(), Mutex::default());
        Ok(Self { windows, identity, service, learnt, first, again })
    }

    /// Whether to sign in now.
    async fn enter(&self) -> Leave {
        let again = self.again.lock().unwrap_or_else(PoisonError::into_inner).take();
        match again {
            Some(going) => Leave::Going(going),
            None => self.first.enter().await,
        }
    }

    fn learnt(&self) -> MutexGuard<'_, Learnt> {
        self.learnt.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn binds(&self) -> bool {
        match self.windows.binding {
            ChannelBinding::Require => true,
            ChannelBinding::Off => false,
            ChannelBinding::Auto => !matches!(*self.learnt(), Learnt::Trying | Learnt::Unbound),
        }
    }
}

impl Credential for Arc<Account> {
    fn dialogue(&self, certificate: Option<&[u8]>) -> Box<dyn Dialogue> {
        let token = certificate.filter(|_| self.binds()).and_then(binding::token);
        Box::new(Handshake { account: self.clone(), token, stage: Stage::Start, going: None })
    }
}

/// The sign-in of one connection.
struct Handshake {
    account: Arc<Account>,
    /// The channel binding of this connection, if it is sent.
    token: Option<Vec<u8>>,
    stage: Stage,
    /// While others wait for what this one comes to.
    going: Option<Going>,
}

enum Stage {
    Start,
    /// The first word was said.
    Opened(Box<Context>),
    /// All was said; the server has to make up its mind.
    Said(Option<Box<Context>>),
    /// The connection is known.
    Known,
    /// Others were refused a moment ago: nothing is said.
    Silent(Denied),
}

#[async_trait]
impl Dialogue for Handshake {
    async fn begin(&mut self) -> Result<Leg, Failure> {
        if matches!(self.stage, Stage::Known) {
            return Ok(Leg { authorization: None, body: true });
        }
        if self.account.windows.binding == ChannelBinding::Require && self.token.is_none() {
            return Err(Failure::sign_in(
                "channel_binding = \"require\", but this connection has no certificate that can be bound to",
            ));
        }
        match self.account.enter().await {
            Leave::Free => {}
            Leave::Going(going) => self.going = Some(going),
            Leave::Failed(failure) => return Err(failure),
            Leave::Denied(denied) => {
                self.stage = Stage::Silent(denied);
                return Ok(Leg { authorization: None, body: false });
            }
        }
        let opened = self.open().await;
        if let Err(failure) = &opened
            && let Some(going) = self.going.take()
        {
            going.failed(failure);
        }
        opened
    }

    async fn challenged(&mut self, challenges: &[&str]) -> Result<Next, Failure> {
        let word = challenge(challenges, self.scheme()).filter(|word| !word.is_empty());
        let word = word.and_then(|word| BASE64_STANDARD.decode(word).ok());
        match (std::mem::replace(&mut self.stage, Stage::Start), word) {
            (Stage::Opened(context) | Stage::Said(Some(context)), Some(word)) => {
                let (context, answer) = self.step(context, Some(word)).await?;
                let leg = Leg { authorization: self.header(&answer)?, body: true };
                self.stage = Stage::Said(context.goes_on().then_some(context));
                Ok(Next::Again(leg))
            }
            (Stage::Said(_), _) => Ok(self.refused()),
            // The server forgot the connection.
            (Stage::Known, _) => {
                let leg = self.begin().await?;
                Ok(match std::mem::replace(&mut self.stage, Stage::Start) {
                    Stage::Silent(denied) => Next::Refused(denied),
                    stage => {
                        self.stage = stage;
                        Next::Again(leg)
                    }
                })
            }
            (Stage::Silent(denied), _) => Ok(Next::Refused(denied)),
            (Stage::Start | Stage::Opened(_), _) if challenge(challenges, self.scheme()).is_none() => {
                Ok(Next::Refused(Denied::Offers(schemes(challenges))))
            }
            (Stage::Start | Stage::Opened(_), _) => {
                Ok(Next::Refused(Denied::NotAccepted("the first word of it")))
            }
        }
    }

    fn accepted(&mut self) {
        let said = matches!(self.stage, Stage::Said(_));
        // Without all being said, the server does not ask who comes.
        self.stage = Stage::Known;
        if said {
            self.account.first.was_let_in();
            if self.account.windows.binding == ChannelBinding::Auto
                && self.account.learnt().hears(self.token.is_some(), true) == Then::Warn
            {
                warn!(
                    service = self.account.service,
                    "Exchange accepts the sign-in only without channel binding: another machine than Exchange ends TLS here (a \
                     load balancer, a proxy) with another certificate; give it Exchange's certificate, or set \
                     channel_binding = \"off\""
                );
            }
        }
        self.going = None;
    }

    fn is_settled(&self) -> bool {
        matches!(self.stage, Stage::Known)
    }
}

impl Handshake {
    fn scheme(&self) -> &'static str {
        self.account.windows.scheme.name()
    }

    fn header(&self, word: &[u8]) -> Result<Option<HeaderValue>, Failure> {
        if word.is_empty() {
            return Err(Failure::sign_in("the sign-in came to an end before the server was content"));
        }
        Ok(sensitive(&format!("{} {}", self.scheme(), BASE64_STANDARD.encode(word))))
    }

    /// Our first word.
    async fn open(&mut self) -> Result<Leg, Failure> {
        let context = Context::new(&self.account.windows).map_err(|stuck| Failure::sign_in(&stuck.why))?;
        let (context, word) = self.step(Box::new(context), None).await?;
        let whole = context.is_said_in_one();
        let leg = Leg { authorization: self.header(&word)?, body: whole };
        self.stage = if whole { Stage::Said(Some(context)) } else { Stage::Opened(context) };
        Ok(leg)
    }

    /// All was said, and it is no.
    fn refused(&mut self) -> Next {
        let auto = self.account.windows.binding == ChannelBinding::Auto;
        let bound = self.token.is_some();
        if auto && self.account.learnt().hears(bound, false) == Then::Unbound {
            if let Some(going) = self.going.take() {
                *self.account.again.lock().unwrap_or_else(PoisonError::into_inner) = Some(going);
            }
            return Next::Afresh;
        }
        let denied = Denied::NotAccepted(match (self.account.windows.scheme, bound, auto) {
            (WindowsScheme::Ntlm, true, _) => "a complete NTLM handshake with channel binding",
            (WindowsScheme::Ntlm, false, true) => "complete NTLM handshakes with and without channel binding",
            (WindowsScheme::Ntlm, false, false) => "a complete NTLM handshake without channel binding",
            (WindowsScheme::Negotiate, true, _) => "a complete Negotiate handshake with channel binding",
            (WindowsScheme::Negotiate, false, true) => {
                "complete Negotiate handshakes with and without channel binding"
            }
            (WindowsScheme::Negotiate, false, false) => {
                "a complete Negotiate handshake without channel binding"
            }
        });
        if let Some(going) = self.going.take() {
            going.denied(&denied);
        }
        Next::Refused(denied)
    }

    async fn step(
        &self,
        context: Box<Context>,
        word: Option<Vec<u8>>,
    ) -> Result<(Box<Context>, Vec<u8>), Failure> {
        let (account, token) = (self.account.clone(), self.token.clone());
        let stepped = tokio::task::spawn_blocking(move || {
            let mut context = context;
            let word = context.step(&account.identity, &account.service, token.as_deref(), word)?;
            Ok::<_, Stuck>((context, word))
        });
        let scheme = self.scheme();
        match stepped.await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(Stuck { away, why })) => Err(Failure::SignIn {
                lasting: !away,
                why: format!("{scheme}: {why}"),
                retry_after: Duration::ZERO,
            }),
            Err(_) => Err(Failure::sign_in(&format!("{scheme}: the server's challenge cannot be read"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_wrong_password_is_tried_without_the_binding_once_in_twenty_minutes() {
        let mut learnt = Learnt::Nothing;
        let mut handshakes = 0;
        for _ in 0..10 {
            handshakes += 1;
            if learnt.hears(true, false) == Then::Unbound {
                handshakes += 1;
                assert_eq!(learnt.hears(false, false), Then::Nothing);
            }
        }
        assert_eq!(handshakes, 11);
        tokio::time::sleep(NEITHER_FOR).await;
        assert_eq!(learnt.hears(true, false), Then::Unbound);
    }

    #[tokio::test]
    async fn what_was_accepted_bound_is_never_left_out_whatever_comes_in_between() {
        let mut learnt = Learnt::Nothing;
        // Two at once: one is refused by an overload, the other is let in.
        assert_eq!(learnt.hears(true, false), Then::Unbound);
        assert_eq!(learnt.hears(true, true), Then::Nothing);
        assert_eq!(learnt, Learnt::Bound);
        assert_eq!(learnt.hears(false, true), Then::Nothing);
        assert_eq!(learnt.hears(true, false), Then::Nothing);
        assert_eq!(learnt, Learnt::Bound);
    }
}
