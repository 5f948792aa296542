//! Reads again what is stale, a few rooms at once, until it could. A mailbox that hangs keeps its place for a moment only.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::pace::ReadPacer;
use super::rooms::RoomCache;
use super::{REQUEST_TIMEOUT, SLOW_AFTER};
use crate::calendar::RoomAddress;
use crate::concurrency::call_when_slow;

/// Before a reading that failed is tried again; doubles …
const RETRY_FIRST: Duration = Duration::from_secs(1);
/// … up to this.
const RETRY_MAX: Duration = Duration::from_secs(120);

/// Rooms that are not to be read now, and whether each was named again meanwhile: the last reading failed and it has a rest, or
/// a reading takes so long that it goes on beside the others.
#[derive(Default)]
struct Resting(Mutex<HashMap<RoomAddress, bool>>);

impl Resting {
    fn add(&self, room: &RoomAddress) {
        self.map().entry(room.clone()).or_default();
    }

    /// Whether it is one of them; it is named again then.
    fn defer_if_resting(&self, room: &RoomAddress) -> bool {
        self.map().get_mut(room).map(|named| *named = true).is_some()
    }

    /// Whether it was named again.
    fn remove(&self, room: &RoomAddress) -> bool {
        self.map().remove(room).unwrap_or_default()
    }

    fn map(&self) -> MutexGuard<'_, HashMap<RoomAddress, bool>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) async fn refresh_stale_rooms(rooms: Arc<RoomCache>, at_once: usize) {
    let mut pace = ReadPacer::default();
    let (places, resting) = (Arc::new(Semaphore::new(at_once.max(1))), Arc::new(Resting::default()));
    let mut readings = JoinSet::new();
    loop {
        // Those that are over are taken away, so that none are kept.
        while readings.try_join_next().is_some() {}
        let room = rooms.stale.next().await;
        if resting.defer_if_resting(&room) {
            continue; // its time comes
        }
        if let Some(wait) = pace.reserve(&room, Instant::now()) {
            rooms.deferred_reads.fetch_add(1, Ordering::Relaxed);
            resting.add(&room);
            readings.spawn(requeue_after(rooms.clone(), room, resting.clone(), wait));
            continue;
        }
        let Ok(place) = places.clone().acquire_owned().await else { return };
        readings.spawn(refresh_room(rooms.clone(), room, resting.clone(), place));
    }
}

/// Names the room again after this time; what changes meanwhile is seen by that reading.
async fn requeue_after(rooms: Arc<RoomCache>, room: RoomAddress, resting: Arc<Resting>, wait: Duration) {
    sleep(wait).await;
    resting.remove(&room);
    rooms.stale.push(&room);
}

/// Reads a room. When that takes long, it goes on without a place, and the room is not read a second time meanwhile.
async fn refresh_room(
    rooms: Arc<RoomCache>,
    room: RoomAddress,
    resting: Arc<Resting>,
    place: OwnedSemaphorePermit,
) {
    let slow = || {
        resting.add(&room);
        drop(place);
    };
    let read = call_when_slow(SLOW_AFTER, timeout(REQUEST_TIMEOUT, rooms.refresh(&room)), slow).await;
    let why = match read {
        Ok(Ok(())) => {
            if resting.remove(&room) {
                rooms.stale.push(&room);
            }
            return;
        }
        Ok(Err(trouble)) => trouble.to_string(),
        Err(_) => "it takes too long".to_owned(),
    };
    let failures = rooms.record_failed_read(&room);
    let again = RETRY_FIRST.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(RETRY_MAX);
    tracing::warn!(%room, why, again_s = again.as_secs(), "its calendar cannot be read");
    resting.add(&room);
    requeue_after(rooms, room, resting, again).await;
}
