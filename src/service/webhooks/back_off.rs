//! When a notice that was not accepted is sent again, and whether the webhook's other notices are held up meanwhile. Pure: it reads no
//! clock, and the random number comes in as a value.
//!
//! ```text
//!             failure                    failure of another notice
//! Healthy ──────────────► Suspect{n} ──────────────────────────────► Failing{1} ── failure ──► Failing{2} ── …
//!    ▲                        │ (again: n)                               │
//!    └───────── acceptance ───┴──────────────────────────────────────────┘
//! ```
//!
//! One notice that fails waits by itself, and the others are sent: a receiver that cannot handle one body receives all others. Once two
//! different notices failed in a row, the receiver itself is taken to be down: all wait, and each attempt is made with the notice that was
//! attempted least, so that one bad body is never the only proof.

use std::time::Duration;

use crate::throttle::{doubled, spread};

/// The pause after the first failure; doubles.
const BACK_OFF_FIRST: Duration = Duration::from_secs(1);
/// The longest pause, and the longest `Retry-After` that is obeyed: a receiver that is back waits no longer for its notices.
pub const BACK_OFF_MAX: Duration = Duration::from_secs(10 * 60);

/// The pause after this many failures in a row, from one on: `Retry-After` within the limits, else doubling. `chance` (0 to 1) makes it
/// longer by up to a quarter, so that several services do not return at once.
pub(super) fn pause(failures: u32, retry_after: Option<Duration>, chance: f64) -> Duration {
    let next = retry_after.unwrap_or(doubled(BACK_OFF_FIRST, failures.saturating_sub(1)));
    spread(next.clamp(BACK_OFF_FIRST, BACK_OFF_MAX), chance).min(BACK_OFF_MAX)
}

/// Whether the receiver accepts notices, as far as the last attempts show.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum ReceiverHealth {
    /// The last notice was accepted, or there was no attempt.
    #[default]
    Healthy,
    /// This notice failed, and no other one was attempted since.
    Suspect {
        /// Its number.
        number: u64,
    },
    /// Different notices failed in a row.
    Failing {
        /// Failures since the second notice failed.
        failures: u32,
    },
}

impl ReceiverHealth {
    /// The state after the notice with this number failed.
    pub(super) fn after_failure(self, failed: u64) -> Self {
        match self {
            Self::Healthy => Self::Suspect { number: failed },
            Self::Suspect { number } if number == failed => self,
            Self::Suspect { .. } => Self::Failing { failures: 1 },
            Self::Failing { failures } => Self::Failing { failures: failures.saturating_add(1) },
        }
    }

    /// The pause of all notices of the webhook, after a failure with this `Retry-After`.
    pub(super) fn pause(self, retry_after: Option<Duration>, chance: f64) -> Option<Duration> {
        match (self, retry_after) {
            (Self::Failing { failures }, retry_after) => Some(pause(failures, retry_after, chance)),
            // The receiver asks for a pause.
            (_, Some(_)) => Some(pause(1, retry_after, chance)),
            (_, None) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_pause_doubles_from_a_second_to_ten_minutes() {
        let seconds = |failures| pause(failures, None, 0.0).as_secs();
        assert_eq!([1, 2, 3, 4].map(seconds), [1, 2, 4, 8]);
        assert_eq!([10, 11, 40, u32::MAX].map(seconds), [512, 600, 600, 600]);
        assert_eq!(pause(3, None, 1.0), SECOND * 5);
        assert_eq!(pause(40, None, 1.0), BACK_OFF_MAX, "the limit includes the random part");
        assert_eq!(seconds(0), 1);
    }

    #[test]
    fn retry_after_is_obeyed_within_the_limits() {
        assert_eq!(pause(1, Some(SECOND * 30), 0.0), SECOND * 30);
        assert_eq!(pause(9, Some(Duration::ZERO), 0.0), SECOND);
        assert_eq!(pause(1, Some(Duration::MAX), 0.0), BACK_OFF_MAX);
        assert_eq!(ReceiverHealth::Healthy.pause(Some(SECOND * 30), 0.0), Some(SECOND * 30));
    }

    #[test]
    fn one_notice_that_fails_again_and_again_holds_up_no_other() {
        let mut health = ReceiverHealth::default();
        for _ in 0..5 {
            health = health.after_failure(7);
            assert_eq!((health, health.pause(None, 0.0)), (ReceiverHealth::Suspect { number: 7 }, None));
        }
    }

    #[test]
    fn different_notices_that_fail_in_a_row_pause_the_webhook() {
        let mut health = ReceiverHealth::default();
        let pauses = [7, 8, 7, 9].map(|number| {
            health = health.after_failure(number);
            health.pause(None, 0.0).map(|pause| pause.as_secs())
        });
        assert_eq!(pauses, [None, Some(1), Some(2), Some(4)]);
    }
}
