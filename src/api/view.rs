//! The JSON views of the API. Times are UTC (RFC 3339). They are a format of their own: the journal's format may change without
//! them.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::action::{
    Action, ActionKind, Change, DeleteMode, Done, EventSnapshot, Naming, Notified, Notify, Outcome,
    Reversibility,
};
use crate::calendar::{Copy, Event, EventKind};
use crate::journal::{ActionRecord, ActionStage, ActionStatus};
use crate::service::{AllowedAction, RoomStatus};

/// A room's state at one moment.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RoomView {
    /// The room's id: its SMTP address.
    #[schema(example = "room-aurora@example.com")]
    pub id: String,
    /// Display name, if the configuration has one.
    pub name: Option<String>,
    /// Building, if the configuration has one.
    pub building: Option<String>,
    /// Time zone as an IANA name, if the configuration has one.
    pub time_zone: Option<String>,
    /// Whether an event takes the room now.
    pub busy: bool,
    /// When the calendar was read.
    pub read_at: DateTime<Utc>,
    /// When the state was last known to be current: later than `read_at` if Exchange would have reported a change since.
    pub as_of: DateTime<Utc>,
    /// How changes become known: `streaming` (Exchange sends notifications), `sync` (Exchange is polled for changes), `view` (the
    /// calendar is polled), `on-demand` (the calendar is read when requested).
    pub tracking: &'static str,
    /// The current event; if there are several, the first of `current_events`.
    pub current: Option<EventView>,
    /// All events that take the room now: timed before all-day events, the latest start first. Cancelled and declined events, and
    /// those shown as Free, do not take the room.
    pub current_events: Vec<EventView>,
    /// The next event within a day.
    pub next: Option<EventView>,
    /// End of the busy time, back-to-back and overlapping events joined, as far as the calendar was read; null when the room is
    /// free.
    pub busy_until: Option<DateTime<Utc>>,
    /// End of the free time; null when the room is busy, or nothing begins within a day.
    pub free_until: Option<DateTime<Utc>>,
    /// Whether a check-in for the current event is stored.
    pub checked_in: bool,
    /// When the current event will be released, unless a check-in arrives first.
    pub release_at: Option<DateTime<Utc>>,
    /// Id of the event that a check-in without `event` is for, while one is awaited.
    pub awaiting_check_in: Option<String>,
    /// Actions available now: `check-in`, `end`, `extend`, `book`. Ending and extending apply to `current`; with several current
    /// events, the request must name it.
    pub allowed_actions: Vec<&'static str>,
}

/// An event as a display shows it.
#[derive(Debug, Hash, Serialize, ToSchema)]
pub(super) struct EventView {
    /// The event's id; send it as `event` in a request.
    pub id: String,
    /// Start.
    pub start: DateTime<Utc>,
    /// End (exclusive).
    pub end: DateTime<Utc>,
    /// `single`, `occurrence` or `exception`.
    pub kind: &'static str,
    /// Whether the event is an all-day event.
    pub all_day: bool,
    /// Whether the event is marked private.
    pub private: bool,
    /// Only if the configuration shows subjects and the event is not private.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The organizer's name or address, under the same conditions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organizer: Option<String>,
}

/// One of the events that a request without `event` may mean.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CandidateView {
    /// The event's id; send it as `event` in a request.
    pub id: String,
    /// Start.
    pub start: DateTime<Utc>,
    /// End (exclusive).
    pub end: DateTime<Utc>,
    /// Only if the configuration shows subjects and the event is not private.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The organizer's name or address, under the same conditions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organizer: Option<String>,
}

/// An action and its outcome.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ActionView {
    /// The action's id.
    pub id: Uuid,
    /// The room's SMTP address.
    pub room: String,
    /// What was requested: `end`, `delete`, `extend`, `book` or `undo`.
    pub kind: &'static str,
    /// Kind of actor: `user`, `program` (an API key or token) or `sweep`.
    pub actor_kind: &'static str,
    /// Name of the user or key, or the rule.
    pub actor: String,
    /// The evidence of absence, for an action of a sweep.
    pub proof: Option<String>,
    /// When the action was accepted; null while it waits for the room.
    pub accepted_at: Option<DateTime<Utc>>,
    /// `open`, `done`, `already-done`, `refused` or `needs-attention`.
    pub state: &'static str,
    /// The outcome in a sentence.
    pub message: String,
    /// The event before the action.
    pub event: Option<EventSnapshotView>,
    /// What was changed.
    pub change: Option<ChangeView>,
    /// Whether this is the response of an earlier request with the same `Idempotency-Key`.
    pub repeated: bool,
}

/// An event's id and times at the time of reading.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EventSnapshotView {
    /// The event's id at that time.
    pub id: String,
    /// Start.
    pub start: DateTime<Utc>,
    /// End (exclusive).
    pub end: DateTime<Utc>,
}

/// What was changed, who was informed, and whether it can be undone.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ChangeView {
    /// `ended`, `extended`, `booked`, `declined`, `cancelled`, `removed`, `end-restored` or `moved-back`.
    pub kind: &'static str,
    /// The event's new end, where it changed.
    pub end: Option<DateTime<Utc>>,
    /// The room's copy of the event: `attendee`, `organizer` or `plain`.
    pub copy: &'static str,
    /// Whether Exchange sent a message to the organizer, as far as known.
    pub organizer_informed: bool,
    /// Whether Exchange sent a message to the attendees, as far as known.
    pub attendees_informed: bool,
    /// `sent`, `none` (the change sends no message), or `unknown` (Exchange did not confirm the message).
    pub notification: &'static str,
    /// Whether `POST /v1/actions/{action}/undo` can restore the event.
    pub undoable: bool,
    /// Whether this is a dry run: nothing was changed.
    pub dry_run: bool,
}

/// The times of an event that the caller last saw.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ExpectedTimes {
    /// Start.
    pub start: DateTime<Utc>,
    /// End (exclusive).
    pub end: DateTime<Utc>,
}

impl RoomView {
    pub(super) fn of(status: &RoomStatus, subjects: bool) -> Self {
        let event = |event: &Option<Event>| event.as_ref().map(|event| EventView::of(event, subjects));
        Self {
            id: status.room.to_string(),
            name: status.info.name.clone(),
            building: status.info.building.clone(),
            time_zone: status.info.time_zone.clone(),
            busy: status.is_busy(),
            read_at: status.read_at,
            as_of: status.as_of,
            tracking: status.tracking.as_str(),
            current: event(&status.current),
            current_events: status
                .current_events
                .iter()
                .map(|event| EventView::of(event, subjects))
                .collect(),
            next: event(&status.next),
            busy_until: status.busy_until,
            free_until: status.free_until,
            checked_in: status.checked_in,
            release_at: status.release_at,
            awaiting_check_in: status.awaiting_check_in.as_ref().map(ToString::to_string),
            allowed_actions: status
                .allowed_actions
                .iter()
                .map(|action| allowed_action_name(*action))
                .collect(),
        }
    }
}

fn allowed_action_name(action: AllowedAction) -> &'static str {
    match action {
        AllowedAction::CheckIn => "check-in",
        AllowedAction::End => "end",
        AllowedAction::Extend => "extend",
        AllowedAction::Book => "book",
    }
}

impl EventView {
    pub(super) fn of(event: &Event, subjects: bool) -> Self {
        let shown = subjects && !event.is_private;
        let organizer = event.organizer.clone().and_then(|person| person.name.or(person.address));
        Self {
            id: event.id.to_string(),
            start: event.start,
            end: event.end,
            kind: match event.kind {
                EventKind::Single => "single",
                EventKind::Occurrence => "occurrence",
                EventKind::Exception => "exception",
                EventKind::Series => "series",
            },
            all_day: event.is_all_day,
            private: event.is_private,
            subject: event.subject.clone().filter(|_| shown),
            organizer: organizer.filter(|_| shown),
        }
    }
}

impl CandidateView {
    /// An event of the cached calendar.
    pub(super) fn from_event(event: &Event, subjects: bool) -> Self {
        let EventView { id, start, end, subject, organizer, .. } = EventView::of(event, subjects);
        Self { id, start, end, subject, organizer }
    }

    /// The event as the action read it, with the subject that the cached calendar has.
    pub(super) fn of(seen: &EventSnapshot, known: &[Event], subjects: bool) -> Self {
        let named =
            known.iter().find(|event| event.id == seen.id).map(|event| EventView::of(event, subjects));
        let (subject, organizer) = named.map_or((None, None), |event| (event.subject, event.organizer));
        Self { id: seen.id.to_string(), start: seen.start, end: seen.end, subject, organizer }
    }
}

impl From<&EventSnapshot> for EventSnapshotView {
    fn from(seen: &EventSnapshot) -> Self {
        Self { id: seen.id.to_string(), start: seen.start, end: seen.end }
    }
}

impl From<&Done> for ChangeView {
    fn from(done: &Done) -> Self {
        let (kind, end) = match done.change {
            Change::Ended { to, .. } => ("ended", Some(to)),
            Change::Extended { to, .. } => ("extended", Some(to)),
            Change::Booked => ("booked", Some(done.event.end)),
            Change::Declined => ("declined", None),
            Change::Cancelled => ("cancelled", None),
            Change::Removed => ("removed", None),
            Change::EndRestored { to, .. } => ("end-restored", Some(to)),
            Change::MovedBack => ("moved-back", None),
        };
        Self {
            kind,
            end,
            copy: match done.copy {
                Copy::Attendee => "attendee",
                Copy::Organizer => "organizer",
                Copy::Plain => "plain",
            },
            organizer_informed: done.notified == Notified::Organizer,
            attendees_informed: done.notified == Notified::Attendees,
            notification: match done.notified {
                Notified::Nobody => "none",
                Notified::Organizer | Notified::Attendees => "sent",
                Notified::OrganizerSeesDecline => "shown-as-declined",
                Notified::Unknown => "unknown",
            },
            undoable: done.reversibility == Reversibility::Reversible,
            dry_run: done.dry_run,
        }
    }
}

impl ActionView {
    /// The view of an outcome.
    pub(super) fn answered(action: &Action, outcome: &Outcome, repeated: bool, naming: Naming) -> Self {
        Self { repeated, ..Self::new(action, None, Some(outcome), naming) }
    }

    /// The view of an action in progress.
    pub(super) fn in_progress(action: &Action) -> Self {
        Self::new(action, None, None, Naming::Unnamed)
    }

    /// The view of an action in the journal.
    pub(super) fn of(record: &ActionRecord, naming: Naming) -> Self {
        let view = Self::new(&record.action, Some(record.accepted_at), record.outcome.as_ref(), naming);
        match record.stage {
            ActionStage::InDoubt => Self { message: IN_DOUBT_MESSAGE.to_owned(), ..view },
            ActionStage::Accepted | ActionStage::Intended | ActionStage::Closed => view,
        }
    }

    /// The view of an action whose reply was lost, and whose mailbox could not be read yet.
    pub(super) fn in_doubt(action: &Action) -> Self {
        Self { message: IN_DOUBT_MESSAGE.to_owned(), ..Self::in_progress(action) }
    }

    fn new(
        action: &Action,
        accepted_at: Option<DateTime<Utc>>,
        outcome: Option<&Outcome>,
        naming: Naming,
    ) -> Self {
        let done = match outcome {
            Some(Outcome::Done(done)) => Some(done),
            _ => None,
        };
        let event = match outcome {
            Some(Outcome::NeedsAttention { event, .. }) => Some(event),
            _ => done.map(|done| &done.event),
        };
        Self {
            id: action.id.0,
            room: action.room.to_string(),
            kind: kind_name(action.kind),
            actor_kind: action.actor.kind(),
            actor: action.actor.name().to_owned(),
            proof: action.actor.proof().map(ToString::to_string),
            accepted_at,
            state: outcome.map_or(ActionStatus::Open, ActionStatus::from).as_str(),
            message: outcome
                .map_or_else(|| IN_PROGRESS_MESSAGE.to_owned(), |outcome| outcome.message(naming)),
            event: event.map(EventSnapshotView::from),
            change: done.map(ChangeView::from),
            repeated: false,
        }
    }
}

const IN_PROGRESS_MESSAGE: &str = "In progress.";
const IN_DOUBT_MESSAGE: &str = "In doubt: Exchange did not confirm the change. Adjourn reads the mailbox again until the outcome is known.";

fn kind_name(ask: ActionKind) -> &'static str {
    match ask {
        ActionKind::End(Notify::Attendees | Notify::Nobody) => "end",
        ActionKind::Delete(DeleteMode::Notify | DeleteMode::Silent) => "delete",
        ActionKind::Extend { .. } => "extend",
        ActionKind::Book { .. } => "book",
        ActionKind::Undo { .. } => "undo",
    }
}
