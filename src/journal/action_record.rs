//! One action's life: what its facts add up to, and which fact may come next. Pure.

use chrono::{DateTime, Utc};

use super::{ActionEntry, Fact};
use crate::action::{Action, ActionId, ActionKind, Done, Outcome, RequestIds, Step};
use crate::calendar::Event;

/// Where an action stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActionStage {
    /// Taken on; nothing was sent.
    Accepted,
    /// A step was about to be sent: it may have been.
    Intended,
    /// A step may have been carried out.
    InDoubt,
    /// Over.
    Closed,
}

impl ActionStage {
    /// As it is stored and printed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Intended => "intended",
            Self::InDoubt => "in-doubt",
            Self::Closed => "closed",
        }
    }
}

/// What was about to be done, the last time something was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// What was to be sent.
    pub step: Step,
    /// The event before it.
    pub before: Event,
    /// The answer, if it is done.
    pub done: Done,
}

/// An action and what is known about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionRecord {
    /// The wish.
    pub action: Action,
    /// When it was taken on.
    pub accepted_at: DateTime<Utc>,
    /// Where it stands.
    pub stage: ActionStage,
    /// The last step that was intended.
    pub intent: Option<Intent>,
    /// Everything that was sent to change something, as far as it was stored.
    pub requests: Vec<RequestIds>,
    /// When the last fact was stored.
    pub last_at: DateTime<Utc>,
    /// How it ended.
    pub outcome: Option<Outcome>,
}

/// A fact that cannot be true.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("action {action}: `{fact}` cannot follow {after}")]
pub struct InvalidTransition {
    /// Whose.
    pub action: ActionId,
    /// Its name.
    pub fact: &'static str,
    /// What it was to follow.
    pub after: String,
}

impl ActionRecord {
    /// What `action_record` is after `entry`: the one function that says which fact may follow which.
    pub fn apply(life: Option<Self>, entry: &ActionEntry) -> Result<Self, InvalidTransition> {
        let stage = life.as_ref().map(|life| life.stage);
        let impossible = || InvalidTransition {
            action: entry.action,
            fact: entry.fact.name(),
            after: stage.map_or("nothing".to_owned(), |stage| format!("{stage:?}")),
        };
        match (life, &entry.fact) {
            (None, Fact::Accepted { action }) if action.id == entry.action => {
                Ok(Self::begin((**action).clone(), entry.at))
            }
            (Some(life), fact) if life.action.id == entry.action && life.accepts(fact) => {
                Ok(life.updated(fact, entry.at))
            }
            _ => Err(impossible()),
        }
    }

    fn begin(action: Action, at: DateTime<Utc>) -> Self {
        let (requests, intent, outcome) = (Vec::new(), None, None);
        Self { action, accepted_at: at, stage: ActionStage::Accepted, intent, requests, last_at: at, outcome }
    }

    /// | after | Intended | InDoubt | Closed | Settled |
    /// | --- | --- | --- | --- | --- |
    /// | Accepted | yes | no: nothing was sent | yes, unless it says that something was done | no |
    /// | Intended | yes: decided again | yes | yes | no |
    /// | InDoubt | yes: decided again | yes: sent again | yes | no |
    /// | Closed | no | no | no | once, where the mailbox could not be read |
    fn accepts(&self, fact: &Fact) -> bool {
        match (self.stage, fact) {
            (ActionStage::Closed, Fact::Settled { .. }) => self.needs_recheck(),
            (_, Fact::Settled { .. }) => false,
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
                self.requests.extend(requests.iter().cloned());
            }
            Fact::Closed { outcome, requests } => {
                self.stage = ActionStage::Closed;
                self.requests.extend(requests.iter().cloned());
                self.outcome = Some((**outcome).clone());
            }
            Fact::Settled { outcome } => self.outcome = Some((**outcome).clone()),
        }
        self
    }

    /// Closed while the mailbox could not be read: what became of it is looked up once it can be.
    pub fn needs_recheck(&self) -> bool {
        matches!(self.outcome, Some(Outcome::NeedsAttention { recheck: true, .. }))
    }

    /// What was done, if something was.
    pub fn done(&self) -> Option<&Done> {
        match &self.outcome {
            Some(Outcome::Done(done)) => Some(done),
            _ => None,
        }
    }

    /// It put back what that action did.
    pub fn has_undone(&self, of: ActionId) -> bool {
        self.action.kind == ActionKind::Undo { of } && self.done().is_some()
    }

    /// Not over yet.
    pub fn is_open(&self) -> bool {
        self.stage != ActionStage::Closed
    }
}
