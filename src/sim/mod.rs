//! (in the making)
mod event;
mod ids;
mod meeting;
mod ops;
mod outbox;
mod people;
mod series;
mod soap_in;
mod soap_out;
mod views;
mod world;
pub use event::*;
pub use outbox::*;
pub use people::{MeetingSpec, PlainSpec, RoomSpec, demo_world, large_world};
pub use series::*;
pub use views::Kind;
pub use world::{Booking, Folder, Mailbox, MailboxKind, RoomList, Snapshot, World};
