//! Verifies the journal: hashes, order of facts, index, erased values and archives. Reads everything once, in one snapshot, and
//! keeps only the open actions in memory. Never changes the journal.

use std::collections::HashMap;
use std::path::PathBuf;

use rusqlite::{Connection, OptionalExtension as _};

use super::action_row::ActionRow;
use super::archive_file::{VerifiedArchive, verify_archive};
use super::archived::{self, ArchivedPart};
use super::error::journal_error;
use super::verify_error::VerifyError;
use super::verify_moved::MovedChains;
use super::{personal, schema};
use crate::action::ActionId;
use crate::journal::{
    ActionEntry, ActionRecord, AdminEvent, Archived, Chain, ChainError, ErasureTally, Head, JournalEntry,
    SealedEntry,
};

/// Counts and head of a journal that passed verification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedJournal {
    /// Entries in the journal.
    pub entries: u64,
    /// Actions.
    pub actions: u64,
    /// Entries that belong to no action: changes of keys, sign-ins, configuration.
    pub admin_events: u64,
    /// Actions that are still open.
    pub open: usize,
    /// The last entry's hash.
    pub head: Head,
    /// Erased personal values.
    pub erased: u64,
    /// Number and hash of the last archived entry. The counts above do not include archived entries.
    pub archived: Option<Chain>,
    /// Whether the archive files were verified too.
    pub archives_verified: bool,
    /// Archived entries that are still in the journal, because archiving was interrupted.
    pub unpruned: u64,
}

/// What verification accumulates while it reads the entries.
#[derive(Default)]
struct VerificationPass {
    chain: Chain,
    /// Records that a fact may still follow, with the number of the entry that accepted each.
    open: HashMap<ActionId, (u64, ActionRecord)>,
    actions: u64,
    admin_events: u64,
    erasures: ErasureTally,
    /// The newest `archived` event.
    archived: Option<Archived>,
    /// The chains from a database, before the file's own.
    moved: Option<MovedChains>,
}

/// Verifies the whole journal. `known` is a hash from an earlier time that must still be in the chain; `files` are the archives
/// that precede the journal.
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
    let mut pass = VerificationPass::starting_after(part.as_ref(), archives.as_ref());
    pass.moved = MovedChains::read(&snapshot, part.as_ref())?;
    let begins_after = pass.chain.head;
    let mut known_found = known.is_none_or(|known| known == Head::default() || known == begins_after)
        || archives.as_ref().is_some_and(|archives| archives.holds_known);
    // Includes numbers below 1, which no entry may have.
    let sql =
        "SELECT number, action, body, hash FROM entries WHERE number > ?1 OR number < 1 ORDER BY number";
    let mut statement = snapshot.prepare(sql).map_err(journal_error)?;
    let first = i64::try_from(pass.chain.length).unwrap_or(i64::MAX);
    let mut rows = statement.query([first]).map_err(journal_error)?;
    while let Some(row) = rows.next().map_err(journal_error)? {
        let (number, action, sealed) = read_row(row).map_err(journal_error)?;
        if number < 1 {
            return Err(VerifyError::Entry {
                number: sealed.number,
                why: "its number is below 1".to_owned(),
            });
        }
        let hash = sealed.hash;
        pass.check_entry(&snapshot, &action, sealed)?;
        known_found |= known == Some(hash);
    }
    pass.finish_moved(&snapshot, |hash| known_found |= known == Some(hash))?;
    if !known_found {
        return Err(VerifyError::HeadMissing);
    }
    pass.finish(&snapshot, part, archives)
}

/// Verifies the named archive files in order, and that the journal continues where they end.
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
            "the archive files end at entry {}, but the journal continues after entry {}; name all files in order",
            verified.chain.length, part.chain.length
        ))),
        None => Err(VerifyError::Archive("this journal has no archived entries".to_owned())),
    }
}

fn read_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<(i64, String, SealedEntry)> {
    let number: i64 = row.get(0)?;
    let (body, hash, personal) = (row.get(2)?, Head(row.get(3)?), Vec::new());
    Ok((number, row.get(1)?, SealedEntry { number: number.unsigned_abs(), body, hash, personal }))
}

impl VerificationPass {
    /// Starts after the archived part, with the erasures recorded up to there.
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
        let number = sealed.number;
        let sealed = self.check_chain(connection, sealed)?;
        let signed = i64::try_from(number).unwrap_or(i64::MAX);
        let values = personal::values_of_body(connection, signed, &sealed.body).map_err(journal_error)?;
        let (record, missing) = JournalEntry::parse_counting_erased(&sealed.body, &values)
            .map_err(|error| VerifyError::of(number, error))?;
        // An event from before the move announced the numbers of the chains.
        self.erasures.add_missing(sealed.number, missing);
        if record.filed_under() != action {
            return Err(VerifyError::Entry { number, why: format!("it is stored under action {action}") });
        }
        match record {
            JournalEntry::Action(entry) => self.check_fact(connection, number, &entry)?,
            JournalEntry::Admin(entry) => self.count_admin_event(entry.event),
        }
        Ok(())
    }

    /// Checks that the entry is the next one of its chain; returns it with its number there.
    fn check_chain(
        &mut self,
        connection: &Connection,
        sealed: SealedEntry,
    ) -> Result<SealedEntry, VerifyError> {
        match &mut self.moved {
            Some(moved) if sealed.number <= moved.beginning.length => {
                if sealed.number != self.chain.length + 1 {
                    let (expected, found) = (self.chain.length + 1, sealed.number);
                    return Err(ChainError::Missing { expected, found }.into());
                }
                let checked = moved.check(connection, sealed)?;
                self.chain.length += 1;
                if self.chain.length == moved.beginning.length {
                    self.chain = moved.beginning;
                }
                Ok(checked)
            }
            _ => {
                self.chain.check(&sealed)?;
                Ok(sealed)
            }
        }
    }

    /// Verifies the ends and anchors of the chains from a database. Calls `found` with each hash.
    fn finish_moved(&self, connection: &Connection, found: impl FnMut(Head)) -> Result<(), VerifyError> {
        match &self.moved {
            Some(moved) if self.chain.length < moved.beginning.length => {
                let expected = moved.beginning.length;
                Err(ChainError::Missing { expected, found: self.chain.length }.into())
            }
            Some(moved) => moved.finish(connection, found),
            None => Ok(()),
        }
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
            Some((accepted, record)) => (accepted, Some(record)),
            None => (number, None),
        };
        self.actions += u64::from(before.is_none());
        let record = ActionRecord::apply(before, entry)
            .map_err(|impossible| VerifyError::Entry { number, why: impossible.to_string() })?;
        // Another fact may follow.
        if record.is_open() || record.needs_recheck() {
            self.open.insert(entry.action, (accepted, record));
            return Ok(());
        }
        compare_with_index(connection, accepted, &record)
    }

    fn finish(
        self,
        connection: &Connection,
        part: Option<ArchivedPart>,
        archives: Option<VerifiedArchive>,
    ) -> Result<VerifiedJournal, VerifyError> {
        for (accepted, record) in self.open.values() {
            compare_with_index(connection, *accepted, record)?;
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
        let open = self.open.values().filter(|(_, record)| record.is_open()).count();
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

    /// Checks that the newest `archived` event names the entry after which the chain begins.
    fn check_archived(&self, part: Option<&ArchivedPart>) -> Result<(), VerifyError> {
        match (part, &self.archived) {
            (None, None) => Ok(()),
            (Some(part), Some(event)) if part.is_announced_by(event) => Ok(()),
            (Some(_), _) => {
                Err(VerifyError::Archive("no admin event in the journal records the archiving".to_owned()))
            }
            (None, Some(event)) => Err(VerifyError::Archive(format!(
                "entries up to {} are archived and should have been removed",
                event.last
            ))),
        }
    }
}

/// Finds rows that belong to no entry.
fn check_orphans(connection: &Connection) -> Result<(), VerifyError> {
    // Each action has its row, so one row too many belongs to no action.
    let sql = "SELECT action FROM lives AS one
               WHERE NOT EXISTS (SELECT 1 FROM entries WHERE entries.action = one.action) LIMIT 1";
    if let Some(action) = connection.query_row(sql, [], |row| row.get(0)).optional().map_err(journal_error)? {
        return Err(VerifyError::Index { action, why: "no entry names it" });
    }
    if !archived::has_table(connection).map_err(journal_error)? {
        return Ok(());
    }
    let sql = "SELECT entry FROM personal AS one WHERE NOT EXISTS
               (SELECT 1 FROM entries WHERE number = one.entry AND instr(body, '\"personal\":') > 0) LIMIT 1";
    let stray: Option<i64> =
        connection.query_row(sql, [], |row| row.get(0)).optional().map_err(journal_error)?;
    stray.map_or(Ok(()), |number| {
        let why = "personal values are stored for it, but its body refers to none".to_owned();
        Err(VerifyError::Entry { number: number.unsigned_abs(), why })
    })
}

/// Counts archived entries that are still in the journal.
fn unpruned(connection: &Connection, part: Option<&ArchivedPart>) -> Result<u64, VerifyError> {
    let last = part.map_or(0, |part| i64::try_from(part.chain.length).unwrap_or(i64::MAX));
    let sql = "SELECT count(*) FROM entries WHERE number BETWEEN 1 AND ?1";
    let count: i64 = connection.query_row(sql, [last], |row| row.get(0)).map_err(journal_error)?;
    Ok(count.unsigned_abs())
}

/// Runs SQLite's integrity check: an index that lacks rows would hide them.
fn check_integrity(connection: &Connection) -> Result<(), VerifyError> {
    let verdict: String =
        connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)).map_err(journal_error)?;
    if verdict == "ok" { Ok(()) } else { Err(VerifyError::File(verdict)) }
}

/// Compares a record with its row. A second record of the same action has another number and fails here.
fn compare_with_index(
    connection: &Connection,
    accepted: u64,
    record: &ActionRecord,
) -> Result<(), VerifyError> {
    let action = record.action.id.to_string();
    let row = ActionRow::read(connection, &action).map_err(journal_error)?;
    match row {
        None => Err(VerifyError::Index { action, why: "the index has no row for it" }),
        Some(row) if row != ActionRow::from_record(record, accepted) => {
            Err(VerifyError::Index { action, why: "its row differs from the entries" })
        }
        Some(_) => Ok(()),
    }
}
