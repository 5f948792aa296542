//! Error responses of Entra ID: an OAuth error code, and an AADSTS number in the description and in `error_codes`.

use chrono::{DateTime, SecondsFormat, Utc};
use http::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

/// One error response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OAuthError {
    pub(super) status: StatusCode,
    error: &'static str,
    code: u32,
    text: String,
}

impl OAuthError {
    pub(super) fn invalid_client(code: u32, text: impl Into<String>) -> Self {
        Self { status: StatusCode::UNAUTHORIZED, error: "invalid_client", code, text: text.into() }
    }

    pub(super) fn invalid_request(code: u32, text: impl Into<String>) -> Self {
        Self::bad_request("invalid_request", code, text)
    }

    /// An error with status 400.
    pub(super) fn bad_request(error: &'static str, code: u32, text: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, error, code, text: text.into() }
    }

    pub(super) fn body(&self, now: DateTime<Utc>) -> Value {
        let (trace, correlation) = (Uuid::new_v4(), Uuid::new_v4());
        let at = now.to_rfc3339_opts(SecondsFormat::Secs, true).replace('T', " ");
        json!({
            "error": self.error,
            "error_description": format!(
                "AADSTS{}: {} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {at}",
                self.code, self.text
            ),
            "error_codes": [self.code],
            "timestamp": at,
            "trace_id": trace.to_string(),
            "correlation_id": correlation.to_string(),
            "error_uri": format!("https://login.microsoftonline.com/error?code={}", self.code),
        })
    }
}
