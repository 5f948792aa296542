//! The only place that asks the time. Everything else is handed a [`Clock`] or an instant.

mod doubt;
mod witnessed;

use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};

pub use doubt::{ClockDoubt, ClockReading, SKEW_MAX, Witnesses};
pub use witnessed::WitnessedClock;

/// Gives the wall-clock time in UTC.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> DateTime<Utc>;

    /// Why that may be wrong. While there is a reason, nothing is done that follows from the time alone and cannot be taken back.
    fn doubt(&self) -> Option<ClockDoubt> {
        None
    }

    /// Its offset from each server that sent a `ModifiedOccurrence`; positive when this clock is ahead.
    fn offsets(&self) -> Vec<(String, TimeDelta)> {
        Vec::new()
    }

    /// Since when this process has run without a pause of the machine; `None`: since its start.
    fn running_since(&self) -> Option<DateTime<Utc>> {
        None
    }
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that may ask")]
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
}
