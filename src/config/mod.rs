//! From file, environment and flags to one checked [`Config`]. What comes out cannot be wrong in form; whether the
//! server exists and lets us in is found out by asking it.
//!
//! Errors name the file, the line and the key. Times are whole minutes or seconds, as the key's ending says.

mod error;
mod file;
mod private_files;
mod rules;
mod server;
mod service;
mod warnings;

use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::TimeDelta;
use zeroize::Zeroizing;

use crate::calendar::{RoomAddress, RoomPattern, Scope};
use crate::cleanup::Rules;
use crate::engine;
pub use crate::exchange::{Access, ImpersonateBy};
use crate::live;
use crate::service::Schedule;
use crate::text_file;

pub use error::ConfigError;
use error::SourceText;
use file::{ConfigFile, Spanned};
use rules::{check_room_group, check_rules};
pub use server::{
    AuthConfig, CertificateFiles, ClientCredentialSource, ConnectionConfig, DEFAULT_NAME, ExchangeConfig,
    PASSWORD_VARIABLE, ProxyConfig, SecretSource, ServerLocation, WindowsCredentialSource,
};
use server::{check_connections, check_server};
pub use service::{ApiConfig, OidcConfig, WebhookConfig};
use service::{check_api, check_live, check_schedules, check_webhook};
use warnings::warnings;
pub use warnings::{NO_RULE, can_match_address, has_rule};

/// A configuration of ten thousand rooms, each with a name of its own, has about one megabyte.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// Everything Adjourn goes by.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where Exchange is and who we are there; `None` when nobody said.
    pub server: Option<ExchangeConfig>,
    /// Exchanges besides that, each with its rooms.
    pub connections: Vec<ConnectionConfig>,
    /// Mailboxes that must be out of reach, as `adjourn doctor` proves.
    pub out_of_scope: Vec<RoomAddress>,
    /// What may be touched.
    pub scope: Scope,
    /// Room lists whose members may be touched as well; asked of Exchange at start.
    pub room_lists: Vec<String>,
    /// How actions are performed.
    pub engine: engine::EngineOptions,
    /// Where the journal is kept; `None`: in the default directory.
    pub journal: JournalConfig,
    /// How sweeps judge.
    pub rules: Rules,
    /// How many rooms a sweep works on at once.
    pub max_concurrent_rooms: usize,
    /// How far ahead a sweep looks.
    pub horizon: TimeDelta,
    /// How the service is reached.
    pub api: ApiConfig,
    /// When sweeps run by themselves.
    pub schedules: Vec<Schedule>,
    /// Who is told what happens.
    pub webhook: Option<WebhookConfig>,
    /// How the service follows calendars.
    pub live: live::LiveOptions,
    /// Files with secrets and the state directory are used although other users can read or change them.
    pub allow_insecure_permissions: bool,
    /// What is valid and does not do what it says: for whoever wrote it.
    pub warnings: Vec<String>,
}

/// The journal on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalConfig {
    /// The state directory.
    pub directory: Option<PathBuf>,
    /// How often the service tells the journal's last number and hash to the log and the webhook.
    pub head_interval: Duration,
    /// How long personal values stay; `None`: until they are erased by hand.
    pub erase_personal_after: Option<TimeDelta>,
}

/// What flags and environment say over the file.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// Over `server.url`.
    pub url: Option<String>,
    /// Over `server.username`.
    pub username: Option<String>,
    /// Over `server.ca_file`.
    pub ca_file: Option<PathBuf>,
    /// Added to `scope.rooms`.
    pub rooms: Vec<String>,
    /// Over `journal.directory`.
    pub state_dir: Option<PathBuf>,
    /// Besides `allow_insecure_permissions`: true in either place is true.
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
    let mut rooms = Vec::new();
    for room in &file.scope.rooms {
        if room.get_ref().contains('*') {
            return Err(
                source.error_at(room, format!("`{}` is a pattern; here are addresses", room.get_ref()))
            );
        }
        rooms.push(room.get_ref().parse().map_err(|error| source.error_at(room, error))?);
    }
    for room in &overrides.rooms {
        rooms.push(room.parse().map_err(|error| ConfigError::invalid_flag("--in-scope", error))?);
    }
    let says_cleanup = file.cleanup.is_some() || !file.schedules.is_empty();
    let room_patterns = room_patterns(&file);
    let cleanup = file.cleanup.unwrap_or_default();
    let places =
        file.places.into_iter().map(|place| check_room_group(source, place)).collect::<Result<_, _>>()?;
    let directory = overrides.state_dir.clone().or(file.journal.directory);
    let resume_within = in_range(source, &file.journal.resume_within_s, 0, 24 * 3600)?;
    let give_up_after = in_range(source, &file.journal.give_up_after_s, 0, 30 * 24 * 3600)?;
    let key_ttl = in_range(source, &file.engine.idempotency_key_ttl_hours, 1, 24 * 30)?;
    let erase_after = file.journal.erase_personal_after_days;
    let outsiders = file.doctor.out_of_scope.iter();
    let outsiders =
        outsiders.map(|room| room.get_ref().parse().map_err(|error| source.error_at(room, error)));
    let allow_insecure_permissions = file.allow_insecure_permissions || overrides.allow_insecure_permissions;
    let config = Config {
        connections: check_connections(source, file.connections)?,
        out_of_scope: outsiders.collect::<Result<_, _>>()?,
        server: check_server(source, file.server, overrides)?,
        scope: Scope::new(rooms, file.scope.domains),
        room_lists: file.scope.room_lists,
        engine: engine::EngineOptions {
            settle_delay: Duration::from_millis(file.engine.settle_ms),
            forbid_irreversible: file.engine.forbid_irreversible,
            resume_within: TimeDelta::seconds(resume_within),
            give_up_after: TimeDelta::seconds(give_up_after),
            key_ttl: TimeDelta::hours(key_ttl),
            journal_subjects: file.journal.subjects,
            booking_subject: file.engine.booking_subject,
            ..engine::EngineOptions::default()
        },
        journal: JournalConfig {
            directory,
            // More often than each minute fills logs; less often than each day says nothing about yesterday.
            head_interval: Duration::from_secs(in_range(source, &file.journal.head_interval_s, 60, 86_400)?),
            erase_personal_after: erase_after
                .map(|days| in_range(source, &days, 1, 36_500).map(TimeDelta::days))
                .transpose()?,
        },
        max_concurrent_rooms: in_range(source, &cleanup.rooms_at_once, 1, 1_000)?,
        horizon: TimeDelta::hours(in_range(source, &cleanup.hours_ahead, 1, 24 * 366)?),
        rules: check_rules(source, cleanup, places)?,
        api: check_api(source, &file.api)?,
        schedules: check_schedules(source, file.schedules)?,
        live: check_live(source, &file.live)?,
        webhook: file.webhook.map(|hook| check_webhook(source, hook)).transpose()?,
        allow_insecure_permissions,
        warnings: Vec::new(),
    };
    let warnings = warnings(&config, says_cleanup, &room_patterns);
    Ok(Config { warnings, ..config })
}

/// Every pattern of rooms in the file, under the key where it stands.
fn room_patterns(file: &ConfigFile) -> Vec<(String, String)> {
    let named = |key: String, patterns: &[String]| {
        patterns.iter().map(|pattern| (key.clone(), pattern.clone())).collect::<Vec<_>>()
    };
    let places = file.places.iter().flat_map(|one| named(format!("places `{}`", one.name), &one.rooms));
    let schedules = file.schedules.iter();
    let schedules =
        schedules.flat_map(|one| named(format!("schedules `{}`", one.name.get_ref()), &one.rooms));
    let grants = file.api.oidc.iter().flat_map(|oidc| &oidc.grants);
    let grants = grants.flat_map(|one| named(format!("api.oidc.grants `{}`", one.value), &one.rooms));
    places.chain(schedules).chain(grants).collect()
}

fn room_patterns_of(texts: &[String]) -> Vec<RoomPattern> {
    texts.iter().flat_map(|text| text.parse()).collect()
}

/// A week: longer than any grace, and far from overflowing anything.
const MINUTES_MAX: i64 = 7 * 24 * 60;
/// An hour: longer than any HTTP exchange is worth waiting for.
const SECONDS_MAX: u64 = 3_600;

fn minutes(source: &SourceText<'_>, value: &Spanned<i64>) -> Result<TimeDelta, ConfigError> {
    in_range_ref(source, value, 0, MINUTES_MAX).map(|minutes| TimeDelta::minutes(*minutes))
}

fn seconds(source: &SourceText<'_>, value: &Spanned<u64>) -> Result<Duration, ConfigError> {
    in_range_ref(source, value, 1, SECONDS_MAX).map(|seconds| Duration::from_secs(*seconds))
}

fn in_range<T: PartialOrd + Copy + std::fmt::Display>(
    source: &SourceText<'_>,
    value: &Spanned<T>,
    min: T,
    max: T,
) -> Result<T, ConfigError> {
    in_range_ref(source, value, min, max).copied()
}

fn in_range_ref<'v, T: PartialOrd + std::fmt::Display>(
    source: &SourceText<'_>,
    value: &'v Spanned<T>,
    min: T,
    max: T,
) -> Result<&'v T, ConfigError> {
    match value.get_ref() {
        fine if min <= *fine && *fine <= max => Ok(fine),
        other => Err(source.error_at(value, format!("{other} is not between {min} and {max}"))),
    }
}

#[cfg(test)]
mod tests;
