//! Live calendars: what the rooms' calendars hold, followed as it changes instead of asked for.
//!
//! ```text
//! a server ─► Feed ─► follow    which room shares a stream with which (follow.rs)
//!                       │       one task a group: a stream, or polling while there is none (stream.rs)
//!                       │       one task a room that is polled (poll.rs)
//!                       │       they say which rooms to read again
//!                       ▼
//!                     Rooms     what is known of each room, as of when, and by what (rooms.rs)
//!                       ▲
//!                       │ reads them again (reader.rs), tells what looks different
//! a clock ─► due ───────┘       something begins or ends (due.rs, pure)
//! ```
//!
//! Every change is answered by reading the room's calendar view again, whatever it was: a notification names a series, a view
//! shows its dates. It writes nothing, and nothing depends on it: where it fails, the calendar is read when somebody asks.

mod bounded;
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
pub use feed::{ChangeBatch, ChangeStream, Feed, SubscriptionGroup, SyncResult, SyncState};
pub use history::EventHistory;
pub use pace::{READ_BURST, READ_EVERY};
pub use rooms::{CacheStats, CachedCalendar, ExtraDeadlines, RoomCache, TrackingMode};

use crate::calendar::RoomAddress;

/// How often it is looked whether the clock changes anything, and the scope.
const TICK: Duration = Duration::from_secs(1);

/// How rooms are followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveOptions {
    /// The best that is tried: streaming falls back to sync, sync to view.
    pub best_mode: TrackingMode,
    /// How often the server is asked what changed, where it does not tell.
    pub poll_interval: Duration,
    /// Connections that listen at once; rooms beyond are asked about.
    pub connections_max: usize,
    /// Calendars read at once, because something changed in them.
    pub max_concurrent_reads: usize,
    /// Before listening is tried again where it did not work; doubles up to thirty times as long.
    pub retry_after: Duration,
    /// Before a room that left its group, or has none, is grouped again.
    pub regroup_interval: Duration,
}

impl Default for LiveOptions {
    /// Two requests for a thousand rooms that are asked about cost a server more than fifty connections that listen.
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

/// How long one question to the server may take: a room that is throttled must not keep the others from being known.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);

/// A request that takes longer than this takes no place of others any more.
const SLOW_AFTER: Duration = Duration::from_secs(3);

/// Twice the heartbeat of a stream, which is about 45 s: whoever says nothing for so long is gone.
pub const SILENCE_MAX: TimeDelta = TimeDelta::seconds(90);

/// Follows rooms.
pub struct Live {
    rooms: Arc<RoomCache>,
    feed: Arc<dyn Feed>,
    options: LiveOptions,
    metrics: LiveMetrics,
}

/// How it goes.
#[derive(Debug, Default)]
pub struct LiveMetrics {
    /// Connections that listen now.
    pub listening: AtomicU64,
    /// Changes that were told of.
    pub notifications: AtomicU64,
    /// Streams that ended before their time.
    pub stream_failures: AtomicU64,
    /// Subscriptions that the server forgot.
    pub lost_subscriptions: AtomicU64,
}

impl LiveMetrics {
    fn add(count: &AtomicU64, more: usize) {
        count.fetch_add(more as u64, Ordering::Relaxed);
    }
}

impl Live {
    /// Will follow rooms through a feed.
    pub fn new(rooms: Arc<RoomCache>, feed: Arc<dyn Feed>, options: LiveOptions) -> Arc<Self> {
        Arc::new(Self { rooms, feed, options, metrics: LiveMetrics::default() })
    }

    /// How it goes.
    pub fn metrics(&self) -> &LiveMetrics {
        &self.metrics
    }

    /// Follows whatever rooms `scope` names, until it is dropped.
    pub async fn run(self: Arc<Self>, scope: impl Fn() -> Vec<RoomAddress> + Send) {
        let mut tasks = JoinSet::new();
        tasks.spawn(refresher::refresh_stale_rooms(self.rooms.clone(), self.options.max_concurrent_reads));
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut following, mut followers) = (HashSet::new(), JoinSet::new());
        let mut arriving = None;
        loop {
            tick.tick().await;
            self.rooms.tick();
            let wanted: HashSet<_> = scope().into_iter().collect();
            if following.difference(&wanted).next().is_some() {
                followers.shutdown().await;
                self.rooms.retain(&wanted);
                (following, arriving) = (HashSet::new(), None);
            }
            let new: Vec<_> = wanted.difference(&following).cloned().collect();
            if new.is_empty() {
                continue;
            }
            let arriving = arriving.get_or_insert_with(|| {
                let (arriving, arrivals) = unbounded_channel();
                followers.spawn(follower::follow_all(self.clone(), arrivals));
                arriving
            });
            let _ = arriving.send(new); // its other end lives as long as the task
            following = wanted;
        }
    }
}
