//! Who may come in: the ways of signing in that a server offers in its 401, and what it makes of the answers.
//!
//! NTLM and Negotiate sign in the connection and not the request: what was proven once holds for every later request on the
//! same socket, and for no other. Written from the specifications alone (MS-NLMP, RFC 4178, RFC 5929), without a line of
//! what clients use, so that a mistake cannot agree with itself. Never looks at a request's body.

mod account;
mod bearer;
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

pub use self::bearer::Tokens;
pub(crate) use self::binding::{Binding, of_certificate};

use self::account::Account;
use self::handshake::{Handshake, Step};
use self::ntlm::Proven;
use self::ntlm_messages::Names;

/// The oldest sign-ins are forgotten beyond this many.
const LOGINS_MAX: usize = 10_000;

/// A way of signing in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Name and password with every request.
    Basic,
    /// NTLMv2, once per connection.
    Ntlm,
    /// SPNEGO, once per connection; NTLM is what it comes to, since there is no Kerberos here.
    Negotiate,
    /// OAuth: a token with every request (`Options::tokens`).
    Bearer,
    /// None is needed: everybody may come in whom TLS let through.
    Nobody,
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
pub enum Bound {
    /// It said nothing.
    Nothing,
    /// It sent sixteen zeros.
    Zeros,
    /// The certificate this server looks at.
    Right,
    /// Something else.
    Wrong,
}

/// A sign-in by NTLM or Negotiate in which the password was right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// Which way.
    pub scheme: Scheme,
    /// As the client said it.
    pub name: String,
    /// What it was bound to.
    pub bound: Bound,
    /// Whether the client was let in; only its binding could speak against that.
    pub admitted: bool,
}

/// What is asked of everybody who comes to this server.
pub(crate) struct Rules {
    pub(crate) schemes: Vec<Scheme>,
    pub(crate) protection: ExtendedProtection,
    /// The binding that is right; there is none without TLS.
    pub(crate) binding: Option<Binding>,
    pub(crate) tokens: Tokens,
}

/// The door: what all connections share.
pub(crate) struct Door {
    rules: Rules,
    account: Mutex<Account>,
    logins: Mutex<Vec<Login>>,
    wrong: AtomicUsize,
    /// Sign-ins of an earlier round count no more.
    round: Mutex<u64>,
}

/// What one connection remembers.
#[derive(Debug)]
pub(crate) struct Visitor {
    pub(crate) connection: u64,
    standing: Mutex<Standing>,
}

#[derive(Debug, Default)]
enum Standing {
    #[default]
    Stranger,
    Talking(Scheme, Handshake),
    Known(Scheme, u64),
}

/// May this request come in?
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Yes, by this scheme; the answer carries this `WWW-Authenticate`, if any.
    Yes(Scheme, Option<String>),
    /// No: these `WWW-Authenticate`.
    No(Vec<String>),
}

impl Visitor {
    pub(crate) fn new(connection: u64) -> Self {
        Self { connection, standing: Mutex::default() }
    }
}

impl Door {
    pub(crate) fn new(rules: Rules, username: &str, domain: &str, password: &str) -> Self {
        let account = Mutex::new(Account::new(username, domain, password));
        Self { rules, account, logins: Mutex::default(), wrong: AtomicUsize::new(0), round: Mutex::new(0) }
    }

    pub(crate) fn change_password(&self, password: &str) {
        lock(&self.account).password = password.to_owned();
    }

    /// Every connection has to sign in again.
    pub(crate) fn forget_everybody(&self) {
        *lock(&self.round) += 1;
    }

    /// Sign-ins by NTLM or Negotiate whose password was wrong: what locks an account, when there are many.
    pub(crate) fn wrong(&self) -> usize {
        self.wrong.load(Ordering::Relaxed)
    }

    pub(crate) fn logins(&self) -> Vec<Login> {
        lock(&self.logins).clone()
    }

    /// The `WWW-Authenticate` of a 401 that is not part of a handshake.
    pub(crate) fn offers(&self) -> Vec<String> {
        self.offers_with(BEARER)
    }

    fn offers_with(&self, bearer: &str) -> Vec<String> {
        let offer = |scheme: &Scheme| match scheme {
            Scheme::Basic => Some("Basic realm=\"sim\"".to_owned()),
            Scheme::Ntlm => Some("NTLM".to_owned()),
            Scheme::Negotiate => Some("Negotiate".to_owned()),
            Scheme::Bearer => Some(bearer.to_owned()),
            Scheme::Nobody => None,
        };
        self.rules.schemes.iter().filter_map(offer).collect()
    }

    /// Judges a request by its `Authorization`, and by what its connection has proven.
    pub(crate) fn judge(
        &self,
        visitor: &Visitor,
        authorization: Option<&[u8]>,
        now: DateTime<Utc>,
    ) -> Verdict {
        let no = || Verdict::No(self.offers());
        let Some((scheme, credentials)) = authorization.and_then(split) else {
            return match *lock(&visitor.standing) {
                Standing::Known(scheme, round) if round == *lock(&self.round) => Verdict::Yes(scheme, None),
                _ if self.rules.schemes.contains(&Scheme::Nobody) => Verdict::Yes(Scheme::Nobody, None),
                _ => no(),
            };
        };
        if !self.rules.schemes.contains(&scheme) {
            return no();
        }
        match scheme {
            Scheme::Basic if self.password_is_right(credentials) => Verdict::Yes(scheme, None),
            Scheme::Bearer if self.rules.tokens.accepts(credentials) => Verdict::Yes(scheme, None),
            Scheme::Bearer => Verdict::No(self.offers_with(&format!("{BEARER}, error=\"invalid_token\""))),
            Scheme::Ntlm | Scheme::Negotiate => {
                self.handshake(visitor, scheme, credentials, now).unwrap_or_else(no)
            }
            Scheme::Basic | Scheme::Nobody => no(),
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
        visitor: &Visitor,
        scheme: Scheme,
        token: &str,
        now: DateTime<Utc>,
    ) -> Option<Verdict> {
        let mut standing = lock(&visitor.standing);
        let at = match std::mem::take(&mut *standing) {
            Standing::Talking(with, handshake) if with == scheme => Some(handshake),
            _ => None,
        };
        let token = BASE64_STANDARD.decode(token).ok()?;
        if scheme == Scheme::Ntlm && !token.starts_with(ntlm_messages::SIGNATURE) {
            return None;
        }
        let account = lock(&self.account).clone();
        let named = |token: Vec<u8>| match scheme {
            Scheme::Ntlm => format!("NTLM {}", BASE64_STANDARD.encode(token)),
            _ => format!("Negotiate {}", BASE64_STANDARD.encode(token)),
        };
        let was_challenged = at.is_some();
        let step = handshake::step(at, &token, &account, &names(&account), now);
        if was_challenged && step.is_none() {
            self.wrong.fetch_add(1, Ordering::Relaxed);
        }
        match step? {
            Step::GoOn(handshake, answer) => {
                *standing = Standing::Talking(scheme, handshake);
                Some(Verdict::No(vec![named(answer)]))
            }
            Step::Proven(proven, answer) => {
                self.is_bound_well(scheme, &proven).then_some(())?;
                *standing = Standing::Known(scheme, *lock(&self.round));
                Some(Verdict::Yes(scheme, answer.map(named)))
            }
        }
    }

    /// Looks at the binding, and writes the sign-in down.
    fn is_bound_well(&self, scheme: Scheme, proven: &Proven) -> bool {
        let bound = match proven.binding {
            None => Bound::Nothing,
            Some([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]) => Bound::Zeros,
            binding if binding == self.rules.binding => Bound::Right,
            Some(_) => Bound::Wrong,
        };
        let admitted = match self.rules.protection {
            ExtendedProtection::None => true,
            ExtendedProtection::Allow => matches!(bound, Bound::Nothing | Bound::Right),
            ExtendedProtection::Require => bound == Bound::Right,
        };
        let mut logins = lock(&self.logins);
        if logins.len() == LOGINS_MAX {
            logins.remove(0);
        }
        logins.push(Login { scheme, name: proven.name.clone(), bound, admitted });
        admitted
    }
}

/// As Exchange's front end says it.
const BEARER: &str = "Bearer client_id=\"00000002-0000-0ff1-ce00-000000000000\", \
                      token_types=\"app_asserted_user_v1 service_asserted_app_v1\"";

/// Scheme and credentials of an `Authorization`.
fn split(authorization: &[u8]) -> Option<(Scheme, &str)> {
    let (scheme, credentials) = std::str::from_utf8(authorization).ok()?.split_once(' ')?;
    let scheme = match scheme.to_ascii_lowercase().as_str() {
        "basic" => Scheme::Basic,
        "ntlm" => Scheme::Ntlm,
        "negotiate" => Scheme::Negotiate,
        "bearer" => Scheme::Bearer,
        _ => return None,
    };
    Some((scheme, credentials.trim()))
}

fn names(account: &Account) -> Names {
    Names {
        domain: account.domain().to_owned(),
        dns_domain: account.dns_domain().to_owned(),
        computer: "SIM".to_owned(),
    }
}

/// Nothing panics while holding one of these.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
