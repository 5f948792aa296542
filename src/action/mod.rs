//! The action that a caller requests, and its outcome, as plain values. This module never reads, writes or decides anything.
//!
//! ```text
//! Action { room, target, kind, actor, reason, all_day }  ──►  Outcome
//!                                                              ├ Done            this action changed the calendar
//!                                                              ├ AlreadyDone     the calendar was already as requested
//!                                                              ├ Refused         nothing was changed, with the reason
//!                                                              └ NeedsAttention  a person has to check the calendar
//! ```

mod booking_subject;
mod change;
mod display;
mod idempotency_key;
mod outcome;
mod refusal;
mod request;
mod requested;
mod requested_time;
mod step;

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::calendar::{Event, EventId, RoomAddress};
use crate::presence::Proof;

pub use booking_subject::{BookingSubject, BookingSubjectError};
pub use change::{Change, Done, EventSnapshot, IrreversibleReason, Notified, Reversibility};
pub use display::Naming;
pub(crate) use display::sentence;
pub use idempotency_key::{IdempotencyKey, IdempotencyKeyError};
pub use outcome::{Answer, NoChangeReason, Outcome};
pub use refusal::{CANDIDATES_MAX, Refusal, RequestedBound, ResponsibleParty};
pub use requested::{ReasonText, ReasonTextError, RequestedMinutes, RequestedMinutesError};
pub use requested_time::{BookingTime, RequestedEnd};
pub use step::{RequestIds, Step};

/// The unique id of an action, in the journal, in logs and in the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ActionId(pub Uuid);

impl ActionId {
    /// A new random id. Only the outer layers call this; the core receives ids as values.
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }
}

impl fmt::Display for ActionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A caller's request: one kind of change to one event in one room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Action {
    /// The id.
    pub id: ActionId,
    /// The room.
    pub room: RoomAddress,
    /// The event.
    pub target: Target,
    /// The change.
    #[serde(rename = "ask")]
    pub kind: ActionKind,
    /// The requester, kept for the audit.
    pub actor: Actor,
    /// The text of the message to the organizer or attendees, where the action sends one. Kept for the audit.
    pub reason: Option<ReasonText>,
    /// Whether the action may change an all-day event.
    pub all_day: AllDay,
    /// The subject of a booking; `None` for the one that the engine's options name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<BookingSubject>,
    /// The caller's idempotency key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<IdempotencyKey>,
}

impl Action {
    /// Whether both request the same change. Actor, id and idempotency key are not compared. The undone action decides alone about the
    /// event of an undo: earlier versions stored another target and another [`AllDay`] with one.
    pub fn same_request(&self, other: &Self) -> bool {
        let is_undo = matches!(self.kind, ActionKind::Undo { .. });
        (&self.room, self.kind, &self.reason, &self.subject)
            == (&other.room, other.kind, &other.reason, &other.subject)
            && (is_undo || (&self.target, self.all_day) == (&other.target, other.all_day))
    }

    /// Whether the action, requested at `at`, is a sign that people are in the room. A person at the command line acts from elsewhere.
    pub fn implies_presence(&self, at: DateTime<Utc>) -> bool {
        !matches!(self.actor, Actor::User { .. }) && self.kind.implies_presence(at)
    }
}

/// The event that an action is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Target {
    /// The event that is on now. Refused when several are on.
    Current,
    /// The event with this id.
    Event {
        /// The id that the calendar returned.
        id: EventId,
        /// The times that the caller saw. If the event's times differ, the action is refused.
        seen: Option<TimeRange>,
    },
    /// The whole series. Only deletion accepts a series.
    Series {
        /// The id of the series master, not of one of its dates.
        id: EventId,
    },
}

/// Start and end of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeRange {
    /// First instant.
    pub start: DateTime<Utc>,
    /// First instant after.
    pub end: DateTime<Utc>,
}

impl TimeRange {
    /// Whether both have the same times, without fractions of a second, which callers do not see.
    pub(crate) fn is_same_to_the_second(&self, other: &Self) -> bool {
        let seconds = |range: &Self| (range.start.timestamp(), range.end.timestamp());
        seconds(self) == seconds(other)
    }
}

impl From<&Event> for TimeRange {
    fn from(event: &Event) -> Self {
        Self { start: event.start, end: event.end }
    }
}

/// The kind of change that an action makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ActionKind {
    /// Ends the event now.
    End(Notify),
    /// Removes the event from the calendar.
    Delete(DeleteMode),
    /// Extends the current event by some minutes, or to an end, at most until the next event begins.
    Extend(RequestedEnd),
    /// Books the room.
    Book(BookingTime),
    /// Reverts an earlier action.
    Undo {
        /// The action to undo.
        of: ActionId,
    },
}

impl ActionKind {
    /// Extends the current event by these minutes, at most until the next one begins.
    pub const fn extend(minutes: RequestedMinutes) -> Self {
        Self::Extend(RequestedEnd::AtMost(minutes))
    }

    /// Books the room from now on for these minutes, at most until the next event begins.
    pub const fn book(minutes: RequestedMinutes) -> Self {
        Self::Book(BookingTime::from_now(minutes))
    }

    /// The kind as a verb, as stored and printed.
    pub fn verb(self) -> &'static str {
        match self {
            Self::End(_) => "end",
            Self::Delete(_) => "delete",
            Self::Extend(_) => "extend",
            Self::Book(_) => "book",
            Self::Undo { .. } => "undo",
        }
    }

    /// Whether a request of this kind, made at `at`, is a sign of presence. A deletion and a booking of a later time are not: they
    /// need no person in the room.
    pub fn implies_presence(self, at: DateTime<Utc>) -> bool {
        match self {
            Self::Delete(_) => false,
            Self::Book(BookingTime { start: Some(start), .. }) => start <= at,
            Self::End(_) | Self::Extend(_) | Self::Book(_) | Self::Undo { .. } => true,
        }
    }
}

/// Whether Exchange sends an update when the end of an event moves. Only an organizer copy can: an attendee cannot send
/// updates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Notify {
    /// Exchange sends the update to the attendees.
    #[default]
    Attendees,
    /// Exchange sends no update.
    Nobody,
}

/// How an event is removed from the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeleteMode {
    /// Adjourn declines an attendee copy and cancels an organizer copy, both with a message, and removes a plain event.
    #[default]
    #[serde(rename = "tell")]
    Notify,
    /// Moved to Deleted Items without a message. Calendar repair may restore a future attendee copy.
    Silent,
}

/// Whether an action may change an all-day event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AllDay {
    /// All-day events are left alone.
    #[default]
    Spare,
    /// All-day events are changed like others.
    Include,
}

impl Actor {
    /// A program without a key.
    pub fn program(name: impl Into<String>) -> Self {
        Self::Program { name: name.into(), key_id: None }
    }

    /// The account of a user, and the host from which the person signed in.
    pub fn origin(&self) -> Option<&str> {
        match self {
            Self::User { origin, .. } => origin.as_deref(),
            Self::Sweep { .. } | Self::Program { .. } => None,
        }
    }

    /// The id of the API key that the program used.
    pub fn key_id(&self) -> Option<&str> {
        match self {
            Self::Program { key_id, .. } => key_id.as_deref(),
            Self::User { .. } | Self::Sweep { .. } => None,
        }
    }

    /// `user`, `program` or `sweep`.
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
            Self::User { name, .. } | Self::Program { name, .. } => name,
            Self::Sweep { rule, .. } => rule,
        }
    }

    /// The proof of absence that a sweep acted on.
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

/// The requester of an action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
#[non_exhaustive]
pub enum Actor {
    /// A person at the command line, by login name.
    User {
        /// Login name.
        name: String,
        /// The account, and the host from which the person signed in. Journal entries of formats 1 to 8 have none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        origin: Option<String>,
    },
    /// A sweep, by the rule that chose the event.
    Sweep {
        /// The rule's name.
        rule: String,
        /// The proof of absence, where the rule on check-ins decided.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        proof: Option<Box<Proof>>,
    },
    /// A program: the holder of an API key or of a provider's token, or a user of the library.
    Program {
        /// Its name.
        name: String,
        /// The id of the API key, if the program used one. Journal entries of formats 1 to 5 have none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key_id: Option<String>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn action(kind: ActionKind, actor: Actor) -> Action {
        Action::new(ActionId::random(), "room@example.com".parse().unwrap(), kind, actor)
    }

    #[test]
    fn an_undo_is_the_same_request_whatever_target_an_earlier_version_stored() {
        let door = || Actor::program("door");
        let of = ActionId::random();
        let undo = action(ActionKind::Undo { of }, door());
        let event = Target::Event { id: EventId::new("a"), seen: None };
        let stored = Action { target: event.clone(), all_day: AllDay::Include, ..undo.clone() };
        assert!(undo.same_request(&stored) && stored.same_request(&undo));
        let other = action(ActionKind::Undo { of: ActionId::random() }, door());
        assert!(!undo.same_request(&other), "the undo of another action");
        let end = action(ActionKind::End(Notify::Attendees), door());
        assert!(!end.same_request(&Action { target: event, ..end.clone() }));
        assert!(!end.same_request(&Action { all_day: AllDay::Include, ..end.clone() }));
    }

    #[test]
    fn a_person_at_the_command_line_is_not_in_the_room() {
        let extend = ActionKind::extend(RequestedMinutes::clamped(15));
        let user = Actor::User { name: "ada".to_owned(), origin: None };
        assert!(action(extend, Actor::program("door")).implies_presence(DateTime::UNIX_EPOCH));
        assert!(!action(extend, user).implies_presence(DateTime::UNIX_EPOCH));
    }
}
