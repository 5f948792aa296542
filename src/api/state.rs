//! The state that all handlers of the API share. Knows no route, no request and no caller.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

use super::connections::{ConnectionLimits, Connections};
use super::doctor_runs::{Doctor, DoctorRuns};
use super::key_ring::KeyRing;
use super::metrics::Metrics;
use super::rendered_events::RenderedEvents;
use super::request_shares::RequestShares;
use crate::service::Service;

/// Options of the API. They can change while the service runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiOptions {
    /// How long a request for an action waits without `Prefer: wait`.
    pub deadline: Duration,
    /// Show subjects and organizers of events.
    pub subjects: bool,
}

impl Default for ApiOptions {
    fn default() -> Self {
        Self { deadline: Duration::from_secs(10), subjects: false }
    }
}

/// State shared by all handlers.
#[derive(Clone)]
pub struct Api {
    pub(crate) service: Arc<Service>,
    pub(crate) keys: Arc<KeyRing>,
    pub(crate) metrics: Arc<Metrics>,
    pub(super) doctor_runs: DoctorRuns,
    pub(super) shares: Arc<RequestShares>,
    pub(super) rendered_events: Arc<RenderedEvents>,
    options: Arc<ArcSwap<ApiOptions>>,
}

impl Api {
    /// Creates the API of a service.
    pub fn new(service: Arc<Service>, keys: Arc<KeyRing>, options: ApiOptions) -> Self {
        let metrics = Arc::new(Metrics::new(&service));
        let shares = Arc::new(RequestShares::new(ConnectionLimits::default()));
        Self {
            service,
            keys,
            metrics,
            doctor_runs: DoctorRuns::default(),
            shares,
            rendered_events: Arc::default(),
            options: Arc::new(ArcSwap::from_pointee(options)),
        }
    }

    /// Adds the doctor for `/v1/doctor`.
    #[must_use]
    pub fn with_doctor(self, doctor: Arc<dyn Doctor>) -> Self {
        Self { doctor_runs: DoctorRuns::with_doctor(doctor), ..self }
    }

    /// Derives the limits of event streams from these connections, and adds their metrics.
    #[must_use]
    pub fn with_connections(self, connections: Arc<Connections>) -> Self {
        let shares = Arc::new(RequestShares::new(connections.limits()));
        self.metrics.shares.set_sources(connections, shares.clone(), self.service.clone());
        Self { shares, ..self }
    }

    /// The options now in force.
    pub(super) fn options(&self) -> Arc<ApiOptions> {
        self.options.load_full()
    }

    /// Replaces the options.
    pub fn set_options(&self, options: ApiOptions) {
        self.options.store(Arc::new(options));
    }
}
