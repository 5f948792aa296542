//! Limits open connections, and closes one when there are too many. Callers without a valid API key hold few connections for
//! long, so they cannot lock out a caller with a key, a health check or the connections to Exchange. An authenticated connection
//! is never closed here.
//!
//! ```text
//! accepted ──► unauthenticated ──(a request with a valid key)──► authenticated
//!                    ▲                                                │
//!                    └───────────(a request was answered 401)─────────┘
//! ```
//!
//! Every new connection is accepted and may stay unauthenticated for [`AUTHENTICATION_TIME`], so that a thousand displays that
//! reconnect at once after a restart all get in. Older unauthenticated connections are limited; beyond that limit, or when all
//! connections are in use, an idle one is closed: the oldest of the network that holds the most.

use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::connection_table::{Candidates, ConnectionEntry, ConnectionTable};
use super::request_timeouts::ConnectionPhase;
use crate::client_prefix::client_prefix;

/// How long a new connection may stay unauthenticated without counting against the limits: as long as a request's head may take.
/// After a restart two thousand displays reconnect at once, while all rooms are read.
pub(super) const AUTHENTICATION_TIME: Duration = Duration::from_secs(10);

/// Limits on open connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// All connections.
    pub total: usize,
    /// Of these, connections without a request with a valid key in the first ten seconds. The others are reserved for
    /// authenticated callers.
    pub unauthenticated: usize,
    /// Unauthenticated connections from one IP address (IPv6: one /64). `None` behind a reverse proxy, where all connections come
    /// from one address.
    pub per_address: Option<usize>,
}

impl Default for ConnectionLimits {
    /// Enough for two thousand displays with an event stream. A connection becomes authenticated with its first request, so few
    /// unauthenticated ones are needed: health checks, and browsers that load the console.
    fn default() -> Self {
        Self { total: 3_000, unauthenticated: 250, per_address: Some(64) }
    }
}

impl ConnectionLimits {
    /// Limit of authenticated connections.
    pub fn authenticated(&self) -> usize {
        self.total.saturating_sub(self.unauthenticated)
    }

    /// Limit of authenticated connections of one key: half of them, so that other keys can connect.
    pub fn per_key(&self) -> usize {
        self.authenticated().div_ceil(2)
    }
}

/// All open connections of one listener.
#[derive(Debug)]
pub struct Connections {
    limits: ConnectionLimits,
    table: Mutex<ConnectionTable>,
    closed: ClosedConnections,
}

/// Connections closed because of a limit, since the start.
#[derive(Debug, Default)]
pub struct ClosedConnections {
    /// Limit of one address reached.
    pub address: AtomicU64,
    /// Limit of unauthenticated connections, or of all connections, reached.
    pub total: AtomicU64,
    /// The process could open no more files.
    pub files: AtomicU64,
}

impl Connections {
    /// Creates an empty table with these limits.
    pub fn new(limits: ConnectionLimits) -> Arc<Self> {
        Arc::new(Self { limits, table: Mutex::default(), closed: ClosedConnections::default() })
    }

    /// The limits.
    pub fn limits(&self) -> ConnectionLimits {
        self.limits
    }

    /// The number of unauthenticated and of authenticated connections.
    pub fn open(&self) -> (usize, usize) {
        let table = self.lock();
        (table.unauthenticated.len(), table.authenticated.len())
    }

    /// Connections closed because of a limit.
    pub fn closed(&self) -> &ClosedConnections {
        &self.closed
    }

    /// Adds a new connection, and closes unauthenticated ones where there are too many.
    pub(super) fn accept(self: &Arc<Self>, address: IpAddr) -> Arc<TrackedConnection> {
        let (network, since) = (client_prefix(address), Instant::now());
        let (phase, close) = (Arc::<ConnectionPhase>::default(), CancellationToken::new());
        let mut table = self.lock();
        self.enforce_limits(&mut table, Some(network), since);
        if table.unauthenticated.len() + table.authenticated.len() >= self.limits.total {
            self.close_first(&mut table, &self.closed.total, Candidates::default());
        }
        let id = table.next;
        table.next += 1;
        table.insert(id, ConnectionEntry { network, since, phase: phase.clone(), close: close.clone() });
        drop(table);
        Arc::new(TrackedConnection { id, phase, close, connections: self.clone() })
    }

    /// Closes an unauthenticated connection after `accept` failed, most likely because the process can open no more files.
    pub(super) fn release_file_descriptor(&self, error: &io::Error) {
        let mut table = self.lock();
        if table.failures.count(Instant::now()).is_some() {
            tracing::warn!(%error, "cannot accept a connection");
        }
        self.close_first(&mut table, &self.closed.files, Candidates::default());
    }

    /// Closes connections until the limits of unauthenticated connections hold, in all and for this network. New connections
    /// ([`AUTHENTICATION_TIME`]) do not count.
    fn enforce_limits(&self, table: &mut ConnectionTable, network: Option<IpAddr>, now: Instant) {
        let all = Candidates { before: now.checked_sub(AUTHENTICATION_TIME), network: None };
        if all.before.is_none() {
            return;
        }
        while table.count(all) > self.limits.unauthenticated {
            self.close_first(table, &self.closed.total, all);
        }
        let (Some(max), Some(_)) = (self.limits.per_address, network) else { return };
        let of_network = Candidates { network, ..all };
        while table.count(of_network) > max {
            self.close_first(table, &self.closed.address, of_network);
        }
    }

    fn close_first(&self, table: &mut ConnectionTable, reason: &AtomicU64, candidates: Candidates) {
        let Some(id) = table.first_to_close(candidates) else { return };
        if let Some(entry) = table.remove(id) {
            entry.close.cancel();
        }
        reason.fetch_add(1, Ordering::Relaxed);
        if let Some(closed) = table.report.count(Instant::now()) {
            let (unauthenticated, authenticated) = (table.unauthenticated.len(), table.authenticated.len());
            tracing::warn!(
                closed,
                unauthenticated,
                authenticated,
                "too many unauthenticated connections; closed the oldest"
            );
        }
    }

    /// Marks the connection as authenticated. It stays unauthenticated where the key has as many connections as it may.
    fn authenticate(&self, id: u64, key: &str) {
        let mut table = self.lock();
        if table.authenticated.get(&id).is_some_and(|(_, known)| known == key) {
            return;
        }
        table.deauthenticate(id);
        let of_key = table.per_key.get(key).copied().unwrap_or(0);
        let is_full = table.authenticated.len() >= self.limits.authenticated();
        if is_full || of_key >= self.limits.per_key() {
            return self.enforce_limits(&mut table, None, Instant::now());
        }
        if let Some(entry) = table.remove(id) {
            *table.per_key.entry(key.to_owned()).or_default() += 1;
            table.authenticated.insert(id, (entry, key.to_owned()));
        }
    }

    fn deauthenticate(&self, id: u64) {
        let mut table = self.lock();
        table.deauthenticate(id);
        self.enforce_limits(&mut table, None, Instant::now());
    }

    fn lock(&self) -> MutexGuard<'_, ConnectionTable> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One open connection. Dropping it removes it from the table.
#[derive(Debug)]
pub(super) struct TrackedConnection {
    id: u64,
    phase: Arc<ConnectionPhase>,
    close: CancellationToken,
    connections: Arc<Connections>,
}

impl TrackedConnection {
    /// Marks the connection as authenticated with this key.
    pub(super) fn authenticate(&self, key: &str) {
        self.phase.set_authenticated(true);
        self.connections.authenticate(self.id, key);
    }

    /// Marks the connection as unauthenticated after a `401`. Behind a proxy nothing changes: its connections carry requests of
    /// many callers.
    pub(super) fn deauthenticate(&self) {
        if self.connections.limits.per_address.is_some() {
            self.phase.set_authenticated(false);
            self.connections.deauthenticate(self.id);
        }
    }

    /// The connection's phase, shared with its stream.
    pub(super) fn phase(&self) -> Arc<ConnectionPhase> {
        self.phase.clone()
    }

    /// Completes when this connection has to close.
    pub(super) async fn closed(&self) {
        self.close.cancelled().await;
    }
}

impl Drop for TrackedConnection {
    fn drop(&mut self) {
        let mut table = self.connections.lock();
        table.deauthenticate(self.id);
        table.remove(self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::super::connection_table::{LOG_INTERVAL, LogThrottle};
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn connections(total: usize, unauthenticated: usize, per_address: Option<usize>) -> Arc<Connections> {
        Connections::new(ConnectionLimits { total, unauthenticated, per_address })
    }

    fn is_closed(connection: &TrackedConnection) -> bool {
        connection.close.is_cancelled()
    }

    /// Lets [`AUTHENTICATION_TIME`] pass.
    async fn settle() {
        tokio::time::advance(AUTHENTICATION_TIME + Duration::from_millis(1)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_house_closes_the_oldest_idle_connection_without_a_key() {
        let table = connections(10, 2, None);
        let known = table.accept(address("10.0.0.1"));
        known.authenticate("display");
        let busy = table.accept(address("10.0.0.2"));
        let answering = busy.phase().while_busy(std::future::pending::<()>());
        let (idle, later) = (table.accept(address("10.0.0.3")), table.accept(address("10.0.0.4")));
        settle().await;
        let newest = table.accept(address("10.0.0.5"));
        let all = [&known, &busy, &idle, &later, &newest];
        assert_eq!(all.map(|one| is_closed(one)), [false, false, true, false, false]);
        assert_eq!((table.open(), table.closed().total.load(Ordering::Relaxed)), ((3, 1), 1));
        // Where all are busy the oldest is closed, never an authenticated one.
        let answers: Vec<_> =
            [&later, &newest].map(|one| one.phase().while_busy(std::future::pending::<()>())).into();
        settle().await;
        let _last = table.accept(address("10.0.0.7"));
        assert_eq!(all.map(|one| is_closed(one)), [false, true, true, false, false]);
        drop((answering, answers));
    }

    #[tokio::test(start_paused = true)]
    async fn a_thousand_displays_that_come_at_once_from_one_address_all_get_through() {
        let table = Connections::new(ConnectionLimits::default());
        let displays: Vec<_> = (0..1_900).map(|_| table.accept(address("192.0.2.1"))).collect();
        for (number, display) in displays.iter().enumerate() {
            display.authenticate(&format!("key {}", number % 20));
        }
        settle().await;
        let _probe = table.accept(address("192.0.2.1"));
        assert!(!displays.iter().any(|one| is_closed(one)));
        assert_eq!(table.open(), (1, 1_900));
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_of_newcomers_fills_no_more_than_all_places_and_leaves_known_ones_alone() {
        let table = connections(20, 5, Some(3));
        let known: Vec<_> = (0..4).map(|number| table.accept(address(&format!("10.0.0.{number}")))).collect();
        known.iter().enumerate().for_each(|(number, one)| one.authenticate(&format!("key {number}")));
        let flood: Vec<_> = (0..100).map(|_| table.accept(address("192.0.2.1"))).collect();
        assert_eq!(table.open(), (16, 4));
        // A display that connects now is accepted, and stays while it sends its first request.
        let display = table.accept(address("192.0.2.2"));
        let _more: Vec<_> = (0..100).map(|_| table.accept(address("192.0.2.1"))).collect();
        assert!(!is_closed(&display) && !known.iter().any(|one| is_closed(one)));
        display.authenticate("late");
        assert_eq!((table.open().1, flood.iter().filter(|one| !is_closed(one)).count()), (5, 0));
        settle().await;
        let _next = table.accept(address("192.0.2.1"));
        assert_eq!(table.open(), (4, 5), "three of one address, and the newcomer");
    }

    #[tokio::test(start_paused = true)]
    async fn one_network_takes_its_own_places_only() {
        let table = connections(20, 10, Some(2));
        let lone = table.accept(address("192.0.2.1"));
        // All addresses of a /64 are one machine's, and an IPv4-mapped IPv6 address is that IPv4 address.
        let crowd: Vec<_> =
            (1..=5).map(|host| table.accept(address(&format!("2001:db8:1:2::{host}")))).collect();
        let (first, mapped) = (table.accept(address("192.0.2.9")), table.accept(address("::ffff:192.0.2.9")));
        let third = table.accept(address("192.0.2.9"));
        settle().await;
        let other = table.accept(address("2001:db8:1:3::1"));
        assert!(!crowd.iter().any(|one| is_closed(one)), "another /64 is another network");
        let same = table.accept(address("2001:db8:1:2::9"));
        let last = table.accept(address("192.0.2.9"));
        assert_eq!(crowd.iter().filter(|one| is_closed(one)).count(), 3);
        let closed = [&lone, &other, &same, &last, &first, &mapped, &third].map(|one| is_closed(one));
        assert_eq!(closed, [false, false, false, false, true, false, false]);
        assert_eq!(table.closed().address.load(Ordering::Relaxed), 4);
        let counted: usize = table.lock().per_network.values().sum();
        assert_eq!(counted, table.open().0);
    }

    #[tokio::test(start_paused = true)]
    async fn where_all_places_are_full_the_largest_network_pays() {
        let table = connections(20, 3, Some(3));
        let lone = table.accept(address("192.0.2.1"));
        let crowd: Vec<_> = (0..3).map(|_| table.accept(address("192.0.2.2"))).collect();
        settle().await;
        let new = table.accept(address("192.0.2.3"));
        assert!(!is_closed(&lone) && !is_closed(&new) && is_closed(&crowd[0]));
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_has_half_of_the_places_and_a_wrong_key_gives_them_back() {
        let table = connections(10, 2, Some(10));
        let mine: Vec<_> = (0..6).map(|_| table.accept(address("10.0.0.1"))).collect();
        mine.iter().for_each(|one| one.authenticate("greedy"));
        assert_eq!(table.open(), (2, 4), "half of eight");
        let other = table.accept(address("10.0.0.2"));
        other.authenticate("modest");
        assert_eq!(table.open(), (2, 5));
        mine[0].authenticate("modest");
        assert_eq!((table.open(), table.lock().per_key.get("greedy").copied()), ((2, 5), Some(3)));
        settle().await;
        other.deauthenticate();
        assert_eq!(table.open(), (2, 4), "the places without a key are no more than before");
        drop((mine, other));
        assert_eq!(table.open(), (0, 0));
        let table = table.lock();
        assert!(table.per_key.is_empty() && table.per_network.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_proxy_s_connections_are_one_address_s_and_stay_known() {
        let proxy = connections(100, 50, None);
        let all: Vec<_> = (0..50).map(|_| proxy.accept(address("10.0.0.1"))).collect();
        assert!(!all.iter().any(|one| is_closed(one)));
        all[0].authenticate("display");
        all[0].deauthenticate();
        assert_eq!(proxy.open(), (49, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn where_no_file_is_left_an_unauthenticated_connection_gives_its_own() {
        let table = connections(10, 5, Some(5));
        let (known, other) = (table.accept(address("10.0.0.1")), table.accept(address("10.0.0.1")));
        known.authenticate("display");
        for _ in 0..3 {
            table.release_file_descriptor(&io::Error::from_raw_os_error(24));
        }
        assert!(is_closed(&other) && !is_closed(&known));
        assert_eq!((table.open(), table.closed().files.load(Ordering::Relaxed)), ((0, 1), 1));
    }

    #[tokio::test(start_paused = true)]
    async fn closed_connections_are_reported_once_a_minute_with_their_number() {
        let mut report = LogThrottle::default();
        assert_eq!(report.count(Instant::now()), Some(1));
        assert!((0..500).all(|_| report.count(Instant::now()).is_none()));
        tokio::time::advance(LOG_INTERVAL).await;
        assert_eq!(report.count(Instant::now()), Some(501));
    }
}
