//! The context of an action: what stays the same from its first read to its outcome, and short ways to the engine's calendar,
//! journal and clock. It decides nothing.

use chrono::{DateTime, Utc};

use super::attempt::Attempt;
use super::context::{Engine, Mode, Precondition};
use super::{Calendar, CalendarError, Capabilities, EngineOptions};
use crate::action::{Action, ActionKind, Done, Outcome, RequestIds, Step};
use crate::calendar::{Event, RoomAddress, Window};
use crate::journal::{ActionRecord, Fact, Journal, JournalError};

/// What never changes while an action is carried out.
#[derive(Clone, Copy)]
pub(super) struct ActionContext<'a> {
    pub(super) engine: &'a Engine,
    pub(super) action: &'a Action,
    pub(super) mode: Mode,
    pub(super) precondition: &'a dyn Precondition,
    /// The time of the request: no write was sent before it, and the event that the caller means was on then.
    pub(super) requested_at: DateTime<Utc>,
}

impl<'a> ActionContext<'a> {
    /// The context of an action that an earlier process accepted.
    pub(super) fn of_record(
        engine: &'a Engine,
        record: &'a ActionRecord,
        precondition: &'a dyn Precondition,
    ) -> Self {
        let (action, requested_at) = (&record.action, record.accepted_at);
        Self { engine, action, mode: Mode::Perform, precondition, requested_at }
    }

    pub(super) fn room(&self) -> &'a RoomAddress {
        &self.action.room
    }

    pub(super) fn kind(&self) -> ActionKind {
        self.action.kind
    }

    pub(super) fn calendar(&self) -> &'a dyn Calendar {
        &**self.engine.calendar()
    }

    /// What the server of the room can do.
    pub(super) fn capabilities(&self) -> Capabilities {
        self.calendar().capabilities(self.room())
    }

    pub(super) fn journal(&self) -> &'a dyn Journal {
        &**self.engine.journal()
    }

    pub(super) fn options(&self) -> &'a EngineOptions {
        self.engine.options()
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        self.engine.clock().now()
    }

    /// The room's events in the window, with a busy stand-in for each unreadable item.
    pub(super) async fn events(&self, window: Window) -> Result<Vec<Event>, CalendarError> {
        self.calendar().events(self.room(), window).await?.with_stand_ins()
    }

    /// Stores the intent of an attempt. Its step may be sent only after that.
    pub(super) async fn record_attempt(&self, attempt: &Attempt) -> Result<(), JournalError> {
        let (step, done) = (attempt.plan.step.clone(), attempt.plan.done.clone());
        self.record_intent(step, attempt.before.stored().into_owned(), done).await
    }

    /// Stores an intent: the step, the event before it, and the change to report.
    pub(super) async fn record_intent(
        &self,
        step: Step,
        before: Event,
        done: Done,
    ) -> Result<(), JournalError> {
        let before = Box::new(self.engine.as_journalled(before));
        self.record(Fact::Intended { step, before, done: Box::new(done) }).await
    }

    /// Stores a fact about the action.
    pub(super) async fn record(&self, fact: Fact) -> Result<(), JournalError> {
        self.engine.record(self.action.id, fact).await
    }

    /// Closes the action and returns its outcome; `None` if it stays open.
    pub(super) async fn close_if_known(
        &self,
        outcome: Outcome,
        requests: Vec<RequestIds>,
    ) -> Result<Option<Outcome>, JournalError> {
        self.engine.close_if_known(self.action.id, self.requested_at, outcome, requests).await
    }

    /// Waits until a request sent at that time has been applied, or can no longer be.
    pub(super) async fn wait_delivery_window(&self, sent: DateTime<Utc>) {
        let lands_within = self.options().delivery_window;
        // A clock that was set back since must not prolong the wait.
        let left = (sent + lands_within - self.now()).min(lands_within);
        tokio::time::sleep(left.to_std().unwrap_or_default()).await;
    }
}
