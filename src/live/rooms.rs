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

use super::REQUEST_TIMEOUT;
use super::bounded::{
    ROOM_EVENTS_BYTES_BEYOND_MAX, ROOMS_KNOWN_MAX, enforce_bounds, extra_bytes, memory_exhausted,
};
use super::dedup_queue::UniqueQueue;
use super::history::EventHistory;
use super::timers::RoomTimers;
use crate::calendar::{Event, EventId, RoomAddress, Window, occupancy};
use crate::clock::Clock;
use crate::engine::{Calendar, CalendarCache, CalendarError};
use crate::keyed_mutex::KeyedMutex;

/// How far ahead a room's calendar is read …
const READ_AHEAD: TimeDelta = TimeDelta::hours(36);
/// … and how far it must at least be known: a display shows the day.
const READ_AHEAD_MIN: TimeDelta = TimeDelta::hours(24);

/// How it is known what changes in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TrackingMode {
    /// Nothing tells: the calendar is read when somebody asks.
    #[serde(rename = "asked")]
    OnDemand,
    /// The calendar is read again and again.
    View,
    /// The server is asked again and again whether anything changed.
    Sync,
    /// The server tells.
    Streaming,
}

impl TrackingMode {
    /// All of them, the best last.
    pub const ALL: [Self; 4] = [Self::OnDemand, Self::View, Self::Sync, Self::Streaming];

    /// As API and metrics name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OnDemand => "asked",
            Self::View => "view",
            Self::Sync => "sync",
            Self::Streaming => "streaming",
        }
    }
}

/// A calendar as it was read.
#[derive(Debug, Clone)]
pub struct CachedCalendar {
    /// Everything that touches the next hours.
    pub events: Arc<Vec<Event>>,
    /// When it was read.
    pub read_at: DateTime<Utc>,
    /// It was still so then: nothing else was heard.
    pub as_of: DateTime<Utc>,
    /// By what that is known.
    pub mode: TrackingMode,
    /// It is known up to then.
    known_until: DateTime<Utc>,
}

impl CachedCalendar {
    /// Whether it was so at most so long ago. Of what lies ahead of a clock that was set back, nothing is known.
    pub(crate) fn is_younger(&self, age: TimeDelta, now: DateTime<Utc>) -> bool {
        now - self.as_of <= age && self.as_of - now <= TimeDelta::seconds(1)
    }
}

/// Whoever tells of changes in some rooms, and when they were heard last.
#[derive(Debug)]
pub(super) struct ChangeSource {
    mode: TrackingMode,
    /// Milliseconds since 1970.
    confirmed_at: AtomicI64,
}

impl ChangeSource {
    pub(super) fn new(how: TrackingMode, now: DateTime<Utc>) -> Arc<Self> {
        Arc::new(Self { mode: how, confirmed_at: AtomicI64::new(now.timestamp_millis()) })
    }

    /// Everything that changed before this moment has been told.
    pub(super) fn confirm_until(&self, now: DateTime<Utc>) {
        self.confirmed_at.store(now.timestamp_millis(), Ordering::Relaxed);
    }

    fn confirmed_at(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.confirmed_at.load(Ordering::Relaxed)).unwrap_or_default()
    }
}

#[derive(Debug, Default)]
struct TrackedRoom {
    calendar: Option<CachedCalendar>,
    /// What its events take beyond what every room's may, in bytes.
    extra_bytes: usize,
    /// Changes heard of so far, our own among them …
    changes: u64,
    /// … and those among them that the reading that is kept must have seen.
    changes_read: u64,
    /// Usually one, and while one takes over from another, two.
    sources: Vec<Arc<ChangeSource>>,
    /// Readings in a row that failed.
    failed_reads: u32,
    /// By what it was known when that was told last.
    published_mode: Option<TrackingMode>,
    history: EventHistory,
}

impl TrackedRoom {
    /// The best of those that tell of it.
    fn best_source(&self) -> Option<&Arc<ChangeSource>> {
        self.sources.iter().max_by_key(|teller| teller.mode)
    }

    fn mode(&self) -> TrackingMode {
        self.best_source().map_or(TrackingMode::OnDemand, |teller| teller.mode)
    }

    /// What was read, as sure as it is.
    fn any(&self) -> Option<CachedCalendar> {
        let mut kept = self.calendar.clone()?;
        if let Some(teller) = self.best_source()
            && self.changes == self.changes_read
        {
            kept.as_of = kept.as_of.max(teller.confirmed_at());
            kept.mode = teller.mode;
        }
        Some(kept)
    }

    /// What is so now, going by what is told.
    fn fresh(&self, now: DateTime<Utc>, silence: TimeDelta) -> Option<CachedCalendar> {
        let told = self.mode() == TrackingMode::Streaming;
        let current = |kept: &CachedCalendar| {
            self.changes == self.changes_read
                && kept.is_younger(silence, now)
                && kept.known_until - now >= READ_AHEAD_MIN
        };
        self.any().filter(|kept| told && current(kept))
    }
}

/// The rooms of the scope, as they are known.
pub struct RoomCache {
    calendar: Arc<dyn Calendar>,
    clock: Arc<dyn Clock>,
    rooms: RwLock<HashMap<RoomAddress, TrackedRoom>>,
    /// One reading at a time for each room.
    read_locks: KeyedMutex,
    /// How long a teller that says nothing is believed to have nothing to say.
    silence_max: TimeDelta,
    /// When each room looks different by the clock alone.
    timers: RoomTimers,
    /// Rooms that look different now; taken by whoever tells displays.
    changed_rooms: UniqueQueue,
    /// Rooms to be read again.
    pub(super) stale: UniqueQueue,
    reads: AtomicU64,
    /// Readings that were put off, since their room changes all the time.
    pub(super) deferred_reads: AtomicU64,
    /// Rooms with a reading that goes on without its caller.
    detached_reads: Mutex<HashSet<RoomAddress>>,
    extra_deadlines: OnceLock<ExtraDeadlines>,
}

/// The one reading of a room that goes on without its caller.
struct DetachedRead {
    rooms: Arc<RoomCache>,
    room: RoomAddress,
}

impl DetachedRead {
    /// `None` when the room has one.
    fn new(rooms: &Arc<RoomCache>, room: &RoomAddress) -> Option<Self> {
        let is_first =
            rooms.detached_reads.lock().unwrap_or_else(PoisonError::into_inner).insert(room.clone());
        is_first.then(|| Self { rooms: rooms.clone(), room: room.clone() })
    }
}

impl Drop for DetachedRead {
    fn drop(&mut self) {
        self.rooms.detached_reads.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.room);
    }
}

/// Moments at which a room looks different because of an event, besides its start and its end.
pub type ExtraDeadlines = Box<dyn Fn(&RoomAddress, &Event) -> Vec<DateTime<Utc>> + Send + Sync>;

impl RoomCache {
    /// Rooms of which nothing is known yet.
    pub fn new(calendar: Arc<dyn Calendar>, clock: Arc<dyn Clock>, silence: TimeDelta) -> Self {
        Self {
            calendar,
            clock,
            rooms: RwLock::default(),
            read_locks: KeyedMutex::default(),
            silence_max: silence,
            timers: RoomTimers::default(),
            changed_rooms: UniqueQueue::default(),
            stale: UniqueQueue::default(),
            reads: AtomicU64::new(0),
            deferred_reads: AtomicU64::new(0),
            detached_reads: Mutex::default(),
            extra_deadlines: OnceLock::new(),
        }
    }

    /// Rooms look different at these moments too. Said once; the first counts.
    pub fn set_extra_deadlines(&self, edges: ExtraDeadlines) {
        let _ = self.extra_deadlines.set(edges);
    }

    /// When the room looks different next by the clock alone: something begins or ends, or what is known comes to its end.
    fn next_deadline(
        &self,
        room: &RoomAddress,
        kept: &CachedCalendar,
        now: DateTime<Utc>,
    ) -> Option<DateTime<Utc>> {
        let others =
            |event: &Event| self.extra_deadlines.get().map_or_else(Vec::new, |edges| edges(room, event));
        let of_event = |event: &Event| others(event).into_iter().chain([event.start, event.end]);
        let edges = kept.events.iter().flat_map(of_event);
        edges
            .chain([kept.known_until - READ_AHEAD_MIN + TimeDelta::seconds(1)])
            .filter(|edge| *edge > now)
            .min()
    }

    /// What is known, however old.
    pub fn any(&self, room: &RoomAddress) -> Option<CachedCalendar> {
        self.read().get(room)?.any()
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
        known.iter().filter(|(_, room)| room.calendar.is_some()).map(|(name, _)| name.clone()).collect()
    }

    /// What is so now, as far as a server tells of what changes; `None` where it has to be read.
    pub fn fresh(&self, room: &RoomAddress) -> Option<CachedCalendar> {
        self.read().get(room)?.fresh(self.clock.now(), self.silence_max)
    }

    /// What is known, read again where it may be older than `age`. The caller has checked that the room is in scope.
    ///
    /// # Errors
    /// When it has to be read and cannot be.
    pub async fn get(&self, room: &RoomAddress, age: TimeDelta) -> Result<CachedCalendar, CalendarError> {
        if let Some(kept) = self.younger_than(room, age) {
            return Ok(kept);
        }
        let _turn = self.read_locks.lock(room.as_str()).await;
        // Somebody may have read it while we waited.
        match self.younger_than(room, age) {
            Some(kept) => Ok(kept),
            None => self.read_calendar(room).await,
        }
    }

    /// The same, within `patience`; `None` when the server has not answered by then. The reading goes on without its caller, so
    /// that a server slower than every caller still becomes known: one such reading for each room.
    pub async fn get_within(
        self: &Arc<Self>,
        room: &RoomAddress,
        age: TimeDelta,
        patience: Duration,
    ) -> Option<Result<CachedCalendar, CalendarError>> {
        if let Some(kept) = self.younger_than(room, age) {
            return Some(Ok(kept));
        }
        let Some(detached) = DetachedRead::new(self, room) else {
            return timeout(patience, self.get(room, age)).await.ok();
        };
        let read = tokio::spawn(async move {
            let longest = patience.max(REQUEST_TIMEOUT);
            timeout(longest, detached.rooms.get(&detached.room, age)).await.ok()
        });
        timeout(patience, read).await.ok()?.ok()?
    }

    fn younger_than(&self, room: &RoomAddress, age: TimeDelta) -> Option<CachedCalendar> {
        let (known, now) = (self.read(), self.clock.now());
        let room = known.get(room)?;
        let young = |kept: &CachedCalendar| room.changes == room.changes_read && kept.is_younger(age, now);
        room.fresh(now, self.silence_max).or_else(|| room.any().filter(young))
    }

    /// Reads the room if what is known of it is not what is so.
    pub(super) async fn refresh(&self, room: &RoomAddress) -> Result<(), CalendarError> {
        let _turn = self.read_locks.lock(room.as_str()).await;
        let is_followed = self.read().get(room).is_some_and(|room| !room.sources.is_empty());
        match self.fresh(room) {
            None if is_followed => self.read_calendar(room).await.map(drop),
            _ => Ok(()),
        }
    }

    async fn read_calendar(&self, room: &RoomAddress) -> Result<CachedCalendar, CalendarError> {
        let seen = self.read().get(room).map_or(0, |room| room.changes);
        let now = self.clock.now();
        let from = occupancy::reading_start(now);
        let window = Window::clamped(from, now + READ_AHEAD)
            .ok_or_else(|| CalendarError::configuration("no time ahead"))?;
        self.reads.fetch_add(1, Ordering::Relaxed);
        let events = Arc::new(enforce_bounds(self.calendar.events(room, window).await?.with_stand_ins()?)?);
        let kept = CachedCalendar {
            events,
            read_at: now,
            as_of: now,
            mode: TrackingMode::OnDemand,
            known_until: window.end(),
        };
        self.store_calendar(room, kept, seen)?;
        self.any(room).ok_or_else(|| CalendarError::configuration("what was read is forgotten already"))
    }

    fn store_calendar(
        &self,
        name: &RoomAddress,
        kept: CachedCalendar,
        seen: u64,
    ) -> Result<(), CalendarError> {
        let beyond = extra_bytes(&kept.events);
        let due = self.next_deadline(name, &kept, kept.read_at);
        let is_other = {
            let mut known = self.write();
            if beyond > 0 && beyond + extra_bytes_of_others(&known, name) > ROOM_EVENTS_BYTES_BEYOND_MAX {
                return Err(memory_exhausted(beyond));
            }
            let room = room_entry(&mut known, name, self.clock.now());
            room.extra_bytes = beyond;
            room.history.record(&kept.events, self.clock.now());
            let was = room.calendar.replace(kept).map(|kept| kept.events);
            (room.changes_read, room.failed_reads) = (seen, 0);
            // Somebody changed it while it was read.
            if room.changes != seen && !room.sources.is_empty() {
                self.stale.push(name);
            }
            let how = room.mode();
            let was_told = room.published_mode.replace(how) == Some(how);
            !was_told || was.as_deref() != room.calendar.as_ref().map(|kept| &*kept.events)
        };
        self.timers.set(name, due);
        if is_other {
            self.changed_rooms.push(name);
        }
        Ok(())
    }

    /// Something changed in the room: what was read before is not what is there.
    pub fn invalidate(&self, name: &RoomAddress) {
        let mut known = self.write();
        let room = room_entry(&mut known, name, self.clock.now());
        room.changes += 1;
        if !room.sources.is_empty() {
            self.stale.push(name);
        }
    }

    /// From now on, somebody tells of what changes in these rooms. What is known of them is from before.
    pub(super) fn add_source(&self, rooms: &[RoomAddress], teller: &Arc<ChangeSource>) {
        let mut known = self.write();
        for name in rooms {
            let room = known.entry(name.clone()).or_default();
            room.sources.push(teller.clone());
            room.changes += 1;
            self.stale.push(name);
        }
    }

    /// Nobody tells of what changes in these rooms any more, unless somebody else does by now.
    pub(super) fn remove_source(&self, rooms: &[RoomAddress], teller: &Arc<ChangeSource>) {
        let mut known = self.write();
        for name in rooms {
            let Some(room) = known.get_mut(name) else { continue };
            let how = room.mode();
            // What was told until now is still what was known then.
            room.calendar = room.any().map(|kept| CachedCalendar { mode: TrackingMode::OnDemand, ..kept });
            room.sources.retain(|other| !Arc::ptr_eq(other, teller));
            if room.mode() != how {
                room.published_mode = Some(room.mode());
                self.changed_rooms.push(name);
            }
        }
    }

    /// Only these rooms are in scope from now on.
    pub(super) fn retain(&self, scope: &HashSet<RoomAddress>) {
        self.write().retain(|room, _| scope.contains(room));
        self.timers.retain(|room| scope.contains(room));
        self.stale.retain(|room| scope.contains(room));
        self.changed_rooms.retain(|room| scope.contains(room));
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// A reading failed: how often in a row it did.
    pub(super) fn record_failed_read(&self, name: &RoomAddress) -> u32 {
        let mut known = self.write();
        let Some(room) = known.get_mut(name) else { return 0 };
        room.failed_reads = room.failed_reads.saturating_add(1);
        room.failed_reads
    }

    /// Looks whether the clock alone makes rooms look different.
    pub(super) fn tick(&self) {
        let now = self.clock.now();
        for name in self.timers.take_due(now) {
            let mut due = None;
            if let Some(room) = self.read().get(&name) {
                due = room.calendar.as_ref().and_then(|kept| self.next_deadline(&name, kept, now));
                let ends = room.calendar.as_ref().is_some_and(|kept| kept.known_until - now < READ_AHEAD_MIN);
                if ends && !room.sources.is_empty() {
                    self.stale.push(&name);
                }
            }
            self.timers.set(&name, due);
            self.changed_rooms.push(&name);
        }
    }

    /// The room looks different, for a reason that is not in its calendar.
    pub fn mark_changed(&self, room: &RoomAddress) {
        self.changed_rooms.push(room);
    }

    /// The next room that looks different. Waits for it.
    pub async fn next_changed(&self) -> RoomAddress {
        self.changed_rooms.next().await
    }

    /// Rooms by how they are followed, and the age of what is known of the one that is known worst.
    pub fn stats(&self) -> CacheStats {
        let now = self.clock.now();
        let count = |number: &AtomicU64| number.load(Ordering::Relaxed);
        let (readings, deferred) = (count(&self.reads), count(&self.deferred_reads));
        let mut census = CacheStats { reads: readings, deferred_reads: deferred, ..CacheStats::default() };
        for room in self.read().values() {
            let Some(kept) = room.any() else { continue };
            let how = room.mode();
            *census.rooms.entry(how).or_default() += 1;
            if how != TrackingMode::OnDemand {
                census.stalest_age = census.stalest_age.max(now - kept.as_of);
            }
        }
        census
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<RoomAddress, TrackedRoom>> {
        self.rooms.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<RoomAddress, TrackedRoom>> {
        self.rooms.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the other rooms take beyond what every room may.
fn extra_bytes_of_others(known: &HashMap<RoomAddress, TrackedRoom>, name: &RoomAddress) -> usize {
    known.iter().filter(|(other, _)| *other != name).map(|(_, room)| room.extra_bytes).sum()
}

/// How long a room that nobody follows is known where there are as many as are kept.
const UNFOLLOWED_KEPT: TimeDelta = TimeDelta::hours(1);

/// What is known of the room. A scope that names a domain holds any address there: where there are too many, rooms that nobody
/// follows and that were not read of late are forgotten.
fn room_entry<'r>(
    known: &'r mut HashMap<RoomAddress, TrackedRoom>,
    name: &RoomAddress,
    now: DateTime<Utc>,
) -> &'r mut TrackedRoom {
    if known.len() >= ROOMS_KNOWN_MAX && !known.contains_key(name) {
        let is_young = |kept: &CachedCalendar| kept.is_younger(UNFOLLOWED_KEPT, now);
        known.retain(|_, room| !room.sources.is_empty() || room.calendar.as_ref().is_some_and(is_young));
    }
    known.entry(name.clone()).or_default()
}

/// What is known of all rooms together.
#[derive(Debug, Clone, Default)]
pub struct CacheStats {
    /// Rooms of which anything is known, by how they are followed.
    pub rooms: HashMap<TrackingMode, usize>,
    /// Of the rooms that are followed, the age of what is known of the worst.
    pub stalest_age: TimeDelta,
    /// Calendars read so far.
    pub reads: u64,
    /// Readings that were put off so far.
    pub deferred_reads: u64,
}

/// For an early end, which the version of the event guards: one round trip instead of two.
impl CalendarCache for RoomCache {
    fn events(&self, room: &RoomAddress) -> Option<Vec<Event>> {
        self.fresh(room).map(|kept| kept.events.to_vec())
    }

    fn event(&self, room: &RoomAddress, id: &EventId) -> Option<Event> {
        self.fresh(room)?.events.iter().find(|event| event.id == *id).cloned()
    }
}
