//! The id of each request: the caller's `X-Request-Id` if it is valid, else a new one. It is in the response, in the request's span,
//! and in the log. The caller's `traceparent` becomes the parent of the span.

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument as _;
use tracing::field::Empty;
use uuid::Uuid;

use crate::telemetry;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The id of a request, in its extensions. It consists of visible ASCII characters.
#[derive(Debug, Clone)]
pub(super) struct RequestId(String);

impl RequestId {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Middleware: assigns the id, and returns it in `X-Request-Id`.
pub(super) async fn assign(mut request: Request, next: Next) -> Response {
    let given = request.headers().get(&REQUEST_ID).filter(|value| is_valid(value));
    let given = given.and_then(|value| value.to_str().ok()).map(str::to_owned);
    let id = RequestId(given.unwrap_or_else(|| Uuid::new_v4().to_string()));
    // Not an error: at this level every filter keeps the id beside the lines of the request.
    let span = tracing::error_span!(
        "request",
        method = method_name(request.method()),
        request_id = id.0,
        status = Empty
    );
    telemetry::adopt_parent_span(&span, request.headers());
    request.extensions_mut().insert(id.clone());
    let mut response = next.run(request).instrument(span.clone()).await;
    span.record("status", response.status().as_u16());
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

/// The method's name; any other method gets one name, because a client could send any.
pub(super) fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

fn is_valid(value: &HeaderValue) -> bool {
    (1..=128).contains(&value.len()) && value.as_bytes().iter().all(u8::is_ascii_graphic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_that_a_client_invents_has_no_name_of_its_own() {
        assert_eq!(method_name(&Method::PATCH), "PATCH");
        assert_eq!(method_name(&Method::from_bytes(b"INVENTED").unwrap()), "other");
    }
}
