//! The journal: a chain of facts about actions, each stored before the effect that it announces. No I/O: `store` keeps a
//! journal on disk through the [`Journal`] trait, and [`MemoryJournal`] keeps one that ends with the process.
//!
//! ```text
//! Accepted ──► Intended{step, before} ──► InDoubt ──► Closed{outcome} ──► Settled{outcome}, where the mailbox was unreadable
//!     │             ▲   │                  │  ▲ │        ▲          └───► Late{effect}, where a request arrived after that
//!     │             └───┴── planned again ─┘  └─┘ again  │
//!     └──────────────────────────────────────────────────┘  refused, already done
//! ```
//!
//! The chain also holds [`AdminEvent`]s: changes of keys and configuration, refused sign-ins, archives.
//!
//! [`ActionRecord`] is the state that the facts about one action add up to, and the one place that knows which fact may follow
//! which. [`SealedEntry`] is an entry as it is stored: versioned, and chained to the one before it by a hash.

mod action_record;
mod admin;
mod anchor;
mod erase;
mod fact;
mod head;
mod lock;
mod memory;
mod page;
mod personal;
mod predecessor;
mod query;
mod recent;
mod seal;

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

pub use action_record::{ActionRecord, ActionStage, Intent, InvalidTransition};
pub use admin::{
    ADMIN_EVENTS_READ_MAX, AdminActor, AdminEntry, AdminEvent, AdminPage, AdminQuery, Archived, KeyFacts,
};
pub use anchor::{Anchor, AnchoredChain};
pub use erase::{ErasureRequest, ErasureResult, ErasureTally, ErasureTarget, RECHECK_SPARED};
pub use fact::{Fact, LateEffect};
pub use head::{Head, InvalidHead};
pub use lock::{JournalLock, LockName};
pub use memory::{MEMORY_CLOSED_MAX, MEMORY_ENTRIES_MAX, MemoryJournal};
pub use page::{Position, RecordPage};
pub use personal::{ERASED, PersonalValue, PersonalValueError, Role, Salt};
pub use predecessor::Predecessor;
pub use query::{ActionStatus, Query};
pub(crate) use recent::actions_since;
pub use seal::{ActionEntry, Chain, ChainError, EntryError, EntryText, JournalEntry, SealedEntry};

use crate::action::ActionId;

/// A store of facts. Every implementation passes the same tests (`tests/store`).
#[async_trait]
pub trait Journal: Send + Sync {
    /// Stores one fact. `Ok` means that it is durable, as far as this journal promises. A fact that cannot follow the stored
    /// facts of its action is refused.
    async fn record(&self, entry: ActionEntry) -> Result<(), JournalError>;

    /// Stores one admin event, in the same chain.
    async fn record_admin(&self, entry: AdminEntry) -> Result<(), JournalError>;

    /// The admin events that match a query, newest first.
    async fn admin_events(&self, query: &AdminQuery) -> Result<AdminPage, JournalError>;

    /// Locks `name` against all other processes that write to this journal; waits while one of them holds it. Whoever holds a lock
    /// sees every fact that its former holder recorded.
    async fn lock(&self, _name: &LockName) -> Result<JournalLock, JournalError> {
        Ok(JournalLock::of_owner())
    }

    /// The same without waiting; `None` if another process holds the lock.
    async fn try_lock(&self, name: &LockName) -> Result<Option<JournalLock>, JournalError> {
        self.lock(name).await.map(Some)
    }

    /// Why this process can never write to the journal again; `None` while it can. The next process can.
    fn ended(&self) -> Option<JournalError> {
        None
    }

    /// Whether other processes may write to this journal, on machines with clocks of their own.
    fn is_shared(&self) -> bool {
        false
    }

    /// The record of one action.
    async fn action_record(&self, action: ActionId) -> Result<Option<ActionRecord>, JournalError>;

    /// The records that match a query, the last accepted first. The engine's queries name one room, key or event.
    async fn find(&self, query: &Query) -> Result<Vec<ActionRecord>, JournalError>;

    /// A page of the audit: those of the next `examine` actions after `after` in a query's range (its room, else its actor, else
    /// its rule, and its times) that match the query, newest first by time. Delays no [`find`](Self::find).
    async fn page(
        &self,
        query: &Query,
        after: Option<Position>,
        examine: usize,
    ) -> Result<RecordPage, JournalError>;

    /// The entries as stored, in order: at most `max`, from the number `first` on (the first of all is 1).
    async fn entries(&self, first: u64, max: usize) -> Result<Vec<SealedEntry>, JournalError>;

    /// The oldest entry of all processes that wrote to the journal; `None` if it has none.
    async fn first_entry(&self) -> Result<Option<SealedEntry>, JournalError> {
        Ok(self.entries(1, 1).await?.into_iter().next())
    }

    /// The actions about which a fact was recorded at `since` or later. Of very many, those with the last facts.
    async fn actions_since(&self, since: DateTime<Utc>) -> Result<Vec<ActionId>, JournalError>;

    /// Commits a transaction that changes nothing, to test whether the disk accepts writes.
    async fn try_commit(&self) -> Result<(), JournalError> {
        Ok(())
    }

    /// The result of the commits so far, for metrics.
    fn health(&self) -> JournalHealth {
        JournalHealth::default()
    }

    /// The number and hash of the last entry. `None` where another process writes.
    fn chain(&self) -> Option<Chain> {
        None
    }

    /// The number and hash to keep in another place: a copy proves later that nothing was removed. The last entry's, or an anchor's where
    /// the journal has several chains. `None` where another process writes.
    async fn head(&self) -> Result<Option<Chain>, JournalError> {
        Ok(self.chain())
    }

    /// The newest event about entries that were moved to an archive file.
    async fn archived(&self) -> Result<Option<Archived>, JournalError> {
        Ok(None)
    }

    /// Erases personal values, and records how many. A journal in memory erases nothing.
    async fn erase(&self, _erasure: ErasureRequest) -> Result<ErasureResult, JournalError> {
        Ok(ErasureResult::default())
    }

    /// The number of facts that wait to be stored, for metrics.
    fn queued_facts(&self) -> usize {
        0
    }

    /// Stores what waits, and ends the writing of this process, so that other processes can continue its actions at once. Afterwards every
    /// fact is refused. A journal that one process owns needs no such end.
    async fn close(&self) {}
}

/// The state of a journal's commits, and the free space for more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct JournalHealth {
    /// Entries and trial commits that failed since the start.
    pub failed_commits: u64,
    /// Time since the last commit that succeeded; `None` before the first one.
    pub last_commit_age: Option<Duration>,
    /// Free space on the journal's file system, if the system returns it.
    pub free_bytes: Option<u64>,
    /// The size of the journal's files.
    pub size_bytes: Option<u64>,
}

/// The journal failed. The effect that a fact should have announced must not happen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// Disk full, read-only, or the file is damaged.
    #[error("the journal cannot be used: {0}")]
    Unusable(String),
    /// The journal may lose the facts that it stores, so it stores none.
    #[error("the journal cannot be used: {0}")]
    MayLose(String),
    /// An entry was changed after it was written.
    #[error("the journal is damaged: {0}")]
    Damaged(String),
    /// Another process has recorded facts about this action, and has not ended: only that one can go on with it now.
    #[error("another process performs this action: {0}")]
    OtherProcess(String),
    /// A fact cannot follow the stored ones. A defect of Adjourn.
    #[error(transparent)]
    InvalidTransition(#[from] InvalidTransition),
    /// Another process has taken over from this one, whose facts are refused for ever.
    #[error("another process has taken over; nothing may be sent")]
    Fenced,
}
