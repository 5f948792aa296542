//! Patterns of room addresses. They never list rooms: they only match addresses.

use std::fmt;
use std::str::FromStr;

use wildmatch::WildMatch;

use super::RoomAddress;

/// A room address in which `*` matches any text: `berlin-*@example.com`, `*@example.com`, `*`.
#[derive(Debug, Clone, PartialEq)]
pub struct RoomPattern(WildMatch);

impl Eq for RoomPattern {}

impl RoomPattern {
    /// Whether the room matches.
    pub fn matches(&self, room: &RoomAddress) -> bool {
        self.0.matches(room.as_str())
    }
}

impl FromStr for RoomPattern {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(WildMatch::new(&text.trim().to_lowercase())))
    }
}

impl fmt::Display for RoomPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
