//! What must have happened, told from what the mailbox shows now. Pure.
//!
//! A write whose answer was lost has either landed or not, and the mailbox knows. The `ChangeKey` makes the difference
//! sharp: an item that still has the key the write was guarded with was not written to.

use super::Step;
use crate::calendar::Event;

/// What the mailbox shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// What we wanted has happened.
    Landed,
    /// The item is as it was: the write did not happen (yet).
    Untouched,
    /// The item is neither as it was nor as we wanted it: somebody else was there.
    Changed,
}

/// Compares the item after a doubtful write with the item before it. `left` says whether what is gone from the calendar
/// was left where our steps leave it.
pub(super) fn reconcile(step: &Step, before: &Event, after: Option<&Event>, left: bool) -> Found {
    match (step, after) {
        (Step::SetEnd { end, .. }, Some(after)) if after.end == *end && after.start == before.start => {
            Found::Landed
        }
        (Step::SetEnd { .. } | Step::MoveBack { .. }, None) => Found::Changed,
        // Moved, so under another id: on the calendar, where it was found by its UID.
        (Step::MoveBack { .. }, Some(after)) if after.id != before.id => Found::Landed,
        // Declining and cancelling move the copy away in the same operation that sends the message.
        (Step::Decline { .. } | Step::Cancel { .. } | Step::Remove { .. }, None) => {
            if left {
                Found::Landed
            } else {
                Found::Changed
            }
        }
        (_, Some(after)) if after.change_key == before.change_key => Found::Untouched,
        (_, Some(_)) => Found::Changed,
    }
}
