//! Reads again what is stale, a few rooms at once, until it could.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::rooms::Rooms;

/// Before a reading that failed is tried again; doubles …
const AGAIN_FIRST: Duration = Duration::from_secs(1);
/// … up to this.
const AGAIN_MAX: Duration = Duration::from_secs(120);

pub(super) async fn read(rooms: Arc<Rooms>, at_once: usize) {
    let places = Arc::new(Semaphore::new(at_once.max(1)));
    let mut readings = JoinSet::new();
    loop {
        // Those that are over are taken away, so that none are kept.
        while readings.try_join_next().is_some() {}
        let room = rooms.stale.next().await;
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let rooms = rooms.clone();
        readings.spawn(async move {
            let read = rooms.renew(&room).await;
            drop(place);
            if let Err(trouble) = read {
                let failures = rooms.failed(&room);
                let again =
                    AGAIN_FIRST.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(AGAIN_MAX);
                tracing::warn!(%room, %trouble, again_s = again.as_secs(), "its calendar cannot be read");
                tokio::time::sleep(again).await;
                rooms.stale.push(&room);
            }
        });
    }
}
