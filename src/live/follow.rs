//! Which room is followed how: sorts the rooms into groups that share a stream, and polls those that have none (yet). A room that
//! left its group, or came later, is grouped again after a while.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, sleep_until};

use super::Live;
use super::feed::RoomGroup;
use super::poll::{AbortOnDrop, Polls};
use super::rooms::How;
use super::stream::{Departure, Group, OPENING};
use crate::calendar::RoomAddress;

/// A room that cannot be grouped yet is tried again after this part of the interval, doubling up to all of it.
const FIRST_PART: u32 = 16;
/// How often a room may leave a group for a passing reason before it is not put there again.
const DEPARTURES_MAX: usize = 2;

/// Follows rooms as they come. Dropped, it follows none any more.
pub(super) async fn follow_all(live: Arc<Live>, mut arriving: UnboundedReceiver<Vec<RoomAddress>>) {
    let (leaving, mut left) = unbounded_channel();
    let mut supervisor = Supervisor::new(live, leaving);
    loop {
        let due = supervisor.next_due();
        tokio::select! {
            Some(rooms) = arriving.recv() => supervisor.arrive(rooms),
            Some(departure) = left.recv() => supervisor.depart(departure),
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => supervisor.group().await,
        }
    }
}

struct Supervisor {
    live: Arc<Live>,
    leaving: UnboundedSender<Departure>,
    groups: Vec<Running>,
    groups_so_far: usize,
    /// Rooms without a group.
    waiting: HashMap<RoomAddress, Waiting>,
    /// Polls those that wait.
    polls: Polls,
    departures: HashMap<RoomAddress, Departures>,
    grouped_at: Option<Instant>,
}

/// A group that is followed.
struct Running {
    number: usize,
    key: String,
    rooms: usize,
    joining: UnboundedSender<RoomAddress>,
    _task: AbortOnDrop,
}

/// A room that waits for its group to be found.
struct Waiting {
    due: Instant,
    tries: u32,
}

/// From which groups a room went away.
#[derive(Default)]
struct Departures {
    for_good: Vec<usize>,
    passing: Vec<usize>,
}

impl Departures {
    fn avoids(&self, group: usize) -> bool {
        let passing = self.passing.iter().filter(|number| **number == group).count();
        self.for_good.contains(&group) || passing >= DEPARTURES_MAX
    }
}

impl Supervisor {
    fn new(live: Arc<Live>, leaving: UnboundedSender<Departure>) -> Self {
        let polls = Polls::new(&live);
        Self {
            live,
            leaving,
            groups: Vec::new(),
            groups_so_far: 0,
            waiting: HashMap::new(),
            polls,
            departures: HashMap::new(),
            grouped_at: None,
        }
    }

    /// When a room is to be grouped next.
    fn next_due(&self) -> Option<Instant> {
        match self.live.options.best {
            How::Streaming => self.waiting.values().map(|waiting| waiting.due).min(),
            How::Sync | How::View | How::Asked => None,
        }
    }

    fn regroup(&self) -> Duration {
        self.live.options.regroup
    }

    /// Rooms that come one by one are grouped together: for each that joins, its group's stream is opened again.
    fn arrive(&mut self, rooms: Vec<RoomAddress>) {
        let now = Instant::now();
        let due = self.grouped_at.map_or(now, |at| now.max(at + self.regroup() / FIRST_PART));
        let polled_after = match (self.live.options.best, self.grouped_at) {
            (How::Streaming, None) => OPENING,
            _ => Duration::ZERO,
        };
        for room in rooms {
            self.polls.start(&room, polled_after);
            self.waiting.insert(room, Waiting { due, tries: 0 });
        }
    }

    fn depart(&mut self, Departure { group, room, for_good }: Departure) {
        if let Some(running) = self.groups.iter_mut().find(|running| running.number == group) {
            running.rooms = running.rooms.saturating_sub(1);
        }
        self.groups.retain(|running| running.rooms > 0);
        let departures = self.departures.entry(room.clone()).or_default();
        match for_good {
            true => departures.for_good.push(group),
            false => departures.passing.push(group),
        }
        departures.for_good.retain(|number| self.groups.iter().any(|running| running.number == *number));
        departures.passing.retain(|number| self.groups.iter().any(|running| running.number == *number));
        self.polls.start(&room, Duration::ZERO);
        self.waiting.insert(room, Waiting { due: Instant::now() + self.regroup(), tries: 0 });
    }

    /// Sorts the rooms that wait. What has no group then is tried again later.
    async fn group(&mut self) {
        let rooms: Vec<_> = self.waiting.keys().cloned().collect();
        let mut groups = self.live.feed.groups(&rooms).await;
        let now = Instant::now();
        self.grouped_at = Some(now);
        // The largest first: where there are not connections enough, the fewest rooms go without.
        groups.sort_by_key(|group| Reverse(group.rooms.len()));
        groups.into_iter().for_each(|group| self.place(group));
        let regroup = self.regroup();
        for waiting in self.waiting.values_mut() {
            let part = (regroup / FIRST_PART).saturating_mul(1 << waiting.tries.min(8));
            (waiting.due, waiting.tries) = (now + part.min(regroup), waiting.tries + 1);
        }
    }

    /// Rooms of one group join one that is followed, as far as there is one for them; the others are a new one.
    fn place(&mut self, RoomGroup { key, rooms }: RoomGroup) {
        let rooms_max = self.live.feed.group_rooms_max().max(1);
        let mut fresh = Vec::new();
        for room in rooms {
            let departures = self.departures.get(&room);
            let fits = |running: &&mut Running| {
                running.key == key
                    && running.rooms < rooms_max
                    && !departures.is_some_and(|departures| departures.avoids(running.number))
            };
            match self.groups.iter_mut().find(fits) {
                Some(running) if running.joining.send(room.clone()).is_ok() => {
                    running.rooms += 1;
                    self.waiting.remove(&room);
                    self.polls.forget(&room);
                }
                _ => fresh.push(room),
            }
        }
        fresh.chunks(rooms_max).for_each(|rooms| self.begin(&key, rooms));
    }

    fn begin(&mut self, key: &str, rooms: &[RoomAddress]) {
        if self.groups.len() >= self.live.options.connections_max {
            return;
        }
        let Some(ears) = self.live.feed.ears(rooms) else { return };
        let (joining, arriving) = unbounded_channel();
        self.groups_so_far += 1;
        let number = self.groups_so_far;
        let group = Group {
            live: self.live.clone(),
            number,
            rooms: rooms.to_vec(),
            ears,
            joining: arriving,
            leaving: self.leaving.clone(),
            polls: Polls::new(&self.live),
            losses: HashMap::new(),
        };
        let _task = AbortOnDrop(tokio::spawn(group.follow()));
        self.groups.push(Running { number, key: key.to_owned(), rooms: rooms.len(), joining, _task });
        for room in rooms {
            self.waiting.remove(room);
            self.polls.forget(room);
        }
    }
}
