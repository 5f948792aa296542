//! Erasure of personal values of closed actions: requests, results and the tally that the verification needs. Values only:
//! `store` erases.

use chrono::{DateTime, TimeDelta, Utc};

use super::AdminActor;

/// A request to erase personal values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErasureRequest {
    /// The values to erase.
    pub target: ErasureTarget,
    /// The requester.
    pub by: AdminActor,
    /// Now.
    pub now: DateTime<Utc>,
    /// How long an idempotency key is valid: until then the answer to a repeated request needs the values.
    pub key_ttl: TimeDelta,
}

/// The values to erase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ErasureTarget {
    /// All values of entries before this instant.
    Before(DateTime<Utc>),
    /// The values of one person, by address or name, compared without case.
    Person(String),
}

/// The result of an erasure.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ErasureResult {
    /// Values that were erased.
    pub values: u64,
    /// Values that stay, because their action is open, may be settled later, or has a valid idempotency key.
    pub spared: u64,
    /// The journal has entries of formats 1 to 5, which hold names in their bodies: only archiving removes those.
    pub in_clear: bool,
    /// The write-ahead log could not be emptied, because another process reads the journal: it may hold old pages for a while.
    pub log_remains: bool,
}

/// How long an action that needs attention may still be settled without a person.
pub const RECHECK_SPARED: TimeDelta = TimeDelta::days(31);

/// The values that `erased` events announce, compared with the values that are missing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ErasureTally {
    /// Values that were announced as erased.
    pub announced: i64,
    /// The last entry that those events cover.
    pub through: u64,
    /// Values that are missing.
    pub missing: i64,
    /// The last entry with a missing value.
    pub missing_last: u64,
}

impl ErasureTally {
    /// Counts missing values of an entry.
    pub fn add_missing(&mut self, number: u64, values: usize) {
        if values > 0 {
            self.missing += i64::try_from(values).unwrap_or(i64::MAX);
            self.missing_last = self.missing_last.max(number);
        }
    }

    /// Counts announced values of entries up to this one.
    pub fn add_announced(&mut self, values: u64, through: u64) {
        self.announced += i64::try_from(values).unwrap_or(i64::MAX);
        self.through = self.through.max(through);
    }

    /// Whether exactly the announced values are missing.
    pub fn is_consistent(&self) -> bool {
        self.missing == self.announced && self.missing_last <= self.through
    }
}
