//! Archives whole years: writes their entries to a file and removes them from the journal. Never loses an entry: after a crash at
//! any step, the same command continues.
//!
//! ```text
//! 1. write FILE.partial, sync it, read it again and verify it      the journal is unchanged
//! 2. rename it to FILE                                             the next run verifies it, and writes it again
//! 3. record `archived`, in one transaction with the entry after which the chain continues
//! 4. remove the entries, action by action                          the next run removes the rest
//! ```

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Datelike as _, TimeDelta, TimeZone as _, Utc};
use rusqlite::Connection;

use super::archive_file::{ArchiveFileError, ArchiveWriter, VerifiedArchive, verify_archive};
use super::archived::{self, ArchivedPart};
use super::error::journal_error;
use super::prune::{self, ArchiveCutoff};
use super::{beginning, personal, writer};
use crate::journal::{
    AdminActor, AdminEntry, AdminEvent, Chain, Head, JournalEntry, JournalError, SealedEntry,
};

/// An order to archive.
#[derive(Debug, Clone)]
pub struct ArchiveOrder {
    /// Archive up to the end of this year (UTC).
    pub year: i32,
    /// The archive file.
    pub to: PathBuf,
    /// The administrator.
    pub by: AdminActor,
    /// The current time.
    pub now: DateTime<Utc>,
    /// How long an idempotency key is valid.
    pub key_ttl: TimeDelta,
}

/// The archive that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveReport {
    /// The first entry of the file. Where the journal has several chains, the archived entries of all are counted.
    pub first: u64,
    /// The last entry of the file.
    pub last: u64,
    /// The last entry's hash; where the journal has several chains, that of the last anchor.
    pub head: Head,
    /// The open action that keeps later entries of the year in the journal, if any.
    pub blocked_by: Option<String>,
}

/// Why archiving failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// The year is not over.
    #[error("the year {0} is not over; only complete years can be archived")]
    YearNotOver(i32),
    /// The year has no entries, or one of the first actions is still open.
    #[error(
        "no entries can be archived{}",
        blocked_by.as_ref().map_or_else(String::new, |action| format!(": action {action} is still open"))
    )]
    Nothing {
        /// The open action.
        blocked_by: Option<String>,
    },
    /// The journal was in a database.
    #[error(
        "the journal was in a database, so its entries are in several chains; such entries cannot be archived"
    )]
    SeveralChains,
    /// The file exists and holds something else.
    #[error("{path} exists and is not this archive; name another file", path = path.display())]
    OtherFile {
        /// The file.
        path: PathBuf,
    },
    /// The archive file cannot be written or read.
    #[error(transparent)]
    File(#[from] ArchiveFileError),
    /// The journal cannot be read or written.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// Archives, or continues an archiving that a crash interrupted.
pub(super) fn archive(
    connection: &mut Connection,
    order: &ArchiveOrder,
) -> Result<ArchiveReport, ArchiveError> {
    if order.year >= order.now.year() {
        return Err(ArchiveError::YearNotOver(order.year));
    }
    if beginning::read(connection).map_err(journal_error)?.is_some() {
        return Err(ArchiveError::SeveralChains);
    }
    let part = archived::read(connection).map_err(journal_error)?;
    if let Some(part) = &part {
        prune::prune(connection, part.chain.length)?;
    }
    let begins_after = part.as_ref().map_or_else(Chain::default, |part| part.chain);
    if order.to.exists() {
        let file = verify_archive(std::slice::from_ref(&order.to), None)?;
        if file.chain == begins_after {
            return Ok(report(&file, None));
        }
        return resume(connection, order, part.as_ref(), &file);
    }
    let (last, blocked_by) = prune::last_archivable(connection, begins_after.length + 1, &cutoff(order))?;
    if last <= begins_after.length {
        return Err(ArchiveError::Nothing { blocked_by });
    }
    let file = write(connection, &order.to, begins_after, last)?;
    finish(connection, order, part.as_ref(), &file)?;
    Ok(report(&file, blocked_by))
}

/// Continues after a crash between writing the file and recording it.
fn resume(
    connection: &mut Connection,
    order: &ArchiveOrder,
    part: Option<&ArchivedPart>,
    file: &VerifiedArchive,
) -> Result<ArchiveReport, ArchiveError> {
    let begins_after = part.map_or_else(Chain::default, |part| part.chain);
    let (last, blocked_by) = prune::last_archivable(connection, begins_after.length + 1, &cutoff(order))?;
    let is_ours = file.first == begins_after.length + 1
        && file.chain.length <= last
        && hash_of(connection, file.chain.length)? == Some(file.chain.head)
        && is_cut_between_actions(connection, file.chain.length)?;
    if !is_ours {
        return Err(ArchiveError::OtherFile { path: order.to.clone() });
    }
    // Values may have been erased since the file was written.
    let file = write(connection, &order.to, begins_after, file.chain.length)?;
    finish(connection, order, part, &file)?;
    Ok(report(&file, blocked_by))
}

fn report(file: &VerifiedArchive, blocked_by: Option<String>) -> ArchiveReport {
    ArchiveReport { first: file.first, last: file.chain.length, head: file.chain.head, blocked_by }
}

/// The conditions for the end of this archive.
pub(super) fn cutoff(order: &ArchiveOrder) -> ArchiveCutoff {
    let end = Utc.with_ymd_and_hms(order.year + 1, 1, 1, 0, 0, 0).single();
    ArchiveCutoff { before: end.unwrap_or(DateTime::<Utc>::MIN_UTC), now: order.now, key_ttl: order.key_ttl }
}

fn hash_of(connection: &Connection, number: u64) -> Result<Option<Head>, JournalError> {
    Ok(entries(connection, number - 1, number)?.first().map(|sealed| sealed.hash))
}

/// Whether no action has entries both before and after the cut.
fn is_cut_between_actions(connection: &Connection, last: u64) -> Result<bool, JournalError> {
    let sql = "SELECT count(*) FROM lives AS l WHERE accepted <= ?1 AND EXISTS
               (SELECT 1 FROM entries AS e WHERE e.action = l.action AND e.number > ?1)";
    let last = i64::try_from(last).unwrap_or(i64::MAX);
    let count: i64 = connection.query_row(sql, [last], |row| row.get(0)).map_err(journal_error)?;
    Ok(count == 0)
}

/// Steps 1 and 2.
fn write(
    connection: &Connection,
    path: &Path,
    begins_after: Chain,
    last: u64,
) -> Result<VerifiedArchive, ArchiveError> {
    let partial = partial_of(path);
    let failed = |error| ArchiveFileError::File { path: partial.clone(), error };
    let mut file = ArchiveWriter::create(&partial, begins_after).map_err(failed)?;
    let (mut chain, mut page) = (begins_after, begins_after.length);
    while page < last {
        for sealed in entries(connection, page, last)? {
            chain.check(&sealed).map_err(|broken| JournalError::Damaged(broken.to_string()))?;
            file.put(&sealed).map_err(failed)?;
        }
        page = if chain.length > page { chain.length } else { last };
    }
    file.finish(chain).map_err(failed)?;
    let verified = verify_archive(std::slice::from_ref(&partial), None)?;
    if verified.chain.length != last || verified.chain != chain {
        let missing = format!("entry {} is missing", verified.chain.length + 1);
        return Err(JournalError::Damaged(missing).into());
    }
    publish(&partial, path)?;
    Ok(verified)
}

/// The file until it is complete.
pub(super) fn partial_of(path: &Path) -> PathBuf {
    PathBuf::from(format!("{}.partial", path.display()))
}

/// Gives a complete file its name. When this returns, it is on the disk.
pub(super) fn publish(partial: &Path, path: &Path) -> Result<(), ArchiveFileError> {
    let renamed = fs::rename(partial, path).and_then(|()| sync_directory(path));
    renamed.map_err(|error| ArchiveFileError::File { path: partial.to_owned(), error })
}

/// Syncs the directory, so that the rename survives a crash.
fn sync_directory(path: &Path) -> std::io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    if cfg!(unix) { File::open(directory.unwrap_or(Path::new(".")))?.sync_all() } else { Ok(()) }
}

/// Steps 3 and 4.
fn finish(
    connection: &mut Connection,
    order: &ArchiveOrder,
    before: Option<&ArchivedPart>,
    file: &VerifiedArchive,
) -> Result<(), ArchiveError> {
    let name = order.to.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let carried = before.map_or(0, |part| part.erased) + file.erasures.announced - file.erasures.missing;
    let through = before.map_or(0, |part| part.erased_through).max(file.erasures.through);
    let part = ArchivedPart { chain: file.chain, file: name, erased: carried, erased_through: through };
    let event = AdminEvent::Archived(part.event(file.first));
    let entry = AdminEntry { at: order.now, by: order.by.clone(), event };
    let mut chain = writer::chain_end(connection).map_err(journal_error)?;
    let transaction = writer::begin_immediate(connection).map_err(journal_error)?;
    writer::append(&transaction, &mut chain, &JournalEntry::Admin(entry)).map_err(journal_error)??;
    archived::put(&transaction, &part).map_err(journal_error)?;
    transaction.commit().map_err(journal_error)?;
    Ok(prune::prune(connection, part.chain.length)?)
}

/// Entries in one read.
const PAGE: u64 = 1_000;

/// The entries in `(after, last]`, one page at most.
fn entries(connection: &Connection, after: u64, last: u64) -> Result<Vec<SealedEntry>, JournalError> {
    let sql =
        "SELECT number, body, hash FROM entries WHERE number > ?1 AND number <= ?2 ORDER BY number LIMIT ?3";
    let mut statement = connection.prepare_cached(sql).map_err(journal_error)?;
    let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let rows = statement.query_map([signed(after), signed(last), signed(PAGE)], |row| {
        let (number, body): (i64, String) = (row.get(0)?, row.get(1)?);
        let personal = personal::values_of_body(connection, number, &body)?;
        Ok(SealedEntry { number: number.unsigned_abs(), body, hash: Head(row.get(2)?), personal })
    });
    let page: Result<Vec<_>, _> = rows.map_err(journal_error)?.collect();
    page.map_err(journal_error)
}
