//! Compares the mailbox with a write whose reply was lost, to find out whether the write was applied. Pure.
//!
//! The `ChangeKey` decides: an item that still has the key that guarded the write was not written to.

use super::attempt::Before;
use super::backend::TraceLookup;
use crate::action::{ActionId, Done, NoChangeReason, Notified, Outcome, Step, TimeRange};
use crate::calendar::Event;

/// What the mailbox shows about a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Observation {
    /// The write was applied.
    Applied,
    /// The write was applied, but the mailbox does not show whether a message was sent.
    AppliedMaybeNotified,
    /// The change is there, possibly from a late request of this earlier action, which was closed in doubt.
    AppliedBy(ActionId),
    /// The item is unchanged: the write was not applied (yet).
    Unchanged,
    /// The write was not applied, or was reverted: someone else changed the item. Plan again.
    Modified,
    /// The item is gone, so it no longer matters whether the write was applied.
    Gone,
    /// The mailbox does not show it: someone else changed the item since, or the account cannot search the folder of the trace.
    Indeterminate,
}

impl Observation {
    /// The outcome, if nothing is left to do.
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

/// Compares the item after a doubtful write with the calendar before it. `trace`: whether Sent Items or Deleted Items contain the
/// item that our step leaves there.
pub(super) fn reconcile(
    step: &Step,
    before: &Before,
    after: Option<&Event>,
    trace: TraceLookup,
) -> Observation {
    match before {
        Before::Event(before) => reconcile_event(step, before, after, trace),
        // Found by its UID. A booking is never sent twice: Exchange would create a second item.
        Before::Draft(_) => after.map_or(Observation::Unchanged, |_| Observation::Applied),
    }
}

/// Compares the item after a doubtful write with the item before it. An item with another id was found by its UID: it was
/// moved, or created again by an update or by calendar repair, from any of its versions, or the room moved to a server with
/// other ids. If it still has its `ChangeKey`, it is the same version: servers of one mailbox have the same keys.
fn reconcile_event(step: &Step, before: &Event, after: Option<&Event>, trace: TraceLookup) -> Observation {
    match step {
        Step::SetEnd { end, .. } => match after {
            None => Observation::Gone,
            Some(after) if after.id != before.id && is_same_version(before, after) => Observation::Unchanged,
            // Its end may have been set by someone else, or by an earlier action. Only a date of a series keeps its identity under
            // another id: an update turns an occurrence into an exception.
            Some(after) if after.id != before.id && !is_date(before) => Observation::Indeterminate,
            Some(after) if after.end == *end && after.start == before.start => applied(!step.sends_mail()),
            Some(after) if after.id != before.id => Observation::Indeterminate,
            Some(after) if after.change_key == before.change_key => Observation::Unchanged,
            Some(after) if TimeRange::from(after) == TimeRange::from(before) => Observation::Modified,
            Some(_) => Observation::Indeterminate,
        },
        // A booking has a draft before it, and no event.
        Step::Book { .. } => Observation::Indeterminate,
        // The operation that sends the message also moves the item away; a calendar that keeps declined or cancelled items marks
        // it instead.
        Step::Decline { .. } | Step::Cancel { .. }
            if after.is_some_and(|after| is_marked(step, before, after)) =>
        {
            applied(trace == TraceLookup::Found)
        }
        Step::Decline { .. } | Step::Cancel { .. } | Step::Remove { .. } => match after {
            Some(after) if is_same_version(before, after) => Observation::Unchanged,
            Some(after) if after.id == before.id => Observation::Modified,
            _ if trace == TraceLookup::Found => Observation::Applied,
            // Where Deleted Items cannot be searched, our step and a removal by someone else look the same.
            None if matches!(step, Step::Remove { .. }) && trace == TraceLookup::NotFound => {
                Observation::Gone
            }
            _ => Observation::Indeterminate,
        },
        // A moved item has another id, and is found on the calendar by its UID.
        Step::MoveBack { .. } => match after {
            Some(after) if after.id != before.id => Observation::Applied,
            Some(after) if after.change_key == before.change_key => Observation::Unchanged,
            Some(_) => Observation::Modified,
            None => Observation::Indeterminate,
        },
    }
}

/// Whether this is the version before, under its id or under that of another server of the same mailbox.
pub(super) fn is_same_version(before: &Event, after: &Event) -> bool {
    let same_times = TimeRange::from(after) == TimeRange::from(before);
    after.change_key == before.change_key && (after.id == before.id || same_times)
}

fn applied(is_told_known: bool) -> Observation {
    if is_told_known { Observation::Applied } else { Observation::AppliedMaybeNotified }
}

/// Whether the item is still on the calendar with the mark that the step leaves.
pub(super) fn is_marked(step: &Step, before: &Event, after: &Event) -> bool {
    match step {
        Step::Decline { .. } => after.is_declined && !before.is_declined,
        Step::Cancel { .. } => after.is_cancelled && !before.is_cancelled,
        Step::SetEnd { .. } | Step::Remove { .. } | Step::Book { .. } | Step::MoveBack { .. } => false,
    }
}

/// Whether the event is one date of a series: UID and place in the series identify it, whatever its id.
fn is_date(event: &Event) -> bool {
    event.original_start.is_some() && event.kind.is_date_of_series()
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};

    use super::*;

    fn meeting() -> Event {
        let start = DateTime::<Utc>::UNIX_EPOCH;
        Event::sample("A", start, start + TimeDelta::hours(1))
    }

    #[test]
    fn an_event_that_is_gone_is_nobodys_deed_where_no_folder_can_be_searched() {
        let before = meeting();
        let (id, change_key) = (before.id.clone(), before.change_key.clone());
        let remove = Step::Remove { id: id.clone(), change_key: change_key.clone() };
        let decline = Step::Decline { id, change_key, text: None };
        for (step, trace, expected) in [
            (&remove, TraceLookup::Found, Observation::Applied),
            (&remove, TraceLookup::NotFound, Observation::Gone),
            (&remove, TraceLookup::Unknown, Observation::Indeterminate),
            (&decline, TraceLookup::Found, Observation::Applied),
            (&decline, TraceLookup::NotFound, Observation::Indeterminate),
            (&decline, TraceLookup::Unknown, Observation::Indeterminate),
        ] {
            assert_eq!(reconcile_event(step, &before, None, trace), expected, "{step:?} {trace:?}");
        }
    }

    #[test]
    fn a_mark_without_a_readable_message_does_not_prove_the_notification() {
        let before = meeting();
        let marked = Event { is_declined: true, ..meeting() };
        let step = Step::Decline { id: before.id.clone(), change_key: before.change_key.clone(), text: None };
        let observed = |trace| reconcile_event(&step, &before, Some(&marked), trace);
        assert_eq!(observed(TraceLookup::Found), Observation::Applied);
        assert_eq!(observed(TraceLookup::Unknown), Observation::AppliedMaybeNotified);
    }
}
