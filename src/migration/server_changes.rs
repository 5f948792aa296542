//! What the other server does otherwise, in sentences for administrators. Pure; the values are the servers' capabilities.

use crate::calendar::Copy;
use crate::engine::{Capabilities, SilentRemoval};

/// One sentence for each difference between two servers.
pub(crate) fn server_changes(source: Capabilities, target: Capabilities) -> Vec<&'static str> {
    let switches = SWITCHES.iter().filter_map(|(value, gained, lost)| match (value(source), value(target)) {
        (false, true) => Some(*gained),
        (true, false) => Some(*lost),
        _ => None,
    });
    let removals = REMOVALS.iter().filter_map(|(copy, sentences)| {
        let value = |server: Capabilities| match copy {
            Copy::Attendee => server.silent_removal.attendee,
            Copy::Organizer => server.silent_removal.organizer,
            Copy::Plain => server.silent_removal.plain,
        };
        (value(source) != value(target)).then(|| match value(target) {
            SilentRemoval::Unnoticed => sentences[0],
            SilentRemoval::ShownAsDeclined => sentences[1],
            SilentRemoval::Impossible => sentences[2],
        })
    });
    switches.chain(removals).collect()
}

/// A capability, and the sentences if the room gains or loses it.
type Switch = (fn(Capabilities) -> bool, &'static str, &'static str);

const SWITCHES: &[Switch] = &[
    (
        |server| server.can_mute_updates,
        "Adjourn can end a meeting that the room organized without a message to its attendees (`--silent`).",
        "Every new end of a meeting that the room organized sends its attendees an update; Adjourn refuses to end it silently (`--silent`).",
    ),
    (
        |server| server.can_move_back,
        "A meeting that was removed silently can be moved back from Deleted Items by an undo.",
        "A removed meeting cannot be moved back from Deleted Items by an undo.",
    ),
    (
        |server| server.traces.sent_items,
        "After a lost reply, Sent Items can prove whether a decline or cancellation was sent.",
        "After a lost reply, nothing proves whether a decline or cancellation was sent: Sent Items cannot be read, and a person has to check more often.",
    ),
    (
        |server| server.traces.deleted_items,
        "After a lost reply, Deleted Items can prove whether Adjourn removed an event.",
        "After a lost reply, nothing proves whether Adjourn removed an event: Deleted Items cannot be read, and a person has to check more often.",
    ),
    (
        |server| server.guarded.set_end,
        "The server refuses a new end of an event that was changed meanwhile.",
        "The server does not refuse a new end of an event that was changed meanwhile; Adjourn reads the event right before.",
    ),
    (
        |server| server.guarded.decline && server.guarded.cancel,
        "The server refuses to decline or cancel a meeting that was changed meanwhile.",
        "The server does not refuse to decline or cancel a meeting that was changed meanwhile; Adjourn reads the meeting right before.",
    ),
    (
        |server| server.guarded.remove,
        "The server refuses to remove an event that was changed meanwhile.",
        "The server does not refuse to remove an event that was changed meanwhile; Adjourn reads the event right before.",
    ),
    (
        |server| server.has_idempotent_booking,
        "A booking whose reply was lost can be requested again without a second event.",
        "A booking whose reply was lost is searched in the calendar before it is requested again.",
    ),
    (
        |server| server.reports_changes,
        "The server reports changes of calendars, so displays show them at once.",
        "The server reports no changes: calendars are polled, and displays show changes later.",
    ),
    (
        |server| server.can_end_all_day,
        "An all-day event can be ended or extended.",
        "An all-day event cannot be ended or extended; it can be deleted.",
    ),
];

/// By copy: the sentences if a silent removal is unnoticed, shown as declined, or impossible.
const REMOVALS: &[(Copy, [&str; 3])] = &[
    (
        Copy::Attendee,
        [
            "Adjourn can remove a meeting that the room was invited to silently: no other calendar changes.",
            "Adjourn can remove a meeting that the room was invited to without a message, but its organizer sees the room as declined.",
            "Adjourn refuses to remove a meeting that the room was invited to silently: the server always sends a message.",
        ],
    ),
    (
        Copy::Organizer,
        [
            "Adjourn can remove a meeting that the room organized silently: no other calendar changes.",
            "Adjourn can remove a meeting that the room organized without a message, but its attendees see the room as declined.",
            "Adjourn refuses to remove a meeting that the room organized silently: the server always sends a cancellation.",
        ],
    ),
    (
        Copy::Plain,
        [
            "Adjourn can remove an event without attendees: no other calendar changes.",
            "Adjourn can remove an event without attendees, but the server shows the room as declined.",
            "Adjourn refuses to remove an event without attendees silently: the server always sends a message.",
        ],
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::engine::SilentRemovals;

    #[test]
    fn each_change_has_one_sentence_and_its_reverse_has_another() {
        let lost = server_changes(Capabilities::ALL, Capabilities::NONE);
        let gained = server_changes(Capabilities::NONE, Capabilities::ALL);
        assert_eq!((lost.len(), gained.len()), (SWITCHES.len() + REMOVALS.len(), lost.len()));
        let all: BTreeSet<_> = lost.iter().chain(&gained).collect();
        assert_eq!(all.len(), lost.len() + gained.len());
        assert!(all.iter().all(|sentence| sentence.ends_with('.')));
        assert_eq!(server_changes(Capabilities::ALL, Capabilities::ALL), Vec::<&str>::new());
    }

    #[test]
    fn one_change_is_one_sentence() {
        let silent_removal =
            SilentRemovals { attendee: SilentRemoval::ShownAsDeclined, ..Capabilities::ALL.silent_removal };
        let changes = server_changes(Capabilities::ALL, Capabilities { silent_removal, ..Capabilities::ALL });
        assert!(matches!(&changes[..], [one] if one.contains("sees the room as declined")), "{changes:?}");
    }
}
