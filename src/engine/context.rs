//! The engine itself: the calendars, journal, clock and options that all its files share, the lock of each room, and the writing
//! of facts. It plans nothing and sends nothing: `perform.rs` and `recover.rs` begin there.

use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

use super::locks::{ActionLock, Locks};
use super::observer::{ActionObserver, EndedAction};
use super::options::EngineOptions;
use super::second_look::SecondLooks;
use super::{Calendar, CalendarCache};
use crate::action::{ActionId, ActionKind, IdempotencyKey, Outcome, Refusal, RequestIds, RequestedMinutes};
use crate::calendar::{Event, EventId, RoomAddress, Scope};
use crate::clock::Clock;
use crate::journal::{ActionEntry, Fact, Journal, JournalError, LockName};

/// Performs actions on one server's calendars.
pub struct Engine {
    calendar: Arc<dyn Calendar>,
    journal: Arc<dyn Journal>,
    clock: Arc<dyn Clock>,
    scope: ArcSwap<Scope>,
    options: EngineOptions,
    locks: Locks,
    second_looks: SecondLooks,
    cache: OnceLock<Arc<dyn CalendarCache>>,
    observer: OnceLock<Arc<dyn ActionObserver>>,
}

/// Whether the engine writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Carry the action out.
    Perform,
    /// Do everything but the writes, and record nothing in the journal.
    DryRun,
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
    pub(super) fn new(
        calendar: Arc<dyn Calendar>,
        journal: Arc<dyn Journal>,
        clock: Arc<dyn Clock>,
        scope: Scope,
        options: EngineOptions,
    ) -> Self {
        let (scope, locks) = (ArcSwap::from_pointee(scope), Locks::new(journal.clone()));
        Self {
            calendar,
            journal,
            clock,
            scope,
            options,
            locks,
            second_looks: SecondLooks::default(),
            cache: OnceLock::new(),
            observer: OnceLock::new(),
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

    /// Reports the end of every action to this observer. Only the first call counts.
    pub fn set_observer(&self, observer: Arc<dyn ActionObserver>) {
        let _ = self.observer.set(observer);
    }

    /// Reports the end of an action.
    pub(super) fn report_end(&self, ended: &EndedAction<'_>) {
        if let Some(observer) = self.observer.get() {
            observer.action_ended(ended);
        }
    }

    /// The cache, if an action of this kind may be planned from it in this room: only an early end, on a server that compares the
    /// `ChangeKey` of such a step and reports the changes that keep the cache current.
    pub(super) fn cache_for(&self, room: &RoomAddress, kind: ActionKind) -> Option<&dyn CalendarCache> {
        let server = self.calendar.capabilities(room);
        let may_be_stale = server.guarded.set_end && server.reports_changes;
        let is_usable = matches!(kind, ActionKind::End(_)) && may_be_stale;
        self.cache.get().filter(|_| is_usable).map(|known| &**known)
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

    /// How far ahead a booking may begin.
    pub fn booking_horizon(&self) -> TimeDelta {
        self.options.booking_horizon
    }

    /// The longest time until the next event that a request may ask for without naming minutes: the horizon, but no more than a
    /// request with minutes may ask for.
    pub fn until_next_event(&self) -> RequestedMinutes {
        RequestedMinutes::clamped(self.options.booking_horizon.num_minutes())
    }

    /// Whether callers of the HTTP API may choose the subject of a booking.
    pub fn booking_subjects_allowed(&self) -> bool {
        self.options.booking_subjects_allowed
    }

    /// The actions whose calendar is looked at again.
    pub(super) fn second_looks(&self) -> &SecondLooks {
        &self.second_looks
    }

    pub(super) fn options(&self) -> &EngineOptions {
        &self.options
    }

    /// Waits until no action is in progress in the room. Returns whether it had to wait.
    ///
    /// # Errors
    /// The journal failed.
    pub async fn wait_until_idle(&self, room: &RoomAddress) -> Result<bool, JournalError> {
        if self.try_lock_room(room).await?.is_some() {
            return Ok(false);
        }
        drop(self.lock_room(room).await?);
        Ok(true)
    }

    /// Locks the room, if no action is in progress there.
    pub(super) async fn try_lock_room(&self, room: &RoomAddress) -> Result<Option<ActionLock>, JournalError> {
        self.locks.try_lock(&LockName::Room(room.clone())).await
    }

    /// Locks an idempotency key: requests under one key run one after another.
    pub(super) async fn lock_key(&self, key: &IdempotencyKey) -> Result<ActionLock, JournalError> {
        self.locks.lock(&LockName::Key(key.clone())).await
    }

    /// Locks the removal of whole series in all rooms: sweeps remove one after another, so that the daily limit, which is counted in the
    /// journal, counts each series before the next.
    pub(crate) async fn lock_series_removal(&self) -> Result<ActionLock, JournalError> {
        self.locks.lock(&LockName::SeriesRemoval).await
    }

    /// The event with this id in the cache.
    pub(super) fn cached_event(&self, room: &RoomAddress, id: &EventId) -> Option<Event> {
        self.cache.get().and_then(|known| known.event(room, id))
    }

    /// Locks the room: its actions run one after another.
    pub(super) async fn lock_room(&self, room: &RoomAddress) -> Result<ActionLock, JournalError> {
        self.locks.lock(&LockName::Room(room.clone())).await
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
