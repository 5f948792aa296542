//! The answers of a process that stands by while another one is the active service: it lives, it is not ready, and every other request
//! is refused. Knows no key and no room.

use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::from_fn;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use chrono::{DateTime, Utc};
use serde_json::json;

use super::meta;
use super::problem::Problem;
use super::ready::accepts_json;
use super::request_id;
use crate::timestamp::Timestamp;

/// The check that does not pass, in the form of `GET /readyz`.
const MESSAGE: &str = "another process is the active service";

/// The routes of a process that stands by since this time.
pub fn standby_router(since: DateTime<Utc>) -> Router {
    Router::new()
        .route("/healthz", get(meta::healthz))
        .route("/readyz", get(async move |headers| readyz(&headers, since)))
        .fallback(async || Problem::standing_by())
        .layer(from_fn(request_id::assign))
}

fn readyz(headers: &HeaderMap, since: DateTime<Utc>) -> Response {
    let (status, stored) = (StatusCode::SERVICE_UNAVAILABLE, [(header::CACHE_CONTROL, "no-store")]);
    if accepts_json(headers) {
        let since = Timestamp::from(since);
        let check = json!({ "check": "active", "state": "failed", "message": MESSAGE, "since": since });
        (status, stored, Json(json!({ "ready": false, "checks": [check] }))).into_response()
    } else {
        (status, stored, format!("not ready\nactive: {MESSAGE}\n")).into_response()
    }
}
