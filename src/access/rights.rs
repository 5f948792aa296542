//! The rights of a caller: rooms, and the operations that are allowed there. Pure.

use std::collections::BTreeSet;
use std::str::FromStr;

use crate::calendar::{RoomAddress, RoomPattern};

/// One kind of operation that a caller may request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Right {
    /// Read rooms, their state, and the actions in them.
    Read,
    /// Check in.
    CheckIn,
    /// End the current event.
    End,
    /// Remove an event from the calendar.
    Delete,
    /// Extend the current event.
    Extend,
    /// Book a free room.
    Book,
    /// Undo an action.
    Undo,
    /// Report occupancy.
    Evidence,
    /// Plan and apply sweeps.
    Cleanup,
    /// Read the record of all actions, of every requester.
    Audit,
    /// Read the metrics.
    Metrics,
}

/// A word is not a right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown right \"{0}\"; valid: {all}, all", all = Right::ALL.map(Right::as_str).join(", "))]
pub struct UnknownRight(pub String);

impl Right {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Read,
        Self::CheckIn,
        Self::End,
        Self::Delete,
        Self::Extend,
        Self::Book,
        Self::Undo,
        Self::Evidence,
        Self::Cleanup,
        Self::Audit,
        Self::Metrics,
    ];
    /// The rights that a display needs.
    pub const DISPLAY: [Self; 6] =
        [Self::Read, Self::CheckIn, Self::End, Self::Extend, Self::Book, Self::Evidence];

    /// Parses a list of rights; `all` means all of them.
    ///
    /// # Errors
    /// When a word is not a right.
    pub fn parse_all(words: &[String]) -> Result<Vec<Self>, UnknownRight> {
        if words.iter().any(|word| word == "all") {
            return Ok(Self::ALL.to_vec());
        }
        words.iter().map(|word| word.parse()).collect()
    }

    /// The value as stored and typed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::CheckIn => "check-in",
            Self::End => "end",
            Self::Delete => "delete",
            Self::Extend => "extend",
            Self::Book => "book",
            Self::Undo => "undo",
            Self::Evidence => "evidence",
            Self::Cleanup => "cleanup",
            Self::Audit => "audit",
            Self::Metrics => "metrics",
        }
    }
}

impl FromStr for Right {
    type Err = UnknownRight;

    fn from_str(text: &str) -> Result<Self, UnknownRight> {
        Self::ALL
            .into_iter()
            .find(|right| right.as_str() == text)
            .ok_or_else(|| UnknownRight(text.to_owned()))
    }
}

/// Patterns of rooms, and the rights in these rooms.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rights {
    rooms: Vec<RoomPattern>,
    granted: BTreeSet<Right>,
}

impl Rights {
    /// These rights in these rooms.
    pub fn new(rooms: impl IntoIterator<Item = RoomPattern>, may: impl IntoIterator<Item = Right>) -> Self {
        Self { rooms: rooms.into_iter().collect(), granted: may.into_iter().collect() }
    }

    /// Whether the caller may know of the room at all.
    pub fn can_see(&self, room: &RoomAddress) -> bool {
        self.rooms.iter().any(|pattern| pattern.matches(room))
    }

    /// Whether the right is granted in some room.
    pub fn allow(&self, right: Right) -> bool {
        self.granted.contains(&right)
    }

    /// The room patterns.
    pub fn rooms(&self) -> &[RoomPattern] {
        &self.rooms
    }

    /// The rights.
    pub fn all(&self) -> impl Iterator<Item = Right> {
        self.granted.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_what_they_say() {
        let rights = Rights::new(
            ["berlin-*@Example.com".parse().unwrap(), "one@example.com".parse().unwrap()],
            [Right::Read],
        );
        let sees = |room: &str| rights.can_see(&room.parse().unwrap());
        assert!(sees("berlin-1@example.com") && sees("one@example.com"));
        assert!(!sees("paris-1@example.com") && !sees("berlin-1@example.com.evil.example"));
        assert!(rights.allow(Right::Read) && !rights.allow(Right::End));
    }
}
