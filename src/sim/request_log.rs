//! The request log: a bounded list for tests and demos. Bodies are not kept.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};

use super::login::AuthScheme;

/// Limit of logged requests; the oldest are dropped.
const KEPT_MAX: usize = 100_000;

/// One logged request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedRequest {
    /// When it arrived.
    pub at: DateTime<Utc>,
    /// The operation; empty if the body had none.
    pub operation: String,
    /// The impersonated mailbox's address, in lower case.
    pub mailbox: Option<String>,
    /// `X-AnchorMailbox`.
    pub anchor: Option<String>,
    /// `client-request-id`.
    pub client_request_id: Option<String>,
    /// The scheme that authenticated it.
    pub scheme: AuthScheme,
    /// The connection it came on, counted from 1.
    pub connection: u64,
}

/// All requests, in order.
#[derive(Debug, Default)]
pub(crate) struct RequestLog(VecDeque<LoggedRequest>);

impl RequestLog {
    pub(crate) fn push(&mut self, request: LoggedRequest) {
        if self.0.len() == KEPT_MAX {
            self.0.pop_front();
        }
        self.0.push_back(request);
    }

    pub(crate) fn all(&self) -> Vec<LoggedRequest> {
        self.0.iter().cloned().collect()
    }
}
