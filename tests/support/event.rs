//! The event of calendars in memory and of journals. Tests change single fields of it (`Event { copy, ..event(id, start, end) }`).

use adjourn::calendar::{ChangeKey, Copy, Event, EventId, EventKind, FreeBusy, Person, Uid};
use chrono::{DateTime, TimeDelta, Utc};

/// An attendee copy of a single meeting of Ada's. Its UID is `uid-{id}`.
pub fn event(id: &str, start: DateTime<Utc>, end: DateTime<Utc>) -> Event {
    Event {
        id: EventId::new(id),
        change_key: ChangeKey::new("v0"),
        uid: Some(Uid::new(format!("uid-{id}"))),
        original_start: None,
        start,
        end,
        subject: Some("Ada".to_owned()),
        organizer: Some(Person {
            name: Some("Ada".to_owned()),
            address: Some("ada@people.example".to_owned()),
            legacy_dn: None,
        }),
        kind: EventKind::Single,
        copy: Some(Copy::Attendee),
        is_all_day: false,
        is_cancelled: false,
        is_declined: false,
        free_busy: FreeBusy::Busy,
        is_private: false,
        // Long enough ago that no rule takes it for a booking at the door.
        created: Some(start - TimeDelta::hours(9)),
        modified: None,
    }
}
