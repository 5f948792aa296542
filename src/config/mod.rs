//! Configuration: file, environment variables and flags become one checked [`Config`]. Errors name the file, the line and the
//! key.
//!
//! ```text
//! adjourn.toml ─► file (types of the tables, limits) ─► server, service, rules (checks of several keys together) ─► Config
//!                   └─► schema (for editors) ─► reference (docs/configuration.md)  warnings (keys that have no effect) ─┘
//! ```
//!
//! Loading never connects to anything and never reads a secret: the connections of a [`Config`] are [`ConnectionSource`]s, which
//! name the sources of their secrets. The program that opens a connection reads them (`secrets`). Whether the server exists and accepts
//! the account is the doctor's business (`crate::doctor`).

mod cloud;
mod error;
mod every_error;
mod file;
mod graph;
mod private_files;
mod proxy;
pub mod reference;
mod renamed;
mod rules;
pub mod schema;
mod secrets;
mod server;
mod service;
mod sign_in;
mod url;
mod warnings;

use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::TimeDelta;
use zeroize::Zeroizing;

use crate::calendar::{RoomAddress, RoomPattern, Scope};
use crate::engine;
use crate::live;
use crate::service::{JournalMaintenance, ServiceOptions};
use crate::text_file;

pub use error::ConfigError;
use error::SourceText;
pub(crate) use every_error::CHECK_ERRORS_MAX;
use file::ConfigFile;
pub use graph::GraphSource;
use rules::{check_room_group, check_rules};
pub use secrets::{SecretError, SecretResolver, SecretSource, VariableError};
pub use server::{ConnectionConfig, ConnectionSource, UnreadSettings};
use server::{check_connections, check_server};
pub use service::{ApiConfig, OidcConfig, WebhookConfig};
use service::{check_api, check_live, check_schedules, check_webhooks};
pub use sign_in::{ApplicationSecretSource, PASSWORD_VARIABLE, SignInSource, WindowsSecretSource};
use warnings::warnings;
pub use warnings::{NO_RULE, has_rule};

/// A configuration of ten thousand rooms, each with a name of its own, has about one megabyte.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// The checked configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// The Exchange of `[server]`; `None` when neither the file nor a flag has its URL.
    pub server: Option<ConnectionSource>,
    /// Further Exchanges (`[[connections]]`), each with its rooms.
    pub connections: Vec<ConnectionConfig>,
    /// Mailboxes that Exchange must refuse to the account; `adjourn doctor` proves it.
    pub out_of_scope: Vec<RoomAddress>,
    /// Rooms that Adjourn may act in.
    pub scope: Scope,
    /// Room lists whose members are in scope too; read from Exchange at start.
    pub room_lists: Vec<String>,
    /// How the engine carries actions out.
    pub engine: engine::EngineOptions,
    /// The place of the journal, and its maintenance.
    pub journal: JournalConfig,
    /// Rules and schedules of sweeps and releases, and the limits of the service and the sweeps.
    pub service: ServiceOptions,
    /// Files with the logos of room groups.
    pub logos: Vec<LogoFile>,
    /// The HTTP service.
    pub api: ApiConfig,
    /// The endpoints that receive notices.
    pub webhooks: Vec<WebhookConfig>,
    /// How the service tracks the rooms' calendars.
    pub live: live::LiveOptions,
    /// Use files with secrets and the state directory although other users can read or change them.
    pub allow_insecure_permissions: bool,
    /// Valid settings that have no effect, or not the one their names promise; shown to the administrator.
    pub warnings: Vec<String>,
}

/// A file with the logo of a room group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogoFile {
    /// The room group, by its place in the configuration.
    pub group: usize,
    /// The file.
    pub path: PathBuf,
}

/// The place of the journal, and its maintenance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalConfig {
    /// The state directory; `None`: the default one.
    pub directory: Option<PathBuf>,
    /// The PostgreSQL database that holds it; `None`: files in the state directory.
    pub database: Option<DatabaseSource>,
    /// What the service does with it at intervals.
    pub maintenance: JournalMaintenance,
}

/// A PostgreSQL database for the journal and the service store. Its URL is not read yet: it has a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseSource {
    /// The URL.
    pub url: SecretSource,
    /// PEM file with certificates that are trusted besides those of the system.
    pub ca_file: Option<PathBuf>,
    /// Also use a database that may lose what it acknowledged.
    pub accept_loss: bool,
}

/// Values of flags and environment variables, which win over the file.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// Replaces `server.url`.
    pub url: Option<String>,
    /// Replaces `server.username`.
    pub username: Option<String>,
    /// Replaces `server.ca_file`.
    pub ca_file: Option<PathBuf>,
    /// Added to `scope.rooms`.
    pub rooms: Vec<String>,
    /// Replaces `journal.directory`.
    pub state_dir: Option<PathBuf>,
    /// As `allow_insecure_permissions`; either one suffices.
    pub allow_insecure_permissions: bool,
}

impl Config {
    /// Reads the file, if there is one, and checks everything.
    pub fn load(path: Option<&Path>, overrides: Overrides) -> Result<Self, ConfigError> {
        let text = match path {
            None => Zeroizing::default(),
            Some(path) => text_file::read(path, FILE_BYTES_MAX)
                .map_err(|error| ConfigError::Unreadable { path: path.to_owned(), error })?,
        };
        Self::parse(path, &text, overrides)
    }

    /// Checks the text of a configuration file.
    pub fn parse(path: Option<&Path>, text: &str, overrides: Overrides) -> Result<Self, ConfigError> {
        let source = SourceText { path, text };
        let file: ConfigFile = toml::from_str(text).map_err(|error| source.parse_error(&error))?;
        check(&source, file, overrides)
    }
}

fn check(source: &SourceText<'_>, file: ConfigFile, overrides: Overrides) -> Result<Config, ConfigError> {
    let rooms = check_rooms(source, &file.scope.rooms, &overrides.rooms)?;
    let wants_cleanup = file.cleanup.is_some() || !file.schedules.is_empty();
    let room_patterns = room_patterns(&file);
    let cleanup = file.cleanup.unwrap_or_default();
    let logos = file.room_groups.iter().enumerate();
    let logos = logos.filter_map(|(group, one)| Some(LogoFile { group, path: one.logo.clone()? })).collect();
    let room_groups = file.room_groups.into_iter().map(|group| check_room_group(source, group));
    let room_groups = room_groups.collect::<Result<_, _>>()?;
    let out_of_scope = file.doctor.out_of_scope.iter();
    let out_of_scope =
        out_of_scope.map(|room| room.get_ref().parse().map_err(|error| source.error_at(room, error)));
    let state_dir = overrides.state_dir.clone();
    let allow_insecure_permissions = file.allow_insecure_permissions || overrides.allow_insecure_permissions;
    let engine = engine_options(&file.journal, file.engine);
    let database = check_database(source, &file.journal)?;
    let config = Config {
        logos,
        connections: check_connections(source, file.connections)?,
        out_of_scope: out_of_scope.collect::<Result<_, _>>()?,
        server: check_server(source, file.server, overrides)?,
        scope: Scope::new(rooms, file.scope.domains),
        room_lists: file.scope.room_lists,
        journal: JournalConfig {
            maintenance: journal_maintenance(&file.journal, &engine),
            directory: state_dir.or(file.journal.directory),
            database,
        },
        engine,
        service: ServiceOptions {
            max_state_age: TimeDelta::seconds(file.api.max_state_age_s.get()),
            release_warning: file.api.release_warning_minutes.as_minutes(),
            horizon: TimeDelta::hours(cleanup.horizon_hours.get()),
            max_concurrent_rooms: cleanup.max_concurrent_rooms.count(),
            rules: check_rules(source, cleanup, room_groups)?,
            schedules: check_schedules(source, file.schedules)?,
            report_organizers: file.report.organizers,
            display_lost_after: file.displays.lost_after_minutes.as_minutes(),
        },
        api: check_api(source, &file.api)?,
        live: check_live(&file.live),
        webhooks: check_webhooks(source, file.webhooks)?,
        allow_insecure_permissions,
        warnings: Vec::new(),
    };
    let warnings = warnings(&config, wants_cleanup, &room_patterns);
    Ok(Config { warnings, ..config })
}

/// The rooms in scope: those of the file and those of flags.
fn check_rooms(
    source: &SourceText<'_>,
    rooms: &[file::Located<String>],
    flags: &[String],
) -> Result<Vec<RoomAddress>, ConfigError> {
    let mut all = Vec::new();
    for room in rooms {
        if room.get_ref().contains('*') {
            let why = format!("`{}` is a pattern, and only addresses are allowed here", room.get_ref());
            return Err(source.error_at(room, why));
        }
        all.push(room.get_ref().parse().map_err(|error| source.error_at(room, error))?);
    }
    for room in flags {
        all.push(room.parse().map_err(|error| ConfigError::invalid_flag("--in-scope", error))?);
    }
    Ok(all)
}

fn engine_options(journal: &file::JournalSection, engine: file::EngineSection) -> engine::EngineOptions {
    engine::EngineOptions {
        settle_delay: Duration::from_millis(engine.verify_delay_ms),
        forbid_irreversible: engine.forbid_irreversible,
        resume_within: TimeDelta::seconds(journal.resume_within_s.get()),
        give_up_after: TimeDelta::seconds(journal.give_up_after_s.get()),
        key_ttl: TimeDelta::hours(engine.idempotency_key_ttl_hours.get()),
        journal_subjects: journal.record_subjects,
        booking_subject: engine.booking_subject,
        booking_horizon: TimeDelta::minutes(engine.booking_horizon_minutes.get()),
        booking_subjects_allowed: engine.booking_subjects_allowed,
        ..engine::EngineOptions::default()
    }
}

/// The database of `[journal]`. Its other keys have no meaning without a URL.
fn check_database(
    source: &SourceText<'_>,
    file: &file::JournalSection,
) -> Result<Option<DatabaseSource>, ConfigError> {
    let (ca_file, accept_loss) = (file.ca_file.clone(), file.accept_loss);
    match &file.url {
        Some(url) => Ok(Some(DatabaseSource { url: url.clone(), ca_file, accept_loss })),
        None if accept_loss || ca_file.is_some() => Err(source.missing("journal.url")),
        None => Ok(None),
    }
}

fn journal_maintenance(file: &file::JournalSection, engine: &engine::EngineOptions) -> JournalMaintenance {
    JournalMaintenance {
        head_interval: file.head_interval_s.as_seconds(),
        erase_personal_after: file.erase_personal_after_days.map(|days| TimeDelta::days(days.get())),
        key_ttl: engine.key_ttl,
    }
}

/// Every pattern of rooms in the file, under the key where it stands.
fn room_patterns(file: &ConfigFile) -> Vec<(String, String)> {
    let named = |key: String, patterns: &[String]| {
        patterns.iter().map(|pattern| (key.clone(), pattern.clone())).collect::<Vec<_>>()
    };
    let groups = file.room_groups.iter();
    let groups = groups.flat_map(|one| named(format!("room_groups `{}`", one.name), &one.rooms));
    let schedules = file.schedules.iter();
    let schedules =
        schedules.flat_map(|one| named(format!("schedules `{}`", one.name.get_ref()), &one.rooms));
    let grants = file.api.oidc.iter().flat_map(|oidc| &oidc.grants);
    let grants = grants.flat_map(|one| named(format!("api.oidc.grants `{}`", one.value), &one.rooms));
    let webhooks = file.webhooks.iter();
    let webhooks = webhooks.flat_map(|one| named(format!("webhooks `{}`", one.name.get_ref()), &one.rooms));
    groups.chain(schedules).chain(grants).chain(webhooks).collect()
}

fn room_patterns_of(texts: &[String]) -> Vec<RoomPattern> {
    texts.iter().flat_map(|text| text.parse()).collect()
}

#[cfg(test)]
mod graph_tests;
#[cfg(test)]
mod tests;
