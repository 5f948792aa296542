//! Failed sign-ins in a row, of an account and of single rooms, and the back-off that each one starts. Reads the
//! monotonic clock; sends nothing.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use crate::engine::ErrorKind;

/// First back-off after a rejected sign-in; doubles with each. Active Directory locks accounts after some failures
/// within some minutes (ten in ten is Microsoft's baseline); this comes to six in the first ten, with one retry and two
/// probes to nine.
pub(super) const SIGN_IN_BACKOFF_FIRST: Duration = Duration::from_secs(15);
/// Longest back-off.
pub(super) const SIGN_IN_BACKOFF_MAX: Duration = Duration::from_secs(15 * 60);
/// Longest back-off of a room whose token was rejected: no number of rejected tokens locks an account.
pub(super) const TOKEN_BACKOFF_MAX: Duration = Duration::from_secs(60);
/// Rooms of one server whose failures are kept; with more, the rooms that may be tried again are dropped first.
pub(super) const ROOMS_MAX: usize = 20_000;
/// Repeated failures of all rooms together within [`WINDOW`]. Together with the first failure of each room, which
/// cannot be foreseen, rooms that fail on their own stay below ten failures in ten minutes.
pub(super) const REPEATED_MAX: usize = 5;
/// Time after which Active Directory's baseline forgets a failed sign-in ("Reset account lockout counter after").
const WINDOW: Duration = Duration::from_secs(10 * 60);

/// Why a sign-in was rejected: its kind and the server's code.
pub(super) type SignInFailure = (ErrorKind, String);

/// Failed sign-ins in a row.
#[derive(Default)]
pub(super) struct FailureRecord {
    pub(super) in_a_row: u32,
    last: Option<(Instant, ErrorKind, String)>,
}

impl FailureRecord {
    pub(super) fn is_backing_off(&self) -> bool {
        let back_off = SIGN_IN_BACKOFF_FIRST.saturating_mul(1 << self.in_a_row.saturating_sub(1).min(16));
        let longest = if self.is_token_failure() { TOKEN_BACKOFF_MAX } else { SIGN_IN_BACKOFF_MAX };
        self.last.as_ref().is_some_and(|(at, ..)| at.elapsed() < back_off.min(longest))
    }

    fn is_token_failure(&self) -> bool {
        self.last.as_ref().is_some_and(|(_, kind, _)| *kind == ErrorKind::Token)
    }

    /// Fails with the last failure during its back-off.
    pub(super) fn check(&self) -> Result<(), SignInFailure> {
        if self.is_backing_off() { self.last_failure() } else { Ok(()) }
    }

    fn last_failure(&self) -> Result<(), SignInFailure> {
        self.last.as_ref().map_or(Ok(()), |(_, kind, code)| Err((*kind, code.clone())))
    }

    pub(super) fn record(&mut self, kind: ErrorKind, code: &str, times: u32) {
        // Requests that were under way together count once.
        if !self.is_backing_off() {
            self.in_a_row = self.in_a_row.saturating_add(times);
        }
        self.last = Some((Instant::now(), kind, code.to_owned()));
    }

    pub(super) fn is_superseded(&self, began: Instant, sent_credentials: bool) -> bool {
        self.last.as_ref().is_none_or(|(at, ..)| sent_credentials && *at < began)
    }
}

/// Rooms of one server that are rejected while the account is accepted for others. Each backs off alone.
#[derive(Default)]
pub(super) struct RoomFailureRecords {
    rooms: HashMap<String, FailureRecord>,
    /// Times of failures of rooms that had failed before.
    repeated_failures: VecDeque<Instant>,
}

impl RoomFailureRecords {
    /// Fails with the room's last failure during its back-off, or while too many rooms have failed repeatedly.
    pub(super) fn check(&mut self, room: &str) -> Result<(), SignInFailure> {
        let Some(refusals) = self.rooms.get(room) else { return Ok(()) };
        refusals.check()?;
        while self.repeated_failures.front().is_some_and(|at| at.elapsed() >= WINDOW) {
            self.repeated_failures.pop_front();
        }
        let is_held_up = self.repeated_failures.len() >= REPEATED_MAX && !refusals.is_token_failure();
        if is_held_up { refusals.last_failure() } else { Ok(()) }
    }

    pub(super) fn was_rejected(&self, room: &str) -> bool {
        self.rooms.contains_key(room)
    }

    /// Records a failure; returns whether it is the first one of the room. `times` counts further failures that came
    /// together with it.
    pub(super) fn record(&mut self, room: &str, kind: ErrorKind, code: &str, times: u32) -> bool {
        if self.rooms.len() >= ROOMS_MAX && !self.rooms.contains_key(room) {
            self.rooms.retain(|_, refusals| refusals.is_backing_off());
        }
        if self.rooms.len() >= ROOMS_MAX && !self.rooms.contains_key(room) {
            self.rooms.clear();
        }
        let is_first = !self.rooms.contains_key(room);
        self.rooms.entry(room.to_owned()).or_default().record(kind, code, times);
        if !is_first && kind != ErrorKind::Token {
            self.repeated_failures.push_back(Instant::now());
            if self.repeated_failures.len() > REPEATED_MAX {
                self.repeated_failures.pop_front();
            }
        }
        is_first
    }

    /// Drops the room's failures after an accepted request.
    pub(super) fn clear(&mut self, room: &str) {
        self.rooms.remove(room);
    }

    /// Rooms whose latest request was rejected.
    pub(super) fn count(&self) -> usize {
        self.rooms.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: ErrorKind = ErrorKind::BackEnd;

    fn room(number: usize) -> String {
        format!("r{number}@example.com")
    }

    #[tokio::test(start_paused = true)]
    async fn thirty_rooms_that_fail_on_their_own_are_tried_again_five_times_in_ten_minutes() {
        let mut rooms = RoomFailureRecords::default();
        for number in 0..30 {
            assert!(rooms.record(&room(number), KIND, "HTTP 401", 1));
        }
        let mut again = 0;
        for _ in 0..595 {
            tokio::time::sleep(Duration::from_secs(1)).await;
            for number in 0..30 {
                if rooms.check(&room(number)).is_ok() {
                    rooms.record(&room(number), KIND, "HTTP 401", 1);
                    again += 1;
                }
            }
        }
        assert_eq!(again, REPEATED_MAX);
        assert!(rooms.check(&room(30)).is_ok(), "a room that works is never held up");
        tokio::time::sleep(WINDOW).await;
        assert!(rooms.check(&room(0)).is_ok());
        rooms.clear(&room(0));
        assert!(!rooms.was_rejected(&room(0)) && rooms.count() == 29);
    }

    #[tokio::test(start_paused = true)]
    async fn a_room_whose_token_is_refused_rests_a_minute_at_most_and_holds_no_other_up() {
        let mut rooms = RoomFailureRecords::default();
        for _ in 0..20 {
            for number in 0..10 {
                assert!(rooms.check(&room(number)).is_ok());
                rooms.record(&room(number), ErrorKind::Token, "HTTP 401", 1);
                assert!(rooms.check(&room(number)).is_err());
            }
            tokio::time::sleep(TOKEN_BACKOFF_MAX).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn rooms_without_number_do_not_fill_the_memory() {
        let mut rooms = RoomFailureRecords::default();
        for number in 0..2 * ROOMS_MAX {
            rooms.record(&room(number), KIND, "HTTP 401", 1);
            assert!(rooms.count() <= ROOMS_MAX);
        }
    }
}
