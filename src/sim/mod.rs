//! An Exchange in a box: EWS over real HTTP and HTTPS, for demos, tests and people's own integration tests.
//!
//! A [`World`] of mailboxes, meetings and series is pure and can be looked at and changed at any time; a [`Simulator`]
//! serves it, keeps what would have been mailed, and has [`Trouble`] on request. It reads with roxmltree and writes with
//! templates: it shares no code with the client it is there to check.

mod acting;
mod affinity;
mod authority;
mod autodiscover;
mod autodiscover_xml;
mod body;
mod changes;
mod directory;
mod event;
mod extended;
mod ids;
mod inbox;
mod items;
mod listen;
mod login;
mod marks;
mod meeting;
mod notify;
mod ops;
mod outbox;
mod pattern;
mod people;
mod proxy;
mod record;
mod release;
mod rights;
mod series;
mod server;
mod service;
mod soap_in;
mod soap_out;
mod tls;
mod trouble;
mod views;
mod world;
mod zones;

pub use authority::{Authority, AuthorityOptions, TokenTrouble};
pub use autodiscover::{Autodiscover, AutodiscoverAsked, AutodiscoverProtocol, Whereabouts};
pub use event::*;
pub use login::{Bound, ExtendedProtection, Login, Scheme, Tokens};
pub use notify::Notifications;
pub use outbox::*;
pub use pattern::*;
pub use people::{CancelledMark, MeetingSpec, PlainSpec, RoomSpec, demo_world, large_world};
pub use proxy::{Proxy, ProxyOptions};
pub use record::Asked;
pub use release::Release;
pub use rights::DelegateRights;
pub use series::*;
pub use server::{Options, Simulator};
pub use tls::Identity;
pub use trouble::{Trouble, Wrong};
pub use views::Kind;
pub use world::{Booking, DateIds, Folder, Mailbox, MailboxKind, RoomList, Snapshot, World};
