//! Middleware that counts requests. Labels never contain a room's address or a client's own words.

use axum::extract::{MatchedPath, Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;
use tokio::time::Instant;

use super::metrics::RequestLabels;
use super::state::Api;

/// Middleware: counts each request by its route pattern, never by a room's address.
pub(super) async fn count(State(api): State<Api>, request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().map_or("other", MatchedPath::as_str).to_owned();
    let method = match *request.method() {
        Method::GET => "GET",
        Method::POST => "POST",
        // Any other method gets one label: clients could send any number of names.
        _ => "other",
    };
    let begun = Instant::now();
    let response = next.run(request).await;
    let status = response.status().as_u16();
    api.metrics.count_request(&RequestLabels { method, path, status }, begun.elapsed());
    response
}
