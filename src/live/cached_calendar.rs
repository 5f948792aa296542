//! A room's calendar as it was last read, with the age of the reading. Values only.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::day::{self, Agenda};
use super::tracking_mode::TrackingMode;
use crate::calendar::{Event, Window, occupancy};

/// A calendar as it was last read.
#[derive(Debug, Clone)]
pub struct CachedCalendar {
    /// The events that were not over when it was read.
    pub events: Arc<Vec<Event>>,
    /// The events of the local day that were over.
    past: Arc<Vec<Event>>,
    /// When it was read.
    pub read_at: DateTime<Utc>,
    /// No change was reported until then.
    pub as_of: DateTime<Utc>,
    /// How changes are detected.
    pub mode: TrackingMode,
    /// The start of the time that was read.
    known_from: DateTime<Utc>,
    /// The end of the time that was read.
    pub(super) known_until: DateTime<Utc>,
}

impl CachedCalendar {
    pub(super) fn of_reading(events: Vec<Event>, window: &Window, now: DateTime<Utc>) -> Self {
        let (past, events) = day::separate_past(events, now);
        Self {
            events: Arc::new(events),
            past: Arc::new(past),
            read_at: now,
            as_of: now,
            mode: TrackingMode::OnDemand,
            known_from: window.start(),
            known_until: window.end(),
        }
    }

    /// The same reading without the events that were over.
    pub(super) fn without_past(self) -> Self {
        let known_from = occupancy::reading_start(self.read_at);
        Self { past: Arc::default(), known_from, ..self }
    }

    /// The same reading, whose changes are no longer detected.
    pub(super) fn untracked(self) -> Self {
        Self { mode: TrackingMode::OnDemand, ..self }
    }

    /// The agenda of this day, as far as it was read.
    pub fn agenda(&self, day: &Window) -> Agenda {
        let reading = [self.past.clone(), self.events.clone()];
        Agenda::new(day, (self.known_from, self.known_until), reading)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Event> {
        self.past.iter().chain(self.events.iter())
    }

    pub(super) fn has_same_events(&self, other: &Self) -> bool {
        self.events == other.events && self.past == other.past
    }

    /// Whether the reading had all events of this window.
    pub(super) fn covers(&self, window: &Window) -> bool {
        self.known_from <= window.start() && window.end() <= self.known_until
    }

    /// Whether the calendar is at most this old. A calendar from the future (the clock was set back) has no usable age.
    pub(crate) fn is_younger(&self, age: TimeDelta, now: DateTime<Utc>) -> bool {
        now - self.as_of <= age && self.as_of - now <= TimeDelta::seconds(1)
    }
}

/// The events that occupy a room within a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomEvents {
    /// In order of start, then id.
    pub events: Vec<Event>,
    /// When the calendar was read.
    pub read_at: DateTime<Utc>,
}
