//! The valid access tokens with their audiences, shared by the authority that issues them and the server that accepts
//! them. Never reads a request.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

/// Limit of tokens kept; a test that needs more is broken.
const KEPT_MAX: usize = 100_000;

/// The issued tokens with their expiry.
#[derive(Debug, Clone, Default)]
pub struct AccessTokens(Arc<Mutex<TokenTable>>);

#[derive(Debug, Default)]
struct TokenTable {
    issued: HashMap<String, IssuedToken>,
    count: usize,
}

/// One token.
#[derive(Debug)]
struct IssuedToken {
    good_until: Instant,
    /// The resource that it is for; empty for Exchange.
    audience: String,
}

/// Why a token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenRefusal {
    UnknownOrExpired,
    /// It is for another resource.
    WrongAudience,
}

impl AccessTokens {
    /// Issues a token for Exchange.
    pub fn issue(&self, lifetime: Duration) -> String {
        self.issue_for("", lifetime)
    }

    /// Issues a token for a resource, such as `https://graph.microsoft.com`.
    pub fn issue_for(&self, audience: &str, lifetime: Duration) -> String {
        let token = format!("sim.{}.{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
        let mut issued = self.issued();
        issued.count += 1;
        if issued.issued.len() < KEPT_MAX {
            let good_until = Instant::now() + lifetime;
            issued.issued.insert(token.clone(), IssuedToken { good_until, audience: audience.to_owned() });
        }
        token
    }

    /// Number of tokens ever issued.
    pub fn count(&self) -> usize {
        self.issued().count
    }

    /// Invalidates every token issued so far.
    pub fn expire(&self) {
        self.issued().issued.clear();
    }

    /// Checks that a token is valid for Exchange, which accepts every audience but Graph's.
    pub(crate) fn accepts_for_exchange(&self, token: &str, graph_audience: &str) -> bool {
        self.check_token(token, |audience| audience != graph_audience).is_ok()
    }

    /// Checks that a token is valid for this audience.
    pub(crate) fn check(&self, token: &str, wanted: &str) -> Result<(), TokenRefusal> {
        self.check_token(token, |audience| audience.trim_end_matches('/') == wanted.trim_end_matches('/'))
    }

    fn check_token(&self, token: &str, is_for_us: impl Fn(&str) -> bool) -> Result<(), TokenRefusal> {
        let table = self.issued();
        let valid = table.issued.get(token).filter(|issued| Instant::now() < issued.good_until);
        match valid {
            None => Err(TokenRefusal::UnknownOrExpired),
            Some(issued) if is_for_us(&issued.audience) => Ok(()),
            Some(_) => Err(TokenRefusal::WrongAudience),
        }
    }

    fn issued(&self) -> MutexGuard<'_, TokenTable> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
