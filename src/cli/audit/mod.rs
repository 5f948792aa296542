//! `adjourn audit`: lists actions of the journal; its subcommands verify, archive and erase. Listing never writes to the journal.

mod admin;
#[cfg(feature = "postgres")]
mod chains;
mod retention;
pub(super) mod verify;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::args::{AuditArgs, AuditCommand, ConnectionArgs, Format, VerifyArgs};
use super::connect;
use super::exit::{CommandError, Exit};
use super::output::{Output, table};
use super::spreadsheet::{cell, finish, write_failure, writer};
use super::storage::Storage;
use crate::action::{ActionKind, BookingTime, DeleteMode, Naming, Notify, RequestIds, RequestedEnd};
use crate::api::ActionView;
use crate::journal::{ActionRecord, Query};
use crate::timestamp::Timestamp;

pub(super) async fn run(
    args: AuditArgs,
    connection: &ConnectionArgs,
    output: &Output,
) -> Result<Exit, CommandError> {
    let storage = || connect::storage(connection);
    match &args.command {
        Some(AuditCommand::Verify(args)) => verify_journal(&storage()?, args, output).await,
        Some(AuditCommand::Archive(args)) => retention::archive(connection, args, output).await,
        Some(AuditCommand::Erase(args)) => retention::erase(connection, args, output).await,
        None if args.admin => admin::list(&storage()?, &args, output).await,
        None => list(&storage()?, &args, output).await,
    }
}

/// Verifies the journal where the configuration has it.
async fn verify_journal(storage: &Storage, args: &VerifyArgs, output: &Output) -> Result<Exit, CommandError> {
    #[cfg(feature = "postgres")]
    if let Some(journal) = storage.postgres_journal_to_read().await? {
        return chains::run(&journal, args, output).await;
    }
    verify::run(storage, args, output).await
}

/// One action as a line of JSON or CSV: as the API returns it, and what only the audit shows.
#[derive(Serialize)]
struct ActionLine {
    #[serde(flatten)]
    view: ActionView,
    /// The account of a user, and the host from which the person signed in; entries before format 9 have none.
    origin: Option<String>,
    /// The id of the program's API key; entries before format 6 have none.
    key_id: Option<String>,
    /// More about the request: minutes, `silent`, or the undone action's id.
    details: Option<String>,
    reason: Option<String>,
    /// The event that the action intended to change.
    start: Option<Timestamp>,
    end: Option<Timestamp>,
    uid: Option<String>,
    organizer: Option<String>,
    subject: Option<String>,
    closed_at: Option<Timestamp>,
    requests: Vec<RequestIds>,
    /// The values of the table and of CSV that JSON has in other members.
    #[serde(skip)]
    text: ActionText,
}

struct ActionText {
    accepted_at: DateTime<Utc>,
    actor_kind: &'static str,
    kind: &'static str,
    message: String,
    notified: Option<&'static str>,
}

impl From<&ActionRecord> for ActionLine {
    fn from(record: &ActionRecord) -> Self {
        let before = record.intent.as_ref().map(|intent| &intent.before);
        Self {
            view: ActionView::of(record, Naming::Named),
            origin: record.action.actor.origin().map(str::to_owned),
            key_id: record.action.actor.key_id().map(str::to_owned),
            details: request_text(record.action.kind).1,
            reason: record.action.reason.clone().map(String::from),
            start: before.map(|event| event.start.into()),
            end: before.map(|event| event.end.into()),
            uid: before.and_then(|event| Some(event.uid.as_ref()?.to_string())),
            organizer: before.and_then(|event| {
                let organizer = event.organizer.as_ref()?;
                organizer.address.clone().or_else(|| organizer.legacy_dn.clone())
            }),
            subject: before.and_then(|event| event.subject.clone()),
            closed_at: (!record.is_open()).then_some(record.last_at.into()),
            requests: record.requests.clone(),
            text: ActionText::from(record),
        }
    }
}

impl From<&ActionRecord> for ActionText {
    fn from(record: &ActionRecord) -> Self {
        let unfinished = || {
            let stage = record.stage.as_str();
            format!("Not finished: {stage}. The next command that acts in the room checks the calendar.")
        };
        Self {
            accepted_at: record.accepted_at,
            actor_kind: record.action.actor.kind(),
            kind: request_text(record.action.kind).0,
            message: record.reported_outcome().map_or_else(unfinished, |outcome| outcome.to_string()),
            notified: record.done().map(|done| done.notified.as_str()),
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
        ActionKind::Extend(until) => ("extend", Some(end_text(until))),
        ActionKind::Book(BookingTime { start: None, end }) => ("book", Some(end_text(end))),
        ActionKind::Book(BookingTime { start: Some(start), end }) => {
            ("book", Some(format!("from {} {}", start.format("%F %H:%MZ"), end_text(end))))
        }
        ActionKind::Undo { of } => ("undo", Some(of.to_string())),
    }
}

fn end_text(end: RequestedEnd) -> String {
    match end {
        RequestedEnd::AtMost(minutes) => format!("{minutes} min"),
        RequestedEnd::At(end) => format!("until {}", end.format("%F %H:%MZ")),
    }
}

async fn list(storage: &Storage, args: &AuditArgs, output: &Output) -> Result<Exit, CommandError> {
    let journal = storage.journal_to_read().await?;
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
    let records = journal.find(&query).await?;
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
            "origin",
        ])
        .map_err(write_failure)?;
    let time = |at: Option<Timestamp>| at.map_or_else(String::new, |at| at.to_string());
    for line in lines {
        let requests: Vec<_> = line
            .requests
            .iter()
            .map(|ids| format!("{}/{}", ids.ours, ids.theirs.as_deref().unwrap_or("-")))
            .collect();
        writer
            .write_record([
                line.view.id.to_string(),
                time(line.view.accepted_at),
                line.view.room,
                line.text.actor_kind.to_owned(),
                cell(&line.view.actor),
                line.text.kind.to_owned(),
                line.details.unwrap_or_default(),
                cell(&line.reason.unwrap_or_default()),
                line.view.state.as_str().to_owned(),
                cell(&line.text.message),
                time(line.start),
                time(line.end),
                cell(&line.uid.unwrap_or_default()),
                cell(&line.organizer.unwrap_or_default()),
                cell(&line.subject.unwrap_or_default()),
                line.text.notified.unwrap_or_default().to_owned(),
                time(line.closed_at),
                cell(&requests.join(" ")),
                cell(&line.view.proof.unwrap_or_default()),
                cell(&line.key_id.unwrap_or_default()),
                cell(&line.origin.unwrap_or_default()),
            ])
            .map_err(write_failure)?;
    }
    finish(writer)
}

fn render(lines: &[ActionLine]) -> String {
    let mut table = table(&["WHEN", "ROOM", "WHO", "REQUEST", "OUTCOME", "ACTION"]);
    for line in lines {
        table.add_row([
            line.text.accepted_at.format("%F %H:%M:%SZ").to_string(),
            line.view.room.clone(),
            who(line),
            format!("{} {}", line.text.kind, line.details.as_deref().unwrap_or_default())
                .trim_end()
                .to_owned(),
            line.text.message.clone(),
            line.view.id.to_string(),
        ]);
    }
    format!("{table}\n\n{} actions", lines.len())
}

/// `user ada (uid 0 (root), ssh from 192.0.2.7)`, `program door-17`.
fn who(line: &ActionLine) -> String {
    let origin = line.origin.as_ref().map_or_else(String::new, |origin| format!(" ({origin})"));
    format!("{} {}{origin}", line.text.actor_kind, line.view.actor)
}
