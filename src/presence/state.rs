//! The state of presence: signs, sources, and since when rules and events are as they are. Sweep, release, strikes and display
//! share it, so that all of them decide by the same inputs. Never stores anything: its owner does.

use std::collections::HashMap;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, PoisonError, RwLock};

use chrono::{DateTime, TimeDelta, Utc};

use super::decision::grace_start;
use super::reference::canonical_id;
use super::{
    CheckInTiming, Coverage, Interval, Presence, PresenceInput, Sign, SignLog, SourceTracker, decide,
};
use crate::calendar::{Event, RoomAddress, Uid};

/// Everything by which presence is decided.
#[derive(Debug, Clone, Default)]
pub struct PresenceState {
    /// The signs.
    pub signs: SignLog,
    /// The sources.
    pub watch: SourceTracker,
    /// When the rule on check-ins was switched on for a room, if known.
    pub rule_since: HashMap<RoomAddress, DateTime<Utc>>,
    /// The latest recorded time; a clock that shows an earlier one was set back.
    pub recorded_until: Option<DateTime<Utc>>,
    /// The event of each id: a date of a series gets another id when it is changed.
    ids: HashMap<RoomAddress, HashMap<String, KnownId>>,
    ids_count: usize,
    /// Signs whose new retention is not stored yet.
    changed_signs: Vec<Sign>,
    /// Organizers' SMTP addresses by their X.500 address (or the event's id), from the directory, and when it was asked.
    organizers: HashMap<String, (Option<String>, DateTime<Utc>)>,
}

#[derive(Debug, Clone)]
struct KnownId {
    identity: (Uid, DateTime<Utc>),
    until: DateTime<Utc>,
}

/// How long an organizer's address from the directory is valid …
const ORGANIZER_BELIEVED: TimeDelta = TimeDelta::hours(12);
/// … and how long a directory's "not found" is.
const UNKNOWN_BELIEVED: TimeDelta = TimeDelta::minutes(10);
/// Limit on cached organizers.
pub const ORGANIZERS_MAX: usize = 20_000;
/// Longest address or id of a cached organizer, in bytes.
const ORGANIZER_BYTES_MAX: usize = 1_000;
/// Limit on changed signs that wait to be stored.
const CHANGED_SIGNS_MAX: usize = 20_000;
/// Limit on ids per room: several days of the fullest calendar.
const IDS_PER_ROOM_MAX: usize = 256;
/// Limit on ids in all: a day of five thousand rooms. A sign under an id that was dropped matches no event, so its room's
/// meetings are kept.
pub const IDS_MAX: usize = 100_000;

/// Whether signs of presence in a room would be received now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoomWatch {
    /// A source watches the room.
    Watched,
    /// The room has sources, and each has been silent for too long.
    Silent,
    /// The room has no source.
    NoSource,
}

/// A query for the presence at one event.
#[derive(Debug, Clone, Copy)]
pub struct PresenceQuery<'a> {
    /// The room.
    pub room: &'a RoomAddress,
    /// The group whose feeds watch the room.
    pub group: Option<&'a str>,
    /// The event.
    pub event: &'a Event,
    /// The room's events that were read with it.
    pub events: &'a [Event],
    /// When the event was first seen at its present start, if its move was seen.
    pub seen_since: Option<DateTime<Utc>>,
    /// The current time.
    pub now: DateTime<Utc>,
}

impl PresenceState {
    /// A state with these signs, in which every room is covered for this time.
    pub fn covering(signs: SignLog, coverage: Coverage) -> Self {
        let mut state = Self { signs, ..Self::default() };
        state.watch.accept_coverage(coverage);
        state
    }

    /// Records the events that were read in a room: signs that name them get their identity, and their ids are kept.
    pub fn note_events(
        &mut self,
        room: &RoomAddress,
        events: &[Event],
        terms: &CheckInTiming,
        now: DateTime<Utc>,
    ) {
        let ids = self.ids.entry(room.clone()).or_default();
        let others = self.ids_count.saturating_sub(ids.len());
        ids.retain(|_, known| known.until >= now);
        for event in events {
            let has_room = ids.len() < IDS_PER_ROOM_MAX && others + ids.len() < IDS_MAX;
            let Some((uid, start)) = event.identity().filter(|_| has_room) else { continue };
            let known = KnownId { identity: (uid.clone(), start), until: event.end };
            ids.insert(canonical_id(event.id.as_str()), known);
        }
        self.ids_count = others + ids.len();
        let known = |id: &str| Some(ids.get(&canonical_id(id))?.identity.clone());
        let changed = self.signs.identify(room, events, known, terms);
        let room_left = CHANGED_SIGNS_MAX.saturating_sub(self.changed_signs.len());
        self.changed_signs.extend(changed.into_iter().take(room_left));
    }

    /// The signs whose retention was prolonged since the last call.
    pub fn take_changed_signs(&mut self) -> Vec<Sign> {
        std::mem::take(&mut self.changed_signs)
    }

    /// The event that was read under this id.
    pub fn known_id(&self, room: &RoomAddress, id: &str) -> Option<(Uid, DateTime<Utc>)> {
        Some(self.ids.get(room)?.get(&canonical_id(id))?.identity.clone())
    }

    /// The cached directory answer about this organizer, unless it is too old.
    pub fn organizer(&self, key: &str, now: DateTime<Utc>) -> Option<Option<String>> {
        let (address, asked_at) = self.organizers.get(key)?;
        let believed = if address.is_some() { ORGANIZER_BELIEVED } else { UNKNOWN_BELIEVED };
        (now - *asked_at <= believed).then(|| address.clone())
    }

    /// Caches the directory's answer about this organizer.
    pub fn remember_organizer(&mut self, key: String, address: Option<String>, now: DateTime<Utc>) {
        let length = key.len() + address.as_ref().map_or(0, String::len);
        if length > ORGANIZER_BYTES_MAX {
            return;
        }
        if self.organizers.len() >= ORGANIZERS_MAX {
            self.organizers.clear();
        }
        self.organizers.insert(key, (address, now));
    }

    /// Whether a sign of presence in this room would be received now.
    pub fn is_watched(&self, room: &RoomAddress, group: Option<&str>, now: DateTime<Utc>) -> bool {
        self.watch.coverage(room, group, now).end().is_some_and(|end| now <= end)
    }

    /// Whether a source watches the room now, and if not, whether it has one.
    pub fn room_watch(&self, room: &RoomAddress, group: Option<&str>, now: DateTime<Utc>) -> RoomWatch {
        if self.is_watched(room, group, now) {
            RoomWatch::Watched
        } else if self.watch.has_source(room, group) {
            RoomWatch::Silent
        } else {
            RoomWatch::NoSource
        }
    }

    /// When the grace period ends, if the coverage has no gap.
    pub fn grace_end(&self, question: &PresenceQuery<'_>, terms: &CheckInTiming) -> DateTime<Utc> {
        let rule_since = self.rule_since.get(question.room).copied();
        grace_start(question.event, question.seen_since, rule_since, question.now) + terms.grace
    }

    /// Decides the presence at one event.
    pub fn decide(&self, question: &PresenceQuery<'_>, terms: &CheckInTiming) -> Presence {
        let PresenceQuery { room, group, event, events, seen_since, now } = *question;
        let coverage = self.watch.coverage(room, group, now);
        let case = PresenceInput {
            room,
            event,
            events,
            signs: &self.signs,
            coverage: &coverage,
            seen_since,
            rule_since: self.rule_since.get(room).copied(),
            now,
            recorded_until: self.recorded_until,
        };
        match decide(&case, terms) {
            Presence::Absent(mut proof) => {
                let window = Interval::new(proof.opens, proof.closes).unwrap_or(proof.watched);
                proof.sources = self.watch.sources_in(room, group, window);
                Presence::Absent(proof)
            }
            other => other,
        }
    }
}

/// Presence state that several tasks read and write.
#[derive(Debug, Clone, Default)]
pub struct SharedPresence(Arc<RwLock<PresenceState>>);

impl From<PresenceState> for SharedPresence {
    fn from(state: PresenceState) -> Self {
        Self(Arc::new(RwLock::new(state)))
    }
}

impl SharedPresence {
    /// Locks the state for reading.
    pub fn read(&self) -> impl Deref<Target = PresenceState> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locks the state for writing.
    pub fn write(&self) -> impl DerefMut<Target = PresenceState> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}
