//! Writes the archive file of a journal in the database, and prepares the statement that removes its entries. Never removes anything itself.
//!
//! ```text
//! 1. write FILE.partial, sync it, read it again and verify it      the database is unchanged
//! 2. rename it to FILE                                             the next run replaces it
//! 3. one statement removes the entries and records `archived`      the next run finds that all is done
//! ```
//!
//! The caller holds the lock under which one process at a time erases or archives. No other process waits for it with a fact: it has no
//! transaction open while it writes the file, and the statement touches rows that no other process changes (`removal.rs`).

use std::path::{Path, PathBuf};

use chrono::Datelike as _;

use super::archive_cut::{self, ArchiveCut, ChainCut};
use super::archived_chains::ArchivedChains;
use super::connection::Connection;
use super::database::{PostgresDatabase, Purpose, VERIFY_LIMIT};
use super::error::PostgresError;
use super::records::{BESIDE_ENTRY, ENTRY_COLUMNS, head, read_entry};
use super::removal::{Removal, RemovedChain};
use super::schema::column;
use super::tables::as_column;
use crate::journal::{AdminEvent, Head, JournalError, SealedEntry};
use crate::store::archive::{self, ArchiveError, ArchiveOrder};
use crate::store::archive_file::{ArchiveFileError, VerifiedArchive};
use crate::store::archive_sections::{FirstFile, SectionsWriter, VerifiedSections, verify_sections};
use crate::store::archived::ArchivedPart;

/// Entries that one statement reads.
const PAGE: i64 = 500;

/// An archive file that is on the disk. The entries of all chains are counted.
pub(super) struct PreparedArchive {
    pub(super) first: u64,
    pub(super) last: u64,
    /// The open action that keeps later entries in the database, if any.
    pub(super) blocked_by: Option<String>,
    /// The entries to remove, and the event that records the removal. `None` if an earlier run removed them.
    pub(super) removal: Option<(AdminEvent, Removal)>,
}

/// Writes the file and verifies it, unless an earlier run did everything.
pub(super) async fn prepare(
    database: &PostgresDatabase,
    order: &ArchiveOrder,
) -> Result<PreparedArchive, ArchiveError> {
    if order.year >= order.now.year() {
        return Err(ArchiveError::YearNotOver(order.year));
    }
    let purpose = Purpose::Other { name: "archive", statement_limit: VERIFY_LIMIT };
    let connection = database.connect(purpose).await.map_err(JournalError::from)?;
    let archived = ArchivedChains::read(&connection).await.map_err(JournalError::from)?;
    if order.to.exists()
        && let Some(done) = completed(&connection, order, &archived).await?
    {
        return Ok(done);
    }
    let ArchiveCut { chains, blocked_by } = archive_cut::find(&connection, &archive::cutoff(order)).await?;
    if chains.is_empty() {
        return Err(ArchiveError::Nothing { blocked_by });
    }
    let (sections, values) = write(&connection, &order.to, &chains).await?;
    Ok(removal(order, archived, &chains, &sections, values, blocked_by))
}

/// What an earlier run did, if it removed what this file has. `None` if the file was left by a run that ended before: the database has its entries,
/// and the file is written again.
async fn completed(
    connection: &Connection,
    order: &ArchiveOrder,
    archived: &ArchivedChains,
) -> Result<Option<PreparedArchive>, ArchiveError> {
    let other = || ArchiveError::OtherFile { path: order.to.clone() };
    let file = match read(&order.to).await {
        Ok(file) if file.unnamed.is_none() && !file.chains.is_empty() => file.chains,
        Ok(_) | Err(ArchiveError::File(ArchiveFileError::Line { .. })) => return Err(other()),
        Err(error) => return Err(error),
    };
    if file.iter().all(|(writer, section)| archived.end(*writer) == section.chain) {
        let entries = file.values().map(|section| section.entries).sum::<u64>();
        let (first, last) = (archived.entries().saturating_sub(entries) + 1, archived.entries());
        return Ok(Some(PreparedArchive { first, last, blocked_by: None, removal: None }));
    }
    for (writer, section) in &file {
        let is_next = archived.end(*writer).length + 1 == section.first;
        let here = hash_of(connection, *writer, section.chain.length).await.map_err(JournalError::from)?;
        if !is_next || here != Some(section.chain.head) {
            return Err(other());
        }
    }
    Ok(None)
}

async fn hash_of(connection: &Connection, writer: i32, number: u64) -> Result<Option<Head>, PostgresError> {
    let sql = "SELECT hash FROM entries WHERE writer = $1 AND number = $2";
    let rows = connection.query(sql, &[&writer, &as_column(number)], VERIFY_LIMIT).await?;
    rows.first().map(|row| head(column(row, 0)?)).transpose()
}

/// Reads and verifies one file.
async fn read(path: &Path) -> Result<VerifiedSections, ArchiveError> {
    let files = [path.to_owned()];
    let verify = move || verify_sections(&files, FirstFile::Later, &mut |_, _| ());
    let verified = tokio::task::spawn_blocking(verify).await;
    let verified =
        verified.map_err(|error| JournalError::Unusable(format!("the file was not read: {error}")))?;
    Ok(verified?)
}

/// Steps 1 and 2. Returns what the file has, and the number of personal values.
async fn write(
    connection: &Connection,
    path: &Path,
    cuts: &[ChainCut],
) -> Result<(VerifiedSections, u64), ArchiveError> {
    let partial = archive::partial_of(path);
    let values = write_sections(connection, &partial, cuts).await?;
    let verified = read(&partial).await?;
    let ends = |cut: &ChainCut| verified.chains.get(&cut.writer).map(|section| section.chain.length);
    if verified.chains.len() != cuts.len() || cuts.iter().any(|cut| ends(cut) != Some(cut.last)) {
        return Err(JournalError::Damaged("the archive file lacks entries of the database".to_owned()).into());
    }
    archive::publish(&partial, path)?;
    Ok((verified, values))
}

async fn write_sections(
    connection: &Connection,
    partial: &Path,
    cuts: &[ChainCut],
) -> Result<u64, ArchiveError> {
    let failed = |error| ArchiveFileError::File { path: PathBuf::from(partial), error };
    let (mut file, mut values) = (SectionsWriter::create(partial, cuts.len()).map_err(failed)?, 0);
    for cut in cuts {
        let mut chain = cut.after;
        file.begin(cut.writer, chain).map_err(failed)?;
        while chain.length < cut.last {
            let entries =
                page(connection, cut.writer, chain.length, cut.last).await.map_err(JournalError::from)?;
            if entries.is_empty() {
                let why = format!("entry {} of writer {} is missing", chain.length + 1, cut.writer);
                return Err(JournalError::Damaged(why).into());
            }
            for sealed in entries {
                let damaged =
                    |why| JournalError::Damaged(format!("the chain of writer {}: {why}", cut.writer));
                chain.check(&sealed).map_err(|error| damaged(error.to_string()))?;
                values += sealed.personal.len() as u64;
                file.put(&sealed).map_err(failed)?;
            }
        }
        file.end(chain).map_err(failed)?;
    }
    file.finish().map_err(failed)?;
    Ok(values)
}

/// The entries of a chain in `(after, last]`, one page at most.
async fn page(
    connection: &Connection,
    writer: i32,
    after: u64,
    last: u64,
) -> Result<Vec<SealedEntry>, PostgresError> {
    let sql = format!(
        "SELECT {ENTRY_COLUMNS} FROM entries AS e {BESIDE_ENTRY}
         WHERE e.writer = $1 AND e.number > $2 AND e.number <= $3 ORDER BY e.number LIMIT $4"
    );
    let (after, last) = (as_column(after), as_column(last));
    let rows = connection.query(&sql, &[&writer, &after, &last, &PAGE], VERIFY_LIMIT).await?;
    rows.iter().map(|row| read_entry(row, 0).map(|written| written.sealed)).collect()
}

/// What leaves, and the event that records it.
fn removal(
    order: &ArchiveOrder,
    before: ArchivedChains,
    cuts: &[ChainCut],
    file: &VerifiedSections,
    values: u64,
    blocked_by: Option<String>,
) -> PreparedArchive {
    let name = order.to.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let first = before.entries() + 1;
    let (mut after, mut chains) = (before, Vec::with_capacity(cuts.len()));
    for cut in cuts {
        let Some(section) = file.chains.get(&cut.writer) else { continue };
        let part = extended(after.parts.get(&cut.writer), section, &name);
        after.parts.insert(cut.writer, part.clone());
        chains.push(RemovedChain { writer: cut.writer, after: cut.after, part });
    }
    let entries = file.chains.values().map(|section| section.entries).sum();
    let event = AdminEvent::Archived(after.event(first, &name));
    let removal = Some((event, Removal { chains, file: name, entries, values }));
    PreparedArchive { first, last: after.entries(), blocked_by, removal }
}

/// The archived beginning of a chain with the section that is added to it.
fn extended(before: Option<&ArchivedPart>, section: &VerifiedArchive, file: &str) -> ArchivedPart {
    let erasures = section.erasures;
    ArchivedPart {
        chain: section.chain,
        file: file.to_owned(),
        erased: before.map_or(0, |part| part.erased) + erasures.announced - erasures.missing,
        erased_through: before.map_or(0, |part| part.erased_through).max(erasures.through),
    }
}
