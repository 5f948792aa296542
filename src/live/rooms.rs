//! What the rooms' calendars hold, as far as that is known here, and how sure that is. A hundred displays that look at one room
//! cost one request, and none while somebody tells of what changes.
//!
//! A reading counts for the changes that were heard of *before* it began: what is heard while it is under way makes it old.
//! Decides nothing about events.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::timeout;

use super::PATIENCE;
use super::bounded::{
    ROOM_EVENTS_BYTES_BEYOND_MAX, ROOMS_KNOWN_MAX, beyond_ordinary, bounded, too_many_full,
};
use super::due::Due;
use super::history::EventHistory;
use super::queue::Queue;
use crate::calendar::{Event, EventId, RoomAddress, Window, occupancy};
use crate::clock::Clock;
use crate::engine::{Calendar, CalendarCache, CalendarError};
use crate::keyed_mutex::KeyedMutex;

/// How far ahead a room's calendar is read …
const AHEAD: TimeDelta = TimeDelta::hours(36);
/// … and how far it must at least be known: a display shows the day.
const AHEAD_LEAST: TimeDelta = TimeDelta::hours(24);

/// How it is known what changes in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// Nothing tells: the calendar is read when somebody asks.
    #[serde(rename = "asked")]
    Asked,
    /// The calendar is read again and again.
    View,
    /// The server is asked again and again whether anything changed.
    Sync,
    /// The server tells.
    Streaming,
}

impl How {
    /// All of them, the best last.
    pub const ALL: [Self; 4] = [Self::Asked, Self::View, Self::Sync, Self::Streaming];

    /// As API and metrics name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::View => "view",
            Self::Sync => "sync",
            Self::Streaming => "streaming",
        }
    }
}

/// A calendar as it was read.
#[derive(Debug, Clone)]
pub struct Kept {
    /// Everything that touches the next hours.
    pub events: Arc<Vec<Event>>,
    /// When it was read.
    pub read_at: DateTime<Utc>,
    /// It was still so then: nothing else was heard.
    pub as_of: DateTime<Utc>,
    /// By what that is known.
    pub how: How,
    /// It is known up to then.
    until: DateTime<Utc>,
}

impl Kept {
    /// Whether it was so at most so long ago. Of what lies ahead of a clock that was set back, nothing is known.
    pub(crate) fn is_younger(&self, age: TimeDelta, now: DateTime<Utc>) -> bool {
        now - self.as_of <= age && self.as_of - now <= TimeDelta::seconds(1)
    }
}

/// Whoever tells of changes in some rooms, and when they were heard last.
#[derive(Debug)]
pub(super) struct Teller {
    how: How,
    /// Milliseconds since 1970.
    heard_at: AtomicI64,
}

impl Teller {
    pub(super) fn new(how: How, now: DateTime<Utc>) -> Arc<Self> {
        Arc::new(Self { how, heard_at: AtomicI64::new(now.timestamp_millis()) })
    }

    /// Everything that changed before this moment has been told.
    pub(super) fn heard(&self, now: DateTime<Utc>) {
        self.heard_at.store(now.timestamp_millis(), Ordering::Relaxed);
    }

    fn heard_at(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.heard_at.load(Ordering::Relaxed)).unwrap_or_default()
    }
}

#[derive(Debug, Default)]
struct Room {
    kept: Option<Kept>,
    /// What its events take beyond what every room's may, in bytes.
    beyond: usize,
    /// Changes heard of so far, our own among them …
    changes: u64,
    /// … and those among them that the reading that is kept must have seen.
    seen: u64,
    /// Usually one, and while one takes over from another, two.
    tellers: Vec<Arc<Teller>>,
    /// Readings in a row that failed.
    failures: u32,
    /// By what it was known when that was told last.
    told: Option<How>,
    history: EventHistory,
}

impl Room {
    /// The best of those that tell of it.
    fn teller(&self) -> Option<&Arc<Teller>> {
        self.tellers.iter().max_by_key(|teller| teller.how)
    }

    fn how(&self) -> How {
        self.teller().map_or(How::Asked, |teller| teller.how)
    }

    /// What was read, as sure as it is.
    fn known(&self) -> Option<Kept> {
        let mut kept = self.kept.clone()?;
        if let Some(teller) = self.teller()
            && self.changes == self.seen
        {
            kept.as_of = kept.as_of.max(teller.heard_at());
            kept.how = teller.how;
        }
        Some(kept)
    }

    /// What is so now, going by what is told.
    fn current(&self, now: DateTime<Utc>, silence: TimeDelta) -> Option<Kept> {
        let told = self.how() == How::Streaming;
        let current = |kept: &Kept| {
            self.changes == self.seen && kept.is_younger(silence, now) && kept.until - now >= AHEAD_LEAST
        };
        self.known().filter(|kept| told && current(kept))
    }
}

/// The rooms of the scope, as they are known.
pub struct Rooms {
    calendar: Arc<dyn Calendar>,
    clock: Arc<dyn Clock>,
    known: RwLock<HashMap<RoomAddress, Room>>,
    /// One reading at a time for each room.
    reading: KeyedMutex,
    /// How long a teller that says nothing is believed to have nothing to say.
    silence: TimeDelta,
    /// When each room looks different by the clock alone.
    due: Due,
    /// Rooms that look different now; taken by whoever tells displays.
    turned: Queue,
    /// Rooms to be read again.
    pub(super) stale: Queue,
    readings: AtomicU64,
    /// Readings that were put off, since their room changes all the time.
    pub(super) deferred: AtomicU64,
    /// Rooms with a reading that goes on without its caller.
    detached: Mutex<HashSet<RoomAddress>>,
    edges: OnceLock<Edges>,
}

/// The one reading of a room that goes on without its caller.
struct Detached {
    rooms: Arc<Rooms>,
    room: RoomAddress,
}

impl Detached {
    /// `None` when the room has one.
    fn new(rooms: &Arc<Rooms>, room: &RoomAddress) -> Option<Self> {
        let is_first = rooms.detached.lock().unwrap_or_else(PoisonError::into_inner).insert(room.clone());
        is_first.then(|| Self { rooms: rooms.clone(), room: room.clone() })
    }
}

impl Drop for Detached {
    fn drop(&mut self) {
        self.rooms.detached.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.room);
    }
}

/// Moments at which a room looks different because of an event, besides its start and its end.
pub type Edges = Box<dyn Fn(&RoomAddress, &Event) -> Vec<DateTime<Utc>> + Send + Sync>;

impl Rooms {
    /// Rooms of which nothing is known yet.
    pub fn new(calendar: Arc<dyn Calendar>, clock: Arc<dyn Clock>, silence: TimeDelta) -> Self {
        Self {
            calendar,
            clock,
            known: RwLock::default(),
            reading: KeyedMutex::default(),
            silence,
            due: Due::default(),
            turned: Queue::default(),
            stale: Queue::default(),
            readings: AtomicU64::new(0),
            deferred: AtomicU64::new(0),
            detached: Mutex::default(),
            edges: OnceLock::new(),
        }
    }

    /// Rooms look different at these moments too. Said once; the first counts.
    pub fn turn_at(&self, edges: Edges) {
        let _ = self.edges.set(edges);
    }

    /// When the room looks different next by the clock alone: something begins or ends, or what is known comes to its end.
    fn next_turn(&self, room: &RoomAddress, kept: &Kept, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let others = |event: &Event| self.edges.get().map_or_else(Vec::new, |edges| edges(room, event));
        let of_event = |event: &Event| others(event).into_iter().chain([event.start, event.end]);
        let edges = kept.events.iter().flat_map(of_event);
        edges.chain([kept.until - AHEAD_LEAST + TimeDelta::seconds(1)]).filter(|edge| *edge > now).min()
    }

    /// What is known, however old.
    pub fn known(&self, room: &RoomAddress) -> Option<Kept> {
        self.read().get(room)?.known()
    }

    /// When this process first read this event at its present start in this room. The event came to stand there at that time
    /// or before. `None` when it stood there at the first reading of the room, and when no reading of the room showed it:
    /// then `LastModifiedTime` is the better evidence.
    pub fn seen_since(&self, room: &RoomAddress, event: &Event) -> Option<DateTime<Utc>> {
        self.read().get(room)?.history.seen_since(event)
    }

    /// The rooms that were read, whoever asked for them.
    pub fn read_rooms(&self) -> Vec<RoomAddress> {
        let known = self.read();
        known.iter().filter(|(_, room)| room.kept.is_some()).map(|(name, _)| name.clone()).collect()
    }

    /// What is so now, as far as a server tells of what changes; `None` where it has to be read.
    pub fn current(&self, room: &RoomAddress) -> Option<Kept> {
        self.read().get(room)?.current(self.clock.now(), self.silence)
    }

    /// What is known, read again where it may be older than `age`. The caller has checked that the room is in scope.
    ///
    /// # Errors
    /// When it has to be read and cannot be.
    pub async fn get(&self, room: &RoomAddress, age: TimeDelta) -> Result<Kept, CalendarError> {
        if let Some(kept) = self.fresh(room, age) {
            return Ok(kept);
        }
        let _turn = self.reading.lock(room.as_str()).await;
        // Somebody may have read it while we waited.
        match self.fresh(room, age) {
            Some(kept) => Ok(kept),
            None => self.read_now(room).await,
        }
    }

    /// The same, within `patience`; `None` when the server has not answered by then. The reading goes on without its caller, so
    /// that a server slower than every caller still becomes known: one such reading for each room.
    pub async fn get_within(
        self: &Arc<Self>,
        room: &RoomAddress,
        age: TimeDelta,
        patience: Duration,
    ) -> Option<Result<Kept, CalendarError>> {
        if let Some(kept) = self.fresh(room, age) {
            return Some(Ok(kept));
        }
        let Some(detached) = Detached::new(self, room) else {
            return timeout(patience, self.get(room, age)).await.ok();
        };
        let read = tokio::spawn(async move {
            let longest = patience.max(PATIENCE);
            timeout(longest, detached.rooms.get(&detached.room, age)).await.ok()
        });
        timeout(patience, read).await.ok()?.ok()?
    }

    fn fresh(&self, room: &RoomAddress, age: TimeDelta) -> Option<Kept> {
        let (known, now) = (self.read(), self.clock.now());
        let room = known.get(room)?;
        let young = |kept: &Kept| room.changes == room.seen && kept.is_younger(age, now);
        room.current(now, self.silence).or_else(|| room.known().filter(young))
    }

    /// Reads the room if what is known of it is not what is so.
    pub(super) async fn renew(&self, room: &RoomAddress) -> Result<(), CalendarError> {
        let _turn = self.reading.lock(room.as_str()).await;
        let is_followed = self.read().get(room).is_some_and(|room| !room.tellers.is_empty());
        match self.current(room) {
            None if is_followed => self.read_now(room).await.map(drop),
            _ => Ok(()),
        }
    }

    async fn read_now(&self, room: &RoomAddress) -> Result<Kept, CalendarError> {
        let seen = self.read().get(room).map_or(0, |room| room.changes);
        let now = self.clock.now();
        let from = occupancy::reading_start(now);
        let window = Window::clamped(from, now + AHEAD)
            .ok_or_else(|| CalendarError::configuration("no time ahead"))?;
        self.readings.fetch_add(1, Ordering::Relaxed);
        let events = Arc::new(bounded(self.calendar.events(room, window).await?.with_stand_ins()?)?);
        let kept = Kept { events, read_at: now, as_of: now, how: How::Asked, until: window.end() };
        self.keep(room, kept, seen)?;
        self.known(room).ok_or_else(|| CalendarError::configuration("what was read is forgotten already"))
    }

    fn keep(&self, name: &RoomAddress, kept: Kept, seen: u64) -> Result<(), CalendarError> {
        let beyond = beyond_ordinary(&kept.events);
        let due = self.next_turn(name, &kept, kept.read_at);
        let is_other = {
            let mut known = self.write();
            if beyond > 0 && beyond + beyond_of_others(&known, name) > ROOM_EVENTS_BYTES_BEYOND_MAX {
                return Err(too_many_full(beyond));
            }
            let room = entry(&mut known, name, self.clock.now());
            room.beyond = beyond;
            room.history.record(&kept.events, self.clock.now());
            let was = room.kept.replace(kept).map(|kept| kept.events);
            (room.seen, room.failures) = (seen, 0);
            // Somebody changed it while it was read.
            if room.changes != seen && !room.tellers.is_empty() {
                self.stale.push(name);
            }
            let how = room.how();
            let was_told = room.told.replace(how) == Some(how);
            !was_told || was.as_deref() != room.kept.as_ref().map(|kept| &*kept.events)
        };
        self.due.set(name, due);
        if is_other {
            self.turned.push(name);
        }
        Ok(())
    }

    /// Something changed in the room: what was read before is not what is there.
    pub fn changed(&self, name: &RoomAddress) {
        let mut known = self.write();
        let room = entry(&mut known, name, self.clock.now());
        room.changes += 1;
        if !room.tellers.is_empty() {
            self.stale.push(name);
        }
    }

    /// From now on, somebody tells of what changes in these rooms. What is known of them is from before.
    pub(super) fn follow(&self, rooms: &[RoomAddress], teller: &Arc<Teller>) {
        let mut known = self.write();
        for name in rooms {
            let room = known.entry(name.clone()).or_default();
            room.tellers.push(teller.clone());
            room.changes += 1;
            self.stale.push(name);
        }
    }

    /// Nobody tells of what changes in these rooms any more, unless somebody else does by now.
    pub(super) fn unfollow(&self, rooms: &[RoomAddress], teller: &Arc<Teller>) {
        let mut known = self.write();
        for name in rooms {
            let Some(room) = known.get_mut(name) else { continue };
            let how = room.how();
            // What was told until now is still what was known then.
            room.kept = room.known().map(|kept| Kept { how: How::Asked, ..kept });
            room.tellers.retain(|other| !Arc::ptr_eq(other, teller));
            if room.how() != how {
                room.told = Some(room.how());
                self.turned.push(name);
            }
        }
    }

    /// Only these rooms are in scope from now on.
    pub(super) fn retain(&self, scope: &HashSet<RoomAddress>) {
        self.write().retain(|room, _| scope.contains(room));
        self.due.retain(|room| scope.contains(room));
        self.stale.retain(|room| scope.contains(room));
        self.turned.retain(|room| scope.contains(room));
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// A reading failed: how often in a row it did.
    pub(super) fn failed(&self, name: &RoomAddress) -> u32 {
        let mut known = self.write();
        let Some(room) = known.get_mut(name) else { return 0 };
        room.failures = room.failures.saturating_add(1);
        room.failures
    }

    /// Looks whether the clock alone makes rooms look different.
    pub(super) fn turn(&self) {
        let now = self.clock.now();
        for name in self.due.take(now) {
            let mut due = None;
            if let Some(room) = self.read().get(&name) {
                due = room.kept.as_ref().and_then(|kept| self.next_turn(&name, kept, now));
                let ends = room.kept.as_ref().is_some_and(|kept| kept.until - now < AHEAD_LEAST);
                if ends && !room.tellers.is_empty() {
                    self.stale.push(&name);
                }
            }
            self.due.set(&name, due);
            self.turned.push(&name);
        }
    }

    /// The room looks different, for a reason that is not in its calendar.
    pub fn turned(&self, room: &RoomAddress) {
        self.turned.push(room);
    }

    /// The next room that looks different. Waits for it.
    pub async fn next_turned(&self) -> RoomAddress {
        self.turned.next().await
    }

    /// Rooms by how they are followed, and the age of what is known of the one that is known worst.
    pub fn census(&self) -> Census {
        let now = self.clock.now();
        let count = |number: &AtomicU64| number.load(Ordering::Relaxed);
        let (readings, deferred) = (count(&self.readings), count(&self.deferred));
        let mut census = Census { readings, deferred, ..Census::default() };
        for room in self.read().values() {
            let Some(kept) = room.known() else { continue };
            let how = room.how();
            *census.rooms.entry(how).or_default() += 1;
            if how != How::Asked {
                census.oldest = census.oldest.max(now - kept.as_of);
            }
        }
        census
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<RoomAddress, Room>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<RoomAddress, Room>> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the other rooms take beyond what every room may.
fn beyond_of_others(known: &HashMap<RoomAddress, Room>, name: &RoomAddress) -> usize {
    known.iter().filter(|(other, _)| *other != name).map(|(_, room)| room.beyond).sum()
}

/// How long a room that nobody follows is known where there are as many as are kept.
const UNFOLLOWED_KEPT: TimeDelta = TimeDelta::hours(1);

/// What is known of the room. A scope that names a domain holds any address there: where there are too many, rooms that nobody
/// follows and that were not read of late are forgotten.
fn entry<'r>(
    known: &'r mut HashMap<RoomAddress, Room>,
    name: &RoomAddress,
    now: DateTime<Utc>,
) -> &'r mut Room {
    if known.len() >= ROOMS_KNOWN_MAX && !known.contains_key(name) {
        let is_young = |kept: &Kept| kept.is_younger(UNFOLLOWED_KEPT, now);
        known.retain(|_, room| !room.tellers.is_empty() || room.kept.as_ref().is_some_and(is_young));
    }
    known.entry(name.clone()).or_default()
}

/// What is known of all rooms together.
#[derive(Debug, Clone, Default)]
pub struct Census {
    /// Rooms of which anything is known, by how they are followed.
    pub rooms: HashMap<How, usize>,
    /// Of the rooms that are followed, the age of what is known of the worst.
    pub oldest: TimeDelta,
    /// Calendars read so far.
    pub readings: u64,
    /// Readings that were put off so far.
    pub deferred: u64,
}

/// For an early end, which the version of the event guards: one round trip instead of two.
impl CalendarCache for Rooms {
    fn events(&self, room: &RoomAddress) -> Option<Vec<Event>> {
        self.current(room).map(|kept| kept.events.to_vec())
    }

    fn event(&self, room: &RoomAddress, id: &EventId) -> Option<Event> {
        self.current(room)?.events.iter().find(|event| event.id == *id).cloned()
    }
}
