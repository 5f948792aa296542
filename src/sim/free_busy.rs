//! The merged free/busy of a mailbox: one state for each interval, the highest one of all events in it. Knows no protocol.

use chrono::{DateTime, TimeDelta, Utc};

use super::views::EventInstance;

/// The intervals that a client asks about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Intervals {
    pub(super) from: DateTime<Utc>,
    pub(super) to: DateTime<Utc>,
    pub(super) step: TimeDelta,
}

/// A digit for each interval: the highest `state` of its events, or `0`.
pub(super) fn merged(
    intervals: Intervals,
    events: &[EventInstance<'_>],
    state: impl Fn(&EventInstance<'_>) -> char,
) -> String {
    let mut digits = String::new();
    let mut at = intervals.from;
    while at < intervals.to {
        let next = at + intervals.step;
        let states = events.iter().filter(|event| event.start < next && at < event.end).map(&state);
        digits.push(states.max().unwrap_or('0'));
        at = next;
    }
    digits
}
