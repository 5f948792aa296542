//! Assembles a room's calendar in a time window from the pages of a calendarView. Pure.
//!
//! A response that cannot be the calendar of the requested window is an error, and so is a calendar beyond the limits: omitting an
//! event could free a room that is taken. An event that cannot be read is returned beside the others.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::value::RawValue;

use super::classify::{RetryDecision, unexpected_response};
use super::decode::decode_element;
use super::effect::Effect;
use super::event::{EventContext, event, readable_times};
use super::request::widened;
use super::request_error::RequestError;
use super::resources::{EventResource, EventTimes, EventVersion};
use crate::calendar::{Event, EventId, EventKind, Person, Window};
use crate::engine::{CalendarView, ErrorKind, UnreadableItem};

/// Events of one window: a year of a room with fourteen meetings a day.
pub(super) const EVENTS_MAX: usize = 5_000;
/// Text of the events of one window: ids, subjects, names.
pub(super) const TEXT_BYTES_MAX: usize = 5 << 20;
/// Pages of one window. A page may be short and have a next one.
pub(super) const PAGES_MAX: usize = 100;
/// How far outside the requested window an event may lie: the server finds all-day events by their dates.
const MARGIN: TimeDelta = TimeDelta::days(1);

/// The calendar of a window while its pages arrive.
pub(super) struct ViewAssembler<'r> {
    window: Window,
    context: EventContext<'r>,
    all: CalendarView,
    /// Times of each event by id: an event may move to the next page while the pages are read.
    times: BTreeMap<EventId, (DateTime<Utc>, DateTime<Utc>)>,
    /// Ids of all events that were listed, also of those outside the window.
    listed: BTreeSet<EventId>,
    /// Events so far, for the positions of unreadable ones.
    position: usize,
    text_bytes: usize,
}

impl<'r> ViewAssembler<'r> {
    pub(super) fn new(window: Window, context: EventContext<'r>) -> Self {
        let (all, times, listed) = (CalendarView::default(), BTreeMap::new(), BTreeSet::new());
        Self { window, context, all, times, listed, position: 0, text_bytes: 0 }
    }

    /// Whether no page had this event, which the server lists now.
    pub(super) fn has_missed(&self, element: &RawValue) -> bool {
        let listed: Result<EventVersion<'_>, _> = decode_element(element);
        let id = listed.ok().and_then(|event| event.id.map(|id| EventId::new(&*id)));
        id.is_some_and(|id| !self.listed.contains(&id))
    }

    /// Adds one page. The request is wider than the window, so many events are dropped.
    pub(super) fn add(&mut self, page: CalendarView) -> Result<(), RequestError> {
        let window = self.window;
        self.position += page.events.len() + page.unreadable.len();
        let unreadable = page.unreadable.iter().filter_map(|item| item.id.as_ref());
        self.listed.extend(page.events.iter().map(|event| &event.id).chain(unreadable).cloned());
        for event in page.events.into_iter().filter(|event| event.overlaps(&window)) {
            let times = (event.start, event.end);
            match self.times.insert(event.id.clone(), times) {
                Some(known) if known == times => continue,
                Some(_) => return Err(changed_while_read()),
                None => {}
            }
            self.text_bytes += text_bytes(&event);
            self.all.events.push(event);
        }
        self.all.unreadable.extend(page.unreadable.into_iter().filter(|item| item.may_overlap(&window)));
        let entries = self.all.events.len() + self.all.unreadable.len();
        match entries > EVENTS_MAX || self.text_bytes > TEXT_BYTES_MAX {
            true => Err(calendar_too_large()),
            false => Ok(()),
        }
    }

    /// Reads the events of one page.
    pub(super) fn read(&self, elements: &[&RawValue]) -> Result<CalendarView, RetryDecision> {
        read_events(elements, self.position, self.window, self.context)
    }

    pub(super) fn finish(mut self) -> CalendarView {
        self.all.events.sort_by_key(|event| (event.start, event.end));
        self.all
    }
}

/// Reads the events of one page that follows `before` others.
fn read_events(
    elements: &[&RawValue],
    before: usize,
    window: Window,
    context: EventContext<'_>,
) -> Result<CalendarView, RetryDecision> {
    let mut view = CalendarView::default();
    for (index, element) in elements.iter().enumerate() {
        let read = decode_element::<EventResource<'_>>(element)
            .map_err(|_| "properties that can be read")
            .and_then(|item| event(&item, context));
        match read {
            Ok(event) if is_outside(&event, window) => {
                return Err(unexpected_response(
                    Effect::Read,
                    "an event outside the requested window".to_owned(),
                ));
            }
            Ok(event) if event.kind == EventKind::Series => {
                let master = "a series master in place of its occurrences";
                return Err(unexpected_response(Effect::Read, master.to_owned()));
            }
            Ok(event) => view.events.push(event),
            Err(missing) => view.unreadable.push(unreadable(element, before + index + 1, missing, context)),
        }
    }
    Ok(view)
}

/// An event that cannot be read, with its id and times where these can be.
fn unreadable(
    element: &RawValue,
    position: usize,
    missing: &'static str,
    context: EventContext<'_>,
) -> UnreadableItem {
    let item: EventTimes<'_> = decode_element(element).unwrap_or_default();
    let (start, end) = readable_times(&item, context);
    let id = item.id.as_deref().filter(|id| !id.is_empty()).map(EventId::new);
    UnreadableItem { id, position, missing, start, end }
}

fn is_outside(event: &Event, window: Window) -> bool {
    let (start, end) = widened(window);
    let ends_before = start.checked_sub_signed(MARGIN).is_some_and(|earliest| event.end < earliest);
    let begins_after = end.checked_add_signed(MARGIN).is_some_and(|latest| event.start > latest);
    ends_before || begins_after
}

fn text_bytes(event: &Event) -> usize {
    let length = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let person = |person: &Person| length(&person.name) + length(&person.address) + length(&person.legacy_dn);
    let uid = event.uid.as_ref().map_or(0, |uid| uid.as_str().len());
    let ids = event.id.as_str().len() + event.change_key.as_str().len() + uid;
    ids + length(&event.subject) + event.organizer.as_ref().map_or(0, person)
}

pub(super) fn changed_while_read() -> RequestError {
    RequestError::InvalidResponse("the calendar changed while it was read".to_owned())
}

pub(super) fn calendar_too_large() -> RequestError {
    let code = format!(
        "the calendar is too full: more than {EVENTS_MAX} events, {PAGES_MAX} pages, or {TEXT_BYTES_MAX} bytes of text"
    );
    RequestError::Refused(ErrorKind::TooLarge, code)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::decode::decode;
    use super::super::resources::Page;
    use super::super::time_zones::UnknownTimeZones;
    use super::*;
    use crate::calendar::RoomAddress;

    fn room() -> RoomAddress {
        "aurora@example.com".parse().unwrap()
    }

    fn window() -> Window {
        Window::new("2026-10-05T08:00:00Z".parse().unwrap(), "2026-10-05T18:00:00Z".parse().unwrap()).unwrap()
    }

    fn resource(id: &str, hour: u32) -> Value {
        let mut event: Value =
            serde_json::from_str(include_str!("../../fixtures/graph/event-attendee-copy.json")).unwrap();
        event["id"] = json!(id);
        event["start"]["dateTime"] = json!(format!("2026-10-05T{hour:02}:00:00.0000000"));
        event["end"]["dateTime"] = json!(format!("2026-10-05T{hour:02}:30:00.0000000"));
        event
    }

    fn read(events: &[Value]) -> Result<CalendarView, RetryDecision> {
        read_text(&json!({"value": events}).to_string())
    }

    fn read_text(body: &str) -> Result<CalendarView, RetryDecision> {
        let page: Page<'_> = decode(body.as_bytes()).unwrap();
        let room = room();
        let context = EventContext { room: &room, zones: &UnknownTimeZones };
        ViewAssembler::new(window(), context).read(&page.value.unwrap())
    }

    fn in_a_view<T>(test: impl FnOnce(&mut ViewAssembler<'_>) -> T) -> T {
        let room = room();
        let context = EventContext { room: &room, zones: &UnknownTimeZones };
        test(&mut ViewAssembler::new(window(), context))
    }

    #[test]
    fn an_event_that_cannot_be_read_takes_its_time_and_leaves_the_others_readable() {
        let mut twice = resource("B", 10).to_string();
        twice.insert_str(twice.len() - 1, r#","subject":"again""#);
        let surrogate = resource("C", 11).to_string().replace("Ada Example", r"\ud83d");
        let mut wrong = resource("D", 12);
        wrong["isOrganizer"] = json!("yes");
        let all = format!(r#"{{"value":[{},{twice},{surrogate},{wrong},7]}}"#, resource("A", 9));
        let view = read_text(&all).unwrap();
        assert_eq!(view.events.len(), 1);
        let found: Vec<_> =
            view.unreadable.iter().map(|item| (item.position, item.start.is_some())).collect();
        assert_eq!(found, [(2, true), (3, true), (4, true), (5, false)]);
        assert_eq!(view.unreadable[0].id, Some(EventId::new("B")));
    }

    #[test]
    fn times_that_occur_twice_take_all_time() {
        let mut twice = resource("A", 10).to_string();
        twice.insert_str(twice.len() - 1, r#","end":{"dateTime":"2026-10-05T10:10:00","timeZone":"UTC"}"#);
        let view = read_text(&format!(r#"{{"value":[{twice}]}}"#)).unwrap();
        assert_eq!((view.unreadable[0].start, view.unreadable[0].end), (None, None));
    }

    #[test]
    fn an_unreadable_all_day_event_takes_its_days_in_every_zone() {
        let mut event = resource("A", 0);
        event["isAllDay"] = json!(true);
        event["end"]["dateTime"] = json!("2026-10-06T00:00:00");
        event["isOrganizer"] = json!("yes");
        let view = read(&[event]).unwrap();
        assert_eq!(view.unreadable[0].start, Some("2026-10-04T10:00:00Z".parse().unwrap()));
        assert_eq!(view.unreadable[0].end, Some("2026-10-06T12:00:00Z".parse().unwrap()));
    }

    #[test]
    fn what_cannot_be_this_calendar_is_an_error() {
        let mut master = resource("A", 9);
        master["type"] = json!("seriesMaster");
        assert!(read(&[master]).is_err());
        let mut elsewhere = resource("A", 9);
        elsewhere["start"]["dateTime"] = json!("2026-11-05T09:00:00");
        elsewhere["end"]["dateTime"] = json!("2026-11-05T10:00:00");
        assert!(read(&[elsewhere]).is_err());
    }

    #[test]
    fn only_the_window_is_returned_of_a_wider_view() {
        let view = read(&[resource("A", 7), resource("B", 8), resource("C", 17), resource("D", 18)]).unwrap();
        in_a_view(|all| {
            all.add(view).unwrap();
            let ids: Vec<_> = all.all.events.iter().map(|event| event.id.as_str()).collect();
            assert_eq!(ids, ["B", "C"]);
        });
    }

    #[test]
    fn an_event_of_two_pages_counts_once_and_may_not_have_moved() {
        in_a_view(|all| {
            all.add(read(&[resource("A", 9)]).unwrap()).unwrap();
            all.add(read(&[resource("A", 9)]).unwrap()).unwrap();
            assert_eq!(all.all.events.len(), 1);
            let moved = all.add(read(&[resource("A", 10)]).unwrap());
            assert!(matches!(moved, Err(RequestError::InvalidResponse(_))));
        });
    }

    #[test]
    fn a_calendar_that_is_too_full_is_an_error_and_never_cut() {
        let is_too_full = |result| matches!(result, Err(RequestError::Refused(ErrorKind::TooLarge, _)));
        in_a_view(|all| {
            let event = |number| Event::sample(&format!("E{number}"), window().start(), window().end());
            let full: Vec<_> = (0..EVENTS_MAX).map(event).collect();
            assert!(all.add(full.into()).is_ok());
            assert!(is_too_full(all.add(vec![event(EVENTS_MAX)].into())));
        });
    }
}
