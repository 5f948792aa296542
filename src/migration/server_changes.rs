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
        "A meeting that the room organized can be ended or extended without a message to its attendees (`--silent`).",
        "The end of a meeting that the room organized always sends its attendees an update, even with `--silent`.",
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
            "A meeting that the room was invited to can be removed silently, and nobody notices.",
            "A meeting that the room was invited to can be removed silently, but its organizer sees the room as declined.",
            "A meeting that the room was invited to cannot be removed silently: the request is refused.",
        ],
    ),
    (
        Copy::Organizer,
        [
            "A meeting that the room organized can be removed silently, and nobody notices.",
            "A meeting that the room organized can be removed silently, but its attendees see the room as declined.",
            "A meeting that the room organized cannot be removed silently: its server always sends a cancellation, so the request is refused.",
        ],
    ),
    (
        Copy::Plain,
        [
            "An event without attendees can be removed, and nobody notices.",
            "An event without attendees can be removed, but the room is shown as declined.",
            "An event without attendees cannot be removed silently: the request is refused.",
        ],
    ),
];

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::engine::{GuardedSteps, ReadableTraces, SilentRemovals};

    /// A server that can do and guarantees everything.
    pub(in crate::migration) const EVERYTHING: Capabilities = Capabilities {
        can_mute_updates: true,
        guarded: GuardedSteps { set_end: true, decline: true, cancel: true, remove: true, move_back: true },
        silent_removal: SilentRemovals {
            attendee: SilentRemoval::Unnoticed,
            organizer: SilentRemoval::Unnoticed,
            plain: SilentRemoval::Unnoticed,
        },
        can_move_back: true,
        traces: ReadableTraces { sent_items: true, deleted_items: true },
        has_idempotent_booking: true,
        reports_changes: true,
        can_end_all_day: true,
    };

    #[test]
    fn each_change_has_one_sentence_and_its_reverse_has_another() {
        let lost = server_changes(EVERYTHING, Capabilities::NONE);
        let gained = server_changes(Capabilities::NONE, EVERYTHING);
        assert_eq!((lost.len(), gained.len()), (SWITCHES.len() + REMOVALS.len(), lost.len()));
        let all: BTreeSet<_> = lost.iter().chain(&gained).collect();
        assert_eq!(all.len(), lost.len() + gained.len());
        assert!(all.iter().all(|sentence| sentence.ends_with('.')));
        assert_eq!(server_changes(EVERYTHING, EVERYTHING), Vec::<&str>::new());
    }

    #[test]
    fn one_change_is_one_sentence() {
        let silent_removal =
            SilentRemovals { attendee: SilentRemoval::ShownAsDeclined, ..EVERYTHING.silent_removal };
        let changes = server_changes(EVERYTHING, Capabilities { silent_removal, ..EVERYTHING });
        assert!(matches!(&changes[..], [one] if one.contains("sees the room as declined")), "{changes:?}");
    }
}
