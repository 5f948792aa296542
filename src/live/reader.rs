//! Reads again what is stale, a few rooms at once, until it could.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::PATIENCE;
use super::rooms::Rooms;
use crate::calendar::RoomAddress;
use crate::engine::Trouble;

/// Before a reading that failed is tried again; doubles …
const AGAIN_FIRST: Duration = Duration::from_secs(1);
/// … up to this.
const AGAIN_MAX: Duration = Duration::from_secs(120);

/// Rooms whose last reading failed, and that have a rest.
#[derive(Default)]
struct Resting(Mutex<HashSet<RoomAddress>>);

impl Resting {
    fn with<R>(&self, look: impl FnOnce(&mut HashSet<RoomAddress>) -> R) -> R {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

pub(super) async fn read(rooms: Arc<Rooms>, at_once: usize) {
    let (places, resting) = (Arc::new(Semaphore::new(at_once.max(1))), Arc::new(Resting::default()));
    let mut readings = JoinSet::new();
    loop {
        // Those that are over are taken away, so that none are kept.
        while readings.try_join_next().is_some() {}
        let room = rooms.stale.next().await;
        if resting.with(|resting| resting.contains(&room)) {
            continue; // its time comes
        }
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let (rooms, resting) = (rooms.clone(), resting.clone());
        readings.spawn(async move {
            let read = timeout(PATIENCE, rooms.renew(&room)).await;
            drop(place);
            let failed: Result<(), Option<Trouble>> = match read {
                Ok(read) => read.map_err(Some),
                Err(_) => Err(None),
            };
            let Err(trouble) = failed else { return };
            let failures = rooms.failed(&room);
            let again = AGAIN_FIRST.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(AGAIN_MAX);
            let why = trouble.map_or_else(|| "it takes too long".to_owned(), |trouble| trouble.to_string());
            tracing::warn!(%room, why, again_s = again.as_secs(), "its calendar cannot be read");
            resting.with(|resting| resting.insert(room.clone()));
            sleep(again).await;
            resting.with(|resting| resting.remove(&room));
            rooms.stale.push(&room);
        });
    }
}
