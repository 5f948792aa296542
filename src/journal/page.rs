//! Pages of the audit: each request examines a bounded part of the index, newest first by time.
//!
//! A request examines a limited number of actions, whether they match the query or not. If it stops early, it returns the
//! position of the next page, so that a large journal needs more requests, never a longer one.

use super::ActionRecord;

/// A position in the order of the audit: the time an action was accepted, then the number of its first entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Milliseconds since 1970, UTC.
    pub at_ms: i64,
    /// The number of the `accepted` entry; it orders actions of the same millisecond.
    pub number: u64,
}

/// The part of the audit that one request examined.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordPage {
    /// The actions that match the query, newest first.
    pub records: Vec<(Position, ActionRecord)>,
    /// The number of examined actions.
    pub examined: usize,
    /// The next page begins after this position; `None` when the journal has no older action in the query's range.
    pub next: Option<Position>,
}
