//! The operations and guarantees of Microsoft Graph, with the source of each value. Values only. Values that no source confirms
//! are the weaker ones.

use super::settings::GraphRights;
use crate::engine::{Capabilities, GuardedSteps, ReadableTraces, SilentRemoval, SilentRemovals};

/// The capabilities of every room of a connection with these rights.
pub(super) const fn capabilities(rights: GraphRights) -> Capabilities {
    Capabilities {
        // PATCH of an event always updates the attendees; there is no counterpart to `SendToNone` ("Update event").
        can_mute_updates: false,
        guarded: GUARDED,
        silent_removal: SILENT_REMOVAL,
        // `event` has no action that moves it ("event resource type").
        can_move_back: false,
        traces: ReadableTraces { sent_items: rights.read_mail, deleted_items: rights.read_mailbox_items },
        // A POST with the `transactionId` of an earlier one returns its event ("event resource type", `transactionId`).
        has_idempotent_booking: true,
        // Change notifications need an address on the Internet; the calendars are polled.
        reports_changes: false,
        // An all-day event has dates without a zone, and starts and ends at midnight ("event resource type", `isAllDay`).
        can_end_all_day: false,
    }
}

const GUARDED: GuardedSteps = GuardedSteps {
    // A stale `If-Match` on PATCH returns 412, and nothing is written.
    set_end: true,
    // No source shows that `If-Match` counts for actions.
    decline: false,
    cancel: false,
    // DELETE removes the event whatever `If-Match` contains.
    remove: false,
    move_back: false,
};

const SILENT_REMOVAL: SilentRemovals = SilentRemovals {
    // DELETE sends no message, and the organizer's tracking shows the room as declined.
    attendee: SilentRemoval::ShownAsDeclined,
    // DELETE sends a cancellation to every attendee, always ("Delete event").
    organizer: SilentRemoval::Impossible,
    plain: SilentRemoval::Unnoticed,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_are_as_readable_as_the_rights_allow() {
        let none = capabilities(GraphRights::default()).traces;
        assert_eq!(none, ReadableTraces { sent_items: false, deleted_items: false });
        let rights = GraphRights { read_mail: true, ..GraphRights::default() };
        assert_eq!(capabilities(rights).traces, ReadableTraces { sent_items: true, deleted_items: false });
    }
}
