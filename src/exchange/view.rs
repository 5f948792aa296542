//! Assembles a room's calendar in a time window from one or several CalendarViews. Pure.
//!
//! A response that cannot be the calendar of the requested window is an error, and so is a calendar beyond the limits:
//! omitting an item could free a room that is taken.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};

use super::classify::RetryDecision;
use super::event::event;
use super::request_error::RequestError;
use super::response_messages::unexpected_response;
use crate::calendar::{Event, EventId, EventKind, Person, Window};
use crate::engine::ErrorKind;
use crate::engine::{CalendarView, UnreadableItem};
use crate::ews::op::Effect;
use crate::ews::types::{CalendarItem, Item};

/// Items of one FindItem on premises (`EWSFindCountLimit`).
pub(super) const VIEW_ENTRIES_MAX: u32 = 1_000;
/// Events of one window: a year of a room with fourteen meetings a day.
pub(super) const EVENTS_MAX: usize = 5_000;
/// Text of the events of one window: ids, subjects, names. Exchange's ids and subjects come to less than 1 KB each.
pub(super) const TEXT_BYTES_MAX: usize = 5 << 20;
/// CalendarViews of one window: a dense one is read in halves.
pub(super) const VIEWS_MAX: usize = 64;
/// How far outside the window an item may lie: requests name whole seconds.
const MARGIN: TimeDelta = TimeDelta::minutes(1);
/// The same for an all-day event, which another time zone may move.
const MARGIN_ALL_DAY: TimeDelta = TimeDelta::days(1);

/// Reads the items of one CalendarView. A calendar item without usable times is kept as unreadable, and so is an item
/// of another type.
pub(super) fn read_items(items: &[Item<'_>], requested: Window) -> Result<CalendarView, RetryDecision> {
    if items.len() > VIEW_ENTRIES_MAX as usize {
        return Err(unexpected_response(Effect::Read, format!("{} items, more than requested", items.len())));
    }
    let (mut view, mut ids) = (CalendarView::default(), BTreeSet::new());
    for (index, item) in items.iter().enumerate() {
        let position = index + 1;
        let Item::Calendar(item) = item else {
            let missing = "the type CalendarItem";
            view.unreadable.push(UnreadableItem { id: None, position, missing, start: None, end: None });
            continue;
        };
        if item.item_id.as_ref().is_some_and(|id| !ids.insert(&*id.id)) {
            return Err(unexpected_response(Effect::Read, "two items with the same id".to_owned()));
        }
        if is_outside(item, requested) {
            return Err(unexpected_response(Effect::Read, "an item outside the requested window".to_owned()));
        }
        match event(item) {
            Ok(event) if event.kind == EventKind::Series => {
                return Err(unexpected_response(
                    Effect::Read,
                    "a series master in place of its occurrences".to_owned(),
                ));
            }
            Ok(event) => view.events.push(event),
            Err(missing) => view.unreadable.push(UnreadableItem {
                id: item.item_id.as_ref().map(|id| EventId::new(&*id.id)),
                position,
                missing,
                start: item.start,
                end: item.end,
            }),
        }
    }
    Ok(view)
}

fn is_outside(item: &CalendarItem<'_>, requested: Window) -> bool {
    let margin = if item.is_all_day_event == Some(true) { MARGIN_ALL_DAY } else { MARGIN };
    let earliest = requested.start().checked_sub_signed(margin);
    let latest = requested.end().checked_add_signed(margin);
    let ends_before = item.end.zip(earliest).is_some_and(|(end, earliest)| end < earliest);
    let begins_after = item.start.zip(latest).is_some_and(|(start, latest)| start > latest);
    ends_before || begins_after
}

/// The calendar of a window while its views arrive.
pub(super) struct WindowAssembler {
    window: Window,
    all: CalendarView,
    /// Times of each event by id: an event that spans two views is in both.
    times: BTreeMap<EventId, (DateTime<Utc>, DateTime<Utc>)>,
    views: usize,
    text_bytes: usize,
}

impl WindowAssembler {
    pub(super) fn new(window: Window) -> Self {
        Self { window, all: CalendarView::default(), times: BTreeMap::new(), views: 0, text_bytes: 0 }
    }

    /// Counts a CalendarView before it is requested.
    pub(super) fn count_view(&mut self) -> Result<(), RequestError> {
        self.views += 1;
        if self.views > VIEWS_MAX { Err(calendar_too_large()) } else { Ok(()) }
    }

    /// Adds one view. CalendarView also returns an item that ends where the view begins; no instant of it lies in the
    /// window.
    pub(super) fn add(&mut self, part: CalendarView) -> Result<(), RequestError> {
        let window = self.window;
        for event in part.events.into_iter().filter(|event| event.overlaps(&window)) {
            let times = (event.start, event.end);
            match self.times.insert(event.id.clone(), times) {
                Some(known) if known == times => continue,
                Some(_) => {
                    return Err(RequestError::InvalidResponse(
                        "the calendar changed while it was read".to_owned(),
                    ));
                }
                None => {}
            }
            self.text_bytes += text_bytes(&event);
            self.all.events.push(event);
        }
        self.all.unreadable.extend(part.unreadable.into_iter().filter(|item| item.may_overlap(&window)));
        let entries = self.all.events.len() + self.all.unreadable.len();
        if entries > EVENTS_MAX || self.text_bytes > TEXT_BYTES_MAX {
            Err(calendar_too_large())
        } else {
            Ok(())
        }
    }

    pub(super) fn finish(mut self) -> CalendarView {
        self.all.events.sort_by_key(|event| (event.start, event.end));
        self.all
    }
}

fn text_bytes(event: &Event) -> usize {
    let length = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let person = |person: &Person| length(&person.name) + length(&person.address) + length(&person.legacy_dn);
    let uid = event.uid.as_ref().map_or(0, |uid| uid.as_str().len());
    let ids = event.id.as_str().len() + event.change_key.as_str().len() + uid;
    ids + length(&event.subject) + event.organizer.as_ref().map_or(0, person)
}

fn calendar_too_large() -> RequestError {
    let code =
        format!("the calendar is too full: more than {EVENTS_MAX} events, or {TEXT_BYTES_MAX} bytes of text");
    RequestError::Refused(ErrorKind::TooLarge, code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ews::types::{CalendarItemType, ItemId};

    fn hours(from: i64, to: i64) -> Window {
        let at = |hour| DateTime::UNIX_EPOCH + TimeDelta::hours(hour);
        Window::new(at(from), at(to)).unwrap()
    }

    fn items(count: usize, subject: &str) -> CalendarView {
        let item = |number: usize| {
            Item::Calendar(CalendarItem {
                item_id: Some(ItemId {
                    id: format!("{subject}{number}").into(),
                    change_key: Some("c".into()),
                }),
                subject: Some(subject.repeat(1_000).into()),
                start: Some(hours(8, 9).start()),
                end: Some(hours(8, 9).end()),
                calendar_item_type: Some(CalendarItemType::Single),
                ..CalendarItem::default()
            })
        };
        read_items(&(0..count).map(item).collect::<Vec<_>>(), hours(0, 24)).unwrap()
    }

    fn is_too_full(added: Result<(), RequestError>) -> bool {
        matches!(added, Err(RequestError::Refused(ErrorKind::TooLarge, _)))
    }

    #[test]
    fn a_calendar_that_is_too_full_is_an_error_and_never_cut() {
        let mut parts = WindowAssembler::new(hours(0, 24));
        for name in ["a", "b", "c", "d", "e"] {
            assert!(parts.add(items(1_000, name)).is_ok());
        }
        assert!(is_too_full(parts.add(items(1, "f"))), "one more than {EVENTS_MAX}");
        let mut parts = WindowAssembler::new(hours(0, 24));
        assert!(parts.add(items(1_000, "text")).is_ok());
        assert!(is_too_full(parts.add(items(1_000, "more"))), "more text than {TEXT_BYTES_MAX}");
        let mut parts = WindowAssembler::new(hours(0, 24));
        assert!((0..VIEWS_MAX).all(|_| parts.count_view().is_ok()));
        assert!(is_too_full(parts.count_view()));
    }

    #[test]
    fn an_event_that_moves_between_two_parts_is_an_error() {
        let mut parts = WindowAssembler::new(hours(0, 24));
        let view = items(1, "a");
        assert!(parts.add(view.clone()).is_ok() && parts.add(view.clone()).is_ok(), "what spans two parts");
        let mut moved = view;
        moved.events[0].end = hours(8, 10).end();
        assert!(matches!(parts.add(moved), Err(RequestError::InvalidResponse(_))));
    }
}
