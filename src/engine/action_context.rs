//! The context of an action: what stays the same from its first read to its outcome, and short ways to the engine's calendar,
//! journal and clock. It decides nothing.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;

use super::attempt::Attempt;
use super::context::{Engine, Mode, Precondition};
use super::intent_age::{INTENT_FRESH_FOR, StoredIntent};
use super::observer::EndedAction;
use super::{Calendar, CalendarError, Capabilities, EngineOptions};
use crate::action::{Action, ActionKind, Outcome, RequestIds};
use crate::calendar::{Event, RoomAddress, Window};
use crate::journal::{ActionRecord, Fact, Intent, Journal, JournalError};

/// How much the clocks of machines with the same journal may differ. Over five seconds the doctor warns.
const OTHER_CLOCKS_DIFFER_BY: TimeDelta = TimeDelta::minutes(5);

/// What never changes while an action is carried out.
#[derive(Clone, Copy)]
pub(super) struct ActionContext<'a> {
    pub(super) engine: &'a Engine,
    pub(super) action: &'a Action,
    pub(super) mode: Mode,
    pub(super) precondition: &'a dyn Precondition,
    /// The time of the request: no write was sent before it, and the event that the caller means was on then.
    pub(super) requested_at: DateTime<Utc>,
    /// When this process began with the action.
    pub(super) begun: Instant,
    /// The action was accepted earlier, and is taken up again.
    pub(super) is_recheck: bool,
}

impl<'a> ActionContext<'a> {
    /// The context of an action that an earlier process accepted.
    pub(super) fn of_record(
        engine: &'a Engine,
        record: &'a ActionRecord,
        precondition: &'a dyn Precondition,
    ) -> Self {
        let (action, requested_at, begun) = (&record.action, record.accepted_at, Instant::now());
        Self { engine, action, mode: Mode::Perform, precondition, requested_at, begun, is_recheck: true }
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

    /// The time since the machine was started.
    pub(super) fn since_boot(&self) -> Duration {
        self.engine.clock().since_boot()
    }

    /// Stores the intent of an attempt. Its step may be sent only after that.
    pub(super) async fn record_attempt(&self, attempt: &Attempt) -> Result<StoredIntent, JournalError> {
        let (step, done) = (attempt.plan.step.clone(), attempt.plan.done.clone());
        self.record_intent(Intent { step, before: attempt.before.stored().into_owned(), done }).await
    }

    /// Stores an intent.
    pub(super) async fn record_intent(&self, intent: Intent) -> Result<StoredIntent, JournalError> {
        let stored_at = self.since_boot();
        let Intent { step, before, done } = intent.clone();
        let before = Box::new(self.engine.as_journalled(before));
        self.record(Fact::Intended { step, before, done: Box::new(done) }).await?;
        Ok(StoredIntent { intent, stored_at })
    }

    /// Stores a fact about the action.
    pub(super) async fn record(&self, fact: Fact) -> Result<(), JournalError> {
        self.engine.record(self.action.id, fact).await
    }

    /// Closes the action and returns its outcome; `None` if it stays open. `writes` counts the requests of the action, those that
    /// are recorded already included.
    pub(super) async fn close_if_known(
        &self,
        outcome: Outcome,
        requests: Vec<RequestIds>,
        writes: usize,
    ) -> Result<Option<Outcome>, JournalError> {
        let (id, at) = (self.action.id, self.requested_at);
        let closed = self.engine.close_if_known(id, at, outcome, requests).await?;
        if matches!(closed, Some(Outcome::Refused { .. })) && (writes > 0 || self.is_recheck) {
            self.engine.second_looks().add(id, Duration::ZERO, self.since_boot());
        }
        // An action that is open stays so for many re-checks, of which none is news.
        if closed.is_some() || !self.is_recheck {
            self.report_end(closed.as_ref(), writes);
        }
        Ok(closed)
    }

    /// Reports how the action ended.
    pub(super) fn report_end(&self, outcome: Option<&Outcome>, writes: usize) {
        let (action, took, is_recheck) = (self.action, self.begun.elapsed(), self.is_recheck);
        self.engine.report_end(&EndedAction { action, outcome, writes, took, is_recheck });
    }

    /// Waits until a request sent at that time has been applied, or can no longer be.
    pub(super) async fn wait_delivery_window(&self, sent: DateTime<Utc>) {
        let lands_within = self.options().delivery_window;
        // A clock that was set back since must not prolong the wait.
        let longest = lands_within + TimeDelta::from_std(INTENT_FRESH_FOR).unwrap_or_default();
        let left = (sent + lands_within - self.now()).min(longest);
        let left = left.max(self.left_for_other_process(sent, longest));
        tokio::time::sleep(left.to_std().unwrap_or_default()).await;
    }

    /// What is left of the time in which a request of another process can arrive. It is counted from the moment at which this process
    /// began with the action, since the other one's clock may differ.
    fn left_for_other_process(&self, sent: DateTime<Utc>, longest: TimeDelta) -> TimeDelta {
        let is_recent = (self.now() - sent).abs() <= OTHER_CLOCKS_DIFFER_BY + longest;
        if !(self.is_recheck && self.journal().is_shared() && is_recent) {
            return TimeDelta::zero();
        }
        longest - TimeDelta::from_std(self.begun.elapsed()).unwrap_or(longest)
    }
}
