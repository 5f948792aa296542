//! The execution of one action: read, plan, record the intent, write, and verify where the reply leaves doubt.
//!
//! The shell around the pure parts. It never sends a write a second time without reading the event in between, and never
//! writes to a calendar before the journal has stored the intent.

use chrono::{DateTime, Utc};

use super::context::{Engine, Mode, Precondition};
use super::extend::{extension_window, plan_booking, plan_extend};
use super::idempotency::earlier_same_action;
use super::plan::{Plan, PlanError, plan};
use super::reconcile::Observation;
use super::select::Selected;
use super::undo::{UndoTarget, plan_undo};
use super::{CalendarError, messages};
use super::{CalendarView, TraceLookup, WriteOutcome};
use crate::action::{
    Action, ActionKind, Change, Done, NoChangeReason, Outcome, Refusal, RequestIds, Reversibility, Target,
    TimeRange,
};
use crate::calendar::{Event, Window};
use crate::journal::{ActionRecord, ActionStatus, Fact, Intent, JournalError, Query};

/// How many of a room's latest changes are searched for the one that a request repeats.
pub(super) const RECENT_ACTIONS_MAX: usize = 100;

/// An action in progress.
pub(super) struct Execution<'a> {
    pub(super) engine: &'a Engine,
    pub(super) action: &'a Action,
    mode: Mode,
    precondition: &'a dyn Precondition,
    /// The time of the request: no write was sent before it, and the event that the caller means was on then.
    pub(super) requested_at: DateTime<Utc>,
    /// A write may have been, or may still be, applied without our seeing the reply. Never cleared: the reply to a later send
    /// proves nothing about an earlier one.
    pub(super) in_doubt: bool,
    /// The write that may still be applied.
    in_flight: Option<InFlight>,
    counts: AttemptCounts,
    /// The last reply was that the server is busy and did nothing.
    pub(super) throttled: bool,
    /// Requests sent since the last recorded fact.
    pub(super) requests: Vec<RequestIds>,
}

/// The result of one round of planning and writing.
enum DecisionResult {
    Finished(Outcome),
    /// Nothing was done, or the result is unknown: plan again.
    Retry(Box<Attempt>),
}

/// One attempt: the event before it, and its plan.
#[derive(Clone)]
pub(super) struct Attempt {
    pub(super) before: Event,
    pub(super) plan: Plan,
}

/// A write that may still be applied, and when it was sent.
struct InFlight {
    attempt: Attempt,
    at: DateTime<Utc>,
}

/// What the search for the event of an action starts from.
pub(super) enum LocateFrom {
    /// The request's target.
    Request,
    /// An earlier attempt, after a conflict, a doubtful write or a restart: the same event, if its times are unchanged.
    Attempt(Box<Attempt>),
}

/// What was read for the first plan: what an undo reverts, and the event; or the outcome that ends the action.
pub(super) type InitialRead = Result<(Option<UndoTarget>, Result<Selected, Outcome>), Outcome>;

/// Counts that limit the attempts.
#[derive(Default)]
struct AttemptCounts {
    conflicts: u32,
    sends: u32,
    waits: u32,
}

/// How often a write waits for a busy server, each time at least for the server's back-off.
const WAITS_MAX: u32 = 30;

impl<'a> Execution<'a> {
    pub(super) fn new(
        engine: &'a Engine,
        action: &'a Action,
        mode: Mode,
        precondition: &'a dyn Precondition,
        since: DateTime<Utc>,
    ) -> Self {
        Self {
            engine,
            action,
            mode,
            precondition,
            requested_at: since,
            in_doubt: false,
            in_flight: None,
            counts: AttemptCounts::default(),
            throttled: false,
            requests: Vec::new(),
        }
    }

    /// The execution of an action that an earlier process accepted.
    pub(super) fn resumed(
        engine: &'a Engine,
        record: &'a ActionRecord,
        precondition: &'a dyn Precondition,
    ) -> Self {
        let execution = Self::new(engine, &record.action, Mode::Perform, precondition, record.accepted_at);
        let sent = record
            .intent
            .as_ref()
            .map(|intent| InFlight { attempt: Attempt::from(intent), at: record.last_at });
        Self { in_doubt: sent.is_some(), in_flight: sent, ..execution }
    }

    /// Reads what the first plan needs. A read changes nothing, so the action need not be recorded yet.
    pub(super) async fn read_initial(&self) -> Result<InitialRead, JournalError> {
        self.read_for(&LocateFrom::Request).await
    }

    async fn read_for(&self, from: &LocateFrom) -> Result<InitialRead, JournalError> {
        let room = &self.action.room;
        if !self.engine.scope().contains(room) {
            return Ok(Err(refused(Refusal::OutOfScope { room: room.clone() })));
        }
        let undo = match self.undo_target().await? {
            Ok(undo) => undo,
            Err(outcome) => return Ok(Err(outcome)),
        };
        let located = self.locate(from, undo.as_ref()).await;
        Ok(Ok((undo, located)))
    }

    /// Carries the action out. Returns the outcome, and the requests sent since the last recorded fact.
    pub(super) async fn finish(
        mut self,
        first: InitialRead,
    ) -> Result<(Outcome, Vec<RequestIds>), JournalError> {
        let outcome = self.decide_until_finished(LocateFrom::Request, first).await?;
        self.conclude(outcome).await
    }

    /// The same for an action of an earlier process, from its last recorded intent, if it had one.
    pub(super) async fn finish_from(
        mut self,
        intent: Option<&Intent>,
    ) -> Result<(Outcome, Vec<RequestIds>), JournalError> {
        let from =
            intent.map_or(LocateFrom::Request, |intent| LocateFrom::Attempt(Box::new(Attempt::from(intent))));
        let first = self.read_for(&from).await?;
        let outcome = self.decide_until_finished(from, first).await?;
        self.conclude(outcome).await
    }

    /// Reads the mailbox once more where that can change the outcome.
    pub(super) async fn conclude(
        mut self,
        outcome: Outcome,
    ) -> Result<(Outcome, Vec<RequestIds>), JournalError> {
        let outcome = self.wait_out_late_delivery(outcome).await;
        let outcome = self.check_overlap(outcome).await?;
        Ok((outcome, self.requests))
    }

    /// Verifies an outcome of "nothing was changed" after the delivery window of the write that is in flight.
    async fn wait_out_late_delivery(&mut self, outcome: Outcome) -> Outcome {
        let says_nothing_done = matches!(outcome, Outcome::Refused { .. } | Outcome::AlreadyDone { .. });
        let Some(InFlight { attempt, at }) = self.in_flight.take().filter(|_| says_nothing_done) else {
            return outcome;
        };
        let Attempt { before, plan: Plan { step, done } } = &attempt;
        self.wait_delivery_window(at).await;
        self.verified_outcome(before, step, done).await.unwrap_or(outcome)
    }

    /// Waits until a request sent at that time has been applied, or can no longer be.
    pub(super) async fn wait_delivery_window(&self, sent: DateTime<Utc>) {
        let lands_within = self.engine.options().delivery_window;
        // A clock that was set back since must not prolong the wait.
        let left = (sent + lands_within - self.engine.clock().now()).min(lands_within);
        tokio::time::sleep(left.to_std().unwrap_or_default()).await;
    }

    async fn decide_until_finished(
        &mut self,
        mut from: LocateFrom,
        first: InitialRead,
    ) -> Result<Outcome, JournalError> {
        let (undo, mut located) = match first {
            Ok(first) => first,
            Err(outcome) => return Ok(outcome),
        };
        loop {
            let event = match located {
                Ok(Selected::Event(event)) => *event,
                Ok(Selected::NoChange(why)) => return self.nothing_to_do(why, None).await,
                Ok(Selected::Refused(refusal)) => return self.refuse(refusal, None).await,
                Err(outcome) => return Ok(outcome),
            };
            if let Err(refusal) = self.precondition.check(&event, self.engine.clock().now()).await {
                return Ok(refused(refusal));
            }
            match self.decide(&from, undo.as_ref(), event).await? {
                DecisionResult::Finished(outcome) => return Ok(outcome),
                DecisionResult::Retry(attempt) => from = LocateFrom::Attempt(attempt),
            }
            if self.counts.conflicts >= self.engine.options().decisions_max {
                // The last conflict may have been with our own write.
                let last = self.locate(&from, None).await;
                return Ok(last.err().unwrap_or(refused(Refusal::KeepsChanging)));
            }
            located = self.locate(&from, undo.as_ref()).await;
        }
    }

    async fn decide(
        &mut self,
        from: &LocateFrom,
        undo: Option<&UndoTarget>,
        event: Event,
    ) -> Result<DecisionResult, JournalError> {
        let engine = self.engine;
        let again = from.same_plan(&event, self.action.kind).filter(|_| self.in_doubt);
        let planned = match (again, undo) {
            (Some(plan), _) => Ok(Ok(plan.clone())),
            (None, Some(undo)) => Ok(plan_undo(undo, &event, self.capabilities())),
            (None, None) => self.plan(&event).await,
        };
        let plan = match planned {
            Ok(Ok(plan)) => plan,
            Ok(Err(PlanError::NoChange(why))) => {
                return Ok(DecisionResult::Finished(self.nothing_to_do(why, Some(&event)).await?));
            }
            Ok(Err(PlanError::Refused(refusal))) => {
                return Ok(DecisionResult::Finished(self.refuse(refusal, Some(&event)).await?));
            }
            Err(error) => return Ok(DecisionResult::Finished(refused(error.into()))),
        };
        let may_be_final = undo.is_some() || plan.done.reversibility == Reversibility::Reversible;
        if engine.options().forbid_irreversible && !may_be_final {
            return Ok(DecisionResult::Finished(refused(Refusal::IrreversibleForbidden)));
        }
        if self.mode == Mode::DryRun {
            return Ok(DecisionResult::Finished(Outcome::Done(Done { dry_run: true, ..plan.done })));
        }
        let (step, done) = (plan.step.clone(), Box::new(plan.done.clone()));
        let before = Box::new(engine.as_journalled(event.clone()));
        engine.record(self.action.id, Fact::Intended { step, before, done }).await?;
        self.write(event, plan).await
    }

    /// Plans the step for the event; an extension is planned with the events after it.
    async fn plan(&self, event: &Event) -> Result<Result<Plan, PlanError>, CalendarError> {
        let (now, server) = (self.engine.clock().now(), self.capabilities());
        match self.action.kind {
            ActionKind::Book { .. } => Ok(plan_booking(event)),
            ActionKind::Extend { minutes } => {
                let Some(time) = extension_window(event, minutes) else {
                    return Err(CalendarError::configuration("an extension takes at least a minute"));
                };
                let around =
                    self.engine.calendar().events(&self.action.room, time).await?.with_stand_ins()?;
                Ok(plan_extend(self.action, event, (time, &around), now, server))
            }
            ActionKind::End(_) | ActionKind::Delete(_) | ActionKind::Undo { .. } => {
                Ok(plan(self.action, event, now, server))
            }
        }
    }

    /// Sends the step once.
    async fn write(&mut self, event: Event, plan: Plan) -> Result<DecisionResult, JournalError> {
        let reply = self.engine.calendar().write(&self.action.room, &plan.step).await;
        let was_sent = !reply.requests.is_empty();
        self.requests.extend(reply.requests);
        self.throttled = matches!(reply.outcome, WriteOutcome::Throttled(_));
        let attempt = Attempt { before: event, plan };
        if let WriteOutcome::InDoubt(why) = &reply.outcome {
            self.record_doubt(why, &attempt).await?;
        }
        if !self.in_doubt || matches!(reply.outcome, WriteOutcome::Done | WriteOutcome::Throttled(_)) {
            return Ok(match reply.outcome {
                WriteOutcome::NotApplied(error) if was_sent && attempt.plan.step.sends_mail() => {
                    self.verify_refusal(error, attempt, true).await
                }
                WriteOutcome::Unproven(error) => self.verify_refusal(error, attempt, false).await,
                written => self.handle_reply(written, attempt).await,
            });
        }
        self.handle_reply_in_doubt(reply.outcome, attempt).await
    }

    /// Handles a reply when no earlier send is in doubt.
    async fn handle_reply(&mut self, written: WriteOutcome, attempt: Attempt) -> DecisionResult {
        let Attempt { before, plan: Plan { step, done } } = &attempt;
        match written {
            WriteOutcome::Done => DecisionResult::Finished(Outcome::Done(attempt.plan.done)),
            // If the message was sent, a proxy delivered the request twice.
            WriteOutcome::Gone
                if step.sends_meeting_message()
                    && matches!(self.find_trace(before, step).await, Ok(TraceLookup::Found)) =>
            {
                DecisionResult::Finished(Outcome::Done(done.clone()))
            }
            WriteOutcome::Gone => self.not_found(attempt).await,
            WriteOutcome::Conflict => self.conflict(attempt),
            WriteOutcome::Throttled(error) if self.counts.waits >= WAITS_MAX => {
                DecisionResult::Finished(refused(error.into()))
            }
            // After the server's back-off the event may have changed: plan again.
            WriteOutcome::Throttled(_) => {
                self.counts.waits += 1;
                DecisionResult::Retry(Box::new(attempt))
            }
            WriteOutcome::NotApplied(error) => DecisionResult::Finished(refused(error.into())),
            WriteOutcome::Unproven(error) | WriteOutcome::InDoubt(error) => {
                DecisionResult::Finished(messages::needs_attention(before, step, &error))
            }
        }
    }

    /// Handles "not found", which the server also returns where the account may read the item but not write to it.
    async fn not_found(&mut self, attempt: Attempt) -> DecisionResult {
        let Attempt { before, plan: Plan { step, .. } } = &attempt;
        match self.find_again(before).await {
            Err(unreadable) => DecisionResult::Finished(messages::needs_attention(before, step, &unreadable)),
            Ok(None) if step.removes_event() => {
                DecisionResult::Finished(Outcome::AlreadyDone { why: NoChangeReason::Gone })
            }
            Ok(Some(event)) if event.id == before.id && event.change_key == before.change_key => {
                DecisionResult::Finished(refused(messages::not_writable().into()))
            }
            Ok(_) => self.conflict(attempt),
        }
    }

    /// Verifies a reported failure: the server may have changed the calendar before it failed to send the mail. Where the calendar
    /// cannot be read, only a code that `proves` it means that nothing was done.
    async fn verify_refusal(
        &mut self,
        error: CalendarError,
        attempt: Attempt,
        proves: bool,
    ) -> DecisionResult {
        self.in_doubt |= !proves;
        let Attempt { before, plan: Plan { step, done } } = &attempt;
        DecisionResult::Finished(match self.verify(before, step).await {
            Ok(Observation::Indeterminate) => messages::needs_attention(before, step, &error),
            // A message in Sent Items proves the notification; an update of times leaves no such proof (`reconcile`).
            Ok(found) => found.outcome(done).unwrap_or_else(|| refused(error.into())),
            Err(_) if proves => refused(error.into()),
            Err(unreadable) => messages::needs_attention(before, step, &unreadable),
        })
    }

    /// What the mailbox shows. If the step will be sent again and a second send would not be harmless, reads it again after the
    /// delivery window of the first.
    async fn verify_twice(
        &self,
        written: &WriteOutcome,
        attempt: &Attempt,
    ) -> Result<Observation, CalendarError> {
        let Attempt { before, plan: Plan { step, .. } } = attempt;
        let found = self.verify(before, step).await?;
        let is_last_send = self.counts.sends >= self.engine.options().sends_max;
        let server = self.capabilities();
        let is_dangerous_late = server.may_change_newer_version(step);
        let again_at_once = match written {
            WriteOutcome::Conflict => !is_dangerous_late,
            WriteOutcome::InDoubt(_) => !is_last_send && server.may_send_again_at_once(step),
            _ => false,
        };
        let waits = match found {
            Observation::Unchanged => !again_at_once,
            Observation::Modified => is_dangerous_late,
            _ => false,
        };
        match &self.in_flight {
            Some(InFlight { at, .. }) if waits => {
                self.wait_delivery_window(*at).await;
                self.verify(before, step).await
            }
            _ => Ok(found),
        }
    }

    /// Handles a reply while an earlier send is in doubt: only the mailbox shows which writes were applied.
    async fn handle_reply_in_doubt(
        &mut self,
        written: WriteOutcome,
        attempt: Attempt,
    ) -> Result<DecisionResult, JournalError> {
        let found = match self.verify_twice(&written, &attempt).await {
            Ok(found) => found,
            Err(unreadable) => {
                return Ok(DecisionResult::Finished(messages::needs_attention(
                    &attempt.before,
                    &attempt.plan.step,
                    &unreadable,
                )));
            }
        };
        let Attempt { before, plan: Plan { step, done } } = &attempt;
        if let Some(outcome) = found.outcome(done) {
            return Ok(DecisionResult::Finished(outcome));
        }
        let is_last_send = self.counts.sends >= self.engine.options().sends_max;
        match (found, written) {
            (Observation::Modified, _) => {
                if self.capabilities().guards(step) {
                    // It carries a stale version, so the server will refuse it.
                    self.in_flight = None;
                }
                Ok(self.conflict(attempt))
            }
            (Observation::Unchanged, WriteOutcome::Conflict) => Ok(self.conflict(attempt)),
            (Observation::Unchanged, WriteOutcome::InDoubt(_)) if !is_last_send => {
                Ok(DecisionResult::Retry(Box::new(attempt)))
            }
            // No send can be applied any more.
            (Observation::Unchanged, WriteOutcome::InDoubt(why)) => {
                Ok(DecisionResult::Finished(refused(messages::reply_lost(why).into())))
            }
            (Observation::Unchanged, WriteOutcome::NotApplied(why) | WriteOutcome::Unproven(why)) => {
                Ok(DecisionResult::Finished(refused(why.into())))
            }
            (Observation::Unchanged, WriteOutcome::Gone) => {
                Ok(DecisionResult::Finished(refused(messages::not_writable().into())))
            }
            _ => Ok(DecisionResult::Finished(self.indeterminate(before, step))),
        }
    }

    fn conflict(&mut self, attempt: Attempt) -> DecisionResult {
        self.counts.conflicts += 1;
        DecisionResult::Retry(Box::new(attempt))
    }

    async fn record_doubt(&mut self, why: &CalendarError, attempt: &Attempt) -> Result<(), JournalError> {
        self.in_doubt = true;
        self.counts.sends += 1;
        self.in_flight = Some(InFlight { attempt: attempt.clone(), at: self.engine.clock().now() });
        let requests = std::mem::take(&mut self.requests);
        self.engine.record(self.action.id, Fact::InDoubt { why: why.to_string(), requests }).await
    }

    /// The outcome "nothing to change", or the earlier action that already made this change.
    async fn nothing_to_do(
        &self,
        why: NoChangeReason,
        read: Option<&Event>,
    ) -> Result<Outcome, JournalError> {
        if matches!(self.action.kind, ActionKind::Extend { .. }) {
            return self.refuse(Refusal::NoCurrentEvent, read).await;
        }
        let by = self.earlier_action(read, None).await?;
        Ok(Outcome::AlreadyDone { why: by.unwrap_or(why) })
    }

    /// The refusal, or the earlier action that already made this change.
    async fn refuse(&self, refusal: Refusal, read: Option<&Event>) -> Result<Outcome, JournalError> {
        let by = match refusal {
            Refusal::NoCurrentEvent | Refusal::Over { .. } => self.earlier_action(read, None).await?,
            Refusal::NotAsSeen { is, .. } => self.earlier_action(read, Some(is)).await?,
            _ => None,
        };
        Ok(by.map_or_else(|| refused(refusal), |why| Outcome::AlreadyDone { why }))
    }

    /// The earlier action that made the same change to the same event (the one that was `read`), if the event's times (`is`, if
    /// known) are still as that action left them.
    async fn earlier_action(
        &self,
        read: Option<&Event>,
        is: Option<TimeRange>,
    ) -> Result<Option<NoChangeReason>, JournalError> {
        let changes = self.recent_changes().await?;
        let by = earlier_same_action(self.action, &changes, read, is, self.engine.clock().now());
        let Some(record) = by else { return Ok(None) };
        // If no event is on and the request names none, it means the last event that was on.
        if read.is_none() && self.action.target == Target::Current && self.was_followed(record).await {
            return Ok(None);
        }
        Ok(Some(NoChangeReason::ByAction { action: record.action.id }))
    }

    /// Whether another event was on since this action ended its own, or the calendar cannot be read.
    async fn was_followed(&self, record: &ActionRecord) -> bool {
        let Some(Done { event, change: Change::Ended { to, .. }, .. }) = record.done() else { return false };
        let Some(since) = Window::clamped(*to, self.engine.clock().now()) else { return false };
        let view = self.engine.calendar().events(&self.action.room, since).await;
        let Ok(events) = view.and_then(CalendarView::with_stand_ins) else { return true };
        events.iter().any(|other| !other.id.is_same(&event.id) && other.occupies_room())
    }

    /// The room's latest changes, newest first.
    pub(super) async fn recent_changes(&self) -> Result<Vec<ActionRecord>, JournalError> {
        let query = Query { limit: Some(RECENT_ACTIONS_MAX), ..Query::room(&self.action.room) };
        self.engine.journal().find(&query.with_status(ActionStatus::Done)).await
    }
}

impl From<&Intent> for Attempt {
    fn from(intent: &Intent) -> Self {
        let plan = Plan { step: intent.step.clone(), done: intent.done.clone() };
        Self { before: intent.before.clone(), plan }
    }
}

impl LocateFrom {
    /// The plan of the earlier attempt, if it is about this very version: the same step is sent again, and the first one applied
    /// makes the other a conflict. Extensions and bookings depend on other events too, and are planned anew.
    fn same_plan(&self, event: &Event, kind: ActionKind) -> Option<&Plan> {
        match self {
            Self::Attempt(attempt) if attempt.before.change_key == event.change_key => {
                (!matches!(kind, ActionKind::Extend { .. } | ActionKind::Book { .. }))
                    .then_some(&attempt.plan)
            }
            _ => None,
        }
    }
}

pub(super) fn refused(refusal: Refusal) -> Outcome {
    Outcome::Refused { refusal }
}
