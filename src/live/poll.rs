//! Polls rooms for changes, each room in a task of its own, so that a mailbox that hangs delays no other. A room is polled by
//! `SyncFolderItems`; where the server rejects that, its calendar view is read at the same interval.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::feed::SyncState;
use super::rooms::{ChangeSource, RoomCache};
use super::tracking_mode::TrackingMode;
use super::{Live, REQUEST_TIMEOUT, SLOW_AFTER};
use crate::action::ResponsibleParty;
use crate::calendar::RoomAddress;
use crate::concurrency::ConcurrencyLimit;

/// Rooms polled at once; Exchange's throttling policy allows five (`ConcurrentSyncCalls`).
const MAX_CONCURRENT_POLLS: usize = 4;
/// Rooms with intervals of their own that are polled at once: half of the requests that such a connection sends at once by default,
/// so that an action finds a place.
const MAX_CONCURRENT_OWN_POLLS: usize = 8;
/// After this many reads of the view, `SyncFolderItems` is tried again.
const SYNC_RETRY_ROUNDS: u32 = 20;
/// An event that begins within this time makes its room busy.
const SOON: TimeDelta = TimeDelta::hours(1);
/// How often the interval of a room that times out doubles.
const DOUBLINGS_MAX: u32 = 3;

/// The polled rooms of a group. Dropping it ends all polling.
pub(super) struct Poller {
    live: Arc<Live>,
    limit: Arc<ConcurrencyLimit>,
    /// For rooms whose feed has intervals of its own.
    own_limit: Arc<ConcurrencyLimit>,
    rooms: HashMap<RoomAddress, PolledRoom>,
}

/// A room that is or was polled.
struct PolledRoom {
    /// Kept while the room is not polled, so that polling resumes from there.
    state: Arc<Mutex<PollState>>,
    /// When polling starts, and its task.
    task: Option<(Instant, AbortOnDrop)>,
}

/// The state of a room's polling.
struct PollState {
    mode: TrackingMode,
    /// Polls since the fall-back to the view.
    view_rounds: u32,
    sync_state: Option<SyncState>,
}

/// Aborts a task when it is dropped.
pub(super) struct AbortOnDrop(pub(super) JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Poller {
    pub(super) fn new(live: &Arc<Live>) -> Self {
        let limit = |polls| Arc::new(ConcurrencyLimit::new(polls, SLOW_AFTER));
        Self {
            live: live.clone(),
            limit: limit(MAX_CONCURRENT_POLLS),
            own_limit: limit(MAX_CONCURRENT_OWN_POLLS),
            rooms: HashMap::new(),
        }
    }

    /// Starts to poll the room after this time, or earlier if an earlier start is set.
    pub(super) fn start(&mut self, room: &RoomAddress, after: Duration) {
        let best = self.live.options.best_mode.min(TrackingMode::Sync);
        if best == TrackingMode::OnDemand {
            return;
        }
        let own = self.live.feed.poll_intervals(room);
        let spread = own.map_or(Duration::ZERO, |intervals| spread_of(room, intervals.busy));
        let limit = if own.is_some() { &self.own_limit } else { &self.limit };
        let (from, poll) = (Instant::now() + after + spread, self.rooms.entry(room.clone()));
        let poll = poll.or_insert_with(|| PolledRoom::new(best));
        if poll.task.as_ref().is_none_or(|(begins, _)| from < *begins) {
            let (live, limit, state) = (self.live.clone(), limit.clone(), poll.state.clone());
            let polling = poll_room(live, limit, room.clone(), state, from);
            poll.task = Some((from, AbortOnDrop(tokio::spawn(polling))));
        }
    }

    /// Stops polling; the rooms keep their sync states.
    pub(super) fn stop_all(&mut self) {
        self.rooms.values_mut().for_each(|poll| poll.task = None);
    }

    /// Stops polling the room and drops its state.
    pub(super) fn forget(&mut self, room: &RoomAddress) {
        self.rooms.remove(room);
    }
}

impl PolledRoom {
    fn new(mode: TrackingMode) -> Self {
        Self { state: Arc::new(Mutex::new(PollState { mode, view_rounds: 0, sync_state: None })), task: None }
    }
}

/// Registers a change source for these rooms until it is dropped.
pub(super) struct SourceRegistration {
    rooms: Arc<RoomCache>,
    tracked: Vec<RoomAddress>,
    pub(super) source: Arc<ChangeSource>,
}

impl SourceRegistration {
    pub(super) fn new(rooms: &Arc<RoomCache>, tracked: Vec<RoomAddress>, mode: TrackingMode) -> Self {
        let source = ChangeSource::new(mode, rooms.now());
        rooms.add_source(&tracked, &source);
        Self { rooms: rooms.clone(), tracked, source }
    }
}

impl Drop for SourceRegistration {
    fn drop(&mut self) {
        self.rooms.remove_source(&self.tracked, &self.source);
    }
}

async fn poll_room(
    live: Arc<Live>,
    limit: Arc<ConcurrencyLimit>,
    room: RoomAddress,
    state: Arc<Mutex<PollState>>,
    from: Instant,
) {
    sleep_until(from).await;
    let mut state = state.lock().await;
    let (mut registration, mut hung) = (None, 0_u32);
    loop {
        let begun = Instant::now();
        let asked_at = live.rooms.now();
        let mode = state.mode;
        let check = timeout(REQUEST_TIMEOUT, state.check_for_changes(&live, &room));
        let polled = limit.run(check).await;
        hung = if polled.is_ok() { 0 } else { (hung + 1).min(DOUBLINGS_MAX) };
        if state.mode != mode {
            registration = None;
        }
        if let Ok(Some(changed)) = polled {
            match &registration {
                None => {
                    registration = Some(SourceRegistration::new(&live.rooms, vec![room.clone()], state.mode))
                }
                Some(SourceRegistration { source, .. }) => {
                    if changed {
                        live.rooms.invalidate(&room);
                    }
                    source.confirm_until(asked_at);
                }
            }
        }
        let interval = poll_interval(&live, &room);
        // A slow server gets a pause between two polls.
        sleep(interval.saturating_mul(1 << hung).saturating_sub(begun.elapsed()).max(interval / 4)).await;
    }
}

/// When within the interval this room is polled: many rooms are not polled all at once.
fn spread_of(room: &RoomAddress, interval: Duration) -> Duration {
    let mut hash = DefaultHasher::new();
    room.hash(&mut hash);
    interval.mul_f64(f64::from((hash.finish() & 0xFFFF) as u16) / f64::from(u16::MAX))
}

/// The time to the room's next poll. A room whose calendar is not known counts as busy.
fn poll_interval(live: &Live, room: &RoomAddress) -> Duration {
    let Some(intervals) = live.feed.poll_intervals(room) else { return live.options.poll_interval };
    let soon = live.rooms.now() + SOON;
    let is_idle = live.rooms.any(room).is_some_and(|calendar| {
        !calendar.events.iter().any(|event| event.start <= soon && live.rooms.now() < event.end)
    });
    if is_idle { intervals.idle } else { intervals.busy }
}

impl PollState {
    /// Whether the room's calendar may have changed since the last poll; `None` when the poll failed.
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
            Err(error)
                if matches!(
                    error.responsible,
                    ResponsibleParty::Administrator | ResponsibleParty::Caller
                ) =>
            {
                tracing::warn!(%room, %error, "cannot poll the room for changes; reading its calendar view at an interval instead");
                (self.mode, self.view_rounds) = (TrackingMode::View, 0);
                Some(true)
            }
            Err(error) => {
                tracing::warn!(%room, %error, "polling the room for changes failed; it is retried");
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polls_of_many_rooms_are_spread_over_the_interval() {
        let interval = Duration::from_secs(30);
        let mut tenths = [0; 10];
        for number in 0..1_000 {
            let room = format!("room{number}@example.com").parse::<RoomAddress>().unwrap();
            let after = spread_of(&room, interval);
            assert!(after <= interval, "{after:?}");
            assert_eq!(after, spread_of(&room, interval), "a room keeps its place");
            tenths[(after.as_millis() / 3_001) as usize] += 1;
        }
        assert!(tenths.iter().all(|rooms| (50..200).contains(rooms)), "{tenths:?}");
    }
}
