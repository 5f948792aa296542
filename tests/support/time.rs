//! The times of tests: the present, and one day that stands still.

use adjourn::clock::{Clock as _, SystemClock};
use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};

/// The present time in whole seconds, the precision of Exchange.
pub fn now() -> DateTime<Utc> {
    SystemClock.now().trunc_subsecs(0)
}

/// A time on 6 May 2026, a Wednesday, for tests whose clock they move.
pub fn at(hour: u32, minute: u32) -> DateTime<Utc> {
    let midnight = "2026-05-06T00:00:00Z".parse::<DateTime<Utc>>().unwrap();
    midnight + TimeDelta::minutes(i64::from(hour * 60 + minute))
}
