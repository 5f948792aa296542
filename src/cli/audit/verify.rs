//! `adjourn audit verify`: verifies the journal's hash chain, and archive files with it.

use serde::Serialize;

use crate::cli::args::VerifyArgs;
use crate::cli::exit::{CommandError, Exit};
use crate::cli::output::Output;
use crate::cli::storage::Storage;
use crate::journal::Chain;
use crate::store::{ArchiveFileError, VerifiedJournal, VerifyError};

/// The output of `--json`.
#[derive(Serialize)]
pub(super) struct VerificationReport {
    pub(super) entries: u64,
    pub(super) actions: u64,
    pub(super) admin_events: u64,
    pub(super) open: usize,
    pub(super) head: String,
    /// The number of the last entry, for an external copy of number and hash.
    pub(super) last: u64,
    pub(super) erased_values: u64,
    pub(super) archived_entries: u64,
    pub(super) archived_head: Option<String>,
    pub(super) archives_verified: bool,
}

impl From<&VerifiedJournal> for VerificationReport {
    fn from(verified: &VerifiedJournal) -> Self {
        let archived_entries = verified.archived.map_or(0, |archived| archived.length);
        Self {
            entries: verified.entries,
            actions: verified.actions,
            admin_events: verified.admin_events,
            open: verified.open,
            head: verified.head.to_string(),
            last: archived_entries + verified.entries,
            erased_values: verified.erased,
            archived_entries,
            archived_head: verified.archived.map(|archived| archived.head.to_string()),
            archives_verified: verified.archives_verified,
        }
    }
}

pub(super) async fn run(storage: &Storage, args: &VerifyArgs, output: &Output) -> Result<Exit, CommandError> {
    let verified =
        storage.sqlite_journal_to_read()?.verify_with_archives(args.head, args.archive.clone()).await;
    let verified = verified.map_err(|error| CommandError::from_error(exit_of(&error), error))?;
    if verified.unpruned > 0 {
        output.note(&format!(
            "adjourn: {} archived entries are still in the journal: an archive run was interrupted; run `adjourn audit archive` again",
            verified.unpruned
        ));
    }
    output.data(&VerificationReport::from(&verified), || text(&verified))?;
    Ok(Exit::Done)
}

fn text(verified: &VerifiedJournal) -> String {
    let VerifiedJournal { entries, actions, admin_events, open, head, erased, .. } = verified;
    let archived = archived_text(verified.archived, verified.archives_verified);
    let erased = if *erased > 0 { format!("\n{erased} personal values were erased.") } else { String::new() };
    format!(
        "Verified {entries} entries of {actions} actions ({open} open) and {admin_events} admin events: nothing was changed.{archived}{erased}\nThe last hash is {head}\nStore it elsewhere: `adjourn audit verify --head HASH` then proves that no entries were cut off.",
    )
}

/// A line about the archived entries, if there are any.
pub(super) fn archived_text(archived: Option<Chain>, is_verified: bool) -> String {
    let checked = if is_verified { "also verified" } else { "not verified: give their files with --archive" };
    archived.map_or_else(String::new, |Chain { length, head }| {
        format!("\nEntries 1 to {length} are archived (head {head}), {checked}.")
    })
}

/// The exit code of an error of verification.
pub(in crate::cli) fn exit_of(error: &VerifyError) -> Exit {
    match error {
        VerifyError::NewerFormat { .. } | VerifyError::ArchiveFile(ArchiveFileError::File { .. }) => {
            Exit::Usage
        }
        VerifyError::InChain { error, .. } => exit_of(error),
        VerifyError::Journal(error) => Exit::of_journal(error),
        _ => Exit::Tampered,
    }
}
