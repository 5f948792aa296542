//! The one event that a write test creates: its bookings, changes and removal, over any protocol. Changes no other event.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Timelike as _, Utc};
use uuid::Uuid;

use super::{FindingId, Findings};
use crate::action::{Notify, ResponsibleParty, Step};
use crate::before_send::Unconditional;
use crate::calendar::{ChangeKey, Event, RoomAddress, Uid, Window};
use crate::engine::{Calendar, CalendarError, ErrorKind, WriteOutcome};

/// Far beyond the bookings of people (BookingWindowInDays is 180 by default).
const AHEAD: TimeDelta = TimeDelta::days(400);
pub(super) const LENGTH: TimeDelta = TimeDelta::minutes(15);
/// Attempts to remove the test event, and the time between them.
const REMOVE_TRIES: u32 = 3;
const BETWEEN_TRIES: Duration = Duration::from_secs(2);
pub(super) const SUBJECT: &str = "Adjourn's write test; it removes itself";

const OTHER: &str = "fix the cause that Exchange names; no right is missing";
pub(super) const LATER: &str = "try again later; this does not show that a right is missing";

/// The test event: where it is, and what identifies it.
pub(super) struct TestEvent<'t> {
    pub(super) calendar: &'t dyn Calendar,
    pub(super) room: &'t RoomAddress,
    pub(super) uid: Uid,
    pub(super) start: DateTime<Utc>,
    /// The remedy for a missing right.
    pub(super) no_right: &'static str,
}

/// Why the write test failed.
pub(super) struct WriteTestFailure {
    pub(super) id: FindingId,
    pub(super) message: String,
    pub(super) remedy: &'static str,
    pub(super) code: Option<String>,
    /// Exchange did not carry the request out, so nothing is left behind.
    pub(super) nothing_written: bool,
}

impl WriteTestFailure {
    /// The failure of a step. `what` begins the sentence.
    pub(super) fn of(error: CalendarError, what: &str, no_right: &'static str) -> Self {
        let CalendarError { kind, responsible, advice, code, .. } = error;
        let (id, remedy) = match responsible {
            ResponsibleParty::Administrator if is_denial(kind) => (FindingId::WriteDenied, no_right),
            ResponsibleParty::Administrator => (FindingId::WriteFailed, OTHER),
            _ => (FindingId::WriteFailed, LATER),
        };
        Self { id, message: format!("{what}: {advice}"), remedy, code: Some(code), nothing_written: true }
    }

    pub(super) fn report(self, room: &RoomAddress, findings: &mut Findings) {
        let finding = findings.fail(self.id, "write", self.message, self.remedy);
        finding.room = Some(room.to_string());
        finding.code = self.code;
    }
}

impl<'t> TestEvent<'t> {
    /// Nothing is created yet.
    pub(super) fn new(
        calendar: &'t dyn Calendar,
        room: &'t RoomAddress,
        now: DateTime<Utc>,
        no_right: &'static str,
    ) -> Self {
        let uid = Uid::own(format_args!("write-test-{}", Uuid::new_v4()));
        let start = now + AHEAD;
        // Servers keep whole seconds.
        let start = start.with_nanosecond(0).unwrap_or(start);
        Self { calendar, room, uid, start, no_right }
    }

    pub(super) fn end(&self) -> DateTime<Utc> {
        self.start + LENGTH
    }

    /// The event in the room's calendar.
    pub(super) async fn find(&self) -> Result<Option<Event>, WriteTestFailure> {
        let unread = |code: String| WriteTestFailure {
            id: FindingId::WriteFailed,
            message: "cannot look up the test event".to_owned(),
            remedy: LATER,
            code: Some(code),
            nothing_written: false,
        };
        let window = Window::new(self.start, self.end()).map_err(|error| unread(error.to_string()))?;
        let view = self.calendar.events(self.room, window).await.map_err(|error| unread(error.code))?;
        Ok(view.events.into_iter().find(|event| event.uid.as_ref() == Some(&self.uid)))
    }

    /// The event, which must be there.
    pub(super) async fn read(&self) -> Result<Event, WriteTestFailure> {
        self.find().await?.ok_or_else(|| self.missing())
    }

    /// Sets the end, if the event still has this version.
    pub(super) async fn set_end(
        &self,
        event: &Event,
        change_key: &ChangeKey,
        end: DateTime<Utc>,
    ) -> WriteOutcome {
        let (id, change_key) = (event.id.clone(), change_key.clone());
        let step = Step::SetEnd { id, change_key, end, notify: Notify::Nobody };
        self.calendar.write(self.room, &step, &Unconditional).await.outcome
    }

    pub(super) async fn write(&self, step: &Step, what: &str) -> Result<(), WriteTestFailure> {
        done(self.calendar.write(self.room, step, &Unconditional).await.outcome, what, self.no_right)
    }

    /// Removes the event. `false`: it was not there.
    pub(super) async fn remove(&self) -> Result<bool, WriteTestFailure> {
        let mut tried = 0;
        loop {
            tried += 1;
            let removed = match self.find().await {
                Ok(None) => return Ok(false),
                Ok(Some(made)) => {
                    let step = Step::Remove { id: made.id, change_key: made.change_key };
                    self.write(&step, "can create an event but not remove it").await.map(|()| true)
                }
                Err(failed) => Err(failed),
            };
            if removed.is_ok() || tried >= REMOVE_TRIES {
                return removed;
            }
            tokio::time::sleep(BETWEEN_TRIES).await;
        }
    }

    /// A failure after which the event may still stand there; the message names it.
    pub(super) fn left_behind(&self, failed: WriteTestFailure) -> WriteTestFailure {
        let (uid, at) = (self.uid.as_str(), self.start.format("%F %H:%MZ"));
        let says = format!("{}; remove the event with the UID {uid} at {at}", failed.message);
        WriteTestFailure { message: says, ..failed }
    }

    pub(super) fn missing(&self) -> WriteTestFailure {
        WriteTestFailure {
            id: FindingId::WriteTestEventMissing,
            message: format!("the test event at {} is missing", self.start.format("%F %H:%MZ")),
            remedy: "find the program that removes events from this calendar",
            code: None,
            nothing_written: false,
        }
    }
}

/// Whether the step was carried out. `what` begins the sentence of a failure.
pub(super) fn done(
    outcome: WriteOutcome,
    what: &str,
    no_right: &'static str,
) -> Result<(), WriteTestFailure> {
    let nothing_written = !matches!(outcome, WriteOutcome::Unproven(_) | WriteOutcome::InDoubt(_));
    let without_error = |why: &str| WriteTestFailure {
        id: FindingId::WriteFailed,
        message: format!("{what}: {why}"),
        remedy: LATER,
        code: None,
        nothing_written,
    };
    match outcome {
        WriteOutcome::Done => Ok(()),
        WriteOutcome::Gone => Err(without_error("Exchange no longer finds it")),
        WriteOutcome::Conflict => Err(without_error("another program changed it meanwhile")),
        WriteOutcome::NotApplied(error) | WriteOutcome::Unproven(error) => {
            Err(WriteTestFailure { nothing_written, ..WriteTestFailure::of(error, what, no_right) })
        }
        WriteOutcome::Throttled(CalendarError { advice, code, .. })
        | WriteOutcome::InDoubt(CalendarError { advice, code, .. }) => {
            Err(WriteTestFailure { code: Some(code), ..without_error(&advice) })
        }
    }
}

/// Whether a right is missing.
fn is_denial(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Denied | ErrorKind::ImpersonationDenied | ErrorKind::Permission)
}
