//! Adjourn ends meetings early, extends and books them, and removes abandoned events on Exchange room calendars.
//!
//! One service account acts for every room through `ExchangeImpersonation`. A pure plan decides every effect, the item's `ChangeKey`
//! guards it, and the answer states what changed, who was notified and whether it can be undone. This page is for programs that
//! embed the engine; the program `adjourn` (command line and HTTP service) is described in README.md and docs/.
//!
//! # Quick start
//!
//! ```text
//! cargo add adjourn --no-default-features --features negotiate,store
//! cargo add tokio --features macros,rt-multi-thread
//! ```
//!
//! (With `--git` and the repository's address until the crate is on crates.io.) This program ends the current meeting of a room, in
//! front of a simulated Exchange (feature `sim`) and with a journal in memory:
//!
#![cfg_attr(feature = "sim", doc = "```")]
#![cfg_attr(not(feature = "sim"), doc = "```ignore")]
//! use std::sync::Arc;
//!
//! use adjourn::prelude::*;
//! use adjourn::sim::{Simulator, SimulatorOptions, demo_world};
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     // Your Exchange: Settings::new("https://mail.example.com/EWS/Exchange.asmx", r"EXAMPLE\svc-rooms", password)
//!     let sim = Simulator::start(demo_world(SystemClock.now()), SimulatorOptions::default()).await?;
//!     let password = Secret::new("simulated".to_owned());
//!     let settings = Settings::new(sim.url(), "svc-adjourn@example.com", password);
//!
//!     let room: RoomAddress = "room-aurora@example.com".parse()?;
//!     let scope = Scope::new([room.clone()], []); // the engine refuses every other room
//!     let exchange = Arc::new(Exchange::new(&settings)?);
//!     let journal = Arc::new(MemoryJournal::default()); // on disk: SqliteJournal, with the feature `store`
//!     let engine = Engine::new(exchange, journal, Arc::new(SystemClock), scope, Default::default());
//!
//!     let actor = Actor::program("door display");
//!     let action = Action::new(ActionId::random(), room, ActionKind::End(Notify::Attendees), actor);
//!     let answer = engine.perform(action, Mode::Perform).await?; // Mode::DryRun writes nothing
//!     assert!(matches!(answer.outcome, Outcome::Done(_)), "{answer:?}");
//!     Ok(())
//! }
//! ```
//!
//! After a restart, call `Engine::recover` before the first action: it settles the actions that the last process left open.
//!
//! # Features
//!
//! | feature | default | adds |
//! | --- | --- | --- |
//! | `service` | yes | the command line, the HTTP service and its console; implies `negotiate`, `sim` and `store` |
//! | `negotiate` | with `service` | sign-in by NTLM and Kerberos, for Exchange Server on premises; the doctor |
//! | `store` | with `service` | the journal on disk ([`store`], SQLite built from source: needs a C compiler) |
//! | `sim` | with `service` | the simulated Exchange ([`sim`]), for demos and tests; with a server and an XML parser of its own |
//! | `otel` | no | spans for an OpenTelemetry collector; implies `service` |
//!
//! Without features the crate is the engine with its Exchange client (Basic and OAuth sign-in) and a journal in memory: no database,
//! no HTTP server, no simulator.
//!
//! # Modules
//!
//! A module imports from the lines below its own only; `tests/architecture` holds this.
//!
//! ```text
//! cli
//! config
//! api
//! console
//! service      doctor
//! exchange     store           implement the traits of engine (Calendar), live (Feed) and journal (Journal)
//! cleanup      live
//! engine       telemetry
//! journal      autodiscover  login
//! action       http
//! access       presence        json  sim
//! calendar     ews             clock  setup  secret  limits  shares  concurrency  keyed_mutex  …
//! ```
//!
//! `sim` shares no line with `ews` or `exchange`, so that a codec bug cannot agree with itself. ARCHITECTURE.md follows one action
//! through all of them.
//!
//! # Versions
//!
//! The minimum supported Rust version is 1.93; it rises in minor releases only. Names in [`prelude`] follow semantic versioning; before 1.0
//! a minor release may change them, with an entry in CHANGELOG.md. Everything else is public for the program and its tests, and may
//! change in any release. Journals are read by every later version.
#![forbid(unsafe_op_in_unsafe_fn)]

#[cfg(feature = "service")]
pub mod access;
pub mod action;
#[cfg(feature = "service")]
pub mod api;
pub mod autodiscover;
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
pub mod connection_metrics;
#[cfg(feature = "service")]
pub mod console;
#[cfg(feature = "negotiate")]
pub mod doctor;
pub mod engine;
pub mod ews;
pub mod exchange;
mod http;
pub mod journal;
mod json;
mod keyed_mutex;
#[cfg(feature = "service")]
pub mod limits;
pub mod live;
pub mod login;
#[cfg(feature = "service")]
mod permissions;
pub mod presence;
pub mod printable;
pub mod progress;
mod secret;
#[cfg(feature = "service")]
pub mod service;
#[cfg(feature = "service")]
pub mod setup;
#[cfg(feature = "service")]
pub mod shares;
#[cfg(feature = "sim")]
pub mod sim;
#[cfg(feature = "store")]
pub mod store;
#[cfg(feature = "service")]
mod suggestion;
#[cfg(feature = "service")]
mod telemetry;
mod text_file;

/// The names that a program with an engine of its own needs: `use adjourn::prelude::*`.
pub mod prelude {
    pub use crate::action::{
        Action, ActionId, ActionKind, Actor, Answer, DeleteMode, IdempotencyKey, Notify, Outcome,
    };
    pub use crate::calendar::{RoomAddress, Scope};
    pub use crate::clock::{Clock, SystemClock};
    pub use crate::engine::{Engine, Mode};
    pub use crate::exchange::{Exchange, Secret, Settings};
    pub use crate::journal::{Journal, MemoryJournal};
    #[cfg(feature = "store")]
    pub use crate::store::{SqliteJournal, StoreOptions};
}
