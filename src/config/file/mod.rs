//! The configuration file as it is written. Every key has its default here and nowhere else.

mod server;

use std::collections::BTreeMap;
use std::path::PathBuf;

use chrono::TimeDelta;
use serde::Deserialize;
pub(in crate::config) use serde_spanned::Spanned;

pub(in crate::config) use server::*;

use crate::api::ConnectionLimits;
use crate::cleanup::{CleanupMode, OnLastStrike, OnReappearance, ReleaseMethod};
use crate::live;
use crate::presence::SilenceLimits;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct ConfigFile {
    pub(in crate::config) allow_insecure_permissions: bool,
    pub(in crate::config) server: ServerSection,
    pub(in crate::config) connections: Vec<ServerSection>,
    pub(in crate::config) doctor: DoctorSection,
    pub(in crate::config) scope: ScopeSection,
    pub(in crate::config) engine: EngineSection,
    pub(in crate::config) journal: JournalSection,
    pub(in crate::config) cleanup: Option<CleanupSection>,
    pub(in crate::config) api: ApiSection,
    pub(in crate::config) schedules: Vec<ScheduleSection>,
    pub(in crate::config) webhook: Option<WebhookSection>,
    pub(in crate::config) places: Vec<RoomGroupSection>,
    pub(in crate::config) live: LiveSection,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct RoomGroupSection {
    pub(in crate::config) name: String,
    pub(in crate::config) rooms: Vec<String>,
    pub(in crate::config) mode: Option<CleanupMode>,
    pub(in crate::config) check_in: Option<bool>,
    pub(in crate::config) grace_minutes: Option<Spanned<i64>>,
    pub(in crate::config) early_minutes: Option<Spanned<i64>>,
    pub(in crate::config) presence_after_minutes: Option<Spanned<i64>>,
    pub(in crate::config) how: Option<ReleaseMethod>,
    pub(in crate::config) walk_in_grace_minutes: Option<Spanned<i64>>,
    pub(in crate::config) auto_check_in: Option<Vec<String>>,
    pub(in crate::config) strikes: Option<Spanned<u32>>,
    pub(in crate::config) strikes_then: Option<OnLastStrike>,
    pub(in crate::config) building: Option<String>,
    pub(in crate::config) time_zone: Option<Spanned<String>>,
    #[serde(default)]
    pub(in crate::config) names: BTreeMap<Spanned<String>, String>,
}

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct LiveSection {
    pub(in crate::config) by: live::TrackingMode,
    pub(in crate::config) ask_every_s: Spanned<u64>,
    pub(in crate::config) connections_max: Spanned<usize>,
}

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct ApiSection {
    pub(in crate::config) listen: Spanned<String>,
    pub(in crate::config) health_listen: Option<Spanned<String>>,
    pub(in crate::config) max_connections: Spanned<usize>,
    pub(in crate::config) max_unauthenticated_connections: Spanned<usize>,
    pub(in crate::config) max_unauthenticated_connections_per_address: Spanned<usize>,
    pub(in crate::config) subjects: bool,
    pub(in crate::config) state_age_s: Spanned<i64>,
    pub(in crate::config) deadline_s: Spanned<u64>,
    pub(in crate::config) warn_minutes: Spanned<i64>,
    pub(in crate::config) tls: Option<TlsSection>,
    pub(in crate::config) behind_proxy: bool,
    pub(in crate::config) oidc: Option<OidcSection>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct TlsSection {
    pub(in crate::config) cert_file: PathBuf,
    pub(in crate::config) key_file: PathBuf,
    pub(in crate::config) client_ca_file: Option<PathBuf>,
    pub(in crate::config) client_crl_file: Option<Spanned<PathBuf>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct WebhookSection {
    pub(in crate::config) url: Spanned<String>,
    pub(in crate::config) secret_file: PathBuf,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct OidcSection {
    pub(in crate::config) issuer: Spanned<String>,
    pub(in crate::config) audience: String,
    pub(in crate::config) jwks_url: Option<Spanned<String>>,
    pub(in crate::config) name_claim: Option<String>,
    pub(in crate::config) grants: Vec<GrantSection>,
    pub(in crate::config) console: Option<ConsoleSection>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct ConsoleSection {
    pub(in crate::config) client_id: String,
    pub(in crate::config) scope: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct GrantSection {
    pub(in crate::config) claim: String,
    pub(in crate::config) value: String,
    pub(in crate::config) rooms: Vec<String>,
    pub(in crate::config) rights: Spanned<Vec<String>>,
    #[serde(default = "default_per_minute")]
    pub(in crate::config) per_minute: Spanned<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct ScheduleSection {
    pub(in crate::config) name: Spanned<String>,
    pub(in crate::config) cron: Spanned<String>,
    pub(in crate::config) zone: Spanned<String>,
    #[serde(default)]
    pub(in crate::config) rooms: Vec<String>,
    #[serde(default = "zero_minutes")]
    pub(in crate::config) jitter_minutes: Spanned<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct DoctorSection {
    pub(in crate::config) out_of_scope: Vec<Spanned<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct ScopeSection {
    pub(in crate::config) rooms: Vec<Spanned<String>>,
    pub(in crate::config) domains: Vec<String>,
    pub(in crate::config) room_lists: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct EngineSection {
    pub(in crate::config) settle_ms: u64,
    pub(in crate::config) booking_subject: String,
    pub(in crate::config) forbid_irreversible: bool,
    pub(in crate::config) idempotency_key_ttl_hours: Spanned<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct JournalSection {
    pub(in crate::config) directory: Option<PathBuf>,
    pub(in crate::config) subjects: bool,
    pub(in crate::config) resume_within_s: Spanned<i64>,
    pub(in crate::config) give_up_after_s: Spanned<i64>,
    pub(in crate::config) head_interval_s: Spanned<u64>,
    pub(in crate::config) erase_personal_after_days: Option<Spanned<i64>>,
}

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct CleanupSection {
    pub(in crate::config) rooms_at_once: Spanned<usize>,
    pub(in crate::config) hours_ahead: Spanned<i64>,
    pub(in crate::config) mode: Option<CleanupMode>,
    pub(in crate::config) watching: WatchingSection,
    pub(in crate::config) no_check_in: Option<NoCheckInSection>,
    pub(in crate::config) cancelled_leftover: bool,
    pub(in crate::config) organizer_gone: Option<OrganizerGoneSection>,
    pub(in crate::config) came_back: OnReappearance,
    pub(in crate::config) exceptions: ExceptionsSection,
    pub(in crate::config) limits: LimitsSection,
}

/// How long sources of signs may be silent.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct WatchingSection {
    pub(in crate::config) display_silent_after_minutes: Spanned<i64>,
    pub(in crate::config) silent_after_minutes: Spanned<i64>,
    pub(in crate::config) sources: BTreeMap<String, Spanned<i64>>,
}

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct NoCheckInSection {
    pub(in crate::config) grace_minutes: Spanned<i64>,
    pub(in crate::config) early_minutes: Spanned<i64>,
    pub(in crate::config) presence_after_minutes: Spanned<i64>,
    pub(in crate::config) how: ReleaseMethod,
    pub(in crate::config) walk_in_grace_minutes: Spanned<i64>,
    pub(in crate::config) auto_check_in: Vec<String>,
    pub(in crate::config) strikes: Spanned<u32>,
    pub(in crate::config) strikes_then: OnLastStrike,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct OrganizerGoneSection {
    pub(in crate::config) domains: Spanned<Vec<String>>,
    #[serde(default = "default_release_by")]
    pub(in crate::config) how: Spanned<ReleaseMethod>,
}

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct ExceptionsSection {
    pub(in crate::config) all_day: bool,
    pub(in crate::config) longer_than_hours: Option<Spanned<i64>>,
    pub(in crate::config) shorter_than_minutes: Option<Spanned<i64>>,
    pub(in crate::config) created_within_minutes: Option<Spanned<i64>>,
    pub(in crate::config) organizers: Vec<String>,
    pub(in crate::config) private: bool,
}

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct LimitsSection {
    pub(in crate::config) actions_max: usize,
    pub(in crate::config) share_max: Spanned<f64>,
    pub(in crate::config) share_from: usize,
    pub(in crate::config) series_max: usize,
}

/// A value that stands nowhere in the file.
fn default<T>(value: T) -> Spanned<T> {
    Spanned::new(0..0, value)
}

/// As `adjourn key add` has it.
fn default_per_minute() -> Spanned<u32> {
    default(600)
}

fn default_release_by() -> Spanned<ReleaseMethod> {
    default(ReleaseMethod::Remove)
}

fn zero_minutes() -> Spanned<i64> {
    default(0)
}

impl Default for LiveSection {
    fn default() -> Self {
        let live::LiveOptions { best_mode: best, poll_interval: poll, connections_max, .. } =
            live::LiveOptions::default();
        Self { by: best, ask_every_s: default(poll.as_secs()), connections_max: default(connections_max) }
    }
}

impl Default for ApiSection {
    fn default() -> Self {
        let ConnectionLimits { total, unauthenticated, per_address } = ConnectionLimits::default();
        Self {
            health_listen: None,
            max_connections: default(total),
            max_unauthenticated_connections: default(unauthenticated),
            max_unauthenticated_connections_per_address: default(per_address.unwrap_or(unauthenticated)),
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

impl Default for EngineSection {
    fn default() -> Self {
        Self {
            settle_ms: 500,
            booking_subject: "Booked at the door".to_owned(),
            forbid_irreversible: false,
            // A key means a retry, and no device retries for longer; many count anew when they are switched on.
            idempotency_key_ttl_hours: default(24),
        }
    }
}

impl Default for JournalSection {
    fn default() -> Self {
        // Two minutes: as long as somebody may still stand at the door. An hour: longer than Exchange's failovers. An hour between
        // two heads: what is cut off unnoticed is younger. Personal values stay until the operator decides how long.
        Self {
            directory: None,
            subjects: false,
            resume_within_s: default(120),
            give_up_after_s: default(3600),
            head_interval_s: default(3600),
            erase_personal_after_days: None,
        }
    }
}

impl Default for CleanupSection {
    fn default() -> Self {
        Self {
            rooms_at_once: default(8),
            hours_ahead: default(24),
            mode: None,
            watching: WatchingSection::default(),
            no_check_in: None,
            cancelled_leftover: false,
            organizer_gone: None,
            came_back: OnReappearance::default(),
            exceptions: ExceptionsSection::default(),
            limits: LimitsSection::default(),
        }
    }
}

impl Default for WatchingSection {
    fn default() -> Self {
        let SilenceLimits { display, feed, feeds } = SilenceLimits::default();
        let minutes = |time: TimeDelta| default(time.num_minutes());
        Self {
            display_silent_after_minutes: minutes(display),
            silent_after_minutes: minutes(feed),
            sources: feeds.into_iter().map(|(name, time)| (name, minutes(time))).collect(),
        }
    }
}

impl Default for NoCheckInSection {
    fn default() -> Self {
        Self {
            grace_minutes: default(10),
            early_minutes: default(10),
            presence_after_minutes: default(0),
            how: ReleaseMethod::Decline,
            walk_in_grace_minutes: default(0),
            auto_check_in: Vec::new(),
            strikes: default(0),
            strikes_then: OnLastStrike::default(),
        }
    }
}

impl Default for ExceptionsSection {
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

impl Default for LimitsSection {
    fn default() -> Self {
        Self { actions_max: 100, share_max: default(0.5), share_from: 20, series_max: 3 }
    }
}
