//! Errors in Graph's form: a status, a code and a text, and the body that carries them. Decides nothing.

use chrono::{DateTime, Utc};
use http::StatusCode;
use serde_json::{Value, json};

use crate::sim::ews_error::EwsError;

/// One error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GraphError {
    pub(super) status: StatusCode,
    pub(super) code: String,
    pub(super) message: String,
    /// `Retry-After`, in seconds.
    pub(super) retry_after: Option<u64>,
}

/// The ids that an error body repeats.
pub(super) struct ResponseIds {
    pub(super) request_id: String,
    /// As the client sent it, else the server's own.
    pub(super) client_request_id: String,
}

impl GraphError {
    pub(super) fn new(status: StatusCode, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { status, code: code.into(), message: message.into(), retry_after: None }
    }

    pub(super) fn bad_request(code: &str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    pub(super) fn invalid_request(message: impl Into<String>) -> Self {
        Self::bad_request("ErrorInvalidRequest", message)
    }

    /// The request's URL is invalid.
    pub(super) fn parse_uri(message: impl Into<String>) -> Self {
        Self::bad_request("RequestBroker--ParseUri", message)
    }

    pub(super) fn access_denied() -> Self {
        let message = "Access is denied. Check credentials and try again.";
        Self::new(StatusCode::FORBIDDEN, "ErrorAccessDenied", message)
    }

    pub(super) fn item_not_found() -> Self {
        let message = "The specified object was not found in the store.";
        Self::new(StatusCode::NOT_FOUND, "ErrorItemNotFound", message)
    }

    /// An error with Exchange's code and the status that Graph gives it.
    pub(super) fn of_code(code: &str, message: impl Into<String>) -> Self {
        Self::new(status_of(code), code, message)
    }

    pub(super) fn body(&self, now: DateTime<Utc>, ids: &ResponseIds) -> Value {
        json!({
            "error": {
                "code": self.code,
                "message": self.message,
                "innerError": {
                    "date": now.format("%Y-%m-%dT%H:%M:%S").to_string(),
                    "request-id": ids.request_id,
                    "client-request-id": ids.client_request_id,
                },
            },
        })
    }
}

impl From<EwsError> for GraphError {
    fn from(refusal: EwsError) -> Self {
        Self::of_code(refusal.code, refusal.text)
    }
}

fn status_of(code: &str) -> StatusCode {
    match code {
        "ErrorAccessDenied" | "ErrorCannotDeleteObject" => StatusCode::FORBIDDEN,
        "ErrorItemNotFound" | "ErrorInvalidUser" | "MailboxNotEnabledForRESTAPI" => StatusCode::NOT_FOUND,
        "ErrorIrresolvableConflict" => StatusCode::PRECONDITION_FAILED,
        "ErrorTooManyRequests" | "ApplicationThrottled" | "TooManyRequests" => StatusCode::TOO_MANY_REQUESTS,
        "ErrorServerBusy" | "ErrorMailboxStoreUnavailable" | "ErrorMailboxMoveInProgress" => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        "ErrorInternalServerError" | "ErrorInternalServerTransientError" | "UnknownError" => {
            StatusCode::INTERNAL_SERVER_ERROR
        }
        "ErrorQuotaExceeded" | "ErrorMessageSubmissionBlocked" | "ErrorSubmissionQuotaExceeded" => {
            StatusCode::FORBIDDEN
        }
        "ErrorTimeoutExpired" => StatusCode::GATEWAY_TIMEOUT,
        _ => StatusCode::BAD_REQUEST,
    }
}
