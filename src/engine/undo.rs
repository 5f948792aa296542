//! Plans the undo of an earlier action. Pure.
//!
//! | earlier change | undo |
//! | --- | --- |
//! | ended early, extended | sets the earlier end again; notifies the same people |
//! | booked | removes the booking |
//! | removed, single event | moves it back from Deleted Items; sends no message, as the removal sent none |
//! | removed, on a server that cannot move it back | books a plain event again (`booking.rs`); not possible for a meeting |
//! | removed, occurrence | not possible: the removal was an edit of the series and left no item |
//! | declined, cancelled | not possible: the message was sent, and accepting again takes a new invitation |
//!
//! An event that was changed since is left alone, and so is one whose old time is taken by now.

use chrono::{DateTime, Utc};

use super::capabilities::Capabilities;
use super::plan::{Plan, PlanError, check_no_series, check_whole_days, removal_notifies};
use crate::action::{
    Change, Done, EventSnapshot, IrreversibleReason, NoChangeReason, Notified, Notify, Refusal,
    Reversibility, Step, TimeRange,
};
use crate::calendar::occupancy::conflicts;
use crate::calendar::{Event, Window};
use crate::journal::ActionRecord;

/// What an undo has to revert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum UndoTarget {
    /// The end of an event that is still on the calendar.
    End {
        done: Done,
        /// The end before that change.
        from: DateTime<Utc>,
        /// The end that it set.
        to: DateTime<Utc>,
    },
    /// The removal of an event: it is moved back from Deleted Items, or booked again.
    Removed {
        done: Done,
        /// The event before its removal.
        before: Box<Event>,
    },
    /// A booking.
    Booked(Done),
}

impl UndoTarget {
    /// The change to revert.
    pub(super) fn done(&self) -> &Done {
        match self {
            Self::End { done, .. } | Self::Removed { done, .. } | Self::Booked(done) => done,
        }
    }
}

/// What the undo of this action has to revert.
pub(super) fn undo_target(record: &ActionRecord) -> Result<UndoTarget, Refusal> {
    let done = record.done().ok_or(Refusal::NothingToUndo)?;
    match (done.reversibility, done.change) {
        (Reversibility::Irreversible { because }, _) => Err(Refusal::NotUndoable { because }),
        (Reversibility::Reversible, Change::Ended { from, to } | Change::Extended { from, to }) => {
            Ok(UndoTarget::End { done: done.clone(), from, to })
        }
        (Reversibility::Reversible, Change::Booked) => Ok(UndoTarget::Booked(done.clone())),
        (Reversibility::Reversible, Change::Removed) => {
            let before = Box::new(record.intent.as_ref().ok_or(Refusal::NothingToUndo)?.before.clone());
            Ok(UndoTarget::Removed { done: done.clone(), before })
        }
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
        // Empty for an extension: its end moves back.
        UndoTarget::End { from, to, .. } => Window::clamped(*to, *from),
        UndoTarget::Booked(_) => None,
        UndoTarget::Removed { done, .. } => Window::clamped(done.event.start, done.event.end),
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
pub(super) fn plan_undo(target: &UndoTarget, event: &Event, server: Capabilities) -> Result<Plan, PlanError> {
    check_no_series(event)?;
    match target {
        UndoTarget::End { done, from, to } => plan_end_undo(done, (*from, *to), event, server),
        UndoTarget::Removed { done, .. } if server.can_restore() => Ok(plan_removal_undo(done, event)),
        UndoTarget::Removed { .. } => Err(cannot_restore().into()),
        UndoTarget::Booked(done) => plan_booking_undo(done, event, server),
    }
}

pub(super) fn cannot_restore() -> Refusal {
    Refusal::NotUndoable { because: IrreversibleReason::ServerCannotRestore }
}

fn plan_end_undo(
    done: &Done,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
    event: &Event,
    server: Capabilities,
) -> Result<Plan, PlanError> {
    check_whole_days(event, server)?;
    let seen = TimeRange { start: done.event.start, end: to };
    if TimeRange::from(event) == (TimeRange { start: seen.start, end: from }) {
        return Err(PlanError::NoChange(NoChangeReason::Restored));
    }
    if TimeRange::from(event) != seen {
        return Err(Refusal::NotAsSeen { seen, is: TimeRange::from(event) }.into());
    }
    let wanted = notify_again(done.notified);
    if server.effective_notify(Some(done.copy), wanted) != wanted {
        return Err(Refusal::ServerAlwaysNotifies.into()); // the first change sent no message
    }
    let (id, change_key) = (event.id.clone(), event.change_key.clone());
    let step = Step::SetEnd { id, change_key, end: from, notify: wanted };
    let change = Change::EndRestored { from: to, to: from };
    Ok(Plan { step, done: undone(done, event, change, done.notified) })
}

/// Who receives an update when a new end is taken back: those who received it, or may have.
pub(super) fn notify_again(notified: Notified) -> Notify {
    match notified {
        Notified::Attendees | Notified::Unknown => Notify::Attendees,
        Notified::Nobody | Notified::Organizer | Notified::OrganizerSeesDecline => Notify::Nobody,
    }
}

fn plan_removal_undo(done: &Done, deleted: &Event) -> Plan {
    let step = Step::MoveBack { id: deleted.id.clone(), change_key: deleted.change_key.clone() };
    Plan { step, done: undone(done, deleted, Change::MovedBack, Notified::Nobody) }
}

fn plan_booking_undo(done: &Done, event: &Event, server: Capabilities) -> Result<Plan, PlanError> {
    let seen = TimeRange { start: done.event.start, end: done.event.end };
    if TimeRange::from(event) != seen {
        return Err(Refusal::NotAsSeen { seen, is: TimeRange::from(event) }.into());
    }
    let step = Step::Remove { id: event.id.clone(), change_key: event.change_key.clone() };
    let notified = removal_notifies(event.copy, server)?;
    Ok(Plan { step, done: undone(done, event, Change::Removed, notified) })
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

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};

    use super::super::capabilities::{SilentRemoval, SilentRemovals};
    use super::*;
    use crate::calendar::Copy;

    fn at(minutes: i64) -> DateTime<Utc> {
        DateTime::<Utc>::UNIX_EPOCH + TimeDelta::minutes(minutes)
    }

    /// Of a meeting that the room organizes.
    fn done(event: &Event, change: Change) -> Done {
        Done {
            event: EventSnapshot::from(event),
            copy: Copy::Organizer,
            change,
            notified: Notified::Nobody,
            reversibility: Reversibility::Reversible,
            dry_run: false,
        }
    }

    #[test]
    fn a_silent_end_is_not_taken_back_where_updates_cannot_be_muted() {
        let event = Event { copy: Some(Copy::Organizer), ..Event::sample("A", at(0), at(30)) };
        let (from, to) = (at(60), at(30));
        let target = UndoTarget::End { done: done(&event, Change::Ended { from, to }), from, to };
        let plan = plan_undo(&target, &event, Capabilities::ALL).unwrap();
        assert!(matches!(plan.step, Step::SetEnd { notify: Notify::Nobody, .. }));
        let refused =
            plan_undo(&target, &event, Capabilities { can_mute_updates: false, ..Capabilities::ALL })
                .unwrap_err();
        assert_eq!(refused, PlanError::Refused(Refusal::ServerAlwaysNotifies));
    }

    #[test]
    fn an_all_day_event_gets_its_end_back_only_where_the_server_can_set_it() {
        let event = Event { is_all_day: true, ..Event::sample("A", at(0), at(30)) };
        let (from, to) = (at(60), at(30));
        let target = UndoTarget::End { done: done(&event, Change::Ended { from, to }), from, to };
        assert!(plan_undo(&target, &event, Capabilities::ALL).is_ok());
        assert!(
            plan_undo(&target, &event, Capabilities { can_end_all_day: false, ..Capabilities::ALL }).is_err()
        );
    }

    /// Someone invited people to the booking since.
    #[test]
    fn a_booking_is_not_removed_where_its_removal_would_send_messages() {
        let event = Event { copy: Some(Copy::Organizer), ..Event::sample("A", at(0), at(30)) };
        let target = UndoTarget::Booked(done(&event, Change::Booked));
        assert!(plan_undo(&target, &event, Capabilities::ALL).is_ok());
        let silent_removal =
            SilentRemovals { organizer: SilentRemoval::Impossible, ..Capabilities::ALL.silent_removal };
        let refused =
            plan_undo(&target, &event, Capabilities { silent_removal, ..Capabilities::ALL }).unwrap_err();
        assert_eq!(refused, PlanError::Refused(Refusal::ServerAlwaysNotifies));
    }
}
