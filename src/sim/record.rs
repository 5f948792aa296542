//! What the server was asked: a bounded list for tests and demos. Bodies are not kept.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};

use super::login::Scheme;

/// The oldest are forgotten beyond this many.
const KEPT_MAX: usize = 100_000;

/// One request that came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
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
    pub scheme: Scheme,
    /// On which connection: they are counted from 1.
    pub connection: u64,
}

/// All requests, in order.
#[derive(Debug, Default)]
pub(crate) struct Record(VecDeque<Asked>);

impl Record {
    pub(crate) fn add(&mut self, asked: Asked) {
        if self.0.len() == KEPT_MAX {
            self.0.pop_front();
        }
        self.0.push_back(asked);
    }

    pub(crate) fn all(&self) -> Vec<Asked> {
        self.0.iter().cloned().collect()
    }
}
