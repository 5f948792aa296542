//! `adjourn display`: pairs door displays by a request to the running service, whose memory alone has the codes; lists and removes them
//! in the service store. Never prints a display's key.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::args::{ConnectionArgs, DisplayArgs, DisplayCommand, DisplayPairArgs};
use super::connect;
use super::exit::{CommandError, Exit};
use super::key::{admin_actor, move_to_journal, refused};
use super::output::{Output, table};
use super::service_action::local_service;
use super::service_client::ServiceClient;
use super::storage::Storage;
use super::suggest::did_you_mean;
use crate::api::DisplayView;
use crate::clock::{Clock, SystemClock};
use crate::service::DisplayState;
use crate::store::DisplayRecord;
use crate::suggestion::{EDITS_MAX, closest_within};
use crate::timestamp::Timestamp;

pub(super) async fn run(
    args: DisplayArgs,
    connection: &ConnectionArgs,
    output: &Output,
) -> Result<Exit, CommandError> {
    match args.command {
        DisplayCommand::Pair(args) => pair(args, connection, output).await,
        DisplayCommand::List => list(connection, output).await,
        DisplayCommand::Remove { name } => remove(&name, connection, output).await,
    }
}

/// The body of the request.
#[derive(Serialize)]
struct PairDisplay<'a> {
    code: &'a str,
    room: &'a str,
    name: Option<&'a str>,
    pin: Option<&'a str>,
}

/// The parts of the service's answer that are printed for people. `--json` prints the answer as it is.
#[derive(Debug, Deserialize)]
struct PairedDisplay {
    id: String,
    name: String,
    room: String,
}

async fn pair(
    args: DisplayPairArgs,
    connection: &ConnectionArgs,
    output: &Output,
) -> Result<Exit, CommandError> {
    let load = || connect::load(connection);
    let local = match args.service.has_key() {
        true => None,
        false => local_service(connection, output).await?,
    };
    let service = local.map_or_else(|| ServiceClient::at_url(&args.service, load), Ok)?;
    let name = args.name.as_ref().map(|name| name.as_str());
    let order = PairDisplay { code: &args.code, room: &args.room, name, pin: args.pin.as_deref() };
    let reply = service.post("/v1/displays", &[], &order).await?;
    if !reply.is_success() {
        return Err(reply.failure());
    }
    let PairedDisplay { id, name, room } = reply.parse()?;
    output.success_document(&reply.body, || format!("paired display {name} ({id}) with {room}"))?;
    Ok(Exit::Done)
}

/// A display as the API shows it, and what only the list of the command line has.
#[derive(Serialize)]
struct ListedDisplay {
    #[serde(flatten)]
    view: DisplayView,
    /// Null: it is not lost.
    lost_since: Option<Timestamp>,
}

impl ListedDisplay {
    /// The state is that of the store, which has last contacts once a minute.
    fn of(record: &DisplayRecord, lost_after: Duration, now: DateTime<Utc>) -> Self {
        let state = DisplayState::of_stored(record.last_contact, record.lost_since, lost_after, now);
        Self { view: DisplayView::of(record, state), lost_since: record.lost_since.map(Into::into) }
    }
}

async fn list(connection: &ConnectionArgs, output: &Output) -> Result<Exit, CommandError> {
    let mut config = connect::load(connection)?;
    let displays = match Storage::of(&mut config)?.service_store_if_any().await? {
        Some(store) => store.displays().await?,
        None => Vec::new(),
    };
    let lost_after = config.service.display_lost_after.to_std().unwrap_or_default();
    let now = SystemClock.now();
    let listed: Vec<_> = displays.iter().map(|display| ListedDisplay::of(display, lost_after, now)).collect();
    output.data(&listed, || {
        let mut table =
            table(&["ID", "NAME", "ROOM", "STATE", "PAIRED", "BY", "LAST CONTACT", "LOST SINCE", "BUILD"]);
        for ListedDisplay { view, lost_since } in &listed {
            table.add_row([
                view.id.clone(),
                view.name.clone(),
                view.room.clone(),
                view.state.as_str().to_owned(),
                view.paired_at.to_string(),
                view.paired_by.clone(),
                view.last_contact_at.map_or_else(|| "never".to_owned(), |at| at.to_string()),
                lost_since.map_or_else(|| "-".to_owned(), |at| at.to_string()),
                view.version.clone().unwrap_or_else(|| "-".to_owned()),
            ]);
        }
        format!("{table}\n\n{} displays", listed.len())
    })?;
    Ok(Exit::Done)
}

async fn remove(name: &str, connection: &ConnectionArgs, output: &Output) -> Result<Exit, CommandError> {
    let storage = Storage::of_connection(connection)?;
    let store = storage.service_store().await?;
    let displays = store.displays().await?;
    let is_meant = |display: &&DisplayRecord| display.name == name || display.id.0 == name;
    let Some(display) = displays.iter().find(is_meant) else { return Err(no_such(name, &displays)) };
    let id = display.id.clone();
    if !store.revoke_key_by(id, admin_actor(), SystemClock.now()).await.map_err(refused)? {
        return Err(no_such(name, &displays));
    }
    output.note(&format!("removed display {} ({})", display.name, display.id));
    move_to_journal(&storage, &store, output).await;
    Ok(Exit::Done)
}

fn no_such(name: &str, displays: &[DisplayRecord]) -> CommandError {
    let names = displays.iter().map(|display| display.name.as_str());
    let meant = did_you_mean(closest_within(name, names, EDITS_MAX));
    CommandError::new(
        Exit::Refused,
        format!("no display has the name {name}: list them with adjourn display list{meant}"),
    )
}
