//! Authentication: the schemes that a server offers in its 401, and the decision about each request.
//!
//! NTLM and Negotiate authenticate the connection, not the request: once a client is authenticated, every later request
//! on the same socket is, and on no other. Written from the specifications alone (MS-NLMP, RFC 4178, RFC 5929) and
//! without the client's libraries, so that one mistake cannot hide another. Never reads a request's body.

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
pub(crate) use self::access_tokens::TokenRefusal;
pub(crate) use self::binding::{ChannelBindingHash, binding_of_certificate};

use self::account::ServiceAccount;
use self::handshake::{HandshakeStep, ServerHandshake};
use self::ntlm::VerifiedUser;
use self::ntlm_messages::TargetNames;

/// Limit of recorded sign-ins; the oldest are dropped.
const LOGINS_MAX: usize = 10_000;

/// An authentication scheme.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuthScheme {
    /// Name and password with every request.
    Basic,
    /// NTLMv2, once per connection.
    Ntlm,
    /// SPNEGO, once per connection; it always selects NTLM, because the simulator has no Kerberos.
    Negotiate,
    /// OAuth: a bearer token with every request (`SimulatorOptions::tokens`).
    Bearer,
    /// No authentication; a client certificate may still be required by TLS.
    Anonymous,
}

/// Extended Protection of IIS: whether NTLM and Negotiate must be bound to the TLS connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ExtendedProtection {
    /// Channel bindings are ignored.
    #[default]
    None,
    /// A missing binding is accepted; a wrong one, or zeros, is rejected.
    Allow,
    /// Only the correct binding is accepted.
    Require,
}

/// The channel binding that a client sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientBinding {
    /// It sent none.
    Missing,
    /// It sent sixteen zeros.
    Zeros,
    /// It matches this server's certificate.
    Correct,
    /// It does not match.
    Incorrect,
}

/// A sign-in by NTLM or Negotiate with the correct password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowsSignIn {
    /// The scheme.
    pub scheme: AuthScheme,
    /// As the client sent it.
    pub name: String,
    /// The channel binding it sent.
    pub binding: ClientBinding,
    /// Whether it was accepted; only the channel binding can be against it.
    pub admitted: bool,
}

/// The authentication policy of a server.
pub(crate) struct AuthenticationRules {
    pub(crate) schemes: Vec<AuthScheme>,
    pub(crate) protection: ExtendedProtection,
    /// The expected channel binding; `None` without TLS.
    pub(crate) binding: Option<ChannelBindingHash>,
    pub(crate) tokens: AccessTokens,
    /// The audience whose tokens Exchange refuses.
    pub(crate) graph_audience: String,
}

/// Authenticates requests; shared by all connections.
pub(crate) struct Authenticator {
    rules: AuthenticationRules,
    account: Mutex<ServiceAccount>,
    sign_ins: Mutex<Vec<WindowsSignIn>>,
    failed: AtomicUsize,
    /// Incremented to invalidate every earlier sign-in.
    epoch: Mutex<u64>,
}

/// The authentication state of one connection.
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

/// The decision about one request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum AuthDecision {
    /// Accepted under this scheme; the response carries this `WWW-Authenticate`, if any.
    Admit(AuthScheme, Option<String>),
    /// Rejected with 401 and these `WWW-Authenticate` headers.
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

    /// Forces every connection to sign in again.
    pub(crate) fn invalidate_sign_ins(&self) {
        *lock(&self.epoch) += 1;
    }

    /// Number of NTLM and Negotiate sign-ins with a wrong password: those that count towards account lockout.
    pub(crate) fn failed_sign_ins(&self) -> usize {
        self.failed.load(Ordering::Relaxed)
    }

    pub(crate) fn sign_ins(&self) -> Vec<WindowsSignIn> {
        lock(&self.sign_ins).clone()
    }

    /// The `WWW-Authenticate` headers of a 401 outside a handshake.
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

    /// Decides about a request by its `Authorization` header and the state of its connection.
    pub(crate) fn authenticate(
        &self,
        connection_auth: &ConnectionAuth,
        authorization: Option<&[u8]>,
        now: DateTime<Utc>,
    ) -> AuthDecision {
        let no = || AuthDecision::Challenge(self.challenges());
        let Some((scheme, credentials)) = authorization.and_then(parse_authorization) else {
            return match *lock(&connection_auth.state) {
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
            AuthScheme::Bearer
                if self.rules.tokens.accepts_for_exchange(credentials, &self.rules.graph_audience) =>
            {
                AuthDecision::Admit(scheme, None)
            }
            AuthScheme::Bearer => {
                AuthDecision::Challenge(self.challenges_with(&format!("{BEARER}, error=\"invalid_token\"")))
            }
            AuthScheme::Ntlm | AuthScheme::Negotiate => {
                self.handshake(connection_auth, scheme, credentials, now).unwrap_or_else(no)
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
        connection_auth: &ConnectionAuth,
        scheme: AuthScheme,
        token: &str,
        now: DateTime<Utc>,
    ) -> Option<AuthDecision> {
        let mut state = lock(&connection_auth.state);
        let at = match std::mem::take(&mut *state) {
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
                *state = AuthState::InHandshake(scheme, handshake);
                Some(AuthDecision::Challenge(vec![named(answer)]))
            }
            HandshakeStep::Authenticated(proven, answer) => {
                self.check_and_record_binding(scheme, &proven).then_some(())?;
                *state = AuthState::Authenticated(scheme, *lock(&self.epoch));
                Some(AuthDecision::Admit(scheme, answer.map(named)))
            }
        }
    }

    /// Compares the channel binding with the policy, and records the sign-in.
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

/// The challenge of Exchange's front end.
const BEARER: &str = "Bearer client_id=\"00000002-0000-0ff1-ce00-000000000000\", \
                      token_types=\"app_asserted_user_v1 service_asserted_app_v1\"";

/// Splits an `Authorization` header into scheme and credentials.
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

/// Cannot be poisoned in practice: no holder panics.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
