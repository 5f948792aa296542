//! Signs of presence, and the event that each sign is about. `sign_log` keeps them. Pure.

use std::ops::Range;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::CheckInTiming;
use super::reference::{ReferenceMatch, match_reference};
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
    /// The API key that reported it, by id, or what else did. Evidence is shared out by it ([`EvidenceLimits`](super::Bounds)).
    #[serde(default)]
    pub reporter: String,
    /// Signs of the same source that were merged into this one: bit *n* is set when one is from the minute that begins *n*
    /// minutes after `at`.
    #[serde(default)]
    pub minutes: u64,
    /// Its number in the log and in the service store; 0 before the log has it.
    #[serde(default)]
    pub number: u64,
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
pub(super) const KEPT: TimeDelta = TimeDelta::days(1);
/// How long a sign is kept after the end of the event that it names: the event may be moved to a later day.
const KEPT_NAMED: TimeDelta = TimeDelta::days(7);
/// How long before its start people check in to an event that a sign names by the UID of its series: room products take
/// check-ins up to twelve hours ahead.
pub(super) const NAMED_EARLY: TimeDelta = TimeDelta::hours(12);
/// Minutes that one sign can merge: the bits of [`Sign::minutes`] for one hour.
const MERGED_MINUTES: i64 = 60;
/// What a kept sign takes besides its texts: the value, what its list has in reserve, and what the allocator adds to its texts.
const OVERHEAD: usize = size_of::<Sign>() * 3 / 2 + 96;

impl Sign {
    /// A sign that is about the moment at which it was received.
    pub fn new(room: RoomAddress, at: DateTime<Utc>, source: impl Into<String>) -> Self {
        Self {
            room,
            event: None,
            at,
            received_at: at,
            source: source.into(),
            reporter: String::new(),
            minutes: 0,
            number: 0,
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

    /// The same, reported by this API key.
    #[must_use]
    pub fn reported_by(self, reporter: impl Into<String>) -> Self {
        Self { reporter: reporter.into(), ..self }
    }

    /// The memory that it takes, and about that of its row in the service store.
    pub fn bytes(&self) -> usize {
        let event = self.event.as_ref().map_or(0, String::len);
        let uid = self.identity.as_ref().map_or(0, |(uid, _)| uid.as_str().len());
        OVERHEAD + self.room.as_str().len() + self.source.len() + self.reporter.len() + event + uid
    }

    /// Merges a sign that says the same, or returns `false`: another source, another event, or not within the hour from `at`.
    pub(super) fn merge(&mut self, other: &Self) -> bool {
        if !self.is_alike(other) {
            return false;
        }
        let is_named = self.reference().is_some() && self.identity.is_none();
        if is_named || !self.is_prompt() || !other.is_prompt() {
            // Which event such a sign is about may depend on its very minute.
            return minute(self.at) == minute(other.at)
                && minute(self.received_at) == minute(other.received_at);
        }
        let later = (other.at - self.at).num_minutes();
        if other.at < self.at || later >= MERGED_MINUTES {
            return false;
        }
        if other.at > self.at {
            self.minutes |= 1 << later;
        }
        self.keep_until = self.keep_until.max(other.keep_until);
        true
    }

    fn is_alike(&self, other: &Self) -> bool {
        self.source == other.source
            && self.event == other.event
            && self.reporter == other.reporter
            && self.identity == other.identity
            && self.is_matched == other.is_matched
    }

    /// It was received while it was new, and its clock can be used.
    fn is_prompt(&self) -> bool {
        self.has_usable_clock() && self.received_at - self.at <= LATE
    }

    /// The first time in this range that the sign is about.
    pub(super) fn first_in(&self, range: &Range<DateTime<Utc>>) -> Option<DateTime<Utc>> {
        if range.contains(&self.at) {
            return Some(self.at);
        }
        let begins = (0..MERGED_MINUTES).filter(|bit| self.minutes >> bit & 1 == 1);
        let begins = begins.map(|bit| self.at + TimeDelta::minutes(bit));
        let mut touching =
            begins.filter(|begin| *begin < range.end && range.start < *begin + TimeDelta::minutes(1));
        touching.next().map(|begin| begin.max(range.start))
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
        terms: &CheckInTiming,
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
    pub fn matches(&self, event: &Event, terms: &CheckInTiming) -> bool {
        self.matched_at(event, terms).is_some()
    }

    /// When people came to this event, as far as the sign says so.
    pub fn matched_at(&self, event: &Event, terms: &CheckInTiming) -> Option<DateTime<Utc>> {
        if let Some(identity) = &self.identity {
            return is_identity(identity, event).then_some(self.at);
        }
        match self.reference() {
            None if !self.has_usable_clock() => None,
            None => self.first_in(&unnamed_window(event, terms)),
            Some(reference) => match match_reference(reference, event)? {
                ReferenceMatch::ThisEvent => Some(self.at),
                ReferenceMatch::Series => self.first_in(&(event.start - NAMED_EARLY..event.end)),
            },
        }
    }

    /// Whether the sign may be about this event although it matches no event of the room: an id that no event has, or a clock
    /// that is wrong.
    pub(super) fn may_be_about(&self, event: &Event, events: &[Event], terms: &CheckInTiming) -> bool {
        let possible = event.start - terms.early..event.end;
        let near = self.first_in(&possible).is_some() || possible.contains(&self.received_at);
        near && self.is_unmatched(events, terms)
    }

    /// Whether the sign matches none of the room's events although it should.
    pub fn is_unmatched(&self, events: &[Event], terms: &CheckInTiming) -> bool {
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
fn unnamed_window(event: &Event, terms: &CheckInTiming) -> Range<DateTime<Utc>> {
    let from = if terms.presence_after.is_zero() {
        event.start - terms.early
    } else {
        event.start + terms.presence_after
    };
    from..event.end
}

fn minute(time: DateTime<Utc>) -> i64 {
    time.timestamp().div_euclid(60)
}
