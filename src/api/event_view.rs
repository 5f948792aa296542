//! Events as the API shows them, wherever they appear: in a room's state, in a list, in a problem. Subjects and names of people are shown
//! only where the configuration allows it, and never those of private events.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::action::EventSnapshot;
use crate::calendar::{Event, EventKind};
use crate::timestamp::Timestamp;

/// An event as a display shows it.
#[derive(Debug, Hash, Serialize, ToSchema)]
pub(crate) struct EventView {
    /// The event's id; send it as `event` in a request.
    #[schema(example = "AAMkAGVmMDEzMTM4LTZmYWUtNDdkNC1hMDZiLTU1OGY5OTZhYmY4OAFRAAgI3HZf")]
    pub id: String,
    /// Start.
    pub start: Timestamp,
    /// End (exclusive).
    pub end: Timestamp,
    /// The event's relation to a series.
    pub kind: EventKind,
    /// Whether the event is an all-day event.
    pub all_day: bool,
    /// Whether the event is marked private.
    pub private: bool,
    /// Null unless the configuration shows subjects and the event is not private.
    #[schema(example = "Design critique")]
    pub subject: Option<String>,
    /// The organizer's name or address; null under the same conditions.
    #[schema(example = "Ada Albers")]
    pub organizer: Option<String>,
}

/// One of the events that a request without `event` may mean.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CandidateView {
    /// The event's id; send it as `event` in a request.
    #[schema(example = "AAMkAGVmMDEzMTM4LTZmYWUtNDdkNC1hMDZiLTU1OGY5OTZhYmY4OAFRAAgI3HZf")]
    pub id: String,
    /// Start.
    pub start: Timestamp,
    /// End (exclusive).
    pub end: Timestamp,
    /// Null unless the configuration shows subjects and the event is not private.
    #[schema(example = "Design critique")]
    pub subject: Option<String>,
    /// The organizer's name or address; null under the same conditions.
    #[schema(example = "Ada Albers")]
    pub organizer: Option<String>,
}

/// An event's id and times at the time of reading.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EventSnapshotView {
    /// The event's id at that time.
    #[schema(example = "AAMkAGVmMDEzMTM4LTZmYWUtNDdkNC1hMDZiLTU1OGY5OTZhYmY4OAFRAAgI3HZf")]
    pub id: String,
    /// Start.
    pub start: Timestamp,
    /// End (exclusive).
    pub end: Timestamp,
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

impl EventView {
    pub(crate) fn of(event: &Event, subjects: bool) -> Self {
        let shown = subjects && !event.is_private;
        let organizer = event.organizer.clone().and_then(|person| person.name.or(person.address));
        Self {
            id: event.id.to_string(),
            start: event.start.into(),
            end: event.end.into(),
            kind: event.kind,
            all_day: event.is_all_day,
            private: event.is_private,
            subject: event.subject.clone().filter(|_| shown),
            organizer: organizer.filter(|_| shown),
        }
    }

    /// An event of which only this was read: nothing else is shown of it.
    pub(super) fn of_snapshot(event: &EventSnapshot) -> Self {
        Self {
            id: event.id.to_string(),
            start: event.start.into(),
            end: event.end.into(),
            kind: event.kind,
            all_day: false,
            private: true,
            subject: None,
            organizer: None,
        }
    }

    pub(super) fn list<'e>(events: impl IntoIterator<Item = &'e Event>, subjects: bool) -> Vec<Self> {
        events.into_iter().map(|event| Self::of(event, subjects)).collect()
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
        Self { id: seen.id.to_string(), start: seen.start.into(), end: seen.end.into(), subject, organizer }
    }
}

impl From<&EventSnapshot> for EventSnapshotView {
    fn from(seen: &EventSnapshot) -> Self {
        Self { id: seen.id.to_string(), start: seen.start.into(), end: seen.end.into() }
    }
}
