//! One action on its way: read, plan, announce, write, and look again where that is needed.
//!
//! The shell around the pure parts. It never sends a write a second time without having read the event in between, and
//! it never does what the journal has not taken.

use chrono::{DateTime, TimeDelta, Utc};

use super::perform::{Engine, Guard, Mode};
use super::plan::{NoPlan, Plan, plan};
use super::reconcile::{Found, reconcile};
use super::repeat::already_by;
use super::select::{Selected, current, named, times};
use super::undo::{Back, collides, needed, plan_back, way_back};
use super::{Trouble, Written};
use crate::action::{
    Action, Already, Ask, Done, Fault, Outcome, Refusal, RequestIds, Seen, Step, Target, Times, Undoable,
};
use crate::calendar::{Event, EventKind, Window};
use crate::journal::{Ending, Fact, JournalError, Life, Query};

/// How many of a room's last changes are searched for the one that a wish repeats.
const REPEATS_SEARCHED: usize = 100;
/// How far from its time an event is looked for when its id is not known any more.
const SEARCH_SPAN: TimeDelta = TimeDelta::days(1);

/// An action under way.
pub(super) struct Run<'a> {
    engine: &'a Engine,
    action: &'a Action,
    mode: Mode,
    guard: &'a dyn Guard,
    /// When it was asked for: nothing of it was sent before, and what is meant was on then.
    since: DateTime<Utc>,
    /// Sent since the last stored fact.
    requests: Vec<RequestIds>,
}

/// What one decision led to.
enum Round {
    Over(Outcome),
    /// Somebody else wrote first; this is what we had decided about, and what we wanted.
    Conflict(Box<Event>, Box<Plan>),
}

/// How the event of an action is chosen.
enum Choice {
    /// As the action says.
    First,
    /// After a conflict, or after the process was stopped: the same event, if it still stands where it stood.
    Again(Box<Event>, Option<Box<Plan>>),
}

impl<'a> Run<'a> {
    pub(super) fn new(
        engine: &'a Engine,
        action: &'a Action,
        mode: Mode,
        guard: &'a dyn Guard,
        since: DateTime<Utc>,
    ) -> Self {
        Self { engine, action, mode, guard, since, requests: Vec::new() }
    }

    /// The same, for an action that was taken on before the process was stopped.
    pub(super) fn resumed(engine: &'a Engine, life: &'a Life, guard: &'a dyn Guard) -> Self {
        Self::new(engine, &life.action, Mode::Perform, guard, life.accepted_at)
    }

    /// Carries the action through, and says what was sent since the last fact.
    pub(super) async fn finish(mut self) -> Result<(Outcome, Vec<RequestIds>), JournalError> {
        let outcome = self.decide_until_over(Choice::First).await?;
        Ok((outcome, self.requests))
    }

    /// The same, for an action that had decided about `before` when the process was stopped.
    pub(super) async fn finish_from(
        mut self,
        before: Event,
    ) -> Result<(Outcome, Vec<RequestIds>), JournalError> {
        let outcome = self.decide_until_over(Choice::Again(Box::new(before), None)).await?;
        Ok((outcome, self.requests))
    }

    async fn decide_until_over(&mut self, mut choice: Choice) -> Result<Outcome, JournalError> {
        let room = &self.action.room;
        if !self.engine.scope().holds(room) {
            return Ok(refused(Refusal::OutOfScope { room: room.clone() }));
        }
        let back = match self.back().await? {
            Ok(back) => back,
            Err(outcome) => return Ok(outcome),
        };
        for _ in 0..self.engine.options().decisions_max {
            let selected = match (&choice, &back) {
                (Choice::First, None) => self.select().await,
                (Choice::First, Some(back)) => self.select_back(back).await,
                (Choice::Again(before, wanted), _) => match self.find_again(before).await {
                    Ok(after) => match landed(wanted.as_deref(), before, after.as_ref()) {
                        Some(done) => return Ok(Outcome::Done(done)),
                        None => Ok(select_again(self.action.ask, before, after)),
                    },
                    Err(trouble) => Err(trouble),
                },
            };
            let event = match selected {
                Ok(Selected::This(event)) => *event,
                Ok(Selected::Already(why)) => return self.nothing_to_do(why).await,
                Ok(Selected::Refused(refusal)) => return self.refuse(refusal).await,
                Err(trouble) => return Ok(refused(trouble.into())),
            };
            if let Err(refusal) = self.guard.allows(&event, self.engine.clock().now()).await {
                return Ok(refused(refusal));
            }
            match self.decide(back.as_ref(), event).await? {
                Round::Over(outcome) => return Ok(outcome),
                Round::Conflict(before, wanted) => choice = Choice::Again(before, Some(wanted)),
            }
        }
        Ok(refused(Refusal::KeepsChanging))
    }

    /// What an undo has to put back.
    async fn back(&self) -> Result<Result<Option<Back>, Outcome>, JournalError> {
        let Ask::Undo { of } = self.action.ask else { return Ok(Ok(None)) };
        let journal = self.engine.journal();
        let Some(life) = journal.life(of).await?.filter(|life| life.action.room == self.action.room) else {
            return Ok(Err(refused(Refusal::NoSuchAction { action: of })));
        };
        if let Some(undo) = self.changes().await?.iter().find(|life| life.has_undone(of)) {
            return Ok(Err(Outcome::AlreadyDone { why: Already::ByAction { action: undo.action.id } }));
        }
        Ok(way_back(&life).map(Some).map_err(refused))
    }

    async fn select(&self) -> Result<Selected, Trouble> {
        let (room, calendar) = (&self.action.room, self.engine.calendar());
        match &self.action.target {
            Target::Current => {
                let now = self.engine.clock().now();
                let on = calendar.events(room, Window::instant(now)).await?;
                // While the wish waited for its turn, or for a new process, another meeting may have begun.
                Ok(current(on.into_iter().filter(|event| event.is_on(self.since)).collect(), now))
            }
            Target::Event { id, seen } => Ok(named(calendar.event(room, id).await?, *seen)),
        }
    }

    /// For an undo: the event whose end was changed, or the one in Deleted Items; if its time is free.
    async fn select_back(&self, back: &Back) -> Result<Selected, Trouble> {
        let (room, calendar) = (&self.action.room, self.engine.calendar());
        let (Back::End(done) | Back::Event(done)) = back;
        let own = match back {
            Back::End(_) => match calendar.event(room, &done.event.id).await? {
                Some(event) => event,
                None => return Ok(Selected::Already(Already::Gone)),
            },
            Back::Event(_) => match calendar.deleted(room, &done.event).await? {
                Some(event) => event,
                None => return Ok(Selected::Refused(Refusal::LeftDeletedItems)),
            },
        };
        let taken = match needed(back) {
            Some(window) => collides(&calendar.events(room, window).await?, &own),
            None => None,
        };
        Ok(taken.map_or_else(|| Selected::This(Box::new(own)), Selected::Refused))
    }

    /// The event as it is now: by its id, or by what stays the same when the id changes.
    async fn find_again(&self, before: &Event) -> Result<Option<Event>, Trouble> {
        let (room, calendar) = (&self.action.room, self.engine.calendar());
        if let Some(event) = calendar.event(room, &before.id).await? {
            return Ok(Some(event));
        }
        let Some(identity) = before.identity() else { return Ok(None) };
        let Ok(around) = Window::new(before.start - SEARCH_SPAN, before.end + SEARCH_SPAN) else {
            return Ok(None);
        };
        let events = calendar.events(room, around).await?;
        Ok(events.into_iter().find(|event| event.identity() == Some(identity)))
    }

    async fn decide(&mut self, back: Option<&Back>, event: Event) -> Result<Round, JournalError> {
        let engine = self.engine;
        let planned = match back {
            Some(back) => plan_back(back, &event),
            None => plan(self.action, &event, engine.clock().now(), engine.calendar().capabilities()),
        };
        let plan = match planned {
            Ok(plan) => plan,
            Err(NoPlan::Already(why)) => return Ok(Round::Over(self.nothing_to_do(why).await?)),
            Err(NoPlan::Refused(refusal)) => return Ok(Round::Over(self.refuse(refusal).await?)),
        };
        let may_be_final = back.is_some() || plan.done.undoable == Undoable::Yes;
        if engine.options().forbid_irreversible && !may_be_final {
            return Ok(Round::Over(refused(Refusal::CannotBeUndone)));
        }
        if self.mode == Mode::Rehearse {
            return Ok(Round::Over(Outcome::Done(Done { rehearsed: true, ..plan.done })));
        }
        let (step, done) = (plan.step.clone(), Box::new(plan.done.clone()));
        let before = Box::new(engine.as_journalled(event.clone()));
        engine.record(self.action.id, Fact::Intended { step, before, done }).await?;
        self.write(event, plan).await
    }

    async fn write(&mut self, event: Event, plan: Plan) -> Result<Round, JournalError> {
        let mut last_trouble = None;
        for _ in 0..self.engine.options().sendings_max {
            let reply = self.engine.calendar().write(&self.action.room, &plan.step).await;
            self.requests.extend(reply.requests);
            let trouble = match reply.written {
                Written::Done => return Ok(Round::Over(Outcome::Done(plan.done))),
                Written::Gone if plan.step.takes_away() => {
                    return Ok(Round::Over(self.gone(&event, &plan, last_trouble.is_some()).await));
                }
                // An earlier sending may land yet: nobody can say that nothing was done.
                Written::NotDone(trouble) if last_trouble.is_some() => {
                    return Ok(Round::Over(needs_attention(&event, &plan.step, &trouble)));
                }
                Written::Gone | Written::Conflict => {
                    return Ok(Round::Conflict(Box::new(event), Box::new(plan)));
                }
                Written::NotDone(trouble) => return Ok(Round::Over(refused(trouble.into()))),
                Written::InDoubt(trouble) => trouble,
            };
            let requests = std::mem::take(&mut self.requests);
            let doubt = Fact::InDoubt { why: trouble.to_string(), requests };
            self.engine.record(self.action.id, doubt).await?;
            match self.look(&event, &plan.step).await {
                Ok(Found::Landed) => return Ok(Round::Over(Outcome::Done(plan.done))),
                Ok(Found::Edited) => return Ok(Round::Conflict(Box::new(event), Box::new(plan))),
                Ok(Found::Gone) => return Ok(Round::Over(Outcome::AlreadyDone { why: Already::Gone })),
                Ok(Found::Untouched) => last_trouble = Some(trouble),
                Ok(Found::Untold) => return Ok(Round::Over(untold(&event, &plan.step))),
                Err(blind) => return Ok(Round::Over(needs_attention(&event, &plan.step, &blind))),
            }
        }
        let trouble = last_trouble.unwrap_or_else(|| Trouble::ours("no sending was allowed"));
        Ok(Round::Over(needs_attention(&event, &plan.step, &trouble)))
    }

    /// The event was gone when the step came: somebody took it away, or our own earlier sending did.
    async fn gone(&self, event: &Event, plan: &Plan, doubted: bool) -> Outcome {
        if !doubted {
            return Outcome::AlreadyDone { why: Already::Gone };
        }
        match self.look(event, &plan.step).await {
            Ok(Found::Landed) => Outcome::Done(plan.done.clone()),
            Ok(Found::Gone) => Outcome::AlreadyDone { why: Already::Gone },
            Ok(Found::Untouched | Found::Edited | Found::Untold) => untold(event, &plan.step),
            Err(blind) => needs_attention(event, &plan.step, &blind),
        }
    }

    /// What the mailbox shows of a step that may have been carried out.
    pub(super) async fn look(&self, before: &Event, step: &Step) -> Result<Found, Trouble> {
        tokio::time::sleep(self.engine.options().settle).await;
        let after = self.find_again(before).await?;
        let stands = after.as_ref().is_some_and(|after| after.id == before.id);
        let left = step.takes_away() && !stands && self.left_behind(before, step).await?;
        Ok(reconcile(step, before, after.as_ref(), left))
    }

    /// Whether what is gone from the calendar left the trace that the step leaves: the message in Sent Items, or, where
    /// nobody is told, the item in Deleted Items. An occurrence removed in silence leaves nothing anywhere, what has no
    /// UID cannot be told from others, and what was taken away before and came back may have left its trace then: of
    /// those it cannot be known who took them away.
    async fn left_behind(&self, before: &Event, step: &Step) -> Result<bool, Trouble> {
        let Some((uid, start)) = before.identity() else { return Ok(false) };
        let query = Query { identity: Some((uid.clone(), start)), ..Query::room(&self.action.room) };
        let lives = self.engine.journal().find(&query).await?;
        let earlier = |life: &Life| {
            let taken_away = life.intent.as_ref().is_some_and(|intent| intent.step.takes_away());
            life.action.id != self.action.id && taken_away
        };
        if lives.iter().any(earlier) {
            return Ok(false);
        }
        let (room, calendar) = (&self.action.room, self.engine.calendar());
        match step {
            Step::Decline { .. } | Step::Cancel { .. } => calendar.sent(room, step, before, self.since).await,
            _ if before.kind == EventKind::Single => {
                Ok(calendar.deleted(room, &Seen::from(before)).await?.is_some())
            }
            _ => Ok(false),
        }
    }

    /// Nothing to do: perhaps because this was asked, and done, before.
    async fn nothing_to_do(&self, why: Already) -> Result<Outcome, JournalError> {
        let by = self.by_action().await?;
        Ok(Outcome::AlreadyDone { why: by.unwrap_or(why) })
    }

    /// The calendar is against it: perhaps because this was asked, and done, before.
    async fn refuse(&self, refusal: Refusal) -> Result<Outcome, JournalError> {
        let by = match refusal {
            Refusal::NothingOn | Refusal::NotAsSeen { .. } | Refusal::Over { .. } => self.by_action().await?,
            _ => None,
        };
        Ok(by.map_or_else(|| refused(refusal), |why| Outcome::AlreadyDone { why }))
    }

    async fn by_action(&self) -> Result<Option<Already>, JournalError> {
        let by = already_by(self.action, &self.changes().await?, self.engine.clock().now());
        Ok(by.map(|action| Already::ByAction { action }))
    }

    /// The room's last changes, newest first.
    async fn changes(&self) -> Result<Vec<Life>, JournalError> {
        let query = Query { limit: Some(REPEATS_SEARCHED), ..Query::room(&self.action.room) };
        self.engine.journal().find(&query.ending(Ending::Done)).await
    }
}

/// After a conflict: the same event, if it still stands where it stood. A meeting that was extended or moved while
/// somebody was at the door is not the meeting they meant. One that is gone needs neither ending nor deleting.
fn select_again(ask: Ask, before: &Event, after: Option<Event>) -> Selected {
    let was = times(before);
    match after {
        None if !matches!(ask, Ask::Undo { .. }) => Selected::Already(Already::Gone),
        None => Selected::Refused(Refusal::ChangedMeanwhile { was, is: None }),
        Some(event) if times(&event) == was => Selected::This(Box::new(event)),
        Some(event) => Selected::Refused(Refusal::ChangedMeanwhile { was, is: Some(times(&event)) }),
    }
}

/// What was done, if the conflict was with ourselves: something on the way delivered the request twice, and the first one
/// landed.
fn landed(wanted: Option<&Plan>, before: &Event, after: Option<&Event>) -> Option<Done> {
    let plan = wanted.filter(|plan| reconcile(&plan.step, before, after, false) == Found::Landed)?;
    Some(plan.done.clone())
}

pub(super) fn refused(refusal: Refusal) -> Outcome {
    Outcome::Refused { refusal }
}

/// The answer was lost, and what the mailbox shows was made by somebody else since.
pub(super) fn untold(event: &Event, step: &Step) -> Outcome {
    let trouble = Trouble {
        fault: Fault::Nobody,
        advice: "The answer to the change was lost, and somebody else changed the event since".to_owned(),
        code: "in doubt".to_owned(),
    };
    needs_attention(event, step, &trouble)
}

pub(super) fn needs_attention(event: &Event, step: &Step, trouble: &Trouble) -> Outcome {
    let what = match step {
        Step::SetEnd { end, .. } => format!("whether the event ends at {} now", end.format("%F %H:%MZ")),
        Step::Decline { .. } => "whether the event was declined (look in the room's Sent Items)".to_owned(),
        Step::Cancel { .. } => "whether the event was cancelled (look in the room's Sent Items)".to_owned(),
        Step::Remove { .. } => "whether the event is in the room's Deleted Items".to_owned(),
        Step::MoveBack { .. } => "whether the event is back on the room's calendar".to_owned(),
    };
    let Times { start, .. } = times(event);
    let advice = format!("check {what}; it started at {}. {trouble}", start.format("%F %H:%MZ"));
    Outcome::NeedsAttention { event: Seen::from(event), advice }
}

impl From<Trouble> for Refusal {
    fn from(trouble: Trouble) -> Self {
        Self::Exchange { fault: trouble.fault, advice: trouble.advice, code: trouble.code }
    }
}

impl Trouble {
    /// Something only the configuration can have caused.
    pub(crate) fn ours(what: &str) -> Self {
        Self { fault: Fault::Administrator, advice: what.to_owned(), code: "configuration".to_owned() }
    }
}
