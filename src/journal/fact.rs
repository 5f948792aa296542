//! Facts: the events in the history of an action, one per journal entry. Values only; `action_record.rs` decides which fact may
//! follow which.

use serde::{Deserialize, Serialize};

use crate::action::{Action, Done, EventSnapshot, Outcome, RequestIds, Step};
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
    /// What became known of a request after its action was closed as one that changed nothing. Changes no outcome; a person has to
    /// look at the calendar.
    Late {
        /// What became known.
        effect: LateEffect,
        /// The requests that were answered late.
        requests: Vec<RequestIds>,
    },
}

/// What a request did after its action was closed, as far as is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum LateEffect {
    /// A reply came, or failed to come, that does not prove what the request did.
    Unknown,
    /// The calendar shows the change now.
    OnCalendar,
    /// The server replied that it made the change.
    Confirmed,
}

impl LateEffect {
    /// What is reported of an action with such an effect.
    pub(super) fn outcome(self, event: &EventSnapshot) -> Outcome {
        let known = match self {
            Self::Unknown => {
                "A request may have arrived after the action was closed, and its reply does not show what it did"
            }
            Self::OnCalendar => {
                "The calendar shows the change now: a request arrived after the action was closed, or someone else made the same change"
            }
            Self::Confirmed => "The server made the change after the action was closed",
        };
        let start = event.start.format("%F %H:%MZ");
        let advice = format!("{known}; look at the room's calendar at {start}");
        Outcome::NeedsAttention { event: event.clone(), advice, recheck: false }
    }
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
            Self::Late { .. } => "late",
        }
    }
}
