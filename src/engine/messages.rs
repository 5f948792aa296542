//! Messages to the person who has to check a calendar. Pure.

use super::{CalendarError, ErrorKind};
use crate::action::{Done, EventSnapshot, Outcome, ResponsibleParty, Step, sentence};

/// The reply was lost, and someone else changed the event since.
pub(super) fn indeterminate(event: &EventSnapshot, step: &Step) -> Outcome {
    let error = CalendarError::new(
        ErrorKind::InDoubt,
        ResponsibleParty::Nobody,
        "The reply to the change was lost, and the event was changed by someone else since",
        "in doubt",
    );
    needs_attention(event, step, &error)
}

/// The reply was lost and the event is gone, and the account cannot search the folder that would show who removed it.
pub(super) fn no_trace() -> CalendarError {
    CalendarError::new(
        ErrorKind::InDoubt,
        ResponsibleParty::Administrator,
        "The reply to the change was lost, and the account cannot read the folder that would show whether Adjourn or someone else \
         removed the event",
        "in doubt",
    )
}

/// The account cannot search Deleted Items for the event that an undo moves back.
pub(super) fn deleted_items_unknown() -> CalendarError {
    CalendarError::new(
        ErrorKind::Denied,
        ResponsibleParty::Administrator,
        "The account cannot search the room's Deleted Items for the event; check the account's rights",
        "deleted items",
    )
}

/// The account may read the item, but not write to it.
pub(super) fn not_writable() -> CalendarError {
    CalendarError::new(
        ErrorKind::Denied,
        ResponsibleParty::Administrator,
        "Exchange reports the event as not found when Adjourn changes it, although it is on the room's calendar: the account \
         may read it but not change it; check the account's rights",
        "not found",
    )
}

/// The replies were lost, and the mailbox shows that nothing was changed.
pub(super) fn reply_lost(error: CalendarError) -> CalendarError {
    let advice =
        "Exchange did not confirm the change, and the calendar shows that nothing was changed; try again";
    CalendarError { advice: advice.to_owned(), ..error }
}

/// The result is unknown: a person has to check the calendar.
pub(super) fn needs_attention(event: &EventSnapshot, step: &Step, error: &CalendarError) -> Outcome {
    let check = match step {
        Step::SetEnd { end, .. } => format!("Check whether the event ends at {}", end.format("%F %H:%MZ")),
        Step::Decline { .. } => {
            "Check whether the event was declined (look in the room's Sent Items)".to_owned()
        }
        Step::Cancel { .. } => {
            "Check whether the event was cancelled (look in the room's Sent Items)".to_owned()
        }
        Step::Remove { .. } => "Check whether the event is in the room's Deleted Items".to_owned(),
        Step::Book { .. } => "Check whether the booking is on the room's calendar".to_owned(),
        Step::MoveBack { .. } => "Check whether the event is back on the room's calendar".to_owned(),
    };
    let start = event.start.format("%F %H:%MZ");
    let advice = format!("{check}; it started at {start}. {}", sentence(&error.to_string()));
    Outcome::NeedsAttention { event: event.clone(), advice, recheck: error.is_transient() }
}

/// The event that should have been reverted is still there beside the event that it overlaps.
pub(super) fn overlap_remains(event: &EventSnapshot) -> Outcome {
    let start = event.start.format("%F %H:%MZ");
    let advice =
        format!("Two events overlap: look at the room's calendar at {start}, and remove one of them.");
    Outcome::NeedsAttention { event: event.clone(), advice, recheck: false }
}

/// The change was made, but the calendar could not be read for an overlap.
pub(super) fn overlap_unchecked(done: &Done, error: &CalendarError) -> Outcome {
    let advice = format!(
        "The change was made, but the calendar could not be checked for another event at the same time: look at the room's \
         calendar. {}",
        sentence(&error.to_string())
    );
    Outcome::NeedsAttention { event: done.event.clone(), advice, recheck: error.is_transient() }
}
