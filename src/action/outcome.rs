//! How an action ended.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{ActionId, Refusal};
use crate::calendar::{Copy, Event, EventId, EventKind, Uid};

/// What a caller is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The action that the outcome belongs to: an earlier one when the answer is a repeated one.
    pub action: ActionId,
    /// How it ended.
    pub outcome: Outcome,
    /// This answer was given before, under the same key; nothing was done now.
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
        /// What was found.
        why: NoChangeReason,
    },
    /// Nothing was changed.
    Refused {
        /// Why.
        refusal: Refusal,
    },
    /// It is not known what happened, or it went wrong half-way: a person has to look.
    NeedsAttention {
        /// The event it is about.
        event: EventSnapshot,
        /// What is known and what to do, for a person.
        advice: String,
        /// The mailbox could not be read: once it can be, it is looked up without a person.
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
    /// It is not known yet whether this action was done; its journal entry is open, and the mailbox is looked at again.
    pub fn is_in_doubt(&self) -> bool {
        matches!(&self.outcome, Outcome::Refused { refusal: Refusal::StillInDoubt { action } } if *action == self.action)
    }
}

/// What was changed, who knows, and whether there is a way back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// The event as it was before.
    pub event: EventSnapshot,
    /// Whose copy was changed.
    pub copy: Copy,
    /// What was done to it.
    pub change: Change,
    /// Who was told by Exchange.
    #[serde(rename = "told")]
    pub notified: Notified,
    /// Is there a way back?
    #[serde(rename = "undoable")]
    pub reversibility: Reversibility,
    /// True when nothing was written: this is what would have been done.
    #[serde(rename = "rehearsed")]
    pub dry_run: bool,
}

/// An event as it was seen; what an answer may show of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventSnapshot {
    /// Where it is stored (before the change).
    pub id: EventId,
    /// First instant.
    pub start: DateTime<Utc>,
    /// First instant after.
    pub end: DateTime<Utc>,
    /// Single, occurrence or exception.
    pub kind: EventKind,
    /// The organizer's address, where known.
    pub organizer: Option<String>,
    /// What stays the same when the event moves, where known.
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

/// What was done to an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "change")]
pub enum Change {
    /// Its end was moved forward.
    Ended {
        /// The end it had.
        from: DateTime<Utc>,
        /// The end it has.
        to: DateTime<Utc>,
    },
    /// Declined in the room's name; the copy went to Deleted Items.
    Declined,
    /// Cancelled in the room's name; the copy went to Deleted Items.
    Cancelled,
    /// Moved to Deleted Items.
    Removed,
    /// Its end was moved back.
    Extended {
        /// The end it had.
        from: DateTime<Utc>,
        /// The end it has.
        to: DateTime<Utc>,
    },
    /// It was made.
    Booked,
    /// Undone: the end it had before was set again.
    EndRestored {
        /// The end it had.
        from: DateTime<Utc>,
        /// The end it has.
        to: DateTime<Utc>,
    },
    /// Undone: moved back from Deleted Items.
    MovedBack,
}

/// Whom Exchange told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Notified {
    /// Nobody: the organizer and the attendees still see what they saw.
    Nobody,
    /// The organizer got a decline.
    Organizer,
    /// The attendees got an update or a cancellation.
    Attendees,
    /// The calendar was changed, but Exchange did not confirm that the message about it was sent.
    Unknown,
}

impl Notified {
    /// As it is printed.
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
    /// Yes: the old end can be set again, or the item moved back from Deleted Items.
    #[serde(rename = "yes")]
    Reversible,
    /// No.
    #[serde(rename = "no")]
    Irreversible {
        /// Because of this.
        because: IrreversibleReason,
    },
}

/// Why there is no way back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IrreversibleReason {
    /// A deleted occurrence leaves nothing behind: it is an edit of its series.
    OccurrenceLeavesNothing,
    /// The organizer has the decline; accepting again would need a new invitation.
    DeclineWasSent,
    /// The attendees have the cancellation.
    CancellationWasSent,
    /// A whole series went; other events may stand at its times by now.
    SeriesWent,
    /// It is an undoing itself: the way back is to ask for the first action again.
    IsAnUndo,
}

/// What was found instead of something to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoChangeReason {
    /// The event is over.
    Over,
    /// The event is not on the calendar any more.
    Gone,
    /// The room has declined the meeting, and its calendar keeps the declined item.
    Declined,
    /// The event has the end again that it had before.
    Restored,
    /// An earlier action did the same to the same event.
    ByAction {
        /// That action.
        action: ActionId,
    },
}
