//! The second look at an action that was closed as one that changed nothing although a request of it may have been on its way. A
//! machine or proxy that froze with the request in hand can deliver it later than any request is waited for. Never writes to a
//! calendar, and changes no outcome.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use tokio::time::timeout;

use super::action_context::ActionContext;
use super::attempt::Attempt;
use super::context::{Engine, NoPrecondition};
use super::overlap_check::is_revert;
use super::past_actions::done_by_other_since;
use super::reconcile::Observation;
use super::sends::Sends;
use super::verify::verify;
use super::waiting_looks::SECOND_LOOKS;
use crate::action::ActionId;
use crate::journal::{ActionRecord, Fact, JournalError, LateEffect};

/// A look at a room in which an action is in progress, or whose mailbox cannot be read, is taken this much later.
const POSTPONED_BY: Duration = Duration::from_secs(60);
/// Rooms that are looked at at the same time.
const CONCURRENT_LOOKS_MAX: usize = 8;
/// Looks that one call takes.
const LOOKS_AT_ONCE: usize = 200;
/// Time limit of one look. The room is locked meanwhile.
const LOOK_LIMIT: Duration = Duration::from_secs(5);

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

    /// Takes the looks that are due, some at a time. Returns the actions whose change is on the calendar after all. A look that fails is
    /// taken later.
    pub async fn look_again(self: &Arc<Self>) -> Vec<ActionRecord> {
        let due = self.second_looks().take_due(self.clock().since_boot(), LOOKS_AT_ONCE);
        let looks = due.into_iter().map(|action| async move { (action, self.look_again_at(action).await) });
        let mut looks = stream::iter(looks).buffer_unordered(CONCURRENT_LOOKS_MAX);
        let mut late = Vec::new();
        while let Some((action, looked)) = looks.next().await {
            match looked {
                Ok(found) => late.extend(found),
                Err(error) => {
                    tracing::error!(%error, %action, "the journal failed during a second look at a calendar");
                    self.second_looks().add_at(action, self.clock().since_boot() + POSTPONED_BY);
                }
            }
        }
        late
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
        // Nobody in the room waits for a check of a mailbox that hangs.
        let seen = timeout(LOOK_LIMIT, look(&context, &record)).await.unwrap_or(Ok(Seen::Nothing))?;
        match seen {
            Seen::ItsChange => {}
            Seen::OtherThings => return Ok(None),
            Seen::Nothing => {
                self.postpone(&record);
                return Ok(None);
            }
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

/// What a look shows.
enum Seen {
    /// The change of the action, which no other action made.
    ItsChange,
    OtherThings,
    /// The mailbox could not be read.
    Nothing,
}

async fn look(context: &ActionContext<'_>, record: &ActionRecord) -> Result<Seen, JournalError> {
    let Some(intent) = &record.intent else { return Ok(Seen::OtherThings) };
    if is_revert(record.action.kind, intent) {
        return Ok(Seen::OtherThings); // the action made this change itself, and took it back
    }
    let attempt = Attempt::from(intent);
    match verify(context, &attempt, &Sends::of_earlier_process(record).doubt).await {
        Ok(Observation::Applied | Observation::AppliedMaybeNotified) => {
            let by_other = done_by_other_since(context, &attempt).await?.is_some();
            Ok(if by_other { Seen::OtherThings } else { Seen::ItsChange })
        }
        Ok(_) => Ok(Seen::OtherThings),
        Err(_) => Ok(Seen::Nothing),
    }
}
