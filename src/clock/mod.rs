//! The only place that asks for the wall-clock time. All other code receives a [`Clock`] or an instant.
//!
//! Durations are measured elsewhere too, but only with monotonic clocks, which no step of the wall clock changes: tokio's in async
//! code (tests pause it), and std's in `store`, whose threads have no runtime.

mod boot_time;
mod doubt;
mod witnessed;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

pub use doubt::{ClockDoubt, ClockReading, SKEW_MAX, Witnesses};
pub use witnessed::WitnessedClock;

/// A source of the wall-clock time in UTC.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> DateTime<Utc>;

    /// Why the time may be wrong. While there is a reason, nothing irreversible is done that depends on the time alone.
    fn doubt(&self) -> Option<ClockDoubt> {
        None
    }

    /// The offset from each server that sent a `Date` header; positive when this clock is ahead.
    fn offsets(&self) -> Vec<(String, TimeDelta)> {
        Vec::new()
    }

    /// The time since the machine was started, suspension included. No step of the wall clock changes it.
    fn since_boot(&self) -> Duration {
        boot_time::since_boot()
    }

    /// The time since which this process has run without a pause of the machine; `None`: since its start.
    fn running_since(&self) -> Option<DateTime<Utc>> {
        None
    }
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that asks for the wall-clock time")]
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }
}

/// A clock that stands still until a test moves it.
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<Mutex<DateTime<Utc>>>);

impl ManualClock {
    /// A clock that shows `now`.
    pub fn at(now: DateTime<Utc>) -> Self {
        Self(Arc::new(Mutex::new(now)))
    }

    /// Moves the clock.
    pub fn advance(&self, by: TimeDelta) {
        let mut now = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *now += by;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Moves with the clock.
    fn since_boot(&self) -> Duration {
        (self.now() - DateTime::UNIX_EPOCH).to_std().unwrap_or_default()
    }
}
