//! Which rooms are followed: those that the scope lists, and, of the domains that it names, those that turned out to exist. A room
//! that a caller asked for has been read; one that evidence or the journal names is read once before it is followed.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use tokio::time::{sleep, timeout};

use super::Service;
use crate::calendar::RoomAddress;
use crate::concurrency::ConcurrencyLimit;
use crate::journal::Query;

/// Rooms that are followed besides those that the scope lists.
const FOLLOWED_MAX: usize = 5_000;
/// Rooms that were named and are remembered, so that each is looked for once in a while.
const NAMED_MAX: usize = 10_000;
/// How often it is looked whether rooms were named.
const TICK: Duration = Duration::from_secs(2);
/// A room that was named and could not be read is not looked for again before this.
const AGAIN: TimeDelta = TimeDelta::minutes(10);
/// Rooms looked for at once, as long as that goes quickly …
const AT_ONCE: usize = 4;
/// … which takes no longer than this.
const SLOW_AFTER: Duration = Duration::from_secs(3);
/// How long it may take at all.
const PATIENCE: Duration = Duration::from_secs(20);
/// How far back the journal is asked for rooms …
const JOURNAL_SPAN: TimeDelta = TimeDelta::days(30);
/// … and for how many actions.
const JOURNAL_ACTIONS_MAX: usize = 2_000;

/// What is followed, and what was named.
#[derive(Debug, Default)]
pub(super) struct FollowedRooms {
    followed: Mutex<BTreeSet<RoomAddress>>,
    /// When each was looked for, if it was.
    named: Mutex<HashMap<RoomAddress, Option<DateTime<Utc>>>>,
}

impl FollowedRooms {
    /// Evidence, or the journal, speaks of these rooms.
    pub(super) fn note_named<'r>(&self, rooms: impl IntoIterator<Item = &'r RoomAddress>) {
        let mut named = lock(&self.named);
        for room in rooms {
            if named.len() >= NAMED_MAX {
                named.retain(|_, looked_for| looked_for.is_none());
            }
            if named.len() < NAMED_MAX {
                named.entry(room.clone()).or_default();
            }
        }
    }

    /// Those that are to be looked for now. They count as looked for.
    fn take_unchecked(&self, now: DateTime<Utc>) -> Vec<RoomAddress> {
        let mut named = lock(&self.named);
        named.retain(|_, at| at.is_none_or(|at| (now - at).abs() < AGAIN));
        let new = named.iter_mut().filter(|(_, at)| at.is_none());
        new.map(|(room, at)| {
            *at = Some(now);
            room.clone()
        })
        .collect()
    }

    /// Those that are followed from now on: they stay, whatever else comes.
    fn follow(
        &self,
        read: Vec<RoomAddress>,
        is_ours: impl Fn(&RoomAddress) -> bool,
    ) -> BTreeSet<RoomAddress> {
        let mut followed = lock(&self.followed);
        followed.retain(&is_ours);
        for room in read {
            if followed.len() >= FOLLOWED_MAX {
                break;
            }
            if is_ours(&room) {
                followed.insert(room);
            }
        }
        followed.clone()
    }
}

impl Service {
    /// The rooms to be followed now.
    pub(super) fn followed_rooms(&self) -> Vec<RoomAddress> {
        let scope = self.engine.scope();
        let mut rooms: BTreeSet<_> = scope.rooms().cloned().collect();
        if scope.has_domains() {
            let is_ours = |room: &RoomAddress| scope.contains(room) && !rooms.contains(room);
            let others = self.followed.follow(self.rooms.read_rooms(), is_ours);
            rooms.extend(others);
        }
        rooms.into_iter().collect()
    }

    /// Reads the rooms that evidence and the journal name, each once, so that those that exist are followed. Never ends.
    pub(super) async fn probe_named_rooms(&self) {
        if self.engine.scope().has_domains() {
            self.followed.note_named(self.presence.read().signs.all().map(|sign| &sign.room));
            self.name_rooms_of_journal().await;
        }
        loop {
            let scope = self.engine.scope();
            let named = self.followed.take_unchecked(self.now());
            let new: Vec<_> = named
                .into_iter()
                .filter(|room| scope.contains(room) && self.rooms.any(room).is_none())
                .collect();
            let limit = ConcurrencyLimit::new(AT_ONCE, SLOW_AFTER);
            let reading = new
                .iter()
                .map(|room| limit.run(timeout(PATIENCE, self.rooms.get(room, TimeDelta::hours(1)))));
            for (room, read) in new.iter().zip(join_all(reading).await) {
                if !matches!(read, Ok(Ok(_))) {
                    tracing::info!(%room, "named by evidence or the journal, and cannot be read: not followed");
                }
            }
            sleep(TICK).await;
        }
    }

    async fn name_rooms_of_journal(&self) {
        let since = Some(self.now() - JOURNAL_SPAN);
        let query = Query { since, limit: Some(JOURNAL_ACTIONS_MAX), ..Query::default() };
        match self.engine.journal().find(&query).await {
            Ok(lives) => self.followed.note_named(lives.iter().map(|life| &life.action.room)),
            Err(error) => tracing::warn!(%error, "the journal names no rooms to follow"),
        }
    }
}

/// Nothing panics while holding one; if it did, what is in it would still be so.
fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(number: usize) -> RoomAddress {
        format!("room{number}@example.com").parse().unwrap()
    }

    #[test]
    fn a_named_room_is_looked_for_once_and_again_only_after_a_while() {
        let (rooms, at) = (FollowedRooms::default(), DateTime::UNIX_EPOCH);
        rooms.note_named([&room(1), &room(1), &room(2)]);
        assert_eq!(rooms.take_unchecked(at).len(), 2);
        rooms.note_named([&room(1)]);
        assert_eq!(rooms.take_unchecked(at + AGAIN / 2), []);
        rooms.take_unchecked(at + AGAIN);
        rooms.note_named([&room(1)]);
        assert_eq!(rooms.take_unchecked(at + AGAIN), [room(1)]);
    }

    #[test]
    fn what_is_followed_stays_and_is_bounded() {
        let rooms = FollowedRooms::default();
        rooms.follow(vec![room(7)], |_| true);
        let all = rooms.follow((100..200 + FOLLOWED_MAX).map(room).collect(), |_| true);
        assert!(all.len() == FOLLOWED_MAX && all.contains(&room(7)));
        assert_eq!(rooms.follow(Vec::new(), |one| *one == room(7)).len(), 1);
        rooms.note_named((0..2 * NAMED_MAX).map(room).collect::<Vec<_>>().iter());
        assert_eq!(rooms.take_unchecked(DateTime::UNIX_EPOCH).len(), NAMED_MAX);
    }
}
