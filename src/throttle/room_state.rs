//! The state of each room of a connection: its requests under way, its pause, whether its mailbox is slow, and the schema
//! version that its server needs. One entry for each room, in one map with a limit. Sends nothing.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::calendar::RoomAddress;
use crate::ews::soap::ServerVersion;

/// Rooms whose state is kept; with more, idle rooms are dropped, and their servers' versions are learned anew at the cost of one
/// rejected request each. More than any building has; a few MB.
pub(crate) const ROOMS_KEPT: usize = 20_000;

/// The rooms of one connection.
pub(crate) struct RoomStates {
    requests_per_room: NonZeroUsize,
    rooms: Mutex<HashMap<RoomAddress, Arc<RoomState>>>,
}

/// One room. Its waiting and sent requests hold references; without one it may be dropped.
pub(crate) struct RoomState {
    /// One permit for each concurrent request.
    pub(crate) requests: Arc<Semaphore>,
    paused_until: Mutex<Option<Instant>>,
    is_slow: AtomicBool,
    version: Mutex<Option<ServerVersion>>,
}

impl RoomStates {
    pub(crate) fn new(requests_per_room: NonZeroUsize) -> Self {
        Self { requests_per_room, rooms: Mutex::default() }
    }

    /// The state of this room.
    pub(crate) fn of(&self, room: &RoomAddress) -> Arc<RoomState> {
        let mut rooms = lock(&self.rooms);
        if let Some(known) = rooms.get(room) {
            return known.clone();
        }
        if rooms.len() >= ROOMS_KEPT {
            rooms.retain(|_, room| Arc::strong_count(room) > 1 || room.paused_until().is_some());
        }
        let new = Arc::new(RoomState::new(self.requests_per_room.get()));
        rooms.insert(room.clone(), new.clone());
        new
    }
}

impl RoomState {
    pub(crate) fn new(requests: usize) -> Self {
        Self {
            requests: Arc::new(Semaphore::new(requests)),
            paused_until: Mutex::new(None),
            is_slow: AtomicBool::new(false),
            version: Mutex::new(None),
        }
    }

    /// Sends nothing for this room for this time.
    pub(crate) fn pause(&self, time: Duration) {
        let until = Instant::now() + time;
        let mut paused_until = lock(&self.paused_until);
        *paused_until = Some(paused_until.map_or(until, |earlier| earlier.max(until)));
    }

    /// The end of its pause, if it is not over.
    pub(crate) fn paused_until(&self) -> Option<Instant> {
        lock(&self.paused_until).filter(|until| *until > Instant::now())
    }

    /// Whether its last request had no response in time.
    pub(crate) fn is_slow(&self) -> bool {
        self.is_slow.load(Ordering::Relaxed)
    }

    pub(crate) fn set_slow(&self, is_slow: bool) {
        self.is_slow.store(is_slow, Ordering::Relaxed);
    }

    /// The version that its server needs, if that is older than the connection's.
    pub(crate) fn version(&self) -> Option<ServerVersion> {
        *lock(&self.version)
    }

    /// Its server does not support newer versions than this one.
    pub(crate) fn limit_version(&self, newest: ServerVersion) {
        let mut version = lock(&self.version);
        *version = Some(version.map_or(newest, |known| known.min(newest)));
    }

    /// Forgets the version; returns whether there was one.
    pub(crate) fn forget_version(&self) -> bool {
        lock(&self.version).take().is_some()
    }
}

/// No code panics while holding one of these locks; the values would be valid all the same.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(name: &str) -> RoomAddress {
        format!("{name}@example.com").parse().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn idle_rooms_are_forgotten_and_no_others() {
        let rooms = RoomStates::new(NonZeroUsize::MIN);
        let in_use = rooms.of(&room("r"));
        rooms.of(&room("o")).pause(Duration::from_secs(30));
        for number in 0..2 * ROOMS_KEPT {
            rooms.of(&room(&number.to_string()));
        }
        assert!(lock(&rooms.rooms).len() <= ROOMS_KEPT);
        assert!(Arc::ptr_eq(&in_use, &rooms.of(&room("r"))), "a request is still under way");
        assert!(rooms.of(&room("o")).paused_until().is_some(), "it is still paused");
    }
}
