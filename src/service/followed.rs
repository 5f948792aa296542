//! Selects the tracked rooms: all rooms that the scope lists, and those rooms of its domains that are known to exist. A room that
//! evidence or the journal mentions is read once before it is tracked; rooms outside the scope never are.

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

/// Tracked rooms besides those that the scope lists.
const FOLLOWED_MAX: usize = 5_000;
/// Mentioned rooms that are remembered, so that each is read only once in a while.
const NAMED_MAX: usize = 10_000;
/// How often newly mentioned rooms are checked.
const TICK: Duration = Duration::from_secs(2);
/// The pause before a mentioned room is read again.
const AGAIN: TimeDelta = TimeDelta::minutes(10);
/// Mentioned rooms read at once.
const MAX_CONCURRENT_READS: usize = 4;
/// A read that takes longer than this gives its concurrency slot back.
const SLOW_AFTER: Duration = Duration::from_secs(3);
/// Time limit of one read.
const READ_TIMEOUT: Duration = Duration::from_secs(20);
/// How far back the journal is searched for rooms.
const JOURNAL_SPAN: TimeDelta = TimeDelta::days(30);
/// How many actions of the journal are searched for rooms.
const JOURNAL_ACTIONS_MAX: usize = 2_000;

/// The tracked rooms of the scope's domains, and the mentioned rooms.
#[derive(Debug, Default)]
pub(super) struct FollowedRooms {
    followed: Mutex<BTreeSet<RoomAddress>>,
    /// When each mentioned room was read, if it was.
    named: Mutex<HashMap<RoomAddress, Option<DateTime<Utc>>>>,
}

impl FollowedRooms {
    /// Records that evidence or the journal mentions these rooms.
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

    /// The mentioned rooms that must be read now; marks them as read.
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

    /// Adds rooms up to the limit, and returns all tracked rooms. A tracked room stays tracked while it is in scope.
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
    /// The rooms to track now.
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

    /// Reads each mentioned room once, so that existing rooms are tracked. Never ends.
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
            let limit = ConcurrencyLimit::new(MAX_CONCURRENT_READS, SLOW_AFTER);
            let reading = new
                .iter()
                .map(|room| limit.run(timeout(READ_TIMEOUT, self.rooms.get(room, TimeDelta::hours(1)))));
            for (room, read) in new.iter().zip(join_all(reading).await) {
                if !matches!(read, Ok(Ok(_))) {
                    tracing::info!(%room, "evidence or the journal mentions a room that cannot be read; not tracking it");
                }
            }
            sleep(TICK).await;
        }
    }

    async fn name_rooms_of_journal(&self) {
        let since = Some(self.now() - JOURNAL_SPAN);
        let query = Query { since, limit: Some(JOURNAL_ACTIONS_MAX), ..Query::default() };
        match self.engine.journal().find(&query).await {
            Ok(records) => self.followed.note_named(records.iter().map(|record| &record.action.room)),
            Err(error) => tracing::warn!(%error, "cannot search the journal for rooms to track"),
        }
    }
}

/// Locks even after a panic elsewhere: the data is valid after every single change.
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
