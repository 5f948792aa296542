//! The counters of the connections to calendar servers, for metrics and for the readiness check. Only reports; nothing is
//! decided by them.

use crate::calendar::RoomAddress;

/// One value for metrics: a counter, or the number of requests that are `waiting` now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metric {
    /// The connection, by its name in the configuration.
    pub connection: String,
    /// `decoded`, `throttled`, `waiting`, …: the metric's name after `exchange_`.
    pub kind: &'static str,
    /// The value of the metric's label.
    pub label: String,
    /// The value.
    pub count: u64,
}

/// Counts what happens on connections.
pub trait ConnectionMetrics: Send + Sync {
    /// The present values.
    fn metrics(&self) -> Vec<Metric>;

    /// The name of the room's connection; `None` where none is configured.
    fn connection_of(&self, room: &RoomAddress) -> Option<String>;
}
