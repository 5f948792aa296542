//! Rooms and actions as the API and the command line's `--json` show them. Every member is always there: a member without a value is null.
//! The views are a format of their own: the journal's format may change without them.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::event_view::{EventSnapshotView, EventView};
use super::kinds::{ActionKindName, ActorKind, ChangeName, NotUndoable, Notification};
use super::problem::Problem;
use super::problem_type::ProblemType;
use crate::action::{Action, ActionId, Change, Done, Naming, Notified, Outcome, Reversibility};
use crate::calendar::{Copy, Event};
use crate::engine::Engine;
use crate::journal::{ActionRecord, ActionStage, ActionStatus};
use crate::live::TrackingMode;
use crate::service::{AllowedAction, RoomStatus};
use crate::timestamp::Timestamp;

/// A room's state at one moment.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RoomView {
    /// The room's id: its SMTP address.
    #[schema(example = "room-aurora@example.com")]
    pub id: String,
    /// Display name, by the configuration, else by the directory.
    #[schema(example = "Aurora")]
    pub name: Option<String>,
    /// Building, by the configuration, else by the directory.
    #[schema(example = "Berlin")]
    pub building: Option<String>,
    /// Floor, by the configuration, else by the directory.
    pub floor: Option<String>,
    /// Number of people that the room holds, by the configuration, else by the directory.
    pub capacity: Option<u32>,
    /// What the room has, such as `video`, by the configuration, else by the directory.
    pub equipment: Vec<String>,
    /// Time zone as an IANA name, if the configuration has one.
    #[schema(example = "Europe/Berlin")]
    pub time_zone: Option<String>,
    /// What a booking may ask for. Whether this key may book: `book` in `GET /v1/me`; whether the room is free now: `allowed_actions`.
    pub booking: BookingView,
    /// Whether an event takes the room now.
    pub busy: bool,
    /// When the calendar was read.
    pub read_at: Timestamp,
    /// A number that is greater for a later reading of the calendar: of two states that overtake each other, the one with the smaller
    /// number is older.
    pub revision: i64,
    /// When the state was last known to be current: later than `read_at` if Exchange would have reported a change since.
    pub as_of: Timestamp,
    /// How changes become known: `streaming` (Exchange sends notifications), `sync` (Exchange is polled for changes), `view` (the
    /// calendar is polled), `on-demand` (the calendar is read when requested).
    pub tracking: TrackingMode,
    /// The current event; if there are several, the first of `current_events`.
    pub current: Option<EventView>,
    /// All events that take the room now: timed before all-day events, the latest start first. Cancelled and declined events, and
    /// those shown as Free, do not take the room.
    pub current_events: Vec<EventView>,
    /// The next event within a day.
    pub next: Option<EventView>,
    /// The events that take the room in its local day, from midnight to midnight in `time_zone` (else in UTC), in order of start;
    /// past events of the day included. Null in the list of rooms.
    pub agenda: Option<Vec<EventView>>,
    /// Start of the day, or of the part of it that was read.
    pub agenda_from: Timestamp,
    /// End (exclusive) of the day, or of the part of it that was read.
    pub agenda_to: Timestamp,
    /// End of the busy time, back-to-back and overlapping events joined, as far as the calendar was read; null when the room is
    /// free.
    pub busy_until: Option<Timestamp>,
    /// End of the free time; null when the room is busy, or nothing begins within a day.
    pub free_until: Option<Timestamp>,
    /// Whether a check-in for the current event is stored.
    pub checked_in: bool,
    /// When the current event will be released, unless a check-in arrives first.
    pub release_at: Option<Timestamp>,
    /// Id of the event that a check-in without `event` is for, while one is awaited.
    pub awaiting_check_in: Option<String>,
    /// Actions available now: `check-in`, `end`, `extend`, `book`. Ending and extending apply to `current`; with several current
    /// events, the request must name it.
    pub allowed_actions: Vec<AllowedAction>,
    /// Language of the room's display as a BCP 47 tag, if the configuration has one.
    #[schema(example = "de")]
    pub language: Option<String>,
    /// Accent colour of the room's display as `#rrggbb`, if the configuration has one: the background of the main button.
    #[schema(example = "#005a9c")]
    pub accent: Option<String>,
    /// Colour of a text on the accent colour: `#000000` or `#ffffff`, whichever has more contrast; null without an accent colour.
    #[schema(example = "#ffffff")]
    pub accent_text: Option<String>,
    /// Path of the logo of the room's display, if the configuration has one. It needs no key.
    #[schema(example = "/console/logos/9f86d081884c7d659a2feaa0c55ad015")]
    pub logo: Option<String>,
}

/// What a booking may ask for.
#[derive(Debug, Clone, Copy, Hash, Serialize, ToSchema)]
pub(super) struct BookingView {
    /// Lengths that a display may offer; any other from 1 to 1440 is accepted.
    #[schema(value_type = Vec<u16>)]
    pub minutes: [u16; 3],
    /// Whether `until: "next"` is accepted.
    pub until_next: bool,
    /// How far ahead a booking may begin.
    pub horizon_minutes: i64,
    /// Whether `subject` and `organizer_name` are accepted.
    pub subjects_allowed: bool,
}

impl BookingView {
    /// What the engine's options allow.
    pub(super) fn of(engine: &Engine) -> Self {
        Self {
            minutes: [15, 30, 60],
            until_next: true,
            horizon_minutes: engine.booking_horizon().num_minutes(),
            subjects_allowed: engine.booking_subjects_allowed(),
        }
    }
}

/// What the view of a room has beside its state.
#[derive(Debug, Clone, Copy)]
pub(super) struct ViewOptions {
    /// Show subjects and organizers of events.
    pub subjects: bool,
    /// What a booking may ask for.
    pub booking: BookingView,
}

/// An action and its outcome.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ActionView {
    /// The action's id.
    pub id: Uuid,
    /// The room's SMTP address.
    #[schema(example = "room-aurora@example.com")]
    pub room: String,
    /// What was requested.
    pub kind: ActionKindName,
    /// Kind of actor.
    pub actor_kind: ActorKind,
    /// Name of the user or key, or the rule.
    #[schema(example = "door-17")]
    pub actor: String,
    /// The evidence of absence, for an action of a sweep.
    pub proof: Option<String>,
    /// When the action was accepted; null while it waits for the room.
    pub accepted_at: Option<Timestamp>,
    /// What became of the action.
    pub state: ActionStatus,
    /// The outcome in a sentence.
    #[schema(example = "Ended at 09:40 instead of 10:00.")]
    pub message: String,
    /// The event before the action.
    pub event: Option<EventSnapshotView>,
    /// What was changed.
    pub change: Option<ChangeView>,
    /// The type of the problem with which the request of a refused action is answered; null for every other state than `refused` and
    /// `needs-attention`.
    pub problem_type: Option<ProblemType>,
    /// The action that has undone this one, as far as the caller may read it.
    pub undone_by: Option<Uuid>,
    /// Whether this is the response of an earlier request with the same `Idempotency-Key`.
    pub repeated: bool,
}

/// What was changed, who was informed, and whether it can be undone.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChangeView {
    /// What was changed.
    pub kind: ChangeName,
    /// The event's new end, where it changed.
    pub end: Option<Timestamp>,
    /// The room's copy of the event.
    pub copy: Copy,
    /// Whether Exchange sent a message to the organizer, as far as known.
    pub organizer_informed: bool,
    /// Whether Exchange sent a message to the attendees, as far as known.
    pub attendees_informed: bool,
    /// What became of Exchange's message about the change.
    pub notification: Notification,
    /// Whether `POST /v1/actions/{action}/undo` can restore the event.
    pub undoable: bool,
    /// Why it cannot; null if it can.
    pub not_undoable: Option<NotUndoable>,
    /// Whether this is a dry run: nothing was changed.
    pub dry_run: bool,
}

impl RoomView {
    pub(super) fn of(status: &RoomStatus, options: ViewOptions) -> Self {
        let agenda = EventView::list(status.agenda.events(), options.subjects);
        Self { agenda: Some(agenda), ..Self::without_agenda(status, options) }
    }

    /// The view in a list of rooms.
    pub(super) fn without_agenda(status: &RoomStatus, options: ViewOptions) -> Self {
        let ViewOptions { subjects, booking } = options;
        let event = |event: &Option<Event>| event.as_ref().map(|event| EventView::of(event, subjects));
        Self {
            id: status.room.to_string(),
            name: status.info.name.clone(),
            building: status.info.building.clone(),
            floor: status.info.floor.clone(),
            capacity: status.info.capacity,
            equipment: status.info.equipment.clone(),
            time_zone: status.info.time_zone.clone(),
            booking,
            busy: status.is_busy(),
            read_at: status.read_at.into(),
            revision: status.read_at.timestamp_millis(),
            as_of: status.as_of.into(),
            tracking: status.tracking,
            current: event(&status.current),
            current_events: EventView::list(&status.current_events, subjects),
            next: event(&status.next),
            agenda: None,
            agenda_from: status.agenda.from.into(),
            agenda_to: status.agenda.to.into(),
            busy_until: status.busy_until.map(Timestamp::from),
            free_until: status.free_until.map(Timestamp::from),
            checked_in: status.checked_in,
            release_at: status.release_at.map(Timestamp::from),
            awaiting_check_in: status.awaiting_check_in.as_ref().map(ToString::to_string),
            allowed_actions: status.allowed_actions.clone(),
            language: status.info.language.clone(),
            accent: status.info.accent.map(|accent| accent.to_string()),
            accent_text: status.info.accent.map(|accent| accent.text_color().to_string()),
            logo: status.info.logo.clone(),
        }
    }
}

impl From<&Done> for ChangeView {
    fn from(done: &Done) -> Self {
        let end = match done.change {
            Change::Ended { to, .. } | Change::Extended { to, .. } | Change::EndRestored { to, .. } => {
                Some(to)
            }
            Change::Booked => Some(done.event.end),
            Change::Declined | Change::Cancelled | Change::Removed | Change::MovedBack => None,
        };
        Self {
            kind: ChangeName::from(&done.change),
            end: end.map(Timestamp::from),
            copy: done.copy,
            organizer_informed: done.notified == Notified::Organizer,
            attendees_informed: done.notified == Notified::Attendees,
            notification: done.notified.into(),
            undoable: done.reversibility == Reversibility::Reversible,
            not_undoable: NotUndoable::of(done.reversibility),
            dry_run: done.dry_run,
        }
    }
}

impl ActionView {
    /// The view of an outcome.
    pub(crate) fn answered(action: &Action, outcome: &Outcome, repeated: bool, naming: Naming) -> Self {
        Self { repeated, ..Self::new(action, None, Some(outcome), naming) }
    }

    /// The view of an action in progress.
    pub(super) fn in_progress(action: &Action) -> Self {
        Self::new(action, None, None, Naming::Unnamed)
    }

    /// The view of an action in the journal.
    pub(crate) fn of(record: &ActionRecord, naming: Naming) -> Self {
        let outcome = record.reported_outcome();
        let view = Self::new(&record.action, Some(record.accepted_at), outcome.as_deref(), naming);
        match record.stage {
            ActionStage::InDoubt => Self { message: IN_DOUBT_MESSAGE.to_owned(), ..view },
            ActionStage::Accepted | ActionStage::Intended | ActionStage::Closed => view,
        }
    }

    /// The view of an action whose change a later one has undone; `by` is that action, if the caller may read it.
    pub(super) fn undone(self, done: &Done, by: Option<ActionId>) -> Self {
        let change = ChangeView { undoable: false, not_undoable: Some(NotUndoable::Undone), ..done.into() };
        let (change, message) = (Some(change), done.undone_message());
        Self { change, message, undone_by: by.map(|action| action.0), ..self }
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
            kind: action.kind.into(),
            actor_kind: ActorKind::of(action),
            actor: action.actor.name().to_owned(),
            proof: action.actor.proof().map(ToString::to_string),
            accepted_at: accepted_at.map(Timestamp::from),
            state: outcome.map_or(ActionStatus::Open, ActionStatus::from),
            message: outcome
                .map_or_else(|| IN_PROGRESS_MESSAGE.to_owned(), |outcome| outcome.message(naming)),
            event: event.map(EventSnapshotView::from),
            change: done.map(ChangeView::from),
            problem_type: outcome
                .and_then(|outcome| Problem::from_outcome(action.id, outcome))
                .map(|problem| problem.kind),
            undone_by: None,
            repeated: false,
        }
    }
}

const IN_PROGRESS_MESSAGE: &str = "In progress.";
const IN_DOUBT_MESSAGE: &str = "In doubt: Exchange did not confirm the change. Adjourn reads the mailbox again until the outcome is known.";
