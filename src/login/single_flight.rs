//! Single-flight sign-in: of concurrent sign-ins one (the leader) goes first, because every failed attempt counts
//! towards account lockout. The others wait for its result, and after a rejection they fail without an attempt. Knows
//! neither schemes nor passwords.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};
use tokio::time::{Instant, timeout};

use crate::http::auth::AuthRejection;
use crate::http::error::TransportError;

/// How long an accepted sign-in lets others proceed without waiting.
const ACCEPTANCE_VALID_FOR: Duration = Duration::from_secs(2);
/// How long others wait for the leader, whose result is known only after the response to a complete request; then they
/// proceed.
const LEADER_WAIT_MAX: Duration = Duration::from_secs(5);

/// The result of the account's last sign-in, and the leader's lock.
#[derive(Default)]
pub(super) struct SignInGate {
    last: Mutex<Option<(Instant, LastResult)>>,
    leader_lock: Arc<AsyncMutex<()>>,
}

#[derive(Clone)]
enum LastResult {
    Accepted,
    /// Unknown: the connection was lost.
    Unknown,
    Rejected(AuthRejection),
    Failed(TransportError),
}

/// What a sign-in may do now.
pub(super) enum SignInAdmission {
    /// Sign in; no other sign-in waits for the result.
    Proceed,
    /// Sign in as the leader; the others wait.
    Leader(LeaderPermit),
    /// The leader was rejected meanwhile, with the same credentials.
    Rejected(AuthRejection),
    /// The leader could not prepare its sign-in meanwhile.
    Failed(TransportError),
}

/// Held by the leader until its result is known.
pub(super) struct LeaderPermit {
    gate: Arc<SignInGate>,
    is_finished: bool,
    _lock: OwnedMutexGuard<()>,
}

impl SignInGate {
    pub(super) async fn admit(self: &Arc<Self>) -> SignInAdmission {
        let requested_at = Instant::now();
        if matches!(&*self.last(), Some((at, LastResult::Accepted)) if at.elapsed() < ACCEPTANCE_VALID_FOR) {
            return SignInAdmission::Proceed;
        }
        let Ok(lock) = timeout(LEADER_WAIT_MAX, self.leader_lock.clone().lock_owned()).await else {
            return SignInAdmission::Proceed;
        };
        match self.last().clone().filter(|(at, _)| *at > requested_at) {
            Some((_, LastResult::Accepted | LastResult::Unknown)) => SignInAdmission::Proceed,
            Some((_, LastResult::Rejected(rejection))) => SignInAdmission::Rejected(rejection),
            Some((_, LastResult::Failed(failure))) => SignInAdmission::Failed(failure),
            None => {
                SignInAdmission::Leader(LeaderPermit { gate: self.clone(), is_finished: false, _lock: lock })
            }
        }
    }

    /// Records an accepted sign-in, of the leader or of another.
    pub(super) fn record_accepted(&self) {
        *self.last() = Some((Instant::now(), LastResult::Accepted));
    }

    fn last(&self) -> MutexGuard<'_, Option<(Instant, LastResult)>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LeaderPermit {
    pub(super) fn finish_rejected(self, rejection: &AuthRejection) {
        self.finish(LastResult::Rejected(rejection.clone()));
    }

    pub(super) fn finish_failed(self, failure: &TransportError) {
        self.finish(LastResult::Failed(failure.clone()));
    }

    fn finish(mut self, to: LastResult) {
        *self.gate.last() = Some((Instant::now(), to));
        self.is_finished = true;
    }
}

impl Drop for LeaderPermit {
    fn drop(&mut self) {
        let mut last = self.gate.last();
        if !self.is_finished
            && !matches!(&*last, Some((at, LastResult::Accepted)) if at.elapsed() < ACCEPTANCE_VALID_FOR)
        {
            *last = Some((Instant::now(), LastResult::Unknown));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rejection() -> AuthRejection {
        AuthRejection::NotAccepted("a handshake")
    }

    /// Sixteen concurrent sign-ins, whose attempts are accepted or rejected after a second; returns the number of
    /// attempts.
    async fn attempts(gate: &Arc<SignInGate>, accepted: Option<bool>) -> usize {
        let all = (0..16).map(|_| {
            let gate = gate.clone();
            tokio::spawn(async move {
                let leader = match gate.admit().await {
                    SignInAdmission::Rejected(shared) => {
                        assert_eq!(shared, rejection());
                        return 0;
                    }
                    SignInAdmission::Failed(_) => return 0,
                    SignInAdmission::Proceed => None,
                    SignInAdmission::Leader(leader) => Some(leader),
                };
                tokio::time::sleep(Duration::from_secs(1)).await;
                match (accepted, leader) {
                    (Some(true), _) => gate.record_accepted(),
                    (Some(false), Some(leader)) => leader.finish_rejected(&rejection()),
                    _ => {}
                }
                1
            })
        });
        let mut attempts = 0;
        for one in all.collect::<Vec<_>>() {
            attempts += one.await.unwrap();
        }
        attempts
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_is_one_for_all_that_waited_and_none_for_who_comes_later() {
        let gate = Arc::new(SignInGate::default());
        assert_eq!(attempts(&gate, Some(false)).await, 1);
        assert_eq!(attempts(&gate, Some(false)).await, 1);
        let begun = Instant::now();
        assert_eq!(attempts(&gate, Some(true)).await, 16);
        assert_eq!(begun.elapsed(), Duration::from_secs(2), "one, then all the others together");
        let begun = Instant::now();
        assert_eq!(attempts(&gate, Some(true)).await, 16);
        assert_eq!(begun.elapsed(), Duration::from_secs(1), "it was let in a moment ago");
        tokio::time::sleep(ACCEPTANCE_VALID_FOR).await;
        assert_eq!(attempts(&gate, Some(false)).await, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_first_that_breaks_or_is_slow_holds_nobody_up_for_long() {
        let gate = Arc::new(SignInGate::default());
        let begun = Instant::now();
        assert_eq!(attempts(&gate, None).await, 16);
        assert_eq!(begun.elapsed(), Duration::from_secs(2));
        let begun = Instant::now();
        let SignInAdmission::Leader(_slow) = gate.admit().await else { panic!("not first") };
        assert!(matches!(gate.admit().await, SignInAdmission::Proceed));
        assert_eq!(begun.elapsed(), LEADER_WAIT_MAX);
    }
}
