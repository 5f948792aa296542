//! `adjourn key`: creates, lists, changes and revokes API keys in the service store. A running service applies the change within
//! a second.

use std::convert::Infallible;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::args::{ConnectionArgs, KeyAddArgs, KeyArgs, KeyChangeArgs, KeyCommand};
use super::connect;
use super::exit::{CommandError, Exit};
use super::key_args::Expiry;
use super::output::{Output, table};
use super::storage::Storage;
use super::suggest::did_you_mean;
use crate::access::{self, KeyChange, KeyId, Right, Rights, StoredKey};
use crate::calendar::{RoomAddress, RoomPattern, Scope};
use crate::clock::{Clock, SystemClock};
use crate::journal::AdminActor;
use crate::os_user::OsUser;
use crate::store::{KeyError, KeyRecord, ServiceStore};
use crate::suggestion::{EDITS_MAX, closest, closest_within};
use crate::timestamp::Timestamp;

pub(super) async fn run(
    args: KeyArgs,
    connection: &ConnectionArgs,
    output: &Output,
) -> Result<Exit, CommandError> {
    let storage = connect::storage(connection)?;
    let store = storage.service_store().await?;
    match args.command {
        KeyCommand::List => return list(&store, output).await,
        KeyCommand::Add(args) => {
            check_certificate(args.certificate_sha256.is_some(), connection, output)?;
            warn_of_unknown_rooms(&args.rooms, connection, output)?;
            add(args, &store, output).await?;
        }
        KeyCommand::Change(args) => {
            check_certificate(args.certificate_sha256.is_some(), connection, output)?;
            warn_of_unknown_rooms(args.rooms.as_deref().unwrap_or_default(), connection, output)?;
            change(args, &store, output).await?;
        }
        KeyCommand::Revoke { id } => revoke(id, &store, output).await?,
    }
    move_to_journal(&storage, &store, output).await;
    Ok(Exit::Done)
}

/// A key as printed.
#[derive(Serialize)]
struct PrintedKey {
    id: String,
    name: String,
    rooms: Vec<String>,
    rights: Vec<&'static str>,
    per_minute: u32,
    created_at: Timestamp,
    /// Null: the key does not expire.
    expires_at: Option<Timestamp>,
    /// Null: never used. Accurate to the hour.
    last_used_at: Option<Timestamp>,
    /// SHA-256 of the client certificate that the key is bound to.
    certificate_sha256: Option<String>,
}

/// A key that was just created, with its token, which is printed only then.
#[derive(Serialize)]
struct PrintedNewKey<'a> {
    #[serde(flatten)]
    key: PrintedKey,
    token: &'a str,
}

impl PrintedKey {
    fn of(record: &KeyRecord) -> Self {
        let (key, holder) = (&record.key, &record.key.holder);
        Self {
            id: holder.id.to_string(),
            name: holder.name.clone(),
            rooms: holder.rights.rooms().iter().map(ToString::to_string).collect(),
            rights: holder.rights.all().map(Right::as_str).collect(),
            per_minute: holder.per_minute,
            created_at: record.created.into(),
            expires_at: key.expires.map(Timestamp::from),
            last_used_at: record.last_used.map(Timestamp::from),
            certificate_sha256: key.certificate.map(|certificate| certificate.to_string()),
        }
    }
}

async fn add(args: KeyAddArgs, store: &ServiceStore, output: &Output) -> Result<(), CommandError> {
    let rights = Rights::new(patterns(&args.rooms)?, rights(&args.rights)?);
    let now = SystemClock.now();
    let mut new = StoredKey::generate(args.name.as_str(), rights, args.per_minute);
    new.stored.expires = args.expires.map(|expires| future_expiry(expires, now)).transpose()?;
    new.stored.certificate = args.certificate_sha256;
    store.create_key(new.stored.clone(), admin_actor(), now).await.map_err(refused)?;
    let record = KeyRecord { key: new.stored.clone(), created: now, last_used: None };
    let printed = PrintedNewKey { key: PrintedKey::of(&record), token: &new.token };
    output.data(&printed, || new.token.clone())?;
    if !output.is_json() {
        let id = &new.stored.holder.id;
        output.note(&format!("The key is shown only this once. Revoke it with: adjourn key revoke {id}"));
    }
    Ok(())
}

async fn change(args: KeyChangeArgs, store: &ServiceStore, output: &Output) -> Result<(), CommandError> {
    let now = SystemClock.now();
    let (id, change) = (KeyId(args.id.clone()), key_change(&args, now)?);
    let edit = move |key| Ok::<_, Infallible>(change.clone().apply(key));
    let Some(edited) = store.edit_key(id, admin_actor(), now, edit).await.map_err(refused)? else {
        return Err(no_such(&args.id, store).await);
    };
    let Ok(record) = edited;
    let name = &record.key.holder.name;
    output.success(&PrintedKey::of(&record), || format!("changed key {} ({name})", args.id))
}

fn key_change(args: &KeyChangeArgs, now: DateTime<Utc>) -> Result<KeyChange, CommandError> {
    let expires = args.expires.map(|expires| future_expiry(expires, now)).transpose()?;
    Ok(KeyChange {
        name: args.name.clone(),
        rooms: args.rooms.as_deref().map(patterns).transpose()?,
        rights: args.rights.as_deref().map(rights).transpose()?,
        per_minute: args.per_minute,
        expires: if args.no_expiry { Some(None) } else { expires.map(Some) },
        certificate: if args.no_certificate { Some(None) } else { args.certificate_sha256.map(Some) },
    })
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

fn future_expiry(expires: Expiry, now: DateTime<Utc>) -> Result<DateTime<Utc>, CommandError> {
    access::future_expiry(expires.at(now), now)
        .map_err(|error| CommandError::new(Exit::Usage, format!("--expires: {error}: adjourn key revoke ID")))
}

fn rights(words: &[String]) -> Result<Vec<Right>, CommandError> {
    Right::parse_all(words).map_err(|error| {
        let meant = did_you_mean(closest(&error.0, Right::ALL.map(Right::as_str)));
        CommandError::new(Exit::Usage, format!("{error}{meant}"))
    })
}

/// Warns of each pattern that no room of the configuration matches: the key would see nothing. Without rooms in the configuration, and
/// with room lists, whose members Exchange has, nothing is compared.
fn warn_of_unknown_rooms(
    rooms: &[String],
    connection: &ConnectionArgs,
    output: &Output,
) -> Result<(), CommandError> {
    let config = connect::load(connection)?;
    if config.scope.is_empty() || !config.room_lists.is_empty() {
        return Ok(());
    }
    let patterns = patterns(rooms)?;
    for pattern in patterns.iter().filter(|pattern| !may_match(pattern, &config.scope)) {
        let text = pattern.to_string();
        let known = config.scope.rooms().map(RoomAddress::as_str);
        let meant = did_you_mean(closest_within(&text, known, EDITS_MAX));
        output.warn(&format!("--rooms: no configured room matches {text}{meant}"));
    }
    Ok(())
}

/// Whether a room of the scope may match. A domain of the scope has rooms that it does not list.
fn may_match(pattern: &RoomPattern, scope: &Scope) -> bool {
    if scope.rooms().any(|room| pattern.matches(room)) {
        return true;
    }
    let text = pattern.to_string();
    let domain =
        text.rsplit_once('@').map(|(_, domain)| domain).filter(|domain| !domain.contains(['*', '?']));
    match domain.and_then(|domain| format!("room@{domain}").parse::<RoomAddress>().ok()) {
        Some(room) => !scope.rooms().any(|known| *known == room) && scope.contains(&room),
        None => scope.has_domains(),
    }
}

fn patterns(rooms: &[String]) -> Result<Vec<RoomPattern>, CommandError> {
    access::room_patterns(rooms).map_err(|error| CommandError::new(Exit::Usage, format!("--rooms: {error}")))
}

async fn list(store: &ServiceStore, output: &Output) -> Result<Exit, CommandError> {
    let keys = store.key_records().await?;
    let (printed, now): (Vec<_>, _) = (keys.iter().map(PrintedKey::of).collect(), SystemClock.now());
    output.data(&printed, || {
        let header =
            ["ID", "NAME", "ROOMS", "RIGHTS", "PER MINUTE", "CREATED", "EXPIRES", "LAST USED", "CERTIFICATE"];
        let mut table = table(&header);
        let day = |at: Option<Timestamp>| at.map(|at| at.to_utc().format("%F").to_string());
        for key in &printed {
            let expires = match key.expires_at {
                Some(at) if at.to_utc() <= now => "expired".to_owned(),
                at => day(at).unwrap_or_else(|| "never".to_owned()),
            };
            let certificate = key.certificate_sha256.as_deref().unwrap_or("-");
            table.add_row([
                key.id.clone(),
                key.name.clone(),
                key.rooms.join(" "),
                key.rights.join(" "),
                key.per_minute.to_string(),
                day(Some(key.created_at)).unwrap_or_default(),
                expires,
                day(key.last_used_at).unwrap_or_else(|| "never".to_owned()),
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
pub(super) async fn move_to_journal(storage: &Storage, store: &ServiceStore, output: &Output) {
    let moved = match storage.journal_if_free().await {
        Ok(None) => Ok(()),
        Ok(Some(journal)) => {
            let moved = connect::closing(&*journal, store.move_pending_events(&*journal)).await;
            moved.map(drop).map_err(|error| error.to_string())
        }
        Err(error) => Err(error.message),
    };
    if let Err(error) = moved {
        output.warn(&format!("the key is changed, but the change is not in the journal yet: {error}"));
    }
}

/// The person at the command line, as the operating system knows it.
pub(super) fn admin_actor() -> AdminActor {
    let user = OsUser::current();
    AdminActor::CommandLine { uid: user.uid, user: Some(user.name()) }
}

async fn no_such(id: &str, store: &ServiceStore) -> CommandError {
    let keys = store.keys().await.unwrap_or_default();
    let meant = did_you_mean(closest_within(id, keys.iter().map(|key| key.holder.id.0.as_str()), EDITS_MAX));
    CommandError::new(
        Exit::Refused,
        format!("no valid key has the id {id}: list them with adjourn key list{meant}"),
    )
}

pub(super) fn refused(error: KeyError) -> CommandError {
    let exit = match &error {
        KeyError::Store(error) => Exit::of_store(error),
        KeyError::Name(_) | KeyError::TooManyPatterns => Exit::Usage,
        KeyError::NameTaken(..) | KeyError::TooMany => Exit::Refused,
        KeyError::TooManyPending | KeyError::Contended => Exit::Journal,
    };
    CommandError::from_error(exit, error)
}
