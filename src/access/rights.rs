//! The rights of a caller: rooms, and the operations that are allowed there. Pure.

use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::str::FromStr;

use crate::calendar::{RoomAddress, RoomPattern};

/// One kind of operation that a caller may request.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    serde::Serialize,
    serde::Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "kebab-case")]
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
    /// Pair, list and remove door displays.
    Displays,
    /// List, create, change and revoke API keys whose rights and rooms are within the caller's own.
    Keys,
}

/// Comparisons of characters for one comparison of two lists of room patterns. A thousand addresses under a handful of patterns take some ten
/// thousand.
pub const COVER_STEPS_MAX: usize = 1_000_000;

/// Rights or rooms that are not within other rights.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotCovered {
    /// The other rights lack these rights.
    #[error("the right {}", .0.iter().map(|right| format!("`{right}`")).collect::<Vec<_>>().join(", "))]
    Rights(Vec<Right>),
    /// No pattern of the other rights is known to match every room that this pattern matches.
    #[error("all rooms of `{0}`")]
    Rooms(RoomPattern),
}

/// A word is not a right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown right \"{0}\"; valid: {all}, all", all = Right::ALL.map(Right::as_str).join(", "))]
pub struct UnknownRight(pub String);

impl Right {
    /// All of them.
    pub const ALL: [Self; 13] = [
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
        Self::Displays,
        Self::Keys,
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
            Self::Displays => "displays",
            Self::Keys => "keys",
        }
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
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

    /// Whether every right of `other`, in every room of `other`, is among these rights too. A pattern of rooms counts as covered only
    /// where one pattern of these rights is proven to match all its rooms.
    ///
    /// # Errors
    /// The rights that are missing, or the first pattern that is not proven to be covered.
    pub fn covers(&self, other: &Self) -> Result<(), NotCovered> {
        let missing: Vec<_> = other.granted.difference(&self.granted).copied().collect();
        if !missing.is_empty() {
            return Err(NotCovered::Rights(missing));
        }
        let own: HashSet<String> = self.rooms.iter().map(ToString::to_string).collect();
        let mut steps = COVER_STEPS_MAX;
        let mut is_covered = |room: &RoomPattern| {
            own.contains(&room.to_string()) || self.rooms.iter().any(|own| own.covers(room, &mut steps))
        };
        let uncovered = other.rooms.iter().find(|room| !is_covered(room));
        uncovered.map_or(Ok(()), |room| Err(NotCovered::Rooms(room.clone())))
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

    fn rights(rooms: &[&str], may: &[Right]) -> Rights {
        Rights::new(rooms.iter().map(|room| room.parse().unwrap()), may.iter().copied())
    }

    #[test]
    fn rights_cover_fewer_rights_in_fewer_rooms() {
        let own = rights(&["b*@a", "one@x.y"], &[Right::Read, Right::End, Right::Keys]);
        for covered in [
            rights(&["b*@a", "one@x.y"], &[Right::Read, Right::End, Right::Keys]),
            rights(&["b1@a", "b?*@a"], &[Right::Read]),
            rights(&["ONE@x.y"], &[]),
            rights(&[], &[Right::End]),
        ] {
            assert_eq!(own.covers(&covered), Ok(()), "{covered:?}");
        }
        assert_eq!(rights(&["*"], &Right::ALL).covers(&own), Ok(()));
    }

    #[test]
    fn rights_do_not_cover_another_right_or_a_wider_pattern() {
        let own = rights(&["b*@a", "one@x.y"], &[Right::Read, Right::Keys]);
        let more = rights(&["b1@a"], &[Right::Read, Right::Audit, Right::Delete]);
        assert_eq!(own.covers(&more), Err(NotCovered::Rights(vec![Right::Delete, Right::Audit])));
        for wider in ["*", "*@a", "b*@a*", "two@x.y", "?ne@x.y"] {
            let wider: RoomPattern = wider.parse().unwrap();
            let other = Rights::new(["b1@a".parse().unwrap(), wider.clone()], [Right::Read]);
            assert_eq!(own.covers(&other), Err(NotCovered::Rooms(wider)));
        }
        assert!(Rights::default().covers(&own).is_err());
    }

    #[test]
    fn a_thousand_addresses_are_compared_and_costly_patterns_are_refused() {
        let addresses: Vec<_> = (0..1_000).map(|number| format!("room-{number}@example.com")).collect();
        let addresses: Vec<_> = addresses.iter().map(String::as_str).collect();
        let patterns = ["paris-*@example.com", "*-x@example.com", "room-*@example.com"];
        assert_eq!(rights(&patterns, &[]).covers(&rights(&addresses, &[])), Ok(()));
        assert_eq!(rights(&addresses, &[]).covers(&rights(&addresses, &[])), Ok(()));
        let (own, other) = ("*a".repeat(2_000) + "b", "a".repeat(8_000));
        let costly = rights(&[&own], &[]).covers(&rights(&[&other], &[]));
        assert!(matches!(costly, Err(NotCovered::Rooms(_))), "{costly:?}");
    }
}
