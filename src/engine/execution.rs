//! The execution of one action, as a state machine. It never sends a write a second time without reading the event in between,
//! and never writes to a calendar before the journal has stored the intent.
//!
//! ```text
//! Locating ─► Located ─► Planned ─► Written ─┬─────────────────┬─► Decided ─► Closed, LeftOpen
//!    ▲                                       ├─► Verifying ─┬──┤
//!    │                                       ├─► InDoubt ───┼──┘
//!    └────────── read and plan again ◄───────┴──────────────┘
//!
//! Locating, Located ─► Decided      refused, nothing to change, dry run: an early exit
//! ```
//!
//! | state | what it knows | next |
//! | --- | --- | --- |
//! | Locating | the request, or an earlier attempt | Located; Decided, if an earlier send was applied |
//! | Located | the event or booking that was read, or why there is none | Planned, after the journal has stored `Intended`; Decided, if refused, if nothing has to be changed, or for a dry run |
//! | Planned | the attempt: the event before, and the step | Written, after the journal has stored `InDoubt` if the reply was lost |
//! | Written | the attempt and the reply | Decided, if done or refused; Locating after a conflict or "busy"; Verifying, if the reply proves nothing; InDoubt, if any reply was lost |
//! | Verifying | the attempt and the reported failure | Decided, by what the mailbox shows; Locating, if the event is still there |
//! | InDoubt | the attempt and the last reply | Decided, by what the mailbox shows; Locating, if the mailbox shows that nothing was applied |
//! | Decided | the outcome, before the last look at the mailbox | Closed, after the journal has stored it; LeftOpen, if the mailbox cannot be read |
//! | Closed, LeftOpen | the outcome; nothing | |
//!
//! [`Sends`] outlives the states: a doubt about one send stays until the end.

use super::action_context::ActionContext;
use super::attempt::{Attempt, Before, LocateFrom};
use super::context::Mode;
use super::early_exit::{EarlyExit, refused};
use super::intent_age::StoredIntent;
use super::locate::{find_undo_target, locate};
use super::overlap_check::check_overlap;
use super::past_actions::{nothing_to_do, refuse};
use super::plan::check_reversible;
use super::planning::make_plan;
use super::reconcile::Observation;
use super::select::Selected;
use super::send_permission::send_intended;
use super::sends::{InFlight, Sends};
use super::undo::UndoTarget;
use super::verify::{FoundAgain, find_again, find_trace, verified_outcome, verify};
use super::{CalendarError, TraceLookup, WriteOutcome, messages};
use crate::action::{Done, NoChangeReason, Outcome, Refusal};
use crate::journal::{Fact, JournalError};

/// The state of an action in progress.
pub(super) enum Execution {
    /// The event has to be read.
    Locating(LocateFrom),
    /// The event was read. Nothing was recorded about it.
    Located(Box<LocatedEvent>),
    /// The journal has stored the intent. The step was not sent.
    Planned(Box<Attempt>, Box<StoredIntent>),
    /// The step was sent once.
    Written(Box<Attempt>, Reply),
    /// The server reported a failure that does not prove what happened. No send is in doubt.
    Verifying(Box<Attempt>, Failure),
    /// A send is in doubt: only the mailbox shows which writes were applied.
    InDoubt(Box<Attempt>, WriteOutcome),
    /// No further step is sent.
    Decided(Outcome),
    /// The journal has stored the outcome. A dry run stores nothing.
    Closed(Outcome),
    /// The mailbox could not be read. The action stays open in the journal.
    LeftOpen,
}

/// What was read for an attempt.
pub(super) struct LocatedEvent {
    from: LocateFrom,
    undo: Option<UndoTarget>,
    selected: Selected,
}

/// The reply to one send.
pub(super) struct Reply {
    outcome: WriteOutcome,
    /// Whether a request left the process.
    was_sent: bool,
}

/// A failure that the server reported, and that has to be verified.
pub(super) enum Failure {
    /// The server did not find the item. It reports the same where the account may read the item but not write to it.
    NotFound,
    /// A refusal of a step that sends mail: the server may have changed the calendar before the mail failed.
    Refused(CalendarError),
    /// A failure that can follow the change.
    Unproven(CalendarError),
}

impl Execution {
    /// The first states: refuses a room outside the scope, and reads the event. A read changes nothing, so the action need not be
    /// recorded yet.
    pub(super) async fn begin(
        context: &ActionContext<'_>,
        sends: &Sends,
        from: LocateFrom,
    ) -> Result<Self, JournalError> {
        let room = context.room();
        if !context.engine.scope().contains(room) {
            return Ok(Self::Decided(refused(Refusal::OutOfScope { room: room.clone() })));
        }
        or_decided(locate_event(context, sends, from).await)
    }

    /// Carries the action out. Returns its outcome; `None` if it stays open.
    pub(super) async fn run(
        mut self,
        context: &ActionContext<'_>,
        mut sends: Sends,
    ) -> Result<Option<Outcome>, JournalError> {
        loop {
            let next = match self {
                Self::Locating(from) => locate_again(context, &sends, from).await,
                Self::Located(located) => plan_and_record(context, &sends, *located).await,
                Self::Planned(attempt, intent) => send(context, &mut sends, attempt, *intent).await,
                Self::Written(attempt, reply) => Ok(judge_reply(&mut sends, attempt, reply)),
                Self::Verifying(attempt, failure) => {
                    Ok(verify_failure(context, &mut sends, attempt, failure).await)
                }
                Self::InDoubt(attempt, reply) => Ok(settle_doubt(context, &mut sends, attempt, reply).await),
                Self::Decided(outcome) => close(context, &mut sends, outcome).await,
                Self::Closed(outcome) => return Ok(Some(outcome)),
                Self::LeftOpen => return Ok(None),
            };
            self = or_decided(next)?;
        }
    }
}

/// The next state, where an early exit leads to [`Execution::Decided`].
fn or_decided(next: Result<Execution, EarlyExit>) -> Result<Execution, JournalError> {
    match next {
        Ok(next) => Ok(next),
        Err(EarlyExit::Decided(outcome)) => Ok(Execution::Decided(outcome)),
        Err(EarlyExit::Journal(error)) => Err(error),
    }
}

/// Locating → Located, unless the event was changed at each of the allowed attempts.
async fn locate_again(
    context: &ActionContext<'_>,
    sends: &Sends,
    from: LocateFrom,
) -> Result<Execution, EarlyExit> {
    if sends.conflicts >= context.options().decisions_max {
        // The last conflict may have been with our own write.
        locate(context, &from, None, sends).await?;
        return Err(Refusal::KeepsChanging.into());
    }
    locate_event(context, sends, from).await
}

/// Locating → Located.
async fn locate_event(
    context: &ActionContext<'_>,
    sends: &Sends,
    from: LocateFrom,
) -> Result<Execution, EarlyExit> {
    let undo = match &from {
        LocateFrom::Attempt(attempt) if attempt.undo.is_some() => attempt.undo.clone(),
        LocateFrom::Request | LocateFrom::Attempt(_) => find_undo_target(context).await?,
    };
    let selected = locate(context, &from, undo.as_ref(), sends).await?;
    Ok(Execution::Located(Box::new(LocatedEvent { from, undo, selected })))
}

/// Located → Planned.
async fn plan_and_record(
    context: &ActionContext<'_>,
    sends: &Sends,
    LocatedEvent { from, undo, selected }: LocatedEvent,
) -> Result<Execution, EarlyExit> {
    let before = match selected {
        Selected::Event(event) => Before::Event(event),
        Selected::Draft(draft) => Before::Draft(draft),
        Selected::NoChange(why) => return Err(nothing_to_do(context, why, None).await?.into()),
        Selected::Refused(refusal) => return Err(refuse(context, refusal, None).await?.into()),
    };
    context.precondition.check(&before.stored(), context.now()).await?;
    let again = from.plan_for_same_version(&before, context.kind()).filter(|_| sends.doubt.exists());
    let plan = match again {
        Some(plan) => plan.clone(),
        None => make_plan(context, undo.as_ref(), &before).await?,
    };
    if undo.is_none() {
        check_reversible(&plan, context.capabilities(), context.options())?;
    }
    if context.mode == Mode::DryRun {
        return Err(Outcome::Done(Done { dry_run: true, ..plan.done }).into());
    }
    let attempt = Attempt { before, plan, undo };
    let intent = context.record_attempt(&attempt).await?;
    Ok(Execution::Planned(Box::new(attempt), Box::new(intent)))
}

/// Planned → Written: sends the step once.
async fn send(
    context: &ActionContext<'_>,
    sends: &mut Sends,
    attempt: Box<Attempt>,
    intent: StoredIntent,
) -> Result<Execution, EarlyExit> {
    let report = send_intended(context, &intent, sends).await?;
    let reply = Reply { was_sent: !report.requests.is_empty(), outcome: report.outcome };
    sends.add(&reply.outcome, report.requests);
    if let WriteOutcome::InDoubt(why) = &reply.outcome {
        let requests = sends.add_lost(InFlight { attempt: (*attempt).clone(), at: context.now() });
        context.record(Fact::InDoubt { why: why.to_string(), requests }).await?;
    }
    Ok(Execution::Written(attempt, reply))
}

/// Written → Decided, Locating, Verifying or InDoubt. While a send is in doubt, only two replies count: "done", and "busy", which
/// promises that nothing was done by this one.
fn judge_reply(sends: &mut Sends, attempt: Box<Attempt>, Reply { outcome, was_sent }: Reply) -> Execution {
    match outcome {
        WriteOutcome::Done => Execution::Decided(Outcome::Done(attempt.plan.done)),
        // After the server's back-off the event may have changed: plan again.
        WriteOutcome::Throttled(_) if sends.may_wait() => retry(attempt),
        WriteOutcome::Throttled(error) => Execution::Decided(refused(error.into())),
        reply @ WriteOutcome::InDoubt(_) => Execution::InDoubt(attempt, reply),
        reply if sends.doubt.exists() => Execution::InDoubt(attempt, reply),
        WriteOutcome::Conflict => conflict(sends, attempt),
        WriteOutcome::Gone => Execution::Verifying(attempt, Failure::NotFound),
        WriteOutcome::Unproven(error) => Execution::Verifying(attempt, Failure::Unproven(error)),
        WriteOutcome::NotApplied(error) if was_sent && attempt.plan.step.sends_mail() => {
            Execution::Verifying(attempt, Failure::Refused(error))
        }
        WriteOutcome::NotApplied(error) => Execution::Decided(refused(error.into())),
    }
}

/// The event is read and planned again.
fn retry(attempt: Box<Attempt>) -> Execution {
    Execution::Locating(LocateFrom::Attempt(attempt))
}

/// The same after another writer's change; the number of conflicts is limited.
fn conflict(sends: &mut Sends, attempt: Box<Attempt>) -> Execution {
    sends.conflicts += 1;
    retry(attempt)
}

/// Verifying → Decided or Locating.
async fn verify_failure(
    context: &ActionContext<'_>,
    sends: &mut Sends,
    attempt: Box<Attempt>,
    failure: Failure,
) -> Execution {
    match failure {
        Failure::NotFound => verify_not_found(context, sends, attempt).await,
        Failure::Unproven(error) => {
            sends.doubt.raise();
            Execution::Decided(match verify(context, &attempt, &sends.doubt).await {
                Ok(found) => outcome_of_failure(found, error, &attempt),
                Err(unreadable) => attempt.needs_attention(&unreadable),
            })
        }
        // Where the calendar cannot be read, this code means that nothing was done.
        Failure::Refused(error) => Execution::Decided(match verify(context, &attempt, &sends.doubt).await {
            Ok(found) => outcome_of_failure(found, error, &attempt),
            Err(_) => refused(error.into()),
        }),
    }
}

/// The outcome of a reported failure, by what the mailbox shows. A message in Sent Items proves the notification; an update of
/// times leaves no such proof.
fn outcome_of_failure(found: Observation, error: CalendarError, attempt: &Attempt) -> Outcome {
    match found {
        Observation::Indeterminate => attempt.needs_attention(&error),
        found => found.outcome(&attempt.plan.done).unwrap_or_else(|| refused(error.into())),
    }
}

async fn verify_not_found(
    context: &ActionContext<'_>,
    sends: &mut Sends,
    attempt: Box<Attempt>,
) -> Execution {
    // If the message was sent, a proxy delivered the request twice.
    if is_message_sent(context, &attempt).await {
        return Execution::Decided(Outcome::Done(attempt.plan.done));
    }
    match find_again(context, &attempt.before).await {
        Err(unreadable) => Execution::Decided(attempt.needs_attention(&unreadable)),
        Ok(FoundAgain { after: None, .. }) if attempt.plan.step.removes_event() => {
            Execution::Decided(Outcome::AlreadyDone { why: NoChangeReason::Gone })
        }
        Ok(found) if found.is_unchanged() => Execution::Decided(refused(messages::not_writable().into())),
        Ok(_) => conflict(sends, attempt),
    }
}

async fn is_message_sent(context: &ActionContext<'_>, Attempt { before, plan, .. }: &Attempt) -> bool {
    match before {
        Before::Event(event) if plan.step.sends_meeting_message() => {
            matches!(find_trace(context, event, &plan.step).await, Ok(TraceLookup::Found))
        }
        Before::Event(_) | Before::Draft(_) => false,
    }
}

/// InDoubt → Decided or Locating.
async fn settle_doubt(
    context: &ActionContext<'_>,
    sends: &mut Sends,
    attempt: Box<Attempt>,
    reply: WriteOutcome,
) -> Execution {
    let is_last_send = sends.lost >= context.options().sends_max;
    let found = match verify_twice(context, sends, &attempt, &reply).await {
        Ok(found) => found,
        Err(unreadable) => return Execution::Decided(attempt.needs_attention(&unreadable)),
    };
    if let Some(outcome) = found.outcome(&attempt.plan.done) {
        return Execution::Decided(outcome);
    }
    match (found, reply) {
        (Observation::Modified, _) => {
            if context.capabilities().guards(&attempt.plan.step) {
                sends.doubt.end_flight();
            }
            conflict(sends, attempt)
        }
        (Observation::Unchanged, WriteOutcome::Conflict) => conflict(sends, attempt),
        (Observation::Unchanged, WriteOutcome::InDoubt(_)) if !is_last_send => retry(attempt),
        // No send can be applied any more.
        (Observation::Unchanged, WriteOutcome::InDoubt(why)) => {
            Execution::Decided(refused(messages::reply_lost(why).into()))
        }
        (Observation::Unchanged, WriteOutcome::NotApplied(why) | WriteOutcome::Unproven(why)) => {
            Execution::Decided(refused(why.into()))
        }
        (Observation::Unchanged, WriteOutcome::Gone) => {
            Execution::Decided(refused(messages::not_writable().into()))
        }
        _ => Execution::Decided(attempt.indeterminate(context.capabilities())),
    }
}

/// What the mailbox shows. If the step will be sent again and a second send would not be harmless, reads it again after the
/// delivery window of the first.
async fn verify_twice(
    context: &ActionContext<'_>,
    sends: &Sends,
    attempt: &Attempt,
    reply: &WriteOutcome,
) -> Result<Observation, CalendarError> {
    let found = verify(context, attempt, &sends.doubt).await?;
    let (step, server) = (&attempt.plan.step, context.capabilities());
    let is_last_send = sends.lost >= context.options().sends_max;
    let is_dangerous_late = server.may_change_newer_version(step);
    let again_at_once = match reply {
        WriteOutcome::Conflict => !is_dangerous_late,
        WriteOutcome::InDoubt(_) => !is_last_send && server.may_send_again_at_once(step),
        _ => false,
    };
    let waits = match found {
        Observation::Unchanged => !again_at_once,
        Observation::Modified => is_dangerous_late,
        _ => false,
    };
    match sends.doubt.in_flight() {
        Some(InFlight { at, .. }) if waits => {
            context.wait_delivery_window(*at).await;
            verify(context, attempt, &sends.doubt).await
        }
        _ => Ok(found),
    }
}

/// Decided → Closed or LeftOpen: reads the mailbox once more where that can change the outcome, and stores the outcome.
async fn close(
    context: &ActionContext<'_>,
    sends: &mut Sends,
    outcome: Outcome,
) -> Result<Execution, EarlyExit> {
    let outcome = wait_out_late_delivery(context, sends, outcome).await;
    let outcome = check_overlap(context, outcome, &mut sends.requests).await?;
    if context.mode == Mode::DryRun {
        return Ok(Execution::Closed(outcome));
    }
    let requests = sends.take_requests();
    let closed = context.close_if_known(outcome, requests, sends.recorded()).await?;
    Ok(closed.map_or(Execution::LeftOpen, Execution::Closed))
}

/// Verifies an outcome of "nothing was changed" after the delivery window of the write that is in flight.
async fn wait_out_late_delivery(context: &ActionContext<'_>, sends: &Sends, outcome: Outcome) -> Outcome {
    let says_nothing_done = matches!(outcome, Outcome::Refused { .. } | Outcome::AlreadyDone { .. });
    let Some(InFlight { attempt, at }) = sends.doubt.in_flight().filter(|_| says_nothing_done) else {
        return outcome;
    };
    context.wait_delivery_window(*at).await;
    verified_outcome(context, attempt, &sends.doubt).await.unwrap_or(outcome)
}
