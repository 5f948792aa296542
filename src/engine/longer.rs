//! Taking more of a room's time: letting an event last longer, and booking from now on. Until the next event at most.
//! Pure.

use chrono::{DateTime, DurationRound, TimeDelta, Utc};

use super::Capabilities;
use super::plan::{NoPlan, Plan, done, guard_all_day, guard_series, set_end};
use super::select::times;
use super::undo::collides;
use crate::action::{Action, ActionId, Change, Notify, Refusal, Step, Told, Undoable};
use crate::calendar::{ChangeKey, Copy, Event, EventId, EventKind, FreeBusy, Uid, Window};

/// Less is no booking: somebody would have to leave before they sat down.
const BOOKING_MIN: TimeDelta = TimeDelta::minutes(1);

/// The time an event would get, of which the calendar has to be read before it is planned.
pub(super) fn wanted(event: &Event, minutes: u16) -> Option<Window> {
    Window::new(event.end, event.end + TimeDelta::minutes(minutes.into())).ok()
}

/// Lets `event` last longer, where `around` is everything in the time it would get.
pub(super) fn plan_extend(
    action: &Action,
    event: &Event,
    (wanted, around): (Window, &[Event]),
    now: DateTime<Utc>,
    server: Capabilities,
) -> Result<Plan, NoPlan> {
    let copy = event.copy.ok_or(Refusal::UnknownCopy)?;
    guard_series(action, event)?;
    if event.is_cancelled {
        return Err(Refusal::Cancelled.into());
    }
    if !event.is_on(now) {
        return Err(Refusal::NotOn { times: times(event) }.into());
    }
    guard_all_day(action, event)?;
    let until = free_until(around, &event.id, wanted);
    if until <= event.end {
        return Err(taken(around, event).into());
    }
    let (step, told) = set_end(event, copy, until, Notify::Attendees, server);
    let change = Change::Extended { from: event.end, to: until };
    Ok(Plan { step, done: done(event, copy, change, told, Undoable::Yes) })
}

/// From this minute's beginning, since calendars think in minutes.
pub(super) fn booking_window(now: DateTime<Utc>, minutes: u16) -> Option<Window> {
    let start = now.duration_trunc(TimeDelta::minutes(1)).unwrap_or(now);
    Window::new(start, start + TimeDelta::minutes(minutes.into())).ok()
}

/// The event that a booking makes, where `around` is everything in the time it would get.
pub(super) fn booking(
    action: ActionId,
    subject: &str,
    (wanted, around): (Window, &[Event]),
    now: DateTime<Utc>,
) -> Result<Event, Refusal> {
    let nothing = EventId::new("");
    let end = free_until(around, &nothing, wanted);
    let event = Event {
        id: nothing,
        change_key: ChangeKey::new(""),
        uid: Some(Uid::new(format!("adjourn-{action}"))),
        original_start: None,
        start: wanted.start(),
        end,
        subject: Some(subject.to_owned()),
        organizer: None,
        kind: EventKind::Single,
        copy: Some(Copy::Plain),
        is_all_day: false,
        is_cancelled: false,
        is_declined: false,
        free_busy: FreeBusy::Busy,
        is_private: false,
        created: Some(now),
        modified: None,
    };
    if end - wanted.start() < BOOKING_MIN { Err(taken(around, &event)) } else { Ok(event) }
}

/// Makes it.
pub(super) fn plan_booking(event: &Event) -> Result<Plan, NoPlan> {
    let uid = event.uid.clone().ok_or(Refusal::UnknownCopy)?;
    let subject = event.subject.clone().unwrap_or_default();
    let step = Step::Book { uid, start: event.start, end: event.end, subject };
    Ok(Plan { step, done: done(event, Copy::Plain, Change::Booked, Told::Nobody, Undoable::Yes) })
}

/// How far the window is free of others.
fn free_until(around: &[Event], own: &EventId, window: Window) -> DateTime<Utc> {
    let others = around.iter().filter(|event| event.id != *own && !event.is_cancelled);
    let first = others.filter(|event| event.overlaps(&window)).map(|event| event.start).min();
    first.map_or(window.end(), |first| first.clamp(window.start(), window.end()))
}

fn taken(around: &[Event], own: &Event) -> Refusal {
    collides(around, own).unwrap_or(Refusal::Collides { events: Vec::new() })
}
