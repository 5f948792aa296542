//! Settles the actions that a crash or an outage left open, after a restart and while the service runs. Never decides about an
//! action before it has read the mailbox.

use std::sync::Arc;

use chrono::TimeDelta;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::context::{Engine, NoPrecondition};
use super::execution::{Execution, refused};
use super::messages;
use super::overlap_check::{is_revert, with_id};
use super::reconcile::Observation;
use crate::action::{ActionKind, Actor, NoChangeReason, Outcome, Refusal, RequestIds};
use crate::journal::{ActionRecord, ActionStatus, Fact, Intent, JournalError, Query};

/// Rooms that are recovered at the same time.
const CONCURRENT_ROOMS_MAX: usize = 16;

/// What to do about a room in which an action is in progress.
#[derive(Debug, Clone, Copy)]
enum BusyRoomPolicy {
    Wait,
    Skip,
}

/// How far the clock may have been corrected while the process was down.
const CLOCK_SLACK: TimeDelta = TimeDelta::seconds(5);

/// How long after its request an action that was closed in doubt is checked again.
const RECHECKED_WITHIN: TimeDelta = TimeDelta::days(1);

/// The result of a recovery.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Actions that are closed now.
    pub closed: Vec<ActionRecord>,
    /// Actions that stay open, because their mailbox could not be read.
    pub still_open: Vec<ActionRecord>,
    /// Actions that were closed in doubt, and whose outcome is known now.
    pub settled: Vec<ActionRecord>,
}

impl Engine {
    /// Settles every open action, as far as Exchange can be read. To be called once before the first action; calling it again is
    /// harmless.
    pub async fn recover(self: &Arc<Self>) -> Result<Recovered, JournalError> {
        self.resume_all(BusyRoomPolicy::Wait).await
    }

    /// The same while actions are performed: skips rooms in which one is in progress.
    pub async fn recover_idle_rooms(self: &Arc<Self>) -> Result<Recovered, JournalError> {
        self.resume_all(BusyRoomPolicy::Skip).await
    }

    async fn resume_all(self: &Arc<Self>, policy: BusyRoomPolicy) -> Result<Recovered, JournalError> {
        let open = self.journal().find(&Query::default().with_status(ActionStatus::Open)).await?;
        let since = Some(self.clock().now() - RECHECKED_WITHIN);
        let unknown = Query { since, ..Query::default() }.with_status(ActionStatus::NeedsAttention);
        let mut unknown = self.journal().find(&unknown).await?;
        unknown.retain(ActionRecord::needs_recheck);
        let permits = Arc::new(Semaphore::new(CONCURRENT_ROOMS_MAX));
        let mut tasks = JoinSet::new();
        for record in open.iter().chain(&unknown) {
            let (engine, permits, action) = (self.clone(), permits.clone(), record.action.clone());
            tasks.spawn(async move {
                let _permit = permits.acquire_owned().await;
                let room = action.room.as_str();
                let lock = match policy {
                    BusyRoomPolicy::Wait => Some(engine.lock_room(room).await),
                    BusyRoomPolicy::Skip => engine.try_lock_room(room),
                };
                let Some(_lock) = lock else { return Ok(()) };
                // Another task may have settled it in the meantime.
                match engine.journal().action_record(action.id).await? {
                    Some(record) if record.is_open() => engine.resume(record).await.map(drop),
                    Some(record) if record.needs_recheck() => engine.recheck(&record).await,
                    _ => Ok(()),
                }
            });
        }
        while let Some(joined) = tasks.join_next().await {
            // A task that panicked has closed nothing; its action is still open below.
            joined.unwrap_or(Ok(()))?;
        }
        let mut recovered = Recovered::default();
        for record in open {
            let Some(record) = self.journal().action_record(record.action.id).await? else { continue };
            let list = if record.is_open() { &mut recovered.still_open } else { &mut recovered.closed };
            list.push(record);
        }
        for record in unknown {
            let Some(record) = self.journal().action_record(record.action.id).await? else { continue };
            if !record.needs_recheck() {
                recovered.settled.push(record);
            }
        }
        Ok(recovered)
    }

    /// Reads the mailbox for an action that was closed in doubt, and records the outcome once the mailbox shows it. Never writes
    /// to the calendar. The caller holds the room lock.
    async fn recheck(&self, record: &ActionRecord) -> Result<(), JournalError> {
        let Some(Intent { before, step, done }) = &record.intent else { return Ok(()) };
        let takes_back = record.intent.as_ref().is_some_and(|intent| is_revert(record.action.kind, intent));
        let execution = Execution::resumed(self, record, &NoPrecondition);
        execution.wait_delivery_window(record.last_at).await;
        let outcome = match execution.verify(before, step).await {
            Err(_) => return Ok(()),
            // The change was reverted.
            Ok(Observation::Applied | Observation::AppliedMaybeNotified | Observation::Gone)
                if takes_back =>
            {
                refused(Refusal::Collides { events: Vec::new() })
            }
            Ok(Observation::Unchanged | Observation::Modified) if takes_back => {
                messages::overlap_remains(before)
            }
            Ok(Observation::Unchanged | Observation::Modified) => refused(Refusal::Interrupted),
            Ok(found) => {
                match (found.outcome(done), execution.done_by_other_since(record, before, step).await?) {
                    // Another action made the same change since, and was reported as done.
                    (Some(Outcome::Done(_)), Some(action)) => {
                        Outcome::AlreadyDone { why: NoChangeReason::ByAction { action } }
                    }
                    (Some(outcome), _) => outcome,
                    (None, _) => execution.indeterminate(before, step),
                }
            }
        };
        let outcome = match outcome {
            Outcome::Done(done) if done.event.id.as_str().is_empty() => {
                match execution.find_again(before).await {
                    Ok(Some(made)) => Outcome::Done(with_id(done, &made)),
                    _ => return Ok(()),
                }
            }
            outcome => outcome,
        };
        self.record(record.action.id, Fact::Settled { outcome: Box::new(outcome) }).await
    }

    /// Settles one open action and closes it; `None` when its mailbox cannot be read now. The caller holds the room lock.
    pub(super) async fn resume(&self, record: ActionRecord) -> Result<Option<Outcome>, JournalError> {
        if !record.is_open() {
            return Ok(record.outcome);
        }
        let execution = Execution::resumed(self, &record, &NoPrecondition);
        // Timestamps in the future (the clock was set back) have no usable age.
        let age = self.clock().now() - record.accepted_at;
        let is_certain = self.clock().doubt().is_none();
        let is_young = is_certain && -CLOCK_SLACK <= age && age <= self.options().resume_within;
        // A sweep's precondition ended with its process, so its actions are not started again.
        // A booking that may have been sent is never sent again.
        let booking = matches!(record.action.kind, ActionKind::Book { .. }) && record.intent.is_some();
        let goes_on = is_young && !booking && !matches!(record.action.actor, Actor::Sweep { .. });
        let over = match &record.intent {
            None if goes_on => execution.finish_from(None).await?,
            None => (refused(Refusal::Interrupted), Vec::new()),
            Some(intent) => self.resume_intent(execution, &record, intent, goes_on).await?,
        };
        let (outcome, requests) = over;
        self.close_if_known(record.action.id, record.accepted_at, outcome, requests).await
    }

    /// Settles an action whose last recorded fact is an intent: its step may have been sent.
    async fn resume_intent(
        &self,
        execution: Execution<'_>,
        record: &ActionRecord,
        intent: &Intent,
        goes_on: bool,
    ) -> Result<(Outcome, Vec<RequestIds>), JournalError> {
        let Intent { before, step, done } = intent;
        if is_revert(record.action.kind, intent) {
            return Ok(match execution.resume_revert(intent, record.last_at).await? {
                Ok(over) => over,
                Err(error) => (messages::needs_attention(before, step, &error), Vec::new()),
            });
        }
        let server = execution.capabilities();
        if goes_on && server.may_change_newer_version(step) {
            execution.wait_delivery_window(record.last_at).await;
        }
        let outcome = match execution.verified_outcome(before, step, done).await {
            None if goes_on => return execution.finish_from(Some(intent)).await,
            None => refused(Refusal::Interrupted),
            Some(outcome) => outcome,
        };
        execution.conclude(outcome).await
    }
}
