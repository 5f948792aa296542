//! Whether the server knows us. A wrong password that is said by sixteen requests at once, and again by each of a thousand
//! rooms, locks the account: so one request finds out first, and after a refusal all keep silent for a while.
//!
//! What is under way already cannot be taken back: Basic and tokens go along with every request, so as many are refused as were
//! sent at once. Connections that Windows has forgotten are for `login`, which lets one of them go first.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex as Turn, MutexGuard};
use tokio::time::Instant;

use super::classify::Kind;

/// How long nothing is sent after a refusal; doubles with each. Active Directory locks accounts after some refusals within
/// some minutes (ten in ten is Microsoft's baseline); this comes to eight in the first ten.
const SILENCE_FIRST: Duration = Duration::from_secs(15);
/// … up to this.
const SILENCE_MAX: Duration = Duration::from_secs(15 * 60);

#[derive(Default)]
pub(super) struct Standing {
    known: AtomicBool,
    finding_out: Turn<()>,
    refusals: Mutex<Refusals>,
}

#[derive(Default)]
struct Refusals {
    in_a_row: u32,
    last: Option<(Instant, Kind, String)>,
}

impl Refusals {
    fn is_silent(&self) -> bool {
        let silence = SILENCE_FIRST.saturating_mul(1 << self.in_a_row.saturating_sub(1).min(16));
        self.last.as_ref().is_some_and(|(at, ..)| at.elapsed() < silence.min(SILENCE_MAX))
    }
}

impl Standing {
    /// Leave to say who we are: at once while the server knows us, else one after another. The refusal, if the last one is
    /// fresh.
    pub(super) async fn enter(&self) -> Result<Option<MutexGuard<'_, ()>>, (Kind, String)> {
        let turn = match self.known.load(Ordering::Relaxed) {
            true => None,
            false => Some(self.finding_out.lock().await),
        };
        self.silence()?;
        // Whoever went before has found out.
        Ok(turn.filter(|_| !self.known.load(Ordering::Relaxed)))
    }

    /// The refusal after which nothing is sent for now.
    fn silence(&self) -> Result<(), (Kind, String)> {
        let refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        match &refusals.last {
            Some((_, kind, code)) if refusals.is_silent() => Err((*kind, code.clone())),
            _ => Ok(()),
        }
    }

    /// Whether whoever has no turn may go on: those that waited elsewhere while others were refused may not.
    pub(super) fn is_known(&self) -> bool {
        self.known.load(Ordering::Relaxed)
    }

    /// Whether this is the first refusal since the server knew us, which an overload can look like.
    pub(super) fn may_pass(&self) -> bool {
        self.refusals.lock().unwrap_or_else(PoisonError::into_inner).in_a_row == 0
    }

    /// A request that began then was let in. One that did not say who we are was let in for what was said before, and proves
    /// nothing against a later refusal.
    pub(super) fn accepted(&self, began: Instant, said_who: bool) {
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        let outdated = refusals.last.as_ref().is_none_or(|(at, ..)| said_who && *at < began);
        if outdated {
            *refusals = Refusals::default();
            self.known.store(true, Ordering::Relaxed);
        }
    }

    /// A refusal that may pass: until somebody has found out, nobody else asks.
    pub(super) fn doubt(&self) {
        self.known.store(false, Ordering::Relaxed);
    }

    pub(super) fn refused(&self, kind: Kind, code: &str) {
        self.known.store(false, Ordering::Relaxed);
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        // Those that were under way together are one.
        if !refusals.is_silent() {
            refusals.in_a_row = refusals.in_a_row.saturating_add(1);
        }
        refusals.last = Some((Instant::now(), kind, code.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn after_a_refusal_all_keep_silent_longer_each_time() {
        let standing = Standing::default();
        let mut said = 0;
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(600) {
            if standing.enter().await.is_ok() {
                standing.refused(Kind::Credentials, "HTTP 401");
                said += 1;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        assert_eq!(said, 6);
        tokio::time::sleep(SILENCE_MAX).await;
        assert!(standing.enter().await.unwrap().is_some());
        standing.accepted(Instant::now(), true);
        assert!(standing.enter().await.unwrap().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn refusals_that_were_under_way_together_are_one_and_an_old_sign_in_proves_nothing() {
        let standing = Standing::default();
        let before = Instant::now();
        for _ in 0..8 {
            standing.refused(Kind::Credentials, "HTTP 401");
        }
        standing.accepted(before, true);
        standing.accepted(Instant::now(), false);
        assert!(standing.enter().await.is_err() && !standing.is_known());
        tokio::time::sleep(SILENCE_FIRST).await;
        assert!(standing.enter().await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn of_many_at_once_one_finds_out() {
        let standing = std::sync::Arc::new(Standing::default());
        let asked = (0..16).map(|_| {
            let standing = standing.clone();
            tokio::spawn(async move {
                let Ok(turn) = standing.enter().await else { return 0 };
                tokio::time::sleep(Duration::from_secs(1)).await;
                standing.refused(Kind::Credentials, "HTTP 401");
                drop(turn);
                1
            })
        });
        let mut said = 0;
        for one in asked.collect::<Vec<_>>() {
            said += one.await.unwrap();
        }
        assert_eq!(said, 1);
    }
}
