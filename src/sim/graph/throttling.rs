//! The limit on requests that one mailbox serves at the same time: the one above it is answered with 429 at once and
//! executes nothing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::StatusCode;

use super::error::GraphError;

/// The running requests of each mailbox.
#[derive(Debug, Clone, Default)]
pub(super) struct MailboxConcurrency(Arc<Mutex<HashMap<u32, usize>>>);

/// One running request.
#[derive(Debug)]
pub(super) struct RunningRequest {
    limit: MailboxConcurrency,
    mailbox: u32,
}

impl MailboxConcurrency {
    /// Counts a request as running until the result is dropped; `None` above `most`.
    pub(super) fn begin(&self, mailbox: u32, most: usize) -> Option<RunningRequest> {
        let mut running = self.running();
        let count = running.entry(mailbox).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(RunningRequest { limit: self.clone(), mailbox })
    }

    /// Cannot be poisoned in practice: no holder panics.
    fn running(&self) -> MutexGuard<'_, HashMap<u32, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for RunningRequest {
    fn drop(&mut self) {
        let mut running = self.limit.running();
        if let Some(count) = running.get_mut(&self.mailbox) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                running.remove(&self.mailbox);
            }
        }
    }
}

/// The error of a throttled request.
pub(super) fn throttled(retry_after: u64) -> GraphError {
    let text = "Application is over its MailboxConcurrency limit.";
    let error = GraphError::new(StatusCode::TOO_MANY_REQUESTS, "ApplicationThrottled", text);
    GraphError { retry_after: Some(retry_after), ..error }
}
