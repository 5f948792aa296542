//! What may be erased: personal values of actions that are over.

use chrono::{DateTime, TimeDelta, Utc};

use super::AdminActor;

/// Which personal values are to be erased, and by whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErasureRequest {
    /// Whose values.
    pub target: ErasureTarget,
    /// Who asks for it.
    pub by: AdminActor,
    /// Now.
    pub now: DateTime<Utc>,
    /// How long an idempotency key is valid: the answer to a repeated request needs the values.
    pub key_ttl: TimeDelta,
}

/// Whose values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ErasureTarget {
    /// Everyone's, of entries before this instant.
    Before(DateTime<Utc>),
    /// One person's: by an address or a name, whatever its case.
    Person(String),
}

/// What was erased.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ErasureResult {
    /// Values that are gone now.
    pub values: u64,
    /// Values that stay, because their action is open, may be settled later, or has a valid idempotency key.
    pub spared: u64,
    /// There are entries of formats 1 to 5, which hold names in their bodies: only an archive removes those.
    pub in_clear: bool,
    /// The file's log could not be emptied, because another process reads the journal: it may hold old pages for a while.
    pub log_remains: bool,
}

/// For how long an action that needs attention may still be settled by itself.
pub const RECHECK_SPARED: TimeDelta = TimeDelta::days(31);

/// What `erased` events announce, held against what is missing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ErasureTally {
    /// Values that were announced as erased.
    pub announced: i64,
    /// Up to which entry.
    pub through: u64,
    /// Values that are missing.
    pub missing: i64,
    /// The last entry that misses one.
    pub missing_last: u64,
}

impl ErasureTally {
    /// An entry of this number misses so many values.
    pub fn add_missing(&mut self, number: u64, values: usize) {
        if values > 0 {
            self.missing += i64::try_from(values).unwrap_or(i64::MAX);
            self.missing_last = self.missing_last.max(number);
        }
    }

    /// So many values were announced, up to this entry.
    pub fn add_announced(&mut self, values: u64, through: u64) {
        self.announced += i64::try_from(values).unwrap_or(i64::MAX);
        self.through = self.through.max(through);
    }

    /// Everything that is missing was announced, and nothing else.
    pub fn is_consistent(&self) -> bool {
        self.missing == self.announced && self.missing_last <= self.through
    }
}
