//! What the integration tests and benches share. A test program imports from here instead of building its own rooms, events,
//! actions, worlds, engines and servers; each constructor of the library is called in one file of this crate only.
//!
//! ```text
//! room  time  action  outcome  event         values
//! engine  exchange  graph  service  journal  one constructor of the library each, with the options that tests want
//! world → simulator → office                 a simulated Exchange, and an engine that works on it
//!                   → installation → served  the program in a directory of its own, and as a service
//! postgres → postgres_pair                   servers of a database: one, and one with a standby
//!          → pooler                          a connection pooler in front of one
//!          → relay                           a connection to one that stands still or breaks
//! http  random  receiver  wait               tools
//! ```
//!
//! A crate of its own, because a module that nine programs include would be compiled nine times, each time with the warnings about
//! what that program does not use. It is a dev-dependency and is never published. Everything panics on failure, because a failed
//! helper must fail its test.

mod action;
mod engine;
mod event;
mod exchange;
mod graph;
mod http;
mod installation;
mod journal;
mod office;
mod outcome;
#[cfg(unix)]
mod pooler;
#[cfg(unix)]
mod postgres;
#[cfg(unix)]
mod postgres_pair;
mod random;
mod receiver;
mod relay;
mod room;
mod served;
mod service;
mod simulator;
mod time;
mod too_late;
mod wait;
mod world;

pub use action::{action, named};
pub use engine::{engine, quick_options};
pub use event::event;
pub use exchange::{account_settings, exchange, patient_settings, settings};
pub use graph::{graph, graph_settings, graph_with_rights};
pub use http::{HttpReply, read_head, read_reply, send_and_read};
pub use installation::{CommandOutput, Installation};
pub use journal::{journal_in, record_refused};
pub use office::Office;
pub use outcome::{done, refusal};
#[cfg(unix)]
pub use pooler::Pooler;
#[cfg(unix)]
pub use postgres::{PostgresServer, PostgresTestDatabase};
#[cfg(unix)]
pub use postgres_pair::{PostgresPair, Replication};
pub use random::{SeededRandom, Seeds};
pub use receiver::{ReceivedPost, WebhookReceiver};
pub use relay::{Direction, Relay};
pub use room::{AURORA, address, aurora, every_room, numbered_room, room, room_name};
pub use served::ServedProcess;
pub use service::service_options;
pub use simulator::{ca_file, host, over_tls, request_count, simulator, simulator_with};
pub use time::{at, now};
pub use too_late::TooLate;
pub use wait::{wait_until, wait_until_async};
pub use world::{ada, bo, meeting, meeting_in, people, plain, world, world_of_meetings, world_of_rooms};
