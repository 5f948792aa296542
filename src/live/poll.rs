//! Polling: each room on its own, so that a mailbox that hangs delays no other. A room is asked what changed; where the server
//! refuses that, its calendar is read again and again.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::feed::SyncState;
use super::rooms::{ChangeSource, RoomCache, TrackingMode};
use super::{Live, REQUEST_TIMEOUT, SLOW_AFTER};
use crate::action::ResponsibleParty;
use crate::calendar::RoomAddress;
use crate::concurrency::ConcurrencyLimit;

/// Rooms asked about at once (`ConcurrentSyncCalls` grants five).
const MAX_CONCURRENT_POLLS: usize = 4;
/// After so many rounds, a room that is read again and again is asked again what changed.
const SYNC_RETRY_ROUNDS: u32 = 20;
/// How often the interval of a room that does not answer in time doubles.
const DOUBLINGS_MAX: u32 = 3;

/// The rooms of a group that are polled. Dropped, it polls none any more.
pub(super) struct Poller {
    live: Arc<Live>,
    limit: Arc<ConcurrencyLimit>,
    rooms: HashMap<RoomAddress, PolledRoom>,
}

/// A room, whether or not it is polled now.
struct PolledRoom {
    /// Kept while the room is not polled, so that it goes on from there.
    state: Arc<Mutex<PollState>>,
    /// From when on it is polled.
    task: Option<(Instant, AbortOnDrop)>,
}

/// How far a room's polling is.
struct PollState {
    mode: TrackingMode,
    /// Rounds since it is read again and again.
    view_rounds: u32,
    sync_state: Option<SyncState>,
}

/// Ends a task.
pub(super) struct AbortOnDrop(pub(super) JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Poller {
    pub(super) fn new(live: &Arc<Live>) -> Self {
        let limit = Arc::new(ConcurrencyLimit::new(MAX_CONCURRENT_POLLS, SLOW_AFTER));
        Self { live: live.clone(), limit, rooms: HashMap::new() }
    }

    /// Polls the room, from that time on at the latest.
    pub(super) fn start(&mut self, room: &RoomAddress, after: Duration) {
        let best = self.live.options.best_mode.min(TrackingMode::Sync);
        if best == TrackingMode::OnDemand {
            return;
        }
        let (from, poll) = (Instant::now() + after, self.rooms.entry(room.clone()));
        let poll = poll.or_insert_with(|| PolledRoom::new(best));
        if poll.task.as_ref().is_none_or(|(begins, _)| from < *begins) {
            let (live, limit, place) = (self.live.clone(), self.limit.clone(), poll.state.clone());
            let polling = poll_room(live, limit, room.clone(), place, from);
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

impl PolledRoom {
    fn new(how: TrackingMode) -> Self {
        Self {
            state: Arc::new(Mutex::new(PollState { mode: how, view_rounds: 0, sync_state: None })),
            task: None,
        }
    }
}

/// As long as this lives, these rooms are followed by this teller.
pub(super) struct SourceRegistration {
    rooms: Arc<RoomCache>,
    rooms_followed: Vec<RoomAddress>,
    pub(super) source: Arc<ChangeSource>,
}

impl SourceRegistration {
    pub(super) fn new(rooms: &Arc<RoomCache>, followed: Vec<RoomAddress>, how: TrackingMode) -> Self {
        let teller = ChangeSource::new(how, rooms.now());
        rooms.add_source(&followed, &teller);
        Self { rooms: rooms.clone(), rooms_followed: followed, source: teller }
    }
}

impl Drop for SourceRegistration {
    fn drop(&mut self) {
        self.rooms.remove_source(&self.rooms_followed, &self.source);
    }
}

async fn poll_room(
    live: Arc<Live>,
    limit: Arc<ConcurrencyLimit>,
    room: RoomAddress,
    place: Arc<Mutex<PollState>>,
    from: Instant,
) {
    sleep_until(from).await;
    let mut place = place.lock().await;
    let (mut follows, mut hung) = (None, 0_u32);
    loop {
        let begun = Instant::now();
        let asked_at = live.rooms.now();
        let how = place.mode;
        let answered = limit.run(timeout(REQUEST_TIMEOUT, place.check_for_changes(&live, &room))).await;
        hung = if answered.is_ok() { 0 } else { (hung + 1).min(DOUBLINGS_MAX) };
        if place.mode != how {
            follows = None;
        }
        if let Ok(Some(changed)) = answered {
            match &follows {
                None => follows = Some(SourceRegistration::new(&live.rooms, vec![room.clone()], place.mode)),
                Some(SourceRegistration { source: teller, .. }) => {
                    if changed {
                        live.rooms.invalidate(&room);
                    }
                    teller.confirm_until(asked_at);
                }
            }
        }
        let interval = live.options.poll_interval.saturating_mul(1 << hung);
        // However slow the server is, it has a rest.
        sleep(interval.saturating_sub(begun.elapsed()).max(live.options.poll_interval / 4)).await;
    }
}

impl PollState {
    /// Whether it may have changed since it was asked last; `None` when that is not known now.
    async fn check_for_changes(&mut self, live: &Live, room: &RoomAddress) -> Option<bool> {
        self.view_rounds = self.view_rounds.saturating_add(1);
        let best = live.options.best_mode.min(TrackingMode::Sync);
        if self.mode == TrackingMode::View
            && best == TrackingMode::Sync
            && self.view_rounds > SYNC_RETRY_ROUNDS
        {
            self.mode = TrackingMode::Sync;
        }
        if self.mode != TrackingMode::Sync {
            return Some(true);
        }
        match live.feed.sync_changes(room, self.sync_state.as_ref()).await {
            Ok(synced) => {
                self.sync_state = Some(synced.state);
                Some(synced.changed)
            }
            Err(trouble)
                if matches!(
                    trouble.responsible,
                    ResponsibleParty::Administrator | ResponsibleParty::Caller
                ) =>
            {
                tracing::warn!(%room, %trouble, "cannot be asked what changed; it is read again and again");
                (self.mode, self.view_rounds) = (TrackingMode::View, 0);
                Some(true)
            }
            Err(trouble) => {
                tracing::warn!(%room, %trouble, "cannot be asked what changed for now");
                None
            }
        }
    }
}
