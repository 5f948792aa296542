//! The outcome of an action: what was changed, who was notified, and whether an undo is possible. Values only; `display.rs` has
//! their sentences.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{ActionId, Refusal};
use crate::calendar::{Copy, Event, EventId, EventKind, Uid};

/// The response to one request for an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The action that the outcome belongs to: an earlier one when the answer is repeated.
    pub action: ActionId,
    /// The outcome.
    pub outcome: Outcome,
    /// The same answer was returned before, under the same idempotency key; nothing was done now.
    pub repeated: bool,
}

/// How an action ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "outcome")]
pub enum Outcome {
    /// The calendar was changed.
    Done(Done),
    /// Nothing had to be changed.
    AlreadyDone {
        /// What was found instead.
        why: NoChangeReason,
    },
    /// Nothing was changed.
    Refused {
        /// The reason.
        refusal: Refusal,
    },
    /// The result is not known, or the change was made only in part: a person has to check the calendar.
    NeedsAttention {
        /// The event it is about.
        event: EventSnapshot,
        /// What is known and what to do, for a person.
        advice: String,
        /// The mailbox could not be read. Adjourn reads it again by itself.
        #[serde(default, skip_serializing_if = "is_false")]
        recheck: bool,
    },
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
fn is_false(value: &bool) -> bool {
    !*value
}

impl Outcome {
    /// The other action that the outcome names.
    pub fn named_action(&self) -> Option<ActionId> {
        match self {
            Self::AlreadyDone { why: NoChangeReason::ByAction { action } } => Some(*action),
            Self::Refused { refusal } => refusal.named_action(),
            Self::Done(_) | Self::AlreadyDone { .. } | Self::NeedsAttention { .. } => None,
        }
    }
}

impl Answer {
    /// Whether this action is in doubt: its journal record is open, and Adjourn will read the mailbox again.
    pub fn is_in_doubt(&self) -> bool {
        matches!(&self.outcome, Outcome::Refused { refusal: Refusal::StillInDoubt { action } } if *action == self.action)
    }
}

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

/// The people to whom Exchange sent a message about the change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Notified {
    /// None: the calendars of organizer and attendees are unchanged.
    Nobody,
    /// The organizer received a decline.
    Organizer,
    /// The attendees received an update or a cancellation.
    Attendees,
    /// The calendar was changed, but Exchange did not confirm that a message was sent.
    Unknown,
}

impl Notified {
    /// The value as the API and the command line print it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nobody => "nobody",
            Self::Organizer => "organizer",
            Self::Attendees => "attendees",
            Self::Unknown => "unknown",
        }
    }
}

/// Is there a way back?
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
pub enum IrreversibleReason {
    /// A deleted occurrence leaves no item in Deleted Items: the deletion is an edit of its series.
    OccurrenceLeavesNothing,
    /// The organizer received the decline; accepting again would need a new invitation.
    DeclineWasSent,
    /// The attendees received the cancellation.
    CancellationWasSent,
    /// A whole series was removed; other events may be at its times by now.
    SeriesWent,
    /// The action is an undo itself: to revert it, request the first action again.
    IsAnUndo,
}

/// Why nothing had to be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoChangeReason {
    /// The event is over.
    Over,
    /// The event is no longer on the calendar.
    Gone,
    /// The room has declined the meeting, and its calendar keeps the declined item.
    Declined,
    /// The event already has the end that the undo would set.
    Restored,
    /// An earlier action did the same to the same event.
    ByAction {
        /// That action.
        action: ActionId,
    },
}
