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
mod doctor_runs;
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
mod principal;
mod problem;
mod provider;
mod ready;
mod rendered_events;
mod request_metrics;
mod request_shares;
mod request_timeouts;
mod revocation;
mod rooms;
mod serve;
mod share_gate;
mod share_limits;
mod share_metrics;
mod sse;
mod state;
mod storage_metrics;
mod sweeps;
mod tls;
mod view;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use utoipa::OpenApi as _;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use connections::{ClosedConnections, ConnectionLimits, Connections};
pub use doctor_runs::Doctor;
pub use key_ring::KeyRing;
pub use limits::limits;
pub use metrics::Metrics;
pub use provider::Provider;
pub use revocation::RevocationError;
pub use serve::{DEFAULT_LISTEN, ListenerLimits, serve};
pub use state::{Api, ApiOptions};
pub use tls::{ServerTls, TlsError, TlsFileError, TlsFiles};

use limits::{BODY_BYTES_MAX, LIST_BYTES_MAX};

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
        .layer(from_fn_with_state(api.clone(), share_gate::take_share))
        .layer(from_fn_with_state(api.clone(), serve::mark_authenticated))
        .layer(from_fn_with_state(api.clone(), caller::authenticate));
    guarded
        .merge(health())
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(from_fn_with_state(api.clone(), request_metrics::count))
        .layer(from_fn(problem::assign_request_id))
        .with_state(api)
}
