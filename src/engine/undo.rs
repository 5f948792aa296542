//! Plans the undo of an earlier action. Pure.
//!
//! | earlier change | undo |
//! | --- | --- |
//! | ended early, extended | sets the earlier end again; notifies the same people |
//! | booked | removes the booking |
//! | removed, single event | moves it back from Deleted Items; nobody is notified, as before |
//! | removed, occurrence | not possible: the removal was an edit of the series and left no item |
//! | declined, cancelled | not possible: the message was sent, and accepting again takes a new invitation |
//!
//! An event that was changed since is left alone, and so is one whose old time is taken by now.

use super::plan::{Plan, PlanError};
use super::select::times;
use crate::action::{
    Change, Done, EventSnapshot, IrreversibleReason, NoChangeReason, Notified, Notify, Refusal,
    Reversibility, Step, TimeRange,
};
use crate::calendar::occupancy::conflicts;
use crate::calendar::{Event, EventKind, Window};
use crate::journal::ActionRecord;

/// What an undo has to revert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum UndoTarget {
    /// The end of an event that is still on the calendar.
    End(Done),
    /// The removal of an event, which is in Deleted Items.
    Removed(Done),
    /// A booking.
    Booked(Done),
}

/// What the undo of this action has to revert.
pub(super) fn undo_target(record: &ActionRecord) -> Result<UndoTarget, Refusal> {
    let done = record.done().ok_or(Refusal::NothingToUndo)?;
    match (done.reversibility, done.change) {
        (Reversibility::Irreversible { because }, _) => Err(Refusal::NotUndoable { because }),
        (Reversibility::Reversible, Change::Ended { .. } | Change::Extended { .. }) => {
            Ok(UndoTarget::End(done.clone()))
        }
        (Reversibility::Reversible, Change::Booked) => Ok(UndoTarget::Booked(done.clone())),
        (Reversibility::Reversible, Change::Removed) => Ok(UndoTarget::Removed(done.clone())),
        (Reversibility::Reversible, Change::Declined | Change::Cancelled) => {
            Err(Refusal::NotUndoable { because: IrreversibleReason::DeclineWasSent })
        }
        (Reversibility::Reversible, Change::EndRestored { .. } | Change::MovedBack) => {
            Err(Refusal::NotUndoable { because: IrreversibleReason::IsAnUndo })
        }
    }
}

/// The time that the undo needs in addition, and that must be free.
pub(super) fn time_needed(target: &UndoTarget) -> Option<Window> {
    match target {
        UndoTarget::End(Done { change: Change::Ended { from, to }, .. }) => Window::clamped(*to, *from),
        UndoTarget::End(_) | UndoTarget::Booked(_) => None,
        UndoTarget::Removed(done) => Window::clamped(done.event.start, done.event.end),
    }
}

/// The conflict of `own` with other events in the window. An event that does not occupy the room conflicts with none.
pub(super) fn conflict(events: &[Event], own: &Event, window: &Window) -> Option<Refusal> {
    let others = if own.occupies_room() { conflicts(events, Some(&own.id), window) } else { Vec::new() };
    (!others.is_empty()).then(|| conflict_with(others))
}

pub(super) fn conflict_with(by: Vec<&Event>) -> Refusal {
    Refusal::Collides { events: by.into_iter().map(EventSnapshot::from).collect() }
}

/// Plans the undo for the event as it is now (on the calendar, or in Deleted Items).
pub(super) fn plan_undo(target: &UndoTarget, event: &Event) -> Result<Plan, PlanError> {
    if event.kind == EventKind::Series {
        return Err(Refusal::WholeSeries.into());
    }
    match target {
        UndoTarget::End(done) => plan_end_undo(done, event),
        UndoTarget::Removed(done) => Ok(plan_removal_undo(done, event)),
        UndoTarget::Booked(done) => plan_booking_undo(done, event),
    }
}

fn plan_end_undo(done: &Done, event: &Event) -> Result<Plan, PlanError> {
    let (Change::Ended { from, to } | Change::Extended { from, to }) = done.change else {
        return Err(Refusal::NothingToUndo.into());
    };
    let seen = TimeRange { start: done.event.start, end: to };
    if times(event) == (TimeRange { start: seen.start, end: from }) {
        return Err(PlanError::NoChange(NoChangeReason::Restored));
    }
    if times(event) != seen {
        return Err(Refusal::NotAsSeen { seen, is: times(event) }.into());
    }
    let notify = match done.notified {
        Notified::Attendees | Notified::Unknown => Notify::Attendees,
        Notified::Nobody | Notified::Organizer => Notify::Nobody,
    };
    let step = Step::SetEnd { id: event.id.clone(), change_key: event.change_key.clone(), end: from, notify };
    let change = Change::EndRestored { from: to, to: from };
    Ok(Plan { step, done: undone(done, event, change, done.notified) })
}

fn plan_removal_undo(done: &Done, deleted: &Event) -> Plan {
    let step = Step::MoveBack { id: deleted.id.clone(), change_key: deleted.change_key.clone() };
    Plan { step, done: undone(done, deleted, Change::MovedBack, Notified::Nobody) }
}

fn plan_booking_undo(done: &Done, event: &Event) -> Result<Plan, PlanError> {
    let seen = TimeRange { start: done.event.start, end: done.event.end };
    if times(event) != seen {
        return Err(Refusal::NotAsSeen { seen, is: times(event) }.into());
    }
    let step = Step::Remove { id: event.id.clone(), change_key: event.change_key.clone() };
    Ok(Plan { step, done: undone(done, event, Change::Removed, Notified::Nobody) })
}

fn undone(done: &Done, event: &Event, change: Change, notified: Notified) -> Done {
    let reversibility = Reversibility::Irreversible { because: IrreversibleReason::IsAnUndo };
    Done {
        event: EventSnapshot::from(event),
        copy: done.copy,
        change,
        notified,
        reversibility,
        dry_run: false,
    }
}
