//! The next time at which each room's state changes by time alone, one per room. Never reads the clock: time is an argument.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};

use crate::calendar::RoomAddress;

/// One timer per room.
#[derive(Debug, Default)]
pub(super) struct RoomTimers(Mutex<TimerTable>);

#[derive(Debug, Default)]
struct TimerTable {
    by_time: BTreeSet<(DateTime<Utc>, RoomAddress)>,
    by_room: HashMap<RoomAddress, DateTime<Utc>>,
}

impl RoomTimers {
    /// Sets the room's timer; `None` clears it.
    pub(super) fn set(&self, room: &RoomAddress, at: Option<DateTime<Utc>>) {
        let mut times = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = match at {
            Some(at) => times.by_room.insert(room.clone(), at),
            None => times.by_room.remove(room),
        };
        if let Some(before) = before {
            times.by_time.remove(&(before, room.clone()));
        }
        if let Some(at) = at {
            times.by_time.insert((at, room.clone()));
        }
    }

    /// Drops the timers of all other rooms.
    pub(super) fn retain(&self, keep: impl Fn(&RoomAddress) -> bool) {
        let mut times = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        times.by_time.retain(|(_, room)| keep(room));
        times.by_room.retain(|room, _| keep(room));
    }

    /// Removes the timers that are due, and returns their rooms.
    pub(super) fn take_due(&self, now: DateTime<Utc>) -> Vec<RoomAddress> {
        let mut times = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut rooms_due = Vec::new();
        while times.by_time.first().is_some_and(|(at, _)| *at <= now) {
            let Some((_, room)) = times.by_time.pop_first() else { break };
            times.by_room.remove(&room);
            rooms_due.push(room);
        }
        rooms_due
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn each_room_comes_once_at_the_last_moment_set() {
        let at = |minutes| DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes);
        let [a, b] = ["a@x.y", "b@x.y"].map(|room| room.parse::<RoomAddress>().unwrap());
        let due = RoomTimers::default();
        due.set(&a, Some(at(1)));
        due.set(&b, Some(at(2)));
        due.set(&a, Some(at(3)));
        assert_eq!(due.take_due(at(1)), []);
        assert_eq!(due.take_due(at(5)), [b.clone(), a.clone()]);
        assert_eq!(due.take_due(at(9)), []);
        due.set(&b, Some(at(6)));
        due.set(&b, None);
        assert_eq!(due.take_due(at(9)), []);
    }
}
