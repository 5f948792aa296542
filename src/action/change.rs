//! The change that a successful action made, the people notified of it, and whether an undo is possible. Values only;
//! `display.rs` has the messages.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::calendar::{Copy, Event, EventId, EventKind, Uid};

/// What was changed, who was notified, and whether an undo is possible.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// The event as it was before the change.
    pub event: EventSnapshot,
    /// Whose copy was changed.
    pub copy: Copy,
    /// The change.
    pub change: Change,
    /// Who was notified by Exchange.
    #[serde(rename = "told")]
    pub notified: Notified,
    /// Whether an undo is possible.
    #[serde(rename = "undoable")]
    pub reversibility: Reversibility,
    /// Nothing was written: this is the change that the action would have made.
    #[serde(rename = "rehearsed")]
    pub dry_run: bool,
}

/// The properties of an event that an answer may show, as they were when the event was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventSnapshot {
    /// The id before the change.
    pub id: EventId,
    /// First instant.
    pub start: DateTime<Utc>,
    /// First instant after.
    pub end: DateTime<Utc>,
    /// Single event, occurrence, exception or series master.
    pub kind: EventKind,
    /// The organizer's address, if known.
    pub organizer: Option<String>,
    /// The UID, which stays the same when the event moves, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<Uid>,
}

impl From<&Event> for EventSnapshot {
    fn from(event: &Event) -> Self {
        Self {
            id: event.id.clone(),
            start: event.start,
            end: event.end,
            kind: event.kind,
            uid: event.uid.clone(),
            organizer: event.organizer.as_ref().and_then(|person| person.address.clone()),
        }
    }
}

/// The change that was made to an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "change")]
#[non_exhaustive]
pub enum Change {
    /// It ends earlier.
    Ended {
        /// The end before.
        from: DateTime<Utc>,
        /// The end now.
        to: DateTime<Utc>,
    },
    /// Declined in the room's name; the copy went to Deleted Items.
    Declined,
    /// Cancelled in the room's name; the copy went to Deleted Items.
    Cancelled,
    /// Moved to Deleted Items.
    Removed,
    /// It ends later.
    Extended {
        /// The end before.
        from: DateTime<Utc>,
        /// The end now.
        to: DateTime<Utc>,
    },
    /// It was created.
    Booked,
    /// Undone: the earlier end was set again.
    EndRestored {
        /// The end before.
        from: DateTime<Utc>,
        /// The end now.
        to: DateTime<Utc>,
    },
    /// Undone: moved back from Deleted Items.
    MovedBack,
}

impl Change {
    /// The value as the API, the metrics and the log have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ended { .. } => "ended",
            Self::Declined => "declined",
            Self::Cancelled => "cancelled",
            Self::Removed => "removed",
            Self::Extended { .. } => "extended",
            Self::Booked => "booked",
            Self::EndRestored { .. } => "end-restored",
            Self::MovedBack => "moved-back",
        }
    }
}

/// The people who received a message from Exchange about the change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Notified {
    /// None: the calendars of organizer and attendees are unchanged.
    Nobody,
    /// The organizer received a decline.
    Organizer,
    /// The attendees received an update or a cancellation.
    Attendees,
    /// Exchange sent no message, and the meeting's tracking at the organizer shows the room as declined.
    OrganizerSeesDecline,
    /// The calendar was changed, but Exchange did not confirm that a message was sent.
    Unknown,
}

impl Notified {
    /// The number of messages that Exchange sends; `None` where it is not known. Adjourn does not read how many attendees an event has.
    pub fn messages(self) -> Option<u32> {
        match self {
            Self::Nobody | Self::OrganizerSeesDecline => Some(0),
            Self::Organizer => Some(1),
            Self::Attendees | Self::Unknown => None,
        }
    }

    /// The value as the API and the command line print it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nobody => "nobody",
            Self::Organizer => "organizer",
            Self::Attendees => "attendees",
            Self::OrganizerSeesDecline => "organizer-sees-decline",
            Self::Unknown => "unknown",
        }
    }
}

/// Whether an undo is possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "undoable")]
pub enum Reversibility {
    /// An undo can set the old end again, or move the item back from Deleted Items.
    #[serde(rename = "yes")]
    Reversible,
    /// No undo is possible.
    #[serde(rename = "no")]
    Irreversible {
        /// The reason.
        because: IrreversibleReason,
    },
}

/// Why an action cannot be undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum IrreversibleReason {
    /// A deleted occurrence leaves no item in Deleted Items: the deletion is an edit of its series.
    OccurrenceLeavesNothing,
    /// The organizer received the decline; accepting again would need a new invitation.
    DeclineWasSent,
    /// The attendees received the cancellation.
    CancellationWasSent,
    /// A whole series was removed; other events may be at its times by now.
    SeriesWent,
    /// The room's server cannot move a removed event back. Exchange can.
    ServerCannotRestore,
    /// The action is an undo itself: to revert it, request the first action again.
    IsAnUndo,
}
