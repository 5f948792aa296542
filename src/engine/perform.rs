//! The engine's public interface: accepts an action at most once, runs the actions of a room one after another, and answers.

use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::OwnedMutexGuard;

use super::execution::{Execution, refused};
use super::idempotency::{PriorRequest, prior_request};
use super::{Calendar, CalendarCache};
use crate::action::{Action, ActionId, ActionKind, Answer, Outcome, Refusal, RequestIds};
use crate::calendar::{Event, EventId, RoomAddress, Scope};
use crate::clock::Clock;
use crate::journal::{ActionEntry, ActionStatus, Fact, Journal, JournalError, Query};
use crate::keyed_mutex::KeyedMutex;

/// Performs actions on one server's calendars.
pub struct Engine {
    calendar: Arc<dyn Calendar>,
    journal: Arc<dyn Journal>,
    clock: Arc<dyn Clock>,
    scope: ArcSwap<Scope>,
    options: EngineOptions,
    room_locks: KeyedMutex,
    cache: OnceLock<Arc<dyn CalendarCache>>,
}

/// Whether the engine writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Carry the action out.
    Perform,
    /// Do everything but the writes, and record nothing in the journal.
    DryRun,
}

/// Settings of the engine. Its defaults are the product's defaults: the configuration takes them from here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineOptions {
    /// How often an action is planned when other writers keep changing its event. At the limit the action is refused
    /// ([`Refusal::KeepsChanging`]).
    pub decisions_max: u32,
    /// How often a step is sent when the earlier send is known not to have been applied. At the limit a person has to check the
    /// calendar.
    pub sends_max: u32,
    /// Pause before the mailbox is read after a doubtful write. Longer is safer and slower.
    pub settle_delay: Duration,
    /// How long after it was sent a request may still be applied without a reply. An action in doubt is reported as "nothing was
    /// changed" only after this time.
    pub delivery_window: TimeDelta,
    /// Refuse actions that cannot be undone.
    pub forbid_irreversible: bool,
    /// How long after its request an interrupted action is still carried out. Later the person has left the door, and the action
    /// is closed as [`Refusal::Interrupted`] if nothing was done.
    pub resume_within: TimeDelta,
    /// How long an action in doubt stays open while Exchange cannot be read. Later a person has to check the calendar.
    pub give_up_after: TimeDelta,
    /// How long an idempotency key is remembered. Later the same key is a new request: some devices restart their counters.
    pub key_ttl: TimeDelta,
    /// Keep subjects (and the organizer's display name) in the journal.
    pub journal_subjects: bool,
    /// The subject of a booking: what people read in Outlook and on other displays.
    pub booking_subject: String,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            decisions_max: 3,
            sends_max: 2,
            settle_delay: Duration::from_millis(500),
            delivery_window: TimeDelta::seconds(10),
            forbid_irreversible: false,
            resume_within: TimeDelta::minutes(2),
            give_up_after: TimeDelta::hours(1),
            key_ttl: TimeDelta::hours(24),
            journal_subjects: false,
            booking_subject: "Booked at the door".to_owned(),
        }
    }
}

/// A condition that the event must meet each time an action is planned.
#[async_trait]
pub trait Precondition: Send + Sync {
    /// Accepts the event as it is now, or returns the reason to refuse the action.
    async fn check(&self, event: &Event, now: DateTime<Utc>) -> Result<(), Refusal>;
}

/// The condition that every event meets.
pub(super) struct NoPrecondition;

#[async_trait]
impl Precondition for NoPrecondition {
    async fn check(&self, _: &Event, _: DateTime<Utc>) -> Result<(), Refusal> {
        Ok(())
    }
}

impl Engine {
    /// An engine that acts on `scope` through `calendar` and records in `journal`.
    pub fn new(
        calendar: Arc<dyn Calendar>,
        journal: Arc<dyn Journal>,
        clock: Arc<dyn Clock>,
        scope: Scope,
        options: EngineOptions,
    ) -> Self {
        let scope = ArcSwap::from_pointee(scope);
        Self {
            calendar,
            journal,
            clock,
            scope,
            options,
            room_locks: KeyedMutex::default(),
            cache: OnceLock::new(),
        }
    }

    /// The calendars.
    pub fn calendar(&self) -> &Arc<dyn Calendar> {
        &self.calendar
    }

    /// Lets actions use cached calendars where the event's `ChangeKey` guards against a stale entry. Only the first call counts.
    pub fn set_cache(&self, known: Arc<dyn CalendarCache>) {
        let _ = self.cache.set(known);
    }

    /// The cache, if an action of this kind may be planned from it: only an early end, on a server that checks the `ChangeKey`.
    pub(super) fn cache_for(&self, ask: ActionKind) -> Option<&dyn CalendarCache> {
        let guarded = matches!(ask, ActionKind::End(_)) && self.calendar.capabilities().has_change_key_lock;
        self.cache.get().filter(|_| guarded).map(|known| &**known)
    }

    /// The journal.
    pub fn journal(&self) -> &Arc<dyn Journal> {
        &self.journal
    }

    /// The rooms on which the engine may act.
    pub fn scope(&self) -> Arc<Scope> {
        self.scope.load_full()
    }

    /// Replaces the scope. Actions in progress are not stopped.
    pub fn set_scope(&self, scope: Scope) {
        self.scope.store(Arc::new(scope));
    }

    /// The clock.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// How long an idempotency key is remembered.
    pub fn key_ttl(&self) -> TimeDelta {
        self.options.key_ttl
    }

    /// The time to live of idempotency keys: unlimited while the clock is in doubt, since a clock that jumps ahead must not turn
    /// a repeated request into a new one.
    fn effective_key_ttl(&self) -> TimeDelta {
        if self.clock.doubt().is_some() { TimeDelta::MAX } else { self.options.key_ttl }
    }

    pub(super) fn options(&self) -> &EngineOptions {
        &self.options
    }

    /// Performs one action, or a dry run of it. `Err` means that the journal failed, and that nothing was done after that moment.
    ///
    /// A dropped future leaves the action open; the next action in the room, or [`Engine::recover`], settles it.
    pub async fn perform(&self, action: Action, mode: Mode) -> Result<Answer, JournalError> {
        self.perform_if(action, mode, &NoPrecondition).await
    }

    /// The same, with a condition that is checked after every read of the event and may refuse the action.
    pub async fn perform_if(
        &self,
        action: Action,
        mode: Mode,
        guard: &dyn Precondition,
    ) -> Result<Answer, JournalError> {
        let (id, asked_at) = (action.id, self.clock.now());
        if mode == Mode::DryRun {
            let run = Execution::new(self, &action, mode, guard, asked_at);
            let first = run.read_initial().await?;
            let (outcome, _) = run.finish(first).await?;
            return Ok(Answer { action: id, outcome, repeated: false });
        }
        let _key_turn = match &action.key {
            Some(key) => Some(self.room_locks.lock(&format!("key {key}")).await),
            None => None,
        };
        let _turn = self.room_locks.lock(action.room.as_str()).await;
        let unsettled = self.settle_open_actions(&action).await?;
        if let Some(answer) = self.prior_answer(&action).await? {
            return Ok(answer);
        }
        if let Some(earlier) = unsettled {
            let outcome = refused(Refusal::StillInDoubt { action: earlier });
            return Ok(Answer { action: id, outcome, repeated: false });
        }
        let accepted = self.record(id, Fact::Accepted { action: Box::new(action.clone()) });
        let run = Execution::new(self, &action, mode, guard, asked_at);
        // Record and read at the same time. Nothing is planned before both have completed.
        let (accepted, first) = tokio::join!(accepted, run.read_initial());
        accepted?;
        let (outcome, requests) = run.finish(first?).await?;
        let closed = self.close_if_known(id, asked_at, outcome, requests).await?;
        let outcome = closed.unwrap_or_else(|| refused(Refusal::StillInDoubt { action: id }));
        Ok(Answer { action: id, outcome, repeated: false })
    }

    /// Waits until no action is in progress in the room. Returns whether it had to wait.
    pub async fn wait_until_idle(&self, room: &RoomAddress) -> bool {
        if self.room_locks.try_lock(room.as_str()).is_some() {
            return false;
        }
        drop(self.room_locks.lock(room.as_str()).await);
        true
    }

    /// Locks the room, if no action is in progress there.
    pub(super) fn try_lock_room(&self, room: &str) -> Option<OwnedMutexGuard<()>> {
        self.room_locks.try_lock(room)
    }

    /// The event with this id in the cache.
    pub(super) fn cached_event(&self, room: &RoomAddress, id: &EventId) -> Option<Event> {
        self.cache.get().and_then(|known| known.event(room, id))
    }

    /// Locks the room: its actions run one after another.
    pub(super) async fn lock_room(&self, room: &str) -> OwnedMutexGuard<()> {
        self.room_locks.lock(room).await
    }

    /// Settles the actions that a crash left open in this room, so that no new change can be mistaken for theirs. Returns the
    /// action that stays open because the mailbox cannot be read now.
    async fn settle_open_actions(&self, action: &Action) -> Result<Option<ActionId>, JournalError> {
        let mut unsettled = None;
        for life in self.journal.find(&Query::room(&action.room).with_status(ActionStatus::Open)).await? {
            let id = life.action.id;
            if self.resume(life).await?.is_none() {
                unsettled = Some(id);
            }
        }
        Ok(unsettled)
    }

    /// The answer to the same request under the same idempotency key, if there was one.
    async fn prior_answer(&self, action: &Action) -> Result<Option<Answer>, JournalError> {
        let Some(key) = &action.key else { return Ok(None) };
        let query = Query { key: Some(key.clone()), limit: Some(1), ..Query::default() };
        let newest = self.journal.find(&query).await?.pop();
        match prior_request(action, newest, self.clock.now(), self.effective_key_ttl()) {
            PriorRequest::None => Ok(None),
            PriorRequest::Answered(answer) => Ok(Some(answer)),
            PriorRequest::Open(earlier) => {
                let outcome = refused(Refusal::StillInDoubt { action: earlier });
                Ok(Some(Answer { action: earlier, outcome, repeated: true }))
            }
        }
    }

    /// Closes the action and returns its outcome; `None` if it stays open: the mailbox could not be read, and is read again until
    /// [`EngineOptions::give_up_after`].
    pub(super) async fn close_if_known(
        &self,
        id: ActionId,
        accepted_at: DateTime<Utc>,
        outcome: Outcome,
        requests: Vec<RequestIds>,
    ) -> Result<Option<Outcome>, JournalError> {
        let age = self.clock.now() - accepted_at;
        let is_young = age < self.options.give_up_after || self.clock.doubt().is_some();
        if let Outcome::NeedsAttention { recheck: true, advice, .. } = &outcome
            && is_young
        {
            if !requests.is_empty() {
                self.record(id, Fact::InDoubt { why: advice.clone(), requests }).await?;
            }
            return Ok(None);
        }
        self.close(id, &outcome, requests).await?;
        Ok(Some(outcome))
    }

    async fn close(
        &self,
        id: ActionId,
        outcome: &Outcome,
        requests: Vec<RequestIds>,
    ) -> Result<(), JournalError> {
        self.record(id, Fact::Closed { outcome: Box::new(outcome.clone()), requests }).await
    }

    pub(super) async fn record(&self, action: ActionId, fact: Fact) -> Result<(), JournalError> {
        self.journal.record(ActionEntry { action, at: self.clock.now(), fact }).await
    }

    /// The event without the properties that the journal may not keep.
    pub(super) fn as_journalled(&self, mut event: Event) -> Event {
        if !self.options.journal_subjects {
            event.subject = None;
            if let Some(organizer) = &mut event.organizer {
                organizer.name = None;
            }
        }
        event
    }
}
