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
mod due;
mod feed;
mod follow;
mod history;
mod pace;
mod poll;
mod queue;
mod reader;
mod rooms;
mod stream;

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
pub use feed::{Ears, Feed, Heard, RoomGroup, SyncState, Synced};
pub use history::EventHistory;
pub use pace::{READ_BURST, READ_EVERY};
pub use rooms::{Census, Edges, How, Kept, Rooms};

use crate::calendar::RoomAddress;

/// How often it is looked whether the clock changes anything, and the scope.
const TICK: Duration = Duration::from_secs(1);

/// How rooms are followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The best that is tried: streaming falls back to sync, sync to view.
    pub best: How,
    /// How often the server is asked what changed, where it does not tell.
    pub poll: Duration,
    /// Connections that listen at once; rooms beyond are asked about.
    pub connections_max: usize,
    /// Calendars read at once, because something changed in them.
    pub reading_at_once: usize,
    /// Before listening is tried again where it did not work; doubles up to thirty times as long.
    pub again_after: Duration,
    /// Before a room that left its group, or has none, is grouped again.
    pub regroup: Duration,
}

impl Default for Options {
    /// Two requests for a thousand rooms that are asked about cost a server more than fifty connections that listen.
    fn default() -> Self {
        Self {
            best: How::Streaming,
            poll: Duration::from_secs(30),
            connections_max: 50,
            reading_at_once: 8,
            again_after: Duration::from_secs(10),
            regroup: Duration::from_secs(5 * 60),
        }
    }
}

/// How long one question to the server may take: a room that is throttled must not keep the others from being known.
const PATIENCE: Duration = Duration::from_secs(20);

/// A request that takes longer than this takes no place of others any more.
const SLOW_AFTER: Duration = Duration::from_secs(3);

/// Twice the heartbeat of a stream, which is about 45 s: whoever says nothing for so long is gone.
pub const SILENCE: TimeDelta = TimeDelta::seconds(90);

/// Follows rooms.
pub struct Live {
    rooms: Arc<Rooms>,
    feed: Arc<dyn Feed>,
    options: Options,
    numbers: Numbers,
}

/// How it goes.
#[derive(Debug, Default)]
pub struct Numbers {
    /// Connections that listen now.
    pub listening: AtomicU64,
    /// Changes that were told of.
    pub told: AtomicU64,
    /// Streams that ended before their time.
    pub broken: AtomicU64,
    /// Subscriptions that the server forgot.
    pub lost: AtomicU64,
}

impl Numbers {
    fn add(count: &AtomicU64, more: usize) {
        count.fetch_add(more as u64, Ordering::Relaxed);
    }
}

impl Live {
    /// Will follow rooms through a feed.
    pub fn new(rooms: Arc<Rooms>, feed: Arc<dyn Feed>, options: Options) -> Arc<Self> {
        Arc::new(Self { rooms, feed, options, numbers: Numbers::default() })
    }

    /// How it goes.
    pub fn numbers(&self) -> &Numbers {
        &self.numbers
    }

    /// Follows whatever rooms `scope` names, until it is dropped.
    pub async fn run(self: Arc<Self>, scope: impl Fn() -> Vec<RoomAddress> + Send) {
        let mut tasks = JoinSet::new();
        tasks.spawn(reader::read(self.rooms.clone(), self.options.reading_at_once));
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut following, mut followers) = (HashSet::new(), JoinSet::new());
        let mut arriving = None;
        loop {
            tick.tick().await;
            self.rooms.turn();
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
                followers.spawn(follow::follow_all(self.clone(), arrivals));
                arriving
            });
            let _ = arriving.send(new); // its other end lives as long as the task
            following = wanted;
        }
    }
}
