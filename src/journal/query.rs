//! Queries for action records. One function decides whether a record matches, for every implementation of the journal.

use chrono::{DateTime, Utc};

use super::ActionRecord;
use crate::action::{IdempotencyKey, Outcome};
use crate::calendar::{Event, RoomAddress, Uid};

/// A query for action records; all fields that are set must match.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// In this room.
    pub room: Option<RoomAddress>,
    /// Accepted at this instant or later …
    pub since: Option<DateTime<Utc>>,
    /// … and before this one.
    pub until: Option<DateTime<Utc>>,
    /// Requested by this user, program or rule.
    pub actor: Option<String>,
    /// Requested by a sweep because of this rule.
    pub rule: Option<String>,
    /// With this status.
    pub status: Option<ActionStatus>,
    /// Under this idempotency key.
    pub key: Option<IdempotencyKey>,
    /// On an event with this UID, at any place in its series.
    pub uid: Option<Uid>,
    /// On the event with this UID and place in its series.
    pub identity: Option<(Uid, DateTime<Utc>)>,
    /// At most this many, the newest.
    pub limit: Option<usize>,
}

/// The kind of an action's outcome, or `Open`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "service", derive(serde::Serialize, utoipa::ToSchema), serde(rename_all = "kebab-case"))]
pub enum ActionStatus {
    /// The action is not closed.
    Open,
    /// The action changed the calendar.
    Done,
    /// The calendar was already as requested.
    AlreadyDone,
    /// The action was refused, and nothing was changed.
    Refused,
    /// A person has to check the calendar.
    NeedsAttention,
}

impl ActionStatus {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Open, Self::Done, Self::AlreadyDone, Self::Refused, Self::NeedsAttention];

    /// The value as stored and printed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Done => "done",
            Self::AlreadyDone => "already-done",
            Self::Refused => "refused",
            Self::NeedsAttention => "needs-attention",
        }
    }

    /// The status with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|ending| ending.as_str() == name)
    }

    /// The status of a record.
    pub fn of(record: &ActionRecord) -> Self {
        record.reported_outcome().map_or(Self::Open, |outcome| Self::from(&*outcome))
    }
}

impl From<&Outcome> for ActionStatus {
    fn from(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Done(_) => Self::Done,
            Outcome::AlreadyDone { .. } => Self::AlreadyDone,
            Outcome::Refused { .. } => Self::Refused,
            Outcome::NeedsAttention { .. } => Self::NeedsAttention,
        }
    }
}

impl Query {
    /// All actions in one room.
    pub fn room(room: &RoomAddress) -> Self {
        Self { room: Some(room.clone()), ..Self::default() }
    }

    /// The same query, for this status only.
    #[must_use]
    pub fn with_status(self, ending: ActionStatus) -> Self {
        Self { status: Some(ending), ..self }
    }

    /// Whether this record matches, apart from `limit`.
    pub fn matches(&self, record: &ActionRecord) -> bool {
        let asked_by = &record.action.actor;
        let before = record.intent.as_ref().map(|intent| &intent.before);
        let identity = before.and_then(Event::identity);
        let uid = before.and_then(|event| event.uid.as_ref());
        self.room.as_ref().is_none_or(|room| *room == record.action.room)
            && self.since.is_none_or(|since| since <= record.accepted_at)
            && self.until.is_none_or(|until| record.accepted_at < until)
            && self.actor.as_ref().is_none_or(|actor| actor == asked_by.name())
            && self.rule.as_ref().is_none_or(|rule| asked_by.rule() == Some(rule))
            && self.status.is_none_or(|ending| ending == ActionStatus::of(record))
            && self.key.as_ref().is_none_or(|key| record.action.key.as_ref() == Some(key))
            && self.uid.as_ref().is_none_or(|wanted| uid == Some(wanted))
            && self.identity.as_ref().is_none_or(|(uid, start)| identity == Some((uid, *start)))
    }
}
