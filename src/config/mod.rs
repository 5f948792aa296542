//! From file, environment and flags to one checked [`Config`]. What comes out cannot be wrong in form; whether the
//! server exists and lets us in is found out by asking it.
//!
//! Errors name the file, the line and the key. Times are whole minutes or seconds, as the key's ending says.

mod error;
mod file;
mod rules;
mod service;

use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::TimeDelta;

use crate::calendar::{RoomPattern, Scope};
use crate::cleanup::Rules;
use crate::engine;
pub use crate::exchange::ImpersonateBy;
use crate::peer::is_this_machine;
use crate::service::Schedule;

pub use error::ConfigError;
use error::Source;
use file::{File, Spanned};
use rules::{check_place, check_rules};
pub use service::{Api, Oidc, Webhook};
use service::{check_api, check_schedules, check_webhook};

/// Everything Adjourn goes by.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where Exchange is and who we are there; `None` when nobody said.
    pub server: Option<Server>,
    /// What may be touched.
    pub scope: Scope,
    /// Room lists whose members may be touched as well; asked of Exchange at start.
    pub room_lists: Vec<String>,
    /// How actions are performed.
    pub engine: engine::Options,
    /// Where the journal is kept; `None`: in the default directory.
    pub journal: Journal,
    /// How sweeps judge.
    pub rules: Rules,
    /// How many rooms a sweep works on at once.
    pub rooms_at_once: usize,
    /// How far ahead a sweep looks.
    pub ahead: TimeDelta,
    /// How the service is reached.
    pub api: Api,
    /// When sweeps run by themselves.
    pub schedules: Vec<Schedule>,
    /// Who is told what happens.
    pub webhook: Option<Webhook>,
}

/// Where Exchange is and who we are there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// `https://…/EWS/Exchange.asmx`.
    pub url: String,
    /// The service account, as `DOMAIN\name` or `name@domain`.
    pub username: String,
    /// Where its password is.
    pub password: PasswordSource,
    /// More certificates to trust, in PEM.
    pub ca_file: Option<PathBuf>,
    /// How long a connection may take to come up, TLS included.
    pub connect_timeout: Duration,
    /// How long the server may think before its first byte.
    pub first_byte_timeout: Duration,
    /// How long a whole answer may take.
    pub answer_timeout: Duration,
    /// How long one operation may take with all its waiting, when Exchange is busy.
    pub patience: Duration,
    /// How rooms are named in `ExchangeImpersonation`.
    pub impersonate_by: ImpersonateBy,
    /// Requests under way at once to one room. Exchange budgets each mailbox; 2 never troubles it.
    pub per_room: usize,
    /// Requests under way at once to the server.
    pub per_server: usize,
}

/// The journal on disk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Journal {
    /// The state directory.
    pub directory: Option<PathBuf>,
}

/// Where a password is. Never the password itself: a configuration is printed, mailed and committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PasswordSource {
    /// In a file, up to its first line end.
    File(PathBuf),
    /// In an environment variable.
    Environment(String),
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
}

/// The variable that holds the password when the configuration names no other place.
pub const PASSWORD_VARIABLE: &str = "ADJOURN_PASSWORD";

impl Config {
    /// Reads the file, if there is one, and checks everything.
    pub fn load(path: Option<&Path>, overrides: Overrides) -> Result<Self, ConfigError> {
        let text = match path {
            None => String::new(),
            Some(path) => std::fs::read_to_string(path)
                .map_err(|error| ConfigError::Unreadable { path: path.to_owned(), error })?,
        };
        Self::parse(path, &text, overrides)
    }

    /// Checks the text of a configuration file.
    pub fn parse(path: Option<&Path>, text: &str, overrides: Overrides) -> Result<Self, ConfigError> {
        let source = Source { path, text };
        let file: File = toml::from_str(text).map_err(|error| source.syntax(&error))?;
        check(&source, file, overrides)
    }
}

fn check(source: &Source<'_>, file: File, overrides: Overrides) -> Result<Config, ConfigError> {
    let mut rooms = Vec::new();
    for room in &file.scope.rooms {
        rooms.push(room.get_ref().parse().map_err(|error| source.at(room, error))?);
    }
    for room in &overrides.rooms {
        rooms.push(room.parse().map_err(|error| ConfigError::flag("--in-scope", error))?);
    }
    let cleanup = file.cleanup;
    let places = file.places.into_iter().map(|place| check_place(source, place)).collect::<Result<_, _>>()?;
    let directory = overrides.state_dir.clone().or(file.journal.directory);
    let resume_within = checked(source, &file.journal.resume_within_s, 0, 24 * 3600)?;
    let give_up_after = checked(source, &file.journal.give_up_after_s, 0, 30 * 24 * 3600)?;
    Ok(Config {
        server: check_server(source, file.server, overrides)?,
        scope: Scope::new(rooms, file.scope.domains),
        room_lists: file.scope.room_lists,
        engine: engine::Options {
            settle: Duration::from_millis(file.engine.settle_ms),
            forbid_irreversible: file.engine.forbid_irreversible,
            resume_within: TimeDelta::seconds(resume_within),
            give_up_after: TimeDelta::seconds(give_up_after),
            journal_subjects: file.journal.subjects,
            booking_subject: file.engine.booking_subject,
            ..engine::Options::default()
        },
        journal: Journal { directory },
        rooms_at_once: checked(source, &cleanup.rooms_at_once, 1, 1_000)?,
        ahead: TimeDelta::hours(checked(source, &cleanup.hours_ahead, 1, 24 * 366)?),
        rules: check_rules(source, cleanup, places)?,
        api: check_api(source, &file.api)?,
        schedules: check_schedules(source, file.schedules)?,
        webhook: file.webhook.map(|hook| check_webhook(source, hook)).transpose()?,
    })
}

fn check_server(
    source: &Source<'_>,
    file: file::Server,
    overrides: Overrides,
) -> Result<Option<Server>, ConfigError> {
    let url = match (overrides.url, &file.url) {
        (Some(url), _) => check_url(&url).map_err(|error| ConfigError::flag("--url", error))?,
        (None, Some(url)) => check_url(url.get_ref()).map_err(|error| source.at(url, error))?,
        (None, None) => return Ok(None),
    };
    let username = overrides.username.or(file.username).ok_or_else(|| source.missing("server.username"))?;
    let password = match (file.password_file, file.password_env) {
        (Some(file), None) => PasswordSource::File(file),
        (None, env) => PasswordSource::Environment(env.unwrap_or_else(|| PASSWORD_VARIABLE.to_owned())),
        (Some(_), Some(_)) => {
            return Err(source.missing("only one of server.password_file and server.password_env"));
        }
    };
    Ok(Some(Server {
        url,
        username,
        password,
        ca_file: overrides.ca_file.or(file.ca_file),
        connect_timeout: seconds(source, &file.connect_timeout_s)?,
        first_byte_timeout: seconds(source, &file.first_byte_timeout_s)?,
        answer_timeout: seconds(source, &file.answer_timeout_s)?,
        patience: seconds(source, &file.patience_s)?,
        impersonate_by: file.impersonate_by,
        per_room: checked(source, &file.requests_per_room, 1, 27)?,
        per_server: checked(source, &file.requests_at_once, 1, 1_000)?,
    }))
}

/// Plain `http` is let through for this machine only: Basic credentials would cross the network readable.
fn check_url(url: &str) -> Result<String, String> {
    let uri: http::Uri = url.parse().map_err(|error| format!("`{url}` is not a URL: {error}"))?;
    let host = uri.host().unwrap_or_default();
    match uri.scheme_str() {
        Some("https") if !host.is_empty() => Ok(url.to_owned()),
        Some("http") if is_this_machine(host) => Ok(url.to_owned()),
        Some("http") => Err(format!("`{url}` would send the password readable over the network; use https")),
        _ => Err(format!("`{url}` is not of the form https://host/EWS/Exchange.asmx")),
    }
}

fn patterns(texts: &[String]) -> Vec<RoomPattern> {
    texts.iter().flat_map(|text| text.parse()).collect()
}

/// A week: longer than any grace, and far from overflowing anything.
const MINUTES_MAX: i64 = 7 * 24 * 60;
/// An hour: longer than any HTTP exchange is worth waiting for.
const SECONDS_MAX: u64 = 3_600;

fn minutes(source: &Source<'_>, value: &Spanned<i64>) -> Result<TimeDelta, ConfigError> {
    checked_ref(source, value, 0, MINUTES_MAX).map(|minutes| TimeDelta::minutes(*minutes))
}

fn seconds(source: &Source<'_>, value: &Spanned<u64>) -> Result<Duration, ConfigError> {
    checked_ref(source, value, 1, SECONDS_MAX).map(|seconds| Duration::from_secs(*seconds))
}

fn checked<T: PartialOrd + Copy + std::fmt::Display>(
    source: &Source<'_>,
    value: &Spanned<T>,
    min: T,
    max: T,
) -> Result<T, ConfigError> {
    checked_ref(source, value, min, max).copied()
}

fn checked_ref<'v, T: PartialOrd + std::fmt::Display>(
    source: &Source<'_>,
    value: &'v Spanned<T>,
    min: T,
    max: T,
) -> Result<&'v T, ConfigError> {
    match value.get_ref() {
        fine if min <= *fine && *fine <= max => Ok(fine),
        other => Err(source.at(value, format!("{other} is not between {min} and {max}"))),
    }
}

#[cfg(test)]
mod tests;
