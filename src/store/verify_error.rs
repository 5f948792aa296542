//! Why a journal fails verification, in a file as in a database. Never verifies anything.

use super::archive_file::ArchiveFileError;
use crate::journal::{ChainError, EntryError, JournalError};

/// Why verification failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// A hash does not match its entry, or an entry is missing.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// Adjourn cannot have written this entry.
    #[error("entry {number}: {why}")]
    Entry {
        /// The entry's number.
        number: u64,
        /// The problem.
        why: String,
    },
    /// The index of actions contradicts the entries, so look-ups in it are wrong.
    #[error("the index of actions contradicts the entries of action {action}: {why}")]
    Index {
        /// The action's id.
        action: String,
        /// The problem.
        why: &'static str,
    },
    /// SQLite's integrity check or the table definitions show damage.
    #[error("the journal file is damaged: {0}")]
    File(String),
    /// The hash that the caller gave is not in the chain.
    #[error("the given hash is not in the journal: entries were removed, or this is another journal")]
    HeadMissing,
    /// A later version of Adjourn wrote some entries.
    #[error("entry {number}: {error}")]
    NewerFormat {
        /// The first such entry.
        number: u64,
        /// The version of its format.
        error: EntryError,
    },
    /// The number of missing personal values differs from the number that admin events record as erased.
    #[error("{missing} personal values are missing, but the journal records {announced} as erased")]
    Erased {
        /// Missing values.
        missing: i64,
        /// Values recorded as erased.
        announced: i64,
    },
    /// The archive files do not match the journal.
    #[error("the archive files do not match the journal: {0}")]
    Archive(String),
    /// An archive file was changed or cannot be read.
    #[error(transparent)]
    ArchiveFile(#[from] ArchiveFileError),
    /// A chain, among those of several processes, does not verify.
    #[error("the chain of writer {writer}: {error}")]
    InChain {
        /// The number of the process that wrote it.
        writer: i32,
        /// The problem.
        error: Box<VerifyError>,
    },
    /// An anchor was changed, or the chains are not those that it names.
    #[error("anchor {number}: {why}")]
    Anchor {
        /// The anchor's number.
        number: u64,
        /// The problem.
        why: String,
    },
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

impl VerifyError {
    pub(super) fn of(number: u64, error: EntryError) -> Self {
        match error {
            EntryError::Later(_) => Self::NewerFormat { number, error },
            error => Self::Entry { number, why: error.to_string() },
        }
    }
}
