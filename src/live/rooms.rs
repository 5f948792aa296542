//! The cache of the rooms' calendars, with the age of each. A hundred displays of one room cost one request, and none while a
//! change source covers the room.
//!
//! A read covers the changes that were reported *before* it began. A change that is reported during the read makes its result
//! stale. This module decides nothing about events.

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
use super::cached_calendar::{CachedCalendar, RoomEvents};
use super::day;
use super::dedup_queue::UniqueQueue;
use super::history::EventHistory;
use super::timers::RoomTimers;
use super::tracking_mode::TrackingMode;
use crate::calendar::{Event, EventId, RoomAddress, Window, local_day, occupancy};
use crate::clock::Clock;
use crate::engine::{CalendarCache, CalendarError, CalendarReader};
use crate::keyed_mutex::KeyedMutex;

/// The least time ahead that a cached calendar must cover: a display shows the day.
const READ_AHEAD_MIN: TimeDelta = TimeDelta::hours(24);

/// A stream or a poll that reports the changes of some rooms, and the time until which its reports are complete.
#[derive(Debug)]
pub(super) struct ChangeSource {
    mode: TrackingMode,
    /// Milliseconds since 1970.
    confirmed_at: AtomicI64,
}

impl ChangeSource {
    pub(super) fn new(mode: TrackingMode, now: DateTime<Utc>) -> Arc<Self> {
        Arc::new(Self { mode, confirmed_at: AtomicI64::new(now.timestamp_millis()) })
    }

    /// Every change before this moment was reported.
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
    /// Bytes that the events take beyond the ordinary share of a room.
    extra_bytes: usize,
    /// Changes reported so far, including our own.
    changes: u64,
    /// The part of `changes` that the cached calendar covers.
    changes_read: u64,
    /// Usually one; two while one source replaces another.
    sources: Vec<Arc<ChangeSource>>,
    /// Failed reads in a row.
    failed_reads: u32,
    /// The mode that was published last.
    published_mode: Option<TrackingMode>,
    history: EventHistory,
}

impl TrackedRoom {
    /// The source with the best mode.
    fn best_source(&self) -> Option<&Arc<ChangeSource>> {
        self.sources.iter().max_by_key(|source| source.mode)
    }

    fn mode(&self) -> TrackingMode {
        self.best_source().map_or(TrackingMode::OnDemand, |source| source.mode)
    }

    /// The cached calendar with its present age, however old.
    fn any(&self) -> Option<CachedCalendar> {
        let mut calendar = self.calendar.clone()?;
        if let Some(source) = self.best_source()
            && self.changes == self.changes_read
        {
            calendar.as_of = calendar.as_of.max(source.confirmed_at());
            calendar.mode = source.mode;
        }
        Some(calendar)
    }

    /// The cached calendar, if notifications prove that it is up to date.
    fn fresh(&self, now: DateTime<Utc>, silence: TimeDelta) -> Option<CachedCalendar> {
        let is_streaming = self.mode() == TrackingMode::Streaming;
        let current = |calendar: &CachedCalendar| {
            self.changes == self.changes_read
                && calendar.is_younger(silence, now)
                && calendar.known_until - now >= READ_AHEAD_MIN
        };
        self.any().filter(|calendar| is_streaming && current(calendar))
    }
}

/// The cached calendars of the rooms in scope.
pub struct RoomCache {
    calendar: Arc<dyn CalendarReader>,
    clock: Arc<dyn Clock>,
    rooms: RwLock<HashMap<RoomAddress, TrackedRoom>>,
    /// One read at a time per room.
    read_locks: KeyedMutex,
    /// How long a silent change source counts as alive.
    silence_max: TimeDelta,
    /// When each room's state changes by time alone.
    timers: RoomTimers,
    /// Rooms whose state changed, for the task that publishes notices.
    changed_rooms: UniqueQueue,
    /// Rooms that need a new read.
    pub(super) stale: UniqueQueue,
    reads: AtomicU64,
    /// Reads that were deferred because their room changes too often.
    pub(super) deferred_reads: AtomicU64,
    /// Rooms with a read that continues after its caller gave up.
    detached_reads: Mutex<HashSet<RoomAddress>>,
    extra_deadlines: OnceLock<ExtraDeadlines>,
    local_days: OnceLock<LocalDays>,
}

/// Marks the one read of a room that continues after its caller gave up.
struct DetachedRead {
    rooms: Arc<RoomCache>,
    room: RoomAddress,
}

impl DetachedRead {
    /// `None` when the room already has such a read.
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

/// Times at which an event changes its room's state, besides its start and end.
pub type ExtraDeadlines = Box<dyn Fn(&RoomAddress, &Event) -> Vec<DateTime<Utc>> + Send + Sync>;

/// The local day of a room that contains this time.
pub type LocalDays = Box<dyn Fn(&RoomAddress, DateTime<Utc>) -> Window + Send + Sync>;

impl RoomCache {
    /// An empty cache.
    pub fn new(calendar: Arc<dyn CalendarReader>, clock: Arc<dyn Clock>, silence: TimeDelta) -> Self {
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
            local_days: OnceLock::new(),
        }
    }

    /// Adds times at which a room's state changes, such as the end of a grace period. Only the first call has an effect.
    pub fn set_extra_deadlines(&self, deadlines: ExtraDeadlines) {
        let _ = self.extra_deadlines.set(deadlines);
    }

    /// Sets the local days of the rooms; before, they are those of UTC. Only the first call has an effect.
    pub fn set_local_days(&self, days: LocalDays) {
        let _ = self.local_days.set(days);
    }

    fn local_day(&self, room: &RoomAddress, now: DateTime<Utc>) -> Window {
        match self.local_days.get() {
            Some(days) => days(room, now),
            None => local_day(&Utc, now),
        }
    }

    /// The next time at which the room's state changes by time alone: an event starts or ends, the room's next day begins, or the
    /// cached calendar no longer reaches far enough ahead.
    fn next_deadline(
        &self,
        room: &RoomAddress,
        calendar: &CachedCalendar,
        now: DateTime<Utc>,
    ) -> Option<DateTime<Utc>> {
        let others = |event: &Event| {
            self.extra_deadlines.get().map_or_else(Vec::new, |deadlines| deadlines(room, event))
        };
        let of_event = |event: &Event| others(event).into_iter().chain([event.start, event.end]);
        let deadlines = calendar.events.iter().flat_map(of_event);
        deadlines
            .chain([self.local_day(room, now).end()])
            .chain([calendar.known_until - READ_AHEAD_MIN + TimeDelta::seconds(1)])
            .filter(|deadline| *deadline > now)
            .min()
    }

    /// The cached calendar, however old.
    pub fn any(&self, room: &RoomAddress) -> Option<CachedCalendar> {
        self.read().get(room)?.any()
    }

    /// When this process first read this event at its present start in this room: the event was moved there at that time or
    /// before. `None` when the first read of the room already returned it, or no read did; then `LastModifiedTime` is the better
    /// evidence.
    pub fn seen_since(&self, room: &RoomAddress, event: &Event) -> Option<DateTime<Utc>> {
        self.read().get(room)?.history.seen_since(event)
    }

    /// The rooms with a cached calendar.
    pub fn read_rooms(&self) -> Vec<RoomAddress> {
        let entries = self.read();
        entries.iter().filter(|(_, room)| room.calendar.is_some()).map(|(name, _)| name.clone()).collect()
    }

    /// The cached calendar, if notifications prove that it is up to date; `None` when it must be read.
    pub fn fresh(&self, room: &RoomAddress) -> Option<CachedCalendar> {
        self.read().get(room)?.fresh(self.clock.now(), self.silence_max)
    }

    /// The calendar, read again if the cached one may be older than `age`. The caller has checked that the room is in scope.
    ///
    /// # Errors
    /// When it must be read and the read fails.
    pub async fn get(&self, room: &RoomAddress, age: TimeDelta) -> Result<CachedCalendar, CalendarError> {
        if let Some(calendar) = self.younger_than(room, age) {
            return Ok(calendar);
        }
        let _lock = self.read_locks.lock(room.as_str()).await;
        // Another task may have read it while this one waited for the lock.
        match self.younger_than(room, age) {
            Some(calendar) => Ok(calendar),
            None => self.read_calendar(room).await,
        }
    }

    /// Like [`get`](Self::get), but returns `None` when the server has not responded within `patience`. The read continues
    /// without its caller, so that the calendar of a slow server is cached in the end; at most one such read per room.
    pub async fn get_within(
        self: &Arc<Self>,
        room: &RoomAddress,
        age: TimeDelta,
        patience: Duration,
    ) -> Option<Result<CachedCalendar, CalendarError>> {
        if let Some(calendar) = self.younger_than(room, age) {
            return Some(Ok(calendar));
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
        let (entries, now) = (self.read(), self.clock.now());
        let room = entries.get(room)?;
        let young =
            |calendar: &CachedCalendar| room.changes == room.changes_read && calendar.is_younger(age, now);
        room.fresh(now, self.silence_max).or_else(|| room.any().filter(young))
    }

    /// Reads the room's calendar again if it has a change source and the cached calendar is not up to date.
    pub(super) async fn refresh(&self, room: &RoomAddress) -> Result<(), CalendarError> {
        let _lock = self.read_locks.lock(room.as_str()).await;
        let has_source = self.read().get(room).is_some_and(|room| !room.sources.is_empty());
        match self.fresh(room) {
            None if has_source => self.read_calendar(room).await.map(drop),
            _ => Ok(()),
        }
    }

    async fn read_calendar(&self, room: &RoomAddress) -> Result<CachedCalendar, CalendarError> {
        let changes_read = self.read().get(room).map_or(0, |room| room.changes);
        let calendar = self.read_day_and_ahead(room, self.clock.now()).await?;
        self.store_calendar(room, calendar, changes_read)?;
        self.any(room)
            .ok_or_else(|| CalendarError::configuration("the calendar was evicted right after it was read"))
    }

    /// Reads the room's local day and the time ahead. Where that fails for an event that may be over, reads the time ahead alone, so
    /// that a past event never hides the room's present state.
    async fn read_day_and_ahead(
        &self,
        room: &RoomAddress,
        now: DateTime<Utc>,
    ) -> Result<CachedCalendar, CalendarError> {
        let ahead =
            day::ahead(now).ok_or_else(|| CalendarError::configuration("the time to read is empty"))?;
        let whole = day::day_and_ahead(&self.local_day(room, now), now).unwrap_or(ahead);
        let events = match self.read_window(room, whole).await {
            Err(error) if whole != ahead && day::may_be_due_to_past(&error) => {
                let events = self.read_window(room, ahead).await?;
                return Ok(CachedCalendar::of_reading(events, &ahead, now));
            }
            read => read?,
        };
        Ok(CachedCalendar::of_reading(events, &whole, now))
    }

    /// The events in this window, within the limits of one room.
    async fn read_window(&self, room: &RoomAddress, window: Window) -> Result<Vec<Event>, CalendarError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        enforce_bounds(self.calendar.events(room, window).await?.with_stand_ins()?)
    }

    /// The events that occupy the room within a window: from the cache if it has all of them and is at most this old, else read. What
    /// is read is not cached. The caller has checked that the room is in scope.
    ///
    /// # Errors
    /// When they must be read and the read fails, or they exceed the limits of one room.
    pub async fn events_within(
        &self,
        room: &RoomAddress,
        window: Window,
        age: TimeDelta,
    ) -> Result<RoomEvents, CalendarError> {
        let in_order = |events: Vec<&Event>| events.into_iter().cloned().collect();
        if let Some(kept) = self.younger_than(room, age).filter(|kept| kept.covers(&window)) {
            let events = in_order(occupancy::agenda(kept.all(), &window));
            return Ok(RoomEvents { events, read_at: kept.read_at });
        }
        let read_at = self.clock.now();
        let events = self.read_window(room, window).await?;
        Ok(RoomEvents { events: in_order(occupancy::agenda(&events, &window)), read_at })
    }

    fn store_calendar(
        &self,
        name: &RoomAddress,
        mut calendar: CachedCalendar,
        changes_read: u64,
    ) -> Result<(), CalendarError> {
        let mut extra = extra_bytes(calendar.all());
        let deadline = self.next_deadline(name, &calendar, calendar.read_at);
        let is_changed = {
            let mut entries = self.write();
            let exceeds = |extra: usize| {
                extra > 0 && extra + extra_bytes_of_others(&entries, name) > ROOM_EVENTS_BYTES_BEYOND_MAX
            };
            if exceeds(extra) {
                calendar = calendar.without_past();
                extra = extra_bytes(calendar.all());
            }
            if exceeds(extra) {
                return Err(memory_exhausted(extra));
            }
            let room = room_entry(&mut entries, name, self.clock.now());
            room.extra_bytes = extra;
            room.history.record(&calendar.events, self.clock.now());
            let was = room.calendar.replace(calendar.clone());
            (room.changes_read, room.failed_reads) = (changes_read, 0);
            // A change was reported during the read.
            if room.changes != changes_read && !room.sources.is_empty() {
                self.stale.push(name);
            }
            let mode = room.mode();
            let was_published = room.published_mode.replace(mode) == Some(mode);
            !was_published || !was.is_some_and(|was| was.has_same_events(&calendar))
        };
        self.timers.set(name, deadline);
        if is_changed {
            self.changed_rooms.push(name);
        }
        Ok(())
    }

    /// Marks the cached calendar as outdated: the room's calendar changed.
    pub fn invalidate(&self, name: &RoomAddress) {
        let mut entries = self.write();
        let room = room_entry(&mut entries, name, self.clock.now());
        room.changes += 1;
        if !room.sources.is_empty() {
            self.stale.push(name);
        }
    }

    /// Adds a change source to these rooms. Their cached calendars are from before, and are read again.
    pub(super) fn add_source(&self, rooms: &[RoomAddress], source: &Arc<ChangeSource>) {
        let mut entries = self.write();
        for name in rooms {
            let room = entries.entry(name.clone()).or_default();
            room.sources.push(source.clone());
            room.changes += 1;
            self.stale.push(name);
        }
    }

    /// Removes a change source from these rooms; another one may have taken over.
    pub(super) fn remove_source(&self, rooms: &[RoomAddress], source: &Arc<ChangeSource>) {
        let mut entries = self.write();
        for name in rooms {
            let Some(room) = entries.get_mut(name) else { continue };
            let mode = room.mode();
            // The cached calendar keeps the time until which this source confirmed it.
            room.calendar = room.any().map(CachedCalendar::untracked);
            room.sources.retain(|other| !Arc::ptr_eq(other, source));
            if room.mode() != mode {
                room.published_mode = Some(room.mode());
                self.changed_rooms.push(name);
            }
        }
    }

    /// Drops all rooms that are not in this scope.
    pub(super) fn retain(&self, scope: &HashSet<RoomAddress>) {
        self.write().retain(|room, _| scope.contains(room));
        self.timers.retain(|room| scope.contains(room));
        self.stale.retain(|room| scope.contains(room));
        self.changed_rooms.retain(|room| scope.contains(room));
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// Counts a failed read; returns the number of failures in a row.
    pub(super) fn record_failed_read(&self, name: &RoomAddress) -> u32 {
        let mut entries = self.write();
        let Some(room) = entries.get_mut(name) else { return 0 };
        room.failed_reads = room.failed_reads.saturating_add(1);
        room.failed_reads
    }

    /// Publishes the rooms whose state changed by time alone.
    pub(super) fn tick(&self) {
        let now = self.clock.now();
        for name in self.timers.take_due(now) {
            let mut deadline = None;
            if let Some(room) = self.read().get(&name) {
                deadline =
                    room.calendar.as_ref().and_then(|calendar| self.next_deadline(&name, calendar, now));
                let ends = room
                    .calendar
                    .as_ref()
                    .is_some_and(|calendar| calendar.known_until - now < READ_AHEAD_MIN);
                if ends && !room.sources.is_empty() {
                    self.stale.push(&name);
                }
            }
            self.timers.set(&name, deadline);
            self.changed_rooms.push(&name);
        }
    }

    /// Publishes a change of the room's state that is not in its calendar, such as a check-in.
    pub fn mark_changed(&self, room: &RoomAddress) {
        self.changed_rooms.push(room);
    }

    /// Waits for the next room whose state changed.
    pub async fn next_changed(&self) -> RoomAddress {
        self.changed_rooms.next().await
    }

    /// Counts for the metrics.
    pub fn stats(&self) -> CacheStats {
        let now = self.clock.now();
        let count = |number: &AtomicU64| number.load(Ordering::Relaxed);
        let (reads, deferred_reads) = (count(&self.reads), count(&self.deferred_reads));
        let mut stats = CacheStats { reads, deferred_reads, ..CacheStats::default() };
        for room in self.read().values() {
            let Some(calendar) = room.any() else { continue };
            let mode = room.mode();
            *stats.rooms.entry(mode).or_default() += 1;
            if mode != TrackingMode::OnDemand {
                stats.stalest_age = stats.stalest_age.max(now - calendar.as_of);
            }
        }
        stats
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<RoomAddress, TrackedRoom>> {
        self.rooms.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<RoomAddress, TrackedRoom>> {
        self.rooms.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bytes that the other rooms' events take beyond their ordinary shares.
fn extra_bytes_of_others(entries: &HashMap<RoomAddress, TrackedRoom>, name: &RoomAddress) -> usize {
    entries.iter().filter(|(other, _)| *other != name).map(|(_, room)| room.extra_bytes).sum()
}

/// How long an untracked room stays cached when the cache is full.
const UNFOLLOWED_KEPT: TimeDelta = TimeDelta::hours(1);

/// The entry of a room. A scope that names a domain contains any address in it, so a full cache evicts untracked rooms that were
/// not read lately.
fn room_entry<'r>(
    entries: &'r mut HashMap<RoomAddress, TrackedRoom>,
    name: &RoomAddress,
    now: DateTime<Utc>,
) -> &'r mut TrackedRoom {
    if entries.len() >= ROOMS_KNOWN_MAX && !entries.contains_key(name) {
        let is_young = |calendar: &CachedCalendar| calendar.is_younger(UNFOLLOWED_KEPT, now);
        entries.retain(|_, room| !room.sources.is_empty() || room.calendar.as_ref().is_some_and(is_young));
    }
    entries.entry(name.clone()).or_default()
}

/// Counts over all rooms, for the metrics.
#[derive(Debug, Clone, Default)]
pub struct CacheStats {
    /// Rooms with a cached calendar, by tracking mode.
    pub rooms: HashMap<TrackingMode, usize>,
    /// The age of the stalest calendar among tracked rooms.
    pub stalest_age: TimeDelta,
    /// Calendars read since the start.
    pub reads: u64,
    /// Reads deferred since the start.
    pub deferred_reads: u64,
}

/// Serves an early end from the cache: the event's `ChangeKey` guards the write, so one round trip is enough instead of two.
impl CalendarCache for RoomCache {
    fn events(&self, room: &RoomAddress) -> Option<Vec<Event>> {
        self.fresh(room).map(|calendar| calendar.events.to_vec())
    }

    fn event(&self, room: &RoomAddress, id: &EventId) -> Option<Event> {
        self.fresh(room)?.events.iter().find(|event| event.id == *id).cloned()
    }
}
