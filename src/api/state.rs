//! The state that all handlers of the API share. Knows no route, no request and no caller.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

use super::connections::{ConnectionLimits, Connections};
use super::doctor_runs::{Doctor, DoctorRuns};
use super::kept_answers::KeptAnswers;
use super::key_ring::KeyRing;
use super::line_limit::LineLimit;
use super::metrics::Metrics;
use super::origin::Origin;
use super::rendered_events::RenderedEvents;
use super::request_shares::RequestShares;
use super::view::{BookingView, ViewOptions};
use crate::service::Service;

/// Options of the API. They can change while the service runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiOptions {
    /// How long a request for an action waits without `Prefer: wait`.
    pub deadline: Duration,
    /// Show subjects and organizers of events.
    pub subjects: bool,
    /// Origins whose pages may call the API from a browser.
    pub cors_allowed_origins: Vec<Origin>,
    /// The address by which phones reach the service; `None`: there are no check-in links.
    pub public_url: Option<Origin>,
}

impl Default for ApiOptions {
    fn default() -> Self {
        let deadline = Duration::from_secs(10);
        Self { deadline, subjects: false, cors_allowed_origins: Vec::new(), public_url: None }
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
    pub(super) kept_answers: Arc<KeptAnswers>,
    /// The log lines that requests without a key may cause.
    pub(super) line_limit: Arc<LineLimit>,
    /// A reverse proxy is in front of the service, so the peer's address is that of the proxy.
    pub(super) is_behind_proxy: bool,
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
            kept_answers: Arc::default(),
            line_limit: Arc::default(),
            is_behind_proxy: false,
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
        let is_behind_proxy = connections.limits().per_address.is_none();
        self.metrics.shares.set_sources(connections, shares.clone(), self.service.clone());
        Self { shares, is_behind_proxy, ..self }
    }

    /// The options now in force.
    pub(super) fn options(&self) -> Arc<ApiOptions> {
        self.options.load_full()
    }

    /// What the view of a room has beside its state, by the options now in force.
    pub(super) fn view_options(&self) -> ViewOptions {
        ViewOptions { subjects: self.options().subjects, booking: BookingView::of(&self.service.engine) }
    }

    /// Replaces the options.
    pub fn set_options(&self, options: ApiOptions) {
        self.options.store(Arc::new(options));
    }
}
