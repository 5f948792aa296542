//! One attempt of an action: the calendar before the step, and the plan. Values only.

use std::borrow::Cow;

use chrono::{DateTime, Utc};

use super::booking::BookingDraft;
use super::capabilities::Capabilities;
use super::plan::Plan;
use super::undo::UndoTarget;
use super::{CalendarError, messages};
use crate::action::{ActionKind, EventSnapshot, Outcome, TimeRange};
use crate::calendar::{Event, EventId, Uid};
use crate::journal::Intent;

/// One attempt, from its plan on.
#[derive(Debug, Clone)]
pub(super) struct Attempt {
    pub(super) before: Before,
    pub(super) plan: Plan,
    /// What an undo reverts; `None` for other kinds, and until the journal was read after a restart.
    pub(super) undo: Option<UndoTarget>,
}

/// The calendar before the step.
#[derive(Debug, Clone)]
pub(super) enum Before {
    Event(Box<Event>),
    /// Nothing: the step creates an event from this draft.
    Draft(BookingDraft),
}

/// What the search for the event of an action starts from.
pub(super) enum LocateFrom {
    /// The request's target.
    Request,
    /// An earlier attempt, after a conflict, a doubtful write or a restart: the same event, if its times are unchanged.
    Attempt(Box<Attempt>),
}

impl Attempt {
    /// The outcome of an attempt whose result is unknown: a person has to check the calendar.
    pub(super) fn needs_attention(&self, error: &CalendarError) -> Outcome {
        messages::needs_attention(&self.before.snapshot(), &self.plan.step, error)
    }

    /// The outcome where the mailbox does not show whether the step was applied.
    pub(super) fn indeterminate(&self, server: Capabilities) -> Outcome {
        let step = &self.plan.step;
        match step.removes_event() && !server.can_trace(step) {
            true => self.needs_attention(&messages::no_trace()),
            false => messages::indeterminate(&self.before.snapshot(), step),
        }
    }
}

impl From<&Intent> for Attempt {
    fn from(intent: &Intent) -> Self {
        let plan = Plan { step: intent.step.clone(), done: intent.done.clone() };
        Self { before: Before::from(intent), plan, undo: None }
    }
}

impl Before {
    /// Whether the calendar still has the event as it was: this item in this version.
    pub(super) fn is_unchanged(&self, now: &Event) -> bool {
        match self {
            Self::Event(before) => before.id == now.id && before.change_key == now.change_key,
            Self::Draft(_) => false,
        }
    }

    /// The same event, under the id that the room's server has for it now.
    pub(super) fn under_id(&self, id: &EventId) -> Cow<'_, Self> {
        match self {
            Self::Event(before) if before.id != *id => {
                Cow::Owned(Self::Event(Box::new(Event { id: id.clone(), ..(**before).clone() })))
            }
            before => Cow::Borrowed(before),
        }
    }

    /// The id; `None` before the server has created the event.
    pub(super) fn id(&self) -> Option<&EventId> {
        match self {
            Self::Event(event) => Some(&event.id),
            Self::Draft(_) => None,
        }
    }

    /// The UID and the place in the series, which identify the event under any id.
    pub(super) fn identity(&self) -> Option<(&Uid, DateTime<Utc>)> {
        match self {
            Self::Event(event) => event.identity(),
            Self::Draft(draft) => Some((&draft.uid, draft.start)),
        }
    }

    /// Start and end.
    pub(super) fn times(&self) -> TimeRange {
        match self {
            Self::Event(event) => TimeRange::from(&**event),
            Self::Draft(draft) => TimeRange { start: draft.start, end: draft.end },
        }
    }

    /// The properties that an outcome shows.
    pub(super) fn snapshot(&self) -> EventSnapshot {
        EventSnapshot::from(&*self.stored())
    }

    /// The event as the journal stores it.
    pub(super) fn stored(&self) -> Cow<'_, Event> {
        match self {
            Self::Event(event) => Cow::Borrowed(event),
            Self::Draft(draft) => Cow::Owned(draft.stored()),
        }
    }
}

impl From<&Intent> for Before {
    fn from(intent: &Intent) -> Self {
        match BookingDraft::of_intent(intent) {
            Some(draft) => Self::Draft(draft),
            None => Self::Event(Box::new(intent.before.clone())),
        }
    }
}

impl LocateFrom {
    /// The plan of the earlier attempt, if it is about this very version: the same step is sent again, and the first one applied
    /// makes the other a conflict. Extensions and bookings depend on other events too, and are planned anew; so is an event that
    /// has another id, because the room may have moved to a server that can do less.
    pub(super) fn plan_for_same_version(&self, now: &Before, kind: ActionKind) -> Option<&Plan> {
        let (Self::Attempt(attempt), Before::Event(now)) = (self, now) else { return None };
        let depends_on_others = matches!(kind, ActionKind::Extend(_) | ActionKind::Book(_));
        (attempt.before.is_unchanged(now) && !depends_on_others).then_some(&attempt.plan)
    }
}
