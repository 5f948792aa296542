//! Is the journal what was written? Reads everything once, from one moment, and keeps in memory only the lives that are
//! open. Changes nothing.

use std::collections::HashMap;
use std::path::PathBuf;

use rusqlite::{Connection, OptionalExtension as _};

use super::action_row::ActionRow;
use super::archive_file::{ArchiveFileError, VerifiedArchive, verify_archive};
use super::archived::{self, ArchivedPart};
use super::error::journal_error;
use super::{personal, schema};
use crate::action::ActionId;
use crate::journal::{
    ActionEntry, ActionRecord, AdminEvent, Archived, Chain, ChainError, EntryError, ErasureTally, Head,
    JournalEntry, JournalError, SealedEntry,
};

/// What a journal holds that is as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedJournal {
    /// Facts.
    pub entries: u64,
    /// Actions they are about.
    pub actions: u64,
    /// Facts that are about no action: keys, sign-ins, configuration.
    pub admin_events: u64,
    /// Of the actions, not over.
    pub open: usize,
    /// The last hash.
    pub head: Head,
    /// Personal values that are erased.
    pub erased: u64,
    /// Number and hash of the last archived entry. Those up to it are not counted above.
    pub archived: Option<Chain>,
    /// The archive files were verified too.
    pub archives_verified: bool,
    /// Archived entries that are still in the journal, since the archiving was interrupted.
    pub unpruned: u64,
}

/// Why a journal is not known to be as it was written.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The chain does not hold.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// An entry is nothing that was ever written.
    #[error("entry {number}: {why}")]
    Entry {
        /// Its number.
        number: u64,
        /// What is wrong with it.
        why: String,
    },
    /// The index says something else than the entries: what is looked up in it cannot be trusted.
    #[error("the index of actions does not agree with the entries about action {action}: {why}")]
    Index {
        /// Which action.
        action: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The file is not put together as Adjourn puts it together.
    #[error("the journal's file is not sound: {0}")]
    File(String),
    /// The hash that was known from before is nowhere in it.
    #[error(
        "the hash that was given is nowhere in the journal: entries were cut off, or the journal is another"
    )]
    HeadMissing,
    /// A later version wrote some of it.
    #[error("entry {number}: {error}")]
    NewerFormat {
        /// The first of those entries.
        number: u64,
        /// Which version.
        error: EntryError,
    },
    /// Personal values are gone that no event announces as erased, or the other way round.
    #[error("{missing} personal values are missing, and the journal announces {announced} as erased")]
    Erased {
        /// Values that are missing.
        missing: i64,
        /// Values that should be.
        announced: i64,
    },
    /// The archive files and the journal do not belong together.
    #[error("the archive does not fit: {0}")]
    Archive(String),
    /// An archive file is not as it was written.
    #[error(transparent)]
    ArchiveFile(#[from] ArchiveFileError),
    /// It cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// What adds up while reading.
#[derive(Default)]
struct VerificationPass {
    chain: Chain,
    /// The lives that a fact may follow, with the number of the entry that took each on.
    open: HashMap<ActionId, (u64, ActionRecord)>,
    actions: u64,
    admin_events: u64,
    erasures: ErasureTally,
    /// The newest event of that kind.
    archived: Option<Archived>,
}

/// Reads and compares all of it. `known` is a last hash from before, which must be in the chain still; `files` are the
/// archives of what the chain goes on from.
pub(super) fn verify(
    connection: &Connection,
    known: Option<Head>,
    files: &[PathBuf],
) -> Result<VerifiedJournal, VerifyError> {
    let snapshot = connection.unchecked_transaction().map_err(journal_error)?;
    schema::check_tables(&snapshot).map_err(|error| VerifyError::File(error.to_string()))?;
    check_integrity(&snapshot)?;
    let part = archived::read(&snapshot).map_err(journal_error)?;
    let archives = archives(files, known, part.as_ref())?;
    let mut reading = VerificationPass::starting_after(part.as_ref(), archives.as_ref());
    let begins_after = reading.chain.head;
    let mut seen = known.is_none_or(|known| known == Head::default() || known == begins_after)
        || archives.as_ref().is_some_and(|archives| archives.holds_known);
    // All numbers, those that none should have too.
    let sql =
        "SELECT number, action, body, hash FROM entries WHERE number > ?1 OR number < 1 ORDER BY number";
    let mut statement = snapshot.prepare(sql).map_err(journal_error)?;
    let first = i64::try_from(reading.chain.length).unwrap_or(i64::MAX);
    let mut rows = statement.query([first]).map_err(journal_error)?;
    while let Some(row) = rows.next().map_err(journal_error)? {
        let (number, action, sealed) = read_row(row).map_err(journal_error)?;
        if number < 1 {
            return Err(VerifyError::Entry {
                number: sealed.number,
                why: "its number is below 1".to_owned(),
            });
        }
        reading.check_entry(&snapshot, &action, sealed)?;
        seen |= known == Some(reading.chain.head);
    }
    if !seen {
        return Err(VerifyError::HeadMissing);
    }
    reading.finish(&snapshot, part, archives)
}

/// The archive files, if any are named: one after the other, up to where the journal goes on.
fn archives(
    files: &[PathBuf],
    known: Option<Head>,
    part: Option<&ArchivedPart>,
) -> Result<Option<VerifiedArchive>, VerifyError> {
    if files.is_empty() {
        return Ok(None);
    }
    let verified = verify_archive(files, known)?;
    match part {
        Some(part) if part.chain == verified.chain => Ok(Some(verified)),
        Some(part) => Err(VerifyError::Archive(format!(
            "the archive files end at entry {}, and the journal goes on after entry {}; name all files in order",
            verified.chain.length, part.chain.length
        ))),
        None => Err(VerifyError::Archive("nothing of this journal is archived".to_owned())),
    }
}

fn read_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<(i64, String, SealedEntry)> {
    let number: i64 = row.get(0)?;
    let (body, hash, personal) = (row.get(2)?, Head(row.get(3)?), Vec::new());
    Ok((number, row.get(1)?, SealedEntry { number: number.unsigned_abs(), body, hash, personal }))
}

impl VerificationPass {
    /// Where the journal goes on from, and what was announced as erased up to there.
    fn starting_after(part: Option<&ArchivedPart>, archives: Option<&VerifiedArchive>) -> Self {
        let Some(part) = part else { return Self::default() };
        let carried =
            ErasureTally { announced: part.erased, through: part.erased_through, ..ErasureTally::default() };
        let erasures = archives.map_or(carried, |archives| archives.erasures);
        Self { chain: part.chain, erasures, ..Self::default() }
    }

    fn check_entry(
        &mut self,
        connection: &Connection,
        action: &str,
        sealed: SealedEntry,
    ) -> Result<(), VerifyError> {
        self.chain.check(&sealed)?;
        let number = sealed.number;
        let signed = i64::try_from(number).unwrap_or(i64::MAX);
        let values = personal::values_of_body(connection, signed, &sealed.body).map_err(journal_error)?;
        let (record, missing) = JournalEntry::parse_counting_erased(&sealed.body, &values)
            .map_err(|error| VerifyError::of(number, error))?;
        self.erasures.add_missing(number, missing);
        if record.filed_under() != action {
            return Err(VerifyError::Entry { number, why: format!("it is filed under action {action}") });
        }
        match record {
            JournalEntry::Action(entry) => self.check_fact(connection, number, &entry)?,
            JournalEntry::Admin(entry) => self.count_admin_event(entry.event),
        }
        Ok(())
    }

    fn count_admin_event(&mut self, event: AdminEvent) {
        self.admin_events += 1;
        match event {
            AdminEvent::Erased { values, through } => self.erasures.add_announced(values, through),
            AdminEvent::Archived(archived) => self.archived = Some(archived),
            _ => {}
        }
    }

    fn check_fact(
        &mut self,
        connection: &Connection,
        number: u64,
        entry: &ActionEntry,
    ) -> Result<(), VerifyError> {
        let (accepted, before) = match self.open.remove(&entry.action) {
            Some((accepted, life)) => (accepted, Some(life)),
            None => (number, None),
        };
        self.actions += u64::from(before.is_none());
        let life = ActionRecord::apply(before, entry)
            .map_err(|impossible| VerifyError::Entry { number, why: impossible.to_string() })?;
        // A fact may follow.
        if life.is_open() || life.needs_recheck() {
            self.open.insert(entry.action, (accepted, life));
            return Ok(());
        }
        compare_with_index(connection, accepted, &life)
    }

    fn finish(
        self,
        connection: &Connection,
        part: Option<ArchivedPart>,
        archives: Option<VerifiedArchive>,
    ) -> Result<VerifiedJournal, VerifyError> {
        for (accepted, life) in self.open.values() {
            compare_with_index(connection, *accepted, life)?;
        }
        check_orphans(connection)?;
        self.check_archived(part.as_ref())?;
        if !self.erasures.is_consistent() {
            return Err(VerifyError::Erased {
                missing: self.erasures.missing,
                announced: self.erasures.announced,
            });
        }
        let unpruned = unpruned(connection, part.as_ref())?;
        let open = self.open.values().filter(|(_, life)| life.is_open()).count();
        let archived_entries = part.as_ref().map_or(0, |part| part.chain.length);
        Ok(VerifiedJournal {
            entries: self.chain.length - archived_entries,
            actions: self.actions,
            admin_events: self.admin_events,
            open,
            head: self.chain.head,
            erased: self.erasures.missing.unsigned_abs(),
            archived: part.map(|part| part.chain),
            archives_verified: archives.is_some(),
            unpruned,
        })
    }

    /// What the chain begins after is what the newest `archived` event in it says.
    fn check_archived(&self, part: Option<&ArchivedPart>) -> Result<(), VerifyError> {
        match (part, &self.archived) {
            (None, None) => Ok(()),
            (Some(part), Some(event)) if part.is_announced_by(event) => Ok(()),
            (Some(_), _) => {
                Err(VerifyError::Archive("no event in the journal announces what is archived".to_owned()))
            }
            (None, Some(event)) => {
                Err(VerifyError::Archive(format!("entries up to {} should be gone", event.last)))
            }
        }
    }
}

/// Rows that belong to no entry.
fn check_orphans(connection: &Connection) -> Result<(), VerifyError> {
    // Every life has its row, so a row too many is one of no life.
    let sql = "SELECT action FROM lives AS one
               WHERE NOT EXISTS (SELECT 1 FROM entries WHERE entries.action = one.action) LIMIT 1";
    if let Some(action) = connection.query_row(sql, [], |row| row.get(0)).optional().map_err(journal_error)? {
        return Err(VerifyError::Index { action, why: "no entry is about it" });
    }
    if !archived::has_table(connection).map_err(journal_error)? {
        return Ok(());
    }
    let sql = "SELECT entry FROM personal AS one WHERE NOT EXISTS
               (SELECT 1 FROM entries WHERE number = one.entry AND instr(body, '\"personal\":') > 0) LIMIT 1";
    let stray: Option<i64> =
        connection.query_row(sql, [], |row| row.get(0)).optional().map_err(journal_error)?;
    stray.map_or(Ok(()), |number| {
        let why = "personal values are kept for it, and it has none".to_owned();
        Err(VerifyError::Entry { number: number.unsigned_abs(), why })
    })
}

/// Archived entries that are still there: the archiving was interrupted.
fn unpruned(connection: &Connection, part: Option<&ArchivedPart>) -> Result<u64, VerifyError> {
    let last = part.map_or(0, |part| i64::try_from(part.chain.length).unwrap_or(i64::MAX));
    let sql = "SELECT count(*) FROM entries WHERE number BETWEEN 1 AND ?1";
    let count: i64 = connection.query_row(sql, [last], |row| row.get(0)).map_err(journal_error)?;
    Ok(count.unsigned_abs())
}

impl VerifyError {
    pub(super) fn of(number: u64, error: EntryError) -> Self {
        match error {
            EntryError::Later(_) => Self::NewerFormat { number, error },
            error => Self::Entry { number, why: error.to_string() },
        }
    }
}

/// SQLite's own look at its tables and indexes: an index that lacks rows would hide them.
fn check_integrity(connection: &Connection) -> Result<(), VerifyError> {
    let verdict: String =
        connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)).map_err(journal_error)?;
    if verdict == "ok" { Ok(()) } else { Err(VerifyError::File(verdict)) }
}

/// Holds a life against its row. A second life of the same name has another number, and shows here.
fn compare_with_index(
    connection: &Connection,
    accepted: u64,
    life: &ActionRecord,
) -> Result<(), VerifyError> {
    let action = life.action.id.to_string();
    let row = ActionRow::read(connection, &action).map_err(journal_error)?;
    match row {
        None => Err(VerifyError::Index { action, why: "it is missing there" }),
        Some(row) if row != ActionRow::from_record(life, accepted) => {
            Err(VerifyError::Index { action, why: "it says something else there" })
        }
        Some(_) => Ok(()),
    }
}
