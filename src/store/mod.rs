//! The journal on disk. Knows files and SQL; decides nothing about actions: which fact may follow which is
//! [`crate::journal::ActionRecord`]'s business.
//!
//! ```text
//! record() ──► queue ──► one writer thread: as many facts as wait, one transaction, one fsync ──► everyone's answer
//! find()   ──► a second connection that only reads (WAL: readers and the writer do not wait for each other)
//! ```
//!
//! A state directory belongs to one process at a time, by a lock on a file in it that the system gives back when the
//! process ends however it ends. Reading ([`SqliteJournal::read`]) needs no lock. Another database moves in behind
//! [`crate::journal::Journal`]; `tests/store` is what it has to pass.

mod action_row;
mod admin;
mod archive;
mod archive_file;
mod archived;
mod checkpointer;
mod directory;
mod erase;
mod error;
#[cfg(feature = "service")]
mod evidence;
mod find;
mod head_file;
mod health;
#[cfg(feature = "service")]
mod keys;
#[cfg(feature = "service")]
mod outbox;
#[cfg(feature = "service")]
mod pending_events;
mod personal;
#[cfg(feature = "service")]
mod presence;
mod prune;
mod schema;
#[cfg(feature = "service")]
mod service_store;
mod sqlite;
mod verify;
mod writer;

pub use archive::{ArchiveError, ArchiveOrder, ArchiveReport};
pub use archive_file::{ArchiveFileError, VerifiedArchive, verify_archive};
pub use directory::default_directory;
#[cfg(feature = "service")]
pub(crate) use directory::is_state_file;
pub use error::StoreError;
#[cfg(feature = "service")]
pub use keys::{KEY_PATTERNS_MAX, KEYS_MAX, KeyError, KeyRecord};
#[cfg(feature = "service")]
pub use outbox::{OUTBOX_BYTES_MAX, OUTBOX_NOTICES_MAX, OutboxEntry, OutboxNotice};
#[cfg(feature = "service")]
pub use pending_events::{PENDING_MAX, PendingError};
#[cfg(feature = "service")]
pub use presence::{TABLE_BOUNDS, TableBound};
#[cfg(feature = "service")]
pub use service_store::ServiceStore;
pub use sqlite::{SqliteJournal, StoreOptions};
pub use verify::{VerifiedJournal, VerifyError};
