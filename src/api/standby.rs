//! The answers of a process that stands by while another one is the active service: it lives, it is not ready, and it refuses every other
//! request. Knows no key and no room.

use axum::Router;
use axum::http::HeaderMap;
use axum::middleware::from_fn;
use axum::routing::get;
use chrono::{DateTime, Utc};

use super::problem::Problem;
use super::{meta, ready, request_id};
use crate::service::{CheckFinding, CheckResult, ReadinessCheck};

/// The routes of a process that stands by since this time.
pub fn standby_router(since: DateTime<Utc>) -> Router {
    let finding = CheckFinding::Failed("another process is the active service".to_owned());
    let check = CheckResult { check: ReadinessCheck::Active, finding, since };
    Router::new()
        .route("/healthz", get(meta::healthz))
        .route("/readyz", get(async move |headers: HeaderMap| ready::response(&headers, &[check])))
        .fallback(async || Problem::standing_by())
        .layer(from_fn(request_id::assign))
}
