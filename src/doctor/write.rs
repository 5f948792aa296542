//! Whether the account may change and remove events, proven on one that is made for it, far ahead where nobody meets, and
//! removed again; and whether Exchange takes a new end alone on an attendee copy, proven with the end it has already.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{DoctorTarget, FindingStatus, Findings};
use crate::action::{Notify, ResponsibleParty, Step};
use crate::calendar::{Copy, Event, EventKind, RoomAddress, Uid, Window};
use crate::clock::Clock;
use crate::engine::{Calendar as _, CalendarError, WriteOutcome};
use crate::exchange::is_denial;

/// Where nobody meets yet: beyond a year, which is as far as people book (BookingWindowInDays is 180 by default).
const AHEAD: TimeDelta = TimeDelta::days(400);
const LENGTH: TimeDelta = TimeDelta::minutes(15);
/// How often what was made is tried to be removed, and how long in between.
const REMOVE_TRIES: u32 = 3;
const BETWEEN_TRIES: Duration = Duration::from_secs(2);
/// How far ahead an attendee copy is looked for.
const COPY_WITHIN: TimeDelta = TimeDelta::days(30);
const SUBJECT: &str = "Adjourn's write test; it removes itself";

pub(super) async fn check_write_access(patient: &DoctorTarget, clock: &dyn Clock, findings: &mut Findings) {
    let Some(room) = &patient.write_test_room else {
        findings.add("write", FindingStatus::Skip, "not asked for (--write-test ROOM)");
        return;
    };
    let now = clock.now();
    match run_write_test(patient, room, now).await {
        Ok(()) => {
            let says = "an event was made, shortened and moved to Deleted Items";
            findings.add("write", FindingStatus::Pass, says).room = Some(room.to_string());
            check_end_only_update(patient, room, now, findings).await;
        }
        Err(failed) => {
            let finding = findings.fail("write", failed.message, failed.remedy);
            finding.room = Some(room.to_string());
            finding.code = failed.code;
        }
    }
}

/// Why the test did not pass.
struct WriteTestFailure {
    message: String,
    remedy: &'static str,
    code: Option<String>,
    /// The request was not carried out, so that nothing can be left of it.
    nothing_written: bool,
}

const NO_RIGHT: &str = "the account needs the right to change calendars: the role ApplicationImpersonation (online: \
                        Application EWS.AccessAsApp), or Full Access to the room";
const OTHER: &str = "fix the cause that Exchange names; no right is missing";
const LATER: &str = "try again later; nothing in this says that a right is missing";

async fn run_write_test(
    patient: &DoctorTarget,
    room: &RoomAddress,
    now: DateTime<Utc>,
) -> Result<(), WriteTestFailure> {
    let start = now + AHEAD;
    let uid = Uid::new(format!("adjourn-write-test-{}", Uuid::new_v4()));
    let book = Step::Book { uid: uid.clone(), start, end: start + LENGTH, subject: SUBJECT.to_owned() };
    if let Err(failed) = write_step(patient, room, &book, "no event can be made").await {
        if failed.nothing_written {
            return Err(failed);
        }
        // It may have been made all the same.
        let removed = remove(patient, room, start, &uid).await;
        return Err(if removed.is_ok() { failed } else { test_event_left_behind(failed, start, &uid) });
    }
    let shortened = shorten(patient, room, start, &uid).await;
    match remove(patient, room, start, &uid).await {
        Ok(true) => shortened,
        Ok(false) => Err(test_event_missing(start)),
        Err(failed) => Err(test_event_left_behind(failed, start, &uid)),
    }
}

async fn shorten(
    patient: &DoctorTarget,
    room: &RoomAddress,
    start: DateTime<Utc>,
    uid: &Uid,
) -> Result<(), WriteTestFailure> {
    let made = find_test_event(patient, room, start, uid).await?.ok_or_else(|| test_event_missing(start))?;
    let (id, change_key, end) = (made.id, made.change_key, start + LENGTH / 2);
    let step = Step::SetEnd { id, change_key, end, notify: Notify::Nobody };
    write_step(patient, room, &step, "an event can be made and not changed").await
}

/// Whether it was there, and is removed.
async fn remove(
    patient: &DoctorTarget,
    room: &RoomAddress,
    start: DateTime<Utc>,
    uid: &Uid,
) -> Result<bool, WriteTestFailure> {
    let mut tried = 0;
    loop {
        tried += 1;
        let removed = match find_test_event(patient, room, start, uid).await {
            Ok(None) => return Ok(false),
            Ok(Some(made)) => {
                let step = Step::Remove { id: made.id, change_key: made.change_key };
                write_step(patient, room, &step, "an event can be made and not removed").await.map(|()| true)
            }
            Err(failed) => Err(failed),
        };
        if removed.is_ok() || tried >= REMOVE_TRIES {
            return removed;
        }
        tokio::time::sleep(BETWEEN_TRIES).await;
    }
}

/// A failure after which an event may still stand there, and where.
fn test_event_left_behind(failed: WriteTestFailure, start: DateTime<Utc>, uid: &Uid) -> WriteTestFailure {
    let at = start.format("%F %H:%MZ");
    let says = format!("{}; look at {at}, and remove what has the UID {}", failed.message, uid.as_str());
    WriteTestFailure { message: says, ..failed }
}

fn test_event_missing(start: DateTime<Utc>) -> WriteTestFailure {
    WriteTestFailure {
        message: format!("the event that was made for {} is not there", start.format("%F %H:%MZ")),
        remedy: "something else removes events from this calendar; find out what",
        code: None,
        nothing_written: false,
    }
}

async fn find_test_event(
    patient: &DoctorTarget,
    room: &RoomAddress,
    start: DateTime<Utc>,
    uid: &Uid,
) -> Result<Option<Event>, WriteTestFailure> {
    let unread = |code: String| WriteTestFailure {
        message: "the event that was made cannot be looked for".to_owned(),
        remedy: LATER,
        code: Some(code),
        nothing_written: false,
    };
    let window = Window::new(start, start + LENGTH).map_err(|error| unread(error.to_string()))?;
    let events = patient.exchange.events(room, window).await.map_err(|trouble| unread(trouble.code))?.events;
    Ok(events.into_iter().find(|event| event.uid.as_ref() == Some(uid)))
}

async fn write_step(
    patient: &DoctorTarget,
    room: &RoomAddress,
    step: &Step,
    what: &str,
) -> Result<(), WriteTestFailure> {
    let reply = patient.exchange.write(room, step).await.outcome;
    let nothing_done = !matches!(reply, WriteOutcome::Unproven(_) | WriteOutcome::InDoubt(_));
    let failed = |why: String, remedy, code| {
        Err(WriteTestFailure {
            message: format!("{what}: {why}"),
            remedy,
            code,
            nothing_written: nothing_done,
        })
    };
    match reply {
        WriteOutcome::Done => Ok(()),
        WriteOutcome::Gone => failed("it is gone".to_owned(), LATER, None),
        WriteOutcome::Conflict => failed("somebody changed it in between".to_owned(), LATER, None),
        WriteOutcome::NotApplied(CalendarError {
            responsible: ResponsibleParty::Administrator,
            advice,
            code,
        })
        | WriteOutcome::Unproven(CalendarError {
            responsible: ResponsibleParty::Administrator,
            advice,
            code,
        }) => failed(advice, if is_denial(&code) { NO_RIGHT } else { OTHER }, Some(code)),
        WriteOutcome::Throttled(trouble)
        | WriteOutcome::NotApplied(trouble)
        | WriteOutcome::Unproven(trouble)
        | WriteOutcome::InDoubt(trouble) => failed(trouble.advice, LATER, Some(trouble.code)),
    }
}

/// No page of Microsoft's says that `calendar:End` alone may be set on an attendee's copy. Setting it to what it is changes
/// nothing that people see.
async fn check_end_only_update(
    patient: &DoctorTarget,
    room: &RoomAddress,
    now: DateTime<Utc>,
    findings: &mut Findings,
) {
    const CHECK: &str = "end on an attendee copy";
    let Ok(window) = Window::new(now, now + COPY_WITHIN) else { return };
    let events = patient.exchange.events(room, window).await.unwrap_or_default().events;
    // Of a series, even the same end would make the date an exception.
    let is_fit = |event: &Event| event.kind == EventKind::Single && event.copy == Some(Copy::Attendee);
    let copy = events.into_iter().find(|event| is_fit(event) && event.occupies_room());
    let finding = match copy {
        None => findings.add(CHECK, FindingStatus::Skip, "no meeting within 30 days to try it on"),
        Some(event) => {
            let step = Step::SetEnd {
                id: event.id,
                change_key: event.change_key,
                end: event.end,
                notify: Notify::Nobody,
            };
            match write_step(
                patient,
                room,
                &step,
                "this Exchange does not take a new end on an attendee copy",
            )
            .await
            {
                Ok(()) => findings.add(CHECK, FindingStatus::Pass, "a new end alone is accepted"),
                Err(failed) => {
                    let remedy = match failed.remedy {
                        LATER => LATER,
                        OTHER => OTHER,
                        _ => {
                            "meetings that others organized cannot be ended early here; use delete (decline) instead"
                        }
                    };
                    let finding = findings.fail(CHECK, failed.message, remedy);
                    finding.code = failed.code;
                    finding
                }
            }
        }
    };
    finding.room = Some(room.to_string());
}
