//! Polling: each room on its own, so that a mailbox that hangs delays no other. A room is asked what changed; where the server
//! refuses that, its calendar is read again and again.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::feed::SyncState;
use super::rooms::{How, Rooms, Teller};
use super::{Live, PATIENCE, SLOW_AFTER};
use crate::action::ResponsibleParty;
use crate::calendar::RoomAddress;
use crate::concurrency::ConcurrencyLimit;

/// Rooms asked about at once (`ConcurrentSyncCalls` grants five).
const ASKED_AT_ONCE: usize = 4;
/// After so many rounds, a room that is read again and again is asked again what changed.
const ROUNDS_OF_VIEW: u32 = 20;
/// How often the interval of a room that does not answer in time doubles.
const DOUBLINGS_MAX: u32 = 3;

/// The rooms of a group that are polled. Dropped, it polls none any more.
pub(super) struct Polls {
    live: Arc<Live>,
    limit: Arc<ConcurrencyLimit>,
    rooms: HashMap<RoomAddress, Poll>,
}

/// A room, whether or not it is polled now.
struct Poll {
    /// Kept while the room is not polled, so that it goes on from there.
    place: Arc<Mutex<Place>>,
    /// From when on it is polled.
    task: Option<(Instant, AbortOnDrop)>,
}

/// How far a room's polling is.
struct Place {
    how: How,
    /// Rounds since it is read again and again.
    rounds: u32,
    state: Option<SyncState>,
}

/// Ends a task.
pub(super) struct AbortOnDrop(pub(super) JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Polls {
    pub(super) fn new(live: &Arc<Live>) -> Self {
        let limit = Arc::new(ConcurrencyLimit::new(ASKED_AT_ONCE, SLOW_AFTER));
        Self { live: live.clone(), limit, rooms: HashMap::new() }
    }

    /// Polls the room, from that time on at the latest.
    pub(super) fn start(&mut self, room: &RoomAddress, after: Duration) {
        let best = self.live.options.best.min(How::Sync);
        if best == How::Asked {
            return;
        }
        let (from, poll) = (Instant::now() + after, self.rooms.entry(room.clone()));
        let poll = poll.or_insert_with(|| Poll::new(best));
        if poll.task.as_ref().is_none_or(|(begins, _)| from < *begins) {
            let (live, limit, place) = (self.live.clone(), self.limit.clone(), poll.place.clone());
            let polling = poll_for_ever(live, limit, room.clone(), place, from);
            poll.task = Some((from, AbortOnDrop(tokio::spawn(polling))));
        }
    }

    /// Polls none of them until they are started again.
    pub(super) fn stop_all(&mut self) {
        self.rooms.values_mut().for_each(|poll| poll.task = None);
    }

    /// Forgets the room.
    pub(super) fn forget(&mut self, room: &RoomAddress) {
        self.rooms.remove(room);
    }
}

impl Poll {
    fn new(how: How) -> Self {
        Self { place: Arc::new(Mutex::new(Place { how, rounds: 0, state: None })), task: None }
    }
}

/// As long as this lives, these rooms are followed by this teller.
pub(super) struct Follows {
    rooms: Arc<Rooms>,
    followed: Vec<RoomAddress>,
    pub(super) teller: Arc<Teller>,
}

impl Follows {
    pub(super) fn new(rooms: &Arc<Rooms>, followed: Vec<RoomAddress>, how: How) -> Self {
        let teller = Teller::new(how, rooms.now());
        rooms.follow(&followed, &teller);
        Self { rooms: rooms.clone(), followed, teller }
    }
}

impl Drop for Follows {
    fn drop(&mut self) {
        self.rooms.unfollow(&self.followed, &self.teller);
    }
}

async fn poll_for_ever(
    live: Arc<Live>,
    limit: Arc<ConcurrencyLimit>,
    room: RoomAddress,
    place: Arc<Mutex<Place>>,
    from: Instant,
) {
    sleep_until(from).await;
    let mut place = place.lock().await;
    let (mut follows, mut hung) = (None, 0_u32);
    loop {
        let begun = Instant::now();
        let asked_at = live.rooms.now();
        let how = place.how;
        let answered = limit.run(timeout(PATIENCE, place.is_other(&live, &room))).await;
        hung = if answered.is_ok() { 0 } else { (hung + 1).min(DOUBLINGS_MAX) };
        if place.how != how {
            follows = None;
        }
        if let Ok(Some(changed)) = answered {
            match &follows {
                None => follows = Some(Follows::new(&live.rooms, vec![room.clone()], place.how)),
                Some(Follows { teller, .. }) => {
                    if changed {
                        live.rooms.changed(&room);
                    }
                    teller.heard(asked_at);
                }
            }
        }
        let interval = live.options.poll.saturating_mul(1 << hung);
        // However slow the server is, it has a rest.
        sleep(interval.saturating_sub(begun.elapsed()).max(live.options.poll / 4)).await;
    }
}

impl Place {
    /// Whether it may have changed since it was asked last; `None` when that is not known now.
    async fn is_other(&mut self, live: &Live, room: &RoomAddress) -> Option<bool> {
        self.rounds = self.rounds.saturating_add(1);
        let best = live.options.best.min(How::Sync);
        if self.how == How::View && best == How::Sync && self.rounds > ROUNDS_OF_VIEW {
            self.how = How::Sync;
        }
        if self.how != How::Sync {
            return Some(true);
        }
        match live.feed.changed(room, self.state.as_ref()).await {
            Ok(synced) => {
                self.state = Some(synced.state);
                Some(synced.changed)
            }
            Err(trouble)
                if matches!(
                    trouble.responsible,
                    ResponsibleParty::Administrator | ResponsibleParty::Caller
                ) =>
            {
                tracing::warn!(%room, %trouble, "cannot be asked what changed; it is read again and again");
                (self.how, self.rounds) = (How::View, 0);
                Some(true)
            }
            Err(trouble) => {
                tracing::warn!(%room, %trouble, "cannot be asked what changed for now");
                None
            }
        }
    }
}
