//! `adjourn audit archive` and `adjourn audit erase`: move old entries into a file, and erase personal data.

use serde::Serialize;

use crate::cli::args::{ArchiveArgs, ConnectionArgs, EraseArgs};
use crate::cli::connect;
use crate::cli::exit::{CommandError, Exit};
use crate::cli::key::admin_actor;
use crate::cli::output::Output;
use crate::cli::storage::Storage;
use crate::clock::{Clock as _, SystemClock};
use crate::journal::{ErasureRequest, ErasureResult, ErasureTarget};
use crate::store::{ArchiveError, ArchiveFileError, ArchiveOrder, ArchiveReport};

#[derive(Serialize)]
struct ArchivedLine {
    first: u64,
    last: u64,
    head: String,
    file: String,
    blocked_by: Option<String>,
}

pub(super) async fn archive(
    connection: &ConnectionArgs,
    args: &ArchiveArgs,
    output: &Output,
) -> Result<Exit, CommandError> {
    let mut config = connect::load(connection)?;
    let storage = Storage::of(&mut config)?;
    let (now, key_ttl) = (SystemClock.now(), config.engine.key_ttl);
    let order = ArchiveOrder { year: args.year, to: args.to.clone(), by: admin_actor(), now, key_ttl };
    let (report, what) = archive_in(&storage, order).await?;
    let report = report.map_err(|error| CommandError::from_error(exit_of(&error), error))?;
    print(&report, args, output, what)?;
    Ok(Exit::Done)
}

/// Archives the journal of the configuration. Also returns the word for the hash in the report: of an entry, or of an anchor.
async fn archive_in(
    storage: &Storage,
    order: ArchiveOrder,
) -> Result<(Result<ArchiveReport, ArchiveError>, &'static str), CommandError> {
    #[cfg(feature = "postgres")]
    if let Some(journal) = storage.postgres_journal().await? {
        let archived = async {
            // A clock of this machine that is ahead must not make entries old.
            let now = order.now.min(journal.database_time().await?);
            journal.archive(ArchiveOrder { now, ..order }).await
        };
        return Ok((connect::closing(&journal, archived).await, "anchor"));
    }
    Ok((storage.sqlite_journal()?.archive(order).await, "entry"))
}

fn print(
    report: &ArchiveReport,
    args: &ArchiveArgs,
    output: &Output,
    what: &str,
) -> Result<(), CommandError> {
    if let Some(action) = &report.blocked_by {
        output.note(&format!("adjourn: later entries stay in the journal: action {action} is not finished, or its idempotency key is still valid"));
    }
    let (file, head) = (args.to.display().to_string(), report.head.to_string());
    let (first, last, blocked_by) = (report.first, report.last, report.blocked_by.clone());
    let text = format!(
        "Moved entries {first} to {last} from the journal to {file}.\nHash of the last {what}: {head}\nKeep the file: `adjourn audit verify --archive {file}` verifies it together with the journal."
    );
    output.data(&ArchivedLine { first, last, head, file, blocked_by }, || text)
}

fn exit_of(error: &ArchiveError) -> Exit {
    match error {
        ArchiveError::YearNotOver(_) | ArchiveError::OtherFile { .. } => Exit::Usage,
        ArchiveError::Nothing { .. } | ArchiveError::SeveralChains => Exit::Refused,
        ArchiveError::File(ArchiveFileError::File { .. }) => Exit::Journal,
        ArchiveError::File(ArchiveFileError::Line { .. }) => Exit::Tampered,
        ArchiveError::Journal(error) => Exit::of_journal(error),
    }
}

#[derive(Serialize)]
struct ErasedLine {
    values: u64,
    spared: u64,
}

pub(super) async fn erase(
    connection: &ConnectionArgs,
    args: &EraseArgs,
    output: &Output,
) -> Result<Exit, CommandError> {
    let mut config = connect::load(connection)?;
    let whose = match (args.before, &args.person) {
        (Some(before), _) => ErasureTarget::Before(before),
        (None, Some(person)) => ErasureTarget::Person(person.trim().to_owned()),
        (None, None) => return Err(CommandError::new(Exit::Usage, "give --before TIME or --person ADDRESS")),
    };
    let journal = Storage::of(&mut config)?.journal().await?;
    let (now, key_ttl) = (SystemClock.now(), config.engine.key_ttl);
    let request = ErasureRequest { target: whose, by: admin_actor(), now, key_ttl };
    let erased = connect::closing(&*journal, journal.erase(request)).await?;
    warn(&erased, output);
    let ErasureResult { values, spared, .. } = erased;
    output.success(&ErasedLine { values, spared }, || format!("Erased {values} personal values."))?;
    Ok(Exit::Done)
}

fn warn(erased: &ErasureResult, output: &Output) {
    if erased.spared > 0 {
        output.note(&format!(
            "adjourn: {} values stay for now: their action is not finished, or its idempotency key is still valid",
            erased.spared
        ));
    }
    if erased.in_clear {
        output.note(
            "adjourn: entries before journal format 6 contain names that cannot be erased; remove those entries with `adjourn audit archive`",
        );
    }
    if erased.log_remains {
        output.note(
            "adjourn: another process is reading the journal; erased data stays in its log until that process ends",
        );
    }
}
