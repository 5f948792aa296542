//! Handlers besides rooms and actions: health, metrics, and the OpenAPI description.

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{Html, IntoResponse};
use utoipa::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Components, OpenApi as Document};

use super::caller::Caller;
use super::problem::Problem;
use super::state::Api;
use crate::access::Right;

/// The OpenAPI document without its routes.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Adjourn",
        description = "Ends meetings early and frees abandoned rooms on Exchange calendars. Times are UTC (RFC 3339). A view of a thing has its `id`; a reference to another thing is named after it: `room` (SMTP address), `event`, `action_id`, `sweep_id`.",
    ),
    security(("key" = [])),
    components(schemas(Problem)),
    modifiers(&ApiKeyScheme),
)]
pub(super) struct ApiDescription;

struct ApiKeyScheme;

impl utoipa::Modify for ApiKeyScheme {
    fn modify(&self, document: &mut Document) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        let components = document.components.get_or_insert_with(Components::new);
        components.add_security_scheme("key", SecurityScheme::Http(scheme));
    }
}

/// Liveness: the process responds.
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

pub(super) async fn metrics(State(api): State<Api>, caller: Caller) -> Result<impl IntoResponse, Problem> {
    caller.require(Right::Metrics)?;
    // Metrics cover all rooms.
    caller.require_all_rooms()?;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, kind)], api.metrics.text()))
}

pub(super) async fn openapi_json() -> Json<Document> {
    Json(super::openapi())
}

/// The OpenAPI description as HTML, rendered on the server, without a script.
pub(super) async fn docs() -> impl IntoResponse {
    let policy = [(header::CONTENT_SECURITY_POLICY, super::docs_page::content_security_policy())];
    (policy, Html(super::docs_page::render(&super::openapi())))
}
