//! The managed identity endpoint of a virtual machine (IMDS): which requests get a token, and the form of its
//! responses. Issues no token.

use chrono::{DateTime, Utc};
use http::request::Parts;
use http::{Method, StatusCode};
use serde_json::{Value, json};

/// The endpoint's path.
const PATH: &str = "/metadata/identity/oauth2/token";

/// Whether a request is one to this endpoint.
pub(super) fn is_ours(head: &Parts) -> bool {
    head.uri.path() == PATH
}

/// The resource that a request wants a token for, or the response to a wrong request. `has_identity` is whether the
/// machine has an identity.
pub(super) fn resource(head: &Parts, has_identity: bool) -> Result<String, (StatusCode, Value)> {
    let invalid = |text: &str| {
        let body = json!({ "error": "invalid_request", "error_description": text });
        (StatusCode::BAD_REQUEST, body)
    };
    if head.method != Method::GET {
        return Err((StatusCode::METHOD_NOT_ALLOWED, json!({ "error": "method_not_allowed" })));
    }
    if !head.headers.get("metadata").is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"true")) {
        return Err(invalid("Required metadata header not specified"));
    }
    if head.headers.contains_key("x-forwarded-for") {
        return Err(invalid("Request with the header X-Forwarded-For is not accepted: it passed a proxy"));
    }
    let query = head.uri.query().unwrap_or_default();
    let field = |wanted: &str| {
        let mut fields = form_urlencoded::parse(query.as_bytes());
        fields.find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned())
    };
    if field("api-version").is_none() {
        return Err(invalid("Required parameter api-version not specified"));
    }
    let resource = field("resource").ok_or_else(|| invalid("Required audience parameter not specified"))?;
    if has_identity { Ok(resource) } else { Err(invalid("Identity not found")) }
}

/// The response with a token: its numbers are strings.
pub(super) fn token_response(
    token: &str,
    resource: &str,
    client_id: &str,
    now: DateTime<Utc>,
    seconds: u64,
) -> Value {
    let begins = now.timestamp();
    let ends = begins.saturating_add(i64::try_from(seconds).unwrap_or(i64::MAX));
    json!({
        "access_token": token,
        "client_id": client_id,
        "expires_in": seconds.to_string(),
        "expires_on": ends.to_string(),
        "ext_expires_in": seconds.to_string(),
        "not_before": begins.to_string(),
        "resource": resource,
        "token_type": "Bearer",
    })
}
