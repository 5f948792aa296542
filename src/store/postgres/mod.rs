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
mod batch;
mod connection;
mod database;
mod ending;
mod erase;
mod error;
mod find;
mod journal;
mod link;
#[cfg(test)]
mod model;
mod plan;
mod records;
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

pub use database::PostgresDatabase;
pub use error::PostgresError;
pub use journal::PostgresJournal;
#[cfg(feature = "service")]
pub(in crate::store) use service::PostgresService;
pub use settings::PostgresSettings;
pub use status::DatabaseStatus;
pub use verify::VerifiedChains;
pub use writers::ChainInfo;
