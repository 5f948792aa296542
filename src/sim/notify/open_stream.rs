//! One open stream in the hub: its subscriptions, their unreported errors and its injected fault. Data only.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::Notify;

use super::super::ews_error::EwsError;
use super::super::faults::InjectedFault;

/// How to end a stream before its timeout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StreamEnding {
    /// As at the timeout.
    Closed,
    /// In the middle of an envelope.
    Cut,
}

/// One open stream.
pub(super) struct StreamState {
    /// The mailbox on whose behalf it was opened.
    pub(super) acting: Option<u32>,
    pub(super) waker: Arc<Notify>,
    pub(super) subscriptions: BTreeSet<u64>,
    /// Subscriptions with unreported changes.
    pub(super) ready: BTreeSet<u64>,
    /// Errors to report, with the ids of their subscriptions.
    pub(super) failures: Vec<(EwsError, String)>,
    pub(super) ending: Option<StreamEnding>,
    pub(super) fault: Option<InjectedFault>,
    /// Number of events so far, for `InjectedFault::Dropped`.
    pub(super) events_sent: usize,
}

impl StreamState {
    /// Removes a subscription from the stream and reports why.
    pub(super) fn fail(&mut self, number: u64, why: EwsError, id: String) {
        self.subscriptions.remove(&number);
        self.ready.remove(&number);
        self.failures.push((why, id));
        self.waker.notify_one();
    }
}
