//! What a move of the journal returns, in either direction, and why it fails. Never moves anything.

use super::error::PostgresError;
use crate::journal::{Chain, JournalError};
use crate::store::StoreError;
use crate::store::verify_error::VerifyError;

/// Open actions that an error names.
pub(super) const OPEN_NAMED_MAX: usize = 3;

/// A journal that moved.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct JournalMove {
    /// Where the journal was.
    pub from: String,
    /// Where it is.
    pub to: String,
    /// Entries.
    pub entries: u64,
    /// Actions.
    pub actions: u64,
    /// Entries that belong to no action.
    pub admin_events: u64,
    /// Number and hash of the last entry before the move.
    pub last: Chain,
    /// Number and hash of the last anchor, which covers it.
    pub anchor: Chain,
    /// Rows of the service store.
    pub service_rows: u64,
    /// An earlier run had moved everything.
    pub was_done: bool,
}

/// Why a journal was not moved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MoveError {
    /// Actions are open.
    #[error(
        "actions are not finished ({}); start the service where the journal is now, which settles them, and stop it",
        .0.join(", ")
    )]
    Open(Vec<String>),
    /// An archiving was interrupted.
    #[error(
        "archived entries are still in the journal: an archive run was interrupted; run `adjourn audit archive` again (without `journal.url`)"
    )]
    Unpruned,
    /// The journal of the directory was in a database before.
    #[error(
        "the journal was in a database before, so its entries are in several chains; it cannot move to a database again"
    )]
    SeveralChains,
    /// The journal of the database was archived there.
    #[error(
        "entries were archived while the journal was in the database, so the beginnings of several chains are in archive files; such a journal \
         cannot move to a directory"
    )]
    ArchivedChains,
    /// The directory holds something else.
    #[error("the directory holds {0} already; name an empty one with --state-dir, or move its files away")]
    NotVacant(&'static str),
    /// The database is in use.
    #[error("process {0} writes to the database; stop it")]
    Writing(String),
    /// The database holds something else.
    #[error("the database holds another journal ({0}); name an empty database")]
    OtherJournal(String),
    /// What arrived is not what left.
    #[error("the copy differs from the journal: {0}; nothing was removed, and the move is not complete")]
    Differs(String),
    /// The journal does not verify, here or there.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// The journal or the service store cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<PostgresError> for MoveError {
    fn from(error: PostgresError) -> Self {
        Self::Store(error.into())
    }
}

impl From<JournalError> for MoveError {
    fn from(error: JournalError) -> Self {
        Self::Verify(error.into())
    }
}
