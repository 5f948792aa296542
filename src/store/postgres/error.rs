//! Errors of PostgreSQL by who can act on them: the administrator of Adjourn, the one of the database, or the network. Never holds
//! the connection text or a stored value.

use std::path::PathBuf;
use std::time::Duration;

use tokio_postgres::error::SqlState;

use crate::journal::JournalError;

/// Why the database cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum PostgresError {
    /// The connection text cannot be read. The error does not show it, because it has a password.
    #[error("the connection text is not of the form postgres://USER:PASSWORD@HOST/DATABASE")]
    ConnectionText,
    /// The CA file cannot be used.
    #[error("cannot read certificates from {path}: {why}", path = path.display())]
    CaFile {
        /// The file.
        path: PathBuf,
        /// The problem.
        why: String,
    },
    /// TLS cannot be set up on this machine.
    #[error("cannot set up TLS: {0}")]
    Tls(rustls::Error),
    /// No server answered.
    #[error("no PostgreSQL server that accepts writes can be reached: {0}")]
    Unreachable(String),
    /// The server did not answer in time.
    #[error("PostgreSQL did not answer within {} seconds", .0.as_secs_f32())]
    Late(Duration),
    /// The server refused user, password or database.
    #[error(
        "PostgreSQL refused the connection: {0}; correct user, password and database in the connection text"
    )]
    ConnectionRefused(String),
    /// The database user lacks a right.
    #[error("the database user lacks a right: {0}; have the administrator of the database grant it")]
    RightMissing(String),
    /// The server's version is too old.
    #[error("the server is PostgreSQL {0}; Adjourn needs 14 or newer")]
    TooOld(String),
    /// The schema has tables that Adjourn did not create.
    #[error("the schema `adjourn` of this database belongs to another program; use another database")]
    OtherProgram,
    /// The database has no tables of Adjourn.
    #[error("this database holds no journal: no action has run with it")]
    Absent,
    /// A move between the database and a state directory has begun and not finished.
    #[error(
        "a move of the journal between this database and {0} has not finished; run the same `adjourn journal move` again"
    )]
    MoveUnfinished(String),
    /// The journal of the database has moved to a state directory.
    #[error("the journal of this database has moved to {0}; remove `journal.url`, and use that directory")]
    Moved(String),
    /// An earlier version of Adjourn created the tables, and this process only reads.
    #[error(
        "an earlier version of Adjourn created the tables (schema {0}); start the service of this version once"
    )]
    OlderSchema(usize),
    /// A later version of Adjourn changed the tables.
    #[error("a later version of Adjourn changed the tables (schema {0}); use that version")]
    NewerSchema(usize),
    /// Tables were changed by hand.
    #[error("the tables in the schema `adjourn` are not those that Adjourn creates: {0}")]
    OtherTables(String),
    /// The database may lose what it has acknowledged.
    #[error(
        "this database may lose stored entries: {0}; correct it, or accept the loss in the configuration"
    )]
    MayLose(String),
    /// A connection pooler shares the server's sessions between connections.
    #[error(
        "a connection pooler gives each transaction another session of the server; set its `pool_mode` to `session`, or name the port of \
         the server itself in the connection text"
    )]
    SharedSessions,
    /// Stored content contradicts itself.
    #[error("the stored data is damaged: {0}; keep it and run `adjourn audit verify`")]
    Damaged(String),
    /// The server returned another error.
    #[error("PostgreSQL returned an error: {message} (SQLSTATE {code})")]
    Server {
        /// SQLSTATE.
        code: String,
        /// The server's message.
        message: String,
    },
}

impl PostgresError {
    /// Whether the stored data or its tables were changed.
    pub(crate) fn is_damage(&self) -> bool {
        matches!(self, Self::OtherTables(_) | Self::Damaged(_))
    }

    /// Whether the administrator of the database has to correct something before this process may write.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(self, Self::MayLose(_) | Self::SharedSessions)
    }

    /// Whether a statement undid itself: a check in it failed.
    pub(super) fn is_division_by_zero(&self) -> bool {
        matches!(self, Self::Server { code, .. } if code == SqlState::DIVISION_BY_ZERO.code())
    }

    /// Whether a row with the same unique columns exists. The statement changed nothing then.
    pub(in crate::store) fn is_unique_violation(&self) -> bool {
        matches!(self, Self::Server { code, .. } if code == SqlState::UNIQUE_VIOLATION.code())
    }

    /// Whether the server undid the statement because of another one, and the same statement may succeed now.
    pub(in crate::store) fn may_be_repeated(&self) -> bool {
        let repeatable = [SqlState::T_R_SERIALIZATION_FAILURE, SqlState::T_R_DEADLOCK_DETECTED];
        matches!(self, Self::Server { code, .. } if repeatable.iter().any(|state| state.code() == code))
    }

    /// Whether the statement waited too long for a row that another statement has locked. It changed nothing.
    pub(super) fn is_lock_timeout(&self) -> bool {
        matches!(self, Self::Server { code, .. } if code == SqlState::LOCK_NOT_AVAILABLE.code())
    }

    /// An error of a statement or of the connection.
    pub(in crate::store) fn of(error: &tokio_postgres::Error) -> Self {
        let Some(database) = error.as_db_error() else { return Self::of_connection(error) };
        let (code, message) = (database.code().code().to_owned(), database.message().to_owned());
        match code.as_str() {
            // Invalid authorization, invalid catalog (database) name.
            _ if code.starts_with("28") || code == "3D000" => Self::ConnectionRefused(message),
            "42501" => Self::RightMissing(message),
            // Shutdown, crash, start-up, too many connections, and a server that has become a standby.
            _ if code.starts_with("57P") || code.starts_with("08") => Self::Unreachable(message),
            "53300" | "25006" => Self::Unreachable(message),
            // Corrupted data or index; a table, column or function of ours is missing.
            "XX001" | "XX002" | "42P01" | "42703" | "42804" => Self::Damaged(message),
            _ => Self::Server { code, message },
        }
    }

    fn of_connection(error: &tokio_postgres::Error) -> Self {
        use std::error::Error as _;
        // The error itself names the phase, its sources the reason.
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            if !text.contains(&cause.to_string()) {
                text = format!("{text}: {cause}");
            }
            source = cause.source();
        }
        // A value of another type than ours has: the column was changed.
        if text.starts_with("error deserializing column") {
            Self::Damaged(text)
        } else {
            Self::Unreachable(text)
        }
    }
}

impl From<PostgresError> for JournalError {
    fn from(error: PostgresError) -> Self {
        let text = error.to_string();
        match error {
            _ if error.is_damage() => Self::Damaged(text),
            PostgresError::MayLose(_) => Self::MayLose(text),
            _ => Self::Unusable(text),
        }
    }
}
