//! Rate limit for reads of a room that changes all the time: a token bucket per room. The next read covers every change until
//! then. Pure: time is an argument.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::calendar::RoomAddress;

/// Reads of a room in a burst: a meeting is booked, moved, accepted and ended.
pub const READ_BURST: u32 = 5;
/// The interval of reads after a burst.
pub const READ_EVERY: Duration = Duration::from_secs(5);

/// The token buckets of rooms that were read lately.
#[derive(Debug, Default)]
pub(super) struct ReadPacer {
    /// When each room's bucket is full again.
    full_at: HashMap<RoomAddress, Instant>,
}

/// Buckets kept before the full ones are dropped.
const ROOMS_MAX: usize = 10_000;

impl ReadPacer {
    /// How long a read of this room must wait; `None` takes a token: the read starts now.
    pub(super) fn reserve(&mut self, room: &RoomAddress, now: Instant) -> Option<Duration> {
        if self.full_at.len() >= ROOMS_MAX {
            self.full_at.retain(|_, full_at| *full_at > now);
        }
        let full_at = self.full_at.get(room).copied().unwrap_or(now).max(now) + READ_EVERY;
        let wait = full_at.saturating_duration_since(now + READ_EVERY * READ_BURST);
        if !wait.is_zero() {
            return Some(wait);
        }
        self.full_at.insert(room.clone(), full_at);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_room_that_changes_all_the_time_is_read_at_an_interval_and_others_at_once() {
        let (mut pace, begin) = (ReadPacer::default(), Instant::now());
        let room = |name: &str| format!("{name}@example.com").parse::<RoomAddress>().unwrap();
        let mut readings = 0;
        for tenth in 0..600 {
            let now = begin + Duration::from_millis(100 * tenth);
            readings += u32::from(pace.reserve(&room("busy"), now).is_none());
        }
        assert_eq!(readings, READ_BURST + 60 / 5 - 1, "in a minute");
        assert_eq!(pace.reserve(&room("quiet"), begin), None);
        let now = begin + Duration::from_secs(59);
        let wait = pace.reserve(&room("busy"), now).unwrap();
        assert!(wait <= READ_EVERY && pace.reserve(&room("busy"), now + wait).is_none(), "{wait:?}");
    }
}
