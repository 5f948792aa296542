//! Plans the extension of an event, to the beginning of the next event at the latest. Pure.

use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};

use super::booking_time::{LENGTH_MAX, check_range};
use super::capabilities::Capabilities;
use super::plan::{EndMove, Plan, PlanError, check_no_series, check_whole_days, set_end};
use super::undo::conflict_with;
use crate::action::{AllDay, Notify, Refusal, RequestedBound, RequestedEnd, ResponsibleParty, TimeRange};
use crate::calendar::occupancy::{EndFixedReason, conflicts, free_until, may_move_end};
use crate::calendar::{Event, Window};

/// The time that an extension would add; the calendar is read in this window before planning.
pub(super) fn extension_window(event: &Event, until: RequestedEnd) -> Result<Window, Refusal> {
    let end = match until {
        RequestedEnd::AtMost(minutes) => event.end + TimeDelta::minutes(minutes.get().into()),
        RequestedEnd::At(end) => {
            let end = end.trunc_subsecs(0);
            let range = (event.end + EXTENSION_MIN, event.end + LENGTH_MAX);
            check_range(RequestedBound::End, end, range)?;
            end
        }
    };
    Window::new(event.end, end).map_err(|_| no_length("an extension takes at least a minute"))
}

/// The shortest extension to a named end: an event that was ended before may end within a minute.
const EXTENSION_MIN: TimeDelta = TimeDelta::seconds(1);

/// The refusal of a request for no time at all. HTTP API and command line accept no such request.
pub(super) fn no_length(advice: &str) -> Refusal {
    let (responsible, advice) = (ResponsibleParty::Caller, advice.to_owned());
    Refusal::Exchange { responsible, advice, code: "minutes".to_owned() }
}

/// Plans the extension of `event`, where `around` holds all events in the added time: until the first of them at most, or to an end
/// that was requested exactly.
pub(super) fn plan_extend(
    (until, all_day): (RequestedEnd, AllDay),
    event: &Event,
    (wanted, around): (Window, &[Event]),
    now: DateTime<Utc>,
    server: Capabilities,
) -> Result<Plan, PlanError> {
    let copy = event.copy.ok_or(Refusal::UnknownCopy)?;
    check_no_series(event)?;
    check_whole_days(event, server)?;
    may_move_end(event, now, all_day == AllDay::Include).map_err(|fixed| extension_refused(fixed, event))?;
    let free = match event.occupies_room() {
        true => free_until(around, Some(&event.id), &wanted),
        false => wanted.end(),
    };
    let is_enough = match until {
        RequestedEnd::AtMost(_) => free > event.end,
        RequestedEnd::At(_) => free == wanted.end(),
    };
    if !is_enough {
        return Err(conflict_with(conflicts(around, Some(&event.id), &wanted)).into());
    }
    Ok(set_end(event, copy, EndMove::Later(free), Notify::Attendees, server))
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
    use crate::action::RequestedMinutes;

    #[test]
    fn a_request_for_no_time_is_the_callers_mistake() {
        let event = Event::sample("a", DateTime::UNIX_EPOCH, DateTime::UNIX_EPOCH + TimeDelta::hours(1));
        // Journals have requests from before there was a limit.
        let none = RequestedEnd::AtMost(serde_json::from_str("0").unwrap());
        let refusal = extension_window(&event, none).unwrap_err();
        assert_eq!(refusal.responsible(), ResponsibleParty::Caller);
        assert!(refusal.is_final() && !refusal.is_retryable());
    }

    #[test]
    fn an_all_day_event_is_extended_only_where_the_server_can_set_its_end() {
        let start = DateTime::UNIX_EPOCH;
        let event = Event { is_all_day: true, ..Event::sample("a", start, start + TimeDelta::hours(24)) };
        let until = RequestedEnd::AtMost(RequestedMinutes::new(30).unwrap());
        let added = extension_window(&event, until).unwrap();
        let planned = |server| {
            let now = start + TimeDelta::hours(9);
            plan_extend((until, AllDay::Include), &event, (added, &[]), now, server)
        };
        assert!(planned(Capabilities::ALL).is_ok());
        let refused = planned(Capabilities { can_end_all_day: false, ..Capabilities::ALL }).unwrap_err();
        assert!(matches!(refused, PlanError::Refused(Refusal::Exchange { code, .. }) if code == "isAllDay"));
    }

    #[test]
    fn a_named_end_is_later_than_the_present_one_and_within_a_day() {
        let end = DateTime::UNIX_EPOCH + TimeDelta::hours(1);
        let event = Event::sample("a", DateTime::UNIX_EPOCH, end);
        let window = |minutes| extension_window(&event, RequestedEnd::At(end + TimeDelta::minutes(minutes)));
        assert_eq!(window(15), Ok(Window::new(end, end + TimeDelta::minutes(15)).unwrap()));
        assert!(window(1).is_ok() && window(1_440).is_ok());
        for minutes in [-15, 0, 1_441] {
            let refusal = window(minutes).unwrap_err();
            assert!(
                matches!(refusal, Refusal::TimeOutOfRange { bound: RequestedBound::End, .. }),
                "{refusal:?}"
            );
        }
    }
}
