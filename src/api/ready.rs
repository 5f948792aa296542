//! Handler of `GET /readyz`: whether the service can take requests, for load balancers and supervisors. Needs no key, so it never
//! names a server, room or file.

use std::fmt::Write as _;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::state::Api;
use crate::service::{CheckFinding, CheckResult};
use crate::timestamp::Timestamp;

/// 200 when every check passes or only warns, else 503. JSON where the client accepts it, else a line per check that does not
/// pass.
pub(super) async fn readyz(State(api): State<Api>, headers: HeaderMap) -> Response {
    response(&headers, &api.service.readiness().await.results)
}

/// The response with these checks.
pub(super) fn response(headers: &HeaderMap, results: &[CheckResult]) -> Response {
    let is_ready = !results.iter().any(|result| result.finding.is_failure());
    let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let stored = (header::CACHE_CONTROL, "no-store");
    if accepts_json(headers) {
        (status, [stored], Json(as_json(is_ready, results))).into_response()
    } else {
        (status, [stored], as_text(is_ready, results)).into_response()
    }
}

fn accepts_json(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut kinds = accepted.flat_map(|value| value.split(','));
    kinds.any(|kind| {
        kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
    })
}

fn as_json(is_ready: bool, results: &[CheckResult]) -> Value {
    let checks = results.iter().map(|CheckResult { check, finding, since }| {
        let (state, message) = match finding {
            CheckFinding::Passed => ("passed", None),
            CheckFinding::Warning(why) => ("warning", Some(why)),
            CheckFinding::Failed(why) => ("failed", Some(why)),
        };
        json!({ "check": check.as_str(), "state": state, "message": message, "since": Timestamp::from(*since) })
    });
    json!({ "ready": is_ready, "checks": checks.collect::<Vec<_>>() })
}

fn as_text(is_ready: bool, results: &[CheckResult]) -> String {
    let mut text = if is_ready { "ready\n" } else { "not ready\n" }.to_owned();
    for CheckResult { check, finding, .. } in results {
        // Writing to a string does not fail.
        let _ = match finding {
            CheckFinding::Passed => Ok(()),
            CheckFinding::Warning(why) => writeln!(text, "{check}: warning: {why}"),
            CheckFinding::Failed(why) => writeln!(text, "{check}: {why}"),
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_for_those_who_accept_it() {
        let accepts = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, text.parse().unwrap());
            accepts_json(&headers)
        };
        assert!(accepts("application/json") && accepts("text/plain;q=0.5, Application/JSON; q=0.9"));
        assert!(!accepts("*/*") && !accepts("text/html") && !accepts_json(&HeaderMap::new()));
    }
}
