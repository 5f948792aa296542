//! `adjourn audit --admin`: lists admin events: changes of keys and configuration, failed authentication, archives, erasures.

use serde::Serialize;

use super::json;
use crate::cli::args::{AuditArgs, Format};
use crate::cli::exit::{CommandError, Exit};
use crate::cli::output::{Output, table};
use crate::cli::spreadsheet::{cell, finish, write_failure, writer};
use crate::cli::storage::Storage;
use crate::journal::{AdminActor, AdminEntry, AdminEvent, AdminPage, AdminQuery};
use crate::timestamp::Timestamp;

/// One admin event as a line of JSON or CSV.
#[derive(Serialize)]
struct AdminLine {
    number: u64,
    at: Timestamp,
    actor_kind: &'static str,
    actor: String,
    kind: &'static str,
    details: String,
    /// The event as stored.
    event: AdminEvent,
}

pub(super) async fn list(storage: &Storage, args: &AuditArgs, output: &Output) -> Result<Exit, CommandError> {
    let page = page(storage, args).await?;
    if page.more.is_some() {
        output.note(&format!(
            "adjourn: showing the newest {} admin events; use --until or --limit for more",
            page.events.len()
        ));
    }
    let lines = page.events.into_iter().map(|(number, entry)| line(number, entry));
    match if output.is_json() { Format::Json } else { args.format } {
        Format::Table => output.line(&render(&lines.collect::<Vec<_>>()))?,
        Format::Json => lines.map(|line| json(&line)).try_for_each(|line| output.json(&line?))?,
        Format::Csv => output.line(&csv(lines)?)?,
    }
    Ok(Exit::Done)
}

async fn page(storage: &Storage, args: &AuditArgs) -> Result<AdminPage, CommandError> {
    let query = AdminQuery { since: args.since, until: args.until, before: None, limit: args.limit as usize };
    Ok(storage.journal_to_read().await?.admin_events(&query).await?)
}

fn line(number: u64, entry: AdminEntry) -> AdminLine {
    let AdminEntry { at, by, event } = entry;
    AdminLine {
        number,
        at: at.into(),
        actor_kind: by.kind(),
        actor: actor(&by),
        kind: event.kind(),
        details: details(&event),
        event,
    }
}

/// `0 (root)`, `1f0c9a27be (lobby-display)`, `SIGHUP`.
fn actor(by: &AdminActor) -> String {
    match by {
        AdminActor::CommandLine { uid: Some(uid), user } => named(&uid.to_string(), user.as_deref()),
        AdminActor::CommandLine { uid: None, user } => user.clone().unwrap_or_default(),
        AdminActor::Caller { key_id, name } => named(key_id, name.as_deref()),
        AdminActor::Signal { name } => name.clone(),
        AdminActor::Service => String::new(),
    }
}

fn named(id: &str, name: Option<&str>) -> String {
    name.map_or_else(|| id.to_owned(), |name| format!("{id} ({name})"))
}

fn details(event: &AdminEvent) -> String {
    match event {
        AdminEvent::KeyCreated(key) | AdminEvent::KeyChanged(key) => {
            let id = named(&key.key_id, key.name.as_deref());
            let expires =
                key.expires.map_or_else(String::new, |at| format!("; expires {}", Timestamp::from(at)));
            format!("{id}: {} in {}{expires}", key.rights.join(", "), key.rooms.join(", "))
        }
        AdminEvent::KeyRevoked { key_id, name } => named(key_id, name.as_deref()),
        AdminEvent::SignInRefused { address, reason, count } => {
            format!("{count} from {}: {reason}", address.as_deref().unwrap_or("an erased address"))
        }
        AdminEvent::ConfigurationReloaded { hash } => hash.clone(),
        AdminEvent::Archived(archived) => {
            format!(
                "entries {} to {} in {}; head {}",
                archived.first, archived.last, archived.file, archived.head
            )
        }
        AdminEvent::Erased { values, through } => format!("{values} values, up to entry {through}"),
        AdminEvent::ClockImplausible { from, reason } => format!("{from}: {reason}"),
    }
}

fn csv(lines: impl Iterator<Item = AdminLine>) -> Result<String, CommandError> {
    let mut writer = writer();
    writer.write_record(["number", "at", "actor_kind", "actor", "kind", "details"]).map_err(write_failure)?;
    for line in lines {
        let (number, at) = (line.number.to_string(), line.at.to_string());
        let (kind, actor_kind) = (line.kind.to_owned(), line.actor_kind.to_owned());
        writer
            .write_record([number, at, actor_kind, cell(&line.actor), kind, cell(&line.details)])
            .map_err(write_failure)?;
    }
    finish(writer)
}

fn render(lines: &[AdminLine]) -> String {
    let mut table = table(&["WHEN", "WHO", "EVENT", "DETAILS"]);
    for line in lines {
        table.add_row([
            line.at.to_utc().format("%F %H:%M:%SZ").to_string(),
            format!("{} {}", line.actor_kind, line.actor).trim_end().to_owned(),
            line.kind.to_owned(),
            line.details.clone(),
        ]);
    }
    format!("{table}\n\n{} admin events", lines.len())
}
