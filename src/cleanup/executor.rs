//! Doing what one verdict of a plan says: one action, or, for a whole series, one for every date that was changed and then
//! one for the series. A changed date that is not taken off would make its organizer believe in half a series, so the
//! series goes last, and only when all of them went.

use std::collections::HashSet;

use tokio::sync::Mutex;

use super::plan::EvaluatedEvent;
use super::room_evaluator::{EventPrecondition, RoomEvaluator, SeriesPrecondition};
use super::sweep::{AppliedAction, UnfinishedAction};
use super::{KeepReason, Rule, Verdict};
use crate::action::{
    Action, ActionId, Actor, AllDay, Answer, EventSnapshot, Outcome, Refusal, Target, TimeRange,
};
use crate::calendar::{ModifiedOccurrence, RoomAddress, Series};
use crate::engine::{Engine, Mode, Precondition};
use crate::journal::JournalError;

/// Held while a series is taken off, in this process.
static SERIES: Mutex<()> = Mutex::const_new(());

/// One verdict to carry out.
#[derive(Clone)]
pub(super) struct PlannedAction {
    action: Action,
    event: EventSnapshot,
    rule: Rule,
    missed: u32,
}

/// How it ended.
#[derive(Default)]
pub(super) struct WorkResult {
    /// Anything of it was asked for.
    pub(super) started: bool,
    /// Every action that is over.
    pub(super) applied: Vec<AppliedAction>,
    /// Why the next one is not: the journal failed.
    pub(super) journal_error: Option<JournalError>,
}

/// Work under way.
struct Executor<'a> {
    planned: &'a PlannedAction,
    engine: &'a Engine,
    evaluator: RoomEvaluator,
    mode: Mode,
    applied: Vec<AppliedAction>,
}

impl PlannedAction {
    pub(super) fn from_verdict(room: &RoomAddress, judged: &EvaluatedEvent) -> Option<Self> {
        let Verdict::Act { rule, how, why, missed, proof } = &judged.verdict else { return None };
        let event = judged.event.clone();
        let seen = Some(TimeRange { start: event.start, end: event.end });
        let action = Action {
            id: ActionId::random(),
            room: room.clone(),
            target: Target::Event { id: event.id.clone(), seen },
            kind: how.action_kind(),
            actor: Actor::Sweep { rule: rule.to_string(), proof: proof.clone() },
            reason: Some(format!("This room was released automatically: {why}.")),
            all_day: AllDay::Include,
            key: None,
        };
        Some(Self { action, event, rule: *rule, missed: *missed })
    }

    pub(super) async fn perform(&self, engine: &Engine, judge: RoomEvaluator, mode: Mode) -> WorkResult {
        let mut hand = Executor { planned: self, engine, evaluator: judge, mode, applied: Vec::new() };
        let done = match self.rule {
            Rule::Strikes => hand.remove_series().await,
            rule => hand.act_under_rule(rule, self.action.clone()).await,
        };
        WorkResult { started: true, applied: hand.applied, journal_error: done.err() }
    }

    fn applied(&self, outcome: Outcome) -> AppliedAction {
        let (room, event, action) = (self.action.room.clone(), self.event.clone(), self.action.id);
        AppliedAction { room, event, rule: self.rule, missed: self.missed, action, outcome }
    }

    pub(super) fn unfinished(&self) -> UnfinishedAction {
        UnfinishedAction { room: self.action.room.clone(), event: self.event.clone(), action: self.action.id }
    }

    /// What is said of it when its task ended in a panic.
    pub(super) fn after_panic(&self) -> AppliedAction {
        let advice = "acting on it broke off, which is a defect of Adjourn; the next command that acts in this room finds \
                      out what became of it"
            .to_owned();
        self.applied(Outcome::NeedsAttention { event: self.event.clone(), advice, recheck: false })
    }
}

impl Executor<'_> {
    fn room(&self) -> &RoomAddress {
        &self.planned.action.room
    }

    async fn remove_series(&mut self) -> Result<(), JournalError> {
        // One series after the other, so that each counts those before it.
        let _turn = SERIES.lock().await;
        let Some(series) = self.find_series().await else { return self.release_date().await };
        let date = Some(self.planned.event.id.clone());
        let mut guard =
            SeriesPrecondition { evaluator: self.evaluator.clone(), room: self.room().clone(), date };
        let target = Target::Series { id: series.master.id.clone() };
        let whole = Action { target, ..self.planned.action.clone() };
        // A series that cannot go is not begun with: half of one is worse than a whole one.
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
        // The list is read again before each action: a date may be changed while others are taken off.
        loop {
            let Some(series) = self.reread_series(&series).await else { return self.release_date().await };
            let ahead = self.exceptions_ahead(&series);
            let Some(date) = ahead.into_iter().find(|date| !gone.contains(&date.id)) else { break };
            let seen = Some(TimeRange { start: date.start, end: date.end });
            let target = Target::Event { id: date.id.clone(), seen };
            match self.act(Rule::Strikes, Action { target, ..with_new_id(&whole) }, &guard).await? {
                StepResult::Applied => {}
                StepResult::KeptByRule => return Ok(()),
                // The series goes another time; the room is free now all the same.
                StepResult::InDoubt | StepResult::NotApplied => return self.release_date().await,
            }
            if guard.date.as_ref() == Some(&date.id) {
                // What is judged is gone by our own doing; the series follows it.
                guard.date = None;
            }
            gone.insert(date.id.clone());
        }
        match self.act(Rule::Strikes, whole, &guard).await? {
            // Where it is not known whether it went, the date is left alone too.
            StepResult::Applied | StepResult::KeptByRule | StepResult::InDoubt => Ok(()),
            StepResult::NotApplied => self.release_date().await,
        }
    }

    /// The series, if one may go now and can be read.
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

    /// The dates that were changed and are not over, the one that decided it last.
    fn exceptions_ahead<'s>(&self, series: &'s Series) -> Vec<&'s ModifiedOccurrence> {
        let now = self.engine.clock().now();
        let mut ahead: Vec<_> = series.exceptions.iter().filter(|date| date.end > now).collect();
        ahead.sort_by_key(|date| (date.id == self.planned.event.id, date.start));
        ahead
    }

    /// Only the date, as the rule on check-ins has it.
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
            reason: Some("This room was released automatically: nobody checked in.".to_owned()),
            ..with_new_id(&self.planned.action)
        };
        self.act_under_rule(Rule::NoCheckIn, action).await
    }

    /// One action, by a rule that must still apply.
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
        let went = StepResult::of(&outcome);
        self.applied.push(AppliedAction { action, rule, ..self.planned.applied(outcome) });
        Ok(went)
    }
}

/// What became of one action, as far as the next one depends on it.
enum StepResult {
    /// It is as it was wanted.
    Applied,
    /// Somebody came, or the rule does not apply any more.
    KeptByRule,
    /// Nobody knows.
    InDoubt,
    NotApplied,
}

impl StepResult {
    fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Done(_) | Outcome::AlreadyDone { .. } => Self::Applied,
            // A date that its organizer cancelled is none that anybody counts on.
            Outcome::Refused { refusal: Refusal::Cancelled } => Self::Applied,
            Outcome::Refused { refusal: Refusal::NoLongerApplies { .. } } => Self::KeptByRule,
            Outcome::Refused { refusal: Refusal::StillInDoubt { .. } } => Self::InDoubt,
            Outcome::Refused { .. } => Self::NotApplied,
            Outcome::NeedsAttention { .. } => Self::InDoubt,
        }
    }
}

/// The same wish under another name.
fn with_new_id(action: &Action) -> Action {
    Action { id: ActionId::random(), ..action.clone() }
}
