//! The result of reading one calendar: the events, and the items that could not be decoded. Pure.
//!
//! An unreadable item does not affect the other events, but it counts as busy: for its times, or for all time if its times are
//! unknown.

use std::fmt;

use chrono::{DateTime, Utc};

use super::error::{CalendarError, ErrorKind};
use crate::action::ResponsibleParty;
use crate::calendar::{Event, EventId, Window};

/// All items of one room's calendar in a window.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CalendarView {
    /// The events that could be decoded.
    pub events: Vec<Event>,
    /// The items that could not.
    pub unreadable: Vec<UnreadableItem>,
}

/// A calendar item without a property that every event needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadableItem {
    /// The id, if it could be read.
    pub id: Option<EventId>,
    /// The position in the server's list, counted from 1.
    pub position: usize,
    /// The property that is missing or cannot be read.
    pub missing: &'static str,
    /// The start, if it could be read.
    pub start: Option<DateTime<Utc>>,
    /// The end, if it could be read.
    pub end: Option<DateTime<Utc>>,
}

/// Limit on the characters of an item's id in a message.
const ID_CHARS_MAX: usize = 200;

impl CalendarView {
    /// The events, and a busy stand-in for each unreadable item. No action is possible on a stand-in, since its copy is
    /// unknown.
    ///
    /// # Errors
    /// When the times of an item are unknown: no time in the window is known to be free then.
    pub fn with_stand_ins(self) -> Result<Vec<Event>, CalendarError> {
        let Self { mut events, unreadable } = self;
        for item in unreadable {
            events.push(item.stand_in().ok_or_else(|| item.to_error())?);
        }
        events.sort_by_key(|event| (event.start, event.end));
        Ok(events)
    }

    /// The events, if every item could be read.
    ///
    /// # Errors
    /// When an item could not be read.
    pub fn into_complete(self) -> Result<Vec<Event>, CalendarError> {
        match self.unreadable.first() {
            None => Ok(self.events),
            Some(item) => Err(item.to_error()),
        }
    }
}

impl From<Vec<Event>> for CalendarView {
    fn from(events: Vec<Event>) -> Self {
        Self { events, unreadable: Vec::new() }
    }
}

impl UnreadableItem {
    /// Whether the item may be in the window. An item without times may.
    pub fn may_overlap(&self, window: &Window) -> bool {
        self.stand_in().is_none_or(|event| event.start < window.end() && event.end > window.start())
    }

    /// The error for an operation that needs the whole calendar.
    pub fn to_error(&self) -> CalendarError {
        CalendarError::new(
            ErrorKind::UnreadableItem,
            ResponsibleParty::Administrator,
            "An item in the room's calendar cannot be read; open the calendar and repair or delete it",
            self.to_string(),
        )
    }

    /// A busy event at its time; `None` when its times are unknown.
    fn stand_in(&self) -> Option<Event> {
        let (start, end) = (self.start?, self.end?);
        let id = || self.id.clone().unwrap_or_else(|| EventId::new(""));
        (start <= end).then(|| Event::opaque(id(), start, end))
    }
}

impl fmt::Display for UnreadableItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "calendar item {} without {}", self.position, self.missing)?;
        match &self.id {
            None => Ok(()),
            Some(id) => write!(f, ", id {}", id.as_str().chars().take(ID_CHARS_MAX).collect::<String>()),
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn item(start: Option<i64>, end: Option<i64>) -> UnreadableItem {
        let at = |hour| DateTime::UNIX_EPOCH + TimeDelta::hours(hour);
        let id = Some(EventId::new("AAMk="));
        UnreadableItem { id, position: 3, missing: "ChangeKey", start: start.map(at), end: end.map(at) }
    }

    fn hours(from: i64, to: i64) -> Window {
        let at = |hour| DateTime::UNIX_EPOCH + TimeDelta::hours(hour);
        Window::new(at(from), at(to)).unwrap()
    }

    #[test]
    fn an_item_with_times_takes_them_and_nothing_may_be_done_to_it() {
        let view = CalendarView { events: Vec::new(), unreadable: vec![item(Some(1), Some(2))] };
        let taken = view.clone().with_stand_ins().unwrap();
        assert!(taken[0].occupies_room() && taken[0].copy.is_none());
        assert!(
            view.unreadable[0].may_overlap(&hours(1, 3)) && !view.unreadable[0].may_overlap(&hours(2, 3))
        );
        assert_eq!(view.into_complete().unwrap_err().code, "calendar item 3 without ChangeKey, id AAMk=");
    }

    #[test]
    fn an_item_whose_times_are_unknown_takes_all_time() {
        for item in [item(None, Some(2)), item(Some(1), None), item(None, None), item(Some(2), Some(1))] {
            assert!(item.may_overlap(&hours(8, 9)), "{item:?}");
            let view = CalendarView { events: Vec::new(), unreadable: vec![item] };
            assert!(view.with_stand_ins().is_err());
        }
    }
}
