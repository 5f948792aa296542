//! Signs: what says that people were in a room, or stood at its door. Kept by room, matched to events. Pure.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::Terms;
use super::reference::{Reach, reach};
use crate::calendar::{Event, RoomAddress, Uid};

/// One sign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sign {
    /// In which room.
    pub room: RoomAddress,
    /// The event's id or UID, in any spelling, if the source knows it.
    pub event: Option<String>,
    /// The time the sign is about.
    pub at: DateTime<Utc>,
    /// The time we received it.
    pub received_at: DateTime<Utc>,
    /// What sent it: a sensor system, a badge reader, a display, a button.
    pub source: String,
    /// The event it was matched to when it arrived. The sign stays with that event when the event moves or gets another id.
    pub identity: Option<(Uid, DateTime<Utc>)>,
    /// It matched an event of the room at some time.
    pub is_matched: bool,
    /// It is kept until then: as long as an event that it is about matters.
    pub keep_until: DateTime<Utc>,
}

/// How far a source's clock may be ahead of ours.
pub const CLOCK_AHEAD_MAX: TimeDelta = TimeDelta::minutes(5);
/// How late a sign may arrive and still be about the moment it names even where no event was on then.
const LATE: TimeDelta = TimeDelta::minutes(5);
/// A sign whose time lies further back than this has no usable clock (a sensor that starts at 1970).
const CLOCK_BEHIND_MAX: TimeDelta = TimeDelta::days(2);
/// How long a sign is kept that matches no event: one may be read late, or moved to this time.
const KEPT: TimeDelta = TimeDelta::days(1);
/// How long a sign is kept after the end of the event that it names: the event may be moved to a later day.
const KEPT_NAMED: TimeDelta = TimeDelta::days(7);
/// How long before its start people check in to an event that a sign names by the UID of its series: room products take
/// check-ins up to twelve hours ahead.
const NAMED_EARLY: TimeDelta = TimeDelta::hours(12);

impl Sign {
    /// A sign that is about the moment at which it was received.
    pub fn new(room: RoomAddress, at: DateTime<Utc>, source: impl Into<String>) -> Self {
        Self {
            room,
            event: None,
            at,
            received_at: at,
            source: source.into(),
            identity: None,
            is_matched: false,
            keep_until: at + KEPT,
        }
    }

    /// The same, about an event.
    #[must_use]
    pub fn for_event(self, event: &Event) -> Self {
        let reference = event.uid.as_ref().map_or(event.id.as_str(), |uid| uid.as_str());
        let identity = event.identity().map(|(uid, start)| (uid.clone(), start));
        let keep_until = event.end.max(self.received_at) + KEPT_NAMED;
        Self { event: Some(reference.to_owned()), identity, is_matched: true, keep_until, ..self }
    }

    /// The same, received at this time.
    #[must_use]
    pub fn received(self, at: DateTime<Utc>) -> Self {
        Self { received_at: at, keep_until: at + KEPT, ..self }
    }

    /// The event's id or UID, unless it is empty.
    pub fn reference(&self) -> Option<&str> {
        self.event.as_deref().filter(|named| !named.trim().is_empty())
    }

    /// Whether the sign's own time can be used.
    pub fn has_usable_clock(&self) -> bool {
        self.at <= self.received_at + CLOCK_AHEAD_MAX && self.received_at - self.at <= CLOCK_BEHIND_MAX
    }

    /// Finds the event that the sign is about among those of its room, and keeps the sign for as long as that matters. `known` finds
    /// an event by an id that it had before.
    pub fn identify(
        &mut self,
        events: &[Event],
        known: impl Fn(&str) -> Option<(Uid, DateTime<Utc>)>,
        terms: &Terms,
    ) {
        let matching: Vec<_> = events.iter().filter(|event| self.matches(event, terms)).collect();
        let kept = if self.reference().is_some() { KEPT_NAMED } else { KEPT };
        let ends = matching.iter().map(|event| event.end + kept);
        self.keep_until = ends.fold(self.keep_until, DateTime::max);
        self.is_matched |= !matching.is_empty();
        let Some(reference) = self.reference().filter(|_| self.identity.is_none()) else { return };
        let nearest = matching.iter().min_by_key(|event| (event.start - self.at).abs());
        let identity = nearest.and_then(|event| event.identity()).map(|(uid, start)| (uid.clone(), start));
        self.identity = identity.or_else(|| known(reference));
        self.is_matched |= self.identity.is_some();
    }

    /// Whether the sign says that people came to this event.
    pub fn matches(&self, event: &Event, terms: &Terms) -> bool {
        if let Some(identity) = &self.identity {
            return is_identity(identity, event);
        }
        match self.reference() {
            None => self.has_usable_clock() && unnamed_window(event, terms).contains(&self.at),
            Some(reference) => match reach(reference, event) {
                None => false,
                Some(Reach::ThisEvent) => true,
                Some(Reach::Series) => (event.start - NAMED_EARLY..event.end).contains(&self.at),
            },
        }
    }

    /// Whether the sign may be about this event although it matches no event of the room: an id that no event has, or a clock
    /// that is wrong.
    fn may_be_about(&self, event: &Event, events: &[Event], terms: &Terms) -> bool {
        let possible = event.start - terms.early..event.end;
        let near = possible.contains(&self.at) || possible.contains(&self.received_at);
        near && self.is_unmatched(events, terms)
    }

    /// Whether the sign matches none of the room's events although it should.
    pub fn is_unmatched(&self, events: &[Event], terms: &Terms) -> bool {
        let odd = self.reference().is_some() || !self.has_usable_clock() || self.received_at - self.at > LATE;
        odd && !self.is_matched && !events.iter().any(|event| self.matches(event, terms))
    }
}

/// A single event keeps its UID wherever it moves; a date of a series is told by its place in the series.
fn is_identity((uid, start): &(Uid, DateTime<Utc>), event: &Event) -> bool {
    let same_date = || event.identity().is_some_and(|(_, original)| original == *start);
    event.uid.as_ref() == Some(uid) && (!event.kind.is_date_of_series() || same_date())
}

/// When a sign that names no event counts.
fn unnamed_window(event: &Event, terms: &Terms) -> std::ops::Range<DateTime<Utc>> {
    let from = if terms.presence_after.is_zero() {
        event.start - terms.early
    } else {
        event.start + terms.presence_after
    };
    from..event.end
}

/// All signs, by room.
#[derive(Debug, Clone, Default)]
pub struct SignLog {
    by_room: HashMap<RoomAddress, Vec<Sign>>,
}

/// A day of signs every ten seconds.
const SIGNS_PER_ROOM_MAX: usize = 8_640;

impl SignLog {
    /// Adds one sign. When a room has too many, the oldest that name no event go first.
    pub fn push(&mut self, sign: Sign) {
        let signs = self.by_room.entry(sign.room.clone()).or_default();
        signs.push(sign);
        if signs.len() > SIGNS_PER_ROOM_MAX {
            let unnamed = signs.iter().position(|sign| sign.reference().is_none());
            signs.remove(unnamed.unwrap_or(0));
        }
    }

    /// Keeps the signs for which `keep` holds.
    pub fn retain(&mut self, mut keep: impl FnMut(&Sign) -> bool) {
        self.by_room.values_mut().for_each(|signs| signs.retain(&mut keep));
        self.by_room.retain(|_, signs| !signs.is_empty());
    }

    /// The signs of a room, in the order in which they arrived.
    pub fn of_room(&self, room: &RoomAddress) -> &[Sign] {
        self.by_room.get(room).map_or(&[], Vec::as_slice)
    }

    /// Every sign.
    pub fn all(&self) -> impl Iterator<Item = &Sign> {
        self.by_room.values().flatten()
    }

    /// The first sign that matches the event.
    pub fn matching(&self, room: &RoomAddress, event: &Event, terms: &Terms) -> Option<&Sign> {
        self.of_room(room).iter().filter(|sign| sign.matches(event, terms)).min_by_key(|sign| sign.at)
    }

    /// A sign that may be about the event, and could not be matched to any event.
    pub fn unmatched(
        &self,
        room: &RoomAddress,
        event: &Event,
        events: &[Event],
        terms: &Terms,
    ) -> Option<&Sign> {
        self.of_room(room).iter().find(|sign| sign.may_be_about(event, events, terms))
    }

    /// Whether any of these rooms gave a sign from one of these times to the other, both included.
    pub fn has_any(
        &self,
        (from, to): (DateTime<Utc>, DateTime<Utc>),
        of: impl Fn(&RoomAddress) -> bool,
    ) -> bool {
        let is_then = |time: DateTime<Utc>| from <= time && time <= to;
        let spoke = |signs: &[Sign]| signs.iter().any(|sign| is_then(sign.at) || is_then(sign.received_at));
        self.by_room.iter().any(|(room, signs)| of(room) && spoke(signs))
    }

    /// Gives the room's signs the identity of the events that they name, and returns those that are to be kept for longer now.
    /// `known` finds an event by an id that it had before.
    pub fn identify(
        &mut self,
        room: &RoomAddress,
        events: &[Event],
        known: impl Fn(&str) -> Option<(Uid, DateTime<Utc>)>,
        terms: &Terms,
    ) -> Vec<Sign> {
        let mut changed = Vec::new();
        for sign in self.by_room.get_mut(room).into_iter().flatten() {
            let (kept, was_known) = (sign.keep_until, sign.identity.is_some());
            sign.identify(events, &known, terms);
            if sign.keep_until != kept || sign.identity.is_some() != was_known {
                changed.push(sign.clone());
            }
        }
        changed
    }
}
