//! Of many connections that want to sign in at once, one goes first: what is said once too often locks the account. The others
//! wait for what it comes to, and when that is no, say nothing. Knows neither schemes nor passwords.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex as Turn, OwnedMutexGuard};
use tokio::time::{Instant, timeout};

use super::Denied;
use crate::exchange::delivery::Failure;

/// How long one that was let in speaks for those that follow.
const SPEAKS_FOR: Duration = Duration::from_secs(2);
/// How long others wait for it; then they go themselves. It is known only with the answer to a whole request.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// What the account's last sign-in came to, and whose turn it is.
#[derive(Default)]
pub(super) struct First {
    last: Mutex<Option<(Instant, Came)>>,
    turn: Arc<Turn<()>>,
}

#[derive(Clone)]
enum Came {
    In,
    /// To nothing that is known: the connection broke.
    Nowhere,
    Denied(Denied),
    Failed(Failure),
}

/// What may be done now.
pub(super) enum Leave {
    /// Sign in; nobody waits for it.
    Free,
    /// Sign in; the others wait.
    Going(Going),
    /// Somebody was refused meanwhile, with the same words.
    Denied(Denied),
    /// Somebody could not even say it meanwhile.
    Failed(Failure),
}

/// The first's turn.
pub(super) struct Going {
    first: Arc<First>,
    told: bool,
    _turn: OwnedMutexGuard<()>,
}

impl First {
    pub(super) async fn enter(self: &Arc<Self>) -> Leave {
        let asked = Instant::now();
        if matches!(&*self.last(), Some((at, Came::In)) if at.elapsed() < SPEAKS_FOR) {
            return Leave::Free;
        }
        let Ok(turn) = timeout(WAIT_MAX, self.turn.clone().lock_owned()).await else { return Leave::Free };
        match self.last().clone().filter(|(at, _)| *at > asked) {
            Some((_, Came::In | Came::Nowhere)) => Leave::Free,
            Some((_, Came::Denied(denied))) => Leave::Denied(denied),
            Some((_, Came::Failed(failure))) => Leave::Failed(failure),
            None => Leave::Going(Going { first: self.clone(), told: false, _turn: turn }),
        }
    }

    /// One was let in, whether it was its turn or not.
    pub(super) fn was_let_in(&self) {
        *self.last() = Some((Instant::now(), Came::In));
    }

    fn last(&self) -> MutexGuard<'_, Option<(Instant, Came)>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Going {
    pub(super) fn denied(self, denied: &Denied) {
        self.came(Came::Denied(denied.clone()));
    }

    pub(super) fn failed(self, failure: &Failure) {
        self.came(Came::Failed(failure.clone()));
    }

    fn came(mut self, to: Came) {
        *self.first.last() = Some((Instant::now(), to));
        self.told = true;
    }
}

impl Drop for Going {
    fn drop(&mut self) {
        let mut last = self.first.last();
        if !self.told && !matches!(&*last, Some((at, Came::In)) if at.elapsed() < SPEAKS_FOR) {
            *last = Some((Instant::now(), Came::Nowhere));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn no() -> Denied {
        Denied::NotAccepted("words")
    }

    /// Sixteen that come at once, of which those that may speak are let in or not after a second; how many spoke.
    async fn spoke(first: &Arc<First>, heard: Option<bool>) -> usize {
        let all = (0..16).map(|_| {
            let first = first.clone();
            tokio::spawn(async move {
                let going = match first.enter().await {
                    Leave::Denied(denied) => {
                        assert_eq!(denied, no());
                        return 0;
                    }
                    Leave::Failed(_) => return 0,
                    Leave::Free => None,
                    Leave::Going(going) => Some(going),
                };
                tokio::time::sleep(Duration::from_secs(1)).await;
                match (heard, going) {
                    (Some(true), _) => first.was_let_in(),
                    (Some(false), Some(going)) => going.denied(&no()),
                    _ => {}
                }
                1
            })
        });
        let mut spoke = 0;
        for one in all.collect::<Vec<_>>() {
            spoke += one.await.unwrap();
        }
        spoke
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_is_one_for_all_that_waited_and_none_for_who_comes_later() {
        let first = Arc::new(First::default());
        assert_eq!(spoke(&first, Some(false)).await, 1);
        assert_eq!(spoke(&first, Some(false)).await, 1);
        let begun = Instant::now();
        assert_eq!(spoke(&first, Some(true)).await, 16);
        assert_eq!(begun.elapsed(), Duration::from_secs(2), "one, then all the others together");
        let begun = Instant::now();
        assert_eq!(spoke(&first, Some(true)).await, 16);
        assert_eq!(begun.elapsed(), Duration::from_secs(1), "it was let in a moment ago");
        tokio::time::sleep(SPEAKS_FOR).await;
        assert_eq!(spoke(&first, Some(false)).await, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_first_that_breaks_or_is_slow_holds_nobody_up_for_long() {
        let first = Arc::new(First::default());
        let begun = Instant::now();
        assert_eq!(spoke(&first, None).await, 16);
        assert_eq!(begun.elapsed(), Duration::from_secs(2));
        let begun = Instant::now();
        let Leave::Going(_slow) = first.enter().await else { panic!("not first") };
        assert!(matches!(first.enter().await, Leave::Free));
        assert_eq!(begun.elapsed(), WAIT_MAX);
    }
}
