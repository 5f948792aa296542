//! `adjourn key`: creates, lists, changes and revokes API keys in the service store. A running service applies the change within
//! a second.

use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, SubsecRound as _, Utc};
use serde::Serialize;

use super::args::{ConnectionArgs, KeyAddArgs, KeyArgs, KeyChangeArgs, KeyCommand};
use super::connect;
use super::exit::{CommandError, Exit};
use super::output::{Output, table};
use super::perform::user_name;
use super::suggest::did_you_mean;
use crate::access::{KeyId, Right, Rights, StoredKey};
use crate::clock::{Clock, SystemClock};
use crate::config;
use crate::journal::AdminActor;
use crate::store::{KeyError, KeyRecord, ServiceStore, SqliteJournal, StoreError, StoreOptions};
use crate::suggestion::{EDITS_MAX, closest, closest_within};

pub(super) async fn run(
    args: KeyArgs,
    connection: &ConnectionArgs,
    output: &Output,
) -> Result<Exit, CommandError> {
    let directory = connect::state_directory(connection)?;
    let store = ServiceStore::open(&directory).map_err(failed)?;
    match args.command {
        KeyCommand::List => return list(&store, output).await,
        KeyCommand::Add(args) => {
            check_certificate(args.certificate_sha256.is_some(), connection, output)?;
            add(args, &store, output).await?;
        }
        KeyCommand::Change(args) => {
            check_certificate(args.certificate_sha256.is_some(), connection, output)?;
            change(args, &store, output).await?;
        }
        KeyCommand::Revoke { id } => revoke(id, &store, output).await?,
    }
    move_to_journal(&directory, &store, output).await;
    Ok(Exit::Done)
}

/// A key as printed. The token is included only when the key is created.
#[derive(Serialize)]
struct PrintedKey {
    id: String,
    name: String,
    rooms: Vec<String>,
    rights: Vec<&'static str>,
    per_minute: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<DateTime<Utc>>,
    /// Null: the key does not expire.
    expires: Option<DateTime<Utc>>,
    /// Null: never used. Accurate to the hour.
    last_used: Option<DateTime<Utc>>,
    /// SHA-256 of the client certificate that the key is bound to.
    certificate_sha256: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

impl PrintedKey {
    fn of(key: &StoredKey, token: Option<String>) -> Self {
        let holder = &key.holder;
        Self {
            id: holder.id.to_string(),
            name: holder.name.clone(),
            rooms: holder.rights.rooms().iter().map(ToString::to_string).collect(),
            rights: holder.rights.all().map(Right::as_str).collect(),
            per_minute: holder.per_minute,
            created: None,
            expires: key.expires,
            last_used: None,
            certificate_sha256: key.certificate.map(|certificate| certificate.to_string()),
            token,
        }
    }

    fn listed(record: &KeyRecord) -> Self {
        let last_used = record.last_used.map(|at| at.trunc_subsecs(0));
        Self { created: Some(record.created), last_used, ..Self::of(&record.key, None) }
    }
}

async fn add(args: KeyAddArgs, store: &ServiceStore, output: &Output) -> Result<(), CommandError> {
    let rights = Rights::new(patterns(&args.rooms)?, rights(&args.rights)?);
    let now = SystemClock.now();
    let mut new = StoredKey::generate(args.name.as_str(), rights, args.per_minute);
    new.stored.expires = args.expires.map(|expires| require_future(expires.at(now), now)).transpose()?;
    new.stored.certificate = args.certificate_sha256;
    store.create_key(new.stored.clone(), admin_actor(), now).await.map_err(refused)?;
    let printed = PrintedKey::of(&new.stored, Some(new.token.clone()));
    output.data(&printed, || {
        format!(
            "{}\nThe key is shown only this once. Revoke it with: adjourn key revoke {}",
            new.token, new.stored.holder.id
        )
    })
}

async fn change(args: KeyChangeArgs, store: &ServiceStore, output: &Output) -> Result<(), CommandError> {
    let now = SystemClock.now();
    let keys = store.keys().await.map_err(failed)?;
    let known = keys.into_iter().find(|key| key.holder.id.0 == args.id);
    let Some(known) = known else { return Err(no_such(&args.id, store).await) };
    let key = changed(known, &args, now)?;
    if !store.change_key(key.clone(), admin_actor(), now).await.map_err(refused)? {
        return Err(no_such(&args.id, store).await);
    }
    output.data(&PrintedKey::of(&key, None), || format!("changed key {} ({})", args.id, key.holder.name))
}

fn changed(mut key: StoredKey, args: &KeyChangeArgs, now: DateTime<Utc>) -> Result<StoredKey, CommandError> {
    let rooms = match &args.rooms {
        Some(rooms) => patterns(rooms)?,
        None => key.holder.rights.rooms().to_vec(),
    };
    let may = match &args.rights {
        Some(words) => rights(words)?,
        None => key.holder.rights.all().collect(),
    };
    key.holder.rights = Rights::new(rooms, may);
    if let Some(name) = &args.name {
        key.holder.name = name.to_string();
    }
    key.holder.per_minute = args.per_minute.unwrap_or(key.holder.per_minute);
    if let Some(expires) = args.expires {
        key.expires = Some(require_future(expires.at(now), now)?);
    }
    key.expires = key.expires.filter(|_| !args.no_expiry);
    key.certificate = args.certificate_sha256.or(key.certificate).filter(|_| !args.no_certificate);
    Ok(key)
}

/// Warns if the service does not request client certificates: a key bound to one would not work.
fn check_certificate(
    is_bound: bool,
    connection: &ConnectionArgs,
    output: &Output,
) -> Result<(), CommandError> {
    let config = connect::load(connection)?;
    let is_asked = config.api.tls.is_some_and(|tls| tls.client_ca.is_some());
    if is_bound && !is_asked {
        output.warn(
            "the key will not work: the service does not request client certificates; set api.tls.client_ca_file",
        );
    }
    Ok(())
}

/// Refuses a time in the past, which is most likely a mistake: to end a key now, it is revoked.
fn require_future(expires: DateTime<Utc>, now: DateTime<Utc>) -> Result<DateTime<Utc>, CommandError> {
    if expires > now {
        return Ok(expires.trunc_subsecs(0));
    }
    let message =
        format!("--expires: {expires} is in the past; to end a key now, revoke it: adjourn key revoke ID");
    Err(CommandError::new(Exit::Usage, message))
}

fn rights(words: &[String]) -> Result<Vec<Right>, CommandError> {
    Right::parse_all(words).map_err(|error| {
        let meant = did_you_mean(closest(&error.0, Right::ALL.map(Right::as_str)));
        CommandError::new(Exit::Usage, format!("{error}{meant}"))
    })
}

fn patterns(rooms: &[String]) -> Result<Vec<crate::calendar::RoomPattern>, CommandError> {
    let idle: Vec<_> = rooms.iter().filter(|pattern| !config::can_match_address(pattern)).collect();
    match idle.first() {
        None => Ok(rooms.iter().flat_map(|pattern| pattern.parse()).collect()),
        Some(pattern) => {
            let message = format!(
                "--rooms: `{pattern}` matches no room: it is neither an address nor a pattern with `*` ({} of {} are invalid)",
                idle.len(),
                rooms.len()
            );
            Err(CommandError::new(Exit::Usage, message))
        }
    }
}

async fn list(store: &ServiceStore, output: &Output) -> Result<Exit, CommandError> {
    let keys = store.key_records().await.map_err(failed)?;
    let (printed, now): (Vec<_>, _) = (keys.iter().map(PrintedKey::listed).collect(), SystemClock.now());
    output.data(&printed, || {
        let header =
            ["ID", "NAME", "ROOMS", "RIGHTS", "PER MINUTE", "CREATED", "EXPIRES", "LAST USED", "CERTIFICATE"];
        let mut table = table(&header);
        let day = |at: Option<DateTime<Utc>>| at.map(|at| at.format("%F").to_string());
        for key in &printed {
            let expires = match key.expires {
                Some(at) if at <= now => "expired".to_owned(),
                at => day(at).unwrap_or_else(|| "never".to_owned()),
            };
            let certificate = key.certificate_sha256.as_deref().unwrap_or("-");
            table.add_row([
                key.id.clone(),
                key.name.clone(),
                key.rooms.join(" "),
                key.rights.join(" "),
                key.per_minute.to_string(),
                day(key.created).unwrap_or_default(),
                expires,
                day(key.last_used).unwrap_or_else(|| "never".to_owned()),
                certificate.chars().take(16).collect(),
            ]);
        }
        format!("{table}\n\n{} keys", printed.len())
    })?;
    Ok(Exit::Done)
}

async fn revoke(id: String, store: &ServiceStore, output: &Output) -> Result<(), CommandError> {
    if !store.revoke_key_by(KeyId(id.clone()), admin_actor(), SystemClock.now()).await.map_err(refused)? {
        return Err(no_such(&id, store).await);
    }
    output.note(&format!("revoked key {id}"));
    Ok(())
}

/// Moves the admin event into the journal. While the service runs, it owns the journal and does this within seconds; the key is
/// changed in any case.
async fn move_to_journal(directory: &Path, store: &ServiceStore, output: &Output) {
    let at_once = StoreOptions { lock_patience: Duration::ZERO, ..StoreOptions::default() };
    match SqliteJournal::open(directory, at_once) {
        Ok(journal) => {
            if let Err(error) = store.move_pending_events(&journal).await {
                output
                    .warn(&format!("the key is changed, but the change is not in the journal yet: {error}"));
            }
        }
        Err(StoreError::InUse { .. }) => {}
        Err(error) => {
            output.warn(&format!("the key is changed, but the change is not in the journal yet: {error}"))
        }
    }
}

fn admin_actor() -> AdminActor {
    #[cfg(unix)]
    let uid = Some(rustix::process::getuid().as_raw());
    #[cfg(not(unix))]
    let uid = None;
    AdminActor::CommandLine { uid, user: Some(user_name()) }
}

async fn no_such(id: &str, store: &ServiceStore) -> CommandError {
    let keys = store.keys().await.unwrap_or_default();
    let meant = did_you_mean(closest_within(id, keys.iter().map(|key| key.holder.id.0.as_str()), EDITS_MAX));
    CommandError::new(
        Exit::Refused,
        format!("no valid key has the id {id}: list them with adjourn key list{meant}"),
    )
}

fn refused(error: KeyError) -> CommandError {
    let exit = match &error {
        KeyError::Store(error) => Exit::of_store(error),
        KeyError::Name(_) | KeyError::TooManyPatterns => Exit::Usage,
        KeyError::NameTaken(..) | KeyError::TooMany => Exit::Refused,
        KeyError::TooManyPending => Exit::Journal,
    };
    CommandError::from_error(exit, error)
}

fn failed(error: StoreError) -> CommandError {
    CommandError::from_error(Exit::of_store(&error), error)
}
