//! Stores the journal in PostgreSQL 14 or newer, for several processes at once. Never decides which fact may follow which: the
//! `journal` module does.
//!
//! Every process that writes has a row in `writers`, and a hash chain of its own. A process that takes over from another one seals the
//! other's chain first: from then on the database refuses every statement of the sealed writer.

mod connection;
mod database;
mod error;
mod link;
mod schema;
#[cfg(feature = "service")]
mod service;
#[cfg(feature = "service")]
mod service_schema;
mod settings;
mod tls;

pub use database::PostgresDatabase;
pub use error::PostgresError;
#[cfg(feature = "service")]
pub(in crate::store) use service::PostgresService;
pub use settings::PostgresSettings;
