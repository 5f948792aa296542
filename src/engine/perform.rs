//! Performs an action: at most once under its idempotency key, and one after another in each room. `execution.rs` carries it out.

use chrono::TimeDelta;
use tokio::time::Instant;

use super::action_context::ActionContext;
use super::attempt::LocateFrom;
use super::context::{Engine, Mode, NoPrecondition, Precondition};
use super::early_exit::refused;
use super::execution::Execution;
use super::idempotency::{PriorRequest, prior_request};
use super::sends::Sends;
use crate::action::{Action, ActionId, Answer, Refusal};
use crate::journal::{ActionStatus, Fact, JournalError, Query};

impl Engine {
    /// Performs one action, or a dry run of it. `Err` means that the journal failed, and that nothing was done after that moment.
    ///
    /// A dropped future leaves the action open; the next action in the room, or [`Engine::recover`], settles it.
    pub async fn perform(&self, action: Action, mode: Mode) -> Result<Answer, JournalError> {
        self.perform_if(action, mode, &NoPrecondition).await
    }

    /// The same, with a condition that is checked after every read of the event and may refuse the action.
    pub async fn perform_if(
        &self,
        action: Action,
        mode: Mode,
        precondition: &dyn Precondition,
    ) -> Result<Answer, JournalError> {
        let (id, requested_at) = (action.id, self.clock().now());
        let (engine, begun, is_recheck) = (self, Instant::now(), false);
        let context =
            ActionContext { engine, action: &action, mode, precondition, requested_at, begun, is_recheck };
        if mode == Mode::DryRun {
            let first = begin(&context).await?;
            return finish(&context, first).await;
        }
        let _key_lock = match &action.key {
            Some(key) => Some(self.lock_key(key).await?),
            None => None,
        };
        let _room_lock = self.lock_room(&action.room).await?;
        let unsettled = self.settle_open_actions(&action).await?;
        if let Some(answer) = self.prior_answer(&action).await? {
            return Ok(answer);
        }
        if let Some(earlier) = unsettled {
            let outcome = refused(Refusal::StillInDoubt { action: earlier });
            return Ok(Answer { action: id, outcome, repeated: false });
        }
        let accepted = context.record(Fact::Accepted { action: Box::new(action.clone()) });
        // Record and read at the same time. Nothing is planned before both have completed.
        let (accepted, first) = tokio::join!(accepted, begin(&context));
        accepted?;
        finish(&context, first?).await
    }

    /// Settles the actions that a crash left open in this room, so that no new change can be mistaken for theirs. Returns the
    /// action that stays open because the mailbox cannot be read now.
    async fn settle_open_actions(&self, action: &Action) -> Result<Option<ActionId>, JournalError> {
        let mut unsettled = None;
        for record in self.journal().find(&Query::room(&action.room).with_status(ActionStatus::Open)).await? {
            let id = record.action.id;
            match self.resume(record).await {
                Ok(Some(_)) => {}
                Ok(None) | Err(JournalError::OtherProcess(_)) => unsettled = Some(id),
                Err(error) => return Err(error),
            }
        }
        Ok(unsettled)
    }

    /// The answer to the same request under the same idempotency key, if there was one.
    async fn prior_answer(&self, action: &Action) -> Result<Option<Answer>, JournalError> {
        let Some(key) = &action.key else { return Ok(None) };
        let query = Query { key: Some(key.clone()), limit: Some(1), ..Query::default() };
        let newest = self.journal().find(&query).await?.pop();
        match prior_request(action, newest, self.clock().now(), self.effective_key_ttl()) {
            PriorRequest::None => Ok(None),
            PriorRequest::Answered(answer) => Ok(Some(answer)),
            PriorRequest::Open(earlier) => {
                let outcome = refused(Refusal::StillInDoubt { action: earlier });
                Ok(Some(Answer { action: earlier, outcome, repeated: true }))
            }
        }
    }

    /// The time to live of idempotency keys: unlimited while the clock is in doubt, since a clock that jumps ahead must not turn
    /// a repeated request into a new one.
    fn effective_key_ttl(&self) -> TimeDelta {
        if self.clock().doubt().is_some() { TimeDelta::MAX } else { self.key_ttl() }
    }
}

/// The first states of a new action.
async fn begin(context: &ActionContext<'_>) -> Result<Execution, JournalError> {
    Execution::begin(context, &Sends::default(), LocateFrom::Request).await
}

/// The answer of a new action. An action that stays open is in doubt.
async fn finish(context: &ActionContext<'_>, first: Execution) -> Result<Answer, JournalError> {
    let action = context.action.id;
    let outcome = first.run(context, Sends::default()).await?;
    let outcome = outcome.unwrap_or_else(|| refused(Refusal::StillInDoubt { action }));
    Ok(Answer { action, outcome, repeated: false })
}
