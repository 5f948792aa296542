//! Stores the journal in PostgreSQL 14 or newer, for several processes at once. Never decides which fact may follow which: the
//! `journal` module does.
//!
//! ```text
//! record()  lock() ──► queue ──► appender: all waiting entries and locks in one statement ──► an answer to each caller
//! find()  page()   ──► connections of their own
//!                      renewer: "this process lives" every two seconds; seals the chains of processes that do not
//! ```
//!
//! Every process that writes has a row in `writers`, and a hash chain of its own. A process that takes over from another one seals the
//! other's chain first: from then on the database refuses every statement of the sealed writer, however late it arrives, and its
//! journal answers [`Fenced`](crate::journal::JournalError::Fenced). Sessions must be real: `sessions.rs` finds a connection pooler that
//! shares them between transactions, which is refused.

mod anchors;
mod appender;
mod archive;
mod archive_cut;
mod archived_chains;
#[cfg(feature = "service")]
mod arrival;
mod batch;
mod beginnings;
mod connection;
mod database;
#[cfg(feature = "service")]
mod departure;
mod ending;
mod erase;
mod error;
mod find;
mod journal;
#[cfg(feature = "service")]
mod journal_move;
mod link;
#[cfg(test)]
mod model;
#[cfg(feature = "service")]
mod move_start;
mod moves;
mod plan;
mod records;
mod removal;
mod renewer;
mod schema;
#[cfg(feature = "service")]
mod service;
#[cfg(feature = "service")]
mod service_schema;
mod sessions;
mod settings;
mod state;
mod status;
mod tables;
mod ticks;
mod tls;
mod verify;
mod writers;

#[cfg(feature = "service")]
pub use arrival::move_to_database;
pub use database::PostgresDatabase;
#[cfg(feature = "service")]
pub use departure::move_to_directory;
pub use error::PostgresError;
pub use journal::PostgresJournal;
#[cfg(feature = "service")]
pub use journal_move::{JournalMove, MoveError};
#[cfg(feature = "service")]
pub(in crate::store) use service::PostgresService;
pub use settings::PostgresSettings;
pub use status::DatabaseStatus;
pub use verify::VerifiedChains;
pub use writers::ChainInfo;
