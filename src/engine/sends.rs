//! The record of an action's sends: the doubt, the request in flight, the counts that limit further attempts, and the
//! request ids. Values only.

use chrono::{DateTime, Utc};

use super::WriteOutcome;
use super::attempt::Attempt;
use super::intent_age::INTENT_FRESH_FOR;
use crate::action::RequestIds;
use crate::journal::ActionRecord;

/// How often a write waits for a busy server, each time at least for the server's back-off.
pub(super) const WAITS_MAX: u32 = 30;

/// How often a step may be decided too long ago when it can be sent: each time takes half a minute, and the room waits.
pub(super) const WITHHELD_MAX: u32 = 2;

/// The memory of an action's sends, across all its states.
#[derive(Debug, Default)]
pub(super) struct Sends {
    pub(super) doubt: Doubt,
    /// Replies that the event was changed since it was read.
    pub(super) conflicts: u32,
    /// Sends whose reply was lost.
    pub(super) lost: u32,
    waits: u32,
    /// Steps that were decided too long ago when they could be sent.
    withheld: u32,
    was_throttled: bool,
    /// Requests sent since the last recorded fact.
    pub(super) requests: Vec<RequestIds>,
    /// The number of requests in recorded facts.
    recorded: usize,
}

/// Whether a write may have been, or may still be, applied without our seeing the reply. No method clears it: the reply to a
/// later send proves nothing about an earlier one.
#[derive(Debug, Default)]
pub(super) struct Doubt {
    exists: bool,
    in_flight: Option<InFlight>,
}

/// A write that may still be applied, and when it was sent.
#[derive(Debug, Clone)]
pub(super) struct InFlight {
    pub(super) attempt: Attempt,
    pub(super) at: DateTime<Utc>,
}

impl Sends {
    /// The sends of an earlier process: its last recorded step may have been sent as long as its intent was fresh.
    pub(super) fn of_earlier_process(record: &ActionRecord) -> Self {
        let mut sends = Self { recorded: record.requests.len(), ..Self::default() };
        if let Some(intent) = &record.intent {
            sends.doubt.add(InFlight { attempt: Attempt::from(intent), at: latest_send(record) });
        }
        sends
    }

    /// Adds one send and its reply.
    pub(super) fn add(&mut self, reply: &WriteOutcome, requests: Vec<RequestIds>) {
        self.was_throttled = matches!(reply, WriteOutcome::Throttled(_));
        self.requests.extend(requests);
    }

    /// Adds a lost reply. Returns the requests that the journal has to store with it.
    pub(super) fn add_lost(&mut self, in_flight: InFlight) -> Vec<RequestIds> {
        self.doubt.add(in_flight);
        self.lost += 1;
        self.take_requests()
    }

    /// The requests for the next fact.
    pub(super) fn take_requests(&mut self) -> Vec<RequestIds> {
        self.recorded += self.requests.len();
        std::mem::take(&mut self.requests)
    }

    /// The number of requests that facts have.
    pub(super) fn recorded(&self) -> usize {
        self.recorded
    }

    /// Counts a step that was not sent because it was decided too long ago.
    pub(super) fn add_withheld(&mut self) {
        self.withheld += 1;
    }

    /// Counts one wait for a busy server; false at the limit.
    pub(super) fn may_wait(&mut self) -> bool {
        self.waits += 1;
        self.waits <= WAITS_MAX && self.withheld <= WITHHELD_MAX
    }

    /// Whether it is certain that nothing was changed: the last reply was that the server is busy, and no send is in doubt.
    pub(super) fn changed_nothing(&self) -> bool {
        self.was_throttled && !self.doubt.exists()
    }
}

/// The last moment at which an earlier process can have sent the step of its last fact.
pub(super) fn latest_send(record: &ActionRecord) -> DateTime<Utc> {
    record.last_at + INTENT_FRESH_FOR
}

impl Doubt {
    /// Whether any send is in doubt.
    pub(super) fn exists(&self) -> bool {
        self.exists
    }

    /// The write that may still be applied.
    pub(super) fn in_flight(&self) -> Option<&InFlight> {
        self.in_flight.as_ref()
    }

    /// A reply proves nothing about its send, which can no longer be applied later.
    pub(super) fn raise(&mut self) {
        self.exists = true;
    }

    /// The write in flight carries a stale version, so the server will refuse it. The doubt stays.
    pub(super) fn end_flight(&mut self) {
        self.in_flight = None;
    }

    fn add(&mut self, in_flight: InFlight) {
        self.exists = true;
        self.in_flight = Some(in_flight);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::CalendarError;

    fn busy() -> WriteOutcome {
        WriteOutcome::Throttled(CalendarError::configuration("busy"))
    }

    #[test]
    fn a_doubt_outlives_every_later_reply() {
        let mut sends = Sends::default();
        sends.doubt.raise();
        sends.doubt.end_flight();
        for reply in [WriteOutcome::Conflict, busy(), WriteOutcome::Gone] {
            sends.add(&reply, Vec::new());
            assert!(sends.doubt.exists(), "{reply:?}");
        }
        assert!(!sends.changed_nothing());
    }

    #[test]
    fn waits_for_a_busy_server_are_limited() {
        let mut sends = Sends::default();
        sends.add(&busy(), Vec::new());
        assert!(sends.changed_nothing());
        assert!((0..WAITS_MAX).all(|_| sends.may_wait()));
        assert!(!sends.may_wait());
    }
}
