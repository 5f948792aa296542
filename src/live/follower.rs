//! Assigns rooms to groups that share a subscription stream, and polls the rooms without a group. A room that left its group, or
//! was added later, is grouped again after an interval.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, sleep_until};

use super::Live;
use super::feed::SubscriptionGroup;
use super::poll::{AbortOnDrop, Poller};
use super::stream::{Departure, SUBSCRIBE_GRACE, StreamGroup};
use super::tracking_mode::TrackingMode;
use crate::calendar::RoomAddress;

/// A room that cannot be grouped is retried after this part of the regroup interval, doubling up to the whole interval.
const FIRST_PART: u32 = 16;
/// How often a room may leave a group for a temporary reason before it is not assigned to that group again.
const DEPARTURES_MAX: usize = 2;

/// Tracks the rooms that arrive. Dropping the future ends all tracking.
pub(super) async fn follow_all(live: Arc<Live>, mut arriving: UnboundedReceiver<Vec<RoomAddress>>) {
    let (leaving, mut left) = unbounded_channel();
    let mut supervisor = Supervisor::new(live, leaving);
    loop {
        let due = supervisor.next_due();
        tokio::select! {
            Some(rooms) = arriving.recv() => supervisor.add_rooms(rooms),
            Some(departure) = left.recv() => supervisor.handle_departure(departure),
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => supervisor.group_waiting_rooms().await,
        }
    }
}

struct Supervisor {
    live: Arc<Live>,
    leaving: UnboundedSender<Departure>,
    groups: Vec<RunningGroup>,
    last_number: usize,
    /// Rooms without a group, which are polled.
    ungrouped: HashMap<RoomAddress, UngroupedRoom>,
    /// Polls the rooms without a group.
    poller: Poller,
    departures: HashMap<RoomAddress, Departures>,
    grouped_at: Option<Instant>,
}

/// A group whose task runs.
struct RunningGroup {
    number: usize,
    key: String,
    rooms: usize,
    joining: UnboundedSender<RoomAddress>,
    _task: AbortOnDrop,
}

/// A room that has no group yet.
struct UngroupedRoom {
    due: Instant,
    tries: u32,
}

/// The groups that a room left.
#[derive(Default)]
struct Departures {
    permanent: Vec<usize>,
    temporary: Vec<usize>,
}

impl Departures {
    fn avoids(&self, group: usize) -> bool {
        let passing = self.temporary.iter().filter(|number| **number == group).count();
        self.permanent.contains(&group) || passing >= DEPARTURES_MAX
    }
}

impl Supervisor {
    fn new(live: Arc<Live>, leaving: UnboundedSender<Departure>) -> Self {
        let polls = Poller::new(&live);
        Self {
            live,
            leaving,
            groups: Vec::new(),
            last_number: 0,
            ungrouped: HashMap::new(),
            poller: polls,
            departures: HashMap::new(),
            grouped_at: None,
        }
    }

    /// When rooms without a group are grouped next.
    fn next_due(&self) -> Option<Instant> {
        match self.live.options.best_mode {
            TrackingMode::Streaming => self.ungrouped.values().map(|waiting| waiting.due).min(),
            TrackingMode::Sync | TrackingMode::View | TrackingMode::OnDemand => None,
        }
    }

    fn regroup(&self) -> Duration {
        self.live.options.regroup_interval
    }

    /// Adds rooms. Rooms that arrive one by one are grouped together after a delay, since each join reopens its group's stream.
    fn add_rooms(&mut self, rooms: Vec<RoomAddress>) {
        let now = Instant::now();
        let due = self.grouped_at.map_or(now, |at| now.max(at + self.regroup() / FIRST_PART));
        let polled_after = match (self.live.options.best_mode, self.grouped_at) {
            (TrackingMode::Streaming, None) => SUBSCRIBE_GRACE,
            _ => Duration::ZERO,
        };
        for room in rooms {
            // A room with intervals of its own has no stream to wait for.
            let has_stream = self.live.feed.poll_intervals(&room).is_none();
            self.poller.start(&room, if has_stream { polled_after } else { Duration::ZERO });
            self.ungrouped.insert(room, UngroupedRoom { due, tries: 0 });
        }
    }

    fn handle_departure(&mut self, Departure { group, room, permanent: for_good }: Departure) {
        if let Some(running) = self.groups.iter_mut().find(|running| running.number == group) {
            running.rooms = running.rooms.saturating_sub(1);
        }
        self.groups.retain(|running| running.rooms > 0);
        let departures = self.departures.entry(room.clone()).or_default();
        match for_good {
            true => departures.permanent.push(group),
            false => departures.temporary.push(group),
        }
        departures.permanent.retain(|number| self.groups.iter().any(|running| running.number == *number));
        departures.temporary.retain(|number| self.groups.iter().any(|running| running.number == *number));
        self.poller.start(&room, Duration::ZERO);
        self.ungrouped.insert(room, UngroupedRoom { due: Instant::now() + self.regroup(), tries: 0 });
    }

    /// Groups the rooms that have no group. Rooms that still have none are retried later.
    async fn group_waiting_rooms(&mut self) {
        let rooms: Vec<_> = self.ungrouped.keys().cloned().collect();
        let mut groups = self.live.feed.group_rooms(&rooms).await;
        let now = Instant::now();
        self.grouped_at = Some(now);
        // The largest group first: when connections run out, the fewest rooms are left to polling.
        groups.sort_by_key(|group| Reverse(group.rooms.len()));
        groups.into_iter().for_each(|group| self.assign(group));
        let regroup = self.regroup();
        for waiting in self.ungrouped.values_mut() {
            let part = (regroup / FIRST_PART).saturating_mul(1 << waiting.tries.min(8));
            (waiting.due, waiting.tries) = (now + part.min(regroup), waiting.tries + 1);
        }
    }

    /// Adds each room to a running group with its key and free capacity; the others form new groups.
    fn assign(&mut self, SubscriptionGroup { key, rooms }: SubscriptionGroup) {
        let rooms_max = self.live.feed.group_rooms_max().max(1);
        let mut fresh = Vec::new();
        for room in rooms {
            let departures = self.departures.get(&room);
            let fits = |running: &&mut RunningGroup| {
                running.key == key
                    && running.rooms < rooms_max
                    && !departures.is_some_and(|departures| departures.avoids(running.number))
            };
            match self.groups.iter_mut().find(fits) {
                Some(running) if running.joining.send(room.clone()).is_ok() => {
                    running.rooms += 1;
                    self.ungrouped.remove(&room);
                    self.poller.forget(&room);
                }
                _ => fresh.push(room),
            }
        }
        fresh.chunks(rooms_max).for_each(|rooms| self.start_group(&key, rooms));
    }

    fn start_group(&mut self, key: &str, rooms: &[RoomAddress]) {
        if self.groups.len() >= self.live.options.connections_max {
            return;
        }
        let Some(ears) = self.live.feed.change_stream(rooms) else { return };
        let (joining, arriving) = unbounded_channel();
        self.last_number += 1;
        let number = self.last_number;
        let group = StreamGroup {
            live: self.live.clone(),
            number,
            rooms: rooms.to_vec(),
            stream: ears,
            joining: arriving,
            leaving: self.leaving.clone(),
            poller: Poller::new(&self.live),
            losses: HashMap::new(),
        };
        let _task = AbortOnDrop(tokio::spawn(group.run()));
        self.groups.push(RunningGroup { number, key: key.to_owned(), rooms: rooms.len(), joining, _task });
        for room in rooms {
            self.ungrouped.remove(room);
            self.poller.forget(room);
        }
    }
}
