//! What an action does to an event: one step, or a refusal. Pure; the table of the whole product is in here.
//!
//! | copy | end | delete, telling | delete, silent |
//! | --- | --- | --- | --- |
//! | attendee | `SetEnd`, nobody told | `Decline`, organizer told | `Remove` |
//! | organizer | `SetEnd`, attendees told unless silent | `Cancel`, attendees told | `Remove` |
//! | plain | `SetEnd` | `Remove` | `Remove` |
//!
//! Why an attendee copy is declined rather than deleted: a decline is the only documented way to free the room *and* let
//! the organizer know (MS-OXWSMTGS, `DeclineItem`); a silent removal leaves the organizer believing in the room, and
//! calendar repair may put the meeting back.

use chrono::{DateTime, DurationRound, TimeDelta, Utc};

use super::Capabilities;
use super::select::times;
use crate::action::{
    Action, ActionKind, AllDay, Change, DeleteMode, Done, EventSnapshot, IrreversibleReason, NoChangeReason,
    Notified, Notify, Refusal, Reversibility, Step, Target,
};
use crate::calendar::occupancy::{EndFixedReason, may_move_end};
use crate::calendar::{Copy, Event, EventKind};

/// A step and the answer it leads to when it is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// What to send.
    pub step: Step,
    /// What to answer.
    pub done: Done,
}

/// Why there is no step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlanError {
    /// There is nothing to do.
    NoChange(NoChangeReason),
    /// It must not be done.
    Refused(Refusal),
}

impl From<Refusal> for PlanError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// Decides what `action` does to `event` at `now`.
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
        // Planned with what stands around it, in `extend.rs`, and from what the journal knows, in `undo.rs`.
        ActionKind::Extend { .. } | ActionKind::Book { .. } | ActionKind::Undo { .. } => {
            Err(Refusal::NothingToUndo.into())
        }
    }
}

/// A series is touched only by who means the series, and only to take it off the calendar: an early end of a series would
/// shorten every date it ever had.
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
    // Of a series, the times are those of its first date; that some lie ahead, whoever asks has seen.
    let is_over = event.end <= now && event.kind != EventKind::Series;
    // A second decline would send the organizer a second message.
    let is_declined = event.is_declined && event.copy == Some(Copy::Attendee);
    if is_declined && !event.is_cancelled && how == DeleteMode::Notify {
        return Err(PlanError::NoChange(NoChangeReason::Declined));
    }
    // A leftover that was cancelled or declined may be cleared away even when its time is over: it never happened.
    if is_over && !event.is_cancelled && !is_declined {
        return Err(Refusal::Over { times: times(event) }.into());
    }
    // Exchange refuses to decline what is cancelled (`ErrorCalendarIsCancelledForDecline`).
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
    let (step, told) = set_end(event, copy, end, notify, server);
    Ok(Plan {
        step,
        done: done(event, copy, Change::Ended { from: event.end, to: end }, told, Reversibility::Reversible),
    })
}

/// The step that moves the end, and who hears of it.
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
        // An attendee or a plain event has nobody to send an update to; asking for one could turn a plain event into
        // a meeting.
        Copy::Attendee | Copy::Plain => Notify::Nobody,
    };
    let told = match notify {
        Notify::Attendees => Notified::Attendees,
        Notify::Nobody => Notified::Nobody,
    };
    (Step::SetEnd { id: event.id.clone(), change_key: event.change_key.clone(), end, notify }, told)
}

/// The end an event gets: this minute's beginning, since calendars think in minutes, and never the start itself, since
/// Exchange refuses an event without length (MS-OXWSCDATA `ErrorCalendarEndDateIsEarlierThanStartDate`).
fn early_end(event: &Event, now: DateTime<Utc>) -> DateTime<Utc> {
    let minute = now.duration_trunc(TimeDelta::minutes(1)).unwrap_or(now);
    if minute > event.start { minute } else { event.start + TimeDelta::minutes(1) }
}

fn plan_delete(event: &Event, copy: Copy, how: DeleteMode, reason: Option<&str>) -> Plan {
    let (id, change_key) = (event.id.clone(), event.change_key.clone());
    let text = reason.map(str::to_owned);
    let (step, change, told, undoable) = match (copy, how) {
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
    Plan { step, done: done(event, copy, change, told, undoable) }
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
    told: Notified,
    undoable: Reversibility,
) -> Done {
    Done {
        event: EventSnapshot::from(event),
        copy,
        change,
        notified: told,
        reversibility: undoable,
        dry_run: false,
    }
}
