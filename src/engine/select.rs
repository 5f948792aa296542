//! Which event an action means. Pure.

use chrono::{DateTime, Utc};

use crate::action::{Already, Refusal, Seen, Times};
use crate::calendar::Event;

/// What selecting gave: an event, or the end of the action.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Selected {
    This(Box<Event>),
    Already(Already),
    Refused(Refusal),
}

/// The one event that is on at `now`. Cancelled leftovers are not on: nobody is holding them.
pub(super) fn current(events: Vec<Event>, now: DateTime<Utc>) -> Selected {
    let mut on: Vec<Event> =
        events.into_iter().filter(|event| event.is_on(now) && !event.is_cancelled).collect();
    match on.len() {
        0 => Selected::Refused(Refusal::NothingOn),
        1 => Selected::This(Box::new(on.swap_remove(0))),
        _ => Selected::Refused(Refusal::Ambiguous { events: on.iter().map(Seen::from).collect() }),
    }
}

/// A named event, if it is still there and still what the caller saw.
pub(super) fn named(event: Option<Event>, seen: Option<Times>) -> Selected {
    let Some(event) = event else { return Selected::Already(Already::Gone) };
    let is = times(&event);
    match seen {
        Some(seen) if seen != is => Selected::Refused(Refusal::NotAsSeen { seen, is }),
        _ => Selected::This(Box::new(event)),
    }
}

/// When an event is.
pub(super) fn times(event: &Event) -> Times {
    Times { start: event.start, end: event.end }
}
