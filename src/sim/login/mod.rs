//! Who may come in: the ways of signing in that a server offers in its 401, and what it makes of the answers.
//!
//! NTLM and Negotiate sign in the connection and not the request: what was proven once holds for every later request on the
//! same socket, and for no other. Written from the specifications alone (MS-NLMP, RFC 4178, RFC 5929), without a line of
//! what clients use, so that a mistake cannot agree with itself. Never looks at a request's body.

mod access_tokens;
mod account;
mod binding;
mod der;
mod handshake;
mod ntlm;
mod ntlm_keys;
mod ntlm_messages;
mod spnego;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use chrono::{DateTime, Utc};

pub use self::access_tokens::AccessTokens;
pub(crate) use self::binding::{ChannelBindingHash, binding_of_certificate};

use self::account::ServiceAccount;
use self::handshake::{HandshakeStep, ServerHandshake};
use self::ntlm::VerifiedUser;
use self::ntlm_messages::TargetNames;

/// The oldest sign-ins are forgotten beyond this many.
const LOGINS_MAX: usize = 10_000;

/// A way of signing in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthScheme {
    /// Name and password with every request.
    Basic,
    /// NTLMv2, once per connection.
    Ntlm,
    /// SPNEGO, once per connection; NTLM is what it comes to, since there is no Kerberos here.
    Negotiate,
    /// OAuth: a token with every request (`SimulatorOptions::tokens`).
    Bearer,
    /// None is needed: everybody may come in whom TLS let through.
    Anonymous,
}

/// What IIS calls Extended Protection: whether a sign-in by NTLM or Negotiate must be bound to its TLS connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ExtendedProtection {
    /// Bindings are not looked at.
    #[default]
    None,
    /// Who sends none is let in; who sends a wrong one, or zeros, is not.
    Allow,
    /// Only the right one will do.
    Require,
}

/// What a client bound its sign-in to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientBinding {
    /// It said nothing.
    Missing,
    /// It sent sixteen zeros.
    Zeros,
    /// The certificate this server looks at.
    Correct,
    /// Something else.
    Incorrect,
}

/// A sign-in by NTLM or Negotiate in which the password was right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowsSignIn {
    /// Which way.
    pub scheme: AuthScheme,
    /// As the client said it.
    pub name: String,
    /// What it was bound to.
    pub binding: ClientBinding,
    /// Whether the client was let in; only its binding could speak against that.
    pub admitted: bool,
}

/// What is asked of everybody who comes to this server.
pub(crate) struct AuthenticationRules {
    pub(crate) schemes: Vec<AuthScheme>,
    pub(crate) protection: ExtendedProtection,
    /// The binding that is right; there is none without TLS.
    pub(crate) binding: Option<ChannelBindingHash>,
    pub(crate) tokens: AccessTokens,
}

/// The door: what all connections share.
pub(crate) struct Authenticator {
    rules: AuthenticationRules,
    account: Mutex<ServiceAccount>,
    sign_ins: Mutex<Vec<WindowsSignIn>>,
    failed: AtomicUsize,
    /// Sign-ins of an earlier round count no more.
    epoch: Mutex<u64>,
}

/// What one connection remembers.
#[derive(Debug)]
pub(crate) struct ConnectionAuth {
    pub(crate) connection: u64,
    state: Mutex<AuthState>,
}

#[derive(Debug, Default)]
enum AuthState {
    #[default]
    Unauthenticated,
    InHandshake(AuthScheme, ServerHandshake),
    Authenticated(AuthScheme, u64),
}

/// May this request come in?
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum AuthDecision {
    /// Yes, by this scheme; the answer carries this `WWW-Authenticate`, if any.
    Admit(AuthScheme, Option<String>),
    /// No: these `WWW-Authenticate`.
    Challenge(Vec<String>),
}

impl ConnectionAuth {
    pub(crate) fn new(connection: u64) -> Self {
        Self { connection, state: Mutex::default() }
    }
}

impl Authenticator {
    pub(crate) fn new(rules: AuthenticationRules, username: &str, domain: &str, password: &str) -> Self {
        let account = Mutex::new(ServiceAccount::new(username, domain, password));
        Self { rules, account, sign_ins: Mutex::default(), failed: AtomicUsize::new(0), epoch: Mutex::new(0) }
    }

    pub(crate) fn change_password(&self, password: &str) {
        lock(&self.account).password = password.to_owned();
    }

    /// Every connection has to sign in again.
    pub(crate) fn invalidate_sign_ins(&self) {
        *lock(&self.epoch) += 1;
    }

    /// Sign-ins by NTLM or Negotiate whose password was wrong: what locks an account, when there are many.
    pub(crate) fn failed_sign_ins(&self) -> usize {
        self.failed.load(Ordering::Relaxed)
    }

    pub(crate) fn sign_ins(&self) -> Vec<WindowsSignIn> {
        lock(&self.sign_ins).clone()
    }

    /// The `WWW-Authenticate` of a 401 that is not part of a handshake.
    pub(crate) fn challenges(&self) -> Vec<String> {
        self.challenges_with(BEARER)
    }

    fn challenges_with(&self, bearer: &str) -> Vec<String> {
        let offer = |scheme: &AuthScheme| match scheme {
            AuthScheme::Basic => Some("Basic realm=\"sim\"".to_owned()),
            AuthScheme::Ntlm => Some("NTLM".to_owned()),
            AuthScheme::Negotiate => Some("Negotiate".to_owned()),
            AuthScheme::Bearer => Some(bearer.to_owned()),
            AuthScheme::Anonymous => None,
        };
        self.rules.schemes.iter().filter_map(offer).collect()
    }

    /// Judges a request by its `Authorization`, and by what its connection has proven.
    pub(crate) fn authenticate(
        &self,
        visitor: &ConnectionAuth,
        authorization: Option<&[u8]>,
        now: DateTime<Utc>,
    ) -> AuthDecision {
        let no = || AuthDecision::Challenge(self.challenges());
        let Some((scheme, credentials)) = authorization.and_then(parse_authorization) else {
            return match *lock(&visitor.state) {
                AuthState::Authenticated(scheme, round) if round == *lock(&self.epoch) => {
                    AuthDecision::Admit(scheme, None)
                }
                _ if self.rules.schemes.contains(&AuthScheme::Anonymous) => {
                    AuthDecision::Admit(AuthScheme::Anonymous, None)
                }
                _ => no(),
            };
        };
        if !self.rules.schemes.contains(&scheme) {
            return no();
        }
        match scheme {
            AuthScheme::Basic if self.password_is_right(credentials) => AuthDecision::Admit(scheme, None),
            AuthScheme::Bearer if self.rules.tokens.accepts(credentials) => AuthDecision::Admit(scheme, None),
            AuthScheme::Bearer => {
                AuthDecision::Challenge(self.challenges_with(&format!("{BEARER}, error=\"invalid_token\"")))
            }
            AuthScheme::Ntlm | AuthScheme::Negotiate => {
                self.handshake(visitor, scheme, credentials, now).unwrap_or_else(no)
            }
            AuthScheme::Basic | AuthScheme::Anonymous => no(),
        }
    }

    fn password_is_right(&self, credentials: &str) -> bool {
        let pair = BASE64_STANDARD.decode(credentials).ok().and_then(|pair| String::from_utf8(pair).ok());
        pair.as_deref().and_then(|pair| pair.split_once(':')).is_some_and(|(name, password)| {
            let (domain, user) = name.split_once('\\').unwrap_or(("", name));
            let account = lock(&self.account);
            account.is(domain, user) && account.password == password
        })
    }

    fn handshake(
        &self,
        visitor: &ConnectionAuth,
        scheme: AuthScheme,
        token: &str,
        now: DateTime<Utc>,
    ) -> Option<AuthDecision> {
        let mut standing = lock(&visitor.state);
        let at = match std::mem::take(&mut *standing) {
            AuthState::InHandshake(with, handshake) if with == scheme => Some(handshake),
            _ => None,
        };
        let token = BASE64_STANDARD.decode(token).ok()?;
        if scheme == AuthScheme::Ntlm && !token.starts_with(ntlm_messages::SIGNATURE) {
            return None;
        }
        let account = lock(&self.account).clone();
        let named = |token: Vec<u8>| match scheme {
            AuthScheme::Ntlm => format!("NTLM {}", BASE64_STANDARD.encode(token)),
            _ => format!("Negotiate {}", BASE64_STANDARD.encode(token)),
        };
        let was_challenged = at.is_some();
        let step = handshake::step(at, &token, &account, &names(&account), now);
        if was_challenged && step.is_none() {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
        match step? {
            HandshakeStep::Continue(handshake, answer) => {
                *standing = AuthState::InHandshake(scheme, handshake);
                Some(AuthDecision::Challenge(vec![named(answer)]))
            }
            HandshakeStep::Authenticated(proven, answer) => {
                self.check_and_record_binding(scheme, &proven).then_some(())?;
                *standing = AuthState::Authenticated(scheme, *lock(&self.epoch));
                Some(AuthDecision::Admit(scheme, answer.map(named)))
            }
        }
    }

    /// Looks at the binding, and writes the sign-in down.
    fn check_and_record_binding(&self, scheme: AuthScheme, proven: &VerifiedUser) -> bool {
        let bound = match proven.binding {
            None => ClientBinding::Missing,
            Some([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]) => ClientBinding::Zeros,
            binding if binding == self.rules.binding => ClientBinding::Correct,
            Some(_) => ClientBinding::Incorrect,
        };
        let admitted = match self.rules.protection {
            ExtendedProtection::None => true,
            ExtendedProtection::Allow => matches!(bound, ClientBinding::Missing | ClientBinding::Correct),
            ExtendedProtection::Require => bound == ClientBinding::Correct,
        };
        let mut logins = lock(&self.sign_ins);
        if logins.len() == LOGINS_MAX {
            logins.remove(0);
        }
        logins.push(WindowsSignIn { scheme, name: proven.name.clone(), binding: bound, admitted });
        admitted
    }
}

/// As Exchange's front end says it.
const BEARER: &str = "Bearer client_id=\"00000002-0000-0ff1-ce00-000000000000\", \
                      token_types=\"app_asserted_user_v1 service_asserted_app_v1\"";

/// Scheme and credentials of an `Authorization`.
fn parse_authorization(authorization: &[u8]) -> Option<(AuthScheme, &str)> {
    let (scheme, credentials) = std::str::from_utf8(authorization).ok()?.split_once(' ')?;
    let scheme = match scheme.to_ascii_lowercase().as_str() {
        "basic" => AuthScheme::Basic,
        "ntlm" => AuthScheme::Ntlm,
        "negotiate" => AuthScheme::Negotiate,
        "bearer" => AuthScheme::Bearer,
        _ => return None,
    };
    Some((scheme, credentials.trim()))
}

fn names(account: &ServiceAccount) -> TargetNames {
    TargetNames {
        domain: account.domain().to_owned(),
        dns_domain: account.dns_domain().to_owned(),
        computer: "SIM".to_owned(),
    }
}

/// Nothing panics while holding one of these.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
