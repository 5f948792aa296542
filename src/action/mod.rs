//! What may be asked of Adjourn and what it answers. Values only: nothing here reads, writes or decides.
//!
//! ```text
//! Action { room, target, ask, actor, reason, force }  ──►  Outcome
//!                                                           ├ Done         the calendar was changed, by us, now
//!                                                           ├ AlreadyDone  it was so before; nothing was changed
//!                                                           ├ Refused      nothing was changed, and why
//!                                                           └ NeedsAttention  a person has to look
//! ```

mod display;
mod idempotency_key;
mod outcome;
mod refusal;
mod step;

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::calendar::{EventId, RoomAddress};
use crate::presence::Proof;

pub use display::Naming;
pub(crate) use display::sentence;
pub use idempotency_key::{IdempotencyKey, IdempotencyKeyError};
pub use outcome::{
    Answer, Change, Done, EventSnapshot, IrreversibleReason, NoChangeReason, Notified, Outcome, Reversibility,
};
pub use refusal::{CANDIDATES_MAX, Refusal, ResponsibleParty};
pub use step::{RequestIds, Step};

/// Names one action for ever: in the journal, in logs, towards callers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ActionId(pub Uuid);

impl ActionId {
    /// A new name, for the shells: the core is told which name to use.
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }
}

impl fmt::Display for ActionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a caller asks for: one thing, about one event, in one room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Action {
    /// Its name.
    pub id: ActionId,
    /// In which room.
    pub room: RoomAddress,
    /// About which event.
    pub target: Target,
    /// What to do.
    #[serde(rename = "ask")]
    pub kind: ActionKind,
    /// Who asked; kept for the audit.
    pub actor: Actor,
    /// Said to the organizer or attendees where the action sends a message, and kept for the audit.
    pub reason: Option<String>,
    /// Do it to an all-day event too.
    pub all_day: AllDay,
    /// The caller's own name for the wish.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<IdempotencyKey>,
}

impl Action {
    /// About the event that is on now, without a reason, sparing all-day events.
    pub fn new(id: ActionId, room: RoomAddress, ask: ActionKind, actor: Actor) -> Self {
        let (target, all_day) = (Target::Current, AllDay::Spare);
        Self { id, room, target, kind: ask, actor, reason: None, all_day, key: None }
    }

    /// Asks for the same: who asks, and under which name, does not matter.
    pub fn same_request(&self, other: &Self) -> bool {
        (&self.room, &self.target, self.kind, &self.reason, self.all_day)
            == (&other.room, &other.target, other.kind, &other.reason, other.all_day)
    }
}

/// Which event is meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// The one that is on now. Refused when there are two.
    Current,
    /// This one.
    Event {
        /// Its id, as the calendar gave it.
        id: EventId,
        /// What the caller saw. An event that has changed since is left alone.
        seen: Option<TimeRange>,
    },
    /// This whole series. Only deleting means a series.
    Series {
        /// Its own id, not that of one of its dates.
        id: EventId,
    },
}

/// When an event was to start and end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeRange {
    /// First instant.
    pub start: DateTime<Utc>,
    /// First instant after.
    pub end: DateTime<Utc>,
}

/// What to do to the event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ActionKind {
    /// Let it end now.
    End(Notify),
    /// Take it off the calendar.
    Delete(DeleteMode),
    /// Let the event that is on last longer, until the next one at most.
    Extend {
        /// By so many minutes.
        minutes: u16,
    },
    /// Take the room from now on, until the next event at most.
    Book {
        /// For so many minutes.
        minutes: u16,
    },
    /// Put it back as it was before that action.
    Undo {
        /// The action to undo.
        of: ActionId,
    },
}

impl ActionKind {
    /// What was asked, as a verb.
    pub fn verb(self) -> &'static str {
        match self {
            Self::End(_) => "end",
            Self::Delete(_) => "delete",
            Self::Extend { .. } => "extend",
            Self::Book { .. } => "book",
            Self::Undo { .. } => "undo",
        }
    }

    /// Who asks this for an event is there, or wants it. Taking it off the calendar shows neither.
    pub fn implies_presence(self) -> bool {
        !matches!(self, Self::Delete(_))
    }
}

/// Who hears of an early end. Only an organizer copy has anybody to tell: an attendee cannot send updates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Notify {
    /// The attendees get the update.
    #[default]
    Attendees,
    /// Nobody.
    Nobody,
}

/// How an event is taken off the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeleteMode {
    /// The other side is told: an attendee copy is declined, an organizer copy is cancelled, a plain event is removed.
    #[default]
    #[serde(rename = "tell")]
    Notify,
    /// Moved to Deleted Items without a word. Calendar repair may bring a future attendee copy back.
    Silent,
}

/// Whether all-day events may be touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AllDay {
    /// They are left alone.
    #[default]
    Spare,
    /// The caller insists.
    Include,
}

impl Actor {
    /// A program without a key.
    pub fn program(name: impl Into<String>) -> Self {
        Self::Program { name: name.into(), key_id: None }
    }

    /// The id of the key that the program came with.
    pub fn key_id(&self) -> Option<&str> {
        match self {
            Self::Program { key_id, .. } => key_id.as_deref(),
            Self::User { .. } | Self::Sweep { .. } => None,
        }
    }

    /// User, program or sweep.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::User { .. } => "user",
            Self::Sweep { .. } => "sweep",
            Self::Program { .. } => "program",
        }
    }

    /// The user's or program's name, or the rule's.
    pub fn name(&self) -> &str {
        match self {
            Self::User { name } | Self::Program { name, .. } => name,
            Self::Sweep { rule, .. } => rule,
        }
    }

    /// Why absence was proven, where a sweep acted on it.
    pub fn proof(&self) -> Option<&Proof> {
        match self {
            Self::Sweep { proof, .. } => proof.as_deref(),
            Self::User { .. } | Self::Program { .. } => None,
        }
    }

    /// The rule of a sweep.
    pub fn rule(&self) -> Option<&str> {
        match self {
            Self::Sweep { rule, .. } => Some(rule),
            Self::User { .. } | Self::Program { .. } => None,
        }
    }
}

/// Who asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Actor {
    /// A person at the command line, by login name.
    User {
        /// Login name.
        name: String,
    },
    /// A sweep, by the rule that chose the event.
    Sweep {
        /// The rule's name.
        rule: String,
        /// Why absence was proven, where a rule on check-ins decided.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        proof: Option<Box<Proof>>,
    },
    /// A program: a holder of an API key or of a provider's token, or whatever uses the library.
    Program {
        /// Its name.
        name: String,
        /// The id of the key, where the program came with one. Entries of formats 1 to 5 have none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key_id: Option<String>,
    },
}
