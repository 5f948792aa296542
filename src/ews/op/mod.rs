//! One file per operation: its request, its answer, its tests.
//!
//! A request is a plain struct that borrows what the caller has; it is written by [`Operation::write_body`] and never
//! validates: ids and times are checked types before they come here. Answers are the types beside it.

mod create_item;
mod delete_item;
mod find_item;
mod get_folder;
mod get_item;
mod get_room_lists;
mod get_rooms;
mod get_user_availability;
mod move_item;
mod resolve_names;
mod update_item;

pub use create_item::*;
pub use delete_item::*;
pub use find_item::*;
pub use get_folder::*;
pub use get_item::*;
pub use get_room_lists::*;
pub use get_rooms::*;
pub use get_user_availability::*;
pub use move_item::*;
pub use resolve_names::*;
pub use update_item::*;

/// A folder of the impersonated mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FolderId<'a> {
    /// `calendar`.
    Calendar,
    /// `deleteditems`.
    DeletedItems,
    /// `sentitems`.
    SentItems,
    /// An opaque id.
    Id(&'a str),
}

/// An item as a request names it: borrowed id and ChangeKey.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ItemRef<'a> {
    /// `Id`.
    pub id: &'a str,
    /// `ChangeKey`, when known.
    pub change_key: Option<&'a str>,
}

/// A property that a read can ask for (`t:FieldURI`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum Property {
    Subject,
    Sensitivity,
    Categories,
    DateTimeCreated,
    LastModifiedTime,
    Uid,
    RecurrenceId,
    Start,
    End,
    OriginalStart,
    IsAllDayEvent,
    LegacyFreeBusyStatus,
    Location,
    IsMeeting,
    IsCancelled,
    IsRecurring,
    CalendarItemType,
    MyResponseType,
    Organizer,
    RequiredAttendees,
    OptionalAttendees,
    Resources,
    AppointmentState,
    IsOrganizer,
}
