//! Limits on concurrent expensive requests: evidence in bulk, audit queries, sweeps, rooms whose calendar must be read, and event
//! streams. When one key sends too many, its own requests wait and are then refused; other keys' requests go on.

use std::time::Duration;

use axum::http::Method;

use super::connections::ConnectionLimits;
use crate::access::KeyId;
use crate::calendar::RoomAddress;
use crate::shares::{Share, ShareLimits, SharePool};

/// Requests with evidence: a body has up to a megabyte, and is stored before the response.
pub(super) const EVIDENCE: ShareLimits = limits_per_key(16, 4);
/// Audit queries and the list of API keys: a page reads up to some thousand entries.
pub(super) const AUDIT: ShareLimits = limits_per_key(8, 2);
/// Requests about sweeps: a sweep has up to ten thousand rooms, and its plan all their events.
pub(super) const SWEEPS: ShareLimits = limits_per_key(8, 2);
/// Requests that wait for a calendar read. Each holds only its connection, and one read serves all requests that wait for a room.
pub(super) const ROOM_READS: ShareLimits =
    ShareLimits { total: 1_000, reserve: 200, few: 8, per_key: 500, per_room: 64, per_key_and_room: 32 };
/// Check-ins by link, which need no key: few people stand at doors at the same time, and one answer takes milliseconds.
pub(super) const LINKED_CHECK_INS: usize = 64;
/// Check-ins by link from one IPv4 address or IPv6 /64. Behind a proxy all callers have one address, so only the total counts.
pub(super) const LINKED_CHECK_INS_PER_ADDRESS: usize = 8;
/// Event streams of one key: a backend needs one, a floor of displays some dozens. With few connections allowed, a quarter of
/// them.
pub(super) const STREAMS_PER_KEY: usize = 100;

/// Limits in total and per key, with a quarter reserved for keys that have no share yet.
const fn limits_per_key(total: usize, per_key: usize) -> ShareLimits {
    ShareLimits { total, reserve: total / 4, few: 1, per_key, per_room: total, per_key_and_room: total }
}

/// The limits of each kind of request.
#[derive(Debug)]
pub(super) struct RequestShares {
    pub(super) evidence: SharePool,
    pub(super) audit: SharePool,
    pub(super) sweeps: SharePool,
    pub(super) room_reads: SharePool,
    pub(super) streams: SharePool,
    pub(super) linked_check_ins: SharePool,
}

impl RequestShares {
    /// Streams hold their connections, so an eighth of the connections is left for other requests.
    pub(super) fn new(connections: ConnectionLimits) -> Self {
        let total = connections.authenticated() - connections.authenticated() / 8;
        let of_key = limits_per_key(total.max(1), STREAMS_PER_KEY.min(total.div_ceil(4)));
        let per_address =
            if connections.per_address.is_some() { LINKED_CHECK_INS_PER_ADDRESS } else { LINKED_CHECK_INS };
        let streams = ShareLimits { reserve: total / 16, few: 2, ..of_key };
        Self {
            evidence: SharePool::new(EVIDENCE),
            audit: SharePool::new(AUDIT),
            sweeps: SharePool::new(SWEEPS),
            room_reads: SharePool::new(ROOM_READS),
            streams: SharePool::new(streams),
            linked_check_ins: SharePool::new(limits_per_key(LINKED_CHECK_INS, per_address)),
        }
    }

    /// Limit of event streams in total.
    pub(super) fn streams_max(&self) -> usize {
        self.streams.limits().total
    }

    /// All limits by the name of their operation.
    pub(super) fn all(&self) -> [(&'static str, &SharePool); 6] {
        [
            ("evidence", &self.evidence),
            ("audit", &self.audit),
            ("sweep-requests", &self.sweeps),
            ("room-reads", &self.room_reads),
            ("event-streams", &self.streams),
            ("linked-check-ins", &self.linked_check_ins),
        ]
    }

    /// The limit for requests to this route, if it has one.
    pub(super) fn for_route(&self, method: &Method, route: &str) -> Option<(&'static str, &SharePool)> {
        let is_read = matches!(*method, Method::GET | Method::HEAD);
        match route {
            "/v1/evidence" => Some(("requests with evidence", &self.evidence)),
            "/v1/actions" | "/v1/report" if is_read => Some(("audit queries", &self.audit)),
            "/v1/keys" if is_read => Some(("requests for the list of keys", &self.audit)),
            "/v1/sweeps" | "/v1/sweeps/{sweep}" | "/v1/sweeps/{sweep}/apply" => {
                Some(("requests about sweeps", &self.sweeps))
            }
            _ => None,
        }
    }

    /// How long a request may wait for this room's calendar. Zero when the limit is reached, so that the response comes from the
    /// cache.
    pub(super) fn room_read(
        &self,
        key: &KeyId,
        room: &RoomAddress,
        patience: Duration,
    ) -> (Duration, Option<Share>) {
        match self.room_reads.acquire(&key.0, Some(room.as_str())) {
            Ok(share) => (patience, Some(share)),
            Err(_) => (Duration::ZERO, None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_thousand_displays_of_many_keys_can_listen() {
        let shares = RequestShares::new(ConnectionLimits::default());
        let displays = (0..2_000).map(|number| shares.streams.acquire(&format!("key {}", number % 25), None));
        let listening: Result<Vec<_>, _> = displays.collect();
        assert_eq!(listening.map(|all| all.len()), Ok(2_000));
    }
}
