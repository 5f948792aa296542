//! Client-side throttle (AIMD): limits concurrent requests per room and per server, and pauses rooms that the server
//! throttles.
//!
//! Exchange keeps a throttling budget per service account *and* room: with impersonation over EWS, and per mailbox over Graph.
//! So one room is paused and all others go on. A limit on the whole server stands above: it halves when the server reports too
//! many connections, and grows by one after a run of successes. A slow request releases its server slot, and until its room's
//! requests are answered in time again, slow rooms share a few slots: mailboxes that hang (a database that is down) must not
//! take the slots of all others.

mod room_state;

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until, timeout_at};

use uuid::Uuid;

use crate::concurrency::call_when_slow;
#[cfg(feature = "service")]
pub(crate) use room_state::ROOMS_KEPT;
pub(crate) use room_state::{RoomState, RoomStates};

/// Successes in a row before the limit grows by one.
const REGROW_AFTER: usize = 20;
/// Longest wait that a server can impose: 20 minutes have been observed, and a restart cures most.
const BACK_OFF_MAX: Duration = Duration::from_secs(5 * 60);
/// Longest wait of a write for a permit or for a busy server. The engine decided it on a calendar that it read a moment ago; after
/// this time the engine decides again.
pub(crate) const WRITE_WAIT_MAX: Duration = Duration::from_secs(2);
/// Delay before the first retry; doubles.
const RETRY_FIRST: Duration = Duration::from_millis(250);
/// First wait if the server names none.
const BACK_OFF_FIRST: Duration = Duration::from_secs(1);
/// Shortest wait from the second attempt on, even if the server asks for none.
const BACK_OFF_LEAST: Duration = Duration::from_millis(250);
/// A request without a response for so long is slow: its mailbox hangs, or the server is overloaded …
const SLOW_AFTER_MAX: Duration = Duration::from_secs(3);
/// … and at most this many times the server limit may be under way without a slot.
const RELEASED_FACTOR: usize = 4;
/// Fraction of the server limit that slow rooms share.
const SLOW_ROOMS_PART: usize = 4;

pub(crate) struct Throttle {
    slow_after: Duration,
    server: Arc<Semaphore>,
    /// Slots for rooms whose last request was slow.
    slow_rooms: Arc<Semaphore>,
    limit: Arc<Mutex<AdaptiveLimit>>,
    queued: AtomicUsize,
}

/// Counts one waiting request.
struct QueuedRequest<'a>(&'a AtomicUsize);

struct AdaptiveLimit {
    now: usize,
    max: usize,
    /// Requests under way without a slot.
    released: usize,
    /// Slots in use that are removed when they are returned.
    debt: usize,
    successes: usize,
}

/// Permission to send one request; released when dropped.
pub(crate) struct Permit {
    server: Option<OwnedSemaphorePermit>,
    /// Slot among those of slow rooms.
    slow_slot: Option<OwnedSemaphorePermit>,
    is_slow: bool,
    is_answered: bool,
    slow_after: Duration,
    limit: Arc<Mutex<AdaptiveLimit>>,
    _request: OwnedSemaphorePermit,
    room: Arc<RoomState>,
}

impl Throttle {
    /// `timeout` is the longest wait for a response.
    pub(crate) fn new(per_server: NonZeroUsize, timeout: Duration) -> Self {
        let max = per_server.get();
        Self {
            slow_after: SLOW_AFTER_MAX.min(timeout / 2),
            slow_rooms: Arc::new(Semaphore::new((max / SLOW_ROOMS_PART).max(1))),
            server: Arc::new(Semaphore::new(max)),
            limit: Arc::new(Mutex::new(AdaptiveLimit { now: max, max, released: 0, debt: 0, successes: 0 })),
            queued: AtomicUsize::new(0),
        }
    }

    /// Requests that wait for a permit.
    pub(crate) fn queued(&self) -> usize {
        self.queued.load(Ordering::Relaxed)
    }

    /// Waits for a permit to send a request in this room's name; `None` if none is free before `until`.
    pub(crate) async fn acquire(&self, room: &Arc<RoomState>, until: Instant) -> Option<Permit> {
        let _queued = QueuedRequest::new(&self.queued);
        let request = timeout_at(until, room.requests.clone().acquire_owned()).await.ok()?.ok()?;
        loop {
            if Instant::now() >= until {
                return None;
            }
            if let Some(paused_until) = room.paused_until() {
                if paused_until > until {
                    return None;
                }
                sleep_until(paused_until).await;
            }
            let slow_slot = match room.is_slow() {
                true => Some(timeout_at(until, self.slow_rooms.clone().acquire_owned()).await.ok()?.ok()?),
                false => None,
            };
            let server = timeout_at(until, self.server.clone().acquire_owned()).await.ok()?.ok()?;
            if room.paused_until().is_none() {
                return Some(Permit {
                    server: Some(server),
                    slow_slot,
                    is_slow: false,
                    is_answered: false,
                    slow_after: self.slow_after,
                    limit: self.limit.clone(),
                    _request: request,
                    room: room.clone(),
                });
            }
        }
    }

    /// Halves the server limit, after the server reported too many connections.
    pub(crate) fn halve_limit(&self) {
        let mut limit = lock(&self.limit);
        let target = (limit.now / 2).max(1);
        let surplus = limit.now - target;
        limit.debt += surplus - self.server.forget_permits(surplus);
        limit.now = target;
        limit.successes = 0;
    }

    /// Records a successful response, which lets the server limit grow.
    pub(crate) fn record_success(&self) {
        let mut limit = lock(&self.limit);
        limit.successes += 1;
        if limit.now < limit.max && limit.successes >= REGROW_AFTER {
            limit.successes = 0;
            limit.now += 1;
            match limit.debt {
                0 => self.server.add_permits(1),
                _ => limit.debt -= 1,
            }
        }
    }
}

impl<'a> QueuedRequest<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for QueuedRequest<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Permit {
    /// Waits for the response. A slow one releases its server slot; the limit of the room still holds.
    pub(crate) async fn run<T>(&mut self, answer: impl Future<Output = T>) -> T {
        call_when_slow(self.slow_after, answer, || self.release_server_slot()).await
    }

    /// The server answered, even if slowly: the room is not slow.
    pub(crate) fn mark_answered(&mut self) {
        self.is_answered = true;
    }

    fn release_server_slot(&mut self) {
        self.is_slow = true;
        let mut limit = lock(&self.limit);
        if self.slow_slot.is_none()
            && limit.released < limit.max.saturating_mul(RELEASED_FACTOR)
            && let Some(permit) = self.server.take()
        {
            limit.released += 1;
            limit.return_permit(permit);
        }
    }
}

impl AdaptiveLimit {
    fn return_permit(&mut self, permit: OwnedSemaphorePermit) {
        if self.debt > 0 {
            self.debt -= 1;
            permit.forget();
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.room.set_slow(self.is_slow && !self.is_answered);
        let mut limit = lock(&self.limit);
        match self.server.take() {
            Some(permit) => limit.return_permit(permit),
            None => limit.released -= 1,
        }
    }
}

/// Pause before attempt `attempt + 1` to a server that is busy: what it requested, or doubling from a second; capped, and spread by up
/// to a quarter so that requests do not return at once.
pub(crate) fn back_off(requested: Option<Duration>, attempt: u32) -> Duration {
    spread_back_off(requested, attempt, jitter())
}

/// `chance` is between 0 and 1.
fn spread_back_off(requested: Option<Duration>, attempt: u32, chance: f64) -> Duration {
    let floor = if attempt == 0 { Duration::ZERO } else { BACK_OFF_LEAST };
    let base = requested.unwrap_or(doubled(BACK_OFF_FIRST, attempt)).clamp(floor, BACK_OFF_MAX);
    spread(base, chance)
}

/// The first pause, doubled so many times.
pub(crate) fn doubled(first: Duration, times: u32) -> Duration {
    first.saturating_mul(1 << times.min(16))
}

/// The pause, longer by up to a quarter, so that several requests do not return at once. `chance` is between 0 and 1.
pub(crate) fn spread(pause: Duration, chance: f64) -> Duration {
    pause + pause.mul_f64(chance.clamp(0.0, 1.0) / 4.0)
}

/// Pause before attempt `attempt + 1` of a request that had no response: doubling, and spread by up to a quarter.
pub(crate) fn retry_delay(attempt: u32) -> Duration {
    spread(doubled(RETRY_FIRST, attempt.min(8)), jitter())
}

/// Random number between 0 and 1, from the same source as the request ids.
pub(crate) fn jitter() -> f64 {
    let (_, low) = Uuid::new_v4().as_u64_pair();
    f64::from((low & 0xFFFF) as u16) / f64::from(u16::MAX)
}

/// No code panics while holding one of these locks; the numbers would be valid all the same.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(60);
    const LATE_AFTER: Duration = SLOW_AFTER_MAX;

    fn slots(count: usize) -> NonZeroUsize {
        NonZeroUsize::new(count).unwrap()
    }

    /// A room with so many concurrent requests.
    fn room(requests: usize) -> Arc<RoomState> {
        Arc::new(RoomState::new(requests))
    }

    fn in_seconds(seconds: u64) -> Instant {
        Instant::now() + Duration::from_secs(seconds)
    }

    #[test]
    fn back_off_obeys_the_server_within_reason() {
        assert_eq!(spread_back_off(Some(Duration::from_millis(300)), 5, 0.0), Duration::from_millis(300));
        assert_eq!(spread_back_off(Some(Duration::from_secs(86_400)), 0, 0.0), BACK_OFF_MAX);
        assert_eq!(spread_back_off(None, 2, 0.0), Duration::from_secs(4));
        assert_eq!(spread_back_off(Some(Duration::ZERO), 0, 0.0), Duration::ZERO);
        assert_eq!(spread_back_off(Some(Duration::ZERO), 1, 0.0), BACK_OFF_LEAST);
        assert_eq!(spread_back_off(None, 60, 1.0), BACK_OFF_MAX + BACK_OFF_MAX / 4);
    }

    #[tokio::test(start_paused = true)]
    async fn rooms_that_hang_give_their_places_to_others_up_to_a_limit() {
        let throttle = Throttle::new(slots(2), TIMEOUT);
        let (begun, prompt_room) = (Instant::now(), room(2));
        let hang = |_| {
            let throttle = &throttle;
            async move {
                let mut permit = throttle.acquire(&room(2), in_seconds(60)).await.unwrap();
                permit.run(std::future::pending::<()>()).await;
            }
        };
        let prompt = async {
            sleep_until(in_seconds(1)).await;
            assert!(throttle.acquire(&prompt_room, in_seconds(60)).await.is_some());
            let waited = begun.elapsed();
            sleep_until(begun + Duration::from_secs(30)).await;
            assert_eq!(lock(&throttle.limit).released, 8, "the ninth keeps its place");
            assert!(throttle.acquire(&prompt_room, in_seconds(1)).await.is_some());
            waited
        };
        let waited = {
            let hanging = futures_util::future::join_all((0..9).map(hang));
            tokio::select! {
                _ = hanging => unreachable!("they hang"),
                waited = prompt => waited,
            }
        };
        assert!(waited <= 5 * LATE_AFTER, "{waited:?}");
        assert_eq!(
            (lock(&throttle.limit).released, throttle.server.available_permits()),
            (0, 2),
            "all came back"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn one_room_is_parked_and_the_others_go_on() {
        let (throttle, paused, other) = (Throttle::new(slots(4), TIMEOUT), room(2), room(2));
        paused.pause(Duration::from_secs(30));
        let begun = Instant::now();
        assert!(throttle.acquire(&other, in_seconds(1)).await.is_some());
        assert!(throttle.acquire(&paused, in_seconds(10)).await.is_none());
        assert_eq!(
            begun.elapsed(),
            Duration::ZERO,
            "a request does not wait for a permit that comes too late"
        );
        assert!(throttle.acquire(&paused, in_seconds(60)).await.is_some());
        assert_eq!(begun.elapsed(), Duration::from_secs(30));
    }

    #[tokio::test(start_paused = true)]
    async fn a_room_has_its_limit() {
        let (throttle, room) = (Throttle::new(slots(4), TIMEOUT), room(2));
        let (_one, two) =
            (throttle.acquire(&room, in_seconds(1)).await, throttle.acquire(&room, in_seconds(1)).await);
        let one_waits = async {
            tokio::task::yield_now().await;
            throttle.queued()
        };
        let (third, waiting) = tokio::join!(throttle.acquire(&room, in_seconds(1)), one_waits);
        assert!(third.is_none());
        assert_eq!((waiting, throttle.queued()), (1, 0));
        drop(two);
        assert!(throttle.acquire(&room, in_seconds(1)).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn the_server_limit_halves_and_grows_back() {
        let (throttle, room) = (Throttle::new(slots(4), TIMEOUT), room(8));
        let mut out = Vec::new();
        for _ in 0..4 {
            out.push(throttle.acquire(&room, in_seconds(1)).await.unwrap());
        }
        throttle.halve_limit();
        out.truncate(2);
        assert!(throttle.acquire(&room, in_seconds(1)).await.is_none(), "two are out, and two is the limit");
        out.pop();
        out.extend(throttle.acquire(&room, in_seconds(1)).await);
        assert_eq!(out.len(), 2);
        for _ in 0..2 * REGROW_AFTER {
            throttle.record_success();
        }
        for _ in 0..2 {
            out.push(throttle.acquire(&room, in_seconds(1)).await.unwrap());
        }
        assert!(throttle.acquire(&room, in_seconds(1)).await.is_none());
    }
}
