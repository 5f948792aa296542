//! The memory limits of the calendar cache. A calendar beyond its limit is rejected as a whole: the room's state is unknown, and
//! cleanup does nothing there. Pure.

use crate::action::ResponsibleParty;
use crate::calendar::Event;
use crate::engine::{CalendarError, ErrorKind};

/// Events of one room in the time that is read, the local day and 36 hours ahead: about one every three minutes.
pub const EVENTS_PER_ROOM_MAX: usize = 1_000;
/// Bytes of texts and ids of one room's events: [`EVENTS_PER_ROOM_MAX`] events with ids and names of ordinary length.
pub const EVENT_TEXTS_PER_ROOM_MAX: usize = 1 << 20;
/// Characters kept of a subject: Exchange lets people type this many.
pub const SUBJECT_CHARS_MAX: usize = 255;
/// Rooms in the cache, before untracked rooms are evicted.
pub const ROOMS_KNOWN_MAX: usize = 20_000;

/// Bytes that every room's events may take: thirty events with texts of ordinary length.
pub const ROOM_EVENTS_BYTES_ORDINARY: usize = 16 << 10;
/// Bytes that all rooms together may take beyond their ordinary shares: three thousand rooms with twice as many events.
pub const ROOM_EVENTS_BYTES_BEYOND_MAX: usize = 48 << 20;

/// Bytes that a room's events take beyond the ordinary share.
pub(super) fn extra_bytes<'e>(events: impl IntoIterator<Item = &'e Event>) -> usize {
    let bytes: usize = events.into_iter().map(|event| size_of::<Event>() + text_bytes(event)).sum();
    bytes.saturating_sub(ROOM_EVENTS_BYTES_ORDINARY)
}

/// Returns the events with their subjects truncated.
///
/// # Errors
/// When the events exceed the limits of one room.
pub(super) fn enforce_bounds(mut events: Vec<Event>) -> Result<Vec<Event>, CalendarError> {
    events.iter_mut().for_each(cut_subject);
    let texts: usize = events.iter().map(text_bytes).sum();
    if events.len() > EVENTS_PER_ROOM_MAX || texts > EVENT_TEXTS_PER_ROOM_MAX {
        return Err(calendar_too_full(events.len(), texts));
    }
    Ok(events)
}

fn cut_subject(event: &mut Event) {
    if let Some(subject) = &mut event.subject
        && let Some((end, _)) = subject.char_indices().nth(SUBJECT_CHARS_MAX)
    {
        subject.truncate(end);
    }
}

fn text_bytes(event: &Event) -> usize {
    let organizer = event.organizer.as_ref().map_or(0, |organizer| {
        organizer.name.as_ref().map_or(0, String::len)
            + organizer.address.as_ref().map_or(0, |address| address.len())
    });
    let uid = event.uid.as_ref().map_or(0, |uid| uid.as_str().len());
    let subject = event.subject.as_ref().map_or(0, String::len);
    event.id.as_str().len() + event.change_key.as_str().len() + uid + subject + organizer
}

/// The memory that rooms with long calendars share is used up.
pub(super) fn memory_exhausted(beyond: usize) -> CalendarError {
    CalendarError::new(
        ErrorKind::LimitExceeded,
        ResponsibleParty::Administrator,
        "many rooms' calendars have too many events to keep them all in memory; look for a program that creates them",
        format!(
            "{beyond} bytes beyond an ordinary room's; all rooms together may use {ROOM_EVENTS_BYTES_BEYOND_MAX} bytes"
        ),
    )
}

fn calendar_too_full(events: usize, texts: usize) -> CalendarError {
    CalendarError::new(
        ErrorKind::LimitExceeded,
        ResponsibleParty::Administrator,
        "the room's calendar has too many events; look for a program that books this room repeatedly",
        format!(
            "{events} events with {texts} bytes of text; the limits per room are {EVENTS_PER_ROOM_MAX} events and {EVENT_TEXTS_PER_ROOM_MAX} bytes"
        ),
    )
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::calendar::EventId;

    fn event(subject: usize) -> Event {
        let now = DateTime::UNIX_EPOCH;
        Event { copy: None, subject: Some("ä".repeat(subject)), ..Event::sample("id", now, now) }
    }

    #[test]
    fn a_subject_is_cut_between_characters_and_long_ids_make_a_room_too_full() {
        let kept = enforce_bounds(vec![event(100_000)]).unwrap();
        assert_eq!(kept[0].subject.as_ref().map(|subject| subject.chars().count()), Some(SUBJECT_CHARS_MAX));
        let id = EventId::new("x".repeat(EVENT_TEXTS_PER_ROOM_MAX));
        assert!(enforce_bounds(vec![Event { id, ..event(1) }]).is_err());
        assert!(enforce_bounds(vec![event(1); EVENTS_PER_ROOM_MAX + 1]).is_err());
    }

    #[test]
    fn an_ordinary_day_takes_nothing_of_what_full_rooms_share() {
        assert_eq!(extra_bytes(&vec![event(20); 25]), 0);
        assert!(extra_bytes(&vec![event(200); EVENTS_PER_ROOM_MAX]) > 100_000);
    }
}
