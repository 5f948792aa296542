//! `adjourn key`: who may call the service.

use serde::Serialize;

use super::args::{Connection, KeyAddArgs, KeyArgs, KeyCommand};
use super::connect;
use super::exit::{Exit, Failure};
use super::output::{Output, table};
use crate::access::{KeyId, Right, Rights, StoredKey};
use crate::clock::{Clock, SystemClock};
use crate::config;
use crate::store::{Desk, StoreError};

pub(super) async fn run(args: KeyArgs, connection: &Connection, output: &Output) -> Result<Exit, Failure> {
    let desk = Desk::open(&connect::state_directory(connection)?).map_err(failed)?;
    match args.command {
        KeyCommand::Add(args) => add(args, &desk, output).await,
        KeyCommand::List => list(&desk, output).await,
        KeyCommand::Revoke { id } => revoke(id, &desk, output).await,
    }
}

/// A key as it is printed. The token is there once, when it is made.
#[derive(Serialize)]
struct Printed {
    id: String,
    name: String,
    rooms: Vec<String>,
    rights: Vec<&'static str>,
    per_minute: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

impl Printed {
    fn of(key: &StoredKey, token: Option<String>) -> Self {
        let holder = &key.holder;
        Self {
            id: holder.id.to_string(),
            name: holder.name.clone(),
            rooms: holder.rights.rooms().iter().map(ToString::to_string).collect(),
            rights: holder.rights.all().map(Right::as_str).collect(),
            per_minute: holder.per_minute,
            token,
        }
    }
}

async fn add(args: KeyAddArgs, desk: &Desk, output: &Output) -> Result<Exit, Failure> {
    let rights = Right::all_of(&args.rights).map_err(|error| Failure::from_error(Exit::Usage, error))?;
    let idle: Vec<_> = args.rooms.iter().filter(|pattern| !config::may_match(pattern)).collect();
    if let Some(pattern) = idle.first() {
        let message = format!(
            "--rooms: `{pattern}` matches no room: it is no address, and has no `*`; {} such of {}",
            idle.len(),
            args.rooms.len()
        );
        return Err(Failure::new(Exit::Usage, message));
    }
    let rooms = args.rooms.iter().flat_map(|pattern| pattern.parse());
    let new = StoredKey::make(&args.name, Rights::new(rooms, rights), args.per_minute);
    desk.add_key(new.stored.clone(), SystemClock.now()).await.map_err(failed)?;
    let printed = Printed::of(&new.stored, Some(new.token.clone()));
    output.data(&printed, || {
        format!(
            "{}\nThis is the only time it is shown. Revoke it with: adjourn key revoke {}",
            new.token, new.stored.holder.id
        )
    })?;
    Ok(Exit::Done)
}

async fn list(desk: &Desk, output: &Output) -> Result<Exit, Failure> {
    let keys = desk.keys().await.map_err(failed)?;
    let printed: Vec<_> = keys.iter().map(|key| Printed::of(key, None)).collect();
    output.data(&printed, || {
        let mut table = table(&["ID", "NAME", "ROOMS", "RIGHTS", "A MINUTE"]);
        for key in &printed {
            let per_minute = key.per_minute.to_string();
            table.add_row([&key.id, &key.name, &key.rooms.join(" "), &key.rights.join(" "), &per_minute]);
        }
        format!("{table}\n\n{} keys", printed.len())
    })?;
    Ok(Exit::Done)
}

async fn revoke(id: String, desk: &Desk, output: &Output) -> Result<Exit, Failure> {
    if !desk.revoke_key(KeyId(id.clone()), SystemClock.now()).await.map_err(failed)? {
        return Err(Failure::new(Exit::Refused, format!("there is no key {id} that opens anything")));
    }
    output.say(&format!("key {id} is revoked"));
    Ok(Exit::Done)
}

fn failed(error: StoreError) -> Failure {
    Failure::from_error(Exit::of_store(&error), error)
}
