//! Whether the account may change and remove events, proven on one that is made for it, far ahead where nobody meets, and
//! removed again; and whether Exchange takes a new end alone on an attendee copy, proven with the end it has already.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{Findings, Patient, Status};
use crate::action::{Notify, Step};
use crate::calendar::{Copy, Event, RoomAddress, Uid, Window};
use crate::clock::Clock;
use crate::engine::{Calendar as _, Written};

/// Where nobody meets yet: beyond a year, which is as far as people book (BookingWindowInDays is 180 by default).
const AHEAD: TimeDelta = TimeDelta::days(400);
const LENGTH: TimeDelta = TimeDelta::minutes(15);
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
        Err((what, why)) => {
            let remedy = "the account needs the right to change calendars: the role ApplicationImpersonation (online: \
                          Application EWS.AccessAsApp), or Full Access to the room";
            let finding = findings.fail("write", format!("{what}: {why}"), remedy);
            finding.room = Some(room.to_string());
        }
    }
}

type Failed = (&'static str, String);

async fn make_change_remove(patient: &Patient, room: &RoomAddress, now: DateTime<Utc>) -> Result<(), Failed> {
    let start = now + AHEAD;
    let uid = Uid::new(format!("adjourn-write-test-{}", Uuid::new_v4()));
    let book = Step::Book { uid: uid.clone(), start, end: start + LENGTH, subject: SUBJECT.to_owned() };
    written(patient, room, &book, "no event can be made").await?;
    let made = found(patient, room, start, &uid).await?;
    let shorten = Step::SetEnd {
        id: made.id,
        change_key: made.change_key,
        end: start + LENGTH / 2,
        notify: Notify::Nobody,
    };
    let shortened = written(patient, room, &shorten, "an event can be made and not changed").await;
    let made = found(patient, room, start, &uid).await?;
    let remove = Step::Remove { id: made.id, change_key: made.change_key };
    written(patient, room, &remove, "an event can be made and not removed; remove it by hand").await?;
    shortened
}

async fn found(
    patient: &Patient,
    room: &RoomAddress,
    start: DateTime<Utc>,
    uid: &Uid,
) -> Result<Event, Failed> {
    let what = "the event that was made cannot be found again";
    let window = Window::new(start, start + LENGTH).map_err(|error| (what, error.to_string()))?;
    let events =
        patient.exchange.events(room, window).await.map_err(|trouble| (what, trouble.to_string()))?;
    let made = events.into_iter().find(|event| event.uid.as_ref() == Some(uid));
    made.ok_or_else(|| (what, format!("nothing of UID {} stands there", uid.as_str())))
}

async fn written(
    patient: &Patient,
    room: &RoomAddress,
    step: &Step,
    what: &'static str,
) -> Result<(), Failed> {
    match patient.exchange.write(room, step).await.written {
        Written::Done => Ok(()),
        Written::Gone => Err((what, "it is gone".to_owned())),
        Written::Conflict => Err((what, "somebody changed it in between".to_owned())),
        Written::NotYet(trouble) | Written::NotDone(trouble) | Written::InDoubt(trouble) => {
            Err((what, trouble.to_string()))
        }
    }
}

/// No page of Microsoft's says that `calendar:End` alone may be set on an attendee's copy. Setting it to what it is changes
/// nothing that people see.
async fn end_alone(patient: &Patient, room: &RoomAddress, now: DateTime<Utc>, findings: &mut Findings) {
    const CHECK: &str = "end on an attendee copy";
    let Ok(window) = Window::new(now, now + COPY_WITHIN) else { return };
    let events = patient.exchange.events(room, window).await.unwrap_or_default();
    let copy = events.into_iter().find(|event| event.copy == Some(Copy::Attendee) && !event.is_cancelled);
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
                Err((what, why)) => findings.fail(
                    CHECK,
                    format!("{what}: {why}"),
                    "meetings that others organized cannot be ended early here; use delete (decline) instead",
                ),
            }
        }
    };
    finding.room = Some(room.to_string());
}
