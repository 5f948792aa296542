//! What is kept of one room's calendar at most. A calendar beyond that is too full to judge: its room is unknown, and nothing is
//! done there by itself. Pure.

use crate::action::Fault;
use crate::calendar::Event;
use crate::engine::Trouble;

/// Events of one room in the 36 hours that are read: one every two minutes.
pub const EVENTS_PER_ROOM_MAX: usize = 1_000;
/// Bytes of texts and ids of these events: as many as that with ids and names of ordinary length.
pub const EVENT_TEXTS_PER_ROOM_MAX: usize = 1 << 20;
/// Characters that are kept of a subject: as many as Exchange lets people type.
pub const SUBJECT_CHARS_MAX: usize = 255;
/// Rooms of which anything is known, before those that nobody follows are forgotten.
pub const ROOMS_KNOWN_MAX: usize = 20_000;

/// The events, with their subjects cut to what is kept of them.
///
/// # Errors
/// When there are more than are kept of one room.
pub(super) fn bounded(mut events: Vec<Event>) -> Result<Vec<Event>, Trouble> {
    events.iter_mut().for_each(cut_subject);
    let texts: usize = events.iter().map(text_bytes).sum();
    if events.len() > EVENTS_PER_ROOM_MAX || texts > EVENT_TEXTS_PER_ROOM_MAX {
        return Err(too_full(events.len(), texts));
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

fn too_full(events: usize, texts: usize) -> Trouble {
    Trouble {
        fault: Fault::Administrator,
        advice: "the room's calendar is too full to judge; look for a program that books this room again and again"
            .to_owned(),
        code: format!(
            "{events} events with {texts} bytes of text; at most {EVENTS_PER_ROOM_MAX} events and {EVENT_TEXTS_PER_ROOM_MAX} bytes are kept of a room"
        ),
    }
}
