//! What must have happened, told from what the mailbox shows now. Pure.
//!
//! A write whose answer was lost has either landed or not, and the mailbox knows. The `ChangeKey` makes the difference
//! sharp: an item that still has the key the write was guarded with was not written to.

use super::select::times;
use crate::action::{ActionId, Done, NoChangeReason, Notified, Outcome, Step};
use crate::calendar::Event;

/// What the mailbox shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Observation {
    /// What we wanted has happened.
    Applied,
    /// The calendar shows it, and nothing shows whether the message about it was sent.
    AppliedMaybeNotified,
    /// It has happened, and may well be the late doing of this earlier action of ours, which was closed in doubt.
    AppliedBy(ActionId),
    /// The item is as it was: the write did not happen (yet).
    Unchanged,
    /// The write did not happen, or was taken back: somebody else wrote. To be decided about again.
    Modified,
    /// The item is gone, and it makes no difference any more whether the write happened.
    Gone,
    /// It cannot be told any more: somebody else was there since.
    Indeterminate,
}

impl Observation {
    /// The end of the action, where there is nothing left to do.
    pub(super) fn outcome(self, done: &Done) -> Option<Outcome> {
        let already = |why| Some(Outcome::AlreadyDone { why });
        match self {
            Self::Applied => Some(Outcome::Done(done.clone())),
            Self::AppliedMaybeNotified => {
                Some(Outcome::Done(Done { notified: Notified::Unknown, ..done.clone() }))
            }
            Self::AppliedBy(action) => already(NoChangeReason::ByAction { action }),
            Self::Gone => already(NoChangeReason::Gone),
            Self::Unchanged | Self::Modified | Self::Indeterminate => None,
        }
    }
}

/// Compares the item after a doubtful write with the item before it. An item of another id was found by its UID: it was
/// moved, or made anew by an update or by calendar repair, from whichever of its versions. `left` says whether what is
/// gone under its id was left where our steps leave it.
pub(super) fn reconcile(step: &Step, before: &Event, after: Option<&Event>, left: bool) -> Observation {
    match step {
        Step::SetEnd { end, .. } => match after {
            None => Observation::Gone,
            // Its end may be one that somebody, or an earlier action, had set before ours was gone. Only a date of a series
            // is the same one under another id: an update makes it an exception.
            Some(after) if after.id != before.id && !is_date(before) => Observation::Indeterminate,
            Some(after) if after.end == *end && after.start == before.start => applied(!step.sends_mail()),
            Some(after) if after.id != before.id => Observation::Indeterminate,
            Some(after) if after.change_key == before.change_key => Observation::Unchanged,
            Some(after) if times(after) == times(before) => Observation::Modified,
            Some(_) => Observation::Indeterminate,
        },
        // Found by its UID. It is never sent twice: nothing would keep the second one from being made.
        Step::Book { .. } => after.map_or(Observation::Unchanged, |_| Observation::Applied),
        // These move the item away, in the operation that sends the message; a calendar that keeps declined or cancelled items
        // marks it.
        Step::Decline { .. } | Step::Cancel { .. }
            if after.is_some_and(|after| is_marked(step, before, after)) =>
        {
            applied(left)
        }
        Step::Decline { .. } | Step::Cancel { .. } | Step::Remove { .. } => match after {
            Some(after) if after.id == before.id && after.change_key == before.change_key => {
                Observation::Unchanged
            }
            Some(after) if after.id == before.id => Observation::Modified,
            _ if left => Observation::Applied,
            None if matches!(step, Step::Remove { .. }) => Observation::Gone,
            _ => Observation::Indeterminate,
        },
        // Moved, so under another id: found on the calendar by its UID.
        Step::MoveBack { .. } => match after {
            Some(after) if after.id != before.id => Observation::Applied,
            Some(after) if after.change_key == before.change_key => Observation::Unchanged,
            Some(_) => Observation::Modified,
            None => Observation::Indeterminate,
        },
    }
}

fn applied(is_told_known: bool) -> Observation {
    if is_told_known { Observation::Applied } else { Observation::AppliedMaybeNotified }
}

/// The item is still on the calendar, and shows that the step was carried out.
pub(super) fn is_marked(step: &Step, before: &Event, after: &Event) -> bool {
    match step {
        Step::Decline { .. } => after.is_declined && !before.is_declined,
        Step::Cancel { .. } => after.is_cancelled && !before.is_cancelled,
        Step::SetEnd { .. } | Step::Remove { .. } | Step::Book { .. } | Step::MoveBack { .. } => false,
    }
}

/// One date of a series: its UID and its place in the series name one item, whatever its id is.
fn is_date(event: &Event) -> bool {
    event.original_start.is_some() && event.kind.is_date_of_series()
}
