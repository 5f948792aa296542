//! What the server was asked: a bounded list for tests and demos. Bodies are not kept.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};

use super::login::AuthScheme;

/// The oldest are forgotten beyond this many.
const KEPT_MAX: usize = 100_000;

/// One request that came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedRequest {
    /// When.
    pub at: DateTime<Utc>,
    /// Which operation; empty when the body held none.
    pub operation: String,
    /// In whose name: the impersonated mailbox's address, in lower case.
    pub mailbox: Option<String>,
    /// `X-AnchorMailbox`.
    pub anchor: Option<String>,
    /// `client-request-id`.
    pub client_request_id: Option<String>,
    /// How it was let in.
    pub scheme: AuthScheme,
    /// On which connection: they are counted from 1.
    pub connection: u64,
}

/// All requests, in order.
#[derive(Debug, Default)]
pub(crate) struct RequestLog(VecDeque<LoggedRequest>);

impl RequestLog {
    pub(crate) fn push(&mut self, asked: LoggedRequest) {
        if self.0.len() == KEPT_MAX {
            self.0.pop_front();
        }
        self.0.push_back(asked);
    }

    pub(crate) fn all(&self) -> Vec<LoggedRequest> {
        self.0.iter().cloned().collect()
    }
}
