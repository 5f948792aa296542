//! Admin events: facts about the installation instead of an action, in the same chain: who changed keys or the configuration,
//! which sign-ins were refused, which entries were archived or erased. Values only.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// One admin event, its cause, and the time of its record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdminEntry {
    /// The time.
    pub at: DateTime<Utc>,
    /// The cause.
    pub by: AdminActor,
    /// The event.
    pub event: AdminEvent,
}

/// The cause of an admin event. A name that was erased reads as `None`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
#[non_exhaustive]
pub enum AdminActor {
    /// A command of `adjourn` on the server.
    CommandLine {
        /// The numeric user id of the process, where the system has one.
        uid: Option<u32>,
        /// The login name.
        user: Option<String>,
    },
    /// The holder of an API key or of a provider's token.
    Caller {
        /// The key's id.
        key_id: String,
        /// The key's name.
        name: Option<String>,
    },
    /// A signal to the process.
    Signal {
        /// `SIGHUP`.
        #[serde(rename = "signal")]
        name: String,
    },
    /// The service itself, because of its configuration.
    Service,
}

/// A kind of admin event, with its details.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
#[non_exhaustive]
pub enum AdminEvent {
    /// An API key was created.
    KeyCreated(KeyFacts),
    /// Rights, rooms, name or expiry of an API key were changed; these are the new ones.
    KeyChanged(KeyFacts),
    /// An API key was revoked.
    KeyRevoked {
        /// The key's id.
        key_id: String,
        /// The key's name.
        name: Option<String>,
    },
    /// Requests without a valid key or token were refused.
    SignInRefused {
        /// The peer's IP address.
        address: Option<String>,
        /// The reason, as the problem names it.
        reason: String,
        /// The number since the last such event for this address.
        count: u64,
    },
    /// The service read its configuration again.
    ConfigurationReloaded {
        /// SHA-256 of the effective configuration, in hexadecimal digits.
        hash: String,
    },
    /// Entries were written to an archive file and removed here.
    Archived(Archived),
    /// Personal values were erased. The event does not name them.
    Erased {
        /// The number of values.
        values: u64,
        /// The last entry to which one of them belonged.
        through: u64,
    },
    /// The wall clock disagreed with another source of time.
    ClockImplausible {
        /// The source that it disagreed with.
        from: String,
        /// The difference.
        reason: String,
    },
}

/// The rights and rooms of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyFacts {
    /// The key's id.
    pub key_id: String,
    /// The key's name.
    pub name: Option<String>,
    /// Its rights, as the configuration spells them.
    pub rights: Vec<String>,
    /// Its rooms, as patterns.
    pub rooms: Vec<String>,
    /// The instant from which the key is invalid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<DateTime<Utc>>,
}

/// The entries that were moved to an archive file, and the point from which the journal continues.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Archived {
    /// The first entry of the archive file.
    pub first: u64,
    /// The last one.
    pub last: u64,
    /// The hash of the last one, in hexadecimal digits.
    pub head: String,
    /// The name of the archive file.
    pub file: String,
    /// Personal values that `erased` events up to here announced, minus those that are missing up to here. Negative if a later
    /// event announced them.
    #[serde(default)]
    pub erased: i64,
    /// The last entry that those events cover.
    #[serde(default)]
    pub erased_through: u64,
}

impl AdminActor {
    /// The kind, as stored and printed.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::CommandLine { .. } => "command-line",
            Self::Caller { .. } => "caller",
            Self::Signal { .. } => "signal",
            Self::Service => "service",
        }
    }
}

impl AdminEvent {
    /// The kind, as stored and printed.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::KeyCreated(_) => "key-created",
            Self::KeyChanged(_) => "key-changed",
            Self::KeyRevoked { .. } => "key-revoked",
            Self::SignInRefused { .. } => "sign-in-refused",
            Self::ConfigurationReloaded { .. } => "configuration-reloaded",
            Self::Archived(_) => "archived",
            Self::Erased { .. } => "erased",
            Self::ClockImplausible { .. } => "clock-implausible",
        }
    }
}

/// A query for admin events; all fields that are set must match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminQuery {
    /// Recorded at this instant or later …
    pub since: Option<DateTime<Utc>>,
    /// … and before this one.
    pub until: Option<DateTime<Utc>>,
    /// With a number below this one: the start of the next page.
    pub before: Option<u64>,
    /// At most this many, the newest.
    pub limit: usize,
}

/// Admin events of one page, by default.
const PAGE: usize = 1_000;

impl Default for AdminQuery {
    fn default() -> Self {
        Self { since: None, until: None, before: None, limit: PAGE }
    }
}

impl AdminQuery {
    /// Whether this entry matches, apart from `before` and `limit`.
    pub fn matches(&self, entry: &AdminEntry) -> bool {
        self.since.is_none_or(|since| since <= entry.at) && self.until.is_none_or(|until| entry.at < until)
    }
}

/// Admin events, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AdminPage {
    /// Each with its number in the chain.
    pub events: Vec<(u64, AdminEntry)>,
    /// The `before` of the next page; `None` when there are no older events.
    pub more: Option<u64>,
}

/// Limit on the admin events that one query reads, whether they match or not.
pub const ADMIN_EVENTS_READ_MAX: usize = 10_000;
