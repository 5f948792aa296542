//! Doing what one verdict of a plan says: one action, or, for a whole series, one for every date that was changed and then
//! one for the series. A changed date that is not taken off would make its organizer believe in half a series, so the
//! series goes last, and only when all of them went.

use std::collections::HashSet;

use tokio::sync::Mutex;

use super::plan::Judged;
use super::room_judge::{RoomJudge, StillAbandoned, StillStruck};
use super::sweep::{Applied, Unfinished};
use super::{Kept, Rule, Verdict};
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
pub(super) struct Work {
    action: Action,
    event: EventSnapshot,
    rule: Rule,
    missed: u32,
}

/// How it ended.
#[derive(Default)]
pub(super) struct End {
    /// Anything of it was asked for.
    pub(super) begun: bool,
    /// Every action that is over.
    pub(super) applied: Vec<Applied>,
    /// Why the next one is not: the journal failed.
    pub(super) broken_off: Option<JournalError>,
}

/// Work under way.
struct Hand<'a> {
    work: &'a Work,
    engine: &'a Engine,
    judge: RoomJudge,
    mode: Mode,
    applied: Vec<Applied>,
}

impl Work {
    pub(super) fn of(room: &RoomAddress, judged: &Judged) -> Option<Self> {
        let Verdict::Act { rule, how, why, missed, proof } = &judged.verdict else { return None };
        let event = judged.event.clone();
        let seen = Some(TimeRange { start: event.start, end: event.end });
        let action = Action {
            id: ActionId::random(),
            room: room.clone(),
            target: Target::Event { id: event.id.clone(), seen },
            kind: how.ask(),
            actor: Actor::Sweep { rule: rule.to_string(), proof: proof.clone() },
            reason: Some(format!("This room was released automatically: {why}.")),
            all_day: AllDay::Include,
            key: None,
        };
        Some(Self { action, event, rule: *rule, missed: *missed })
    }

    pub(super) async fn perform(&self, engine: &Engine, judge: RoomJudge, mode: Mode) -> End {
        let mut hand = Hand { work: self, engine, judge, mode, applied: Vec::new() };
        let done = match self.rule {
            Rule::Strikes => hand.take_series_off().await,
            rule => hand.act_by(rule, self.action.clone()).await,
        };
        End { begun: true, applied: hand.applied, broken_off: done.err() }
    }

    fn ended(&self, outcome: Outcome) -> Applied {
        let (room, event, action) = (self.action.room.clone(), self.event.clone(), self.action.id);
        Applied { room, event, rule: self.rule, missed: self.missed, action, outcome }
    }

    pub(super) fn unfinished(&self) -> Unfinished {
        Unfinished { room: self.action.room.clone(), event: self.event.clone(), action: self.action.id }
    }

    /// What is said of it when its task ended in a panic.
    pub(super) fn broke_off(&self) -> Applied {
        let advice = "acting on it broke off, which is a defect of Adjourn; the next command that acts in this room finds \
                      out what became of it"
            .to_owned();
        self.ended(Outcome::NeedsAttention { event: self.event.clone(), advice, recheck: false })
    }
}

impl Hand<'_> {
    fn room(&self) -> &RoomAddress {
        &self.work.action.room
    }

    async fn take_series_off(&mut self) -> Result<(), JournalError> {
        // One series after the other, so that each counts those before it.
        let _turn = SERIES.lock().await;
        let Some(series) = self.find_series().await else { return self.release_date().await };
        let date = Some(self.work.event.id.clone());
        let mut guard = StillStruck { judge: self.judge.clone(), room: self.room().clone(), date };
        let target = Target::Series { id: series.master.id.clone() };
        let whole = Action { target, ..self.work.action.clone() };
        // A series that cannot go is not begun with: half of one is worse than a whole one.
        let rehearsal = self.engine.perform_if(anew(&whole), Mode::DryRun, &guard).await?.outcome;
        match (&rehearsal, Went::of(&rehearsal)) {
            (Outcome::Done(_), _) => {}
            (_, Went::Spared) => {
                self.applied.push(self.work.ended(rehearsal));
                return Ok(());
            }
            _ => return self.release_date().await,
        }
        let mut gone = HashSet::new();
        // The list is read again before each action: a date may be changed while others are taken off.
        loop {
            let Some(series) = self.reread(&series).await else { return self.release_date().await };
            let ahead = self.exceptions_ahead(&series);
            let Some(date) = ahead.into_iter().find(|date| !gone.contains(&date.id)) else { break };
            let seen = Some(TimeRange { start: date.start, end: date.end });
            let target = Target::Event { id: date.id.clone(), seen };
            match self.act(Rule::Strikes, Action { target, ..anew(&whole) }, &guard).await? {
                Went::Yes => {}
                Went::Spared => return Ok(()),
                // The series goes another time; the room is free now all the same.
                Went::InDoubt | Went::No => return self.release_date().await,
            }
            if guard.date.as_ref() == Some(&date.id) {
                // What is judged is gone by our own doing; the series follows it.
                guard.date = None;
            }
            gone.insert(date.id.clone());
        }
        match self.act(Rule::Strikes, whole, &guard).await? {
            // Where it is not known whether it went, the date is left alone too.
            Went::Yes | Went::Spared | Went::InDoubt => Ok(()),
            Went::No => self.release_date().await,
        }
    }

    /// The series, if one may go now and can be read.
    async fn find_series(&self) -> Option<Series> {
        let held = self.judge.held(self.engine.clock().now()).await;
        if !matches!(held, Ok(None)) {
            return None;
        }
        self.engine.calendar().series(self.room(), &self.work.event.id).await.ok().flatten()
    }

    /// The series as it is now; `None` when it cannot be read.
    async fn reread(&self, series: &Series) -> Option<Series> {
        self.engine.calendar().series_by_id(self.room(), &series.master.id).await.ok().flatten()
    }

    /// The dates that were changed and are not over, the one that decided it last.
    fn exceptions_ahead<'s>(&self, series: &'s Series) -> Vec<&'s ModifiedOccurrence> {
        let now = self.engine.clock().now();
        let mut ahead: Vec<_> = series.exceptions.iter().filter(|date| date.end > now).collect();
        ahead.sort_by_key(|date| (date.id == self.work.event.id, date.start));
        ahead
    }

    /// Only the date, as the rule on check-ins has it.
    async fn release_date(&mut self) -> Result<(), JournalError> {
        let Some(rule) = self.judge.rules.check_in(self.room()) else {
            let refusal = Refusal::NoLongerApplies { why: Kept::NoRule.to_string() };
            self.applied.push(self.work.ended(Outcome::Refused { refusal }));
            return Ok(());
        };
        let proof = self.work.action.actor.proof().cloned().map(Box::new);
        let action = Action {
            kind: rule.how.ask(),
            actor: Actor::Sweep { rule: Rule::NoCheckIn.to_string(), proof },
            reason: Some("This room was released automatically: nobody checked in.".to_owned()),
            ..anew(&self.work.action)
        };
        self.act_by(Rule::NoCheckIn, action).await
    }

    /// One action, by a rule that must still apply.
    async fn act_by(&mut self, rule: Rule, action: Action) -> Result<(), JournalError> {
        let guard = StillAbandoned { judge: self.judge.clone(), room: self.room().clone(), rule };
        self.act(rule, action, &guard).await.map(drop)
    }

    async fn act(
        &mut self,
        rule: Rule,
        action: Action,
        guard: &dyn Precondition,
    ) -> Result<Went, JournalError> {
        let Answer { action, outcome, .. } = self.engine.perform_if(action, self.mode, guard).await?;
        let went = Went::of(&outcome);
        self.applied.push(Applied { action, rule, ..self.work.ended(outcome) });
        Ok(went)
    }
}

/// What became of one action, as far as the next one depends on it.
enum Went {
    /// It is as it was wanted.
    Yes,
    /// Somebody came, or the rule does not apply any more.
    Spared,
    /// Nobody knows.
    InDoubt,
    No,
}

impl Went {
    fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Done(_) | Outcome::AlreadyDone { .. } => Self::Yes,
            // A date that its organizer cancelled is none that anybody counts on.
            Outcome::Refused { refusal: Refusal::Cancelled } => Self::Yes,
            Outcome::Refused { refusal: Refusal::NoLongerApplies { .. } } => Self::Spared,
            Outcome::Refused { refusal: Refusal::StillInDoubt { .. } } => Self::InDoubt,
            Outcome::Refused { .. } => Self::No,
            Outcome::NeedsAttention { .. } => Self::InDoubt,
        }
    }
}

/// The same wish under another name.
fn anew(action: &Action) -> Action {
    Action { id: ActionId::random(), ..action.clone() }
}
