//! What is known of each open connection, and which unauthenticated one is closed first. Decides nothing about limits.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::request_timeouts::ConnectionPhase;
use crate::shares::decrement;

/// The log says at most this often that connections were closed.
pub(super) const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// All open connections of one listener.
#[derive(Debug, Default)]
pub(super) struct ConnectionTable {
    /// The id of the next connection.
    pub(super) next: u64,
    /// By age.
    pub(super) unauthenticated: BTreeMap<u64, ConnectionEntry>,
    /// With their keys.
    pub(super) authenticated: HashMap<u64, (ConnectionEntry, String)>,
    /// How many are unauthenticated.
    pub(super) per_network: HashMap<IpAddr, usize>,
    /// How many are authenticated.
    pub(super) per_key: HashMap<String, usize>,
    /// Of connections that were closed.
    pub(super) report: LogThrottle,
    /// Of `accept`.
    pub(super) failures: LogThrottle,
}

/// One of them.
#[derive(Debug)]
pub(super) struct ConnectionEntry {
    pub(super) network: IpAddr,
    pub(super) since: Instant,
    pub(super) phase: Arc<ConnectionPhase>,
    /// Cancelled when it has to make room.
    pub(super) close: CancellationToken,
}

/// Which unauthenticated connections are considered for closing: all, those of a network, those that came before a time.
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

/// Counts what happened, and says once a minute how often.
#[derive(Debug, Default)]
pub(super) struct LogThrottle {
    last: Option<Instant>,
    since: u64,
}

impl LogThrottle {
    /// Counts one; the count since the last report when the next one is due.
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
    /// A connection is unauthenticated from now on.
    pub(super) fn insert(&mut self, id: u64, entry: ConnectionEntry) {
        *self.per_network.entry(entry.network).or_default() += 1;
        self.unauthenticated.insert(id, entry);
    }

    /// A connection is unauthenticated no more.
    pub(super) fn remove(&mut self, id: u64) -> Option<ConnectionEntry> {
        let entry = self.unauthenticated.remove(&id)?;
        decrement(&mut self.per_network, &entry.network);
        Some(entry)
    }

    /// An authenticated connection becomes an unauthenticated one.
    pub(super) fn deauthenticate(&mut self, id: u64) {
        if let Some((entry, key)) = self.authenticated.remove(&id) {
            decrement(&mut self.per_key, &key);
            self.insert(id, entry);
        }
    }

    /// How many there are of these.
    pub(super) fn count(&self, candidates: Candidates) -> usize {
        // By age, so newcomers end the search.
        let old_enough =
            |entry: &&ConnectionEntry| candidates.before.is_none_or(|before| entry.since <= before);
        self.unauthenticated.values().take_while(old_enough).filter(|entry| candidates.include(entry)).count()
    }

    /// The unauthenticated connection that is closed first: an idle one, of the network with the most of them, the oldest.
    pub(super) fn first_to_close(&self, candidates: Candidates) -> Option<u64> {
        let considered = self.unauthenticated.iter().filter(|(_, entry)| candidates.include(entry));
        let rank = |(id, entry): &(&u64, &ConnectionEntry)| {
            (!entry.phase.is_busy(), self.per_network.get(&entry.network).copied(), Reverse(**id))
        };
        considered.max_by_key(rank).map(|(id, _)| *id)
    }
}
