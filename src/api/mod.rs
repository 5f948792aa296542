//! The HTTP API for room displays and operators: JSON under `/v1`, described by OpenAPI. Translates between HTTP and
//! [`crate::service`]; never decides anything about calendars.
//!
//! Every request except `/healthz` and `/readyz` needs an API key or token. A room outside the caller's rights is answered
//! exactly like a room that does not exist.

mod actions;
mod caller;
mod connection_table;
mod connections;
mod cursor;
mod docs_page;
mod doctor;
mod events;
mod evidence;
mod extract;
mod health_metrics;
mod http_rules;
mod key_ring;
mod limits;
mod me;
mod meta;
mod metrics;
mod peer_address;
mod peer_certificate;
mod problem;
mod provider;
mod ready;
mod request_shares;
mod request_timeouts;
mod revocation;
mod rooms;
mod serve;
mod share_limits;
mod share_metrics;
mod storage_metrics;
mod sweeps;
mod tls;
mod view;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use utoipa::OpenApi as _;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use connections::{ClosedConnections, ConnectionLimits, Connections};
pub use doctor::Doctor;
pub use key_ring::KeyRing;
pub use limits::limits;
pub use metrics::Metrics;
pub use provider::Provider;
pub use serve::{ListenerLimits, serve};
pub use tls::{ServerTls, TlsError, TlsFiles};

use request_shares::RequestShares;

use crate::calendar::RoomAddress;
use crate::service::Service;

/// Bytes of the body of a list: a few thousand signs, or ten thousand rooms. [`request_shares`] limits how many are read at once.
const LIST_BYTES_MAX: usize = 1 << 20;
/// Bytes of any other body: an event's id and a reason with every character escaped.
const BODY_BYTES_MAX: usize = 32 << 10;

/// Options of the API. They can change while the service runs.
#[derive(Debug, Clone)]
pub struct ApiOptions {
    /// How long a request for an action waits without `Prefer: wait`.
    pub deadline: Duration,
    /// Show subjects and organizers of events.
    pub subjects: bool,
}

/// State shared by all handlers.
#[derive(Clone)]
pub struct Api {
    pub(crate) service: Arc<Service>,
    pub(crate) keys: Arc<KeyRing>,
    pub(crate) metrics: Arc<Metrics>,
    doctor_runs: doctor::DoctorRuns,
    shares: Arc<RequestShares>,
    options: Arc<ArcSwap<ApiOptions>>,
}

impl Api {
    /// Creates the API of a service.
    pub fn new(service: Arc<Service>, keys: Arc<KeyRing>, options: ApiOptions) -> Self {
        let metrics = Arc::new(Metrics::new(&service));
        let practice = doctor::DoctorRuns::default();
        let shares = Arc::new(RequestShares::new(ConnectionLimits::default()));
        Self {
            service,
            keys,
            metrics,
            doctor_runs: practice,
            shares,
            options: Arc::new(ArcSwap::from_pointee(options)),
        }
    }

    /// Adds the doctor for `/v1/doctor`.
    #[must_use]
    pub fn with_doctor(self, doctor: Arc<dyn Doctor>) -> Self {
        Self { doctor_runs: doctor::DoctorRuns::with_doctor(doctor), ..self }
    }

    /// Derives the limits of event streams from these connections, and adds their metrics.
    #[must_use]
    pub fn with_connections(self, connections: Arc<Connections>) -> Self {
        let shares = Arc::new(RequestShares::new(connections.limits()));
        self.metrics.shares.set_sources(connections, shares.clone(), self.service.clone());
        Self { shares, ..self }
    }

    /// The options now in force.
    fn options(&self) -> Arc<ApiOptions> {
        self.options.load_full()
    }

    /// Replaces the options.
    pub fn set_options(&self, options: ApiOptions) {
        self.options.store(Arc::new(options));
    }

    /// Records that a display is in contact: it could report presence in this room.
    fn record_display_contact(&self, caller: &caller::Caller, room: &RoomAddress) {
        if caller.is_display() {
            self.service.record_display_contact(room, caller.name());
        }
    }

    /// Parses a room's address. Returns `404` unless the caller can see the room and it is in scope.
    fn visible_room(&self, caller: &caller::Caller, text: &str) -> Result<RoomAddress, problem::Problem> {
        text.parse::<RoomAddress>()
            .ok()
            .filter(|room| caller.can_see(room) && self.service.engine.scope().contains(room))
            .ok_or_else(problem::Problem::no_such_room)
    }
}

fn documented_routes() -> OpenApiRouter<Api> {
    OpenApiRouter::with_openapi(meta::ApiDescription::openapi())
        .routes(routes!(rooms::list))
        .routes(routes!(rooms::get))
        .routes(routes!(actions::end))
        .routes(routes!(actions::delete))
        .routes(routes!(actions::extend))
        .routes(routes!(actions::book))
        .routes(routes!(rooms::check_in))
        .routes(routes!(actions::list))
        .routes(routes!(actions::get))
        .routes(routes!(actions::undo))
        .merge(documented_list_routes())
        .routes(routes!(sweeps::get))
        .routes(routes!(sweeps::apply))
        .routes(routes!(events::stream))
        .routes(routes!(me::get))
        .routes(routes!(doctor::get))
        .routes(routes!(doctor::examine))
}

/// Routes whose body is a long list.
fn documented_list_routes() -> OpenApiRouter<Api> {
    let lists = OpenApiRouter::new().routes(routes!(evidence::add)).routes(routes!(sweeps::begin));
    lists.layer(DefaultBodyLimit::max(LIST_BYTES_MAX))
}

/// The OpenAPI description, as served and as tested.
pub fn openapi() -> utoipa::openapi::OpenApi {
    documented_routes().split_for_parts().1
}

/// Routes of the separate health listener. They need no key, and share no connections with callers.
pub fn health_router(api: Api) -> Router {
    health().with_state(api)
}

fn health() -> Router<Api> {
    Router::new()
        .route("/healthz", axum::routing::get(meta::healthz))
        .route("/readyz", axum::routing::get(ready::readyz))
}

/// All routes of the API.
pub fn router(api: Api) -> Router {
    let (v1, _) = documented_routes().split_for_parts();
    let guarded = v1
        .route("/v1/openapi.json", axum::routing::get(meta::openapi_json))
        .route("/docs", axum::routing::get(meta::docs))
        .route("/metrics", axum::routing::get(meta::metrics))
        .fallback(problem::unknown_route)
        .method_not_allowed_fallback(problem::method_not_allowed)
        .layer(from_fn_with_state(api.clone(), request_shares::take_share))
        .layer(from_fn_with_state(api.clone(), serve::mark_authenticated))
        .layer(from_fn_with_state(api.clone(), caller::authenticate));
    guarded
        .merge(health())
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(from_fn_with_state(api.clone(), metrics::count))
        .layer(from_fn(problem::assign_request_id))
        .with_state(api)
}
