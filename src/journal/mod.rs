//! The journal: facts about actions, each stored before what it announces happens.
//!
//! ```text
//! Accepted ──► Intended{step} ──► Sent ──► (looked at the mailbox) ──► Closed{outcome}
//!     └──────────────────────────────────────────────────────────────────▲  refused, already done
//! ```
//!
//! This module is the seam: the engine records every fact through [`Journal`] and does not go on until the journal has
//! taken it. [`MemoryJournal`] forgets everything when the process ends.

use std::sync::Mutex;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::action::{Action, ActionId, Outcome};
use crate::calendar::Event;
use crate::engine::Step;

/// One fact about an action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "fact")]
#[non_exhaustive]
pub enum Fact {
    /// A caller's wish was taken on: from here on it will be answered.
    Accepted {
        /// The wish.
        action: Action,
    },
    /// The next thing to happen is this step.
    Intended {
        /// What will be sent.
        step: Step,
        /// The event as it is before it.
        before: Event,
    },
    /// It is not known whether the step was carried out; the mailbox is about to be looked at.
    InDoubt {
        /// What is known.
        why: String,
    },
    /// The action is over.
    Closed {
        /// How.
        outcome: Outcome,
    },
}

/// Takes facts. Returning `Ok` means: this fact survives whatever happens next (as far as this journal promises).
#[async_trait]
pub trait Journal: Send + Sync {
    /// Stores one fact.
    async fn record(&self, action: ActionId, fact: Fact) -> Result<(), JournalError>;
}

/// The journal could not take a fact. Nothing may be done that it was to announce.
#[derive(Debug, thiserror::Error)]
#[error("the journal could not store a fact: {0}")]
pub struct JournalError(pub String);

/// A journal that lasts as long as the process: for rehearsals, demos and tests.
#[derive(Debug, Default)]
pub struct MemoryJournal {
    facts: Mutex<Vec<(ActionId, Fact)>>,
}

impl MemoryJournal {
    /// Everything recorded, in order.
    pub fn facts(&self) -> Vec<(ActionId, Fact)> {
        self.facts.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl Journal for MemoryJournal {
    async fn record(&self, action: ActionId, fact: Fact) -> Result<(), JournalError> {
        self.facts.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((action, fact));
        Ok(())
    }
}
