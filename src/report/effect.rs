//! What one action did to the time of its room: released, extended or booked it, or reverted an earlier action. Pure; it knows
//! nothing besides the action's record and the record of the action that it undid.
//!
//! | change | by | effect | time |
//! | --- | --- | --- | --- |
//! | ended | a person or program | ended early | old end − new end |
//! | removed, declined, cancelled | a person or program | removed | planned end − the later of start and request |
//! | any of these | the check-in rule | no-show | the same |
//! | any of these | another rule of a sweep | released by another rule | the same |
//! | extended | anyone | extended | new end − old end |
//! | booked | anyone | booked | its length |
//! | undo of one of these | anyone | undone | the time of the undone action |
//!
//! Whole series, all-day events and events that take no time (cancelled, declined, shown as Free) are counted without a time.

use chrono::{DateTime, TimeDelta, Utc};

use crate::action::{ActionKind, Actor, Change, Done};
use crate::calendar::{Event, EventKind};
use crate::cleanup::Rule;
use crate::journal::ActionRecord;

/// The effect of an action that is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// Time of the room was released.
    Released {
        cause: ReleaseCause,
        /// `None` where the journal does not have it.
        time: Option<TimeDelta>,
    },
    /// An event was extended by this time.
    Extended(TimeDelta),
    /// The room was booked for this time.
    Booked(TimeDelta),
    /// An earlier action was reverted.
    Undone(Reverted),
}

/// Why time was released.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReleaseCause {
    /// The check-in rule found nobody.
    NoShow,
    /// A person or program ended the event.
    EndedEarly,
    /// A person or program removed the event.
    Removed,
    /// Another rule of a sweep: cancelled leftovers, organizers who left, strikes.
    OtherRule,
}

/// What an undo reverted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reverted {
    Release {
        /// The undone action was a release by the check-in rule.
        was_no_show: bool,
        /// `None` where the journal does not have it.
        time: Option<TimeDelta>,
    },
    Extension(TimeDelta),
    Booking(TimeDelta),
}

/// The effect of an action. `undone` is the record of the action that it reverted, if the journal has it.
///
/// `None` unless the action is done; a dry run has no effect.
pub(super) fn effect(record: &ActionRecord, undone: Option<&ActionRecord>) -> Option<Effect> {
    let done = record.done().filter(|done| !done.dry_run)?;
    let is_undo = matches!(record.action.kind, ActionKind::Undo { .. });
    Some(match done.change {
        Change::Booked if !is_undo => Effect::Booked(length(done)),
        Change::Removed if is_undo => Effect::Undone(Reverted::Booking(length(done))),
        Change::Ended { .. } | Change::Removed | Change::Declined | Change::Cancelled => {
            Effect::Released { cause: cause(&record.action.actor, done.change), time: released_time(record) }
        }
        Change::Extended { from, to } => Effect::Extended(to - from),
        Change::EndRestored { from, to } if to < from => Effect::Undone(Reverted::Extension(from - to)),
        Change::EndRestored { from, to } => {
            let time = takes_time(record).then_some(to - from);
            Effect::Undone(Reverted::Release { was_no_show: was_no_show(undone), time })
        }
        // Where nothing is moved back, the undo of a removal books the time again.
        Change::MovedBack | Change::Booked => {
            let time = undone.and_then(released_time);
            Effect::Undone(Reverted::Release { was_no_show: was_no_show(undone), time })
        }
    })
}

fn cause(actor: &Actor, change: Change) -> ReleaseCause {
    match (actor.rule(), change) {
        (Some(rule), _) if rule == Rule::NoCheckIn.to_string() => ReleaseCause::NoShow,
        (Some(_), _) => ReleaseCause::OtherRule,
        (None, Change::Ended { .. }) => ReleaseCause::EndedEarly,
        (None, _) => ReleaseCause::Removed,
    }
}

fn was_no_show(undone: Option<&ActionRecord>) -> bool {
    let effect = undone.and_then(|record| effect(record, None));
    matches!(effect, Some(Effect::Released { cause: ReleaseCause::NoShow, .. }))
}

/// The planned time that an end or a removal released; `None` where it is not known.
fn released_time(record: &ActionRecord) -> Option<TimeDelta> {
    let done = record.done().filter(|_| takes_time(record))?;
    match done.change {
        Change::Ended { from, to } => Some(from - to),
        Change::Removed | Change::Declined | Change::Cancelled => Some(remaining(done, record.accepted_at)),
        _ => None,
    }
}

/// The planned time of the event from this instant on.
fn remaining(done: &Done, at: DateTime<Utc>) -> TimeDelta {
    (done.event.end - done.event.start.max(at)).max(TimeDelta::zero())
}

fn length(done: &Done) -> TimeDelta {
    (done.event.end - done.event.start).max(TimeDelta::zero())
}

/// Whether the event has a time that can be counted in hours.
fn takes_time(record: &ActionRecord) -> bool {
    event(record)
        .is_some_and(|event| event.occupies_room() && !event.is_all_day && event.kind != EventKind::Series)
}

/// The event as it was before the action.
pub(super) fn event(record: &ActionRecord) -> Option<&Event> {
    record.intent.as_ref().map(|intent| &intent.before)
}
