//! The record of one action: the state that its facts add up to, and which fact may come next. Pure.

use std::borrow::Cow;

use chrono::{DateTime, Utc};

use super::{ActionEntry, Fact, LateEffect};
use crate::action::{Action, ActionId, ActionKind, Done, Outcome, Refusal, RequestIds, Step};
use crate::calendar::Event;

/// The stage of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActionStage {
    /// Accepted; no step was sent.
    Accepted,
    /// A step was about to be sent, and may have been.
    Intended,
    /// A step may have been applied.
    InDoubt,
    /// Closed, with an outcome.
    Closed,
}

impl ActionStage {
    /// The value as stored and printed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Intended => "intended",
            Self::InDoubt => "in-doubt",
            Self::Closed => "closed",
        }
    }
}

/// The last step that was recorded before it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// The step.
    pub step: Step,
    /// The event before the step.
    pub before: Event,
    /// The change to report if the step is done.
    pub done: Done,
}

/// An action and its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionRecord {
    /// The request.
    pub action: Action,
    /// When it was accepted.
    pub accepted_at: DateTime<Utc>,
    /// The stage.
    pub stage: ActionStage,
    /// The last intent.
    pub intent: Option<Intent>,
    /// All recorded write requests.
    pub requests: Vec<RequestIds>,
    /// When the last fact was recorded.
    pub last_at: DateTime<Utc>,
    /// The outcome, when the action is closed.
    pub outcome: Option<Outcome>,
    /// Whether a reply was lost.
    pub was_in_doubt: bool,
    /// What became known of its requests after it was closed.
    pub late: Option<LateEffect>,
}

/// A fact cannot follow the stage of its action.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("action {action}: `{fact}` cannot follow {after}")]
pub struct InvalidTransition {
    /// The action.
    pub action: ActionId,
    /// The kind of the fact.
    pub fact: &'static str,
    /// The stage.
    pub after: String,
}

impl ActionRecord {
    /// The record after `entry`. This is the one function that decides which fact may follow which.
    pub fn apply(record: Option<Self>, entry: &ActionEntry) -> Result<Self, InvalidTransition> {
        let stage = record.as_ref().map(|record| record.stage);
        let impossible = || InvalidTransition {
            action: entry.action,
            fact: entry.fact.name(),
            after: stage.map_or("nothing".to_owned(), |stage| format!("{stage:?}")),
        };
        match (record, &entry.fact) {
            (None, Fact::Accepted { action }) if action.id == entry.action => {
                Ok(Self::begin((**action).clone(), entry.at))
            }
            (Some(record), fact) if record.action.id == entry.action && record.accepts(fact) => {
                Ok(record.updated(fact, entry.at))
            }
            _ => Err(impossible()),
        }
    }

    fn begin(action: Action, at: DateTime<Utc>) -> Self {
        Self {
            action,
            accepted_at: at,
            stage: ActionStage::Accepted,
            intent: None,
            requests: Vec::new(),
            last_at: at,
            outcome: None,
            was_in_doubt: false,
            late: None,
        }
    }

    /// | after | Intended | InDoubt | Closed | Settled | Late |
    /// | --- | --- | --- | --- | --- | --- |
    /// | Accepted | yes | no: nothing was sent | yes, unless the outcome is `Done` | no | no |
    /// | Intended | yes: planned again | yes | yes | no | no |
    /// | InDoubt | yes: planned again | yes: sent again | yes | no | no |
    /// | Closed | no | no | no | once, where the mailbox could not be read | yes, if it had an intent |
    fn accepts(&self, fact: &Fact) -> bool {
        match (self.stage, fact) {
            (ActionStage::Closed, Fact::Settled { .. }) => self.needs_recheck(),
            (ActionStage::Closed, Fact::Late { .. }) => self.intent.is_some(),
            (_, Fact::Settled { .. } | Fact::Late { .. }) => false,
            (_, Fact::Accepted { .. })
            | (ActionStage::Closed, _)
            | (ActionStage::Accepted, Fact::InDoubt { .. }) => false,
            (ActionStage::Accepted, Fact::Closed { outcome, .. }) => !matches!(**outcome, Outcome::Done(_)),
            (ActionStage::Accepted | ActionStage::Intended | ActionStage::InDoubt, _) => true,
        }
    }

    fn updated(mut self, fact: &Fact, at: DateTime<Utc>) -> Self {
        self.last_at = at;
        match fact {
            Fact::Accepted { .. } => {}
            Fact::Intended { step, before, done } => {
                self.stage = ActionStage::Intended;
                let (before, done) = ((**before).clone(), (**done).clone());
                self.intent = Some(Intent { step: step.clone(), before, done });
            }
            Fact::InDoubt { requests, .. } => {
                self.stage = ActionStage::InDoubt;
                self.was_in_doubt = true;
                self.requests.extend(requests.iter().cloned());
            }
            Fact::Closed { outcome, requests } => {
                self.stage = ActionStage::Closed;
                self.requests.extend(requests.iter().cloned());
                self.outcome = Some((**outcome).clone());
            }
            Fact::Settled { outcome } => self.outcome = Some((**outcome).clone()),
            Fact::Late { effect, requests } => {
                self.late = self.late.max(Some(*effect));
                self.requests.extend(requests.iter().cloned());
            }
        }
        self
    }

    /// Whether the action was closed while its mailbox could not be read, so that the mailbox is read again later.
    pub fn needs_recheck(&self) -> bool {
        matches!(self.outcome, Some(Outcome::NeedsAttention { recheck: true, .. }))
    }

    /// Whether the action was closed as one that changed nothing although a request of it may have been on its way.
    pub fn may_arrive_late(&self) -> bool {
        let Some(Outcome::Refused { refusal }) = &self.outcome else { return false };
        self.intent.is_some() && (self.was_in_doubt || *refusal == Refusal::Interrupted)
    }

    /// What is reported as the outcome: the recorded one, unless a request changed the calendar, or may have, after the action was
    /// closed as one that changed nothing. Then a person has to look at the calendar.
    pub fn reported_outcome(&self) -> Option<Cow<'_, Outcome>> {
        let outcome = self.outcome.as_ref()?;
        let arrived_late = match (self.late, &self.intent, outcome) {
            (Some(effect), Some(intent), Outcome::Refused { .. } | Outcome::AlreadyDone { .. }) => {
                Some(effect.outcome(&intent.done.event))
            }
            _ => None,
        };
        Some(arrived_late.map_or(Cow::Borrowed(outcome), Cow::Owned))
    }

    /// Whether the action changed the calendar, or may have.
    pub fn may_have_changed(&self) -> bool {
        let outcome = self.reported_outcome();
        matches!(outcome.as_deref(), Some(Outcome::Done(_) | Outcome::NeedsAttention { .. }))
    }

    /// The change, if the outcome is `Done`.
    pub fn done(&self) -> Option<&Done> {
        match &self.outcome {
            Some(Outcome::Done(done)) => Some(done),
            _ => None,
        }
    }

    /// Whether this action is an undo of that one, and is done.
    pub fn has_undone(&self, of: ActionId) -> bool {
        self.action.kind == ActionKind::Undo { of } && self.done().is_some()
    }

    /// Whether the action is not closed.
    pub fn is_open(&self) -> bool {
        self.stage != ActionStage::Closed
    }
}
