//! Which event is current and which time is occupied. Displays, check-ins and actions all use these functions, so that a
//! display offers exactly the actions that the engine accepts. Pure.
//!
//! | item on the calendar | occupies the room | current without an id in the request |
//! | --- | --- | --- |
//! | meeting, plain event, placeholder; tentative too | yes | yes |
//! | all-day event that is not shown as Free | yes | only if the request includes all-day events |
//! | shown as Free; cancelled; declined and kept; without length | no | no |
//!
//! An event that ends where a window begins does not overlap it, although Exchange's CalendarView returns it.

use std::cmp::Reverse;

use chrono::{DateTime, DurationRound, TimeDelta, Utc};

use super::{Event, EventId, Window};

/// The shortest booking: a shorter one would end before people sat down.
pub const BOOKING_MIN: TimeDelta = TimeDelta::minutes(1);

/// The event of a request without an event id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CurrentEvent<'e> {
    /// No event is on.
    None,
    /// Only all-day events are on, and the request does not include them.
    OnlyAllDay,
    /// This event.
    One(&'e Event),
    /// Two or more, in display order: the request has to name one.
    Several(Vec<&'e Event>),
}

/// Why the end of an event cannot be moved now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum EndFixedReason {
    /// The server did not return whose copy it is.
    UnknownCopy,
    /// The event is over.
    Over,
    /// The organizer cancelled it.
    Cancelled,
    /// The room declined it.
    Declined,
    /// It has not started.
    NotStarted,
    /// It is an all-day event, and the request does not include those.
    AllDay,
}

/// The events that occupy the room now, in display order: timed before all-day events, the latest start first.
pub fn current(events: &[Event], now: DateTime<Utc>) -> Vec<&Event> {
    let mut on: Vec<_> = occupying(events).filter(|event| event.is_on(now)).collect();
    on.sort_by(|a, b| display_order(a).cmp(&display_order(b)));
    on
}

fn display_order(event: &Event) -> (bool, Reverse<DateTime<Utc>>, DateTime<Utc>, &str) {
    (event.is_all_day, Reverse(event.start), event.end, event.id.as_str())
}

/// The events that occupy the room within the window, in order of start, then id.
pub fn agenda<'e>(events: impl IntoIterator<Item = &'e Event>, window: &Window) -> Vec<&'e Event> {
    let within = |event: &&Event| event.occupies_room() && event.overlaps(window);
    let mut events: Vec<_> = events.into_iter().filter(within).collect();
    events.sort_by(|a, b| (a.start, a.id.as_str()).cmp(&(b.start, b.id.as_str())));
    events
}

/// The next event that occupies the room.
pub fn next(events: &[Event], now: DateTime<Utc>) -> Option<&Event> {
    let ahead = occupying(events).filter(|event| event.start > now);
    ahead.min_by(|a, b| upcoming_order(a).cmp(&upcoming_order(b)))
}

fn upcoming_order(event: &Event) -> (DateTime<Utc>, bool, DateTime<Utc>, &str) {
    (event.start, event.is_all_day, event.end, event.id.as_str())
}

/// The event of a request without an event id. An all-day event counts only with `all_day`; then also one that is shown as Free,
/// Outlook's default for whole days, if no other event is on.
pub fn current_event(events: &[Event], now: DateTime<Utc>, all_day: bool) -> CurrentEvent<'_> {
    let mut meant = current(events, now);
    if !all_day && !meant.is_empty() {
        meant.retain(|event| !event.is_all_day);
        if meant.is_empty() {
            return CurrentEvent::OnlyAllDay;
        }
    }
    if all_day && meant.is_empty() {
        let stands = |event: &&Event| event.is_all_day && !event.is_cancelled && !event.is_declined;
        meant = events.iter().filter(|event| event.is_on(now)).filter(stands).collect();
    }
    match meant.as_slice() {
        [] => CurrentEvent::None,
        [one] => CurrentEvent::One(one),
        _ => CurrentEvent::Several(meant),
    }
}

/// The end of the time that is occupied without a gap from now on, by consecutive or overlapping events.
pub fn busy_until(events: &[Event], now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let mut busy: Vec<_> = occupying(events).filter(|event| event.end > now).collect();
    busy.sort_by_key(|event| event.start);
    let until = busy.into_iter().fold(now, |until, event| match event.start <= until {
        true => until.max(event.end),
        false => until,
    });
    (until > now).then_some(until)
}

/// The events other than `own` that occupy the room within the window.
pub fn conflicts<'e>(events: &'e [Event], own: Option<&EventId>, window: &Window) -> Vec<&'e Event> {
    let others = occupying(events).filter(|event| own != Some(&event.id));
    others.filter(|event| event.overlaps(window)).collect()
}

/// The end of the free time from the window's start on, apart from `own`: between the window's start and its end.
pub fn free_until(events: &[Event], own: Option<&EventId>, window: &Window) -> DateTime<Utc> {
    let first = conflicts(events, own, window).into_iter().map(|event| event.start).min();
    first.map_or(window.end(), |first| first.clamp(window.start(), window.end()))
}

/// The start of the window that must be read to know a room's state at `now`: an event that ended within the minute decides
/// where a booking begins.
pub fn reading_start(now: DateTime<Utc>) -> DateTime<Utc> {
    minute(now)
}

/// The window that must be read before [`booking_window`] is called; `None` for a booking without length.
pub fn booking_read_window(now: DateTime<Utc>, minutes: u16) -> Option<Window> {
    let minute = minute(now);
    let length = TimeDelta::minutes(minutes.into());
    (minutes > 0).then(|| Window::clamped(minute, minute + length + TimeDelta::minutes(1))).flatten()
}

/// The window of a booking from now on, at most as long as requested, or the events in its way. It begins with this minute, since
/// calendars show whole minutes, or within it, where an event ended to the second.
pub fn booking_window(events: &[Event], now: DateTime<Utc>, minutes: u16) -> Result<Window, Vec<&Event>> {
    let Some(wanted) = booking_from(booking_start(events, now), minutes) else { return Err(Vec::new()) };
    free_part(events, &wanted)
}

/// The start of a booking from now on.
pub fn booking_start(events: &[Event], now: DateTime<Utc>) -> DateTime<Utc> {
    let minute = minute(now);
    let ends = occupying(events).map(|event| event.end).filter(|end| minute < *end && *end <= now);
    ends.max().unwrap_or(minute)
}

/// The window up to the first event in it, or the events in its way.
pub fn free_part<'e>(events: &'e [Event], wanted: &Window) -> Result<Window, Vec<&'e Event>> {
    let (start, end) = (wanted.start(), free_until(events, None, wanted));
    match Window::new(start, end) {
        Ok(free) if end - start >= BOOKING_MIN => Ok(free),
        _ => Err(conflicts(events, None, wanted)),
    }
}

/// The window, if no event is in it, or the events in its way.
pub fn free_window<'e>(events: &'e [Event], wanted: &Window) -> Result<Window, Vec<&'e Event>> {
    let conflicts = conflicts(events, None, wanted);
    if conflicts.is_empty() { Ok(*wanted) } else { Err(conflicts) }
}

/// The window of a booking from `start` on: at least as long as requested, rounded up to a full minute.
pub fn booking_from(start: DateTime<Utc>, minutes: u16) -> Option<Window> {
    let end = start + TimeDelta::minutes(minutes.into());
    let full = minute(end);
    Window::new(start, if full < end { full + TimeDelta::minutes(1) } else { full }).ok()
}

/// Whether the end of this event may be moved now, by an early end or an extension.
pub fn may_move_end(event: &Event, now: DateTime<Utc>, all_day: bool) -> Result<(), EndFixedReason> {
    match event {
        _ if event.copy.is_none() => Err(EndFixedReason::UnknownCopy),
        _ if event.end <= now => Err(EndFixedReason::Over),
        _ if event.is_cancelled => Err(EndFixedReason::Cancelled),
        _ if event.is_declined => Err(EndFixedReason::Declined),
        _ if now < event.start => Err(EndFixedReason::NotStarted),
        _ if event.is_all_day && !all_day => Err(EndFixedReason::AllDay),
        _ => Ok(()),
    }
}

/// Whether this event can be extended, by a minute at least.
pub fn may_extend(events: &[Event], event: &Event, now: DateTime<Utc>) -> bool {
    let after = Window::new(event.end, event.end + TimeDelta::minutes(1));
    may_move_end(event, now, false).is_ok()
        && after.is_ok_and(|after| free_until(events, Some(&event.id), &after) > event.end)
}

/// The event of a check-in without an event id: the first in display order that `waits` for a check-in, else the first, among
/// the events that are on or begin within `early`. An all-day event only if it waits and no timed event does.
pub fn check_in_event(
    events: &[Event],
    now: DateTime<Utc>,
    early: TimeDelta,
    waits: impl Fn(&Event) -> bool,
) -> Option<&Event> {
    let mut soon: Vec<_> =
        occupying(events).filter(|event| now < event.start && is_open(event, now, early)).collect();
    soon.sort_by(|a, b| upcoming_order(a).cmp(&upcoming_order(b)));
    let open: Vec<_> = current(events, now).into_iter().chain(soon).collect();
    let timed = || open.iter().filter(|event| !event.is_all_day);
    let waiting = timed().chain(open.iter().filter(|event| event.is_all_day)).find(|event| waits(event));
    waiting.or_else(|| timed().next()).copied()
}

/// The event of a check-in with this id or UID. Several dates of a series share one UID: the one that is on, else the next.
pub fn named_check_in_event<'e>(
    events: &'e [Event],
    now: DateTime<Utc>,
    early: TimeDelta,
    name: &str,
) -> Option<&'e Event> {
    let is_named = |event: &&Event| {
        event.id.as_str() == name || event.uid.as_ref().is_some_and(|uid| uid.as_str() == name)
    };
    let stands = |event: &&Event| !event.is_cancelled && !event.is_declined;
    let open = || events.iter().filter(|event| is_open(event, now, early)).filter(stands).filter(is_named);
    let on = open().filter(|event| event.is_on(now)).max_by_key(|event| event.start);
    on.or_else(|| open().min_by_key(|event| event.start))
}

fn is_open(event: &Event, now: DateTime<Utc>, early: TimeDelta) -> bool {
    event.start - early <= now && now < event.end
}

fn occupying(events: &[Event]) -> impl Iterator<Item = &Event> {
    events.iter().filter(|event| event.occupies_room())
}

fn minute(at: DateTime<Utc>) -> DateTime<Utc> {
    at.duration_trunc(TimeDelta::minutes(1)).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::{FreeBusy, Uid};

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::minutes(minute)
    }

    /// An attendee copy from one minute to another.
    fn event(id: &str, start: i64, end: i64) -> Event {
        Event { uid: Some(Uid::new(format!("uid-{id}"))), ..Event::sample(id, at(start), at(end)) }
    }

    fn all_day(id: &str, free_busy: FreeBusy) -> Event {
        Event { is_all_day: true, free_busy, ..event(id, 0, 1440) }
    }

    fn id(event: Option<&Event>) -> Option<&str> {
        event.map(|event| event.id.as_str())
    }

    #[test]
    fn timed_events_are_shown_before_all_day_events_and_the_last_begun_first() {
        let events = [all_day("day", FreeBusy::Busy), event("long", 10, 90), event("short", 20, 40)];
        let ids: Vec<_> = current(&events, at(30)).into_iter().map(|event| event.id.as_str()).collect();
        assert_eq!(ids, ["short", "long", "day"]);
        assert_eq!(busy_until(&events[1..], at(30)), Some(at(90)));
        assert_eq!(busy_until(&[all_day("note", FreeBusy::Free)], at(30)), None);
    }

    #[test]
    fn what_touches_a_window_is_not_in_it() {
        let events = [event("before", 0, 30), event("after", 60, 90)];
        let window = Window::new(at(30), at(60)).unwrap();
        assert!(conflicts(&events, None, &window).is_empty());
        assert_eq!(free_until(&events, None, &window), at(60));
        let longer = Window::new(at(29), at(61)).unwrap();
        assert_eq!(conflicts(&events, None, &longer).len(), 2);
        assert_eq!(conflicts(&events, Some(&EventId::new("before")), &longer).len(), 1);
        assert_eq!(free_until(&events, None, &longer), at(29));
    }

    #[test]
    fn a_booking_begins_where_an_event_ended_within_the_minute_and_is_no_shorter_than_asked() {
        let now = at(30) + TimeDelta::seconds(40);
        let ended = |seconds| Event { end: at(30) + TimeDelta::seconds(seconds), ..event("ended", 0, 1) };
        let window = booking_window(&[ended(30)], now, 15).unwrap();
        assert_eq!((window.start(), window.end()), (at(30) + TimeDelta::seconds(30), at(46)));
        let window = booking_window(&[ended(0)], now, 15).unwrap();
        assert_eq!((window.start(), window.end()), (at(30), at(45)));
        let goes_on = event("on", 0, 60);
        assert_eq!(booking_window(&[ended(30), goes_on.clone()], now, 15).unwrap_err(), [&goes_on]);
        assert!(booking_window(&[], now, 0).is_err());
        assert!(booking_read_window(now, 0).is_none());
        let reach = booking_read_window(now, 15).unwrap();
        assert!(reach.start() <= at(30) && at(46) <= reach.end(), "what is booked was read");
    }

    #[test]
    fn a_check_in_is_for_the_event_that_is_shown_and_waits() {
        let early = TimeDelta::minutes(10);
        let events = [
            all_day("note", FreeBusy::Free),
            all_day("course", FreeBusy::Busy),
            event("first", 0, 60),
            event("second", 20, 60),
            event("soon", 35, 60),
            event("later", 41, 60),
            Event { is_cancelled: true, ..event("cancelled", 25, 60) },
            Event { is_declined: true, ..event("declined", 26, 60) },
        ];
        let for_those = |waiting: &[&str]| {
            let waits = |event: &Event| waiting.contains(&event.id.as_str());
            id(check_in_event(&events, at(30), early, waits))
        };
        assert_eq!(for_those(&["first", "second", "soon", "course"]), Some("second"));
        assert_eq!(for_those(&["first", "soon", "course"]), Some("first"));
        assert_eq!(for_those(&["soon", "later", "course"]), Some("soon"));
        assert_eq!(for_those(&["later", "course"]), Some("course"), "the rules want a check-in to it");
        assert_eq!(for_those(&["note", "cancelled", "declined"]), Some("second"), "the display's");
        let days = &events[..2];
        assert_eq!(id(check_in_event(days, at(30), early, |_| false)), None);
    }

    #[test]
    fn a_check_in_by_name_is_for_that_event_and_of_a_series_for_the_date_that_is_open() {
        let early = TimeDelta::minutes(10);
        let date = |id: &str, start, end| Event { uid: Some(Uid::new("series")), ..event(id, start, end) };
        let events = [
            date("yesterday", 0, 20),
            date("next", 38, 60),
            date("now", 20, 38),
            all_day("note", FreeBusy::Free),
            Event { is_declined: true, ..event("declined", 20, 60) },
        ];
        let named = |name| id(named_check_in_event(&events, at(30), early, name));
        assert_eq!(named("series"), Some("now"));
        assert_eq!(named("next"), Some("next"));
        assert_eq!(named("note"), Some("note"));
        assert_eq!(named("uid-note"), Some("note"));
        assert_eq!((named("yesterday"), named("declined"), named("")), (None, None, None));
    }
}
