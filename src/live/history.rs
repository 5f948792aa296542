//! When this process first read each event of a room at its present start. Pure: the caller records every read with its time.
//!
//! The grace period of a meeting that was moved starts when the meeting was moved, not before. `LastModifiedTime` changes with
//! every write to the item; this record changes only when the start or the room does.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use crate::calendar::{Event, EventId, EventKind, Uid};

/// The events that the last read of a room returned, each with the time of the first read that returned it at its present start.
/// Holds no other events, so it stays as small as the calendar view.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventHistory(Option<HashMap<EventKey, FirstSeen>>);

/// The UID and original start of an event, which survive a move of its item to another folder; else the item id.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum EventKey {
    Meeting(Uid, DateTime<Utc>),
    Item(EventId),
}

impl EventKey {
    fn of(event: &Event) -> Self {
        match event.identity() {
            Some((uid, original_start)) => Self::Meeting(uid.clone(), original_start),
            None => Self::Item(event.id.clone()),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FirstSeen {
    start: DateTime<Utc>,
    at: DateTime<Utc>,
    /// The first read of the room returned it: it may have been there long before.
    at_first_reading: bool,
}

impl EventHistory {
    /// Records a read that returned these events and was complete at this time.
    pub fn record(&mut self, events: &[Event], read_at: DateTime<Utc>) {
        let before = self.0.take();
        let first_seen = |event: &Event| {
            let key = EventKey::of(event);
            let known = before.as_ref().and_then(|before| before.get(&key));
            let new = FirstSeen { start: event.start, at: read_at, at_first_reading: before.is_none() };
            (key, known.filter(|known| known.start == event.start).copied().unwrap_or(new))
        };
        self.0 = Some(events.iter().map(first_seen).collect());
    }

    /// The time of the first read that returned this event at this start. `None` when the first read of the room already returned
    /// it and the server reports `LastModifiedTime` (which then shows a move), and when no read returned it.
    pub fn seen_since(&self, event: &Event) -> Option<DateTime<Utc>> {
        let seen = self.0.as_ref()?.get(&EventKey::of(event))?;
        if seen.start != event.start {
            return None;
        }
        match event.modified {
            _ if !seen.at_first_reading => Some(seen.at),
            None => Some(seen.at),
            // An occurrence shows the last write to its series: a move of the whole series, or of another date.
            Some(written) if event.kind == EventKind::Occurrence => {
                (written > event.start).then_some(written.min(seen.at))
            }
            Some(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::calendar::ChangeKey;

    fn at(minutes: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes)
    }

    fn event(id: &str, uid: Option<&str>, start: i64) -> Event {
        let times = (at(start), at(start + 30));
        Event {
            uid: uid.map(Uid::new),
            copy: None,
            modified: Some(at(-100)),
            ..Event::sample(id, times.0, times.1)
        }
    }

    #[test]
    fn an_event_of_the_first_reading_has_no_time_and_a_later_one_that_of_its_reading() {
        let mut history = EventHistory::default();
        let (old, new) = (event("a", Some("u1"), 60), event("b", None, 90));
        assert_eq!(history.seen_since(&old), None);
        history.record(std::slice::from_ref(&old), at(0));
        history.record(&[old.clone(), new.clone()], at(5));
        history.record(&[old.clone(), new.clone()], at(9));
        assert_eq!((history.seen_since(&old), history.seen_since(&new)), (None, Some(at(5))));
        assert_eq!(history.seen_since(&event("c", None, 90)), None, "no reading returned it");
        let silent = Event { modified: None, ..old };
        assert_eq!(
            history.seen_since(&silent),
            Some(at(0)),
            "the server does not report when it was written"
        );
    }

    #[test]
    fn an_event_that_moves_is_new_and_one_that_changes_otherwise_is_not() {
        let mut history = EventHistory::default();
        let single = event("a", Some("u1"), 60);
        let date =
            Event { kind: EventKind::Occurrence, original_start: Some(at(90)), ..event("b", Some("u2"), 90) };
        let item = event("c", None, 120);
        history.record(&[single.clone(), date.clone(), item.clone()], at(0));
        let longer = Event { end: at(95), change_key: ChangeKey::new("2"), ..single.clone() };
        let elsewhere = Event { id: EventId::new("a2"), ..longer };
        history.record(&[elsewhere.clone(), date.clone(), item.clone()], at(1));
        assert_eq!(history.seen_since(&elsewhere), None);
        let moved = [&single, &date, &item]
            .map(|event| Event { start: event.start + TimeDelta::minutes(5), ..event.clone() });
        history.record(&moved, at(2));
        for event in &moved {
            assert_eq!(history.seen_since(event), Some(at(2)), "{:?}", event.id);
        }
        assert_eq!(history.seen_since(&date), None, "nothing is known of it at the start that it had");
        history.record(std::slice::from_ref(&date), at(3));
        assert_eq!(history.seen_since(&date), Some(at(3)), "moved back");
    }

    #[test]
    fn what_is_gone_is_forgotten_and_new_when_it_returns() {
        let mut history = EventHistory::default();
        let one = event("a", Some("u1"), 60);
        history.record(std::slice::from_ref(&one), at(0));
        history.record(&[], at(1));
        assert_eq!(history.0.as_ref().map(HashMap::len), Some(0));
        history.record(std::slice::from_ref(&one), at(2));
        assert_eq!(history.seen_since(&one), Some(at(2)));
    }
}
