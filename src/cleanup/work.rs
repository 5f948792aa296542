//! Doing what one verdict of a plan says: one action, or, for a whole series, one for every date that was changed and then
//! one for the series. A changed date that is not taken off would make its organizer believe in half a series, so the
//! series goes last, and only when all of them went.

use super::plan::Judged;
use super::room_judge::{RoomJudge, StillAbandoned, StillStruck};
use super::sweep::{Applied, Unfinished};
use super::{Rule, Verdict};
use crate::action::{
    Action, ActionId, Actor, AllDay, Already, Answer, Outcome, Refusal, Seen, Target, Times,
};
use crate::calendar::{Date, RoomAddress};
use crate::engine::{Engine, Guard, Mode};
use crate::journal::JournalError;

/// One verdict to carry out.
#[derive(Clone)]
pub(super) struct Work {
    action: Action,
    event: Seen,
    rule: Rule,
    missed: u32,
}

/// How it ended.
#[derive(Default)]
pub(super) struct End {
    /// Every action that is over.
    pub(super) applied: Vec<Applied>,
    /// Why the next one is not: the journal failed.
    pub(super) broken_off: Option<JournalError>,
}

impl Work {
    pub(super) fn of(room: &RoomAddress, judged: &Judged) -> Option<Self> {
        let Verdict::Act { rule, how, why, missed } = &judged.verdict else { return None };
        let event = judged.event.clone();
        let seen = Some(Times { start: event.start, end: event.end });
        let action = Action {
            id: ActionId::random(),
            room: room.clone(),
            target: Target::Event { id: event.id.clone(), seen },
            ask: how.ask(),
            actor: Actor::Sweep { rule: rule.to_string() },
            reason: Some(format!("This room was released automatically: {why}.")),
            all_day: AllDay::Include,
            key: None,
        };
        Some(Self { action, event, rule: *rule, missed: *missed })
    }

    pub(super) async fn perform(&self, engine: &Engine, judge: RoomJudge, mode: Mode) -> End {
        let mut end = End::default();
        let done = match self.rule {
            Rule::Strikes => self.perform_series(engine, judge, mode, &mut end.applied).await,
            rule => {
                let guard = StillAbandoned { judge, room: self.action.room.clone(), rule };
                self.act(engine, self.action.clone(), mode, &guard, &mut end.applied).await.map(drop)
            }
        };
        end.broken_off = done.err();
        end
    }

    async fn perform_series(
        &self,
        engine: &Engine,
        judge: RoomJudge,
        mode: Mode,
        applied: &mut Vec<Applied>,
    ) -> Result<(), JournalError> {
        let room = &self.action.room;
        let mut guard = StillStruck { judge, room: room.clone(), date: Some(self.event.id.clone()) };
        let series = match engine.calendar().series(room, &self.event.id).await {
            Ok(Some(series)) => series,
            Ok(None) => {
                applied.push(self.ended(Outcome::AlreadyDone { why: Already::Gone }));
                return Ok(());
            }
            Err(trouble) => {
                applied.push(self.ended(Outcome::Refused { refusal: Refusal::from(trouble) }));
                return Ok(());
            }
        };
        let now = engine.clock().now();
        let ahead = |date: &&Date| date.end > now;
        for date in series.exceptions.iter().filter(ahead) {
            let seen = Some(Times { start: date.start, end: date.end });
            let target = Target::Event { id: date.id.clone(), seen };
            if !self.act(engine, self.next(target), mode, &guard, applied).await? {
                return Ok(());
            }
            if guard.date.as_ref() == Some(&date.id) {
                // What is judged is gone by our own doing; the rest follows it.
                guard.date = None;
            }
        }
        let whole = Target::Series { id: series.master.id };
        self.act(engine, Action { target: whole, ..self.action.clone() }, mode, &guard, applied)
            .await
            .map(drop)
    }

    fn next(&self, target: Target) -> Action {
        Action { id: ActionId::random(), target, ..self.action.clone() }
    }

    /// Whether what was asked is so now.
    async fn act(
        &self,
        engine: &Engine,
        action: Action,
        mode: Mode,
        guard: &dyn Guard,
        applied: &mut Vec<Applied>,
    ) -> Result<bool, JournalError> {
        let Answer { action, outcome, .. } = engine.perform_guarded(action, mode, guard).await?;
        let is_so = matches!(outcome, Outcome::Done(_) | Outcome::AlreadyDone { .. });
        applied.push(Applied { action, ..self.ended(outcome) });
        Ok(is_so)
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
        self.ended(Outcome::NeedsAttention { event: self.event.clone(), advice })
    }
}
