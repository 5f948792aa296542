//! The removed events that a booking can replace, where the server moves nothing back. Pure.

use crate::calendar::{Copy, Event, EventKind, FreeBusy};

/// Whether a booking can replace the event after its removal. A booking is a single event with a start and an end, is shown as
/// Busy, and is not private; another event would come back with less privacy, or take time that it did not take before.
pub(super) fn can_be_replaced(event: &Event) -> bool {
    event.copy == Some(Copy::Plain)
        && event.kind == EventKind::Single
        && event.free_busy == FreeBusy::Busy
        && !(event.is_all_day || event.is_private || event.is_cancelled || event.is_declined)
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta};

    use super::*;

    #[test]
    fn only_an_event_that_a_booking_equals_can_be_replaced() {
        let start = DateTime::UNIX_EPOCH;
        let plain = Event {
            copy: Some(Copy::Plain),
            free_busy: FreeBusy::Busy,
            ..Event::sample("A", start, start + TimeDelta::hours(1))
        };
        assert!(can_be_replaced(&plain));
        for other in [
            Event { copy: Some(Copy::Attendee), ..plain.clone() },
            Event { copy: None, ..plain.clone() },
            Event { kind: EventKind::Occurrence, ..plain.clone() },
            Event { free_busy: FreeBusy::Free, ..plain.clone() },
            Event { is_all_day: true, ..plain.clone() },
            Event { is_private: true, ..plain.clone() },
        ] {
            assert!(!can_be_replaced(&other), "{other:?}");
        }
    }
}
