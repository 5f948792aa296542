//! Steps: the single operation that an action sends to a calendar, and the ids of the requests that carried it. Values only:
//! the wire format belongs to the adapter.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::Notify;
use crate::calendar::{ChangeKey, EventId, Uid};

/// One operation on one event, with everything that the request contains.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "step")]
pub enum Step {
    /// Sets the end, and nothing else.
    SetEnd {
        /// The event.
        id: EventId,
        /// The version that was read.
        change_key: ChangeKey,
        /// The new end.
        end: DateTime<Utc>,
        /// Who receives an update.
        notify: Notify,
    },
    /// Declines the meeting in the room's name.
    Decline {
        /// The event.
        id: EventId,
        /// The version that was read.
        change_key: ChangeKey,
        /// The text of the message to the organizer.
        text: Option<String>,
    },
    /// Cancels the meeting in the room's name.
    Cancel {
        /// The event.
        id: EventId,
        /// The version that was read.
        change_key: ChangeKey,
        /// The text of the message to the attendees.
        text: Option<String>,
    },
    /// Moves the event to Deleted Items without a message.
    Remove {
        /// The event.
        id: EventId,
        /// The version that was read.
        change_key: ChangeKey,
    },
    /// Creates a plain event in the room's calendar.
    Book {
        /// The UID by which the event is found again: the server assigns the item id only when it creates the event.
        uid: Uid,
        /// First instant.
        start: DateTime<Utc>,
        /// First instant after.
        end: DateTime<Utc>,
        /// The subject that people read.
        subject: String,
    },
    /// Moves the event from Deleted Items back to the calendar, without a message.
    MoveBack {
        /// The event, by its id in Deleted Items.
        id: EventId,
        /// The version that was read.
        change_key: ChangeKey,
    },
}

impl Step {
    /// The event; `None` for a booking, which has no id before it is created.
    pub fn id(&self) -> Option<&EventId> {
        self.item().map(|(id, _)| id)
    }

    /// Whether the step removes the event from the calendar.
    pub fn removes_event(&self) -> bool {
        match self {
            Self::Decline { .. } | Self::Cancel { .. } | Self::Remove { .. } => true,
            Self::SetEnd { .. } | Self::Book { .. } | Self::MoveBack { .. } => false,
        }
    }

    /// Whether the operation itself is a meeting message (a decline or a cancellation).
    pub fn sends_meeting_message(&self) -> bool {
        matches!(self, Self::Decline { .. } | Self::Cancel { .. })
    }

    /// Whether the server sends mail when it carries out the step.
    pub fn sends_mail(&self) -> bool {
        self.sends_meeting_message() || matches!(self, Self::SetEnd { notify: Notify::Attendees, .. })
    }

    /// The event and its version; `None` for a booking, which has none before it is created.
    pub fn item(&self) -> Option<(&EventId, &ChangeKey)> {
        match self {
            Self::SetEnd { id, change_key, .. }
            | Self::Decline { id, change_key, .. }
            | Self::Cancel { id, change_key, .. }
            | Self::Remove { id, change_key }
            | Self::MoveBack { id, change_key } => Some((id, change_key)),
            Self::Book { .. } => None,
        }
    }
}

/// The two ids of one request, one in each side's logs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestIds {
    /// The `client-request-id` that Adjourn sent.
    pub ours: String,
    /// The `request-id` that Exchange returned; `None` without a response.
    pub theirs: Option<String>,
}
