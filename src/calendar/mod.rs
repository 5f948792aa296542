//! The calendar domain: rooms, events, copies, windows, people. No wire format, no I/O, no clock.
//!
//! A calendar view returns single events, occurrences and exceptions. A series master is an [`Event`] of kind
//! [`EventKind::Series`] only when a caller requests the deletion of a whole series; the engine plans nothing else for it.

mod event;
mod ids;
mod local_day;
pub mod occupancy;
mod pattern;
mod room;
mod window;

pub use event::{Copy, CopyClues, Event, EventKind, FreeBusy, ModifiedOccurrence, Person, Series};
pub use ids::{ChangeKey, EventId, EventIdError, Uid};
pub use local_day::{local_day, start_of_day};
pub use pattern::{RoomPattern, can_match_address};

pub use room::{RoomAddress, RoomAddressError, Scope};
pub use window::{Window, WindowError};
