//! Carries out one verdict of a plan: one action, or, to remove a series, one action for every modified date and then one for the
//! series. The series goes last, and only if every modified date was removed: otherwise its organizer would keep half a series.
//! This module never performs an action without a precondition that evaluates the event again.

use std::collections::HashSet;

use serde::Serialize;

use super::evaluate::is_zero;
use super::plan::EvaluatedEvent;
use super::release_action::release_action;
use super::room_evaluator::{EventPrecondition, RoomEvaluator, SeriesPrecondition};
use super::{KeepReason, Rule, Verdict};
use crate::action::{
    Action, ActionId, Actor, Answer, EventSnapshot, Outcome, ReasonText, Refusal, Target, TimeRange,
};
use crate::calendar::{EventKind, ModifiedOccurrence, RoomAddress, Series};
use crate::engine::{Engine, Mode, Precondition};
use crate::journal::JournalError;

/// The outcome of one planned action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct AppliedAction {
    /// The room.
    pub room: RoomAddress,
    /// The event as the plan shows it.
    pub event: EventSnapshot,
    /// The rule that selected it.
    pub rule: Rule,
    /// Unattended dates of the series in a row, including this one; 0 when they are not counted.
    #[serde(skip_serializing_if = "is_zero")]
    pub missed: u32,
    /// The action's id in the journal.
    pub action: ActionId,
    /// The outcome.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// A planned action that was in progress when the journal failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct UnfinishedAction {
    /// The room.
    pub room: RoomAddress,
    /// The event as the plan shows it.
    pub event: EventSnapshot,
    /// The action's id, which the journal may not contain.
    pub action: ActionId,
}

/// An action that a plan lists.
#[derive(Clone)]
pub(super) struct PlannedAction {
    action: Action,
    event: EventSnapshot,
    rule: Rule,
    missed: u32,
}

/// The result of one planned action.
#[derive(Default)]
pub(super) struct WorkResult {
    /// The action was started.
    pub(super) started: bool,
    /// The finished actions.
    pub(super) applied: Vec<AppliedAction>,
    /// The journal failure that ended the work early.
    pub(super) journal_error: Option<JournalError>,
}

/// Carries out one planned action.
struct Executor<'a> {
    planned: &'a PlannedAction,
    engine: &'a Engine,
    evaluator: RoomEvaluator,
    mode: Mode,
    applied: Vec<AppliedAction>,
}

impl AppliedAction {
    /// Whether the action removed a whole series.
    pub fn is_whole_series(&self) -> bool {
        matches!(&self.outcome, Outcome::Done(done) if done.event.kind == EventKind::Series)
    }
}

impl PlannedAction {
    pub(super) fn from_verdict(room: &RoomAddress, evaluated: &EvaluatedEvent) -> Option<Self> {
        let Verdict::Act { rule, missed, .. } = evaluated.verdict else { return None };
        let (action, event) = (release_action(room, evaluated)?, evaluated.event.clone());
        Some(Self { action, event, rule, missed })
    }

    pub(super) async fn perform(&self, engine: &Engine, evaluator: RoomEvaluator, mode: Mode) -> WorkResult {
        let mut executor = Executor { planned: self, engine, evaluator, mode, applied: Vec::new() };
        let done = match self.rule {
            Rule::Strikes => executor.remove_series().await,
            rule => executor.act_under_rule(rule, self.action.clone()).await,
        };
        WorkResult { started: true, applied: executor.applied, journal_error: done.err() }
    }

    fn applied(&self, outcome: Outcome) -> AppliedAction {
        let (room, event, action) = (self.action.room.clone(), self.event.clone(), self.action.id);
        AppliedAction { room, event, rule: self.rule, missed: self.missed, action, outcome }
    }

    pub(super) fn unfinished(&self) -> UnfinishedAction {
        UnfinishedAction { room: self.action.room.clone(), event: self.event.clone(), action: self.action.id }
    }

    /// The outcome that is reported when the action's task panicked.
    pub(super) fn after_panic(&self) -> AppliedAction {
        let advice = "the task that changed this event panicked, which is a defect of Adjourn; the next action in this room \
                      determines the result"
            .to_owned();
        self.applied(Outcome::NeedsAttention { event: self.event.clone(), advice, recheck: false })
    }
}

impl Executor<'_> {
    fn room(&self) -> &RoomAddress {
        &self.planned.action.room
    }

    async fn remove_series(&mut self) -> Result<(), JournalError> {
        // One series at a time, so that each counts the ones before it.
        let _lock = self.engine.lock_series_removal().await?;
        let Some(series) = self.find_series().await else { return self.release_date().await };
        let date = Some(self.planned.event.id.clone());
        let mut guard =
            SeriesPrecondition { evaluator: self.evaluator.clone(), room: self.room().clone(), date };
        let target = Target::Series { id: series.master.id.clone() };
        let whole = Action { target, ..self.planned.action.clone() };
        // Dry run first: half a series is worse than a whole one.
        let rehearsal = self.engine.perform_if(with_new_id(&whole), Mode::DryRun, &guard).await?.outcome;
        match (&rehearsal, StepResult::of(&rehearsal)) {
            (Outcome::Done(_), _) => {}
            (_, StepResult::KeptByRule) => {
                self.applied.push(self.planned.applied(rehearsal));
                return Ok(());
            }
            _ => return self.release_date().await,
        }
        let mut gone = HashSet::new();
        // The list is read again before each action: a date may be modified while others are removed.
        loop {
            let Some(series) = self.reread_series(&series).await else { return self.release_date().await };
            let ahead = self.exceptions_ahead(&series);
            let Some(date) = ahead.into_iter().find(|date| !gone.contains(&date.id)) else { break };
            let seen = Some(TimeRange { start: date.start, end: date.end });
            let target = Target::Event { id: date.id.clone(), seen };
            match self.act(Rule::Strikes, Action { target, ..with_new_id(&whole) }, &guard).await? {
                StepResult::Applied => {}
                StepResult::KeptByRule => return Ok(()),
                // The series is left for another sweep; today's date is released all the same.
                StepResult::InDoubt | StepResult::NotApplied => return self.release_date().await,
            }
            if guard.date.as_ref() == Some(&date.id) {
                // This sweep removed the date that decided the series, so it cannot be read again.
                guard.date = None;
            }
            gone.insert(date.id.clone());
        }
        match self.act(Rule::Strikes, whole, &guard).await? {
            // In doubt whether the series is removed, the date is left alone too.
            StepResult::Applied | StepResult::KeptByRule | StepResult::InDoubt => Ok(()),
            StepResult::NotApplied => self.release_date().await,
        }
    }

    /// The series, if the daily limit allows a removal now and the series can be read.
    async fn find_series(&self) -> Option<Series> {
        let held = self.evaluator.series_hold(self.engine.clock().now()).await;
        if !matches!(held, Ok(None)) {
            return None;
        }
        self.engine.calendar().series(self.room(), &self.planned.event.id).await.ok().flatten()
    }

    /// The series as it is now; `None` when it cannot be read.
    async fn reread_series(&self, series: &Series) -> Option<Series> {
        self.engine.calendar().series_by_id(self.room(), &series.master.id).await.ok().flatten()
    }

    /// The modified dates that are not over; the date that decided the series comes last.
    fn exceptions_ahead<'s>(&self, series: &'s Series) -> Vec<&'s ModifiedOccurrence> {
        let now = self.engine.clock().now();
        let mut ahead: Vec<_> = series.exceptions.iter().filter(|date| date.end > now).collect();
        ahead.sort_by_key(|date| (date.id == self.planned.event.id, date.start));
        ahead
    }

    /// Releases only the date, as the check-in rule does.
    async fn release_date(&mut self) -> Result<(), JournalError> {
        let Some(rule) = self.evaluator.rules.check_in(self.room()) else {
            let refusal = Refusal::NoLongerApplies { why: KeepReason::NoRule.to_string() };
            self.applied.push(self.planned.applied(Outcome::Refused { refusal }));
            return Ok(());
        };
        let proof = self.planned.action.actor.proof().cloned().map(Box::new);
        let action = Action {
            kind: rule.release_by.action_kind(),
            actor: Actor::Sweep { rule: Rule::NoCheckIn.to_string(), proof },
            reason: Some(ReasonText::truncated(
                "This room was released automatically: no check-in.".to_owned(),
            )),
            ..with_new_id(&self.planned.action)
        };
        self.act_under_rule(Rule::NoCheckIn, action).await
    }

    /// Performs one action under the precondition that the rule still applies.
    async fn act_under_rule(&mut self, rule: Rule, action: Action) -> Result<(), JournalError> {
        let guard = EventPrecondition { evaluator: self.evaluator.clone(), room: self.room().clone(), rule };
        self.act(rule, action, &guard).await.map(drop)
    }

    async fn act(
        &mut self,
        rule: Rule,
        action: Action,
        guard: &dyn Precondition,
    ) -> Result<StepResult, JournalError> {
        let Answer { action, outcome, .. } = self.engine.perform_if(action, self.mode, guard).await?;
        let result = StepResult::of(&outcome);
        self.applied.push(AppliedAction { action, rule, ..self.planned.applied(outcome) });
        Ok(result)
    }
}

/// The outcome of one action, as far as the next one depends on it.
enum StepResult {
    /// The event is gone as planned.
    Applied,
    /// The event was attended, or the rule applies no more.
    KeptByRule,
    /// The effect is unknown.
    InDoubt,
    /// The action was refused.
    NotApplied,
}

impl StepResult {
    fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Done(_) | Outcome::AlreadyDone { .. } => Self::Applied,
            // A date that its organizer cancelled is gone in effect.
            Outcome::Refused { refusal: Refusal::Cancelled } => Self::Applied,
            Outcome::Refused { refusal: Refusal::NoLongerApplies { .. } } => Self::KeptByRule,
            Outcome::Refused { refusal: Refusal::StillInDoubt { .. } } => Self::InDoubt,
            Outcome::Refused { .. } => Self::NotApplied,
            Outcome::NeedsAttention { .. } => Self::InDoubt,
        }
    }
}

/// The same action with a new id.
fn with_new_id(action: &Action) -> Action {
    Action { id: ActionId::random(), ..action.clone() }
}
