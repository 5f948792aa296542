//! The tables of `adjourn.toml`, exactly as they are written: one type for each table, one field for each key. The doc comment of
//! a field is the text of that key in `docs/configuration.md` (`adjourn config reference`), so it is written for operators.
//!
//! Nothing here is checked beyond its type and its limits, and no default is chosen here: defaults come from the types that use
//! the values (the engine, the rules, the service, the API).

mod api;
mod cleanup;
mod server;
mod value;

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

pub(in crate::config) use api::*;
pub(in crate::config) use cleanup::*;
pub(in crate::config) use server::*;
pub(in crate::config) use value::{Bounded, Fraction, Located, Minutes, TimeoutSeconds};

use crate::action::BookingSubject;
use crate::config::secrets::SecretSource;
use crate::engine::EngineOptions;
use crate::live::{LiveOptions, TrackingMode};
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
    /// The figures of `adjourn report`.
    pub(in crate::config) report: ReportSection,
    /// The rules by which sweeps and the service release rooms. Every rule is off until it is written.
    pub(in crate::config) cleanup: Option<CleanupSection>,
    /// The HTTP service (`adjourn serve`).
    pub(in crate::config) api: ApiSection,
    /// Sweeps that the service starts by itself. A run that was missed while the service was down is made up for once.
    pub(in crate::config) schedules: Vec<ScheduleSection>,
    /// HTTP endpoints that receive notices, signed: 16 at most. The HTTP API's page describes the requests and their signature.
    pub(in crate::config) webhooks: Vec<WebhookSection>,
    /// Settings that differ in some rooms. Where several groups include a room, the last one that sets a key wins.
    pub(in crate::config) room_groups: Vec<RoomGroupSection>,
    /// How the service keeps track of the rooms' calendars.
    pub(in crate::config) live: LiveSection,
    /// The door displays that were paired with a code.
    pub(in crate::config) displays: DisplaysSection,
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
    pub(in crate::config) booking_subject: BookingSubject,
    /// How far ahead a booking may begin. A booking or an extension until the next event lasts no longer than this, nor than a day.
    pub(in crate::config) booking_horizon_minutes: Bounded<15, 44_640>,
    /// Lets callers of the HTTP API choose the subject of a booking, and name an organizer in it.
    pub(in crate::config) booking_subjects_allowed: bool,
    /// Refuses actions that cannot be undone: sent declines and cancellations, removing one date of a series, and over Graph also
    /// removals, which it cannot move back.
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
    /// The PostgreSQL database (14 or newer) that holds the journal and the service store in place of the files in the state directory:
    /// `postgres://USER:PASSWORD@HOST/DATABASE`. Not set: SQLite. Needs a program that was built with the feature `postgres`.
    #[schemars(example = database_url_example())]
    pub(in crate::config) url: Option<SecretSource>,
    /// PEM file with the certificates that are trusted for the connection to PostgreSQL besides those of the system. Needs `url`.
    #[schemars(example = &"/etc/adjourn/postgres-ca.pem")]
    pub(in crate::config) ca_file: Option<PathBuf>,
    /// Uses a PostgreSQL that may lose what it acknowledged: `fsync = off`, or a standby that is not synchronous. An action may then be
    /// done twice after a failover. Needs `url`.
    pub(in crate::config) accept_loss: bool,
    /// Keeps subjects and organizers' display names in the journal.
    pub(in crate::config) record_subjects: bool,
    /// Age up to which an interrupted action is still carried out after a restart. An older one is closed as `interrupted` if
    /// nothing had happened, since the person at the door has left by then.
    pub(in crate::config) resume_within_s: Bounded<0, 86_400>,
    /// How long an action stays open while Exchange cannot be asked what became of it. Then it ends as `needs-attention`.
    pub(in crate::config) give_up_after_s: Bounded<0, 2_592_000>,
    /// Time between two reports of the journal's last number and hash to the log and the webhooks. What is cut off the journal
    /// unnoticed is younger than this.
    pub(in crate::config) head_interval_s: Bounded<60, 86_400>,
    /// Age at which names, addresses and reasons are erased from the journal. Not set: they stay until `adjourn audit erase`.
    #[schemars(example = 90)]
    pub(in crate::config) erase_personal_after_days: Option<Bounded<1, 36_500>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct DisplaysSection {
    /// Time without contact after which a paired display counts as lost: the log has a warning, and a notice `display-lost` is sent.
    pub(in crate::config) lost_after_minutes: Bounded<1, 1_440>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct ReportSection {
    /// Reports may have figures by organizer, and name the organizers of series. Figures about persons need a legal ground in many
    /// countries.
    pub(in crate::config) organizers: bool,
}

impl Default for ReportSection {
    fn default() -> Self {
        Self { organizers: ServiceOptions::default().report_organizers }
    }
}

impl Default for DisplaysSection {
    fn default() -> Self {
        Self { lost_after_minutes: Bounded::of_minutes(ServiceOptions::default().display_lost_after) }
    }
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

impl Default for EngineSection {
    fn default() -> Self {
        let engine = EngineOptions::default();
        Self {
            verify_delay_ms: u64::try_from(engine.settle_delay.as_millis()).unwrap_or(u64::MAX),
            booking_subject: engine.booking_subject,
            booking_horizon_minutes: Bounded::clamped(engine.booking_horizon.num_minutes()),
            booking_subjects_allowed: engine.booking_subjects_allowed,
            forbid_irreversible: engine.forbid_irreversible,
            idempotency_key_ttl_hours: Bounded::clamped(engine.key_ttl.num_hours()),
        }
    }
}

fn database_url_example() -> BTreeMap<&'static str, &'static str> {
    BTreeMap::from([("file", "/etc/adjourn/database-url")])
}

impl Default for JournalSection {
    fn default() -> Self {
        let (engine, maintenance) = (EngineOptions::default(), JournalMaintenance::default());
        Self {
            directory: None,
            url: None,
            ca_file: None,
            accept_loss: false,
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
