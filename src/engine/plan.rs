//! Plans an action on an event: one step, or a refusal. Pure. This table is the core of the product:
//!
//! | copy | end | delete with a message | delete silently |
//! | --- | --- | --- | --- |
//! | attendee | `SetEnd`, no notification | `Decline`, organizer notified | `Remove` |
//! | organizer | `SetEnd`, attendees notified unless silent | `Cancel`, attendees notified | `Remove` |
//! | plain | `SetEnd` | `Remove` | `Remove` |
//!
//! The capabilities of the room's server limit it: where the server cannot be silent, a silent end or removal is refused.
//!
//! Why an attendee copy is declined rather than deleted: a decline is the only documented way to free the room *and* notify
//! the organizer (MS-OXWSMTGS, `DeclineItem`). After a silent removal the organizer still expects the room, and calendar
//! repair may restore the meeting.

use chrono::{DateTime, DurationRound, TimeDelta, Utc};

use super::capabilities::{Capabilities, SilentRemoval};
use super::options::EngineOptions;
use crate::action::{
    Action, ActionKind, AllDay, Change, DeleteMode, Done, EventSnapshot, IrreversibleReason, NoChangeReason,
    Notified, Notify, ReasonText, Refusal, ResponsibleParty, Reversibility, Step, Target, TimeRange,
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

/// A request to end or to delete an event: the kinds of action whose plan depends on that event alone. `extend.rs` plans with the
/// events around it, `booking.rs` without an event, and `undo.rs` from the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndOrDelete<'a> {
    /// End the event now.
    End {
        /// Who receives an update.
        notify: Notify,
        /// Whether an all-day event may be ended.
        all_day: AllDay,
    },
    /// Remove the event from the calendar.
    Delete {
        /// With a message or without.
        mode: DeleteMode,
        /// Whether an all-day event may be removed.
        all_day: AllDay,
        /// The text of the message.
        reason: Option<&'a str>,
        /// Whether the request names a whole series.
        is_series: bool,
    },
}

impl<'a> EndOrDelete<'a> {
    /// The request of an action; `None` for other kinds.
    pub fn of(action: &'a Action) -> Option<Self> {
        let (all_day, reason) = (action.all_day, action.reason.as_ref().map(ReasonText::as_str));
        match action.kind {
            ActionKind::End(notify) => Some(Self::End { notify, all_day }),
            ActionKind::Delete(mode) => {
                let is_series = matches!(action.target, Target::Series { .. });
                Some(Self::Delete { mode, all_day, reason, is_series })
            }
            ActionKind::Extend(_) | ActionKind::Book(_) | ActionKind::Undo { .. } => None,
        }
    }
}

/// Plans the request on `event` at `now`.
///
/// # Errors
/// When nothing has to be changed, or the request is refused.
pub fn plan(
    request: EndOrDelete<'_>,
    event: &Event,
    now: DateTime<Utc>,
    server: Capabilities,
) -> Result<Plan, PlanError> {
    let copy = event.copy.ok_or(Refusal::UnknownCopy)?;
    match request {
        EndOrDelete::End { notify, all_day } => {
            check_no_series(event)?;
            check_end(event, all_day, now)?;
            plan_end(event, copy, notify, now, server)
        }
        EndOrDelete::Delete { mode, all_day, reason, is_series } => {
            if is_series != (event.kind == EventKind::Series) {
                return Err(Refusal::WholeSeries.into());
            }
            check_delete(event, mode, all_day, now)?;
            plan_delete(event, copy, mode, reason, server)
        }
    }
}

/// Only a deletion whose target is a series may change a series: an early end of a series would shorten all its dates, past ones
/// included.
pub(super) fn check_no_series(event: &Event) -> Result<(), Refusal> {
    if event.kind == EventKind::Series { Err(Refusal::WholeSeries) } else { Ok(()) }
}

fn check_end(event: &Event, all_day: AllDay, now: DateTime<Utc>) -> Result<(), PlanError> {
    may_move_end(event, now, all_day == AllDay::Include).map_err(|fixed| match fixed {
        EndFixedReason::UnknownCopy => Refusal::UnknownCopy.into(),
        EndFixedReason::Over => PlanError::NoChange(NoChangeReason::Over),
        EndFixedReason::Cancelled => Refusal::Cancelled.into(),
        EndFixedReason::Declined => PlanError::NoChange(NoChangeReason::Declined),
        EndFixedReason::NotStarted => Refusal::NotStarted { times: TimeRange::from(event) }.into(),
        EndFixedReason::AllDay => Refusal::AllDay.into(),
    })
}

fn check_delete(
    event: &Event,
    mode: DeleteMode,
    all_day: AllDay,
    now: DateTime<Utc>,
) -> Result<(), PlanError> {
    // A series master has the times of its first date, so its end does not show whether dates lie ahead.
    let is_over = event.end <= now && event.kind != EventKind::Series;
    // A second decline would send a second message to the organizer.
    let is_declined = event.is_declined && event.copy == Some(Copy::Attendee);
    if is_declined && !event.is_cancelled && mode == DeleteMode::Notify {
        return Err(PlanError::NoChange(NoChangeReason::Declined));
    }
    // A cancelled or declined leftover may be removed even after its end: the meeting did not take place.
    if is_over && !event.is_cancelled && !is_declined {
        return Err(Refusal::Over { times: TimeRange::from(event) }.into());
    }
    // Exchange refuses to decline a cancelled meeting (`ErrorCalendarIsCancelledForDecline`).
    if event.is_cancelled && mode == DeleteMode::Notify && event.copy != Some(Copy::Plain) {
        return Err(Refusal::Cancelled.into());
    }
    match all_day {
        AllDay::Spare if event.is_all_day => Err(Refusal::AllDay.into()),
        AllDay::Spare | AllDay::Include => Ok(()),
    }
}

/// Refuses what cannot be undone, where the configuration forbids it.
pub(super) fn check_reversible(
    plan: &Plan,
    server: Capabilities,
    options: &EngineOptions,
) -> Result<(), Refusal> {
    // A booking in place of a removed event brings back its time alone.
    let loses_more = plan.done.change == Change::Removed && !server.can_restore();
    let is_reversible = plan.done.reversibility == Reversibility::Reversible && !loses_more;
    if options.forbid_irreversible && !is_reversible { Err(Refusal::IrreversibleForbidden) } else { Ok(()) }
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
    check_whole_days(event, server)?;
    if server.effective_notify(Some(copy), notify) != notify {
        return Err(Refusal::ServerAlwaysNotifies.into()); // silence was requested
    }
    Ok(set_end(event, copy, EndMove::Earlier(end), notify, server))
}

/// Refuses a new end of an all-day event where the server keeps whole days only.
pub(super) fn check_whole_days(event: &Event, server: Capabilities) -> Result<(), Refusal> {
    match event.is_all_day && !server.can_end_all_day {
        true => Err(Refusal::Exchange {
            responsible: ResponsibleParty::Caller,
            advice: "delete the all-day event: its server keeps whole days, and sets no other end".to_owned(),
            code: "isAllDay".to_owned(),
        }),
        false => Ok(()),
    }
}

/// A new end, before or after the present one.
#[derive(Debug, Clone, Copy)]
pub(super) enum EndMove {
    Earlier(DateTime<Utc>),
    Later(DateTime<Utc>),
}

/// Plans a new end: the step and the change to report have the same two instants.
pub(super) fn set_end(
    event: &Event,
    copy: Copy,
    new_end: EndMove,
    notify: Notify,
    server: Capabilities,
) -> Plan {
    let notify = match copy {
        Copy::Organizer => server.effective_notify(Some(copy), notify),
        // An attendee copy or a plain event has no attendees to update; requesting an update could turn a plain event
        // into a meeting.
        Copy::Attendee | Copy::Plain => Notify::Nobody,
    };
    let notified = match notify {
        Notify::Attendees => Notified::Attendees,
        Notify::Nobody => Notified::Nobody,
    };
    let from = event.end;
    let (end, change) = match new_end {
        EndMove::Earlier(to) => (to, Change::Ended { from, to }),
        EndMove::Later(to) => (to, Change::Extended { from, to }),
    };
    let step = Step::SetEnd { id: event.id.clone(), change_key: event.change_key.clone(), end, notify };
    Plan { step, done: done(event, copy, change, notified, Reversibility::Reversible) }
}

/// The new end of an event: the beginning of this minute, since calendars show whole minutes, but never the start itself, since
/// Exchange refuses an event without length (MS-OXWSCDATA `ErrorCalendarEndDateIsEarlierThanStartDate`).
fn early_end(event: &Event, now: DateTime<Utc>) -> DateTime<Utc> {
    let minute = now.duration_trunc(TimeDelta::minutes(1)).unwrap_or(now);
    if minute > event.start { minute } else { event.start + TimeDelta::minutes(1) }
}

fn plan_delete(
    event: &Event,
    copy: Copy,
    mode: DeleteMode,
    reason: Option<&str>,
    server: Capabilities,
) -> Result<Plan, PlanError> {
    let (id, change_key) = (event.id.clone(), event.change_key.clone());
    let text = reason.map(str::to_owned);
    let (step, change, notified, reversibility) = match (copy, mode) {
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
            removal_notifies(Some(copy), server)?,
            removal_reversibility(event, server),
        ),
    };
    Ok(Plan { step, done: done(event, copy, change, notified, reversibility) })
}

/// Who is notified of a silent removal; refused where the server cannot do one.
pub(super) fn removal_notifies(copy: Option<Copy>, server: Capabilities) -> Result<Notified, Refusal> {
    match server.silent_removal_of(copy) {
        SilentRemoval::Unnoticed => Ok(Notified::Nobody),
        SilentRemoval::ShownAsDeclined => Ok(Notified::OrganizerSeesDecline),
        SilentRemoval::Impossible => Err(Refusal::ServerAlwaysNotifies),
    }
}

fn removal_reversibility(event: &Event, server: Capabilities) -> Reversibility {
    match event.kind {
        EventKind::Single if server.can_bring_back(event) => Reversibility::Reversible,
        EventKind::Single => Reversibility::Irreversible { because: IrreversibleReason::ServerCannotRestore },
        EventKind::Series => Reversibility::Irreversible { because: IrreversibleReason::SeriesWent },
        EventKind::Occurrence | EventKind::Exception => {
            Reversibility::Irreversible { because: IrreversibleReason::OccurrenceLeavesNothing }
        }
    }
}

fn done(event: &Event, copy: Copy, change: Change, notified: Notified, reversibility: Reversibility) -> Done {
    Done { event: EventSnapshot::from(event), copy, change, notified, reversibility, dry_run: false }
}

#[cfg(test)]
mod tests {
    use super::super::capabilities::{ReadableTraces, SilentRemovals};
    use super::*;

    fn silently(event: &Event, server: Capabilities) -> Result<Plan, PlanError> {
        plan_delete(event, Copy::Attendee, DeleteMode::Silent, None, server)
    }

    fn of(attendee: SilentRemoval) -> Capabilities {
        Capabilities {
            silent_removal: SilentRemovals { attendee, ..Capabilities::ALL.silent_removal },
            ..Capabilities::ALL
        }
    }

    #[test]
    fn a_silent_removal_claims_no_more_than_the_server_can() {
        let start = DateTime::<Utc>::UNIX_EPOCH;
        let event = Event::sample("A", start, start + TimeDelta::hours(1));
        let notified = |removal| silently(&event, of(removal)).map(|plan| plan.done.notified);
        assert_eq!(notified(SilentRemoval::Unnoticed), Ok(Notified::Nobody));
        assert_eq!(notified(SilentRemoval::ShownAsDeclined), Ok(Notified::OrganizerSeesDecline));
        let refused = Err(PlanError::Refused(Refusal::ServerAlwaysNotifies));
        assert_eq!(notified(SilentRemoval::Impossible), refused);
    }

    #[test]
    fn an_all_day_event_gets_no_other_end_where_the_server_keeps_whole_days() {
        let start = DateTime::<Utc>::UNIX_EPOCH;
        let (now, end) = (start + TimeDelta::hours(9), start + TimeDelta::hours(24));
        let event = Event { is_all_day: true, ..Event::sample("A", start, end) };
        let planned = |event: &Event, server| plan_end(event, Copy::Attendee, Notify::Nobody, now, server);
        assert!(planned(&event, Capabilities::ALL).is_ok());
        let whole_days = Capabilities { can_end_all_day: false, ..Capabilities::ALL };
        let refused = planned(&event, whole_days).unwrap_err();
        assert!(matches!(refused, PlanError::Refused(Refusal::Exchange { code, .. }) if code == "isAllDay"));
        assert!(planned(&Event { is_all_day: false, ..event }, whole_days).is_ok());
    }

    #[test]
    fn a_removal_is_reversible_only_where_the_event_can_be_found_and_moved_back() {
        let start = DateTime::<Utc>::UNIX_EPOCH;
        let event = Event::sample("A", start, start + TimeDelta::hours(1));
        let reversibility = |server| silently(&event, server).map(|plan| plan.done.reversibility);
        assert_eq!(reversibility(Capabilities::ALL), Ok(Reversibility::Reversible));
        let because = IrreversibleReason::ServerCannotRestore;
        let traces = ReadableTraces { deleted_items: false, ..Capabilities::ALL.traces };
        for server in [
            Capabilities { can_move_back: false, ..Capabilities::ALL },
            Capabilities { traces, ..Capabilities::ALL },
        ] {
            assert_eq!(reversibility(server), Ok(Reversibility::Irreversible { because }));
        }
    }
}
