//! Windows authentication: NTLM (MS-NTHT, MS-NLMP; version 2 only) and Negotiate (RFC 4559), which uses Kerberos if a
//! KDC is available and NTLM otherwise. The `sspi` crate makes the messages; this file decides when a message is sent,
//! with which body, and whether with channel binding.
//!
//! The sign-in belongs to the TCP connection: an authenticated connection needs no further header. `sspi` parses bytes
//! from the server in a task of its own, so that even a panic in it cannot stop the service.

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
use super::challenge_of;
use super::single_flight::{LeaderPermit, SignInAdmission, SignInGate};
use super::sspi::{SspiContext, SspiCredentials, SspiError};
use super::windows_settings::{Windows, WindowsScheme, WindowsSettingsError};
use crate::http::auth::{AuthRejection, AuthRound, AuthSession, ChallengeAction, Credential, scheme_names};
use crate::http::error::TransportError;

/// The account at one server.
pub(crate) struct WindowsAccount {
    windows: Windows,
    identity: SspiCredentials,
    /// Service principal name, `HTTP/host`, that a ticket is requested for.
    service: String,
    binding_state: Mutex<BindingState>,
    gate: Arc<SignInGate>,
    /// The leader permit of a sign-in that was rejected with channel binding, for the retry without it.
    unbound_retry: Mutex<Option<LeaderPermit>>,
}

/// How the server treats channel binding (`auto` only).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BindingState {
    Unknown,
    /// Accepted once, so it is never omitted again.
    Bound,
    /// Rejected; a sign-in without it is under way.
    TryingUnbound,
    /// Accepted without it, rejected with it.
    Unbound,
    /// Rejected both ways at this time: the password is wrong, and each further attempt counts towards lockout.
    BothRejected(Instant),
}

/// What to do after a sign-in was accepted or rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BindingAction {
    Nothing,
    /// Retry once without channel binding.
    RetryUnbound,
    /// Warn: accepted without channel binding for the first time.
    Warn,
}

/// How long a password that was rejected both ways is not tried without channel binding again.
const UNBOUND_RETRY_INTERVAL: Duration = Duration::from_secs(20 * 60);

impl BindingState {
    /// Records whether a sign-in, with or without channel binding, was accepted; returns what to do next.
    fn observe(&mut self, bound: bool, accepted: bool) -> BindingAction {
        let (next, action) = match (*self, bound, accepted) {
            (_, true, true) => (Self::Bound, BindingAction::Nothing),
            (Self::Unknown, true, false) => (Self::TryingUnbound, BindingAction::RetryUnbound),
            (Self::BothRejected(since), true, false) if since.elapsed() >= UNBOUND_RETRY_INTERVAL => {
                (Self::TryingUnbound, BindingAction::RetryUnbound)
            }
            (Self::TryingUnbound, false, true) => (Self::Unbound, BindingAction::Warn),
            (Self::TryingUnbound, false, false) => {
                (Self::BothRejected(Instant::now()), BindingAction::Nothing)
            }
            (same, ..) => (same, BindingAction::Nothing),
        };
        *self = next;
        action
    }
}

impl WindowsAccount {
    /// The account at the server of this host name.
    pub(super) fn new(windows: Windows, host: &str) -> Result<Self, WindowsSettingsError> {
        let identity = SspiCredentials::new(&windows)?;
        let service = format!("HTTP/{host}");
        let (binding_state, gate, unbound_retry) =
            (Mutex::new(BindingState::Unknown), Arc::default(), Mutex::default());
        Ok(Self { windows, identity, service, binding_state, gate, unbound_retry })
    }

    /// Waits for permission to sign in.
    async fn admit(&self) -> SignInAdmission {
        let unbound_retry = self.unbound_retry.lock().unwrap_or_else(PoisonError::into_inner).take();
        match unbound_retry {
            Some(leader) => SignInAdmission::Leader(leader),
            None => self.gate.admit().await,
        }
    }

    fn binding_state(&self) -> MutexGuard<'_, BindingState> {
        self.binding_state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sends_binding(&self) -> bool {
        match self.windows.binding {
            ChannelBinding::Require => true,
            ChannelBinding::Off => false,
            ChannelBinding::Auto => {
                !matches!(*self.binding_state(), BindingState::TryingUnbound | BindingState::Unbound)
            }
        }
    }
}

impl Credential for Arc<WindowsAccount> {
    fn session(&self, certificate: Option<&[u8]>) -> Box<dyn AuthSession> {
        let token = certificate.filter(|_| self.sends_binding()).and_then(binding::token);
        Box::new(WindowsSession {
            account: self.clone(),
            binding_token: token,
            stage: WindowsStage::Start,
            leader: None,
        })
    }
}

/// The sign-in of one connection.
struct WindowsSession {
    account: Arc<WindowsAccount>,
    /// Channel-binding token of this connection, if it is sent.
    binding_token: Option<Vec<u8>>,
    stage: WindowsStage,
    /// Held while other sign-ins wait for the result of this one.
    leader: Option<LeaderPermit>,
}

enum WindowsStage {
    Start,
    /// The first message was sent.
    Negotiating(Box<SspiContext>),
    /// All messages were sent; the server decides.
    Complete(Option<Box<SspiContext>>),
    /// The connection is authenticated.
    Authenticated,
    /// Another sign-in was rejected a moment ago: none is attempted.
    Rejected(AuthRejection),
}

#[async_trait]
impl AuthSession for WindowsSession {
    async fn first_round(&mut self) -> Result<AuthRound, TransportError> {
        if matches!(self.stage, WindowsStage::Authenticated) {
            return Ok(AuthRound { authorization: None, with_body: true });
        }
        if self.account.windows.binding == ChannelBinding::Require && self.binding_token.is_none() {
            return Err(TransportError::sign_in(
                "channel_binding = \"require\", but this connection has no TLS certificate to bind to",
            ));
        }
        match self.account.admit().await {
            SignInAdmission::Proceed => {}
            SignInAdmission::Leader(leader) => self.leader = Some(leader),
            SignInAdmission::Failed(failure) => return Err(failure),
            SignInAdmission::Rejected(rejection) => {
                self.stage = WindowsStage::Rejected(rejection);
                return Ok(AuthRound { authorization: None, with_body: false });
            }
        }
        let opened = self.open().await;
        if let Err(failure) = &opened
            && let Some(leader) = self.leader.take()
        {
            leader.finish_failed(failure);
        }
        opened
    }

    async fn on_challenge(&mut self, challenges: &[&str]) -> Result<ChallengeAction, TransportError> {
        let message = challenge_of(challenges, self.scheme()).filter(|message| !message.is_empty());
        let message = message.and_then(|message| BASE64_STANDARD.decode(message).ok());
        match (std::mem::replace(&mut self.stage, WindowsStage::Start), message) {
            (WindowsStage::Negotiating(context) | WindowsStage::Complete(Some(context)), Some(message)) => {
                let (context, answer) = self.step(context, Some(message)).await?;
                let round = AuthRound { authorization: self.header(&answer)?, with_body: true };
                self.stage = WindowsStage::Complete(context.needs_more().then_some(context));
                Ok(ChallengeAction::Retry(round))
            }
            (WindowsStage::Complete(_), _) => Ok(self.reject()),
            // The server dropped the authentication of this connection.
            (WindowsStage::Authenticated, _) => {
                let round = self.first_round().await?;
                Ok(match std::mem::replace(&mut self.stage, WindowsStage::Start) {
                    WindowsStage::Rejected(rejection) => ChallengeAction::Reject(rejection),
                    stage => {
                        self.stage = stage;
                        ChallengeAction::Retry(round)
                    }
                })
            }
            (WindowsStage::Rejected(rejection), _) => Ok(ChallengeAction::Reject(rejection)),
            (WindowsStage::Start | WindowsStage::Negotiating(_), _)
                if challenge_of(challenges, self.scheme()).is_none() =>
            {
                Ok(ChallengeAction::Reject(AuthRejection::Offers(scheme_names(challenges))))
            }
            (WindowsStage::Start | WindowsStage::Negotiating(_), _) => {
                Ok(ChallengeAction::Reject(AuthRejection::NotAccepted("the first message")))
            }
        }
    }

    fn on_accepted(&mut self) {
        let is_complete = matches!(self.stage, WindowsStage::Complete(_));
        // A server that accepts an earlier round does not require authentication.
        self.stage = WindowsStage::Authenticated;
        if is_complete {
            self.account.gate.record_accepted();
            if self.account.windows.binding == ChannelBinding::Auto
                && self.account.binding_state().observe(self.binding_token.is_some(), true)
                    == BindingAction::Warn
            {
                warn!(
                    service = self.account.service,
                    "Exchange accepts the sign-in only without channel binding: a load balancer or proxy terminates TLS with a \
                     certificate of its own; install Exchange's certificate there, or set channel_binding = \"off\""
                );
            }
        }
        self.leader = None;
    }

    fn is_reusable(&self) -> bool {
        matches!(self.stage, WindowsStage::Authenticated)
    }
}

impl WindowsSession {
    fn scheme(&self) -> &'static str {
        self.account.windows.scheme.name()
    }

    fn header(&self, message: &[u8]) -> Result<Option<HeaderValue>, TransportError> {
        if message.is_empty() {
            return Err(TransportError::sign_in("the handshake ended before the server accepted it"));
        }
        Ok(sensitive(&format!("{} {}", self.scheme(), BASE64_STANDARD.encode(message))))
    }

    /// The first message.
    async fn open(&mut self) -> Result<AuthRound, TransportError> {
        let context = SspiContext::new(&self.account.windows)
            .map_err(|error| TransportError::sign_in(&error.reason))?;
        let (context, message) = self.step(Box::new(context), None).await?;
        let is_single_round = context.is_single_round();
        let round = AuthRound { authorization: self.header(&message)?, with_body: is_single_round };
        self.stage = if is_single_round {
            WindowsStage::Complete(Some(context))
        } else {
            WindowsStage::Negotiating(context)
        };
        Ok(round)
    }

    /// The server rejected the complete handshake.
    fn reject(&mut self) -> ChallengeAction {
        let auto = self.account.windows.binding == ChannelBinding::Auto;
        let bound = self.binding_token.is_some();
        if auto && self.account.binding_state().observe(bound, false) == BindingAction::RetryUnbound {
            if let Some(leader) = self.leader.take() {
                *self.account.unbound_retry.lock().unwrap_or_else(PoisonError::into_inner) = Some(leader);
            }
            return ChallengeAction::Reconnect;
        }
        let rejection = AuthRejection::NotAccepted(match (self.account.windows.scheme, bound, auto) {
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
        if let Some(leader) = self.leader.take() {
            leader.finish_rejected(&rejection);
        }
        ChallengeAction::Reject(rejection)
    }

    async fn step(
        &self,
        context: Box<SspiContext>,
        message: Option<Vec<u8>>,
    ) -> Result<(Box<SspiContext>, Vec<u8>), TransportError> {
        let (account, token) = (self.account.clone(), self.binding_token.clone());
        let stepped = tokio::task::spawn_blocking(move || {
            let mut context = context;
            let message = context.step(&account.identity, &account.service, token.as_deref(), message)?;
            Ok::<_, SspiError>((context, message))
        });
        let scheme = self.scheme();
        match stepped.await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(SspiError { is_transient: away, reason: why })) => Err(TransportError::SignIn {
                is_permanent: !away,
                reason: format!("{scheme}: {why}"),
                retry_after: Duration::ZERO,
            }),
            Err(_) => {
                Err(TransportError::sign_in(&format!("{scheme}: the server's challenge cannot be read")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_wrong_password_is_tried_without_the_binding_once_in_twenty_minutes() {
        let mut binding_state = BindingState::Unknown;
        let mut handshakes = 0;
        for _ in 0..10 {
            handshakes += 1;
            if binding_state.observe(true, false) == BindingAction::RetryUnbound {
                handshakes += 1;
                assert_eq!(binding_state.observe(false, false), BindingAction::Nothing);
            }
        }
        assert_eq!(handshakes, 11);
        tokio::time::sleep(UNBOUND_RETRY_INTERVAL).await;
        assert_eq!(binding_state.observe(true, false), BindingAction::RetryUnbound);
    }

    #[tokio::test]
    async fn what_was_accepted_bound_is_never_left_out_whatever_comes_in_between() {
        let mut binding_state = BindingState::Unknown;
        // Two at once: one is rejected by an overloaded server, the other is accepted.
        assert_eq!(binding_state.observe(true, false), BindingAction::RetryUnbound);
        assert_eq!(binding_state.observe(true, true), BindingAction::Nothing);
        assert_eq!(binding_state, BindingState::Bound);
        assert_eq!(binding_state.observe(false, true), BindingAction::Nothing);
        assert_eq!(binding_state.observe(true, false), BindingAction::Nothing);
        assert_eq!(binding_state, BindingState::Bound);
    }
}
