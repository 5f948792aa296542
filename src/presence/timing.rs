//! The times of the rule on check-ins. Values only.

use chrono::TimeDelta;

/// The times of the rule on check-ins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckInTiming {
    /// How long after the start of the grace period people may still come.
    pub grace: TimeDelta,
    /// How long before the start a sign already counts.
    pub early: TimeDelta,
    /// The time after the start from which a sign without an event counts; zero: as early as a check-in.
    pub presence_after: TimeDelta,
}
