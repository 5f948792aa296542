//! Facts: what can be known about an action, one at a time.

use serde::{Deserialize, Serialize};

use crate::action::{Action, Done, Outcome, RequestIds, Step};
use crate::calendar::Event;

/// One fact about an action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
#[non_exhaustive]
pub enum Fact {
    /// A caller's wish was taken on: from here on it will be answered.
    Accepted {
        /// The wish.
        action: Box<Action>,
    },
    /// The next thing to happen is this step.
    Intended {
        /// What will be sent.
        step: Step,
        /// The event as it is before it: what undo and audit need. Without the subject unless that is configured. Of a
        /// booking, the event as it is to be; it has no id yet.
        before: Box<Event>,
        /// The answer, when the step turns out to be done.
        done: Box<Done>,
    },
    /// It is not known whether the step was carried out; the mailbox is about to be looked at.
    InDoubt {
        /// What is known.
        why: String,
        /// What was sent.
        requests: Vec<RequestIds>,
    },
    /// The action is over.
    Closed {
        /// How.
        outcome: Box<Outcome>,
        /// What was sent since the last fact.
        requests: Vec<RequestIds>,
    },
    /// The action was closed without knowing what became of it; the mailbox could be read later, and shows it.
    Settled {
        /// How it ended.
        outcome: Box<Outcome>,
    },
}

impl Fact {
    /// Its name, as it is stored.
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
