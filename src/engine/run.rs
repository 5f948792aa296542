//! One action on its way: read, plan, announce, write, and look again where that is needed.
//!
//! The shell around the pure parts. It never sends a write a second time without having read the event in between, and
//! it never does what the journal has not taken.

use chrono::{DateTime, Utc};

use super::longer::{plan_booking, plan_extend, wanted};
use super::perform::{Engine, Guard, Mode};
use super::plan::{NoPlan, Plan, plan};
use super::reconcile::Found;
use super::repeat::already_by;
use super::select::Selected;
use super::undo::{Back, plan_back};
use super::{CalendarView, Written};
use super::{Trouble, words};
use crate::action::{
    Action, ActionKind, Change, Done, NoChangeReason, Outcome, Refusal, RequestIds, ResponsibleParty,
    Reversibility, Target, TimeRange,
};
use crate::calendar::{Event, Window};
use crate::journal::{ActionRecord, ActionStatus, Fact, Intent, JournalError, Query};

/// How many of a room's last changes are searched for the one that a wish repeats.
pub(super) const REPEATS_SEARCHED: usize = 100;

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
    /// The one that may land yet.
    in_the_air: Option<Sent>,
    tries: Tries,
    /// The last answer was that the server is busy and did nothing.
    pub(super) put_off: bool,
    /// Sent since the last stored fact.
    pub(super) requests: Vec<RequestIds>,
}

/// What one decision led to.
enum Round {
    Over(Outcome),
    /// Nothing was done, or it is not known; to be decided again.
    Again(Box<Tried>),
}

/// What was decided about, and what was wanted.
#[derive(Clone)]
pub(super) struct Tried {
    pub(super) before: Event,
    pub(super) plan: Plan,
}

/// A sending that may be carried out yet, since when.
struct Sent {
    tried: Tried,
    at: DateTime<Utc>,
}

/// How the event of an action is chosen.
pub(super) enum Choice {
    /// As the action says.
    First,
    /// After a conflict, a doubt, or a stop of the process: the same event, if it still stands where it stood.
    Again(Box<Tried>),
}

/// What was read for the first decision: what an undo puts back, and the event; or that the action is over.
pub(super) type First = Result<(Option<Back>, Result<Selected, Outcome>), Outcome>;

/// How often what went on.
#[derive(Default)]
struct Tries {
    conflicts: u32,
    sendings: u32,
    waits: u32,
}

/// How often a write is put off because the server is busy; each time at least as long as it said.
const WAITS_MAX: u32 = 30;

impl<'a> Run<'a> {
    pub(super) fn new(
        engine: &'a Engine,
        action: &'a Action,
        mode: Mode,
        guard: &'a dyn Guard,
        since: DateTime<Utc>,
    ) -> Self {
        Self {
            engine,
            action,
            mode,
            guard,
            since,
            doubted: false,
            in_the_air: None,
            tries: Tries::default(),
            put_off: false,
            requests: Vec::new(),
        }
    }

    /// The same, for an action that was taken on before the process was stopped.
    pub(super) fn resumed(engine: &'a Engine, life: &'a ActionRecord, guard: &'a dyn Guard) -> Self {
        let run = Self::new(engine, &life.action, Mode::Perform, guard, life.accepted_at);
        let sent = life.intent.as_ref().map(|intent| Sent { tried: Tried::from(intent), at: life.last_at });
        Self { doubted: sent.is_some(), in_the_air: sent, ..run }
    }

    /// Reads what the first decision needs. Reading changes nothing, so the action need not be on record yet.
    pub(super) async fn read_first(&self) -> Result<First, JournalError> {
        self.read_for(&Choice::First).await
    }

    async fn read_for(&self, choice: &Choice) -> Result<First, JournalError> {
        let room = &self.action.room;
        if !self.engine.scope().contains(room) {
            return Ok(Err(refused(Refusal::OutOfScope { room: room.clone() })));
        }
        let back = match self.back().await? {
            Ok(back) => back,
            Err(outcome) => return Ok(Err(outcome)),
        };
        let chosen = self.choose(choice, back.as_ref()).await;
        Ok(Ok((back, chosen)))
    }

    /// Carries the action through, and says what was sent since the last fact.
    pub(super) async fn finish(mut self, first: First) -> Result<(Outcome, Vec<RequestIds>), JournalError> {
        let outcome = self.decide_until_over(Choice::First, first).await?;
        self.conclude(outcome).await
    }

    /// The same, for an action that had intended this when the process was stopped, or that was taken on only.
    pub(super) async fn finish_from(
        mut self,
        intent: Option<&Intent>,
    ) -> Result<(Outcome, Vec<RequestIds>), JournalError> {
        let choice = intent.map_or(Choice::First, |intent| Choice::Again(Box::new(Tried::from(intent))));
        let first = self.read_for(&choice).await?;
        let outcome = self.decide_until_over(choice, first).await?;
        self.conclude(outcome).await
    }

    /// Looks once more where that can change the answer.
    pub(super) async fn conclude(
        mut self,
        outcome: Outcome,
    ) -> Result<(Outcome, Vec<RequestIds>), JournalError> {
        let outcome = self.outlive(outcome).await;
        let outcome = self.give_way(outcome).await?;
        Ok((outcome, self.requests))
    }

    /// Nothing was done, says the outcome: that is known only when whatever is under way can land no more.
    async fn outlive(&mut self, outcome: Outcome) -> Outcome {
        let says_nothing_done = matches!(outcome, Outcome::Refused { .. } | Outcome::AlreadyDone { .. });
        let Some(Sent { tried, at }) = self.in_the_air.take().filter(|_| says_nothing_done) else {
            return outcome;
        };
        let Tried { before, plan: Plan { step, done } } = &tried;
        self.let_land(at).await;
        self.settled_by_look(before, step, done).await.unwrap_or(outcome)
    }

    /// Waits until what was sent then has landed, or will not any more.
    pub(super) async fn let_land(&self, sent: DateTime<Utc>) {
        let lands_within = self.engine.options().lands_within;
        // A clock that was set back since must not make anybody wait for as long as that.
        let left = (sent + lands_within - self.engine.clock().now()).min(lands_within);
        tokio::time::sleep(left.to_std().unwrap_or_default()).await;
    }

    async fn decide_until_over(&mut self, mut choice: Choice, first: First) -> Result<Outcome, JournalError> {
        let (back, mut chosen) = match first {
            Ok(first) => first,
            Err(outcome) => return Ok(outcome),
        };
        loop {
            let event = match chosen {
                Ok(Selected::This(event)) => *event,
                Ok(Selected::Already(why)) => return self.nothing_to_do(why, None).await,
                Ok(Selected::Refused(refusal)) => return self.refuse(refusal, None).await,
                Err(outcome) => return Ok(outcome),
            };
            if let Err(refusal) = self.guard.allows(&event, self.engine.clock().now()).await {
                return Ok(refused(refusal));
            }
            match self.decide(&choice, back.as_ref(), event).await? {
                Round::Over(outcome) => return Ok(outcome),
                Round::Again(tried) => choice = Choice::Again(tried),
            }
            if self.tries.conflicts >= self.engine.options().decisions_max {
                // The last conflict may have been one with ourselves.
                let last = self.choose(&choice, None).await;
                return Ok(last.err().unwrap_or(refused(Refusal::KeepsChanging)));
            }
            chosen = self.choose(&choice, back.as_ref()).await;
        }
    }

    async fn decide(
        &mut self,
        choice: &Choice,
        back: Option<&Back>,
        event: Event,
    ) -> Result<Round, JournalError> {
        let engine = self.engine;
        let again = choice.same_again(&event, self.action.kind).filter(|_| self.doubted);
        let planned = match (again, back) {
            (Some(plan), _) => Ok(Ok(plan.clone())),
            (None, Some(back)) => Ok(plan_back(back, &event)),
            (None, None) => self.plan(&event).await,
        };
        let plan = match planned {
            Ok(Ok(plan)) => plan,
            Ok(Err(NoPlan::Already(why))) => {
                return Ok(Round::Over(self.nothing_to_do(why, Some(&event)).await?));
            }
            Ok(Err(NoPlan::Refused(refusal))) => {
                return Ok(Round::Over(self.refuse(refusal, Some(&event)).await?));
            }
            Err(trouble) => return Ok(Round::Over(refused(trouble.into()))),
        };
        let may_be_final = back.is_some() || plan.done.reversibility == Reversibility::Reversible;
        if engine.options().forbid_irreversible && !may_be_final {
            return Ok(Round::Over(refused(Refusal::IrreversibleForbidden)));
        }
        if self.mode == Mode::Rehearse {
            return Ok(Round::Over(Outcome::Done(Done { dry_run: true, ..plan.done })));
        }
        let (step, done) = (plan.step.clone(), Box::new(plan.done.clone()));
        let before = Box::new(engine.as_journalled(event.clone()));
        engine.record(self.action.id, Fact::Intended { step, before, done }).await?;
        self.write(event, plan).await
    }

    /// The step for the event; what takes more time is planned with what stands around it.
    async fn plan(&self, event: &Event) -> Result<Result<Plan, NoPlan>, Trouble> {
        let (now, calendar) = (self.engine.clock().now(), self.engine.calendar());
        match self.action.kind {
            ActionKind::Book { .. } => Ok(plan_booking(event)),
            ActionKind::Extend { minutes } => {
                let Some(time) = wanted(event, minutes) else {
                    return Err(Trouble::ours("an extension takes at least a minute"));
                };
                let around = calendar.events(&self.action.room, time).await?.taken()?;
                Ok(plan_extend(self.action, event, (time, &around), now, calendar.capabilities()))
            }
            ActionKind::End(_) | ActionKind::Delete(_) | ActionKind::Undo { .. } => {
                Ok(plan(self.action, event, now, calendar.capabilities()))
            }
        }
    }

    /// Sends the step once.
    async fn write(&mut self, event: Event, plan: Plan) -> Result<Round, JournalError> {
        let reply = self.engine.calendar().write(&self.action.room, &plan.step).await;
        let was_sent = !reply.requests.is_empty();
        self.requests.extend(reply.requests);
        self.put_off = matches!(reply.written, Written::NotYet(_));
        let tried = Tried { before: event, plan };
        if let Written::InDoubt(why) = &reply.written {
            self.doubt(why, &tried).await?;
        }
        if !self.doubted || matches!(reply.written, Written::Done | Written::NotYet(_)) {
            return Ok(match reply.written {
                Written::NotDone(trouble) if was_sent && tried.plan.step.sends_mail() => {
                    self.refused_after_all(trouble, tried, true).await
                }
                Written::Unproven(trouble) => self.refused_after_all(trouble, tried, false).await,
                written => self.believe(written, tried).await,
            });
        }
        self.disbelieve(reply.written, tried).await
    }

    /// What an answer means that no earlier sending makes doubtful.
    async fn believe(&mut self, written: Written, tried: Tried) -> Round {
        let Tried { before, plan: Plan { step, done } } = &tried;
        match written {
            Written::Done => Round::Over(Outcome::Done(tried.plan.done)),
            // Something on the way delivered it twice, if the message is out.
            Written::Gone
                if step.sends_meeting_message() && self.left_behind(before, step).await.unwrap_or(false) =>
            {
                Round::Over(Outcome::Done(done.clone()))
            }
            Written::Gone => self.not_found(tried).await,
            Written::Conflict => self.conflict(tried),
            Written::NotYet(trouble) if self.tries.waits >= WAITS_MAX => Round::Over(refused(trouble.into())),
            // By the time it may be asked again, it is to be decided again.
            Written::NotYet(_) => {
                self.tries.waits += 1;
                Round::Again(Box::new(tried))
            }
            Written::NotDone(trouble) => Round::Over(refused(trouble.into())),
            Written::Unproven(trouble) | Written::InDoubt(trouble) => {
                Round::Over(words::needs_attention(before, step, &trouble))
            }
        }
    }

    /// The server reports the item as not found: so it does where the account may read the item and not write to it.
    async fn not_found(&mut self, tried: Tried) -> Round {
        let Tried { before, plan: Plan { step, .. } } = &tried;
        match self.find_again(before).await {
            Err(blind) => Round::Over(words::needs_attention(before, step, &blind)),
            Ok(None) if step.removes_event() => {
                Round::Over(Outcome::AlreadyDone { why: NoChangeReason::Gone })
            }
            Ok(Some(event)) if event.id == before.id && event.change_key == before.change_key => {
                Round::Over(refused(words::not_writable().into()))
            }
            Ok(_) => self.conflict(tried),
        }
    }

    /// A server that reports a failure may have changed the calendar before it failed to send the mail. Where the calendar cannot
    /// be read, only a code that `proves` it means that nothing was done.
    async fn refused_after_all(&mut self, trouble: Trouble, tried: Tried, proves: bool) -> Round {
        self.doubted |= !proves;
        let Tried { before, plan: Plan { step, done } } = &tried;
        Round::Over(match self.look(before, step).await {
            Ok(Found::Untold) => words::needs_attention(before, step, &trouble),
            // Of a message in Sent Items it is known that it left; of an update of times it is not (`reconcile`).
            Ok(found) => found.settles(done).unwrap_or_else(|| refused(trouble.into())),
            Err(_) if proves => refused(trouble.into()),
            Err(blind) => words::needs_attention(before, step, &blind),
        })
    }

    /// What the mailbox shows; where that is "as it was" and the next sending would not be the same harmless one, once more when
    /// the first can land no more.
    async fn look_twice(&self, written: &Written, tried: &Tried) -> Result<Found, Trouble> {
        let Tried { before, plan: Plan { step, .. } } = tried;
        let found = self.look(before, step).await?;
        let tired = self.tries.sendings >= self.engine.options().sendings_max;
        let again_at_once = matches!(written, Written::Conflict)
            || matches!(written, Written::InDoubt(_))
                && !tired
                && !step.sends_meeting_message()
                && step.item().is_some();
        match &self.in_the_air {
            Some(Sent { at, .. }) if found == Found::Untouched && !again_at_once => {
                self.let_land(*at).await;
                self.look(before, step).await
            }
            _ => Ok(found),
        }
    }

    /// Whatever the answer says, a sending may have landed: only the mailbox knows.
    async fn disbelieve(&mut self, written: Written, tried: Tried) -> Result<Round, JournalError> {
        let found = match self.look_twice(&written, &tried).await {
            Ok(found) => found,
            Err(blind) => {
                return Ok(Round::Over(words::needs_attention(&tried.before, &tried.plan.step, &blind)));
            }
        };
        let Tried { before, plan: Plan { step, done } } = &tried;
        if let Some(outcome) = found.settles(done) {
            return Ok(Round::Over(outcome));
        }
        let tired = self.tries.sendings >= self.engine.options().sendings_max;
        match (found, written) {
            (Found::Edited, _) => {
                if step.is_guarded() {
                    // By a version that is no more: it cannot land.
                    self.in_the_air = None;
                }
                Ok(self.conflict(tried))
            }
            (Found::Untouched, Written::Conflict) => Ok(self.conflict(tried)),
            (Found::Untouched, Written::InDoubt(_)) if !tired => Ok(Round::Again(Box::new(tried))),
            // Nothing can land any more.
            (Found::Untouched, Written::InDoubt(why)) => Ok(Round::Over(refused(words::lost(why).into()))),
            (Found::Untouched, Written::NotDone(why) | Written::Unproven(why)) => {
                Ok(Round::Over(refused(why.into())))
            }
            (Found::Untouched, Written::Gone) => Ok(Round::Over(refused(words::not_writable().into()))),
            _ => Ok(Round::Over(words::untold(before, step))),
        }
    }

    fn conflict(&mut self, tried: Tried) -> Round {
        self.tries.conflicts += 1;
        Round::Again(Box::new(tried))
    }

    async fn doubt(&mut self, why: &Trouble, tried: &Tried) -> Result<(), JournalError> {
        self.doubted = true;
        self.tries.sendings += 1;
        self.in_the_air = Some(Sent { tried: tried.clone(), at: self.engine.clock().now() });
        let requests = std::mem::take(&mut self.requests);
        self.engine.record(self.action.id, Fact::InDoubt { why: why.to_string(), requests }).await
    }

    /// Nothing to do: perhaps because this was asked, and done, before.
    async fn nothing_to_do(
        &self,
        why: NoChangeReason,
        read: Option<&Event>,
    ) -> Result<Outcome, JournalError> {
        if matches!(self.action.kind, ActionKind::Extend { .. }) {
            return self.refuse(Refusal::NoCurrentEvent, read).await;
        }
        let by = self.by_action(read, None).await?;
        Ok(Outcome::AlreadyDone { why: by.unwrap_or(why) })
    }

    /// The calendar is against it: perhaps because this was asked, and done, before.
    async fn refuse(&self, refusal: Refusal, read: Option<&Event>) -> Result<Outcome, JournalError> {
        let by = match refusal {
            Refusal::NoCurrentEvent | Refusal::Over { .. } => self.by_action(read, None).await?,
            Refusal::NotAsSeen { is, .. } => self.by_action(read, Some(is)).await?,
            _ => None,
        };
        Ok(by.map_or_else(|| refused(refusal), |why| Outcome::AlreadyDone { why }))
    }

    /// The earlier action that did the same to the same event (the one that was `read`), if that is still as the action left it
    /// (where it is known how it `is`).
    async fn by_action(
        &self,
        read: Option<&Event>,
        is: Option<TimeRange>,
    ) -> Result<Option<NoChangeReason>, JournalError> {
        let changes = self.changes().await?;
        let by = already_by(self.action, &changes, read, is, self.engine.clock().now());
        let Some(life) = by else { return Ok(None) };
        // Where nothing is on and no event is named, the one that is meant is the last that was on.
        if read.is_none() && self.action.target == Target::Current && self.was_followed(life).await {
            return Ok(None);
        }
        Ok(Some(NoChangeReason::ByAction { action: life.action.id }))
    }

    /// Another meeting was on since this action ended its own, or that cannot be read.
    async fn was_followed(&self, life: &ActionRecord) -> bool {
        let Some(Done { event, change: Change::Ended { to, .. }, .. }) = life.done() else { return false };
        let Some(since) = Window::clamped(*to, self.engine.clock().now()) else { return false };
        let view = self.engine.calendar().events(&self.action.room, since).await;
        let Ok(events) = view.and_then(CalendarView::taken) else { return true };
        events.iter().any(|other| !other.id.is_same(&event.id) && other.occupies_room())
    }

    /// The room's last changes, newest first.
    pub(super) async fn changes(&self) -> Result<Vec<ActionRecord>, JournalError> {
        let query = Query { limit: Some(REPEATS_SEARCHED), ..Query::room(&self.action.room) };
        self.engine.journal().find(&query.with_status(ActionStatus::Done)).await
    }
}

impl From<&Intent> for Tried {
    fn from(intent: &Intent) -> Self {
        let plan = Plan { step: intent.step.clone(), done: intent.done.clone() };
        Self { before: intent.before.clone(), plan }
    }
}

impl Choice {
    /// The step that was tried before, if it is about this very version: then the same is sent again, and whichever
    /// lands first makes the other a conflict. What takes more time depends on others too, and is planned anew.
    fn same_again(&self, event: &Event, ask: ActionKind) -> Option<&Plan> {
        match self {
            Self::Again(tried) if tried.before.change_key == event.change_key => {
                (!matches!(ask, ActionKind::Extend { .. } | ActionKind::Book { .. })).then_some(&tried.plan)
            }
            _ => None,
        }
    }
}

pub(super) fn refused(refusal: Refusal) -> Outcome {
    Outcome::Refused { refusal }
}

impl From<Trouble> for Refusal {
    fn from(trouble: Trouble) -> Self {
        Self::Exchange { responsible: trouble.fault, advice: trouble.advice, code: trouble.code }
    }
}

impl Trouble {
    /// Something only the configuration can have caused.
    pub(crate) fn ours(what: &str) -> Self {
        Self {
            fault: ResponsibleParty::Administrator,
            advice: what.to_owned(),
            code: "configuration".to_owned(),
        }
    }
}
