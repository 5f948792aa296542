//! At which moment which room looks different by the clock alone: one moment a room, the next one. Asks no clock.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};

use crate::calendar::RoomAddress;

#[derive(Debug, Default)]
pub(super) struct RoomTimers(Mutex<TimerTable>);

#[derive(Debug, Default)]
struct TimerTable {
    by_time: BTreeSet<(DateTime<Utc>, RoomAddress)>,
    by_room: HashMap<RoomAddress, DateTime<Utc>>,
}

impl RoomTimers {
    /// The room's next moment; `None` for never.
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

    /// Only these have one.
    pub(super) fn retain(&self, keep: impl Fn(&RoomAddress) -> bool) {
        let mut times = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        times.by_time.retain(|(_, room)| keep(room));
        times.by_room.retain(|room, _| keep(room));
    }

    /// The rooms whose moment has come. They have none from now on.
    pub(super) fn take_due(&self, now: DateTime<Utc>) -> Vec<RoomAddress> {
        let mut times = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut come = Vec::new();
        while times.by_time.first().is_some_and(|(at, _)| *at <= now) {
            let Some((_, room)) = times.by_time.pop_first() else { break };
            times.by_room.remove(&room);
            come.push(room);
        }
        come
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
