//! Settles the actions that a crash or an outage left open, after a restart and while the service runs. Never decides about an
//! action before it has read the mailbox.

use std::sync::Arc;

use chrono::TimeDelta;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::action_context::ActionContext;
use super::attempt::{Attempt, Before, LocateFrom};
use super::capabilities::Capabilities;
use super::context::{Engine, NoPrecondition};
use super::early_exit::refused;
use super::execution::Execution;
use super::messages;
use super::overlap_check::{is_revert, resume_revert, with_id};
use super::past_actions::{done_by_other_since, was_taken_away_before};
use super::reconcile::Observation;
use super::sends::{Sends, latest_send};
use super::verify::{find_again, verified_outcome, verify};
use crate::action::{Actor, Change, NoChangeReason, Outcome, Refusal, Step};
use crate::calendar::RoomAddress;
use crate::journal::{ActionRecord, ActionStatus, Fact, JournalError, Query};

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
#[non_exhaustive]
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
        self.resume_all(Query::default(), BusyRoomPolicy::Wait).await
    }

    /// The same in one room.
    pub async fn recover_room(self: &Arc<Self>, room: &RoomAddress) -> Result<Recovered, JournalError> {
        self.resume_all(Query::room(room), BusyRoomPolicy::Wait).await
    }

    /// The same while actions are performed: skips rooms in which one is in progress.
    pub async fn recover_idle_rooms(self: &Arc<Self>) -> Result<Recovered, JournalError> {
        self.resume_all(Query::default(), BusyRoomPolicy::Skip).await
    }

    async fn resume_all(
        self: &Arc<Self>,
        among: Query,
        policy: BusyRoomPolicy,
    ) -> Result<Recovered, JournalError> {
        let open = self.journal().find(&among.clone().with_status(ActionStatus::Open)).await?;
        let since = Some(self.clock().now() - RECHECKED_WITHIN);
        let unknown = Query { since, ..among }.with_status(ActionStatus::NeedsAttention);
        let mut unknown = self.journal().find(&unknown).await?;
        unknown.retain(ActionRecord::needs_recheck);
        let permits = Arc::new(Semaphore::new(CONCURRENT_ROOMS_MAX));
        let mut tasks = JoinSet::new();
        for record in open.iter().chain(&unknown) {
            let (engine, permits, action) = (self.clone(), permits.clone(), record.action.clone());
            tasks.spawn(async move {
                let _permit = permits.acquire_owned().await;
                let lock = match policy {
                    BusyRoomPolicy::Wait => Some(engine.lock_room(&action.room).await?),
                    BusyRoomPolicy::Skip => engine.try_lock_room(&action.room).await?,
                };
                let Some(_lock) = lock else { return Ok(()) };
                // Another task may have settled it in the meantime.
                let settled = match engine.journal().action_record(action.id).await? {
                    Some(record) if record.is_open() => engine.resume(record).await.map(drop),
                    Some(record) if record.needs_recheck() => engine.recheck(&record).await,
                    _ => Ok(()),
                };
                // Such an action stays open; it keeps no other room from being settled.
                if matches!(settled, Err(JournalError::OtherProcess(_))) { Ok(()) } else { settled }
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
        let Some(intent) = &record.intent else { return Ok(()) };
        let context = ActionContext::of_record(self, record, &NoPrecondition);
        context.wait_delivery_window(record.last_at).await;
        let attempt = Attempt::from(intent);
        let doubt = Sends::of_earlier_process(record).doubt;
        let Ok(found) = verify(&context, &attempt, &doubt).await else { return Ok(()) };
        let outcome = match is_revert(record.action.kind, intent) {
            true => reverted_outcome(found, &attempt, context.capabilities()),
            false => rechecked_outcome(&context, found, &attempt).await?,
        };
        let outcome = match outcome {
            // The intent of a booking was recorded before the server assigned an id.
            Outcome::Done(done) if done.change == Change::Booked => {
                match find_again(&context, &attempt.before).await.map(|found| found.after) {
                    Ok(Some(made)) => Outcome::Done(with_id(done, &made)),
                    _ => return Ok(()),
                }
            }
            outcome => outcome,
        };
        context.record(Fact::Settled { outcome: Box::new(outcome.clone()) }).await?;
        context.report_end(Some(&outcome), record.requests.len());
        Ok(())
    }

    /// Settles one open action and closes it; `None` when its mailbox cannot be read now. The caller holds the room lock.
    pub(super) async fn resume(&self, record: ActionRecord) -> Result<Option<Outcome>, JournalError> {
        if !record.is_open() {
            return Ok(record.outcome);
        }
        let context = ActionContext::of_record(self, &record, &NoPrecondition);
        let sends = Sends::of_earlier_process(&record);
        let goes_on = self.goes_on(&record);
        let first = match &record.intent {
            None if goes_on => Execution::begin(&context, &sends, LocateFrom::Request).await?,
            None => Execution::Decided(refused(Refusal::Interrupted)),
            Some(intent) if is_revert(record.action.kind, intent) => {
                let (outcome, requests) = resume_revert(&context, intent, latest_send(&record)).await?;
                let writes = record.requests.len() + requests.len();
                return context.close_if_known(outcome, requests, writes).await;
            }
            Some(intent) => {
                let attempt = Attempt::from(intent);
                if goes_on && context.capabilities().may_change_newer_version(&attempt.plan.step) {
                    context.wait_delivery_window(latest_send(&record)).await;
                }
                resume_attempt(&context, &sends, attempt, goes_on).await?
            }
        };
        first.run(&context, sends).await
    }

    /// Whether an interrupted action is still carried out where nothing was done.
    fn goes_on(&self, record: &ActionRecord) -> bool {
        // Timestamps in the future (the clock was set back) have no usable age.
        let age = self.clock().now() - record.accepted_at;
        let is_certain = self.clock().doubt().is_none();
        let is_young = is_certain && -CLOCK_SLACK <= age && age <= self.options().resume_within;
        // A booking that may have been sent is never sent again.
        let booking = record.intent.as_ref().is_some_and(|intent| matches!(intent.step, Step::Book { .. }));
        // A sweep's precondition ended with its process, so its actions are not started again.
        is_young && !booking && !matches!(record.action.actor, Actor::Sweep { .. })
    }
}

/// The state of an action whose last recorded fact is an intent: its step may have been sent.
async fn resume_attempt(
    context: &ActionContext<'_>,
    sends: &Sends,
    attempt: Attempt,
    goes_on: bool,
) -> Result<Execution, JournalError> {
    match verified_outcome(context, &attempt, &sends.doubt).await {
        Some(outcome) => Ok(Execution::Decided(outcome)),
        None if goes_on => {
            // The step of the earlier process may still be on its way, whatever is decided now.
            let why = "the process ended before it knew the result".to_owned();
            context.record(Fact::InDoubt { why, requests: Vec::new() }).await?;
            Execution::begin(context, sends, LocateFrom::Attempt(Box::new(attempt))).await
        }
        None => Ok(Execution::Decided(interrupted_outcome(context, &attempt).await?)),
    }
}

/// The outcome of an action whose change is not on the calendar. A booking that another action removed had been made, although it is
/// not there now: an undo of that removal may bring it back.
async fn interrupted_outcome(
    context: &ActionContext<'_>,
    attempt: &Attempt,
) -> Result<Outcome, JournalError> {
    if let (Before::Draft(_), Some(identity)) = (&attempt.before, attempt.before.identity())
        && was_taken_away_before(context, identity).await?
    {
        return Ok(Outcome::AlreadyDone { why: NoChangeReason::Gone });
    }
    Ok(refused(Refusal::Interrupted))
}

/// The outcome of an action whose last step reverted its own change.
fn reverted_outcome(found: Observation, attempt: &Attempt, server: Capabilities) -> Outcome {
    match found {
        Observation::Applied | Observation::AppliedMaybeNotified | Observation::Gone => {
            refused(Refusal::Collides { events: Vec::new() })
        }
        Observation::Unchanged | Observation::Modified => {
            messages::overlap_remains(&attempt.before.snapshot())
        }
        Observation::AppliedBy(_) | Observation::Indeterminate => {
            found.outcome(&attempt.plan.done).unwrap_or_else(|| attempt.indeterminate(server))
        }
    }
}

/// The outcome of an action that was closed in doubt, by what the mailbox shows now.
async fn rechecked_outcome(
    context: &ActionContext<'_>,
    found: Observation,
    attempt: &Attempt,
) -> Result<Outcome, JournalError> {
    if matches!(found, Observation::Unchanged | Observation::Modified) {
        return interrupted_outcome(context, attempt).await;
    }
    let by_other = done_by_other_since(context, attempt).await?;
    Ok(match (found.outcome(&attempt.plan.done), by_other) {
        // Another action made the same change since, and was reported as done.
        (Some(Outcome::Done(_)), Some(action)) => {
            Outcome::AlreadyDone { why: NoChangeReason::ByAction { action } }
        }
        (Some(outcome), _) => outcome,
        (None, _) => attempt.indeterminate(context.capabilities()),
    })
}
