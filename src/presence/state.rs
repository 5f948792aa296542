//! The books: signs, watching, and when rules and events came to be as they are. Shared by everything that judges, so that plan,
//! release, strikes and display decide by the same inputs.

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

/// Everything that is known about presence.
#[derive(Debug, Clone, Default)]
pub struct PresenceState {
    /// The signs.
    pub signs: SignLog,
    /// The sources.
    pub watch: SourceTracker,
    /// When the rule on check-ins was switched on for a room, where that is known.
    pub rule_since: HashMap<RoomAddress, DateTime<Utc>>,
    /// The latest time on record; a clock that shows less was set back.
    pub recorded_until: Option<DateTime<Utc>>,
    /// Which event an id belongs to: a date of a series gets another id when it is changed.
    ids: HashMap<RoomAddress, HashMap<String, KnownId>>,
    ids_count: usize,
    /// Signs that are to be kept for longer than their store knows.
    changed_signs: Vec<Sign>,
    /// Organizers' SMTP addresses by their X.500 address (or the event's id), as the directory answered, and when.
    organizers: HashMap<String, (Option<String>, DateTime<Utc>)>,
}

#[derive(Debug, Clone)]
struct KnownId {
    identity: (Uid, DateTime<Utc>),
    until: DateTime<Utc>,
}

/// How long the directory's answer about an organizer is believed …
const ORGANIZER_BELIEVED: TimeDelta = TimeDelta::hours(12);
/// … and how long it is believed that the directory cannot tell.
const UNKNOWN_BELIEVED: TimeDelta = TimeDelta::minutes(10);
/// Organizers remembered.
pub const ORGANIZERS_MAX: usize = 20_000;
/// Longest address or id under which an organizer is remembered, in bytes.
const ORGANIZER_BYTES_MAX: usize = 1_000;
/// Changed signs that wait to be stored.
const CHANGED_SIGNS_MAX: usize = 20_000;
/// Ids remembered for one room: several days of the fullest calendar.
const IDS_PER_ROOM_MAX: usize = 256;
/// Ids remembered in all: a day of five thousand rooms. A sign under an id that is not remembered matches nothing, and its
/// room's meetings stay.
pub const IDS_MAX: usize = 100_000;

/// One question to the books.
#[derive(Debug, Clone, Copy)]
pub struct PresenceQuery<'a> {
    /// In which room.
    pub room: &'a RoomAddress,
    /// The group whose feeds watch the room.
    pub group: Option<&'a str>,
    /// Which event.
    pub event: &'a Event,
    /// The room's events that were read with it.
    pub events: &'a [Event],
    /// When the event was first seen at its present start, where its move was seen.
    pub seen_since: Option<DateTime<Utc>>,
    /// Now.
    pub now: DateTime<Utc>,
}

impl PresenceState {
    /// Books of these signs, that cover this time in every room.
    pub fn covering(signs: SignLog, coverage: Coverage) -> Self {
        let mut books = Self { signs, ..Self::default() };
        books.watch.accept_coverage(coverage);
        books
    }

    /// Takes note of the events that were read in a room: signs that name them get their identity, and their ids are remembered.
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

    /// The signs that are to be kept for longer since this was asked last.
    pub fn take_changed_signs(&mut self) -> Vec<Sign> {
        std::mem::take(&mut self.changed_signs)
    }

    /// The event that an id belonged to, if it was read under that id.
    pub fn known_id(&self, room: &RoomAddress, id: &str) -> Option<(Uid, DateTime<Utc>)> {
        Some(self.ids.get(room)?.get(&canonical_id(id))?.identity.clone())
    }

    /// What the directory answered about this organizer of late.
    pub fn organizer(&self, key: &str, now: DateTime<Utc>) -> Option<Option<String>> {
        let (address, asked_at) = self.organizers.get(key)?;
        let believed = if address.is_some() { ORGANIZER_BELIEVED } else { UNKNOWN_BELIEVED };
        (now - *asked_at <= believed).then(|| address.clone())
    }

    /// Remembers what the directory answered about this organizer.
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

    /// Whether a sign in this room would reach us now.
    pub fn is_watched(&self, room: &RoomAddress, group: Option<&str>, now: DateTime<Utc>) -> bool {
        self.watch.coverage(room, group, now).end().is_some_and(|end| now <= end)
    }

    /// When grace ends, as long as watching has no gap.
    pub fn grace_end(&self, question: &PresenceQuery<'_>, terms: &CheckInTiming) -> DateTime<Utc> {
        let rule_since = self.rule_since.get(question.room).copied();
        grace_start(question.event, question.seen_since, rule_since, question.now) + terms.grace
    }

    /// Decides about one event.
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

/// Books that grow while they are used.
#[derive(Debug, Clone, Default)]
pub struct SharedPresence(Arc<RwLock<PresenceState>>);

impl From<PresenceState> for SharedPresence {
    fn from(books: PresenceState) -> Self {
        Self(Arc::new(RwLock::new(books)))
    }
}

impl SharedPresence {
    /// Reads them.
    pub fn read(&self) -> impl Deref<Target = PresenceState> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes them.
    pub fn write(&self) -> impl DerefMut<Target = PresenceState> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}
