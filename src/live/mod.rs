//! Keeps the rooms' calendars in memory and refreshes them when the server reports a change.
//!
//! ```text
//! a server ─► Feed ─► follower   groups the rooms that share a subscription stream (follower.rs)
//!                       │        one task per group: a stream, or polling while it is down (stream.rs)
//!                       │        one task per polled room (poll.rs)
//!                       │        both mark rooms as stale
//!                       ▼
//!                    RoomCache   each room's calendar, its age, and its tracking mode (rooms.rs)
//!                       ▲
//!                       │        re-reads stale rooms, and publishes the ones that changed (refresher.rs)
//! a clock ─► timers ────┘        an event starts or ends, or the room's day ends (timers.rs, pure)
//! ```
//!
//! Every change notification leads to a new read of the room's calendar view: a notification names the series, the view
//! returns its occurrences. This module never writes to a calendar, and only speed depends on it: while it fails, each
//! request reads the calendar itself.

mod bounded;
mod cached_calendar;
mod day;
mod dedup_queue;
mod feed;
mod follower;
mod history;
mod pace;
mod poll;
mod refresher;
mod rooms;
mod stream;
mod timers;
mod tracking_mode;

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::TimeDelta;
use tokio::sync::mpsc::unbounded_channel;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

pub use bounded::{
    EVENT_TEXTS_PER_ROOM_MAX, EVENTS_PER_ROOM_MAX, ROOM_EVENTS_BYTES_BEYOND_MAX, ROOM_EVENTS_BYTES_ORDINARY,
    ROOMS_KNOWN_MAX, SUBJECT_CHARS_MAX,
};
pub use cached_calendar::{CachedCalendar, RoomEvents};
pub use day::Agenda;
pub use feed::{ChangeBatch, ChangeStream, Feed, PollIntervals, SubscriptionGroup, SyncResult, SyncState};
pub use history::EventHistory;
pub use pace::{READ_BURST, READ_EVERY};
pub use rooms::{CacheStats, ExtraDeadlines, LocalDays, RoomCache};
pub use tracking_mode::TrackingMode;

use crate::calendar::RoomAddress;

/// How often room timers and the scope are checked.
const TICK: Duration = Duration::from_secs(1);

/// How rooms are tracked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveOptions {
    /// The preferred mode: streaming falls back to sync, sync to view.
    pub best_mode: TrackingMode,
    /// The interval of polling, in rooms without a subscription stream whose feed names none of its own.
    pub poll_interval: Duration,
    /// Streaming connections at once; the rooms beyond them are polled.
    pub connections_max: usize,
    /// Changed calendars read at once.
    pub max_concurrent_reads: usize,
    /// The pause before a failed stream is opened again; doubles up to thirty times this.
    pub retry_after: Duration,
    /// The pause before a room without a group is grouped again.
    pub regroup_interval: Duration,
}

impl Default for LiveOptions {
    /// Polling a thousand rooms costs a server more than fifty streaming connections.
    fn default() -> Self {
        Self {
            best_mode: TrackingMode::Streaming,
            poll_interval: Duration::from_secs(30),
            connections_max: 50,
            max_concurrent_reads: 8,
            retry_after: Duration::from_secs(10),
            regroup_interval: Duration::from_secs(5 * 60),
        }
    }
}

/// Time limit of one request: a throttled room must not delay the others.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);

/// A request that takes longer than this gives its concurrency slot back and continues without one.
const SLOW_AFTER: Duration = Duration::from_secs(3);

/// A stream that sends nothing for this time is considered dead. Twice the server's heartbeat interval of about 45 s.
pub const SILENCE_MAX: TimeDelta = TimeDelta::seconds(90);

/// Tracks the rooms' calendars.
pub struct Live {
    rooms: Arc<RoomCache>,
    feed: Arc<dyn Feed>,
    options: LiveOptions,
    metrics: LiveMetrics,
}

/// Counters for the metrics.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct LiveMetrics {
    /// Open streaming connections.
    pub listening: AtomicU64,
    /// Change notifications received.
    pub notifications: AtomicU64,
    /// Streams that failed before the server closed them.
    pub stream_failures: AtomicU64,
    /// Subscriptions that the server lost.
    pub lost_subscriptions: AtomicU64,
}

impl LiveMetrics {
    fn add(count: &AtomicU64, more: usize) {
        count.fetch_add(more as u64, Ordering::Relaxed);
    }
}

impl Live {
    /// A tracker that gets changes from this feed.
    pub fn new(rooms: Arc<RoomCache>, feed: Arc<dyn Feed>, options: LiveOptions) -> Arc<Self> {
        Arc::new(Self { rooms, feed, options, metrics: LiveMetrics::default() })
    }

    /// Counters for the metrics.
    pub fn metrics(&self) -> &LiveMetrics {
        &self.metrics
    }

    /// Tracks the rooms that `scope` returns, until the future is dropped.
    pub async fn run(self: Arc<Self>, scope: impl Fn() -> Vec<RoomAddress> + Send) {
        let mut tasks = JoinSet::new();
        tasks.spawn(refresher::refresh_stale_rooms(self.rooms.clone(), self.options.max_concurrent_reads));
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut tracked, mut followers) = (HashSet::new(), JoinSet::new());
        let mut arriving = None;
        loop {
            tick.tick().await;
            self.rooms.tick();
            let wanted: HashSet<_> = scope().into_iter().collect();
            if tracked.difference(&wanted).next().is_some() {
                followers.shutdown().await;
                self.rooms.retain(&wanted);
                (tracked, arriving) = (HashSet::new(), None);
            }
            let new: Vec<_> = wanted.difference(&tracked).cloned().collect();
            if new.is_empty() {
                continue;
            }
            let arriving = arriving.get_or_insert_with(|| {
                let (arriving, arrivals) = unbounded_channel();
                followers.spawn(follower::follow_all(self.clone(), arrivals));
                arriving
            });
            let _ = arriving.send(new); // the task holds the receiver
            tracked = wanted;
        }
    }
}
