//! One log line per request: method, route, status, duration and ids. It names rooms and ids, never a subject, a key, the name of a
//! key, or a path as a client wrote it. The only header in it is `X-Request-Id`: a valid one is logged as the client sent it. Event
//! streams are logged when they open and when they close.
//!
//! | request | level |
//! | --- | --- |
//! | `/healthz`, `/readyz`, `/metrics`, the API's description, event streams | debug |
//! | with a valid key | info; with a status of 500 and above: warn |
//! | without a valid key, or beyond the key's requests per minute | info, a limited number of lines in a minute ([`LineLimit`]) |

use axum::body::{Body, HttpBody as _};
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{MatchedPath, RawPathParams, Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::Response;
use tokio::time::Instant;
use tokio_stream::StreamExt as _;
use uuid::Uuid;

use super::line_limit::{LineDecision, LineLimit};
use super::request_id::{RequestId, method_name};
use super::state::Api;
use crate::access::KeyId;
use crate::calendar::RoomAddress;

/// The route of an event stream.
const STREAM_ROUTE: &str = "/v1/events";
/// Routes that programs request at an interval, or whose response is the same for every client.
const QUIET_ROUTES: [&str; 5] = ["/healthz", "/readyz", "/metrics", "/v1/openapi.json", "/docs"];

/// The key of an authenticated request, in the extensions of its response.
#[derive(Debug, Clone)]
pub(super) struct AuthenticatedKey(pub(super) KeyId);

/// The values of one line.
#[derive(Debug, Clone)]
struct RequestLine {
    method: &'static str,
    /// The route's pattern; `other` where no route matches.
    route: String,
    room: Option<RoomAddress>,
    /// The action or sweep in the path.
    id: Option<Uuid>,
    request_id: String,
    key_id: Option<KeyId>,
    status: StatusCode,
    bytes: Option<u64>,
    began: Instant,
}

/// How a line is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LineKind {
    /// Of a quiet route: at the level debug.
    Quiet,
    Ordinary,
    /// The service could not do what was requested.
    Failed,
    /// Of a caller without a valid key, or beyond its share: a limited number of lines.
    Limited,
}

/// Middleware: logs the request once its response is ready.
pub(super) async fn log(
    State(api): State<Api>,
    params: Result<RawPathParams, RawPathParamsRejection>,
    request: Request,
    next: Next,
) -> Response {
    let mut line = RequestLine::of(&request, params.ok().as_ref());
    let mut response = next.run(request).await;
    line.status = response.status();
    line.key_id = response.extensions_mut().remove::<AuthenticatedKey>().map(|AuthenticatedKey(id)| id);
    if line.route == STREAM_ROUTE && line.status == StatusCode::OK {
        return logged_stream(line, response);
    }
    line.bytes = response.body().size_hint().exact();
    line.write(&api.line_limit);
    response
}

impl RequestLine {
    fn of(request: &Request, params: Option<&RawPathParams>) -> Self {
        let route = request.extensions().get::<MatchedPath>().map_or("other", MatchedPath::as_str).to_owned();
        let param = |names: &[&str]| {
            params.into_iter().flatten().find(|(name, _)| names.contains(name)).map(|(_, value)| value)
        };
        Self {
            method: method_name(request.method()),
            route,
            // A value that is no address or id is a client's own words.
            room: param(&["room"]).and_then(|room| room.parse().ok()),
            id: param(&["action", "sweep"]).and_then(|id| id.parse().ok()),
            request_id: request.extensions().get::<RequestId>().map_or("", RequestId::as_str).to_owned(),
            key_id: None,
            status: StatusCode::OK,
            bytes: None,
            began: Instant::now(),
        }
    }

    fn kind(&self) -> LineKind {
        let is_limited = self.key_id.is_none() || self.status == StatusCode::TOO_MANY_REQUESTS;
        match () {
            () if QUIET_ROUTES.contains(&self.route.as_str()) => LineKind::Quiet,
            () if is_limited => LineKind::Limited,
            () if self.status.is_server_error() => LineKind::Failed,
            () => LineKind::Ordinary,
        }
    }

    fn write(&self, limit: &LineLimit) {
        match self.kind() {
            LineKind::Quiet => self.log_debug("request"),
            LineKind::Ordinary => self.log_info("request"),
            LineKind::Failed => self.log_warn("request failed"),
            LineKind::Limited => match limit.decide(Instant::now()) {
                LineDecision::LeaveOut => self.log_debug("request"),
                LineDecision::Write { left_out } => {
                    if left_out > 0 {
                        tracing::info!(target: "adjourn::request", parent: None, requests = left_out,
                            "requests without a valid key, or beyond a key's share, were not logged");
                    }
                    self.log_info("request");
                }
            },
        }
    }
}

/// The functions that log a line: the level of an event is a constant.
macro_rules! log_at {
    ($($name:ident: $level:ident),*) => {
        impl RequestLine {
            $(fn $name(&self, message: &'static str) {
                tracing::$level!(
                    target: "adjourn::request",
                    // The line has the fields of the request's span itself.
                    parent: None,
                    method = self.method,
                    route = self.route,
                    status = self.status.as_u16(),
                    duration_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX),
                    bytes = self.bytes,
                    key_id = self.key_id.as_ref().map(|id| id.0.as_str()),
                    room = self.room.as_ref().map(RoomAddress::as_str),
                    id = self.id.as_ref().map(tracing::field::display),
                    request_id = self.request_id,
                    "{message}"
                );
            })*
        }
    };
}

log_at!(log_debug: debug, log_info: info, log_warn: warn);

/// The response with a body that logs the stream's end.
fn logged_stream(line: RequestLine, response: Response) -> Response {
    line.log_debug("event stream opened");
    let (head, body) = response.into_parts();
    let mut open = OpenStream { line, bytes: 0 };
    let stream = body.into_data_stream().map(move |part| {
        open.count(part.as_ref().map_or(0, |part| part.len()));
        part
    });
    Response::from_parts(head, Body::from_stream(stream))
}

/// An open event stream. Its end is its drop: the client disconnects, the key is revoked, or the service stops.
struct OpenStream {
    line: RequestLine,
    bytes: u64,
}

impl OpenStream {
    fn count(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes as u64);
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.line.bytes = Some(self.bytes);
        self.line.log_debug("event stream closed");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(route: &str, status: u16, key: Option<&str>) -> RequestLine {
        RequestLine {
            method: "GET",
            route: route.to_owned(),
            room: None,
            id: None,
            request_id: String::new(),
            key_id: key.map(|id| KeyId(id.to_owned())),
            status: StatusCode::from_u16(status).unwrap(),
            bytes: None,
            began: Instant::now(),
        }
    }

    #[tokio::test]
    async fn the_level_follows_from_route_status_and_key() {
        for (route, status, key, kind) in [
            ("/v1/rooms", 200, Some("k"), LineKind::Ordinary),
            ("/v1/rooms", 404, Some("k"), LineKind::Ordinary),
            ("/v1/rooms", 503, Some("k"), LineKind::Failed),
            ("/v1/rooms", 429, Some("k"), LineKind::Limited),
            ("/v1/rooms", 401, None, LineKind::Limited),
            ("other", 404, None, LineKind::Limited),
            ("/readyz", 503, None, LineKind::Quiet),
            ("/metrics", 200, Some("k"), LineKind::Quiet),
        ] {
            assert_eq!(line(route, status, key).kind(), kind, "{route} {status}");
        }
    }
}
