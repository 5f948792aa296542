//! The addresses of rooms in tests and benches.

use std::fmt::Display;

use adjourn::calendar::{RoomAddress, Scope};

/// The room of an [`Office`](crate::Office), as text.
pub const AURORA: &str = "aurora@example.com";

/// The rooms of calendars in memory and of journals. People have another domain there (`people.example`), so that a test detects
/// where a person's address is taken for a room's.
const ROOMS: &str = "rooms.example";

/// The one domain of the rooms and people of a simulated Exchange.
const ORGANIZATION: &str = "example.com";

/// `name@rooms.example`.
pub fn room(name: &str) -> RoomAddress {
    address(&format!("{name}@{ROOMS}"))
}

/// The room of an [`Office`](crate::Office).
pub fn aurora() -> RoomAddress {
    address(AURORA)
}

/// `room{number}@example.com`, one of many rooms of a simulated Exchange.
pub fn numbered_room(number: impl Display) -> RoomAddress {
    address(&room_name(number))
}

/// The address of a [`numbered_room`] as text, for arguments and configurations.
pub fn room_name(number: impl Display) -> String {
    format!("room{number}@{ORGANIZATION}")
}

/// An address that a test chose.
pub fn address(text: &str) -> RoomAddress {
    text.parse().unwrap()
}

/// A scope of all rooms above.
pub fn every_room() -> Scope {
    Scope::new([], [ROOMS.to_owned(), ORGANIZATION.to_owned()])
}
