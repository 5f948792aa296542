//! The file `journal.head` beside the journal: number and hash of the last entry. A journal that ends before that entry is truncated: an
//! older copy of the file was restored, or its log (WAL) was lost. Never repairs the journal.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension as _};

use super::directory::{HEAD_FILE, owner_only_options, refuse_link};
use super::{StoreError, archived, beginning};
use crate::journal::{Chain, Head};

/// A number, a space, a hash, a line break.
const HEAD_FILE_BYTES_MAX: u64 = 128;

/// The head file of a state directory.
pub(super) struct HeadFile {
    path: PathBuf,
}

impl HeadFile {
    pub(super) fn in_directory(directory: &Path) -> Self {
        Self { path: directory.join(HEAD_FILE) }
    }

    /// Replaces the file. The journal does not depend on it, so a failure is only logged.
    pub(super) fn store(&self, chain: Chain) {
        if chain.length == 0 {
            return;
        }
        if let Err(error) = self.replace(chain) {
            tracing::warn!(path = %self.path.display(), %error, "cannot store the journal head");
        }
    }

    fn replace(&self, chain: Chain) -> std::io::Result<()> {
        let fresh = self.path.with_extension("head-new");
        refuse_link(&fresh)?;
        let mut file = owner_only_options().create(true).truncate(true).open(&fresh)?;
        writeln!(file, "{} {}", chain.length, chain.head)?;
        file.sync_all()?;
        fs::rename(&fresh, &self.path)
    }

    /// Reads the stored head, if there is one.
    pub(super) fn load(&self) -> Result<Option<Chain>, StoreError> {
        let unusable = |error| StoreError::Directory { path: self.path.clone(), error };
        refuse_link(&self.path).map_err(unusable)?;
        match fs::metadata(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unusable(error)),
            Ok(found) if found.len() > HEAD_FILE_BYTES_MAX => return Err(self.unreadable()),
            Ok(_) => {}
        }
        let text = fs::read_to_string(&self.path).map_err(unusable)?;
        parse(&text).map(Some).ok_or_else(|| self.unreadable())
    }

    fn unreadable(&self) -> StoreError {
        StoreError::Damaged(format!("{} holds no entry number and hash", self.path.display()))
    }
}

fn parse(text: &str) -> Option<Chain> {
    let (length, head) = text.trim_end().split_once(' ')?;
    Some(Chain { length: length.parse().ok()?, head: head.parse().ok()? })
}

/// Fails if a head is stored although the journal is missing or empty.
pub(super) fn refuse_absent_journal(stored: Option<Chain>) -> Result<(), StoreError> {
    stored.map_or(Ok(()), |stored| Err(StoreError::Truncated { number: stored.length, last: 0 }))
}

/// Fails unless the stored head's entry is in the chain, in an archive, or among the entries of a database.
pub(super) fn check(connection: &Connection, stored: Option<Chain>) -> Result<(), StoreError> {
    let Some(stored) = stored else { return Ok(()) };
    let archived = archived::read(connection)?.map_or(0, |archived| archived.chain.length);
    let moved = beginning::read(connection)?.map_or(0, |beginning| beginning.length);
    if stored.length <= archived.max(moved) {
        return Ok(());
    }
    let number = i64::try_from(stored.length).unwrap_or(i64::MAX);
    let sql = "SELECT hash FROM entries WHERE number = ?1";
    let hash: Option<[u8; 32]> = connection.query_row(sql, [number], |row| row.get(0)).optional()?;
    if hash.map(Head) == Some(stored.head) {
        return Ok(());
    }
    let last: Option<i64> = connection.query_row("SELECT max(number) FROM entries", [], |row| row.get(0))?;
    Err(StoreError::Truncated { number: stored.length, last: last.unwrap_or(0).unsigned_abs() })
}
