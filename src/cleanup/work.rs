//! Doing what one verdict of a plan says: one action, or, for a whole series, one for every date that was changed and then
//! one for the series. A changed date that is not taken off would make its organizer believe in half a series, so the
//! series goes last, and only when all of them went.

use chrono::{DateTime, Utc};
use tokio::sync::Mutex;

use super::plan::Judged;
use super::room_judge::{RoomJudge, StillAbandoned, StillStruck};
use super::sweep::{Applied, Unfinished};
use super::{Rule, Verdict};
use crate::action::{Action, ActionId, Actor, AllDay, Answer, Outcome, Refusal, Seen, Target, Times};
use crate::calendar::{Date, RoomAddress, Series};
use crate::engine::{Engine, Guard, Mode};
use crate::journal::JournalError;

/// Held while a series is taken off, in this process.
static SERIES: Mutex<()> = Mutex::const_new(());

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
        // One series after the other, so that each counts those before it.
        let _turn = SERIES.lock().await;
        match judge.held(engine.clock().now()).await {
            Ok(None) => {}
            Ok(Some(_)) | Err(_) => return self.release_date(engine, judge, mode, applied).await,
        }
        let mut guard =
            StillStruck { judge: judge.clone(), room: room.clone(), date: Some(self.event.id.clone()) };
        let Ok(Some(series)) = engine.calendar().series(room, &self.event.id).await else {
            return self.release_date(engine, judge, mode, applied).await;
        };
        let whole = Action { target: Target::Series { id: series.master.id.clone() }, ..self.action.clone() };
        // A series that cannot go is not begun with: half of one is worse than a whole one.
        let rehearsal = engine.perform_guarded(self.again(&whole), Mode::Rehearse, &guard).await?;
        match rehearsal.outcome {
            Outcome::Done(_) => {}
            refused if no_longer_applies(&refused) => {
                applied.push(self.ended(refused));
                return Ok(());
            }
            _ => return self.release_date(engine, judge, mode, applied).await,
        }
        for date in self.exceptions_ahead(&series, engine.clock().now()) {
            let seen = Some(Times { start: date.start, end: date.end });
            let action = Action { target: Target::Event { id: date.id.clone(), seen }, ..self.again(&whole) };
            if !self.act(engine, action, mode, &guard, applied).await? {
                // The series goes another time; the room is free now all the same, unless somebody came.
                let stays = applied.last().is_some_and(|one| no_longer_applies(&one.outcome));
                return if stays { Ok(()) } else { self.release_date(engine, judge, mode, applied).await };
            }
            if guard.date.as_ref() == Some(&date.id) {
                // What is judged is gone by our own doing; the series follows it.
                guard.date = None;
            }
        }
        if self.act(engine, whole, mode, &guard, applied).await? {
            return Ok(());
        }
        match applied.last().map(|one| &one.outcome) {
            // Whether it went is not known, or somebody came: the date is left alone too.
            Some(Outcome::NeedsAttention { .. }) => Ok(()),
            Some(outcome) if no_longer_applies(outcome) => Ok(()),
            _ => self.release_date(engine, judge, mode, applied).await,
        }
    }

    /// The dates that were changed and are not over, the one that decided it last.
    fn exceptions_ahead<'s>(&self, series: &'s Series, now: DateTime<Utc>) -> Vec<&'s Date> {
        let mut ahead: Vec<_> = series.exceptions.iter().filter(|date| date.end > now).collect();
        ahead.sort_by_key(|date| (date.id == self.event.id, date.start));
        ahead
    }

    /// Only the date, as the rule on check-ins has it.
    async fn release_date(
        &self,
        engine: &Engine,
        judge: RoomJudge,
        mode: Mode,
        applied: &mut Vec<Applied>,
    ) -> Result<(), JournalError> {
        let room = self.action.room.clone();
        let Some(rule) = judge.rules.check_in(&room) else { return Ok(()) };
        let date = Self {
            action: Action {
                id: ActionId::random(),
                ask: rule.how.ask(),
                actor: Actor::Sweep { rule: Rule::NoCheckIn.to_string() },
                reason: Some("This room was released automatically: nobody checked in.".to_owned()),
                ..self.action.clone()
            },
            rule: Rule::NoCheckIn,
            ..self.clone()
        };
        let guard = StillAbandoned { judge, room, rule: Rule::NoCheckIn };
        date.act(engine, date.action.clone(), mode, &guard, applied).await.map(drop)
    }

    fn again(&self, action: &Action) -> Action {
        Action { id: ActionId::random(), ..action.clone() }
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
        // A date that its organizer cancelled is none that anybody counts on.
        let is_so = matches!(
            outcome,
            Outcome::Done(_) | Outcome::AlreadyDone { .. } | Outcome::Refused { refusal: Refusal::Cancelled }
        );
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

fn no_longer_applies(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Refused { refusal: Refusal::NoLongerApplies { .. } })
}
