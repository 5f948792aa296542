//! One action's life: what its facts add up to, and which fact may come next. Pure.

use chrono::{DateTime, Utc};

use super::{Entry, Fact};
use crate::action::{Action, ActionId, ActionKind, Done, Outcome, RequestIds, Step};
use crate::calendar::Event;

/// Where an action stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Taken on; nothing was sent.
    Accepted,
    /// A step was about to be sent: it may have been.
    Intended,
    /// A step may have been carried out.
    InDoubt,
    /// Over.
    Closed,
}

impl Stage {
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
pub struct Life {
    /// The wish.
    pub action: Action,
    /// When it was taken on.
    pub accepted_at: DateTime<Utc>,
    /// Where it stands.
    pub stage: Stage,
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
pub struct Impossible {
    /// Whose.
    pub action: ActionId,
    /// Its name.
    pub fact: &'static str,
    /// What it was to follow.
    pub after: String,
}

impl Life {
    /// What `life` is after `entry`: the one function that says which fact may follow which.
    pub fn after(life: Option<Self>, entry: &Entry) -> Result<Self, Impossible> {
        let stage = life.as_ref().map(|life| life.stage);
        let impossible = || Impossible {
            action: entry.action,
            fact: entry.fact.name(),
            after: stage.map_or("nothing".to_owned(), |stage| format!("{stage:?}")),
        };
        match (life, &entry.fact) {
            (None, Fact::Accepted { action }) if action.id == entry.action => {
                Ok(Self::begin((**action).clone(), entry.at))
            }
            (Some(life), fact) if life.action.id == entry.action && life.takes(fact) => {
                Ok(life.with(fact, entry.at))
            }
            _ => Err(impossible()),
        }
    }

    fn begin(action: Action, at: DateTime<Utc>) -> Self {
        let (requests, intent, outcome) = (Vec::new(), None, None);
        Self { action, accepted_at: at, stage: Stage::Accepted, intent, requests, last_at: at, outcome }
    }

    /// | after | Intended | InDoubt | Closed | Settled |
    /// | --- | --- | --- | --- | --- |
    /// | Accepted | yes | no: nothing was sent | yes, unless it says that something was done | no |
    /// | Intended | yes: decided again | yes | yes | no |
    /// | InDoubt | yes: decided again | yes: sent again | yes | no |
    /// | Closed | no | no | no | once, where the mailbox could not be read |
    fn takes(&self, fact: &Fact) -> bool {
        match (self.stage, fact) {
            (Stage::Closed, Fact::Settled { .. }) => self.waits_for_recheck(),
            (_, Fact::Settled { .. }) => false,
            (_, Fact::Accepted { .. }) | (Stage::Closed, _) | (Stage::Accepted, Fact::InDoubt { .. }) => {
                false
            }
            (Stage::Accepted, Fact::Closed { outcome, .. }) => !matches!(**outcome, Outcome::Done(_)),
            (Stage::Accepted | Stage::Intended | Stage::InDoubt, _) => true,
        }
    }

    fn with(mut self, fact: &Fact, at: DateTime<Utc>) -> Self {
        self.last_at = at;
        match fact {
            Fact::Accepted { .. } => {}
            Fact::Intended { step, before, done } => {
                self.stage = Stage::Intended;
                let (before, done) = ((**before).clone(), (**done).clone());
                self.intent = Some(Intent { step: step.clone(), before, done });
            }
            Fact::InDoubt { requests, .. } => {
                self.stage = Stage::InDoubt;
                self.requests.extend(requests.iter().cloned());
            }
            Fact::Closed { outcome, requests } => {
                self.stage = Stage::Closed;
                self.requests.extend(requests.iter().cloned());
                self.outcome = Some((**outcome).clone());
            }
            Fact::Settled { outcome } => self.outcome = Some((**outcome).clone()),
        }
        self
    }

    /// Closed while the mailbox could not be read: what became of it is looked up once it can be.
    pub fn waits_for_recheck(&self) -> bool {
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
        self.stage != Stage::Closed
    }
}
