//! Steps: what is sent to a calendar to carry an action out, and the names of the requests that sent it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::Notify;
use crate::calendar::{ChangeKey, EventId, Uid};

/// One operation on one event, with everything that is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "step")]
pub enum Step {
    /// Set the end, and nothing else.
    SetEnd {
        /// Which event.
        id: EventId,
        /// In which version.
        change_key: ChangeKey,
        /// The new end.
        end: DateTime<Utc>,
        /// Who hears of it.
        notify: Notify,
    },
    /// Decline in the room's name.
    Decline {
        /// Which event.
        id: EventId,
        /// In which version.
        change_key: ChangeKey,
        /// Said to the organizer.
        text: Option<String>,
    },
    /// Cancel in the room's name.
    Cancel {
        /// Which event.
        id: EventId,
        /// In which version.
        change_key: ChangeKey,
        /// Said to the attendees.
        text: Option<String>,
    },
    /// Move to Deleted Items, silently.
    Remove {
        /// Which event.
        id: EventId,
        /// In which version.
        change_key: ChangeKey,
    },
    /// Make a plain event in the room's calendar.
    Book {
        /// By which it is found again: the server gives it an id only then.
        uid: Uid,
        /// First instant.
        start: DateTime<Utc>,
        /// First instant after.
        end: DateTime<Utc>,
        /// What people read.
        subject: String,
    },
    /// Move from Deleted Items back to the calendar, silently.
    MoveBack {
        /// Which event, by its id in Deleted Items.
        id: EventId,
        /// In which version.
        change_key: ChangeKey,
    },
}

impl Step {
    /// Which event it is about, if that is there already.
    pub fn id(&self) -> Option<&EventId> {
        self.item().map(|(id, _)| id)
    }

    /// It takes the event off the calendar.
    pub fn removes_event(&self) -> bool {
        match self {
            Self::Decline { .. } | Self::Cancel { .. } | Self::Remove { .. } => true,
            Self::SetEnd { .. } | Self::Book { .. } | Self::MoveBack { .. } => false,
        }
    }

    /// It sends a message in the operation that does it.
    pub fn sends_meeting_message(&self) -> bool {
        matches!(self, Self::Decline { .. } | Self::Cancel { .. })
    }

    /// Exchange sends mail when it carries the step out.
    pub fn sends_mail(&self) -> bool {
        self.sends_meeting_message() || matches!(self, Self::SetEnd { notify: Notify::Attendees, .. })
    }

    /// Exchange itself compares the version and refuses another one, whenever the request arrives. Of what is moved or deleted
    /// it does not (no conflict is documented for `MoveItem` and `DeleteItem`), and what is made has no version yet.
    pub fn is_guarded(&self) -> bool {
        match self {
            Self::SetEnd { .. } | Self::Decline { .. } | Self::Cancel { .. } => true,
            Self::Remove { .. } | Self::MoveBack { .. } | Self::Book { .. } => false,
        }
    }

    /// Which event in which version it is about, if that is there already.
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

/// The two names of one request, for the logs of both sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestIds {
    /// `client-request-id`, as we sent it.
    pub ours: String,
    /// `request-id`, as Exchange answered; `None` when no answer came.
    pub theirs: Option<String>,
}
