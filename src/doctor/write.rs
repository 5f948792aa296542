//! Whether the account may change and remove events, proven on one that is made for it, far ahead where nobody meets, and
//! removed again; and whether Exchange takes a new end alone on an attendee copy, proven with the end it has already.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{Findings, Patient, Status};
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

pub(super) async fn rights(patient: &Patient, clock: &dyn Clock, findings: &mut Findings) {
    let Some(room) = &patient.write_in else {
        findings.add("write", Status::Skip, "not asked for (--write-test ROOM)");
        return;
    };
    let now = clock.now();
    match make_change_remove(patient, room, now).await {
        Ok(()) => {
            let says = "an event was made, shortened and moved to Deleted Items";
            findings.add("write", Status::Pass, says).room = Some(room.to_string());
            end_alone(patient, room, now, findings).await;
        }
        Err(failed) => {
            let finding = findings.fail("write", failed.says, failed.remedy);
            finding.room = Some(room.to_string());
            finding.code = failed.code;
        }
    }
}

/// Why the test did not pass.
struct Failed {
    says: String,
    remedy: &'static str,
    code: Option<String>,
    /// The request was not carried out, so that nothing can be left of it.
    nothing_done: bool,
}

const NO_RIGHT: &str = "the account needs the right to change calendars: the role ApplicationImpersonation (online: \
                        Application EWS.AccessAsApp), or Full Access to the room";
const OTHER: &str = "fix the cause that Exchange names; no right is missing";
const LATER: &str = "try again later; nothing in this says that a right is missing";

async fn make_change_remove(patient: &Patient, room: &RoomAddress, now: DateTime<Utc>) -> Result<(), Failed> {
    let start = now + AHEAD;
    let uid = Uid::new(format!("adjourn-write-test-{}", Uuid::new_v4()));
    let book = Step::Book { uid: uid.clone(), start, end: start + LENGTH, subject: SUBJECT.to_owned() };
    if let Err(failed) = written(patient, room, &book, "no event can be made").await {
        if failed.nothing_done {
            return Err(failed);
        }
        // It may have been made all the same.
        let removed = remove(patient, room, start, &uid).await;
        return Err(if removed.is_ok() { failed } else { left(failed, start, &uid) });
    }
    let shortened = shorten(patient, room, start, &uid).await;
    match remove(patient, room, start, &uid).await {
        Ok(true) => shortened,
        Ok(false) => Err(gone(start)),
        Err(failed) => Err(left(failed, start, &uid)),
    }
}

async fn shorten(
    patient: &Patient,
    room: &RoomAddress,
    start: DateTime<Utc>,
    uid: &Uid,
) -> Result<(), Failed> {
    let made = found(patient, room, start, uid).await?.ok_or_else(|| gone(start))?;
    let (id, change_key, end) = (made.id, made.change_key, start + LENGTH / 2);
    let step = Step::SetEnd { id, change_key, end, notify: Notify::Nobody };
    written(patient, room, &step, "an event can be made and not changed").await
}

/// Whether it was there, and is removed.
async fn remove(
    patient: &Patient,
    room: &RoomAddress,
    start: DateTime<Utc>,
    uid: &Uid,
) -> Result<bool, Failed> {
    let mut tried = 0;
    loop {
        tried += 1;
        let removed = match found(patient, room, start, uid).await {
            Ok(None) => return Ok(false),
            Ok(Some(made)) => {
                let step = Step::Remove { id: made.id, change_key: made.change_key };
                written(patient, room, &step, "an event can be made and not removed").await.map(|()| true)
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
fn left(failed: Failed, start: DateTime<Utc>, uid: &Uid) -> Failed {
    let at = start.format("%F %H:%MZ");
    let says = format!("{}; look at {at}, and remove what has the UID {}", failed.says, uid.as_str());
    Failed { says, ..failed }
}

fn gone(start: DateTime<Utc>) -> Failed {
    Failed {
        says: format!("the event that was made for {} is not there", start.format("%F %H:%MZ")),
        remedy: "something else removes events from this calendar; find out what",
        code: None,
        nothing_done: false,
    }
}

async fn found(
    patient: &Patient,
    room: &RoomAddress,
    start: DateTime<Utc>,
    uid: &Uid,
) -> Result<Option<Event>, Failed> {
    let unread = |code: String| Failed {
        says: "the event that was made cannot be looked for".to_owned(),
        remedy: LATER,
        code: Some(code),
        nothing_done: false,
    };
    let window = Window::new(start, start + LENGTH).map_err(|error| unread(error.to_string()))?;
    let events = patient.exchange.events(room, window).await.map_err(|trouble| unread(trouble.code))?.events;
    Ok(events.into_iter().find(|event| event.uid.as_ref() == Some(uid)))
}

async fn written(patient: &Patient, room: &RoomAddress, step: &Step, what: &str) -> Result<(), Failed> {
    let reply = patient.exchange.write(room, step).await.outcome;
    let nothing_done = !matches!(reply, WriteOutcome::Unproven(_) | WriteOutcome::InDoubt(_));
    let failed = |why: String, remedy, code| {
        Err(Failed { says: format!("{what}: {why}"), remedy, code, nothing_done })
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
async fn end_alone(patient: &Patient, room: &RoomAddress, now: DateTime<Utc>, findings: &mut Findings) {
    const CHECK: &str = "end on an attendee copy";
    let Ok(window) = Window::new(now, now + COPY_WITHIN) else { return };
    let events = patient.exchange.events(room, window).await.unwrap_or_default().events;
    // Of a series, even the same end would make the date an exception.
    let is_fit = |event: &Event| event.kind == EventKind::Single && event.copy == Some(Copy::Attendee);
    let copy = events.into_iter().find(|event| is_fit(event) && event.occupies_room());
    let finding = match copy {
        None => findings.add(CHECK, Status::Skip, "no meeting within 30 days to try it on"),
        Some(event) => {
            let step = Step::SetEnd {
                id: event.id,
                change_key: event.change_key,
                end: event.end,
                notify: Notify::Nobody,
            };
            match written(patient, room, &step, "this Exchange does not take a new end on an attendee copy")
                .await
            {
                Ok(()) => findings.add(CHECK, Status::Pass, "a new end alone is accepted"),
                Err(failed) => {
                    let remedy = match failed.remedy {
                        LATER => LATER,
                        OTHER => OTHER,
                        _ => {
                            "meetings that others organized cannot be ended early here; use delete (decline) instead"
                        }
                    };
                    let finding = findings.fail(CHECK, failed.says, remedy);
                    finding.code = failed.code;
                    finding
                }
            }
        }
    };
    finding.room = Some(room.to_string());
}
