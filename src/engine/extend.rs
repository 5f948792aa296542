//! Plans the extension of an event, to the beginning of the next event at the latest. Pure.

use chrono::{DateTime, TimeDelta, Utc};

use super::capabilities::Capabilities;
use super::plan::{EndMove, Plan, PlanError, check_no_series, check_whole_days, set_end};
use super::undo::conflict_with;
use crate::action::{AllDay, Notify, Refusal, ResponsibleParty, TimeRange};
use crate::calendar::occupancy::{EndFixedReason, conflicts, free_until, may_move_end};
use crate::calendar::{Event, Window};

/// The time that an extension would add; the calendar is read in this window before planning.
pub(super) fn extension_window(event: &Event, minutes: u16) -> Result<Window, Refusal> {
    let end = event.end + TimeDelta::minutes(minutes.into());
    Window::new(event.end, end).map_err(|_| no_length("an extension takes at least a minute"))
}

/// The refusal of a request for no time at all. HTTP API and command line accept no such request.
pub(super) fn no_length(advice: &str) -> Refusal {
    let (responsible, advice) = (ResponsibleParty::Caller, advice.to_owned());
    Refusal::Exchange { responsible, advice, code: "minutes".to_owned() }
}

/// Plans the extension of `event`, where `around` holds all events in the added time.
pub(super) fn plan_extend(
    all_day: AllDay,
    event: &Event,
    (wanted, around): (Window, &[Event]),
    now: DateTime<Utc>,
    server: Capabilities,
) -> Result<Plan, PlanError> {
    let copy = event.copy.ok_or(Refusal::UnknownCopy)?;
    check_no_series(event)?;
    check_whole_days(event, server)?;
    may_move_end(event, now, all_day == AllDay::Include).map_err(|fixed| extension_refused(fixed, event))?;
    let until = match event.occupies_room() {
        true => free_until(around, Some(&event.id), &wanted),
        false => wanted.end(),
    };
    if until <= event.end {
        return Err(conflict_with(conflicts(around, Some(&event.id), &wanted)).into());
    }
    Ok(set_end(event, copy, EndMove::Later(until), Notify::Attendees, server))
}

fn extension_refused(fixed: EndFixedReason, event: &Event) -> Refusal {
    match fixed {
        EndFixedReason::UnknownCopy => Refusal::UnknownCopy,
        EndFixedReason::Over | EndFixedReason::NotStarted => {
            Refusal::NotCurrent { times: TimeRange::from(event) }
        }
        EndFixedReason::Cancelled => Refusal::Cancelled,
        EndFixedReason::Declined => Refusal::Declined,
        EndFixedReason::AllDay => Refusal::AllDay,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_for_no_time_is_the_callers_mistake() {
        let event = Event::sample("a", DateTime::UNIX_EPOCH, DateTime::UNIX_EPOCH + TimeDelta::hours(1));
        let refusal = extension_window(&event, 0).unwrap_err();
        assert_eq!(refusal.responsible(), ResponsibleParty::Caller);
        assert!(refusal.is_final() && !refusal.is_retryable());
    }
}
