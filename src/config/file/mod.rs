//! The tables of `adjourn.toml`, exactly as they are written: one type for each table, one field for each key. The doc comment of
//! a field is the text of that key in `docs/configuration.md` (`adjourn config reference`), so it is written for operators.
//!
//! Nothing here is checked beyond its type and its limits, and no default is chosen here: defaults come from the types that use
//! the values (the engine, the rules, the service, the API).

mod server;
mod value;

use std::collections::BTreeMap;
use std::path::PathBuf;

use chrono::TimeDelta;
use schemars::JsonSchema;
use serde::Deserialize;

pub(in crate::config) use server::*;
pub(in crate::config) use value::{Bounded, Fraction, Located, Minutes, TimeoutSeconds};

use crate::access::DEFAULT_PER_MINUTE;
use crate::api::{ApiOptions, ConnectionLimits, DEFAULT_LISTEN};
use crate::cleanup::{self, CleanupMode, OnLastStrike, OnReappearance, ReleaseMethod, SweepLimits};
use crate::engine::EngineOptions;
use crate::live::{LiveOptions, TrackingMode};
use crate::presence::SilenceLimits;
use crate::service::{JournalMaintenance, ServiceOptions};

/// The configuration file.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct ConfigFile {
    /// Warns, instead of refusing to start, when a file with a secret or the state directory can be read or changed by other
    /// users. Leave it off outside of tests.
    pub(in crate::config) allow_insecure_permissions: bool,
    /// The Exchange where the rooms are, and how Adjourn signs in there. Rooms that are elsewhere belong to a `[[connections]]`.
    pub(in crate::config) server: ServerSection,
    /// Further Exchanges, each with its own rooms, credentials and limits: the keys of `[server]`, and two more.
    pub(in crate::config) connections: Vec<ServerSection>,
    /// What `adjourn doctor` proves.
    pub(in crate::config) doctor: DoctorSection,
    /// The rooms that Adjourn may act in. It refuses every other mailbox, whatever rights the account has at Exchange.
    pub(in crate::config) scope: ScopeSection,
    /// How actions are carried out.
    pub(in crate::config) engine: EngineSection,
    /// The journal: the record of all actions, kept in the state directory.
    pub(in crate::config) journal: JournalSection,
    /// The rules by which sweeps and the service release rooms. Every rule is off until it is written.
    pub(in crate::config) cleanup: Option<CleanupSection>,
    /// The HTTP service (`adjourn serve`).
    pub(in crate::config) api: ApiSection,
    /// Sweeps that the service starts by itself. A run that was missed while the service was down is made up for once.
    pub(in crate::config) schedules: Vec<ScheduleSection>,
    /// An HTTP endpoint that receives every notice, signed.
    pub(in crate::config) webhook: Option<WebhookSection>,
    /// Settings that differ in some rooms. Where several groups include a room, the last one that sets a key wins.
    pub(in crate::config) room_groups: Vec<RoomGroupSection>,
    /// How the service keeps track of the rooms' calendars.
    pub(in crate::config) live: LiveSection,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct RoomGroupSection {
    /// Name of the group, as `adjourn config explain` shows it.
    #[schemars(example = &"Berlin")]
    pub(in crate::config) name: String,
    /// The rooms of the group: SMTP addresses, or patterns with `*` and `?`.
    #[schemars(example = ["berlin-*@example.com"])]
    pub(in crate::config) rooms: Vec<String>,
    /// `cleanup.mode` in these rooms.
    #[schemars(example = &"act")]
    pub(in crate::config) mode: Option<CleanupMode>,
    /// Turns the rule `no_check_in` on or off in these rooms.
    #[schemars(example = true)]
    pub(in crate::config) check_in: Option<bool>,
    /// `cleanup.no_check_in.grace_minutes` in these rooms.
    #[schemars(example = 15)]
    pub(in crate::config) grace_minutes: Option<Minutes>,
    /// `cleanup.no_check_in.early_minutes` in these rooms.
    #[schemars(example = 5)]
    pub(in crate::config) early_minutes: Option<Minutes>,
    /// `cleanup.no_check_in.presence_after_minutes` in these rooms.
    #[schemars(example = 4)]
    pub(in crate::config) presence_after_minutes: Option<Minutes>,
    /// `cleanup.no_check_in.release_by` in these rooms.
    #[schemars(example = &"end")]
    pub(in crate::config) release_by: Option<ReleaseMethod>,
    /// `cleanup.no_check_in.walk_in_grace_minutes` in these rooms.
    #[schemars(example = 20)]
    pub(in crate::config) walk_in_grace_minutes: Option<Minutes>,
    /// `cleanup.no_check_in.auto_check_in` in these rooms. It replaces the list, so an empty list exempts no organizer.
    #[schemars(example = ["board@example.com"])]
    pub(in crate::config) auto_check_in: Option<Vec<String>>,
    /// `cleanup.no_check_in.strikes` in these rooms.
    #[schemars(example = 2)]
    pub(in crate::config) strikes: Option<Strikes>,
    /// `cleanup.no_check_in.on_last_strike` in these rooms.
    #[schemars(example = &"delete")]
    pub(in crate::config) on_last_strike: Option<OnLastStrike>,
    /// Building of these rooms, shown by the API and the console. Sensor feeds watch the rooms of one building.
    #[schemars(example = &"Berlin, Mitte")]
    pub(in crate::config) building: Option<String>,
    /// Time zone of these rooms, by its IANA name. Displays show times in it.
    #[schemars(example = &"Europe/Berlin")]
    pub(in crate::config) time_zone: Option<Located<String>>,
    /// Names of rooms by SMTP address, shown by the API and the console.
    #[serde(default)]
    #[schemars(example = names_example())]
    pub(in crate::config) names: BTreeMap<Located<String>, String>,
}

/// Dates of a series in a row.
pub(in crate::config) type Strikes = Bounded<0, 100>;

fn names_example() -> BTreeMap<&'static str, &'static str> {
    BTreeMap::from([("berlin-1@example.com", "Spree")])
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct LiveSection {
    /// Best way to learn of changes that the service tries: `streaming` (Exchange sends notifications), `sync` (it polls for
    /// changes), `view` (it reads the calendar again), or `on-demand` (no tracking: a calendar is read when a caller asks for the
    /// room). Where Exchange refuses one, the service falls back to the next.
    pub(in crate::config) mode: TrackingMode,
    /// Time between two polls of a room that has no notification stream.
    pub(in crate::config) poll_interval_s: Bounded<5, 3_600>,
    /// Streaming connections to Exchange at once. Rooms beyond them are polled.
    pub(in crate::config) max_streaming_connections: Bounded<0, 1_000>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct ApiSection {
    /// Address and port on which the service listens. Beyond this machine it needs `tls` or `behind_proxy`.
    #[schemars(example = &"0.0.0.0:8480")]
    pub(in crate::config) listen: Located<String>,
    /// Address and port of a second listener, plain HTTP, that serves `/healthz` and `/readyz` only. Without it they are served
    /// on `listen` alone.
    #[schemars(example = &"127.0.0.1:8481")]
    pub(in crate::config) health_listen: Option<Located<String>>,
    /// Open connections in all. Lowered at start, with a warning, when the process may open too few files.
    pub(in crate::config) max_connections: Bounded<16, 100_000>,
    /// Open connections without a valid key 10 s after they began, 4 to half of `max_connections`. Beyond it the oldest idle one
    /// is closed.
    pub(in crate::config) max_unauthenticated_connections: Located<usize>,
    /// The same from one IPv4 address or IPv6 /64, 1 to `max_unauthenticated_connections`. Ignored with `behind_proxy`.
    pub(in crate::config) max_unauthenticated_connections_per_address: Located<usize>,
    /// Shows subjects and organizers of events that are not private.
    pub(in crate::config) show_subjects: bool,
    /// Age up to which a room's state is shown without reading its calendar again. A display that asks every ten seconds then
    /// sees a change within half a minute.
    pub(in crate::config) max_state_age_s: Bounded<0, 3_600>,
    /// Time within which the service answers a request that names no `Prefer: wait`. An action that is not finished then is
    /// answered with `202` and its address, a room with its last known state, everything else with `503`.
    pub(in crate::config) deadline_s: Bounded<1, 60>,
    /// Time between the notice `release-warning` and the release of a room.
    pub(in crate::config) release_warning_minutes: Minutes,
    /// TLS for callers. Without it the service speaks plain HTTP.
    pub(in crate::config) tls: Option<TlsSection>,
    /// A reverse proxy in front of the service ends TLS, so every caller has the proxy's address.
    pub(in crate::config) behind_proxy: bool,
    /// Accepts tokens of an OpenID provider besides API keys.
    pub(in crate::config) oidc: Option<OidcSection>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct TlsSection {
    /// PEM file with the service's certificate and its chain. The service reads it again when it is renewed.
    #[schemars(example = &"/etc/adjourn/cert.pem")]
    pub(in crate::config) cert_file: PathBuf,
    /// PEM file with the private key of that certificate.
    #[schemars(example = &"/etc/adjourn/key.pem")]
    pub(in crate::config) key_file: PathBuf,
    /// PEM file with the certificate authorities whose client certificates the service accepts. With it, callers are asked for a
    /// certificate.
    #[schemars(example = &"/etc/adjourn/clients-ca.pem")]
    pub(in crate::config) client_ca_file: Option<PathBuf>,
    /// PEM file with the revocation lists of those authorities, one list for each. Needs `client_ca_file`.
    #[schemars(example = &"/etc/adjourn/clients.crl.pem")]
    pub(in crate::config) client_crl_file: Option<Located<PathBuf>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct WebhookSection {
    /// URL that receives a `POST` for every notice. It begins with `https://`, or points to this machine.
    #[schemars(example = &"https://hooks.example.com/adjourn")]
    pub(in crate::config) url: Located<String>,
    /// File with the secret that signs each request (`Adjourn-Signature`, HMAC-SHA-256).
    #[schemars(example = &"/etc/adjourn/webhook-secret")]
    pub(in crate::config) secret_file: PathBuf,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct OidcSection {
    /// Issuer of the tokens, exactly as their claim `iss`. The service fetches its description from there, unless `jwks_url` is
    /// set.
    #[schemars(example = &"https://login.example.com/tenant/v2.0")]
    pub(in crate::config) issuer: Located<String>,
    /// Audience of the tokens, exactly as their claim `aud`.
    #[schemars(example = &"api://adjourn")]
    pub(in crate::config) audience: String,
    /// URL of the issuer's signing keys, for a provider that has no description.
    #[schemars(example = &"https://login.example.com/keys")]
    pub(in crate::config) jwks_url: Option<Located<String>>,
    /// Claim that names the caller in the journal.
    #[schemars(example = &"preferred_username")]
    pub(in crate::config) name_claim: Option<String>,
    /// Rights of the tokens. The first grant whose claim fits a token holds; a token that fits none is refused.
    pub(in crate::config) grants: Vec<GrantSection>,
    /// Lets people sign in to the console with this provider.
    pub(in crate::config) console: Option<ConsoleSection>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct ConsoleSection {
    /// Client id of the console at the provider: a public client with PKCE.
    #[schemars(example = &"adjourn-console")]
    pub(in crate::config) client_id: String,
    /// Scopes that the console requests, separated by blanks.
    #[schemars(example = &"openid api://adjourn/console")]
    pub(in crate::config) scope: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct GrantSection {
    /// Name of the claim.
    #[schemars(example = &"roles")]
    pub(in crate::config) claim: String,
    /// Value of the claim, or one of its values.
    #[schemars(example = &"Display")]
    pub(in crate::config) value: String,
    /// Rooms in which the rights hold: SMTP addresses, or patterns with `*` and `?`.
    #[schemars(example = ["berlin-*@example.com"])]
    pub(in crate::config) rooms: Vec<String>,
    /// Rights that the token has there, by the names that `adjourn key add` takes.
    #[schemars(example = ["read", "end", "check-in"])]
    pub(in crate::config) rights: Located<Vec<String>>,
    /// Requests a minute that one holder of such a token may send.
    #[serde(default = "default_per_minute")]
    pub(in crate::config) per_minute: Bounded<1, 4_294_967_295>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct ScheduleSection {
    /// Name of the schedule, unique. The journal names it as the one who asked.
    #[schemars(example = &"night")]
    pub(in crate::config) name: Located<String>,
    /// When the sweep runs: a cron expression of five fields.
    #[schemars(example = &"30 2 * * *")]
    pub(in crate::config) cron: Located<String>,
    /// Time zone of the expression, by its IANA name.
    #[schemars(example = &"Europe/Berlin")]
    pub(in crate::config) time_zone: Located<String>,
    /// Rooms that the sweep looks at: SMTP addresses, or patterns with `*` and `?`. Empty: all rooms in scope.
    #[serde(default)]
    #[schemars(example = ["berlin-*@example.com"])]
    pub(in crate::config) rooms: Vec<String>,
    /// Time over which starts are spread, so that not all sites begin at once.
    #[serde(default = "zero_minutes")]
    pub(in crate::config) jitter_minutes: Minutes,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct DoctorSection {
    /// Mailboxes that Exchange must refuse to the account. `adjourn doctor` fails when it can act in one of them.
    #[schemars(example = ["ceo@example.com"])]
    pub(in crate::config) out_of_scope: Vec<Located<String>>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct ScopeSection {
    /// SMTP addresses of rooms; no patterns.
    #[schemars(example = ["room1@example.com", "room2@example.com"])]
    pub(in crate::config) rooms: Vec<Located<String>>,
    /// Mail domains of which every mailbox is in scope. Their rooms are read on demand, since Adjourn does not know which there
    /// are.
    #[schemars(example = ["rooms.example.com"])]
    pub(in crate::config) domains: Vec<String>,
    /// SMTP addresses of room lists whose members are in scope. Adjourn reads them from Exchange at start, in the name of the
    /// first room in `rooms`.
    #[schemars(example = ["berlin-rooms@example.com"])]
    pub(in crate::config) room_lists: Vec<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct EngineSection {
    /// Time to wait before looking up what became of a write whose reply was lost. Longer is surer and slower.
    pub(in crate::config) verify_delay_ms: u64,
    /// Subject of a booking made at the door. People read it in Outlook and on displays.
    pub(in crate::config) booking_subject: String,
    /// Refuses actions that cannot be undone: sent declines and cancellations, and removing one date of a series.
    pub(in crate::config) forbid_irreversible: bool,
    /// How long an idempotency key is remembered. Afterwards the same key is a new request.
    pub(in crate::config) idempotency_key_ttl_hours: Bounded<1, 720>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct JournalSection {
    /// The state directory. Not set: systemd's `StateDirectory`, else the user's state directory. One process at a time owns it.
    #[schemars(example = &"/var/lib/adjourn")]
    pub(in crate::config) directory: Option<PathBuf>,
    /// Keeps subjects and organizers' display names in the journal.
    pub(in crate::config) record_subjects: bool,
    /// Age up to which an interrupted action is still carried out after a restart. An older one is closed as `interrupted` if
    /// nothing had happened, since the person at the door has left by then.
    pub(in crate::config) resume_within_s: Bounded<0, 86_400>,
    /// How long an action stays open while Exchange cannot be asked what became of it. Then it ends as `needs-attention`.
    pub(in crate::config) give_up_after_s: Bounded<0, 2_592_000>,
    /// Time between two reports of the journal's last number and hash to the log and the webhook. What is cut off the journal
    /// unnoticed is younger than this.
    pub(in crate::config) head_interval_s: Bounded<60, 86_400>,
    /// Age at which names, addresses and reasons are erased from the journal. Not set: they stay until `adjourn audit erase`.
    #[schemars(example = 90)]
    pub(in crate::config) erase_personal_after_days: Option<Bounded<1, 36_500>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct CleanupSection {
    /// Rooms that a sweep works on at once.
    pub(in crate::config) max_concurrent_rooms: Bounded<1, 1_000>,
    /// How far ahead a sweep looks.
    pub(in crate::config) horizon_hours: Bounded<1, 8_784>,
    /// What the service does with its own decisions: `observe` records and announces them, `act` carries them out. Not set: the
    /// service observes, and `adjourn cleanup --apply` acts. With `observe`, `cleanup --apply` is refused.
    #[schemars(example = &"observe")]
    pub(in crate::config) mode: Option<CleanupMode>,
    /// How long a source of evidence may be silent and still count as alive. A room that no live source watches keeps its
    /// meetings.
    pub(in crate::config) evidence: EvidenceSection,
    /// The rule on meetings without a check-in or another sign of presence.
    pub(in crate::config) no_check_in: Option<NoCheckInSection>,
    /// The rule on cancelled meetings: removes an event that its organizer cancelled and that still stands in the room's
    /// calendar.
    pub(in crate::config) cancelled_leftover: bool,
    /// The rule on organizers who left: removes events whose organizer the directory does not find.
    pub(in crate::config) organizer_gone: Option<OrganizerGoneSection>,
    /// What to do with an event that was released before and is there again, such as after Exchange's calendar repair: `report`
    /// leaves it and lists it in the plan, `respect` leaves it, `repeat` releases it once more.
    pub(in crate::config) on_reappearance: OnReappearance,
    /// Events that sweeps leave alone. The rule on cancelled meetings ignores them.
    pub(in crate::config) exceptions: ExceptionsSection,
    /// What one sweep may touch at most. A sweep that would touch more touches nothing: a silent sensor feed looks like an empty
    /// building.
    pub(in crate::config) limits: LimitsSection,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct EvidenceSection {
    /// Silence after which a display no longer watches its door.
    pub(in crate::config) display_silent_after_minutes: Minutes,
    /// Silence after which a sensor feed no longer watches its rooms.
    pub(in crate::config) source_silent_after_minutes: Minutes,
    /// The same for feeds by name. They are added to the default.
    pub(in crate::config) sources: BTreeMap<String, Minutes>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct NoCheckInSection {
    /// Time after the start of a meeting within which people may still come.
    pub(in crate::config) grace_minutes: Minutes,
    /// Time before the start from which a check-in counts.
    pub(in crate::config) early_minutes: Minutes,
    /// Time after the start from which a sensor signal that names no event counts. Before it, people who leave look like people
    /// who come. 0: such a signal counts as early as a check-in.
    pub(in crate::config) presence_after_minutes: Minutes,
    /// What to do with an abandoned meeting: `decline` sends the organizer a decline, `remove` moves the event to
    /// Deleted Items without a message, `end` ends it now. A sent decline cannot be undone.
    pub(in crate::config) release_by: ReleaseMethod,
    /// Grace of meetings booked shortly before their start (`cleanup.exceptions.created_within_minutes`). 0: they are never
    /// released.
    pub(in crate::config) walk_in_grace_minutes: Minutes,
    /// SMTP addresses of organizers who need not check in.
    #[schemars(example = ["boss@example.com"])]
    pub(in crate::config) auto_check_in: Vec<String>,
    /// Dates of a series in a row that may be missed before `on_last_strike` applies. 0: dates are not counted.
    #[schemars(example = 3)]
    pub(in crate::config) strikes: Strikes,
    /// What to do at the last strike: `report` releases the date and sends a notice, `delete` takes the whole series off the
    /// room's calendar.
    pub(in crate::config) on_last_strike: OnLastStrike,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct OrganizerGoneSection {
    /// The organization's own mail domains. Only organizers in one of them can be known to be gone.
    #[schemars(example = ["example.com"])]
    pub(in crate::config) domains: Located<Vec<String>>,
    /// What to do with their events: `remove` or `decline`. `end` is refused, since most of these events lie ahead.
    #[serde(default = "default_release_by")]
    pub(in crate::config) release_by: Located<ReleaseMethod>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct ExceptionsSection {
    /// Leaves all-day events alone.
    pub(in crate::config) all_day: bool,
    /// Leaves events alone that are longer than this. 0: no such exception.
    pub(in crate::config) longer_than_hours: Minutes,
    /// Leaves events alone that are shorter than this. 0: no such exception.
    #[schemars(example = 15)]
    pub(in crate::config) shorter_than_minutes: Minutes,
    /// Leaves events alone that were created this shortly before their start: people who book at the door are at the door. 0: no
    /// such exception.
    pub(in crate::config) created_within_minutes: Minutes,
    /// Leaves events of these organizers alone, by SMTP address.
    #[schemars(example = ["boss@example.com"])]
    pub(in crate::config) organizers: Vec<String>,
    /// Leaves private events alone, where the room's calendar processing keeps the mark (`RemovePrivateProperty`).
    pub(in crate::config) private: bool,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct LimitsSection {
    /// Actions of one sweep.
    pub(in crate::config) max_actions: usize,
    /// Fraction of the events seen, 0 to 1. Among meetings whose grace ended at the same time, more that look empty are not
    /// released.
    pub(in crate::config) max_fraction: Fraction,
    /// Events from which on `max_fraction` counts: of three events, one is a third.
    pub(in crate::config) min_events: usize,
    /// Whole series taken off calendars within a day, over all sweeps. Beyond it only their dates are released.
    pub(in crate::config) max_series: usize,
}

fn default_per_minute() -> Bounded<1, 4_294_967_295> {
    Bounded::clamped(DEFAULT_PER_MINUTE.into())
}

fn default_release_by() -> Located<ReleaseMethod> {
    Located::unwritten(ReleaseMethod::Remove)
}

fn zero_minutes() -> Minutes {
    Bounded::clamped(0)
}

impl Default for LiveSection {
    fn default() -> Self {
        let LiveOptions { best_mode, poll_interval, connections_max, .. } = LiveOptions::default();
        Self {
            mode: best_mode,
            poll_interval_s: Bounded::of_seconds(poll_interval),
            max_streaming_connections: Bounded::of_count(connections_max),
        }
    }
}

impl Default for ApiSection {
    fn default() -> Self {
        let ConnectionLimits { total, unauthenticated, per_address } = ConnectionLimits::default();
        let (options, service) = (ApiOptions::default(), ServiceOptions::default());
        Self {
            listen: Located::unwritten(DEFAULT_LISTEN.to_owned()),
            health_listen: None,
            max_connections: Bounded::of_count(total),
            max_unauthenticated_connections: Located::unwritten(unauthenticated),
            max_unauthenticated_connections_per_address: Located::unwritten(
                per_address.unwrap_or(unauthenticated),
            ),
            show_subjects: options.subjects,
            max_state_age_s: Bounded::clamped(service.max_state_age.num_seconds()),
            deadline_s: Bounded::of_seconds(options.deadline),
            release_warning_minutes: Bounded::of_minutes(service.release_warning),
            tls: None,
            behind_proxy: false,
            oidc: None,
        }
    }
}

impl Default for EngineSection {
    fn default() -> Self {
        let engine = EngineOptions::default();
        Self {
            verify_delay_ms: u64::try_from(engine.settle_delay.as_millis()).unwrap_or(u64::MAX),
            booking_subject: engine.booking_subject,
            forbid_irreversible: engine.forbid_irreversible,
            idempotency_key_ttl_hours: Bounded::clamped(engine.key_ttl.num_hours()),
        }
    }
}

impl Default for JournalSection {
    fn default() -> Self {
        let (engine, maintenance) = (EngineOptions::default(), JournalMaintenance::default());
        Self {
            directory: None,
            record_subjects: engine.journal_subjects,
            resume_within_s: Bounded::clamped(engine.resume_within.num_seconds()),
            give_up_after_s: Bounded::clamped(engine.give_up_after.num_seconds()),
            head_interval_s: Bounded::of_seconds(maintenance.head_interval),
            erase_personal_after_days: maintenance
                .erase_personal_after
                .map(|age| Bounded::clamped(age.num_days())),
        }
    }
}

impl Default for CleanupSection {
    fn default() -> Self {
        let service = ServiceOptions::default();
        Self {
            max_concurrent_rooms: Bounded::of_count(service.max_concurrent_rooms),
            horizon_hours: Bounded::clamped(service.horizon.num_hours()),
            mode: None,
            evidence: EvidenceSection::default(),
            no_check_in: None,
            cancelled_leftover: false,
            organizer_gone: None,
            on_reappearance: OnReappearance::default(),
            exceptions: ExceptionsSection::default(),
            limits: LimitsSection::default(),
        }
    }
}

impl Default for EvidenceSection {
    fn default() -> Self {
        let SilenceLimits { display, feed, feeds } = SilenceLimits::default();
        Self {
            display_silent_after_minutes: Bounded::of_minutes(display),
            source_silent_after_minutes: Bounded::of_minutes(feed),
            sources: feeds.into_iter().map(|(name, time)| (name, Bounded::of_minutes(time))).collect(),
        }
    }
}

impl Default for NoCheckInSection {
    fn default() -> Self {
        let rule = cleanup::NoCheckIn::default();
        Self {
            grace_minutes: Bounded::of_minutes(rule.grace),
            early_minutes: Bounded::of_minutes(rule.early),
            presence_after_minutes: Bounded::of_minutes(rule.presence_after),
            release_by: rule.release_by,
            walk_in_grace_minutes: Bounded::of_minutes(rule.walk_in_grace.unwrap_or_default()),
            auto_check_in: rule.auto_check_in.into_iter().collect(),
            strikes: Bounded::clamped(rule.strikes.into()),
            on_last_strike: rule.on_last_strike,
        }
    }
}

impl Default for ExceptionsSection {
    fn default() -> Self {
        let spared = cleanup::Exceptions::default();
        let minutes = |time: Option<TimeDelta>| Bounded::of_minutes(time.unwrap_or_default());
        Self {
            all_day: spared.all_day,
            longer_than_hours: Bounded::clamped(spared.longer_than.unwrap_or_default().num_hours()),
            shorter_than_minutes: minutes(spared.shorter_than),
            created_within_minutes: minutes(spared.created_within),
            organizers: spared.organizers.into_iter().collect(),
            private: spared.private,
        }
    }
}

impl Default for LimitsSection {
    fn default() -> Self {
        let SweepLimits { actions_max, max_fraction, min_events, series_max } = SweepLimits::default();
        Self {
            max_actions: actions_max,
            max_fraction: Fraction::clamped(max_fraction),
            min_events,
            max_series: series_max,
        }
    }
}
