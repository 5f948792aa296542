//! The outcome of an action, and the answer that carries it. Values only: `change.rs` has the change of a successful action,
//! `refusal.rs` the reasons of a refused one, `display.rs` the messages.

use serde::{Deserialize, Serialize};

use super::{ActionId, Done, EventSnapshot, Refusal};

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

/// The outcome of an action.
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

/// Why nothing had to be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
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
