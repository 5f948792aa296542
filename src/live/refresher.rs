//! Refreshes stale rooms, a few at once, and retries failed reads with a back-off. A mailbox that hangs gives its concurrency
//! slot back after a moment, so that it delays no other room.

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

/// The pause before a failed read is retried; doubles up to [`RETRY_MAX`].
const RETRY_FIRST: Duration = Duration::from_secs(1);
/// The longest pause between retries.
const RETRY_MAX: Duration = Duration::from_secs(120);

/// Rooms that must not be read now, because the last read failed or a slow read is still running; and whether each became stale
/// again meanwhile.
#[derive(Default)]
struct Resting(Mutex<HashMap<RoomAddress, bool>>);

impl Resting {
    fn add(&self, room: &RoomAddress) {
        self.map().entry(room.clone()).or_default();
    }

    /// Whether the room is one of them; if so, notes that it became stale again.
    fn defer_if_resting(&self, room: &RoomAddress) -> bool {
        self.map().get_mut(room).map(|named| *named = true).is_some()
    }

    /// Removes the room; returns whether it became stale again.
    fn remove(&self, room: &RoomAddress) -> bool {
        self.map().remove(room).unwrap_or_default()
    }

    fn map(&self) -> MutexGuard<'_, HashMap<RoomAddress, bool>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) async fn refresh_stale_rooms(rooms: Arc<RoomCache>, at_once: usize) {
    let mut pace = ReadPacer::default();
    let (permits, resting) = (Arc::new(Semaphore::new(at_once.max(1))), Arc::new(Resting::default()));
    let mut readings = JoinSet::new();
    loop {
        // Finished tasks are removed, so that the set does not grow.
        while readings.try_join_next().is_some() {}
        let room = rooms.stale.next().await;
        if resting.defer_if_resting(&room) {
            continue; // it is queued again when its pause ends
        }
        if let Some(wait) = pace.reserve(&room, Instant::now()) {
            rooms.deferred_reads.fetch_add(1, Ordering::Relaxed);
            resting.add(&room);
            readings.spawn(requeue_after(rooms.clone(), room, resting.clone(), wait));
            continue;
        }
        let Ok(permit) = permits.clone().acquire_owned().await else { return };
        readings.spawn(refresh_room(rooms.clone(), room, resting.clone(), permit));
    }
}

/// Queues the room again after this time; the read that follows covers every change until then.
async fn requeue_after(rooms: Arc<RoomCache>, room: RoomAddress, resting: Arc<Resting>, wait: Duration) {
    sleep(wait).await;
    resting.remove(&room);
    rooms.stale.push(&room);
}

/// Refreshes a room. A slow read continues without a concurrency slot, and the room is not read a second time meanwhile.
async fn refresh_room(
    rooms: Arc<RoomCache>,
    room: RoomAddress,
    resting: Arc<Resting>,
    permit: OwnedSemaphorePermit,
) {
    let slow = || {
        resting.add(&room);
        drop(permit);
    };
    let read = call_when_slow(SLOW_AFTER, timeout(REQUEST_TIMEOUT, rooms.refresh(&room)), slow).await;
    let why = match read {
        Ok(Ok(())) => {
            if resting.remove(&room) {
                rooms.stale.push(&room);
            }
            return;
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => "timed out".to_owned(),
    };
    let failures = rooms.record_failed_read(&room);
    let again = RETRY_FIRST.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(RETRY_MAX);
    tracing::warn!(%room, why, again_s = again.as_secs(), "cannot read the room's calendar; it is retried");
    resting.add(&room);
    requeue_after(rooms, room, resting, again).await;
}
