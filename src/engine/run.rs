//! One action on its way: read, plan, announce, write, and look again where that is needed.
//!
//! The shell around the pure parts. It never sends a write a second time without having read the event in between, and
//! it never does what the journal has not taken.

use chrono::{DateTime, Utc};

use super::Written;
use super::perform::{Engine, Guard, Mode};
use super::plan::{NoPlan, Plan, plan};
use super::reconcile::Found;
use super::repeat::already_by;
use super::select::{Selected, current, named, times};
use super::undo::{Back, collides, needed, plan_back, way_back};
use super::{Trouble, words};
use crate::action::{
    Action, Already, Ask, Done, Fault, Outcome, Refusal, RequestIds, Target, Times, Undoable,
};
use crate::calendar::{Event, Window};
use crate::journal::{Ending, Fact, Intent, JournalError, Life, Query};

/// How many of a room's last changes are searched for the one that a wish repeats.
const REPEATS_SEARCHED: usize = 100;

/// An action under way.
pub(super) struct Run<'a> {
    pub(super) engine: &'a Engine,
    pub(super) action: &'a Action,
    mode: Mode,
    guard: &'a dyn Guard,
    /// When it was asked for: nothing of it was sent before, and what is meant was on then.
    pub(super) since: DateTime<Utc>,
    /// A sending may have landed, or may land yet, without our knowing. Never taken back: an answer to a later sending
    /// says nothing of it.
    pub(super) doubted: bool,
    /// Sent since the last stored fact.
    requests: Vec<RequestIds>,
}

/// What one decision led to.
enum Round {
    Over(Outcome),
    /// Somebody else wrote first.
    Conflict(Box<Tried>),
}

/// What was decided about, and what was wanted.
struct Tried {
    before: Event,
    plan: Plan,
}

/// How the event of an action is chosen.
enum Choice {
    /// As the action says.
    First,
    /// After a conflict, or after the process was stopped: the same event, if it still stands where it stood.
    Again(Box<Tried>),
}

impl<'a> Run<'a> {
    pub(super) fn new(
        engine: &'a Engine,
        action: &'a Action,
        mode: Mode,
        guard: &'a dyn Guard,
        since: DateTime<Utc>,
    ) -> Self {
        Self { engine, action, mode, guard, since, doubted: false, requests: Vec::new() }
    }

    /// The same, for an action that was taken on before the process was stopped.
    pub(super) fn resumed(engine: &'a Engine, life: &'a Life, guard: &'a dyn Guard) -> Self {
        let run = Self::new(engine, &life.action, Mode::Perform, guard, life.accepted_at);
        Self { doubted: life.intent.is_some(), ..run }
    }

    /// Carries the action through, and says what was sent since the last fact.
    pub(super) async fn finish(mut self) -> Result<(Outcome, Vec<RequestIds>), JournalError> {
        let outcome = self.decide_until_over(Choice::First).await?;
        Ok((outcome, self.requests))
    }

    /// The same, for an action that had intended this when the process was stopped.
    pub(super) async fn finish_from(
        mut self,
        intent: &Intent,
    ) -> Result<(Outcome, Vec<RequestIds>), JournalError> {
        let plan = Plan { step: intent.step.clone(), done: intent.done.clone() };
        let tried = Tried { before: intent.before.clone(), plan };
        let outcome = self.decide_until_over(Choice::Again(Box::new(tried))).await?;
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
            let event = match self.choose(&choice, back.as_ref()).await {
                Ok(Selected::This(event)) => *event,
                Ok(Selected::Already(why)) => return self.nothing_to_do(why).await,
                Ok(Selected::Refused(refusal)) => return self.refuse(refusal).await,
                Err(outcome) => return Ok(outcome),
            };
            if let Err(refusal) = self.guard.allows(&event, self.engine.clock().now()).await {
                return Ok(refused(refusal));
            }
            match self.decide(back.as_ref(), event).await? {
                Round::Over(outcome) => return Ok(outcome),
                Round::Conflict(tried) => choice = Choice::Again(tried),
            }
        }
        // The last conflict may have been one with ourselves.
        Ok(self.choose(&choice, None).await.err().unwrap_or(refused(Refusal::KeepsChanging)))
    }

    /// Finds the event, or that the action is over.
    async fn choose(&self, choice: &Choice, back: Option<&Back>) -> Result<Selected, Outcome> {
        match choice {
            Choice::First => {
                let selected = match back {
                    None => self.select().await,
                    Some(back) => self.select_back(back).await,
                };
                selected.map_err(|trouble| refused(trouble.into()))
            }
            Choice::Again(tried) => self.choose_again(tried, back).await,
        }
    }

    /// The same event, unless the conflict was with ourselves: something on the way delivered a request late or twice.
    async fn choose_again(&self, tried: &Tried, back: Option<&Back>) -> Result<Selected, Outcome> {
        let Tried { before, plan: Plan { step, done } } = tried;
        let blind = |trouble: Trouble| words::needs_attention(before, step, &trouble);
        let after = self.find_again(before).await.map_err(blind)?;
        let found = self.found(before, step, after.as_ref()).await.map_err(blind)?;
        if let Some(outcome) = found.settles(done) {
            return Err(outcome);
        }
        if found == Found::Untold && self.doubted {
            return Err(words::untold(before, step));
        }
        match (select_again(self.action.ask, before, after), back) {
            (Selected::This(event), Some(back)) => self.if_free(back, *event).await.map_err(blind),
            (selected, _) => Ok(selected),
        }
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
        self.if_free(back, own).await
    }

    /// The event to put back, if nothing else stands at its time.
    async fn if_free(&self, back: &Back, own: Event) -> Result<Selected, Trouble> {
        let taken = match needed(back) {
            Some(window) => {
                let there = self.engine.calendar().events(&self.action.room, window).await?;
                collides(&there, &own)
            }
            None => None,
        };
        Ok(taken.map_or_else(|| Selected::This(Box::new(own)), Selected::Refused))
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
        let mut trouble = Trouble::ours("no sending was allowed");
        for _ in 0..self.engine.options().sendings_max {
            let reply = self.engine.calendar().write(&self.action.room, &plan.step).await;
            self.requests.extend(reply.requests);
            if let Written::InDoubt(why) = &reply.written {
                self.doubt(why).await?;
            }
            if !self.doubted || reply.written == Written::Done {
                return Ok(believed(reply.written, event, plan));
            }
            // Whatever this answer says, a sending may have landed: only the mailbox knows.
            let found = match self.look(&event, &plan.step).await {
                Ok(found) => found,
                Err(blind) => return Ok(Round::Over(words::needs_attention(&event, &plan.step, &blind))),
            };
            if let Some(outcome) = found.settles(&plan.done) {
                return Ok(Round::Over(outcome));
            }
            match (found, reply.written) {
                (Found::Edited, _) | (Found::Untouched, Written::Conflict) => {
                    return Ok(Round::Conflict(Box::new(Tried { before: event, plan })));
                }
                (Found::Untouched, Written::InDoubt(why)) => trouble = why,
                // An earlier sending may land yet: nobody can say that nothing was done.
                (Found::Untouched, Written::NotDone(why)) => {
                    return Ok(Round::Over(words::needs_attention(&event, &plan.step, &why)));
                }
                _ => return Ok(Round::Over(words::untold(&event, &plan.step))),
            }
        }
        Ok(Round::Over(words::needs_attention(&event, &plan.step, &trouble)))
    }

    async fn doubt(&mut self, why: &Trouble) -> Result<(), JournalError> {
        self.doubted = true;
        let requests = std::mem::take(&mut self.requests);
        self.engine.record(self.action.id, Fact::InDoubt { why: why.to_string(), requests }).await
    }

    /// Nothing to do: perhaps because this was asked, and done, before.
    async fn nothing_to_do(&self, why: Already) -> Result<Outcome, JournalError> {
        let by = self.by_action(None).await?;
        Ok(Outcome::AlreadyDone { why: by.unwrap_or(why) })
    }

    /// The calendar is against it: perhaps because this was asked, and done, before.
    async fn refuse(&self, refusal: Refusal) -> Result<Outcome, JournalError> {
        let by = match refusal {
            Refusal::NothingOn | Refusal::Over { .. } => self.by_action(None).await?,
            Refusal::NotAsSeen { is, .. } => self.by_action(Some(is)).await?,
            _ => None,
        };
        Ok(by.map_or_else(|| refused(refusal), |why| Outcome::AlreadyDone { why }))
    }

    /// The earlier action that did the same, if the event is still as that left it (where it is known how it `is`).
    async fn by_action(&self, is: Option<Times>) -> Result<Option<Already>, JournalError> {
        let by = already_by(self.action, &self.changes().await?, is, self.engine.clock().now());
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

/// What an answer means that no earlier sending makes doubtful.
fn believed(written: Written, event: Event, plan: Plan) -> Round {
    match written {
        Written::Done => Round::Over(Outcome::Done(plan.done)),
        Written::Gone if plan.step.takes_away() => Round::Over(Outcome::AlreadyDone { why: Already::Gone }),
        Written::Gone | Written::Conflict => Round::Conflict(Box::new(Tried { before: event, plan })),
        Written::NotDone(trouble) => Round::Over(refused(trouble.into())),
        Written::InDoubt(trouble) => Round::Over(words::needs_attention(&event, &plan.step, &trouble)),
    }
}

pub(super) fn refused(refusal: Refusal) -> Outcome {
    Outcome::Refused { refusal }
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
