//! Facts: the events in the history of an action, one per journal entry. Values only; `action_record.rs` decides which fact may
//! follow which.

use serde::{Deserialize, Serialize};

use crate::action::{Action, Done, Outcome, RequestIds, Step};
use crate::calendar::Event;

/// One fact about an action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
#[non_exhaustive]
pub enum Fact {
    /// A request was accepted: from now on it will be answered.
    Accepted {
        /// The request.
        action: Box<Action>,
    },
    /// This step is about to be sent.
    Intended {
        /// The step.
        step: Step,
        /// The event before the step, for undo and audit. Without the subject unless that is configured. For a booking, the
        /// event to create, which has no id yet.
        before: Box<Event>,
        /// The change to report if the step is done.
        done: Box<Done>,
    },
    /// Whether the step was applied is unknown; the engine will read the mailbox.
    InDoubt {
        /// What is known.
        why: String,
        /// The requests that were sent.
        requests: Vec<RequestIds>,
    },
    /// The action is closed.
    Closed {
        /// The outcome.
        outcome: Box<Outcome>,
        /// The requests that were sent since the last fact.
        requests: Vec<RequestIds>,
    },
    /// The outcome of an action that was closed in doubt: the mailbox could be read later.
    Settled {
        /// The outcome.
        outcome: Box<Outcome>,
    },
}

impl Fact {
    /// The kind, as stored.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Accepted { .. } => "accepted",
            Self::Intended { .. } => "intended",
            Self::InDoubt { .. } => "in-doubt",
            Self::Closed { .. } => "closed",
            Self::Settled { .. } => "settled",
        }
    }
}
