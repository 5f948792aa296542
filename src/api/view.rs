//! What is answered, as JSON. Times are UTC, RFC 3339. A format of its own: what the journal stores may change without it.

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

/// A room at one moment.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RoomView {
    /// SMTP address.
    #[schema(example = "room-aurora@example.com")]
    pub room: String,
    /// What people call it, where the configuration says.
    pub name: Option<String>,
    /// In which building, where the configuration says.
    pub building: Option<String>,
    /// Whose clock hangs on its wall: an IANA name, where the configuration says.
    pub time_zone: Option<String>,
    /// Something is on.
    pub busy: bool,
    /// When its calendar was read.
    pub read_at: DateTime<Utc>,
    /// It was still so then: later than `read_at` where the server tells what changes, and has told nothing.
    pub as_of: DateTime<Utc>,
    /// By what that is known: `streaming` (the server tells), `sync` (it is asked what changed), `view` (the calendar is read
    /// again and again), `asked` (it is read when somebody asks).
    pub follows: &'static str,
    /// The event that is on; where several are, the first of `current_events`.
    pub current: Option<EventView>,
    /// All events that take the room now: timed before all-day events, the last begun first. Cancelled and declined events,
    /// and those shown as Free, take no time.
    pub current_events: Vec<EventView>,
    /// What begins next, within a day.
    pub next: Option<EventView>,
    /// Something is on until then, one after another or beside another, as far as its calendar was read; null when nothing is on.
    pub busy_until: Option<DateTime<Utc>>,
    /// Nothing is on until then; null when something is on, or nothing comes within a day.
    pub free_until: Option<DateTime<Utc>>,
    /// Somebody checked in to what is on.
    pub checked_in: bool,
    /// When what is on is released unless somebody checks in.
    pub release_at: Option<DateTime<Utc>>,
    /// The id of the event that a check-in without `event` is for, while one waits for it.
    pub awaiting_check_in: Option<String>,
    /// What may be asked for with a chance: `check-in`, `end`, `extend`, `book`. Ending and extending are about `current`; where
    /// several events are on, the request has to name it.
    pub may: Vec<&'static str>,
}

/// An event as a display may show it.
#[derive(Debug, Hash, Serialize, ToSchema)]
pub(super) struct EventView {
    /// To name it in a request.
    pub id: String,
    /// First instant.
    pub start: DateTime<Utc>,
    /// First instant after.
    pub end: DateTime<Utc>,
    /// `single`, `occurrence` or `exception`.
    pub kind: &'static str,
    /// It takes whole days.
    pub all_day: bool,
    /// It is marked private.
    pub private: bool,
    /// Only where the configuration shows subjects, and the event is not private.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The organizer's name or address, under the same conditions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organizer: Option<String>,
}

/// One of the events that a request without a name may have meant.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CandidateView {
    /// To name it in a request.
    pub id: String,
    /// First instant.
    pub start: DateTime<Utc>,
    /// First instant after.
    pub end: DateTime<Utc>,
    /// Only where the configuration shows subjects, and the event is not private.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The organizer's name or address, under the same conditions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organizer: Option<String>,
}

/// An action: what was asked, and what became of it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ActionView {
    /// Its name.
    pub action: Uuid,
    /// In which room.
    pub room: String,
    /// `end`, `delete`, `extend`, `book` or `undo`.
    pub asked: &'static str,
    /// Who asked: `user`, `program` (an API key) or `sweep`.
    pub actor_kind: &'static str,
    /// The user, the key's name, or the rule.
    pub actor: String,
    /// Why absence was proven, where a sweep acted on it.
    pub proof: Option<String>,
    /// When it was taken on; null while it waits for its turn.
    pub accepted_at: Option<DateTime<Utc>>,
    /// `open`, `done`, `already-done`, `refused` or `needs-attention`.
    pub state: &'static str,
    /// The same in a sentence.
    pub message: String,
    /// The event, as it was before.
    pub event: Option<EventSnapshotView>,
    /// What was changed.
    pub change: Option<ChangeView>,
    /// This is the answer that was given before, under the same Idempotency-Key.
    pub repeated: bool,
}

/// An event as it was seen.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EventSnapshotView {
    /// Its id then.
    pub id: String,
    /// First instant.
    pub start: DateTime<Utc>,
    /// First instant after.
    pub end: DateTime<Utc>,
}

/// What was changed, who knows, and whether there is a way back.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ChangeView {
    /// `ended`, `extended`, `booked`, `declined`, `cancelled`, `removed`, `end-restored` or `moved-back`.
    pub kind: &'static str,
    /// The end it has now, where that was changed.
    pub end: Option<DateTime<Utc>>,
    /// Whose copy: `attendee`, `organizer` or `plain`.
    pub copy: &'static str,
    /// Exchange told the organizer, as far as that is known.
    pub organizer_informed: bool,
    /// Exchange told the attendees, as far as that is known.
    pub attendees_informed: bool,
    /// `sent`, `none` (the change sends no message), or `unknown`: Exchange did not confirm that the message was sent.
    pub notification: &'static str,
    /// `POST /v1/actions/{action}/undo` puts it back.
    pub undoable: bool,
    /// Nothing was written: this is what would have been done.
    pub rehearsed: bool,
}

/// Times as a caller saw them.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ExpectedTimes {
    /// First instant.
    pub start: DateTime<Utc>,
    /// First instant after.
    pub end: DateTime<Utc>,
}

impl RoomView {
    pub(super) fn of(status: &RoomStatus, subjects: bool) -> Self {
        let event = |event: &Option<Event>| event.as_ref().map(|event| EventView::of(event, subjects));
        Self {
            room: status.room.to_string(),
            name: status.info.name.clone(),
            building: status.info.building.clone(),
            time_zone: status.info.time_zone.clone(),
            busy: status.is_busy(),
            read_at: status.read_at,
            as_of: status.as_of,
            follows: status.tracking.as_str(),
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
            may: status.allowed_actions.iter().map(|may| allowed_action_name(*may)).collect(),
        }
    }
}

fn allowed_action_name(may: AllowedAction) -> &'static str {
    match may {
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
    /// The event as the action found it, with the names that the room's last reading has of it.
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
                Notified::Unknown => "unknown",
            },
            undoable: done.reversibility == Reversibility::Reversible,
            rehearsed: done.dry_run,
        }
    }
}

impl ActionView {
    /// Of an answer just given.
    pub(super) fn answered(action: &Action, outcome: &Outcome, repeated: bool, naming: Naming) -> Self {
        Self { repeated, ..Self::new(action, None, Some(outcome), naming) }
    }

    /// Of one that is under way.
    pub(super) fn under_way(action: Uuid, room: String) -> Self {
        Self {
            action,
            room,
            asked: "",
            actor_kind: "program",
            actor: String::new(),
            proof: None,
            accepted_at: None,
            state: "open",
            message: IN_PROGRESS_MESSAGE.to_owned(),
            event: None,
            change: None,
            repeated: false,
        }
    }

    /// As the journal has it.
    pub(super) fn of(life: &ActionRecord, naming: Naming) -> Self {
        let view = Self::new(&life.action, Some(life.accepted_at), life.outcome.as_ref(), naming);
        match life.stage {
            ActionStage::InDoubt => Self { message: IN_DOUBT_MESSAGE.to_owned(), ..view },
            ActionStage::Accepted | ActionStage::Intended | ActionStage::Closed => view,
        }
    }

    /// Of one whose reply was lost, and whose mailbox could not be read yet.
    pub(super) fn in_doubt(action: Uuid, room: String) -> Self {
        Self { message: IN_DOUBT_MESSAGE.to_owned(), ..Self::under_way(action, room) }
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
            action: action.id.0,
            room: action.room.to_string(),
            asked: kind_name(action.kind),
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

const IN_PROGRESS_MESSAGE: &str = "under way";
const IN_DOUBT_MESSAGE: &str =
    "in doubt: Exchange did not confirm it; the mailbox is looked at again until it shows what happened";

fn kind_name(ask: ActionKind) -> &'static str {
    match ask {
        ActionKind::End(Notify::Attendees | Notify::Nobody) => "end",
        ActionKind::Delete(DeleteMode::Notify | DeleteMode::Silent) => "delete",
        ActionKind::Extend { .. } => "extend",
        ActionKind::Book { .. } => "book",
        ActionKind::Undo { .. } => "undo",
    }
}
