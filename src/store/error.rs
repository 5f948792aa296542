//! Why the journal on disk cannot be used, and whether that is damage.

use std::path::PathBuf;

use crate::journal::JournalError;

/// Why there is no journal.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The directory or a file in it cannot be used.
    #[error("cannot use the state directory {path}: {error}; without a journal nothing is done", path = path.display())]
    Directory {
        /// Which.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// Another process has it.
    #[error(
        "the state directory {path} is in use by process {owner}; wait for it, ask through it, or name another --state-dir",
        path = path.display()
    )]
    InUse {
        /// Which.
        path: PathBuf,
        /// Its process id, if it said so.
        owner: String,
    },
    /// There is none yet.
    #[error("there is no journal in {path} yet: nothing was ever done with this state directory", path = path.display())]
    Absent {
        /// Where.
        path: PathBuf,
    },
    /// A later Adjourn made it.
    #[error("the journal has schema {0}, which a later version of Adjourn made; use that version")]
    NewerSchema(usize),
    /// The file is something else.
    #[error("the file is a database, but no journal of Adjourn's")]
    NotAJournal,
    /// Entries at the end are gone.
    #[error(
        "the journal was cut: it ends at entry {last}, and entry {number} was in it; restore journal.sqlite from a \
         newer backup, or remove the file journal.head if an older journal was put back on purpose"
    )]
    Truncated {
        /// The entry that was the last one.
        number: u64,
        /// The entry that is.
        last: u64,
    },
    /// Entries do not add up.
    #[error("the journal is damaged: {0}; keep the file, and see `adjourn audit verify`")]
    Damaged(String),
    /// The system has no thread to write it.
    #[error("cannot start the thread that writes the journal: {0}; without a journal nothing is done")]
    Thread(std::io::Error),
    /// SQLite says no.
    #[error("the journal cannot be used: {0}")]
    Sqlite(#[from] rusqlite::Error),
}

impl StoreError {
    /// The journal is not as it was written: cut, or damaged.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Damaged(_) | Self::Truncated { .. } => true,
            Self::Sqlite(error) => is_damage(error),
            _ => false,
        }
    }
}

/// What SQLite's trouble means: the disk and its like, or a file that is not what was written there.
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
        // Without a table or column of ours, SQLite says no more than that.
        Sql::SqliteFailure(code, _) | Sql::SqlInputError { error: code, .. } => {
            matches!(code.code, DatabaseCorrupt | NotADatabase | SchemaChanged | Unknown)
        }
        _ => false,
    }
}
