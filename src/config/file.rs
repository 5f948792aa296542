//! The configuration file as it is written. Every key has its default here and nowhere else.

use std::path::PathBuf;

use serde::Deserialize;
pub(super) use serde_spanned::Spanned;

use super::ImpersonateBy;
use crate::cleanup::{CameBack, How, StrikesThen};

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct File {
    pub(super) server: Server,
    pub(super) scope: Scope,
    pub(super) engine: Engine,
    pub(super) journal: Journal,
    pub(super) cleanup: Cleanup,
    pub(super) api: Api,
    pub(super) schedules: Vec<Schedule>,
    pub(super) webhook: Option<Webhook>,
    pub(super) places: Vec<Place>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Place {
    pub(super) name: String,
    pub(super) rooms: Vec<String>,
    pub(super) check_in: Option<bool>,
    pub(super) grace_minutes: Option<Spanned<i64>>,
    pub(super) early_minutes: Option<Spanned<i64>>,
    pub(super) presence_after_minutes: Option<Spanned<i64>>,
    pub(super) how: Option<How>,
    pub(super) walk_in_grace_minutes: Option<Spanned<i64>>,
    pub(super) auto_check_in: Option<Vec<String>>,
    pub(super) strikes: Option<Spanned<u32>>,
    pub(super) strikes_then: Option<StrikesThen>,
}

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Api {
    pub(super) listen: Spanned<String>,
    pub(super) subjects: bool,
    pub(super) state_age_s: Spanned<i64>,
    pub(super) deadline_s: Spanned<u64>,
    pub(super) warn_minutes: Spanned<i64>,
    pub(super) tls: Option<Tls>,
    pub(super) behind_proxy: bool,
    pub(super) oidc: Option<Oidc>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tls {
    pub(super) cert_file: PathBuf,
    pub(super) key_file: PathBuf,
    pub(super) client_ca_file: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Webhook {
    pub(super) url: Spanned<String>,
    pub(super) secret_file: PathBuf,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Oidc {
    pub(super) issuer: Spanned<String>,
    pub(super) audience: String,
    pub(super) jwks_url: Option<Spanned<String>>,
    pub(super) name_claim: Option<String>,
    pub(super) grants: Vec<Grant>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Grant {
    pub(super) claim: String,
    pub(super) value: String,
    pub(super) rooms: Vec<String>,
    pub(super) rights: Spanned<Vec<String>>,
    #[serde(default = "per_minute")]
    pub(super) per_minute: Spanned<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Schedule {
    pub(super) name: Spanned<String>,
    pub(super) cron: Spanned<String>,
    pub(super) zone: Spanned<String>,
    #[serde(default)]
    pub(super) rooms: Vec<String>,
    #[serde(default = "no_minutes")]
    pub(super) jitter_minutes: Spanned<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Server {
    pub(super) url: Option<Spanned<String>>,
    pub(super) username: Option<String>,
    pub(super) password_file: Option<PathBuf>,
    pub(super) password_env: Option<String>,
    pub(super) ca_file: Option<PathBuf>,
    pub(super) connect_timeout_s: Spanned<u64>,
    pub(super) first_byte_timeout_s: Spanned<u64>,
    pub(super) answer_timeout_s: Spanned<u64>,
    pub(super) patience_s: Spanned<u64>,
    pub(super) impersonate_by: ImpersonateBy,
    pub(super) requests_per_room: Spanned<usize>,
    pub(super) requests_at_once: Spanned<usize>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Scope {
    pub(super) rooms: Vec<Spanned<String>>,
    pub(super) domains: Vec<String>,
    pub(super) room_lists: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Engine {
    pub(super) settle_ms: u64,
    pub(super) booking_subject: String,
    pub(super) forbid_irreversible: bool,
}

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Journal {
    pub(super) directory: Option<PathBuf>,
    pub(super) subjects: bool,
    pub(super) resume_within_s: Spanned<i64>,
    pub(super) give_up_after_s: Spanned<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Cleanup {
    pub(super) rooms_at_once: Spanned<usize>,
    pub(super) hours_ahead: Spanned<i64>,
    pub(super) no_check_in: Option<NoCheckIn>,
    pub(super) cancelled_leftover: bool,
    pub(super) organizer_gone: Option<OrganizerGone>,
    pub(super) came_back: CameBack,
    pub(super) exceptions: Exceptions,
    pub(super) limits: Limits,
}

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct NoCheckIn {
    pub(super) grace_minutes: Spanned<i64>,
    pub(super) early_minutes: Spanned<i64>,
    pub(super) presence_after_minutes: Spanned<i64>,
    pub(super) how: How,
    pub(super) walk_in_grace_minutes: Spanned<i64>,
    pub(super) auto_check_in: Vec<String>,
    pub(super) strikes: Spanned<u32>,
    pub(super) strikes_then: StrikesThen,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OrganizerGone {
    pub(super) domains: Spanned<Vec<String>>,
    #[serde(default = "remove")]
    pub(super) how: Spanned<How>,
}

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Exceptions {
    pub(super) all_day: bool,
    pub(super) longer_than_hours: Option<Spanned<i64>>,
    pub(super) shorter_than_minutes: Option<Spanned<i64>>,
    pub(super) created_within_minutes: Option<Spanned<i64>>,
    pub(super) organizers: Vec<String>,
    pub(super) private: bool,
}

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Limits {
    pub(super) actions_max: usize,
    pub(super) share_max: Spanned<f64>,
    pub(super) share_from: usize,
    pub(super) series_max: usize,
}

/// A value that stands nowhere in the file.
fn default<T>(value: T) -> Spanned<T> {
    Spanned::new(0..0, value)
}

/// As `adjourn key add` has it.
fn per_minute() -> Spanned<u32> {
    default(600)
}

fn remove() -> Spanned<How> {
    default(How::Remove)
}

fn no_minutes() -> Spanned<i64> {
    default(0)
}

impl Default for Api {
    fn default() -> Self {
        Self {
            // This machine only: what is reachable from elsewhere, the administrator says.
            listen: default("127.0.0.1:8480".to_owned()),
            subjects: false,
            // A display that asks every ten seconds sees a change within half a minute.
            state_age_s: default(15),
            deadline_s: default(10),
            warn_minutes: default(3),
            tls: None,
            behind_proxy: false,
            oidc: None,
        }
    }
}

impl Default for Server {
    fn default() -> Self {
        Self {
            url: None,
            username: None,
            password_file: None,
            password_env: None,
            ca_file: None,
            connect_timeout_s: default(10),
            // EWS cuts a batch after a minute; a second minute is for the way.
            first_byte_timeout_s: default(60),
            patience_s: default(600),
            answer_timeout_s: default(120),
            impersonate_by: ImpersonateBy::default(),
            requests_per_room: default(2),
            // Below Exchange's EWSMaxConcurrency of 27 (10 on Exchange 2010), with room for the account's other users.
            requests_at_once: default(10),
        }
    }
}

impl Default for Engine {
    fn default() -> Self {
        Self { settle_ms: 500, booking_subject: "Booked at the door".to_owned(), forbid_irreversible: false }
    }
}

impl Default for Journal {
    fn default() -> Self {
        // Two minutes: as long as somebody may still stand at the door. An hour: longer than Exchange's failovers.
        Self {
            directory: None,
            subjects: false,
            resume_within_s: default(120),
            give_up_after_s: default(3600),
        }
    }
}

impl Default for Cleanup {
    fn default() -> Self {
        Self {
            rooms_at_once: default(8),
            hours_ahead: default(24),
            no_check_in: None,
            cancelled_leftover: false,
            organizer_gone: None,
            came_back: CameBack::default(),
            exceptions: Exceptions::default(),
            limits: Limits::default(),
        }
    }
}

impl Default for NoCheckIn {
    fn default() -> Self {
        Self {
            grace_minutes: default(10),
            early_minutes: default(10),
            presence_after_minutes: default(0),
            how: How::Decline,
            walk_in_grace_minutes: default(0),
            auto_check_in: Vec::new(),
            strikes: default(0),
            strikes_then: StrikesThen::default(),
        }
    }
}

impl Default for Exceptions {
    fn default() -> Self {
        Self {
            all_day: true,
            longer_than_hours: Some(default(8)),
            shorter_than_minutes: None,
            created_within_minutes: Some(default(10)),
            organizers: Vec::new(),
            private: false,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { actions_max: 100, share_max: default(0.5), share_from: 20, series_max: 3 }
    }
}
