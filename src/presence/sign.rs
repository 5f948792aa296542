//! Signs of presence, and the event that each sign is about. Pure; `sign_log` keeps them.

use std::ops::Range;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::CheckInTiming;
use super::reference::{ReferenceMatch, match_reference};
use crate::calendar::{Event, RoomAddress, Uid};

/// One sign of presence: a check-in, a badge, motion, an action at the door.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sign {
    /// The room.
    pub room: RoomAddress,
    /// The event's id or UID, in any spelling, if the source knows it.
    pub event: Option<String>,
    /// The time the sign is about.
    pub at: DateTime<Utc>,
    /// The time we received it.
    pub received_at: DateTime<Utc>,
    /// The source: a sensor system, a badge reader, a display, a button.
    pub source: String,
    /// The reporter, usually an API key by its id. Limits on evidence count by reporter
    /// ([`EvidenceLimits`](super::EvidenceLimits)).
    #[serde(default)]
    pub reporter: String,
    /// Signs of the same source that were merged into this one: bit *n* is set when one is from the minute that begins *n*
    /// minutes after `at`.
    #[serde(default)]
    pub minutes: u64,
    /// The number in the log and in the service store; 0 before it is in the log.
    #[serde(default)]
    pub number: u64,
    /// The event that it was matched to on arrival. The match stays when the event moves or gets another id.
    pub identity: Option<(Uid, DateTime<Utc>)>,
    /// It has matched an event of the room.
    pub is_matched: bool,
    /// The end of its retention: as long as an event that it is about matters.
    pub keep_until: DateTime<Utc>,
}

/// How far a source's clock may be ahead of ours.
pub const CLOCK_AHEAD_MAX: TimeDelta = TimeDelta::minutes(5);
/// How late a sign may arrive and still be about its own time, even if no event was on then.
const LATE: TimeDelta = TimeDelta::minutes(5);
/// A sign whose time lies further back than this has no usable clock (a sensor that starts in 1970).
const CLOCK_BEHIND_MAX: TimeDelta = TimeDelta::days(2);
/// Retention of a sign that matches no event: the event may be read late, or moved to this time.
pub(super) const KEPT: TimeDelta = TimeDelta::days(1);
/// Retention of a sign after the end of the event that it names: the event may be moved to a later day.
const KEPT_NAMED: TimeDelta = TimeDelta::days(7);
/// How long before its start people may check in to an event by the UID of its series: room products accept check-ins up to
/// twelve hours ahead.
pub(super) const NAMED_EARLY: TimeDelta = TimeDelta::hours(12);
/// The number of minutes that one sign can merge: the bits of [`Sign::minutes`] for one hour.
const MERGED_MINUTES: i64 = 60;
/// Bytes of a kept sign besides its texts: the value, the spare capacity of its list, and the allocator's overhead.
const OVERHEAD: usize = size_of::<Sign>() * 3 / 2 + 96;

impl Sign {
    /// A sign that is about the time of its receipt.
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

    /// The same sign, about an event.
    #[must_use]
    pub fn for_event(self, event: &Event) -> Self {
        let reference = event.uid.as_ref().map_or(event.id.as_str(), |uid| uid.as_str());
        let identity = event.identity().map(|(uid, start)| (uid.clone(), start));
        let keep_until = event.end.max(self.received_at) + KEPT_NAMED;
        Self { event: Some(reference.to_owned()), identity, is_matched: true, keep_until, ..self }
    }

    /// The same sign, received at this time.
    #[must_use]
    pub fn received(self, at: DateTime<Utc>) -> Self {
        Self { received_at: at, keep_until: at + KEPT, ..self }
    }

    /// The same sign, reported by this API key.
    #[must_use]
    pub fn reported_by(self, reporter: impl Into<String>) -> Self {
        Self { reporter: reporter.into(), ..self }
    }

    /// The memory that it takes, which is about the size of its row in the service store.
    pub fn bytes(&self) -> usize {
        let event = self.event.as_ref().map_or(0, String::len);
        let uid = self.identity.as_ref().map_or(0, |(uid, _)| uid.as_str().len());
        OVERHEAD + self.room.as_str().len() + self.source.len() + self.reporter.len() + event + uid
    }

    /// Merges a sign with the same content. Returns `false` for another source, another event, or a time outside the hour from
    /// `at`.
    pub(super) fn merge(&mut self, other: &Self) -> bool {
        if !self.is_alike(other) {
            return false;
        }
        let is_named = self.reference().is_some() && self.identity.is_none();
        if is_named || !self.is_prompt() || !other.is_prompt() {
            // The event of such a sign may depend on its exact minute.
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

    /// Whether it was received without delay, and its clock is usable.
    fn is_prompt(&self) -> bool {
        self.has_usable_clock() && self.received_at - self.at <= LATE
    }

    /// The time of the latest sign that was merged into this one, less than a minute too early; else its own time.
    pub(crate) fn latest_at(&self) -> DateTime<Utc> {
        let minute = self.minutes.checked_ilog2().unwrap_or_default();
        self.at + TimeDelta::minutes(minute.into())
    }

    /// The first time in this range that the sign covers.
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

    /// The id or UID of the event that the sign names, unless it is empty.
    pub fn reference(&self) -> Option<&str> {
        self.event.as_deref().filter(|named| !named.trim().is_empty())
    }

    /// Whether the sign's own time is usable.
    pub fn has_usable_clock(&self) -> bool {
        self.at <= self.received_at + CLOCK_AHEAD_MAX && self.received_at - self.at <= CLOCK_BEHIND_MAX
    }

    /// Finds the event that the sign is about among the room's events, and prolongs the sign's retention accordingly. `known` finds
    /// an event by an earlier id.
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

    /// Whether the sign shows presence at this event.
    pub fn matches(&self, event: &Event, terms: &CheckInTiming) -> bool {
        self.matched_at(event, terms).is_some()
    }

    /// The first time at which the sign shows presence at this event.
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

    /// Whether the sign may be about this event although it matches no event of the room: an unknown id, or a wrong clock.
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

/// A single event keeps its UID when it moves; a date of a series is identified by its place in the series.
fn is_identity((uid, start): &(Uid, DateTime<Utc>), event: &Event) -> bool {
    let same_date = || event.identity().is_some_and(|(_, original)| original == *start);
    event.uid.as_ref() == Some(uid) && (!event.kind.is_date_of_series() || same_date())
}

/// The time in which a sign without an event counts.
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
