//! Adjourn ends meetings early and deletes abandoned events on Exchange room calendars.
//!
//! One service account acts for every room through `ExchangeImpersonation`; every effect is decided by a pure plan,
//! guarded by the item's `ChangeKey`, and answered with what changed, who was told and whether it can be undone.
//!
//! The feature `service` (on by default) is the command line and the HTTP service; without it this is the engine alone, for
//! programs that have a service of their own.
//!
//! Imports point one way: `main → cli → api → service → cleanup → engine → {exchange → ews} → calendar`; `sim` shares no
//! line with `ews` or `exchange`, so that a codec bug cannot agree with itself.
#![forbid(unsafe_op_in_unsafe_fn)]

#[cfg(feature = "service")]
pub mod access;
pub mod action;
#[cfg(feature = "service")]
pub mod api;
pub mod calendar;
pub mod cleanup;
#[cfg(feature = "service")]
pub mod cli;
#[cfg(feature = "service")]
mod client_prefix;
pub mod clock;
mod concurrency;
#[cfg(feature = "service")]
pub mod config;
#[cfg(feature = "service")]
pub mod console;
#[cfg(feature = "negotiate")]
pub mod doctor;
pub mod engine;
pub mod ews;
pub mod exchange;
mod happy_eyeballs;
mod http_field;
#[cfg(feature = "service")]
mod https_client;
pub mod journal;
mod json;
mod keyed_mutex;
#[cfg(feature = "service")]
pub mod limits;
pub mod live;
mod net;
#[cfg(feature = "service")]
mod permissions;
mod pinning;
pub mod presence;
pub mod printable;
#[cfg(feature = "service")]
pub mod service;
#[cfg(feature = "service")]
pub mod setup;
#[cfg(feature = "service")]
pub mod shares;
pub mod sim;
#[cfg(feature = "store")]
pub mod store;
#[cfg(feature = "service")]
mod telemetry;
mod text_file;

/// What a program that acts on rooms needs, in one line.
pub mod prelude {
    pub use crate::action::{
        Action, ActionId, ActionKind, Actor, Answer, DeleteMode, IdempotencyKey, Notify, Outcome,
    };
    pub use crate::calendar::{RoomAddress, Scope};
    pub use crate::clock::{Clock, SystemClock};
    pub use crate::engine::{Engine, Mode};
    pub use crate::exchange::{Exchange, Secret, Settings};
    pub use crate::journal::{Journal, MemoryJournal};
    pub use crate::sim::{Simulator, SimulatorOptions as SimOptions, demo_world};
    #[cfg(feature = "store")]
    pub use crate::store::{SqliteJournal, StoreOptions};
}

/// README's example, so that it is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
