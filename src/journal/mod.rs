//! The journal: facts about actions, each stored before what it announces happens.
//!
//! ```text
//! Accepted ──► Intended{step, before} ──► InDoubt ──► Closed{outcome} ──► Settled{outcome}, where the mailbox was unreadable
//!     │             ▲   │                  │  ▲ │        ▲
//!     │             └───┴── decided again ─┘  └─┘ again  │
//!     └──────────────────────────────────────────────────┘  refused, already done
//! ```
//!
//! Beside the actions' facts stand [`AdminEvent`]s: who changed keys or the configuration, and what was refused.
//!
//! [`ActionRecord`] is the one place that knows which fact may follow which. [`SealedEntry`] is a fact as it is kept: versioned, and
//! chained to the one before it by a hash. This module does no I/O: `store` keeps a journal on disk through [`Journal`],
//! and [`MemoryJournal`] keeps one that ends with the process.

mod action_record;
mod admin;
mod erase;
mod fact;
mod memory;
mod page;
mod personal;
mod query;
mod seal;

use std::time::Duration;

use async_trait::async_trait;

pub use action_record::{ActionRecord, ActionStage, Intent, InvalidTransition};
pub use admin::{
    ADMIN_EVENTS_READ_MAX, AdminActor, AdminEntry, AdminEvent, AdminPage, AdminQuery, Archived, KeyFacts,
};
pub use erase::{ErasureRequest, ErasureResult, ErasureTally, ErasureTarget, RECHECK_SPARED};
pub use fact::Fact;
pub use memory::{MEMORY_CLOSED_MAX, MEMORY_ENTRIES_MAX, MemoryJournal};
pub use page::{Position, RecordPage};
pub use personal::{ERASED, PersonalValue, PersonalValueError, Role, Salt};
pub use query::{ActionStatus, Query};
pub use seal::{
    ActionEntry, Chain, ChainError, EntryError, EntryText, Head, InvalidHead, JournalEntry, SealedEntry,
};

use crate::action::ActionId;

/// Keeps facts. Every implementation passes the same tests (`tests/store`).
#[async_trait]
pub trait Journal: Send + Sync {
    /// Stores one fact. `Ok` means that it survives whatever happens next, as far as this journal promises. A fact that
    /// cannot follow what is stored of its action is refused.
    async fn record(&self, entry: ActionEntry) -> Result<(), JournalError>;

    /// Stores one admin event, in the same chain.
    async fn record_admin(&self, entry: AdminEntry) -> Result<(), JournalError>;

    /// The admin events that a query asks for, the newest first.
    async fn admin_events(&self, query: &AdminQuery) -> Result<AdminPage, JournalError>;

    /// What is known of one action.
    async fn action_record(&self, action: ActionId) -> Result<Option<ActionRecord>, JournalError>;

    /// The lives that a query asks for, the last taken on first. For what the engine asks about one room, key or event.
    async fn find(&self, query: &Query) -> Result<Vec<ActionRecord>, JournalError>;

    /// A page of the audit: of the next `examine` actions after `after` in a query's range (its room, else its actor, else its
    /// rule, and its times), those that the query means, newest first by time. Delays no [`find`](Self::find).
    async fn page(
        &self,
        query: &Query,
        after: Option<Position>,
        examine: usize,
    ) -> Result<RecordPage, JournalError>;

    /// The entries as they are kept, in order: at most `max`, from the number `first` on (the first of all is 1).
    async fn entries(&self, first: u64, max: usize) -> Result<Vec<SealedEntry>, JournalError>;

    /// Commits a transaction that changes nothing: whether the disk takes what would be recorded now.
    async fn try_commit(&self) -> Result<(), JournalError> {
        Ok(())
    }

    /// What became of the commits so far, for metrics.
    fn health(&self) -> JournalHealth {
        JournalHealth::default()
    }

    /// The number and hash of the last entry. `None` where another process writes.
    fn chain(&self) -> Option<Chain> {
        None
    }

    /// Which entries left the journal for an archive file: the newest such event.
    async fn archived(&self) -> Result<Option<Archived>, JournalError> {
        Ok(None)
    }

    /// Erases personal values, and records how many. A journal that ends with its process erases nothing.
    async fn erase(&self, _erasure: ErasureRequest) -> Result<ErasureResult, JournalError> {
        Ok(ErasureResult::default())
    }

    /// Facts that wait to be stored, for metrics.
    fn queued_facts(&self) -> usize {
        0
    }
}

/// What became of a journal's commits, and the space that is left for more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct JournalHealth {
    /// Entries and trial commits that failed since the start.
    pub failed_commits: u64,
    /// How long ago the last commit succeeded; `None`: none did yet.
    pub last_commit_age: Option<Duration>,
    /// Free space where the journal is kept, as far as the system says.
    pub free_bytes: Option<u64>,
}

/// The journal could not do what it must. Nothing may be done that a fact was to announce.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// Disk full, read-only, or the file is damaged.
    #[error("the journal cannot be used: {0}")]
    Unusable(String),
    /// Something in it is not what was written there.
    #[error("the journal is not as it was written: {0}")]
    Damaged(String),
    /// A fact was to be stored that cannot be true. A defect of Adjourn.
    #[error(transparent)]
    InvalidTransition(#[from] InvalidTransition),
}
