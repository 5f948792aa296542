//! The valid access tokens, shared by the authority that issues them and the server that accepts them.

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
    good_until: HashMap<String, Instant>,
    count: usize,
}

impl AccessTokens {
    /// Issues a token.
    pub fn issue(&self, lifetime: Duration) -> String {
        let token = format!("sim.{}.{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
        let mut issued = self.issued();
        issued.count += 1;
        if issued.good_until.len() < KEPT_MAX {
            issued.good_until.insert(token.clone(), Instant::now() + lifetime);
        }
        token
    }

    /// Number of tokens ever issued.
    pub fn count(&self) -> usize {
        self.issued().count
    }

    /// Invalidates every token issued so far.
    pub fn expire(&self) {
        self.issued().good_until.clear();
    }

    pub(crate) fn accepts(&self, token: &str) -> bool {
        self.issued().good_until.get(token).is_some_and(|until| Instant::now() < *until)
    }

    fn issued(&self) -> MutexGuard<'_, TokenTable> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
