//! Locks that all processes with the same journal respect: one action at a time in a room and under an idempotency key. Values only;
//! where one process owns the journal, they lock nothing.

use std::fmt;

use crate::action::IdempotencyKey;
use crate::calendar::RoomAddress;

/// What is locked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LockName {
    /// A room: its actions run one after another.
    Room(RoomAddress),
    /// An idempotency key: requests under it run one after another.
    Key(IdempotencyKey),
    /// The removal of whole series, in all rooms.
    SeriesRemoval,
    /// The service: one process answers requests, follows calendars and runs schedules.
    Service,
}

impl fmt::Display for LockName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Room(room) => write!(out, "room {room}"),
            Self::Key(key) => write!(out, "key {key}"),
            Self::SeriesRemoval => out.write_str("removal of a series"),
            Self::Service => out.write_str("service"),
        }
    }
}

/// A lock in a journal that several processes write to. It is released when dropped, or when another process has taken over from this
/// one.
#[must_use = "the lock is released when dropped"]
pub struct JournalLock {
    _release: Option<Box<dyn Send + Sync>>,
}

impl JournalLock {
    /// The lock of a journal that only this process writes to.
    pub fn of_owner() -> Self {
        Self { _release: None }
    }

    /// A lock that this value releases when dropped.
    pub fn released_by(release: Box<dyn Send + Sync>) -> Self {
        Self { _release: Some(release) }
    }
}

impl fmt::Debug for JournalLock {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("JournalLock").finish_non_exhaustive()
    }
}
