//! Plans the actions that take more of a room's time: extending an event, and booking the room from now on. Both end at the
//! next event at the latest. Pure.

use chrono::{DateTime, TimeDelta, Utc};

use super::capabilities::Capabilities;
use super::plan::{Plan, PlanError, check_series, done, set_end};
use super::select::times;
use super::undo::conflict_with;
use crate::action::{Action, ActionId, AllDay, Change, Notified, Notify, Refusal, Reversibility, Step};
use crate::calendar::occupancy::{EndFixedReason, booking_window, conflicts, free_until, may_move_end};
use crate::calendar::{ChangeKey, Copy, Event, EventId, EventKind, FreeBusy, Uid, Window};

/// The time that an extension would add; the calendar is read in this window before planning.
pub(super) fn extension_window(event: &Event, minutes: u16) -> Option<Window> {
    Window::new(event.end, event.end + TimeDelta::minutes(minutes.into())).ok()
}

/// Plans the extension of `event`, where `around` holds all events in the added time.
pub(super) fn plan_extend(
    action: &Action,
    event: &Event,
    (wanted, around): (Window, &[Event]),
    now: DateTime<Utc>,
    server: Capabilities,
) -> Result<Plan, PlanError> {
    let copy = event.copy.ok_or(Refusal::UnknownCopy)?;
    check_series(action, event)?;
    may_move_end(event, now, action.all_day == AllDay::Include)
        .map_err(|fixed| extension_refused(fixed, event))?;
    let until = match event.occupies_room() {
        true => free_until(around, Some(&event.id), &wanted),
        false => wanted.end(),
    };
    if until <= event.end {
        return Err(conflict_with(conflicts(around, Some(&event.id), &wanted)).into());
    }
    let (step, notified) = set_end(event, copy, until, Notify::Attendees, server);
    let change = Change::Extended { from: event.end, to: until };
    Ok(Plan { step, done: done(event, copy, change, notified, Reversibility::Reversible) })
}

fn extension_refused(fixed: EndFixedReason, event: &Event) -> Refusal {
    match fixed {
        EndFixedReason::UnknownCopy => Refusal::UnknownCopy,
        EndFixedReason::Over | EndFixedReason::NotStarted => Refusal::NotCurrent { times: times(event) },
        EndFixedReason::Cancelled => Refusal::Cancelled,
        EndFixedReason::Declined => Refusal::Declined,
        EndFixedReason::AllDay => Refusal::AllDay,
    }
}

/// The event to book, where `around` holds all events within [`booking_read_window`](crate::calendar::occupancy::booking_read_window).
pub(super) fn booking(
    action: ActionId,
    subject: &str,
    (minutes, around): (u16, &[Event]),
    now: DateTime<Utc>,
) -> Result<Event, Refusal> {
    let window = booking_window(around, now, minutes).map_err(conflict_with)?;
    Ok(Event {
        id: EventId::new(""),
        change_key: ChangeKey::new(""),
        uid: Some(Uid::new(format!("adjourn-{action}"))),
        original_start: None,
        start: window.start(),
        end: window.end(),
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
    })
}

/// The booking that is sent again after a doubtful request, where `draft` is the booking by the room's calendar as it is now. A
/// server that creates no second event returns the first one, with the times of the first request.
pub(super) fn repeated_booking(draft: Event, first: &Event, server: Capabilities) -> Event {
    match server.has_idempotent_booking {
        true => Event { start: first.start, end: first.end, ..draft },
        false => draft,
    }
}

/// Plans the creation of that event.
pub(super) fn plan_booking(event: &Event) -> Result<Plan, PlanError> {
    let uid = event.uid.clone().ok_or(Refusal::UnknownCopy)?;
    let subject = event.subject.clone().unwrap_or_default();
    let step = Step::Book { uid, start: event.start, end: event.end, subject };
    Ok(Plan {
        step,
        done: done(event, Copy::Plain, Change::Booked, Notified::Nobody, Reversibility::Reversible),
    })
}

#[cfg(test)]
mod tests {
    use super::super::capabilities::tests::ALL;
    use super::*;

    #[test]
    fn a_booking_is_repeated_as_it_was_only_where_the_server_returns_the_first_one() {
        let at = |minutes| DateTime::<Utc>::UNIX_EPOCH + TimeDelta::minutes(minutes);
        let first = Event::sample("", at(0), at(30));
        let draft = Event { subject: Some("Booked".to_owned()), ..Event::sample("", at(1), at(31)) };
        let repeated = |server| repeated_booking(draft.clone(), &first, server);
        let expected = Event { start: at(0), end: at(30), ..draft.clone() };
        assert_eq!(repeated(ALL), expected);
        assert_eq!(repeated(Capabilities::NONE), draft);
    }
}
