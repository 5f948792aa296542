//! What is kept of one room's calendar at most. A calendar beyond that is too full to judge: its room is unknown, and nothing is
//! done there by itself. Pure.

use crate::action::ResponsibleParty;
use crate::calendar::Event;
use crate::engine::CalendarError;

/// Events of one room in the 36 hours that are read: one every two minutes.
pub const EVENTS_PER_ROOM_MAX: usize = 1_000;
/// Bytes of texts and ids of these events: as many as that with ids and names of ordinary length.
pub const EVENT_TEXTS_PER_ROOM_MAX: usize = 1 << 20;
/// Characters that are kept of a subject: as many as Exchange lets people type.
pub const SUBJECT_CHARS_MAX: usize = 255;
/// Rooms of which anything is known, before those that nobody follows are forgotten.
pub const ROOMS_KNOWN_MAX: usize = 20_000;

/// What every room's events may take, in bytes: thirty events with texts of ordinary length.
pub const ROOM_EVENTS_BYTES_ORDINARY: usize = 16 << 10;
/// What the rooms with more events take beyond that, all together: three thousand rooms with twice as many.
pub const ROOM_EVENTS_BYTES_BEYOND_MAX: usize = 48 << 20;

/// What a room's events take beyond what every room's may, in bytes.
pub(super) fn extra_bytes(events: &[Event]) -> usize {
    let bytes: usize = events.iter().map(|event| size_of::<Event>() + text_bytes(event)).sum();
    bytes.saturating_sub(ROOM_EVENTS_BYTES_ORDINARY)
}

/// The events, with their subjects cut to what is kept of them.
///
/// # Errors
/// When there are more than are kept of one room.
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

/// Many rooms have long calendars, and there is no memory for another one.
pub(super) fn memory_exhausted(beyond: usize) -> CalendarError {
    CalendarError {
        responsible: ResponsibleParty::Administrator,
        advice:
            "the calendars of many rooms are too full to judge them all; look for a program that fills them"
                .to_owned(),
        code: format!(
            "{beyond} bytes beyond an ordinary room's; at most {ROOM_EVENTS_BYTES_BEYOND_MAX} bytes are kept of all rooms"
        ),
    }
}

fn calendar_too_full(events: usize, texts: usize) -> CalendarError {
    CalendarError {
        responsible: ResponsibleParty::Administrator,
        advice: "the room's calendar is too full to judge; look for a program that books this room again and again"
            .to_owned(),
        code: format!(
            "{events} events with {texts} bytes of text; at most {EVENTS_PER_ROOM_MAX} events and {EVENT_TEXTS_PER_ROOM_MAX} bytes are kept of a room"
        ),
    }
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
