//! HTTP for room displays and operators: JSON over `/v1`, described by OpenAPI. Translates between requests and
//! [`crate::service`]; decides nothing about calendars.
//!
//! Every request but `/healthz` and `/readyz` needs an API key. A room outside a key's rights does not exist for it: the
//! answer is the same as for a room that there is not.

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

/// The largest body of a list: a few thousand signs, or ten thousand rooms. So many are read at once: [`request_shares`].
const LIST_BYTES_MAX: usize = 1 << 20;
/// The largest of the other bodies: an event's id and a reason, if every character in them is escaped.
const BODY_BYTES_MAX: usize = 32 << 10;

/// How the API behaves.
#[derive(Debug, Clone)]
pub struct ApiOptions {
    /// How long a caller waits for an action that did not say how long it would.
    pub deadline: Duration,
    /// Show subjects and organizers.
    pub subjects: bool,
}

/// What every handler reaches.
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
    /// An API over a service.
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

    /// The same with a doctor who can be asked.
    #[must_use]
    pub fn with_doctor(self, doctor: Arc<dyn Doctor>) -> Self {
        Self { doctor_runs: doctor::DoctorRuns::with_doctor(doctor), ..self }
    }

    /// The same behind these connections: there are no more event streams than they have room for.
    #[must_use]
    pub fn with_connections(self, connections: Arc<Connections>) -> Self {
        let shares = Arc::new(RequestShares::new(connections.limits()));
        self.metrics.shares.set_sources(connections, shares.clone(), self.service.clone());
        Self { shares, ..self }
    }

    /// How it behaves now.
    fn options(&self) -> Arc<ApiOptions> {
        self.options.load_full()
    }

    /// Behaves like this from now on.
    pub fn set_options(&self, options: ApiOptions) {
        self.options.store(Arc::new(options));
    }

    /// A display that asks for its room is in contact: it could report that people are there.
    fn record_display_contact(&self, caller: &caller::Caller, room: &RoomAddress) {
        if caller.is_display() {
            self.service.record_display_contact(room, caller.name());
        }
    }

    /// The room, if this caller may know of it and Adjourn may act there.
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

/// What takes a long list.
fn documented_list_routes() -> OpenApiRouter<Api> {
    let lists = OpenApiRouter::new().routes(routes!(evidence::add)).routes(routes!(sweeps::begin));
    lists.layer(DefaultBodyLimit::max(LIST_BYTES_MAX))
}

/// The description of the API, as it is served and kept under test.
pub fn openapi() -> utoipa::openapi::OpenApi {
    documented_routes().split_for_parts().1
}

/// Health alone, for a listener of its own: it needs no key and shares no connection with anybody.
pub fn health_router(api: Api) -> Router {
    health().with_state(api)
}

fn health() -> Router<Api> {
    Router::new()
        .route("/healthz", axum::routing::get(meta::healthz))
        .route("/readyz", axum::routing::get(ready::readyz))
}

/// Everything that is served.
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
