//! The differences between two calendars of one room, and the sentences about them. Values only.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::calendar::{Event, Uid};
use crate::engine::UnreadableItem;

/// The two connections of a move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Side {
    /// The connection that the room has now.
    Source,
    /// The connection that the room moves to.
    Target,
}

/// The names of the two connections.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SideNames<'n> {
    pub(crate) source: &'n str,
    pub(crate) target: &'n str,
}

impl<'n> SideNames<'n> {
    pub(crate) fn of(self, side: Side) -> &'n str {
        match side {
            Side::Source => self.source,
            Side::Target => self.target,
        }
    }
}

/// One difference between the two calendars.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Difference {
    /// The event is missing on one side.
    Missing { on: Side, event: EventTimes },
    /// The event has no UID on the side that returned it, so no other event can be proven to be the same one.
    WithoutUid { on: Side, event: EventTimes },
    /// The event is on both sides with different values. The times are those of the source.
    Changed { event: EventTimes, properties: Vec<ChangedProperty> },
    /// The item cannot be read on one side.
    Unreadable { on: Side, item: String, start: Option<DateTime<Utc>>, end: Option<DateTime<Utc>> },
}

/// The identity and the times of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EventTimes {
    pub(crate) uid: Option<Uid>,
    pub(crate) start: DateTime<Utc>,
    pub(crate) end: DateTime<Utc>,
}

/// A property that has different values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ChangedProperty {
    pub(crate) property: Property,
    pub(crate) source: String,
    pub(crate) target: String,
}

/// The compared properties.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Property {
    /// Start and end.
    Times,
    /// The start that the date has by its series.
    OriginalStart,
    /// Single event, occurrence or exception.
    Kind,
    AllDay,
    /// Whose copy it is.
    Copy,
    Private,
    Organizer,
    /// Whether the room declined the meeting.
    Declined,
    Cancelled,
    /// The free/busy status, which decides whether the event takes the room.
    FreeBusy,
}

/// How many differences there are, by what differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub(crate) struct DifferenceCounts {
    pub(crate) missing_on_source: usize,
    pub(crate) missing_on_target: usize,
    pub(crate) without_uid: usize,
    pub(crate) changed: usize,
    pub(crate) unreadable_on_source: usize,
    pub(crate) unreadable_on_target: usize,
}

impl DifferenceCounts {
    pub(crate) fn of(differences: &[Difference]) -> Self {
        let mut counts = Self::default();
        for difference in differences {
            *match difference {
                Difference::Missing { on: Side::Source, .. } => &mut counts.missing_on_source,
                Difference::Missing { on: Side::Target, .. } => &mut counts.missing_on_target,
                Difference::WithoutUid { .. } => &mut counts.without_uid,
                Difference::Changed { .. } => &mut counts.changed,
                Difference::Unreadable { on: Side::Source, .. } => &mut counts.unreadable_on_source,
                Difference::Unreadable { on: Side::Target, .. } => &mut counts.unreadable_on_target,
            } += 1;
        }
        counts
    }
}

impl Difference {
    /// The start of the event, for the order.
    pub(crate) fn start(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Missing { event, .. } | Self::WithoutUid { event, .. } | Self::Changed { event, .. } => {
                Some(event.start)
            }
            Self::Unreadable { start, .. } => *start,
        }
    }

    /// The difference as a sentence that names the connections.
    pub(crate) fn sentence(&self, names: SideNames<'_>) -> String {
        match self {
            Self::Missing { on, event } => format!("{event}: missing over {}", names.of(*on)),
            Self::WithoutUid { on, event } => {
                format!("{event}: has no UID over {}, so it cannot be matched", names.of(*on))
            }
            Self::Changed { event, properties } => {
                let changes: Vec<_> = properties.iter().map(|change| change.phrase(names)).collect();
                format!("{event}: {}", changes.join("; "))
            }
            Self::Unreadable { on, item, .. } => format!("{item}: cannot be read over {}", names.of(*on)),
        }
    }
}

impl ChangedProperty {
    fn phrase(&self, names: SideNames<'_>) -> String {
        let Self { property, source, target } = self;
        format!("{property} {source} over {}, {target} over {}", names.source, names.target)
    }
}

impl From<&Event> for EventTimes {
    fn from(event: &Event) -> Self {
        Self { uid: event.uid.clone(), start: event.start, end: event.end }
    }
}

/// The difference that a side cannot read this item.
pub(super) fn unreadable(on: Side, item: &UnreadableItem) -> Difference {
    Difference::Unreadable { on, item: item.to_string(), start: item.start, end: item.end }
}

impl fmt::Display for EventTimes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.start.format("%F %H:%MZ"), self.end.format("%F %H:%MZ"))
    }
}

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Times => "times",
            Self::OriginalStart => "start by the series",
            Self::Kind => "kind",
            Self::AllDay => "all day",
            Self::Copy => "copy",
            Self::Private => "private",
            Self::Organizer => "organizer",
            Self::Declined => "declined by the room",
            Self::Cancelled => "cancelled",
            Self::FreeBusy => "shown as",
        })
    }
}
