//! Writes the journal file of a state directory from the chains of a database, under another name until it is complete (`beginning.rs` has
//! its form). Never opens the database.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::action_row::{self, ActionRow};
use super::archived::{self, ArchivedPart};
use super::beginning::MovedChain;
use super::directory::{JOURNAL_FILE, open_database};
use super::error::{StoreError, journal_error};
use super::records::read_action;
use super::schema::JOURNAL;
use super::verify::{self, VerifiedJournal};
use super::verify_error::VerifyError;
use super::{beginning, connection, personal};
use crate::journal::{ActionRecord, Chain, JournalEntry, JournalError, SealedEntry};

/// The file until it is complete.
const FRESH_FILE: &str = "arriving.sqlite";

/// A journal file in the making.
pub(super) struct MovedFile {
    directory: PathBuf,
    connection: Connection,
    /// The number of the last entry.
    last: u64,
}

impl MovedFile {
    /// Creates the file, in place of one that an interrupted move left. Entries are numbered from the end of the archived part on.
    pub(super) fn create(directory: &Path, archived: Option<&ArchivedPart>) -> Result<Self, StoreError> {
        let path = directory.join(FRESH_FILE);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(StoreError::Directory { path, error });
            }
            _ => {}
        }
        let mut connection = open_database(&path)?;
        // A file that is not complete is written again from the start, so nothing in between has to be durable.
        connection.pragma_update(None, "journal_mode", "OFF")?;
        connection.pragma_update(None, "synchronous", "OFF")?;
        JOURNAL.migrate(&mut connection)?;
        connection.execute_batch("BEGIN")?;
        let last = archived.map_or(0, |part| part.chain.length);
        Ok(Self { directory: directory.to_owned(), connection, last })
    }

    /// Adds the next entry, which is in the chain of this writer.
    pub(super) fn put(&mut self, writer: i64, sealed: &SealedEntry) -> Result<(), JournalError> {
        let entry = sealed.parse().map_err(|error| JournalError::Damaged(error.to_string()))?;
        let updated = match &entry {
            JournalEntry::Action(fact) => {
                let before = read_action(&self.connection, &fact.action.to_string())?;
                Some(ActionRecord::apply(before, fact)?)
            }
            JournalEntry::Admin(_) => None,
        };
        self.last += 1;
        self.insert(writer, sealed, &entry).map_err(journal_error)?;
        let row = updated.map(|record| ActionRow::from_record(&record, self.last));
        row.map_or(Ok(()), |row| row.put(&self.connection)).map_err(journal_error)
    }

    fn insert(&self, writer: i64, sealed: &SealedEntry, entry: &JournalEntry) -> rusqlite::Result<()> {
        let (number, in_chain) = (as_integer(self.last), as_integer(sealed.number));
        let sql = "INSERT INTO entries (number, action, body, hash) VALUES (?1, ?2, ?3, ?4)";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.execute((number, entry.filed_under(), &sealed.body, sealed.hash.0))?;
        action_row::expect_one_row(rows)?;
        let sql = "INSERT INTO chained (writer, number, entry) VALUES (?1, ?2, ?3)";
        let rows = self.connection.prepare_cached(sql)?.execute((writer, in_chain, number))?;
        action_row::expect_one_row(rows)?;
        let here = SealedEntry { number: self.last, ..sealed.clone() };
        personal::put(&self.connection, &here, entry.at().timestamp_millis())
    }

    /// Adds an anchor.
    pub(super) fn put_anchor(&self, anchor: &SealedEntry) -> Result<(), StoreError> {
        let sql = "INSERT INTO anchors (number, body, hash) VALUES (?1, ?2, ?3)";
        let mut statement = self.connection.prepare_cached(sql)?;
        statement.execute((as_integer(anchor.number), &anchor.body, anchor.hash.0))?;
        Ok(())
    }

    /// Adds a chain, and the name and version of its writer.
    pub(super) fn put_chain(&self, chain: &MovedChain, name: &str, version: &str) -> Result<(), StoreError> {
        let sql = "INSERT INTO chains (writer, name, version, first_after, before, length, head)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let (after, end) = (chain.first_after, chain.end);
        self.connection.execute(
            sql,
            (
                chain.writer,
                name,
                version,
                as_integer(after.length),
                after.head.0,
                as_integer(end.length),
                end.head.0,
            ),
        )?;
        Ok(())
    }

    /// Ends the file with the last anchor, and verifies all of it.
    pub(super) fn finish(
        self,
        anchor: Chain,
        archived: Option<&ArchivedPart>,
    ) -> Result<(CompleteFile, VerifiedJournal), VerifyError> {
        let sql = "INSERT INTO beginning (last, hash) VALUES (?1, ?2)";
        let end = |connection: &Connection| {
            connection.execute(sql, (as_integer(self.last), anchor.head.0))?;
            archived.map_or(Ok(()), |part| archived::put(connection, part))?;
            connection.execute_batch("COMMIT")
        };
        end(&self.connection).map_err(journal_error)?;
        let verified = verify::verify(&self.connection, Some(anchor.head), &[])?;
        Ok((CompleteFile { directory: self.directory }, verified))
    }
}

/// A complete file, under its first name.
pub(super) struct CompleteFile {
    directory: PathBuf,
}

impl CompleteFile {
    /// Gives the file its name. When this returns, it is on the disk.
    pub(super) fn publish(self) -> Result<(), StoreError> {
        let path = self.directory.join(JOURNAL_FILE);
        let publish = || {
            let fresh = self.directory.join(FRESH_FILE);
            File::open(&fresh)?.sync_all()?;
            fs::rename(&fresh, &path)?;
            #[cfg(unix)]
            File::open(&self.directory)?.sync_all()?;
            Ok(())
        };
        publish().map_err(|error| StoreError::Directory { path: path.clone(), error })
    }
}

/// Where the chain of the directory's journal begins, if it came from a database. `None` without a journal.
pub(super) fn beginning_in(directory: &Path) -> Result<Option<Chain>, StoreError> {
    let path = directory.join(JOURNAL_FILE);
    if !path.exists() {
        return Ok(None);
    }
    Ok(beginning::read(&connection::open_to_read(&path)?)?)
}

fn as_integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
