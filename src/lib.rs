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
//!     let engine = Engine::builder(exchange, journal).scope(scope).build();
//!
//!     let action = Action::end(room, Actor::program("door display")).key("press-1".parse()?);
//!     let answer = engine.perform(action, Mode::Perform).await?; // Mode::DryRun writes nothing
//!     assert!(matches!(answer.outcome, Outcome::Done(_)), "{answer:?}");
//!     Ok(())
//! }
//! ```
//!
//! After a restart, call [`Engine::recover`](engine::Engine::recover) before the first action: it settles the actions that the last
//! process left open. [`prelude`] shows how to handle every outcome.
//!
//! # Features
//!
//! | feature | default | adds |
//! | --- | --- | --- |
//! | `service` | yes | the command line, the HTTP service and its console; implies `negotiate`, `sim` and `store` |
//! | `negotiate` | with `service` | sign-in by NTLM and Kerberos, for Exchange Server on premises; the doctor |
//! | `store` | with `service` | the journal on disk ([`store`], SQLite built from source: needs a C compiler) |
//! | `postgres` | no | the journal on PostgreSQL, for several processes at once; implies `store` |
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
//! service      doctor  router
//! exchange  graph  store  report   the first three implement Calendar (engine), Feed (live) and Journal (journal)
//! cleanup      live     migration
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
//! The minimum supported Rust version is 1.93; it rises in minor releases only. The documented modules follow semantic versioning; before
//! 1.0 a minor release may change them, with an entry in CHANGELOG.md. Enums that will grow are `#[non_exhaustive]`; options structs are
//! written with `..Default::default()`, since they get new fields in minor releases. Modules that this documentation leaves out are
//! public for the program `adjourn` and its tests only, and may change in any release. Journals are read by every later version.
#![forbid(unsafe_op_in_unsafe_fn)]

// The library.
pub mod action;
pub mod autodiscover;
pub mod before_send;
pub mod calendar;
pub mod cleanup;
pub mod clock;
pub mod connection_metrics;
#[cfg(feature = "negotiate")]
pub mod doctor;
pub mod engine;
pub mod exchange;
pub mod graph;
pub mod journal;
pub mod live;
pub mod login;
pub mod presence;
pub mod progress;
pub mod router;
#[cfg(feature = "sim")]
pub mod sim;
#[cfg(feature = "store")]
pub mod store;

// The parts of the program `adjourn`. They are public for its binary, its integration tests, its benches and its fuzz targets only,
// are no part of the library, and may change in any release.
#[doc(hidden)]
#[cfg(feature = "service")]
pub mod access;
#[doc(hidden)]
#[cfg(feature = "service")]
pub mod api;
#[doc(hidden)]
#[cfg(feature = "service")]
pub mod cli;
#[doc(hidden)]
#[cfg(feature = "service")]
pub mod config;
#[doc(hidden)]
#[cfg(feature = "service")]
pub mod console;
#[doc(hidden)]
pub mod ews;
#[doc(hidden)]
#[cfg(feature = "service")]
pub mod report;
#[doc(hidden)]
#[cfg(feature = "service")]
pub mod service;

#[cfg(feature = "service")]
mod client_prefix;
mod color;
mod concurrency;
mod http;
mod json;
mod keyed_mutex;
#[cfg(feature = "service")]
mod limits;
#[cfg(feature = "service")]
mod migration;
#[cfg(feature = "service")]
mod os_user;
#[cfg(feature = "service")]
mod permissions;
#[cfg(feature = "negotiate")]
#[cfg_attr(
    not(feature = "service"),
    expect(dead_code, reason = "the doctor alone escapes one line at a time")
)]
mod printable;
mod secret;
#[cfg(feature = "service")]
mod setup;
#[cfg(feature = "service")]
mod shares;
#[cfg(feature = "service")]
mod suggestion;
#[cfg(feature = "service")]
mod telemetry;
mod text_file;
mod throttle;
#[cfg(feature = "service")]
mod timestamp;

/// The names that a program with an engine of its own needs: `use adjourn::prelude::*`. They are enough to handle every outcome:
///
/// ```
/// use adjourn::prelude::*;
///
/// /// The text that a door display shows.
/// fn text(answer: &Answer) -> String {
///     match &answer.outcome {
///         Outcome::Done(done) => done_text(done),
///         Outcome::AlreadyDone { why } => match why {
///             NoChangeReason::ByAction { action } => format!("Done before, by action {action}."),
///             NoChangeReason::Over | NoChangeReason::Gone | NoChangeReason::Declined => "The room is free.".to_owned(),
///             _ => answer.outcome.to_string(), // every outcome has a message
///         },
///         Outcome::Refused { refusal } => refusal_text(refusal),
///         Outcome::NeedsAttention { event, advice, .. } => format!("Call the desk about {}: {advice}", event.start),
///     }
/// }
///
/// fn done_text(done: &Done) -> String {
///     let Done { event: EventSnapshot { start, .. }, change, notified, reversibility, dry_run, .. } = done;
///     let change = match change {
///         Change::Ended { to, .. } | Change::Extended { to, .. } | Change::EndRestored { to, .. } => format!("ends at {to}"),
///         Change::Declined | Change::Cancelled | Change::Removed => "is removed".to_owned(),
///         Change::Booked | Change::MovedBack => "is on the calendar".to_owned(),
///         _ => "is changed".to_owned(),
///     };
///     let notified = match notified {
///         Notified::Nobody => "",
///         Notified::Organizer | Notified::Attendees => " Others were notified.",
///         _ => " Others may have been notified.",
///     };
///     let undo = match reversibility {
///         Reversibility::Reversible if !dry_run => " Undo is possible.",
///         Reversibility::Irreversible { because: IrreversibleReason::DeclineWasSent } => " The organizer has the decline.",
///         _ => "",
///     };
///     format!("The meeting of {start} {change}.{notified}{undo}")
/// }
///
/// fn refusal_text(refusal: &Refusal) -> String {
///     match (refusal, refusal.responsible()) {
///         (Refusal::NoCurrentEvent, _) => "The room is free.".to_owned(),
///         (Refusal::Ambiguous { events }, _) => format!("{} meetings are on: choose one.", events.len()),
///         (_, ResponsibleParty::Server | ResponsibleParty::Network) => "Try again in a minute.".to_owned(),
///         (refusal, _) => refusal.to_string(),
///     }
/// }
///
/// let outcome = Outcome::AlreadyDone { why: NoChangeReason::Over };
/// let answer = Answer { action: ActionId::random(), outcome, repeated: false };
/// assert_eq!(text(&answer), "The room is free.");
/// ```
///
/// The simulator is not among them: `use adjourn::sim` (feature `sim`).
pub mod prelude {
    pub use crate::action::{
        Action, ActionId, ActionKind, Actor, AllDay, Answer, BookingSubject, BookingTime, Change, DeleteMode,
        Done, EventSnapshot, IdempotencyKey, IrreversibleReason, NoChangeReason, Notified, Notify, Outcome,
        ReasonText, Refusal, RequestedBound, RequestedEnd, RequestedMinutes, ResponsibleParty, Reversibility,
        Target, TimeRange,
    };
    pub use crate::calendar::{EventId, EventKind, RoomAddress, Scope};
    pub use crate::clock::{Clock, SystemClock};
    pub use crate::engine::{CalendarError, Engine, EngineBuilder, EngineOptions, Mode};
    pub use crate::exchange::{Exchange, ExchangeLocation, Secret, Settings, SettingsError, SignInMethod};
    pub use crate::journal::{Journal, JournalError, MemoryJournal};
    #[cfg(feature = "store")]
    pub use crate::store::{SqliteJournal, StoreOptions};
}
