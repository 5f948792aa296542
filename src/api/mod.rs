//! The HTTP API for room displays and operators: JSON under `/v1`, described by OpenAPI. Translates between HTTP and
//! [`crate::service`]; never decides anything about calendars.
//!
//! Every request needs an API key or token, except `/healthz`, `/readyz`, those for the description, check-ins by link, and those of a
//! display that waits to be paired. A room outside the caller's rights is answered
//! exactly like a room that does not exist.

mod action_metrics;
mod actions;
mod booking_subject;
mod caller;
mod check_in_links;
mod connection_table;
mod connections;
mod cors;
mod cursor;
mod description;
mod display_metrics;
mod displays;
mod docs_page;
mod doctor;
mod doctor_runs;
mod event_actions;
mod event_view;
mod events;
mod evidence;
mod extract;
mod health_metrics;
mod http_rules;
mod idempotency;
mod kept_answers;
mod key_ring;
mod key_views;
mod keys;
mod kinds;
mod limits;
mod line_limit;
mod local_peer;
#[cfg(unix)]
mod local_socket;
mod me;
mod meta;
mod metrics;
mod origin;
mod pairings;
mod peer_address;
mod peer_certificate;
mod principal;
mod problem;
mod problem_type;
mod provider;
mod qr_code;
mod rate_limit;
mod ready;
mod rendered_events;
mod report;
mod request_id;
mod request_log;
mod request_metrics;
mod request_shares;
mod request_timeouts;
mod requested_time;
mod responses;
mod revocation;
mod room_events;
mod room_filter;
mod rooms;
mod serve;
mod share_gate;
mod share_limits;
mod share_metrics;
mod sse;
mod standby;
mod state;
mod storage_metrics;
mod sweeps;
mod tls;
mod undone;
mod view;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use utoipa::OpenApi as _;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use connections::{ClosedConnections, ConnectionLimits, Connections};
pub(crate) use displays::DisplayView;
pub use doctor_runs::Doctor;
pub(crate) use event_view::{EventSnapshotView, EventView};
pub use key_ring::KeyRing;
pub use limits::limits;
pub(crate) use local_peer::LOGIN_HEADER;
#[cfg(unix)]
pub use local_socket::LocalSocket;
pub use metrics::Metrics;
pub use origin::{CORS_ORIGINS_MAX, InvalidOrigin, Origin};
pub(crate) use problem::Problem;
pub use problem_type::PROBLEM_TYPES;
pub use provider::Provider;
pub use revocation::RevocationError;
pub use serve::{DEFAULT_LISTEN, ListenerLimits, serve};
pub use standby::standby_router;
pub use state::{Api, ApiOptions};
pub(crate) use sweeps::AppliedView;
pub use tls::{ServerTls, TlsError, TlsFileError, TlsFiles};
pub(crate) use view::ActionView;

use limits::{BODY_BYTES_MAX, LIST_BYTES_MAX};

fn documented_routes() -> OpenApiRouter<Api> {
    OpenApiRouter::with_openapi(description::ApiDescription::openapi())
        .routes(routes!(rooms::list))
        .routes(routes!(rooms::get))
        .routes(routes!(room_events::list))
        .routes(routes!(actions::end))
        .routes(routes!(actions::delete))
        .routes(routes!(actions::extend))
        .routes(routes!(actions::book))
        .routes(routes!(rooms::check_in))
        .routes(routes!(check_in_links::get))
        .routes(routes!(event_actions::end))
        .routes(routes!(event_actions::delete))
        .routes(routes!(event_actions::extend))
        .routes(routes!(event_actions::check_in))
        .routes(routes!(actions::list))
        .routes(routes!(actions::get))
        .routes(routes!(actions::undo))
        .merge(documented_list_routes())
        .routes(routes!(sweeps::get))
        .routes(routes!(events::stream))
        .routes(routes!(me::get))
        .routes(routes!(report::get))
        .routes(routes!(doctor::get))
        .routes(routes!(doctor::examine))
        .routes(routes!(keys::list, keys::create))
        .routes(routes!(keys::update, keys::revoke))
        .routes(routes!(displays::list))
        .routes(routes!(displays::pair))
        .routes(routes!(displays::remove))
}

/// Routes whose body is a long list.
fn documented_list_routes() -> OpenApiRouter<Api> {
    let sweeps = OpenApiRouter::new().routes(routes!(sweeps::begin)).routes(routes!(sweeps::apply));
    let lists = OpenApiRouter::new().routes(routes!(evidence::add)).merge(sweeps);
    lists.layer(DefaultBodyLimit::max(LIST_BYTES_MAX))
}

/// Routes without a key: a check-in, whose body has the token of a link, and displays that wait to be paired.
fn documented_routes_without_key() -> OpenApiRouter<Api> {
    let check_in = OpenApiRouter::new().routes(routes!(check_in_links::check_in));
    let pairing = OpenApiRouter::new().routes(routes!(pairings::begin)).routes(routes!(pairings::poll));
    check_in.layer(DefaultBodyLimit::max(check_in_links::LINK_BODY_BYTES_MAX)).merge(pairing)
}

/// The OpenAPI description, as served and as tested.
pub fn openapi() -> utoipa::openapi::OpenApi {
    let all = documented_routes().merge(documented_routes_without_key());
    description::complete(all.split_for_parts().1)
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

/// The description of the API. It names no room and no caller, so it needs no key.
fn description_routes() -> Router<Api> {
    Router::new()
        .route("/v1/openapi.json", axum::routing::get(meta::openapi_json))
        .route("/docs", axum::routing::get(meta::docs))
}

/// All routes of the API.
pub fn router(api: Api) -> Router {
    let (v1, _) = documented_routes().split_for_parts();
    let guarded = v1
        .route("/metrics", axum::routing::get(meta::metrics))
        .fallback(problem::unknown_route)
        .method_not_allowed_fallback(problem::method_not_allowed)
        .layer(from_fn_with_state(api.clone(), share_gate::take_share))
        .layer(from_fn_with_state(api.clone(), serve::mark_authenticated))
        .layer(from_fn_with_state(api.clone(), caller::authenticate));
    let (open, _) = documented_routes_without_key().split_for_parts();
    guarded
        .merge(open.method_not_allowed_fallback(problem::method_not_allowed))
        .merge(health())
        .merge(description_routes())
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(from_fn_with_state(api.clone(), cors::allow_origins))
        .layer(from_fn_with_state(api.clone(), request_metrics::count))
        .layer(from_fn_with_state(api.clone(), request_log::log))
        .layer(from_fn(request_id::assign))
        .with_state(api)
}
