//! Admin events: facts about the installation instead of an action, in the same chain. They say who changed keys or the
//! configuration, which sign-ins were refused, and what was archived or erased.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// One admin event, who caused it, and when it was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdminEntry {
    /// When.
    pub at: DateTime<Utc>,
    /// Who caused it.
    pub by: AdminActor,
    /// What happened.
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
    /// The service itself, by its configuration.
    Service,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
#[non_exhaustive]
pub enum AdminEvent {
    /// An API key was made.
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
        /// How many since the last such event of this address.
        count: u64,
    },
    /// The service read its configuration again.
    ConfigurationReloaded {
        /// SHA-256 of the effective configuration, in hexadecimal digits.
        hash: String,
    },
    /// Entries were written to an archive file and removed here.
    Archived(Archived),
    /// Personal values were erased. Which ones is not said.
    Erased {
        /// How many.
        values: u64,
        /// They belonged to entries up to this number.
        through: u64,
    },
    /// The wall clock disagreed with what else is known about the time.
    ClockImplausible {
        /// What it disagreed with.
        from: String,
        /// How.
        reason: String,
    },
}

/// What a key's holder may do.
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
    /// The instant from which it opens nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<DateTime<Utc>>,
}

/// Which entries left the journal, and what the rest goes on from.
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
    /// Personal values that `erased` events up to here announced, less those that are missing up to here. Below zero where
    /// a later event announced them.
    #[serde(default)]
    pub erased: i64,
    /// Up to which entry those events reach.
    #[serde(default)]
    pub erased_through: u64,
}

impl AdminActor {
    /// Its kind, as it is stored and printed.
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
    /// Its kind, as it is stored and printed.
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

/// Which admin events; everything that is set must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminQuery {
    /// Recorded at this instant or later …
    pub since: Option<DateTime<Utc>>,
    /// … and before this one.
    pub until: Option<DateTime<Utc>>,
    /// With a number below this one: where a page goes on.
    pub before: Option<u64>,
    /// The newest so many.
    pub limit: usize,
}

/// Admin events of one page, unless a query says otherwise.
const PAGE: usize = 1_000;

impl Default for AdminQuery {
    fn default() -> Self {
        Self { since: None, until: None, before: None, limit: PAGE }
    }
}

impl AdminQuery {
    /// Whether this entry is meant, wherever it stands in the chain.
    pub fn matches(&self, entry: &AdminEntry) -> bool {
        self.since.is_none_or(|since| since <= entry.at) && self.until.is_none_or(|until| entry.at < until)
    }
}

/// Admin events, the newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AdminPage {
    /// Each with its number in the chain.
    pub events: Vec<(u64, AdminEntry)>,
    /// Older ones were not looked at: a query with this `before` goes on.
    pub more: Option<u64>,
}

/// Admin events that one query reads at most, whether it means them or not.
pub const ADMIN_EVENTS_READ_MAX: usize = 10_000;
