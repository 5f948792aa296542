//! Rows of the table of limits ([`crate::limits`]) on what callers share: connections and concurrent operations.

use super::connections::{AUTHENTICATION_TIME, ConnectionLimits};
use super::request_shares::{
    AUDIT, EVIDENCE, LINKED_CHECK_INS, LINKED_CHECK_INS_PER_ADDRESS, ROOM_READS, RequestShares,
    STREAMS_PER_KEY, SWEEPS,
};
use crate::limits::{Amount, LimitRow};
use crate::service::{ACTION_SHARES, SWEEP_SHARES, SWEEPS_KEPT_PER_CALLER};

const AREA: &str = "API";
const REFUSED: &str = "`429` (the key's share) or `503` (a room's, or all callers'), with `Retry-After`";
const SHOWN: &str = "`adjourn_operations_in_progress`, `adjourn_operations_refused_total`";
const CLOSED: &str =
    "`adjourn_http_connections`, `adjourn_http_connections_closed_total`; a line a minute in the log";

/// Connections first, then operations.
pub(super) fn limits() -> Vec<LimitRow> {
    let mut all = connections();
    all.extend(operations());
    all
}

fn connections() -> Vec<LimitRow> {
    let limits = ConnectionLimits::default();
    let oldest = "the oldest idle connection without a valid key is closed";
    let row = |what, default, key, reason, beyond| LimitRow {
        key,
        ..LimitRow::fixed(AREA, what, Amount::Count(default), reason, beyond, CLOSED)
    };
    vec![
        row(
            "connections",
            limits.total,
            Some("`api.max_connections` (16 to 100000)"),
            "two thousand displays with an event stream, and their backends; lowered where the process may open too few files",
            oldest,
        ),
        row(
            "unauthenticated connections, after ten seconds",
            limits.unauthenticated,
            Some("`api.max_unauthenticated_connections` (4 to half of all)"),
            "the others are reserved for authenticated callers",
            oldest,
        ),
        row(
            "the same of one address (IPv6: of one /64)",
            limits.per_address.unwrap_or(limits.unauthenticated),
            Some("`api.max_unauthenticated_connections_per_address`; none behind a proxy"),
            "one machine cannot use up the others' connections",
            oldest,
        ),
        row(
            "authenticated connections of one key",
            limits.per_key(),
            None,
            "half of them stay for other keys",
            "the connection counts as unauthenticated",
        ),
        LimitRow::fixed(
            AREA,
            "time in which a new connection does not count as unauthenticated",
            Amount::time(AUTHENTICATION_TIME),
            "a thousand displays reconnect at once after a restart",
            "the limits for unauthenticated connections apply",
            CLOSED,
        ),
    ]
}

fn operations() -> Vec<LimitRow> {
    let row =
        |what, default, reason| LimitRow::fixed(AREA, what, Amount::Count(default), reason, REFUSED, SHOWN);
    let hanging = "a mailbox that hangs delays its own room only";
    let flood = "one key cannot use up what others need";
    let streams = RequestShares::new(ConnectionLimits::default()).streams_max();
    let at_once = "the answer shows the last known state";
    vec![
        row(
            "actions that wait or run",
            ACTION_SHARES.total,
            "beyond it Exchange hangs, and further actions would only be late",
        ),
        row("actions of one key that wait or run", ACTION_SHARES.per_key, flood),
        row("actions in one room that wait or run", ACTION_SHARES.per_room, hanging),
        row("actions of one key in one room that wait or run", ACTION_SHARES.per_key_and_room, hanging),
        row("sweeps that plan or apply", SWEEP_SHARES.total, "each works on many rooms"),
        row("sweeps of one key that plan or apply", SWEEP_SHARES.per_key, flood),
        row("sweeps of one key that are kept", SWEEPS_KEPT_PER_CALLER, "a key's own oldest plan is dropped"),
        row("requests with evidence at once", EVIDENCE.total, "a body has up to a megabyte"),
        row("requests with evidence of one key at once", EVIDENCE.per_key, flood),
        row("audit queries at once", AUDIT.total, "a page reads up to some thousand entries"),
        row("audit queries of one key at once", AUDIT.per_key, flood),
        row("requests about sweeps at once", SWEEPS.total, "a plan names all events of its rooms"),
        row("requests about sweeps of one key at once", SWEEPS.per_key, flood),
        LimitRow {
            beyond: at_once,
            ..row("requests that wait for one room's calendar", ROOM_READS.per_room, hanging)
        },
        LimitRow {
            beyond: at_once,
            ..row("requests of one key that wait for calendars", ROOM_READS.per_key, flood)
        },
        row("event streams", streams, "an eighth of the connections is left for other requests"),
        row("event streams of one key", STREAMS_PER_KEY, "a floor of displays has some dozens"),
        row("check-ins by link at once", LINKED_CHECK_INS, "an answer takes milliseconds, and needs no key"),
        row(
            "check-ins by link of one address at once (IPv6: of one /64), except behind a proxy",
            LINKED_CHECK_INS_PER_ADDRESS,
            "one machine cannot use up what others need",
        ),
    ]
}
