//! The second look at an action that was closed as one that changed nothing although a request of it may have been on its way. A
//! machine or proxy that froze with the request in hand can deliver it later than any request is waited for. Never writes to a
//! calendar, and changes no outcome.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::{StreamExt, stream};

use super::action_context::ActionContext;
use super::attempt::Attempt;
use super::context::{Engine, NoPrecondition};
use super::past_actions::done_by_other_since;
use super::reconcile::Observation;
use super::sends::Sends;
use super::verify::verify;
use crate::action::ActionId;
use crate::journal::{ActionRecord, Fact, JournalError, LateEffect};

/// How long after the closing the calendar is looked at again.
pub(super) const SECOND_LOOKS: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(600)];
/// Looks that wait; further ones are not taken. A server whose replies are all lost causes that many in ten minutes.
pub(super) const LOOKS_WAITING_MAX: usize = 20_000;
/// A look at a room in which an action is in progress, or whose mailbox cannot be read, is taken this much later.
const POSTPONED_BY: Duration = Duration::from_secs(60);
/// Rooms that are looked at at the same time.
const CONCURRENT_LOOKS_MAX: usize = 8;

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

    fn add_at(&self, action: ActionId, due: Duration) {
        let mut waiting = self.waiting();
        if waiting.len() >= LOOKS_WAITING_MAX {
            tracing::warn!(%action, "too many actions wait for a second look at the calendar; this one gets none");
            return;
        }
        waiting.insert((due, action));
    }

    /// Takes the looks that are due.
    fn take_due(&self, now: Duration) -> Vec<ActionId> {
        let mut waiting = self.waiting();
        let mut due = Vec::new();
        while let Some((at, action)) = waiting.first().copied().filter(|(at, _)| *at <= now) {
            waiting.remove(&(at, action));
            due.push(action);
        }
        due
    }

    fn waiting(&self) -> MutexGuard<'_, BTreeSet<(Duration, ActionId)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine {
    /// Adds the looks that an earlier process had still to take. To be called once, after the recovery.
    pub async fn resume_second_looks(&self) -> Result<(), JournalError> {
        let now = self.clock().now();
        for action in self.journal().actions_since(now - SECOND_LOOKS[SECOND_LOOKS.len() - 1]).await? {
            let Some(record) = self.journal().action_record(action).await? else { continue };
            if record.may_arrive_late() {
                let age = (now - record.last_at).to_std().unwrap_or_default();
                self.second_looks().add(action, age, self.clock().since_boot());
            }
        }
        Ok(())
    }

    /// Takes the looks that are due. Returns the actions whose change is on the calendar after all.
    pub async fn look_again(self: &Arc<Self>) -> Result<Vec<ActionRecord>, JournalError> {
        let due = self.second_looks().take_due(self.clock().since_boot());
        let looks = due.into_iter().map(|action| self.look_again_at(action));
        let looks: Vec<_> = stream::iter(looks).buffer_unordered(CONCURRENT_LOOKS_MAX).collect().await;
        looks.into_iter().filter_map(Result::transpose).collect()
    }

    async fn look_again_at(&self, action: ActionId) -> Result<Option<ActionRecord>, JournalError> {
        let Some(record) = self.journal().action_record(action).await? else { return Ok(None) };
        if !record.may_arrive_late() || record.late.is_some() {
            return Ok(None);
        }
        let Some(_lock) = self.try_lock_room(&record.action.room).await? else {
            self.postpone(&record);
            return Ok(None);
        };
        let context = ActionContext::of_record(self, &record, &NoPrecondition);
        if !arrived_late(&context, &record).await? {
            return Ok(None);
        }
        context.record(Fact::Late { effect: LateEffect::OnCalendar, requests: Vec::new() }).await?;
        let record = self.journal().action_record(action).await?;
        if let Some(record) = &record {
            context.report_end(record.reported_outcome().as_deref(), record.requests.len());
        }
        Ok(record)
    }

    /// Takes the look later, unless the action was closed long ago.
    fn postpone(&self, record: &ActionRecord) {
        if self.clock().now() - record.last_at < self.options().give_up_after {
            self.second_looks().add_at(record.action.id, self.clock().since_boot() + POSTPONED_BY);
        }
    }
}

/// Whether the calendar shows the change of this action, and no other action made it.
async fn arrived_late(context: &ActionContext<'_>, record: &ActionRecord) -> Result<bool, JournalError> {
    let Some(intent) = &record.intent else { return Ok(false) };
    let attempt = Attempt::from(intent);
    match verify(context, &attempt, &Sends::of_earlier_process(record).doubt).await {
        Ok(Observation::Applied | Observation::AppliedMaybeNotified) => {
            Ok(done_by_other_since(context, &attempt).await?.is_none())
        }
        Ok(_) => Ok(false),
        Err(_) => {
            context.engine.postpone(record);
            Ok(false)
        }
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
        assert_eq!(looks.take_due(s(1059)), []);
        assert_eq!(looks.take_due(s(1060)), [action]);
        assert_eq!(looks.take_due(s(1480)), [late], "two minutes had passed before");
        assert_eq!(looks.take_due(s(1600)), [action]);
        assert_eq!(looks.take_due(s(9000)), []);
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
