//! The looks that wait: which action's calendar is looked at again, and when (`second_look.rs` looks). Values only.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::action::ActionId;

/// How long after the closing the calendar is looked at again.
pub(super) const SECOND_LOOKS: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(600)];
/// Looks that wait; further ones are not taken. A server whose replies are all lost causes that many in ten minutes.
pub(super) const LOOKS_WAITING_MAX: usize = 20_000;

/// The looks that wait, by the time since the machine was started at which they are due.
#[derive(Debug, Default)]
pub(super) struct SecondLooks(Mutex<BTreeSet<(Duration, ActionId)>>);

impl SecondLooks {
    /// Adds the looks that are still to be taken at an action that was closed `age` ago.
    pub(super) fn add(&self, action: ActionId, age: Duration, now: Duration) {
        for delay in SECOND_LOOKS {
            if let Some(left) = delay.checked_sub(age) {
                self.add_at(action, now + left);
            }
        }
    }

    pub(super) fn add_at(&self, action: ActionId, due: Duration) {
        let mut waiting = self.waiting();
        if waiting.len() >= LOOKS_WAITING_MAX {
            tracing::warn!(%action, "too many actions wait for a second look at the calendar; this one gets none");
            return;
        }
        waiting.insert((due, action));
    }

    /// Takes at most `max` looks that are due.
    pub(super) fn take_due(&self, now: Duration, max: usize) -> Vec<ActionId> {
        let mut waiting = self.waiting();
        let mut due = Vec::new();
        while due.len() < max
            && let Some((at, action)) = waiting.first().copied().filter(|(at, _)| *at <= now)
        {
            waiting.remove(&(at, action));
            due.push(action);
        }
        due
    }

    fn waiting(&self) -> MutexGuard<'_, BTreeSet<(Duration, ActionId)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_is_looked_at_after_one_minute_and_after_ten() {
        let (looks, s) = (SecondLooks::default(), Duration::from_secs);
        let (action, late) = (ActionId::random(), ActionId::random());
        looks.add(action, s(0), s(1000));
        looks.add(late, s(120), s(1000));
        assert_eq!(looks.take_due(s(1059), 10), []);
        assert_eq!(looks.take_due(s(1060), 10), [action]);
        assert_eq!(looks.take_due(s(1480), 10), [late], "two minutes had passed before");
        assert_eq!(looks.take_due(s(1600), 10), [action]);
        assert_eq!(looks.take_due(s(9000), 10), []);
    }

    #[test]
    fn waiting_looks_are_limited() {
        let looks = SecondLooks::default();
        for _ in 0..LOOKS_WAITING_MAX {
            looks.add(ActionId::random(), Duration::ZERO, Duration::ZERO);
        }
        assert_eq!(looks.waiting().len(), LOOKS_WAITING_MAX);
    }
}
