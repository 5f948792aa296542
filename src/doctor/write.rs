//! The write test: creates an event far ahead, shortens it and removes it, which proves the account's rights. Then it sets the
//! end of one attendee copy to the end it already has, which proves that this Exchange accepts such a change.
//!
//! It never changes another event's values, and never leaves its own event without naming it in the finding.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{DoctorTarget, FindingId, FindingStatus, Findings};
use crate::action::{Notify, ResponsibleParty, Step};
use crate::calendar::{Copy, Event, EventKind, RoomAddress, Uid, Window};
use crate::clock::Clock;
use crate::engine::{CalendarError, CalendarReader as _, CalendarWriter as _, ErrorKind, WriteOutcome};

/// Far beyond the bookings of people (BookingWindowInDays is 180 by default).
const AHEAD: TimeDelta = TimeDelta::days(400);
const LENGTH: TimeDelta = TimeDelta::minutes(15);
/// Attempts to remove the test event, and the time between them.
const REMOVE_TRIES: u32 = 3;
const BETWEEN_TRIES: Duration = Duration::from_secs(2);
/// How far ahead to look for an attendee copy.
const COPY_WITHIN: TimeDelta = TimeDelta::days(30);
const SUBJECT: &str = "Adjourn's write test; it removes itself";

pub(super) async fn check_write_access(target: &DoctorTarget, clock: &dyn Clock, findings: &mut Findings) {
    let Some(room) = &target.write_test_room else {
        findings.add("write", FindingStatus::Skip, "not requested (--write-test ROOM)");
        return;
    };
    let now = clock.now();
    match run_write_test(target, room, now).await {
        Ok(()) => {
            let says = "created, shortened and removed an event (now in Deleted Items)";
            findings.add("write", FindingStatus::Pass, says).room = Some(room.to_string());
            check_end_only_update(target, room, now, findings).await;
        }
        Err(failed) => {
            let finding = findings.fail(failed.id, "write", failed.message, failed.remedy);
            finding.room = Some(room.to_string());
            finding.code = failed.code;
        }
    }
}

/// Why the write test failed.
struct WriteTestFailure {
    id: FindingId,
    message: String,
    remedy: &'static str,
    code: Option<String>,
    /// Exchange did not carry the request out, so nothing is left behind.
    nothing_written: bool,
}

const NO_RIGHT: &str = "grant the account the role ApplicationImpersonation (online: Application EWS.AccessAsApp), or Full Access to \
                        the room";
const OTHER: &str = "fix the cause that Exchange names; no right is missing";
const LATER: &str = "try again later; this does not show that a right is missing";

async fn run_write_test(
    target: &DoctorTarget,
    room: &RoomAddress,
    now: DateTime<Utc>,
) -> Result<(), WriteTestFailure> {
    let start = now + AHEAD;
    let uid = Uid::new(format!("adjourn-write-test-{}", Uuid::new_v4()));
    let book = Step::Book { uid: uid.clone(), start, end: start + LENGTH, subject: SUBJECT.to_owned() };
    if let Err(failed) = write_step(target, room, &book, "cannot create an event").await {
        if failed.nothing_written {
            return Err(failed);
        }
        // Exchange may have created it all the same.
        let removed = remove(target, room, start, &uid).await;
        return Err(if removed.is_ok() { failed } else { test_event_left_behind(failed, start, &uid) });
    }
    let shortened = shorten(target, room, start, &uid).await;
    match remove(target, room, start, &uid).await {
        Ok(true) => shortened,
        Ok(false) => Err(test_event_missing(start)),
        Err(failed) => Err(test_event_left_behind(failed, start, &uid)),
    }
}

async fn shorten(
    target: &DoctorTarget,
    room: &RoomAddress,
    start: DateTime<Utc>,
    uid: &Uid,
) -> Result<(), WriteTestFailure> {
    let made = find_test_event(target, room, start, uid).await?.ok_or_else(|| test_event_missing(start))?;
    let (id, change_key, end) = (made.id, made.change_key, start + LENGTH / 2);
    let step = Step::SetEnd { id, change_key, end, notify: Notify::Nobody };
    write_step(target, room, &step, "can create an event but not change it").await
}

/// Removes the test event. `false`: it was not there.
async fn remove(
    target: &DoctorTarget,
    room: &RoomAddress,
    start: DateTime<Utc>,
    uid: &Uid,
) -> Result<bool, WriteTestFailure> {
    let mut tried = 0;
    loop {
        tried += 1;
        let removed = match find_test_event(target, room, start, uid).await {
            Ok(None) => return Ok(false),
            Ok(Some(made)) => {
                let step = Step::Remove { id: made.id, change_key: made.change_key };
                write_step(target, room, &step, "can create an event but not remove it").await.map(|()| true)
            }
            Err(failed) => Err(failed),
        };
        if removed.is_ok() || tried >= REMOVE_TRIES {
            return removed;
        }
        tokio::time::sleep(BETWEEN_TRIES).await;
    }
}

/// A failure after which the test event may still stand there; the message names it.
fn test_event_left_behind(failed: WriteTestFailure, start: DateTime<Utc>, uid: &Uid) -> WriteTestFailure {
    let at = start.format("%F %H:%MZ");
    let says = format!("{}; remove the event with the UID {} at {at}", failed.message, uid.as_str());
    WriteTestFailure { message: says, ..failed }
}

fn test_event_missing(start: DateTime<Utc>) -> WriteTestFailure {
    WriteTestFailure {
        id: FindingId::WriteTestEventMissing,
        message: format!("the test event at {} is missing", start.format("%F %H:%MZ")),
        remedy: "find the program that removes events from this calendar",
        code: None,
        nothing_written: false,
    }
}

async fn find_test_event(
    target: &DoctorTarget,
    room: &RoomAddress,
    start: DateTime<Utc>,
    uid: &Uid,
) -> Result<Option<Event>, WriteTestFailure> {
    let unread = |code: String| WriteTestFailure {
        id: FindingId::WriteFailed,
        message: "cannot look up the test event".to_owned(),
        remedy: LATER,
        code: Some(code),
        nothing_written: false,
    };
    let window = Window::new(start, start + LENGTH).map_err(|error| unread(error.to_string()))?;
    let events = target.exchange.events(room, window).await.map_err(|trouble| unread(trouble.code))?.events;
    Ok(events.into_iter().find(|event| event.uid.as_ref() == Some(uid)))
}

async fn write_step(
    target: &DoctorTarget,
    room: &RoomAddress,
    step: &Step,
    what: &str,
) -> Result<(), WriteTestFailure> {
    let reply = target.exchange.write(room, step).await.outcome;
    let nothing_done = !matches!(reply, WriteOutcome::Unproven(_) | WriteOutcome::InDoubt(_));
    let failed = |why: String, remedy, code| {
        Err(WriteTestFailure {
            id: if remedy == NO_RIGHT { FindingId::WriteDenied } else { FindingId::WriteFailed },
            message: format!("{what}: {why}"),
            remedy,
            code,
            nothing_written: nothing_done,
        })
    };
    match reply {
        WriteOutcome::Done => Ok(()),
        WriteOutcome::Gone => failed("Exchange no longer finds it".to_owned(), LATER, None),
        WriteOutcome::Conflict => failed("another program changed it meanwhile".to_owned(), LATER, None),
        WriteOutcome::NotApplied(CalendarError {
            kind,
            responsible: ResponsibleParty::Administrator,
            advice,
            code,
            ..
        })
        | WriteOutcome::Unproven(CalendarError {
            kind,
            responsible: ResponsibleParty::Administrator,
            advice,
            code,
            ..
        }) => failed(advice, if is_denial(kind) { NO_RIGHT } else { OTHER }, Some(code)),
        WriteOutcome::Throttled(trouble)
        | WriteOutcome::NotApplied(trouble)
        | WriteOutcome::Unproven(trouble)
        | WriteOutcome::InDoubt(trouble) => failed(trouble.advice, LATER, Some(trouble.code)),
    }
}

/// Whether a right is missing.
fn is_denial(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Denied | ErrorKind::ImpersonationDenied)
}

/// Microsoft documents nowhere that `calendar:End` alone may be set on an attendee's copy, so this tries it. Setting the end that
/// the event already has changes nothing that people see.
async fn check_end_only_update(
    target: &DoctorTarget,
    room: &RoomAddress,
    now: DateTime<Utc>,
    findings: &mut Findings,
) {
    const CHECK: &str = "end on an attendee copy";
    let Ok(window) = Window::new(now, now + COPY_WITHIN) else { return };
    let events = target.exchange.events(room, window).await.unwrap_or_default().events;
    // On one date of a series, even the same end would create an exception.
    let is_fit = |event: &Event| event.kind == EventKind::Single && event.copy == Some(Copy::Attendee);
    let copy = events.into_iter().find(|event| is_fit(event) && event.occupies_room());
    let finding = match copy {
        None => findings.add(CHECK, FindingStatus::Skip, "no meeting within 30 days to try it with"),
        Some(event) => {
            let step = Step::SetEnd {
                id: event.id,
                change_key: event.change_key,
                end: event.end,
                notify: Notify::Nobody,
            };
            match write_step(target, room, &step, "this Exchange rejects a new end on an attendee copy").await
            {
                Ok(()) => findings.add(CHECK, FindingStatus::Pass, "Exchange accepts a new end alone"),
                Err(failed) => {
                    let remedy = match failed.remedy {
                        LATER => LATER,
                        OTHER => OTHER,
                        _ => {
                            "use delete (decline) here; this Exchange cannot end meetings early that others organized"
                        }
                    };
                    let finding = findings.fail(FindingId::EndUpdateRejected, CHECK, failed.message, remedy);
                    finding.code = failed.code;
                    finding
                }
            }
        }
    };
    finding.room = Some(room.to_string());
}
