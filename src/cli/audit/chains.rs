//! `adjourn audit verify` for a journal in PostgreSQL: verifies the chains of all processes, and the anchors.

use serde::Serialize;

use super::verify::{VerificationReport, archived_text, exit_of};
use crate::cli::args::VerifyArgs;
use crate::cli::exit::{CommandError, Exit};
use crate::cli::output::Output;
use crate::store::{ChainInfo, PostgresJournal, VerifiedChains};

/// The output of `--json`: number and hash of the last anchor as `last` and `head`, and the chains beside them.
#[derive(Serialize)]
struct ChainsReport {
    #[serde(flatten)]
    all: VerificationReport,
    anchors: u64,
    /// Entries that are newer than the last anchor.
    unanchored_entries: u64,
    chains: Vec<ChainReport>,
}

/// One process's chain.
#[derive(Serialize)]
struct ChainReport {
    writer: i32,
    name: String,
    version: String,
    entries: u64,
    head: String,
    /// The process that sealed it; `null` while it may grow.
    sealed_by: Option<i32>,
}

impl From<&ChainInfo> for ChainReport {
    fn from(info: &ChainInfo) -> Self {
        Self {
            writer: info.writer,
            name: info.name.clone(),
            version: info.version.clone(),
            entries: info.chain.length,
            head: info.chain.head.to_string(),
            sealed_by: info.sealed_by,
        }
    }
}

impl From<&VerifiedChains> for ChainsReport {
    fn from(verified: &VerifiedChains) -> Self {
        let all = VerificationReport {
            entries: verified.entries,
            actions: verified.actions,
            admin_events: verified.admin_events,
            open: usize::try_from(verified.open).unwrap_or(usize::MAX),
            head: verified.anchor.head.to_string(),
            last: verified.anchor.length,
            erased_values: verified.erased,
            archived_entries: verified.archived.map_or(0, |archived| archived.length),
            archived_head: verified.archived.map(|archived| archived.head.to_string()),
            archives_verified: verified.archives_verified,
        };
        let chains = verified.chains.iter().map(ChainReport::from).collect();
        Self { all, anchors: verified.anchor.length, unanchored_entries: verified.unanchored, chains }
    }
}

/// Verifies the journal and prints the result.
pub(super) async fn run(
    journal: &PostgresJournal,
    args: &VerifyArgs,
    output: &Output,
) -> Result<Exit, CommandError> {
    let verified = journal.verify_with_archives(args.head, &args.archive).await;
    let verified = verified.map_err(|error| CommandError::from_error(exit_of(&error), error))?;
    output.data(&ChainsReport::from(&verified), || text(&verified))?;
    Ok(Exit::Done)
}

fn text(verified: &VerifiedChains) -> String {
    let VerifiedChains { entries, actions, admin_events, open, erased, anchor, unanchored, .. } = verified;
    let erased = if *erased > 0 { format!("\n{erased} personal values were erased.") } else { String::new() };
    let archived = archived_text(verified.archived, verified.archives_verified);
    let anchors = if anchor.length == 0 {
        "No anchor covers the chains yet: the service writes one every minute.".to_owned()
    } else {
        format!(
            "{unanchored} entries are newer than the last anchor ({}), whose hash is {}\nStore it elsewhere: \
             `adjourn audit verify --head HASH` then proves that nothing was cut off.",
            anchor.length, anchor.head
        )
    };
    format!(
        "Verified {entries} entries of {actions} actions ({open} open) and {admin_events} admin events in {} chains: nothing \
         was changed.{archived}{erased}\n{anchors}",
        verified.chains.len()
    )
}
