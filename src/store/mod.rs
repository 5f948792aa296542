//! Stores the journal and the service's own data in SQLite. Knows files and SQL; never decides which fact may follow which:
//! the `journal` module does.
//!
//! ```text
//! record() ──► queue ──► writer thread: all waiting entries in one transaction, one fsync ──► an answer to each caller
//! find()   ──► a second, read-only connection (WAL: readers and the writer do not block each other)
//! ```
//!
//! One process at a time owns a state directory: it locks a file in it, and the operating system releases the lock when the
//! process ends, even if it crashes. Reading ([`SqliteJournal::read`]) needs no lock. Another database can replace this one
//! behind [`crate::journal::Journal`] if it passes `tests/store`.

mod action_row;
mod admin;
mod archive;
mod archive_file;
#[cfg(feature = "postgres")]
mod archive_sections;
mod archived;
#[cfg(feature = "service")]
mod attendance;
mod beginning;
mod checkpointer;
#[cfg(feature = "service")]
mod claims;
mod connection;
mod directory;
#[cfg(feature = "service")]
mod displays;
mod erase;
mod error;
#[cfg(feature = "service")]
mod evidence;
mod find;
mod head_file;
mod health;
#[cfg(feature = "service")]
mod keys;
#[cfg(all(feature = "postgres", feature = "service"))]
mod moved_file;
mod moved_to;
#[cfg(feature = "service")]
mod outbox;
#[cfg(feature = "service")]
mod pending_events;
mod personal;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "service")]
mod presence;
mod prune;
mod records;
#[cfg(feature = "service")]
mod schedules;
mod schema;
#[cfg(feature = "service")]
mod service_schema;
#[cfg(feature = "service")]
mod service_store;
#[cfg(all(feature = "postgres", feature = "service"))]
mod service_tables;
#[cfg(feature = "service")]
mod sql;
mod sqlite;
#[cfg(feature = "service")]
mod sqlite_service;
mod verify;
mod verify_error;
mod verify_moved;
mod writer;

pub use archive::{ArchiveError, ArchiveOrder, ArchiveReport};
pub use archive_file::{ArchiveFileError, VerifiedArchive, verify_archive};
#[cfg(all(unix, feature = "service"))]
pub(crate) use directory::create as create_directory;
pub use directory::default_directory;
#[cfg(feature = "service")]
pub(crate) use directory::{SOCKET_FILE, is_state_file, systemd_directory};
#[cfg(feature = "service")]
#[doc(hidden)]
pub use displays::{DISPLAYS_MAX, DisplayContact, DisplayRecord, NewDisplay};
pub use error::StoreError;
#[cfg(feature = "service")]
#[doc(hidden)]
pub use keys::{KEY_PATTERNS_MAX, KEYS_MAX, KeyError, KeyRecord};
#[cfg(feature = "service")]
#[doc(hidden)]
pub use outbox::{
    DROPPED_KEPT, DueQuery, FailedAttempt, OUTBOX_BYTES_MAX, OUTBOX_NOTICES_MAX, OutboxBatch, OutboxEntry,
    OutboxNotice, QueueState, SendOrder,
};
#[cfg(feature = "service")]
#[doc(hidden)]
pub use pending_events::{PENDING_MAX, PendingError};
#[cfg(feature = "postgres")]
pub use postgres::{
    ChainInfo, DatabaseStatus, PostgresDatabase, PostgresError, PostgresJournal, PostgresSettings,
    VerifiedChains,
};
#[cfg(all(feature = "postgres", feature = "service"))]
pub use postgres::{JournalMove, MoveError, move_to_database, move_to_directory};
#[cfg(feature = "service")]
#[doc(hidden)]
pub use presence::{TABLE_BOUNDS, TableBound};
#[cfg(feature = "service")]
#[doc(hidden)]
pub use service_store::ServiceStore;
pub use sqlite::{SqliteJournal, StoreOptions};
pub use verify::VerifiedJournal;
pub use verify_error::VerifyError;
