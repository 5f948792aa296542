//! A connection to the server of some rooms, whatever its protocol: what the engine, the followed calendars and the metrics need of
//! it. The protocols are named here alone.

use std::sync::Arc;

use crate::clock::WitnessedClock;
use crate::connection_metrics::ConnectionMetrics;
use crate::engine::Calendar;
use crate::exchange::Exchange;
use crate::graph::Graph;
use crate::live::Feed;

/// A connection of some rooms.
pub trait Connection: Calendar + Feed + ConnectionMetrics {
    /// Reports the `Date` headers of its server to this clock. The first call counts.
    fn report_time_to(&self, clock: Arc<WitnessedClock>);
}

impl Connection for Exchange {
    fn report_time_to(&self, clock: Arc<WitnessedClock>) {
        Self::report_time_to(self, clock);
    }
}

impl Connection for Graph {
    fn report_time_to(&self, clock: Arc<WitnessedClock>) {
        Self::report_time_to(self, clock);
    }
}
