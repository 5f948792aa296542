//! Handlers besides rooms and actions: health, metrics, and the OpenAPI description.

use std::sync::LazyLock;

use axum::extract::State;
use axum::http::header;
use axum::response::{Html, IntoResponse};

use super::caller::Caller;
use super::docs_page;
use super::problem::Problem;
use super::state::Api;
use crate::access::Right;

/// Liveness: the process responds.
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

pub(super) async fn metrics(State(api): State<Api>, caller: Caller) -> Result<impl IntoResponse, Problem> {
    caller.require(Right::Metrics)?;
    // Metrics cover all rooms.
    caller.require_all_rooms()?;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    // Runs the checks of `/readyz`, so that their metrics are current even if no client requests `/readyz`.
    api.service.readiness().await;
    Ok(([(header::CONTENT_TYPE, kind)], api.metrics.text()))
}

/// The OpenAPI description. It needs no key, so it is rendered once.
pub(super) async fn openapi_json() -> impl IntoResponse {
    static DOCUMENT: LazyLock<String> =
        LazyLock::new(|| serde_json::to_string(&super::openapi()).unwrap_or_default());
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT.as_str())
}

/// The OpenAPI description as HTML, rendered on the server, without a script.
pub(super) async fn docs() -> impl IntoResponse {
    static PAGE: LazyLock<String> = LazyLock::new(|| docs_page::render(&super::openapi()));
    let policy = [(header::CONTENT_SECURITY_POLICY, docs_page::content_security_policy())];
    (policy, Html(PAGE.as_str()))
}
