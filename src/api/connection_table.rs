//! The table of open connections, and the choice of the unauthenticated connection to close first. [`super::connections`] decides
//! about limits.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::request_timeouts::ConnectionPhase;
use crate::shares::decrement;

/// At most one log line in this time reports closed connections.
pub(super) const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// All open connections of one listener.
#[derive(Debug, Default)]
pub(super) struct ConnectionTable {
    /// The id of the next connection.
    pub(super) next: u64,
    /// Ordered by age.
    pub(super) unauthenticated: BTreeMap<u64, ConnectionEntry>,
    /// Each with its API key's id.
    pub(super) authenticated: HashMap<u64, (ConnectionEntry, String)>,
    /// Unauthenticated connections per network.
    pub(super) per_network: HashMap<IpAddr, usize>,
    /// Authenticated connections per key.
    pub(super) per_key: HashMap<String, usize>,
    /// Limits the log lines about closed connections.
    pub(super) report: LogThrottle,
    /// Limits the log lines about failed `accept` calls.
    pub(super) failures: LogThrottle,
}

/// One open connection.
#[derive(Debug)]
pub(super) struct ConnectionEntry {
    pub(super) network: IpAddr,
    pub(super) since: Instant,
    pub(super) phase: Arc<ConnectionPhase>,
    /// Cancelled when this connection has to close.
    pub(super) close: CancellationToken,
}

/// Which unauthenticated connections may be closed: those of one network, those opened before a time, or all.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Candidates {
    pub(super) network: Option<IpAddr>,
    pub(super) before: Option<Instant>,
}

impl Candidates {
    fn include(&self, entry: &ConnectionEntry) -> bool {
        self.network.is_none_or(|network| entry.network == network)
            && self.before.is_none_or(|before| entry.since <= before)
    }
}

/// Counts occurrences and returns the count at most once per [`LOG_INTERVAL`].
#[derive(Debug, Default)]
pub(super) struct LogThrottle {
    last: Option<Instant>,
    since: u64,
}

impl LogThrottle {
    /// Counts one. Returns the count since the last report when the next report is due.
    pub(super) fn count(&mut self, now: Instant) -> Option<u64> {
        self.since += 1;
        let is_due = self.last.is_none_or(|last| now.duration_since(last) >= LOG_INTERVAL);
        is_due.then(|| {
            self.last = Some(now);
            std::mem::take(&mut self.since)
        })
    }
}

impl ConnectionTable {
    /// Adds an unauthenticated connection.
    pub(super) fn insert(&mut self, id: u64, entry: ConnectionEntry) {
        *self.per_network.entry(entry.network).or_default() += 1;
        self.unauthenticated.insert(id, entry);
    }

    /// Removes an unauthenticated connection.
    pub(super) fn remove(&mut self, id: u64) -> Option<ConnectionEntry> {
        let entry = self.unauthenticated.remove(&id)?;
        decrement(&mut self.per_network, &entry.network);
        Some(entry)
    }

    /// Makes an authenticated connection unauthenticated.
    pub(super) fn deauthenticate(&mut self, id: u64) {
        if let Some((entry, key)) = self.authenticated.remove(&id) {
            decrement(&mut self.per_key, &key);
            self.insert(id, entry);
        }
    }

    /// Counts the candidates.
    pub(super) fn count(&self, candidates: Candidates) -> usize {
        // The map is ordered by age, so the first connection that is too young ends the search.
        let old_enough =
            |entry: &&ConnectionEntry| candidates.before.is_none_or(|before| entry.since <= before);
        self.unauthenticated.values().take_while(old_enough).filter(|entry| candidates.include(entry)).count()
    }

    /// The connection to close first: idle before busy, then of the network with the most connections, then the oldest.
    pub(super) fn first_to_close(&self, candidates: Candidates) -> Option<u64> {
        let considered = self.unauthenticated.iter().filter(|(_, entry)| candidates.include(entry));
        let rank = |(id, entry): &(&u64, &ConnectionEntry)| {
            (!entry.phase.is_busy(), self.per_network.get(&entry.network).copied(), Reverse(**id))
        };
        considered.max_by_key(rank).map(|(id, _)| *id)
    }
}
