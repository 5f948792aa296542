//! `adjourn audit`: lists actions of the journal; its subcommands verify, archive and erase. Listing never writes to the journal.

mod admin;
mod retention;
mod verify;

use std::path::Path;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::args::{AuditArgs, AuditCommand, ConnectionArgs, Format};
use super::connect;
use super::exit::{CommandError, Exit};
use super::output::{Output, table};
use super::spreadsheet::{cell, writer};
use crate::action::{ActionId, ActionKind, DeleteMode, Notify, RequestIds};
use crate::calendar::RoomAddress;
use crate::journal::{ActionRecord, ActionStatus, Journal, Query};
use crate::store::SqliteJournal;

pub(super) async fn run(
    args: AuditArgs,
    connection: &ConnectionArgs,
    output: &Output,
) -> Result<Exit, CommandError> {
    let directory = connect::state_directory(connection)?;
    match &args.command {
        Some(AuditCommand::Verify(verify_args)) => verify::run(&directory, verify_args, output).await,
        Some(AuditCommand::Archive(args)) => retention::archive(connection, args, output).await,
        Some(AuditCommand::Erase(args)) => retention::erase(connection, args, output).await,
        None if args.admin => admin::list(&directory, &args, output).await,
        None => list(&directory, &args, output).await,
    }
}

/// One action as a line of JSON or CSV.
#[derive(Serialize)]
struct ActionLine {
    id: ActionId,
    accepted_at: DateTime<Utc>,
    room: RoomAddress,
    actor_kind: &'static str,
    actor: String,
    /// The id of the program's API key; entries before format 6 have none.
    key_id: Option<String>,
    /// `end`, `delete`, `extend`, `book` or `undo`.
    kind: &'static str,
    /// More about the request: minutes, `silent`, or the undone action's id.
    details: Option<String>,
    reason: Option<String>,
    /// The evidence of absence, for an action of a sweep.
    proof: Option<String>,
    state: &'static str,
    message: String,
    /// The event before the action.
    start: Option<DateTime<Utc>>,
    end: Option<DateTime<Utc>>,
    uid: Option<String>,
    organizer: Option<String>,
    subject: Option<String>,
    notified: Option<&'static str>,
    closed_at: Option<DateTime<Utc>>,
    requests: Vec<RequestIds>,
}

impl From<&ActionRecord> for ActionLine {
    fn from(record: &ActionRecord) -> Self {
        let (kind, details) = request_text(record.action.kind);
        let before = record.intent.as_ref().map(|intent| &intent.before);
        Self {
            id: record.action.id,
            accepted_at: record.accepted_at,
            room: record.action.room.clone(),
            actor_kind: record.action.actor.kind(),
            actor: record.action.actor.name().to_owned(),
            key_id: record.action.actor.key_id().map(str::to_owned),
            kind,
            details,
            reason: record.action.reason.clone().map(String::from),
            proof: record.action.actor.proof().map(ToString::to_string),
            state: ActionStatus::of(record).as_str(),
            message: record.outcome.as_ref().map_or_else(
                || {
                    format!(
                        "Not finished: {}. The next command that acts in the room checks the calendar.",
                        record.stage.as_str()
                    )
                },
                ToString::to_string,
            ),
            start: before.map(|event| event.start),
            end: before.map(|event| event.end),
            uid: before.and_then(|event| Some(event.uid.as_ref()?.to_string())),
            organizer: before.and_then(|event| {
                let organizer = event.organizer.as_ref()?;
                organizer.address.clone().or_else(|| organizer.legacy_dn.clone())
            }),
            subject: before.and_then(|event| event.subject.clone()),
            notified: record.done().map(|done| done.notified.as_str()),
            closed_at: (!record.is_open()).then_some(record.last_at),
            requests: record.requests.clone(),
        }
    }
}

/// The kind of a request, and its details.
fn request_text(kind: ActionKind) -> (&'static str, Option<String>) {
    let silent = || Some("silent".to_owned());
    match kind {
        ActionKind::End(Notify::Attendees) => ("end", None),
        ActionKind::End(Notify::Nobody) => ("end", silent()),
        ActionKind::Delete(DeleteMode::Notify) => ("delete", None),
        ActionKind::Delete(DeleteMode::Silent) => ("delete", silent()),
        ActionKind::Extend { minutes } => ("extend", Some(format!("{minutes} min"))),
        ActionKind::Book { minutes } => ("book", Some(format!("{minutes} min"))),
        ActionKind::Undo { of } => ("undo", Some(of.to_string())),
    }
}

async fn list(directory: &Path, args: &AuditArgs, output: &Output) -> Result<Exit, CommandError> {
    let journal = open_journal(directory)?;
    let room = args.room.as_deref().map(|room| connect::parse_address("--room", room)).transpose()?;
    let query = Query {
        room,
        since: args.since,
        until: args.until,
        actor: args.actor.clone(),
        rule: args.rule.clone(),
        status: args.outcome,
        limit: Some(args.limit as usize),
        ..Query::default()
    };
    let records = journal
        .find(&query)
        .await
        .map_err(|error| CommandError::from_error(Exit::of_journal(&error), error))?;
    if records.len() >= args.limit as usize {
        output.note(&format!("adjourn: showing the newest {} actions; use --limit for more", args.limit));
    }
    let lines = records.iter().map(ActionLine::from);
    let format = if output.is_json() { Format::Json } else { args.format };
    match format {
        Format::Table => output.line(&render(&lines.collect::<Vec<_>>()))?,
        Format::Json => lines.map(|line| json(&line)).try_for_each(|line| output.json(&line?))?,
        Format::Csv => output.line(&csv(lines)?)?,
    }
    Ok(Exit::Done)
}

fn json(line: &impl Serialize) -> Result<String, CommandError> {
    serde_json::to_string(line)
        .map_err(|error| CommandError::new(Exit::Usage, "cannot write JSON").caused_by(error))
}

/// One row per action; its EWS requests in one cell, as `ours/theirs`.
fn csv(lines: impl Iterator<Item = ActionLine>) -> Result<String, CommandError> {
    let mut writer = writer();
    let failed = |error: csv::Error| CommandError::new(Exit::Usage, "cannot write CSV").caused_by(error);
    writer
        .write_record([
            "id",
            "accepted_at",
            "room",
            "actor_kind",
            "actor",
            "kind",
            "details",
            "reason",
            "state",
            "message",
            "start",
            "end",
            "uid",
            "organizer",
            "subject",
            "notified",
            "closed_at",
            "requests",
            "proof",
            "key_id",
        ])
        .map_err(failed)?;
    let time = |at: Option<DateTime<Utc>>| at.map_or_else(String::new, |at| at.to_rfc3339());
    for line in lines {
        let requests: Vec<_> = line
            .requests
            .iter()
            .map(|ids| format!("{}/{}", ids.ours, ids.theirs.as_deref().unwrap_or("-")))
            .collect();
        writer
            .write_record([
                line.id.to_string(),
                time(Some(line.accepted_at)),
                line.room.to_string(),
                line.actor_kind.to_owned(),
                cell(&line.actor),
                line.kind.to_owned(),
                line.details.unwrap_or_default(),
                cell(&line.reason.unwrap_or_default()),
                line.state.to_owned(),
                cell(&line.message),
                time(line.start),
                time(line.end),
                cell(&line.uid.unwrap_or_default()),
                cell(&line.organizer.unwrap_or_default()),
                cell(&line.subject.unwrap_or_default()),
                line.notified.unwrap_or_default().to_owned(),
                time(line.closed_at),
                cell(&requests.join(" ")),
                cell(&line.proof.unwrap_or_default()),
                cell(&line.key_id.unwrap_or_default()),
            ])
            .map_err(failed)?;
    }
    let bytes =
        writer.into_inner().map_err(|_| CommandError::new(Exit::Usage, "cannot write CSV: out of memory"))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn render(lines: &[ActionLine]) -> String {
    let mut table = table(&["WHEN", "ROOM", "WHO", "REQUEST", "OUTCOME", "ACTION"]);
    for line in lines {
        table.add_row([
            line.accepted_at.format("%F %H:%M:%SZ").to_string(),
            line.room.to_string(),
            format!("{} {}", line.actor_kind, line.actor),
            format!("{} {}", line.kind, line.details.as_deref().unwrap_or_default()).trim_end().to_owned(),
            line.message.clone(),
            line.id.to_string(),
        ]);
    }
    format!("{table}\n\n{} actions", lines.len())
}

fn open_journal(directory: &Path) -> Result<SqliteJournal, CommandError> {
    SqliteJournal::read(directory).map_err(|error| CommandError::from_error(Exit::of_store(&error), error))
}
