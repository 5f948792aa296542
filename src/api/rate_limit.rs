//! The headers `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-10), by which a client slows down before it is
//! refused. Limits nothing.

use axum::http::{HeaderMap, HeaderName, HeaderValue};

use super::principal::Allowance;

pub(super) const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
pub(super) const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// Adds what is left of the caller's requests a minute.
pub(super) fn add_headers(headers: &mut HeaderMap, allowance: Allowance) {
    let Allowance { per_minute, remaining, reset_s } = allowance;
    for (name, value) in [
        (RATE_LIMIT_POLICY, format!("\"requests\";q={per_minute};w=60")),
        (RATE_LIMIT, format!("\"requests\";r={remaining};t={reset_s}")),
    ] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
}
