//! The domain: rooms, events, copies, windows, people. No wire format, no I/O, no clock.
//!
//! An [`Event`] is what the rest of Adjourn decides about. It cannot be a series master: whoever reads a calendar
//! leaves masters out, so no action can ever be planned for one.

mod event;
mod ids;
pub mod occupancy;
mod pattern;
mod room;
mod window;

pub use event::{Copy, CopyClues, Event, EventKind, FreeBusy, ModifiedOccurrence, Person, Series};
pub use ids::{ChangeKey, EventId, Uid};
pub use pattern::RoomPattern;
pub use room::{RoomAddress, RoomAddressError, Scope};
pub use window::{Window, WindowError};
