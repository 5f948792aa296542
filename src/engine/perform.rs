//! Carries an action through: read, plan, announce, write, and look again where that is needed.
//!
//! The shell around the pure parts. It never sends a write a second time without having read the event in between, and
//! it never does what the journal has not taken.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::plan::{NoPlan, Plan, plan};
use super::reconcile::{Found, reconcile};
use super::select::{Selected, current, named, times};
use super::{Calendar, Step, Trouble, Written};
use crate::action::{Action, ActionId, Already, Ask, Done, Outcome, Refusal, Seen, Target, Times, Undoable};
use crate::calendar::{Event, Scope, Window};
use crate::clock::Clock;
use crate::journal::{Fact, Journal, JournalError};

/// Performs actions on one server's calendars.
pub struct Engine {
    calendar: Arc<dyn Calendar>,
    journal: Arc<dyn Journal>,
    clock: Arc<dyn Clock>,
    scope: Scope,
    options: Options,
}

/// For real or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Do it.
    Perform,
    /// Do everything but the writes, and journal nothing.
    Rehearse,
}

/// How the engine behaves where people differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// How often an event is read and decided about again when somebody else keeps writing to it. At the limit the
    /// action is refused ([`Refusal::KeepsChanging`]).
    pub decisions_max: u32,
    /// How often a step is sent whose earlier sending is known not to have landed. At the limit a person has to look.
    pub sendings_max: u32,
    /// How long to let the server settle before looking after a doubtful write. Longer is surer and slower.
    pub settle: Duration,
    /// Refuse what could not be undone.
    pub forbid_irreversible: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            decisions_max: 3,
            sendings_max: 2,
            settle: Duration::from_millis(500),
            forbid_irreversible: false,
        }
    }
}

/// Sees the event an action is about, as it is now, just before anything is planned for it.
#[async_trait]
pub trait Guard: Send + Sync {
    /// Lets the action go on, or says why not.
    async fn allows(&self, event: &Event, now: DateTime<Utc>) -> Result<(), Refusal>;
}

/// Lets everything through.
struct Unguarded;

#[async_trait]
impl Guard for Unguarded {
    async fn allows(&self, _: &Event, _: DateTime<Utc>) -> Result<(), Refusal> {
        Ok(())
    }
}

/// What one decision led to.
enum Round {
    Over(Outcome),
    /// Somebody else wrote first; this is what we had decided about.
    Conflict(Event),
}

impl Engine {
    /// An engine that acts on `scope` through `calendar` and tells `journal`.
    pub fn new(
        calendar: Arc<dyn Calendar>,
        journal: Arc<dyn Journal>,
        clock: Arc<dyn Clock>,
        scope: Scope,
        options: Options,
    ) -> Self {
        Self { calendar, journal, clock, scope, options }
    }

    /// The calendars it acts on.
    pub fn calendar(&self) -> &Arc<dyn Calendar> {
        &self.calendar
    }

    /// What it may act on.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The clock it goes by.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Performs one action, or rehearses it. `Err` means the journal failed and nothing was done after that moment.
    pub async fn perform(&self, action: Action, mode: Mode) -> Result<Outcome, JournalError> {
        self.perform_guarded(action, mode, &Unguarded).await
    }

    /// The same, with a guard that sees the event after every reading and may call the action off.
    pub async fn perform_guarded(
        &self,
        action: Action,
        mode: Mode,
        guard: &dyn Guard,
    ) -> Result<Outcome, JournalError> {
        let id = action.id;
        self.note(id, mode, || Fact::Accepted { action: action.clone() }).await?;
        let outcome = self.carry_out(&action, mode, guard).await?;
        self.note(id, mode, || Fact::Closed { outcome: outcome.clone() }).await?;
        Ok(outcome)
    }

    async fn carry_out(
        &self,
        action: &Action,
        mode: Mode,
        guard: &dyn Guard,
    ) -> Result<Outcome, JournalError> {
        if !self.scope.holds(&action.room) {
            return Ok(refused(Refusal::OutOfScope { room: action.room.clone() }));
        }
        let mut selected = self.select(action).await;
        for _ in 0..self.options.decisions_max {
            let event = match selected {
                Ok(Selected::This(event)) => *event,
                Ok(Selected::Already(why)) => return Ok(Outcome::AlreadyDone { why }),
                Ok(Selected::Refused(refusal)) => return Ok(refused(refusal)),
                Err(trouble) => return Ok(refused(trouble.into())),
            };
            if let Err(refusal) = guard.allows(&event, self.clock.now()).await {
                return Ok(refused(refusal));
            }
            match self.decide(action, event, mode).await? {
                Round::Over(outcome) => return Ok(outcome),
                Round::Conflict(before) => selected = self.select_again(action, &before).await,
            }
        }
        Ok(refused(Refusal::KeepsChanging))
    }

    async fn select(&self, action: &Action) -> Result<Selected, Trouble> {
        match &action.target {
            Target::Current => {
                let now = self.clock.now();
                Ok(current(self.calendar.events(&action.room, Window::instant(now)).await?, now))
            }
            Target::Event { id, seen } => Ok(named(self.calendar.event(&action.room, id).await?, *seen)),
        }
    }

    /// After a conflict: the same event, if it still stands where it stood. A meeting that was extended or moved while
    /// somebody was at the door is not the meeting they meant.
    async fn select_again(&self, action: &Action, before: &Event) -> Result<Selected, Trouble> {
        let was = times(before);
        Ok(match self.calendar.event(&action.room, &before.id).await? {
            None => Selected::Refused(Refusal::ChangedMeanwhile { was, is: None }),
            Some(event) if times(&event) == was => Selected::This(Box::new(event)),
            Some(event) => Selected::Refused(Refusal::ChangedMeanwhile { was, is: Some(times(&event)) }),
        })
    }

    async fn decide(&self, action: &Action, event: Event, mode: Mode) -> Result<Round, JournalError> {
        let plan = match plan(action, &event, self.clock.now(), self.calendar.capabilities()) {
            Ok(plan) => plan,
            Err(NoPlan::Already(why)) => return Ok(Round::Over(Outcome::AlreadyDone { why })),
            Err(NoPlan::Refused(refusal)) => return Ok(Round::Over(refused(refusal))),
        };
        if self.options.forbid_irreversible && plan.done.undoable != Undoable::Yes {
            return Ok(Round::Over(refused(Refusal::CannotBeUndone)));
        }
        if mode == Mode::Rehearse {
            return Ok(Round::Over(Outcome::Done(Done { rehearsed: true, ..plan.done })));
        }
        let step = plan.step.clone();
        self.journal.record(action.id, Fact::Intended { step, before: event.clone() }).await?;
        self.write(action, event, plan).await
    }

    async fn write(&self, action: &Action, event: Event, plan: Plan) -> Result<Round, JournalError> {
        let mut last_trouble = None;
        for _ in 0..self.options.sendings_max {
            let trouble = match self.calendar.write(&action.room, &plan.step).await {
                Written::Done => return Ok(Round::Over(Outcome::Done(plan.done))),
                Written::Gone => return Ok(Round::Over(gone(action, &event))),
                Written::Conflict => return Ok(Round::Conflict(event)),
                Written::NotDone(trouble) => return Ok(Round::Over(refused(trouble.into()))),
                Written::InDoubt(trouble) => trouble,
            };
            self.journal.record(action.id, Fact::InDoubt { why: trouble.to_string() }).await?;
            match self.look(action, &event, &plan.step).await {
                Ok(Found::Landed) => return Ok(Round::Over(Outcome::Done(plan.done))),
                Ok(Found::Changed) => return Ok(Round::Conflict(event)),
                Ok(Found::Untouched) => last_trouble = Some(trouble),
                Err(blind) => return Ok(Round::Over(needs_attention(&event, &plan.step, &blind))),
            }
        }
        let trouble = last_trouble.unwrap_or_else(|| Trouble::ours("no sending was allowed"));
        Ok(Round::Over(needs_attention(&event, &plan.step, &trouble)))
    }

    async fn look(&self, action: &Action, before: &Event, step: &Step) -> Result<Found, Trouble> {
        tokio::time::sleep(self.options.settle).await;
        let after = self.calendar.event(&action.room, &before.id).await?;
        Ok(reconcile(step, before, after.as_ref()))
    }

    async fn note(
        &self,
        id: ActionId,
        mode: Mode,
        fact: impl FnOnce() -> Fact + Send,
    ) -> Result<(), JournalError> {
        match mode {
            Mode::Perform => self.journal.record(id, fact()).await,
            Mode::Rehearse => Ok(()),
        }
    }
}

fn refused(refusal: Refusal) -> Outcome {
    Outcome::Refused { refusal }
}

/// The event vanished between reading and writing: a delete has nothing left to do, an end has lost its event.
fn gone(action: &Action, event: &Event) -> Outcome {
    match action.ask {
        Ask::Delete(_) => Outcome::AlreadyDone { why: Already::Gone },
        Ask::End(_) => refused(Refusal::ChangedMeanwhile { was: times(event), is: None }),
    }
}

fn needs_attention(event: &Event, step: &Step, trouble: &Trouble) -> Outcome {
    let what = match step {
        Step::SetEnd { end, .. } => format!("whether the event ends at {} now", end.format("%F %H:%MZ")),
        Step::Decline { .. } => "whether the event was declined (look in the room's Sent Items)".to_owned(),
        Step::Cancel { .. } => "whether the event was cancelled (look in the room's Sent Items)".to_owned(),
        Step::Remove { .. } => "whether the event is in the room's Deleted Items".to_owned(),
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
        Self {
            fault: crate::action::Fault::Administrator,
            advice: what.to_owned(),
            code: "configuration".to_owned(),
        }
    }
}
