//! Pages of the audit: a bounded part of the index per request, newest first by time.
//!
//! A request looks at so many actions at most, whether the query means them or not. Where it stops early, it says from which
//! position to go on, so that a large journal costs a reader more requests, never a longer one.

use super::ActionRecord;

/// A place in the order of the audit: the time an action was taken on, then the number of its first entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Milliseconds since 1970, UTC.
    pub at_ms: i64,
    /// The number of the entry that took the action on; it decides between actions of the same millisecond.
    pub number: u64,
}

/// The part of the audit that one request looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecordPage {
    /// The actions that the query means, newest first.
    pub records: Vec<(Position, ActionRecord)>,
    /// Actions looked at.
    pub examined: usize,
    /// Where the next page begins (after this position); `None` when the journal holds no older action in the query's range.
    pub next: Option<Position>,
}
