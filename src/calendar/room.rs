//! Room addresses, and the scope: the rooms on which Adjourn may act at all. Values only.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A room or equipment mailbox, named by its SMTP address. Compared without case, kept in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RoomAddress(String);

/// A text is not a room address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RoomAddressError {
    /// No `@`, or nothing on one side of it, or more than one.
    #[error("`{0}` is not an SMTP address of the form name@domain")]
    NotAnAddress(String),
    /// A blank, a control character, a bracket or a quote.
    #[error("`{0}` holds a character that an SMTP address cannot have")]
    ForbiddenCharacter(String),
    /// Longer than 320 octets (64 for the name, 255 for the domain, RFC 5321 section 4.5.3.1).
    #[error("an SMTP address has at most 320 bytes")]
    TooLong,
}

/// RFC 5321, section 4.5.3.1: local part 64, domain 255, and the `@`.
const ADDRESS_LEN_MAX: usize = 320;

impl RoomAddress {
    /// The address, in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part after the `@`.
    pub fn domain(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(_, domain)| domain)
    }
}

impl FromStr for RoomAddress {
    type Err = RoomAddressError;

    fn from_str(text: &str) -> Result<Self, RoomAddressError> {
        let text = text.trim();
        if text.len() > ADDRESS_LEN_MAX {
            return Err(RoomAddressError::TooLong);
        }
        let well_formed = text
            .split_once('@')
            .is_some_and(|(name, domain)| !name.is_empty() && !domain.is_empty() && !domain.contains('@'));
        if !well_formed {
            return Err(RoomAddressError::NotAnAddress(text.to_owned()));
        }
        if text.chars().any(|c| c.is_whitespace() || c.is_control() || "<>()[]\\,;:\"".contains(c)) {
            return Err(RoomAddressError::ForbiddenCharacter(text.to_owned()));
        }
        Ok(Self(text.to_lowercase()))
    }
}

impl TryFrom<String> for RoomAddress {
    type Error = RoomAddressError;

    fn try_from(text: String) -> Result<Self, RoomAddressError> {
        text.parse()
    }
}

impl From<RoomAddress> for String {
    fn from(room: RoomAddress) -> Self {
        room.0
    }
}

impl fmt::Display for RoomAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The rooms Adjourn may act on. Enforced here, whatever Exchange's own management scope would allow.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    rooms: BTreeSet<RoomAddress>,
    domains: BTreeSet<String>,
}

impl Scope {
    /// A scope of the listed rooms and of every mailbox in the listed domains.
    pub fn new(
        rooms: impl IntoIterator<Item = RoomAddress>,
        domains: impl IntoIterator<Item = String>,
    ) -> Self {
        Self {
            rooms: rooms.into_iter().collect(),
            domains: domains
                .into_iter()
                .map(|domain| domain.trim_start_matches('@').to_lowercase())
                .collect(),
        }
    }

    /// Adds rooms (the members of a configured room list).
    pub fn add_rooms(&mut self, rooms: impl IntoIterator<Item = RoomAddress>) {
        self.rooms.extend(rooms);
    }

    /// Whether Adjourn may act on this room.
    pub fn contains(&self, room: &RoomAddress) -> bool {
        self.rooms.contains(room) || self.domains.contains(room.domain())
    }

    /// The rooms listed one by one, in order.
    pub fn rooms(&self) -> impl Iterator<Item = &RoomAddress> {
        self.rooms.iter()
    }

    /// Whether the scope names domains, and so contains rooms that it does not list.
    pub fn has_domains(&self) -> bool {
        !self.domains.is_empty()
    }

    /// Whether the scope contains no room.
    pub fn is_empty(&self) -> bool {
        self.rooms.is_empty() && self.domains.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_compared_without_case() {
        let a: RoomAddress = "Room1@Example.COM".parse().unwrap();
        assert_eq!(a, "room1@example.com".parse().unwrap());
        assert_eq!(a.domain(), "example.com");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in ["", "room1", "@example.com", "room1@", "a@b@c", "a b@c", "<a@b>", "a\u{0}@b", "a@b\n"] {
            let outcome = text.parse::<RoomAddress>();
            assert!(outcome.is_err() || text.ends_with('\n'), "{text:?}");
        }
        assert_eq!("x".repeat(321).parse::<RoomAddress>(), Err(RoomAddressError::TooLong));
    }

    #[test]
    fn scope_admits_listed_rooms_and_domains_only() {
        let scope = Scope::new(["a@x.example".parse().unwrap()], ["@Rooms.example".to_owned()]);
        assert!(scope.contains(&"A@X.example".parse().unwrap()));
        assert!(scope.contains(&"any@rooms.example".parse().unwrap()));
        assert!(!scope.contains(&"b@x.example".parse().unwrap()));
        assert!(!scope.contains(&"any@sub.rooms.example".parse().unwrap()));
    }
}
