//! One reading of a room's calendar: from the first instant of the room's local day to a day and a half ahead. Pure.
//!
//! Only the agenda contains the events that are over. State, rules and evidence see the events from the present minute on, as if
//! nothing before it had been read.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use crate::calendar::{Event, Window, occupancy};
use crate::engine::{CalendarError, ErrorKind};

/// How far ahead a room's calendar is read.
const READ_AHEAD: TimeDelta = TimeDelta::hours(36);

/// The events that occupy a room within its local day, as far as the calendar was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agenda {
    /// The start of the day, or of the reading if that began later.
    pub from: DateTime<Utc>,
    /// The end of the day, or of the reading if that ended earlier. Equal to `from` if nothing of the day was read.
    pub to: DateTime<Utc>,
    /// All events of the reading: those that were over, and the others.
    reading: [Arc<Vec<Event>>; 2],
}

impl Agenda {
    /// The agenda of a day, from the events of a reading of this window.
    pub(super) fn new(
        day: &Window,
        window: (DateTime<Utc>, DateTime<Utc>),
        reading: [Arc<Vec<Event>>; 2],
    ) -> Self {
        let (from, to) = (day.start().max(window.0), day.end().min(window.1));
        match from < to {
            true => Self { from, to, reading },
            false => Self { from: day.start(), to: day.start(), reading },
        }
    }

    /// The events, in order of start, then id.
    pub fn events(&self) -> Vec<&Event> {
        let events = self.reading.iter().flat_map(|events| events.iter());
        Window::new(self.from, self.to).map(|window| occupancy::agenda(events, &window)).unwrap_or_default()
    }
}

/// The window of a reading at `now`: the day, and the time ahead.
pub(super) fn day_and_ahead(day: &Window, now: DateTime<Utc>) -> Option<Window> {
    Window::clamped(day.start().min(occupancy::reading_start(now)), now + READ_AHEAD)
}

/// The window of a reading at `now` without the part of the day that is over.
pub(super) fn ahead(now: DateTime<Utc>) -> Option<Window> {
    Window::clamped(occupancy::reading_start(now), now + READ_AHEAD)
}

/// Separates the events that were over at `now` from the others.
pub(super) fn separate_past(events: Vec<Event>, now: DateTime<Utc>) -> (Vec<Event>, Vec<Event>) {
    let from = occupancy::reading_start(now);
    events.into_iter().partition(|event| event.end <= from)
}

/// Whether an event that is over may be the reason why a reading failed: it is damaged, or one too many. The server or the response
/// may say so in other words than "damaged".
pub(super) fn may_be_due_to_past(error: &CalendarError) -> bool {
    matches!(
        error.kind,
        ErrorKind::UnreadableItem
            | ErrorKind::Corrupt
            | ErrorKind::InvalidResponse
            | ErrorKind::Unknown
            | ErrorKind::TooLarge
            | ErrorKind::LimitExceeded
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::hours(hour)
    }

    fn event(id: &str, start: i64, end: i64) -> Event {
        Event::sample(id, at(start), at(end))
    }

    fn ids<'e>(events: impl IntoIterator<Item = &'e Event>) -> Vec<&'e str> {
        events.into_iter().map(|event| event.id.as_str()).collect()
    }

    #[test]
    fn a_reading_begins_with_the_day_and_only_the_agenda_has_what_is_over() {
        let (day, now) = (Window::new(at(-2), at(22)).unwrap(), at(9));
        let window = day_and_ahead(&day, now).unwrap();
        assert_eq!((window.start(), window.end()), (at(-2), at(45)));
        assert_eq!(ahead(now).unwrap().start(), now);
        let events =
            vec![event("over", 1, 2), event("touches", 8, 9), event("on", 8, 10), event("next", 22, 23)];
        let (over, others) = separate_past(events, now);
        assert_eq!((ids(&over), ids(&others)), (vec!["over", "touches"], vec!["on", "next"]));
        let reading = (window.start(), window.end());
        let agenda = Agenda::new(&day, reading, [over.into(), others.into()]);
        assert_eq!((agenda.from, agenda.to), (at(-2), at(22)));
        assert_eq!(ids(agenda.events()), ["over", "on", "touches"], "by start, then id");
    }

    #[test]
    fn an_agenda_has_the_bounds_of_what_was_read() {
        let day = Window::new(at(0), at(24)).unwrap();
        let events = Arc::new(vec![event("a", 1, 2), event("b", 20, 21)]);
        let agenda = |from, to| Agenda::new(&day, (at(from), at(to)), [Arc::default(), events.clone()]);
        let part = agenda(2, 20);
        assert_eq!((part.from, part.to, part.events()), (at(2), at(20), Vec::new()));
        let none = agenda(-36, 0);
        assert_eq!((none.from, none.to, none.events()), (at(0), at(0), Vec::new()), "an old reading");
    }
}
