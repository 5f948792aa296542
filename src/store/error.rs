//! Errors of the files in the state directory, and which of them mean damage. Never holds stored values.

use std::path::PathBuf;

use crate::journal::JournalError;

/// Why the journal or the service store cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The directory or a file in it cannot be used.
    #[error("cannot use the state directory {path}: {error}; Adjourn changes nothing without a journal", path = path.display())]
    Directory {
        /// The directory or file.
        path: PathBuf,
        /// The system's error.
        error: std::io::Error,
    },
    /// Another process owns the directory.
    #[error(
        "process {owner} is using the state directory {path}; wait until it ends; if it is the service, have it act (--server URL), or stop it",
        path = path.display()
    )]
    InUse {
        /// The directory.
        path: PathBuf,
        /// The owner's process id, if the lock file holds one.
        owner: String,
    },
    /// The journal of the directory has moved to a database.
    #[error(
        "the journal of the state directory {path} has moved to {place}: set `journal.url` to that database; without it, \
         `adjourn audit` still reads the files",
        path = path.display()
    )]
    Moved {
        /// The directory.
        path: PathBuf,
        /// The database.
        place: String,
    },
    /// The directory holds no journal.
    #[error("{path} holds no journal: no action has run with this state directory", path = path.display())]
    Absent {
        /// The directory.
        path: PathBuf,
    },
    /// The directory holds the service store under its former name.
    #[error(
        "the service store {former} in {path} has a new name: stop Adjourn, then rename {former} to {name}, and \
         {former}-wal to {name}-wal if it exists",
        path = path.display()
    )]
    FormerName {
        /// The directory.
        path: PathBuf,
        /// The former file name.
        former: &'static str,
        /// The file name now.
        name: &'static str,
    },
    /// A later version of Adjourn wrote the file.
    #[error("a later version of Adjourn wrote this file (schema {0}); use that version")]
    NewerSchema(usize),
    /// The file is an SQLite database of another program.
    #[error("the file is an SQLite database of another program; move it away, or name another --state-dir")]
    NotAJournal,
    /// Entries at the end of the journal are missing.
    #[error(
        "the journal is truncated: it ends at entry {last}, but entry {number} was recorded; restore journal.sqlite from a \
         newer backup, or delete journal.head if you restored an older journal on purpose"
    )]
    Truncated {
        /// The last entry's number as `journal.head` has it.
        number: u64,
        /// The last entry's number now.
        last: u64,
    },
    /// Stored content contradicts itself.
    #[error("the stored data is damaged: {0}; keep the file and run `adjourn audit verify`")]
    Damaged(String),
    /// The system refused to start the writer or checkpoint thread.
    #[error(
        "cannot start the thread that writes the journal: {0}; Adjourn changes nothing without a journal"
    )]
    Thread(std::io::Error),
    /// SQLite returned an error.
    #[error("SQLite cannot use the file: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// PostgreSQL cannot be used.
    #[cfg(feature = "postgres")]
    #[error(transparent)]
    Postgres(#[from] super::postgres::PostgresError),
    /// A database server did not confirm a change.
    #[error("the change may have been stored, or not: {0}")]
    Unconfirmed(String),
}

impl StoreError {
    /// Whether the journal is truncated or damaged.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Damaged(_) | Self::Truncated { .. } => true,
            Self::Sqlite(error) => is_damage(error),
            #[cfg(feature = "postgres")]
            Self::Postgres(error) => error.is_damage(),
            _ => false,
        }
    }

    /// Whether a change may have been stored although its call failed.
    pub fn may_be_stored(&self) -> bool {
        matches!(self, Self::Unconfirmed(_))
    }
}

/// Classifies an SQLite error: the disk cannot be used, or the file is damaged.
pub(super) fn journal_error(error: rusqlite::Error) -> JournalError {
    let text = error.to_string();
    if is_damage(&error) { JournalError::Damaged(text) } else { JournalError::Unusable(text) }
}

fn is_damage(error: &rusqlite::Error) -> bool {
    use rusqlite::Error as Sql;
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase, SchemaChanged, Unknown};
    match error {
        Sql::FromSqlConversionFailure(..)
        | Sql::IntegralValueOutOfRange(..)
        | Sql::InvalidColumnType(..)
        | Sql::InvalidColumnName(..)
        | Sql::StatementChangedRows(_)
        | Sql::Utf8Error(..) => true,
        // SQLite reports a missing table or column of ours only as `Unknown`.
        Sql::SqliteFailure(code, _) | Sql::SqlInputError { error: code, .. } => {
            matches!(code.code, DatabaseCorrupt | NotADatabase | SchemaChanged | Unknown)
        }
        _ => false,
    }
}
