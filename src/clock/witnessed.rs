//! This machine's clock, checked against its witnesses: the engine reads the time from it, and the EWS client reports the
//! servers' `Date` headers to it. It never sets the clock.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Clock, ClockDoubt, ClockReading, SystemClock, Witnesses};

/// The machine's clock and its witnesses.
#[derive(Debug)]
pub struct WitnessedClock {
    started: Instant,
    witnesses: Mutex<Witnesses>,
}

impl Default for WitnessedClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the monotonic clock, by which steps of the wall clock are seen"
    )]
    fn default() -> Self {
        Self { started: Instant::now(), witnesses: Mutex::default() }
    }
}

impl WitnessedClock {
    /// Adds the time of a record on disk.
    pub fn add_record(&self, at: DateTime<Utc>) {
        self.witnesses().add_record(at);
    }

    /// Adds an authenticated response of a server; `said` is the time in its `Date` header.
    pub fn record_answer(&self, server: &str, said: Option<DateTime<Utc>>) {
        self.witnesses().record_answer(server, said, self.reading());
    }

    fn reading(&self) -> ClockReading {
        ClockReading { wall: SystemClock.now(), monotonic: self.started.elapsed() }
    }

    /// A poisoned lock is used all the same: readings stay valid after a panic.
    fn witnesses(&self) -> MutexGuard<'_, Witnesses> {
        self.witnesses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for WitnessedClock {
    fn now(&self) -> DateTime<Utc> {
        let reading = self.reading();
        self.witnesses().record_reading(reading);
        reading.wall
    }

    fn doubt(&self) -> Option<ClockDoubt> {
        let reading = self.reading();
        self.witnesses().doubt(reading)
    }

    fn offsets(&self) -> Vec<(String, TimeDelta)> {
        let reading = self.reading();
        let witnesses = self.witnesses();
        witnesses.offsets(reading).map(|(server, ahead)| (server.to_owned(), ahead)).collect()
    }

    fn running_since(&self) -> Option<DateTime<Utc>> {
        self.witnesses().running_since()
    }
}
