//! The access tokens that are good at present: one place, shared by whoever gives them out and the server that takes them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

/// Tokens beyond this many are not kept; a test that asks for more has run wild.
const KEPT_MAX: usize = 100_000;

/// Tokens given out, and until when each is good.
#[derive(Debug, Clone, Default)]
pub struct AccessTokens(Arc<Mutex<TokenTable>>);

#[derive(Debug, Default)]
struct TokenTable {
    good_until: HashMap<String, Instant>,
    count: usize,
}

impl AccessTokens {
    /// Gives out one more.
    pub fn issue(&self, lifetime: Duration) -> String {
        let token = format!("sim.{}.{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
        let mut issued = self.issued();
        issued.count += 1;
        if issued.good_until.len() < KEPT_MAX {
            issued.good_until.insert(token.clone(), Instant::now() + lifetime);
        }
        token
    }

    /// How many were given out, ever.
    pub fn count(&self) -> usize {
        self.issued().count
    }

    /// From now on no token given so far is good.
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
