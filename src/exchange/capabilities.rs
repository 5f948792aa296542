//! The operations and guarantees of Exchange Web Services, with the source of each value. Constants only.

use super::calendar::Exchange;
use crate::engine::{Capabilities, GuardedSteps, ReadableTraces, SilentRemoval, SilentRemovals};

impl Exchange {
    /// The capabilities of every Exchange room, on premises and in Exchange Online.
    pub const CAPABILITIES: Capabilities = Capabilities {
        // `SendMeetingInvitationsOrCancellations="SendToNone"` of UpdateItem (MS-OXWSMTGS, `CalendarItemUpdateOperationType`).
        can_mute_updates: true,
        guarded: GUARDED,
        silent_removal: SILENT_REMOVAL,
        // MoveItem moves the item to another folder of its mailbox (MS-OXWSCORE, "MoveItem operation").
        can_move_back: true,
        // FindItem reads both folders of the room, impersonated or named (MS-OXWSFOLD, `DistinguishedFolderIdNameType`). Where the
        // account may not read one, the server returns an error, not an empty folder.
        traces: ReadableTraces { sent_items: true, deleted_items: true },
        // CreateItem documents no comparison of UIDs (MS-OXWSMTGS, `UID`): a repeated request creates a second item.
        has_idempotent_booking: false,
        // Streaming notifications and SyncFolderItems (MS-OXWSNTIF, MS-OXWSSYNC).
        reports_changes: true,
        can_end_all_day: true,
    };
}

const GUARDED: GuardedSteps = GuardedSteps {
    // With `NeverOverwrite`, UpdateItem fails with `ErrorIrresolvableConflict` (MS-OXWSCORE, `ConflictResolutionType`).
    set_end: true,
    // A response object names its meeting by a `ReferenceItemId` with a `ChangeKey` (MS-OXWSMTGS, `DeclineItem`,
    // `CancelCalendarItem`); a key of another version is `ErrorStaleObject` (MS-OXWSCDATA 2.2.5.24).
    decline: true,
    cancel: true,
    // MoveItem and DeleteItem document no conflict: `ItemId` requires a `ChangeKey` of UpdateItem and SendItem only
    // (learn.microsoft.com/exchange/client-developer/web-service-reference/itemid).
    remove: false,
    move_back: false,
};

/// `SendMeetingCancellations="SendToNone"`: the meeting is deleted, and no cancellation is sent (MS-OXWSMTGS,
/// `CalendarItemCreateOrDeleteOperationType`). The deletion of an attendee copy sends no response: only response objects do
/// (MS-OXWSMTGS, `DeclineItem`).
const SILENT_REMOVAL: SilentRemovals = SilentRemovals {
    attendee: SilentRemoval::Unnoticed,
    organizer: SilentRemoval::Unnoticed,
    plain: SilentRemoval::Unnoticed,
};
