//! Plans an action on an event: one step, or a refusal. Pure. This table is the core of the product:
//!
//! | copy | end | delete with a message | delete silently |
//! | --- | --- | --- | --- |
//! | attendee | `SetEnd`, no notification | `Decline`, organizer notified | `Remove` |
//! | organizer | `SetEnd`, attendees notified unless silent | `Cancel`, attendees notified | `Remove` |
//! | plain | `SetEnd` | `Remove` | `Remove` |
//!
//! Why an attendee copy is declined rather than deleted: a decline is the only documented way to free the room *and* notify
//! the organizer (MS-OXWSMTGS, `DeclineItem`). After a silent removal the organizer still expects the room, and calendar
//! repair may restore the meeting.

use chrono::{DateTime, DurationRound, TimeDelta, Utc};

use super::Capabilities;
use super::select::times;
use crate::action::{
    Action, ActionKind, AllDay, Change, DeleteMode, Done, EventSnapshot, IrreversibleReason, NoChangeReason,
    Notified, Notify, Refusal, Reversibility, Step, Target,
};
use crate::calendar::occupancy::{EndFixedReason, may_move_end};
use crate::calendar::{Copy, Event, EventKind};

/// A step, and the change to report when it is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The step to send.
    pub step: Step,
    /// The change to report.
    pub done: Done,
}

/// Why no step is planned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlanError {
    /// Nothing has to be changed.
    NoChange(NoChangeReason),
    /// The action is refused.
    Refused(Refusal),
}

impl From<Refusal> for PlanError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// Plans `action` on `event` at `now`.
pub fn plan(
    action: &Action,
    event: &Event,
    now: DateTime<Utc>,
    server: Capabilities,
) -> Result<Plan, PlanError> {
    let copy = event.copy.ok_or(Refusal::UnknownCopy)?;
    check_series(action, event)?;
    match action.kind {
        ActionKind::End(notify) => {
            check_end(action, event, now)?;
            plan_end(event, copy, notify, now, server)
        }
        ActionKind::Delete(how) => {
            check_delete(action, event, how, now)?;
            Ok(plan_delete(event, copy, how, action.reason.as_deref()))
        }
        // `extend.rs` plans these with the events around them, and `undo.rs` from the journal.
        ActionKind::Extend { .. } | ActionKind::Book { .. } | ActionKind::Undo { .. } => {
            Err(Refusal::NothingToUndo.into())
        }
    }
}

/// Only a deletion whose target is a series may change a series: an early end of a series would shorten all its dates, past ones
/// included.
pub(super) fn check_series(action: &Action, event: &Event) -> Result<(), PlanError> {
    let meant = matches!((&action.target, action.kind), (Target::Series { .. }, ActionKind::Delete(_)));
    if meant == (event.kind == EventKind::Series) { Ok(()) } else { Err(Refusal::WholeSeries.into()) }
}

fn check_end(action: &Action, event: &Event, now: DateTime<Utc>) -> Result<(), PlanError> {
    may_move_end(event, now, action.all_day == AllDay::Include).map_err(|fixed| match fixed {
        EndFixedReason::UnknownCopy => Refusal::UnknownCopy.into(),
        EndFixedReason::Over => PlanError::NoChange(NoChangeReason::Over),
        EndFixedReason::Cancelled => Refusal::Cancelled.into(),
        EndFixedReason::Declined => PlanError::NoChange(NoChangeReason::Declined),
        EndFixedReason::NotStarted => Refusal::NotStarted { times: times(event) }.into(),
        EndFixedReason::AllDay => Refusal::AllDay.into(),
    })
}

fn check_delete(
    action: &Action,
    event: &Event,
    how: DeleteMode,
    now: DateTime<Utc>,
) -> Result<(), PlanError> {
    // A series master has the times of its first date, so its end does not show whether dates lie ahead.
    let is_over = event.end <= now && event.kind != EventKind::Series;
    // A second decline would send a second message to the organizer.
    let is_declined = event.is_declined && event.copy == Some(Copy::Attendee);
    if is_declined && !event.is_cancelled && how == DeleteMode::Notify {
        return Err(PlanError::NoChange(NoChangeReason::Declined));
    }
    // A cancelled or declined leftover may be removed even after its end: the meeting did not take place.
    if is_over && !event.is_cancelled && !is_declined {
        return Err(Refusal::Over { times: times(event) }.into());
    }
    // Exchange refuses to decline a cancelled meeting (`ErrorCalendarIsCancelledForDecline`).
    if event.is_cancelled && how == DeleteMode::Notify && event.copy != Some(Copy::Plain) {
        return Err(Refusal::Cancelled.into());
    }
    check_all_day(action, event)
}

fn check_all_day(action: &Action, event: &Event) -> Result<(), PlanError> {
    match action.all_day {
        AllDay::Spare if event.is_all_day => Err(Refusal::AllDay.into()),
        _ => Ok(()),
    }
}

fn plan_end(
    event: &Event,
    copy: Copy,
    notify: Notify,
    now: DateTime<Utc>,
    server: Capabilities,
) -> Result<Plan, PlanError> {
    let end = early_end(event, now);
    if event.end <= end {
        return Err(PlanError::NoChange(NoChangeReason::Over));
    }
    let (step, notified) = set_end(event, copy, end, notify, server);
    Ok(Plan {
        step,
        done: done(
            event,
            copy,
            Change::Ended { from: event.end, to: end },
            notified,
            Reversibility::Reversible,
        ),
    })
}

/// The step that moves the end, and who is notified.
pub(super) fn set_end(
    event: &Event,
    copy: Copy,
    end: DateTime<Utc>,
    notify: Notify,
    server: Capabilities,
) -> (Step, Notified) {
    let notify = match copy {
        Copy::Organizer if !server.can_mute_updates => Notify::Attendees,
        Copy::Organizer => notify,
        // An attendee copy or a plain event has no attendees to update; requesting an update could turn a plain event
        // into a meeting.
        Copy::Attendee | Copy::Plain => Notify::Nobody,
    };
    let notified = match notify {
        Notify::Attendees => Notified::Attendees,
        Notify::Nobody => Notified::Nobody,
    };
    (Step::SetEnd { id: event.id.clone(), change_key: event.change_key.clone(), end, notify }, notified)
}

/// The new end of an event: the beginning of this minute, since calendars show whole minutes, but never the start itself, since
/// Exchange refuses an event without length (MS-OXWSCDATA `ErrorCalendarEndDateIsEarlierThanStartDate`).
fn early_end(event: &Event, now: DateTime<Utc>) -> DateTime<Utc> {
    let minute = now.duration_trunc(TimeDelta::minutes(1)).unwrap_or(now);
    if minute > event.start { minute } else { event.start + TimeDelta::minutes(1) }
}

fn plan_delete(event: &Event, copy: Copy, how: DeleteMode, reason: Option<&str>) -> Plan {
    let (id, change_key) = (event.id.clone(), event.change_key.clone());
    let text = reason.map(str::to_owned);
    let (step, change, notified, reversibility) = match (copy, how) {
        (Copy::Attendee, DeleteMode::Notify) => {
            let no = Reversibility::Irreversible { because: IrreversibleReason::DeclineWasSent };
            (Step::Decline { id, change_key, text }, Change::Declined, Notified::Organizer, no)
        }
        (Copy::Organizer, DeleteMode::Notify) => {
            let no = Reversibility::Irreversible { because: IrreversibleReason::CancellationWasSent };
            (Step::Cancel { id, change_key, text }, Change::Cancelled, Notified::Attendees, no)
        }
        (Copy::Plain, _) | (_, DeleteMode::Silent) => (
            Step::Remove { id, change_key },
            Change::Removed,
            Notified::Nobody,
            removal_reversibility(event.kind),
        ),
    };
    Plan { step, done: done(event, copy, change, notified, reversibility) }
}

fn removal_reversibility(kind: EventKind) -> Reversibility {
    match kind {
        EventKind::Single => Reversibility::Reversible,
        EventKind::Series => Reversibility::Irreversible { because: IrreversibleReason::SeriesWent },
        EventKind::Occurrence | EventKind::Exception => {
            Reversibility::Irreversible { because: IrreversibleReason::OccurrenceLeavesNothing }
        }
    }
}

pub(super) fn done(
    event: &Event,
    copy: Copy,
    change: Change,
    notified: Notified,
    reversibility: Reversibility,
) -> Done {
    Done { event: EventSnapshot::from(event), copy, change, notified, reversibility, dry_run: false }
}
