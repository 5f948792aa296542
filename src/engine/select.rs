//! Selects the event that an action means. Pure.

use chrono::{DateTime, Utc};

use super::booking::BookingDraft;
use crate::action::{AllDay, CANDIDATES_MAX, EventSnapshot, NoChangeReason, Refusal, TimeRange};
use crate::calendar::Event;
use crate::calendar::occupancy::{CurrentEvent, current_event};

/// The selected event or booking, or why there is none.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Selected {
    Event(Box<Event>),
    Draft(BookingDraft),
    NoChange(NoChangeReason),
    Refused(Refusal),
}

/// The one event that is on at `now` and that the action may change.
pub(super) fn current(events: &[Event], now: DateTime<Utc>, all_day: AllDay) -> Selected {
    match current_event(events, now, all_day == AllDay::Include) {
        CurrentEvent::None => Selected::Refused(Refusal::NoCurrentEvent),
        CurrentEvent::OnlyAllDay => Selected::Refused(Refusal::AllDay),
        CurrentEvent::One(event) => Selected::Event(Box::new(event.clone())),
        CurrentEvent::Several(events) => {
            let events = events.into_iter().take(CANDIDATES_MAX).map(EventSnapshot::from).collect();
            Selected::Refused(Refusal::Ambiguous { events })
        }
    }
}

/// The named event, if it still exists and has the times that the caller saw.
pub(super) fn named(event: Option<Event>, seen: Option<TimeRange>) -> Selected {
    let Some(event) = event else { return Selected::NoChange(NoChangeReason::Gone) };
    let is = TimeRange::from(&event);
    match seen {
        Some(seen) if !seen.is_same_to_the_second(&is) => Selected::Refused(Refusal::NotAsSeen { seen, is }),
        _ => Selected::Event(Box::new(event)),
    }
}
