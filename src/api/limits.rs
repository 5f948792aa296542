//! The API's rows of the table of limits (`crate::limits`).

use super::share_limits;
use super::{BODY_BYTES_MAX, LIST_BYTES_MAX, ListenerLimits, actions, evidence, rooms};
use crate::limits::{Amount, LimitRow};

const AREA: &str = "API";

/// The limits on requests and connections.
pub fn limits() -> Vec<LimitRow> {
    let ListenerLimits { head, idle, idle_unauthenticated, unread, .. } = ListenerLimits::default();
    let refused = "`400`, `413` or `408`";
    let row = |what, default, reason, beyond| {
        LimitRow::fixed(AREA, what, default, reason, beyond, "`adjourn_http_requests_total{status}`")
    };
    let mut all = vec![
        row(
            "body of a request",
            Amount::Bytes(BODY_BYTES_MAX),
            "an event's id and a reason, escaped",
            refused,
        ),
        row(
            "body with signs, or with rooms of a sweep",
            Amount::Bytes(LIST_BYTES_MAX),
            "a few thousand signs",
            refused,
        ),
        row("signs in one request", Amount::Count(evidence::SIGNS_MAX), "a body has no more", refused),
        row(
            "heartbeats in one request",
            Amount::Count(evidence::HEARTBEATS_MAX),
            "one for each sensor system",
            refused,
        ),
        row(
            "patterns of rooms in one heartbeat",
            Amount::Count(evidence::HEARTBEAT_ROOMS_MAX),
            "each is compared with every room",
            refused,
        ),
        row(
            "rooms on one page",
            Amount::Count(rooms::PAGE_MAX),
            "about 1 MiB",
            "the page ends, and names the next",
        ),
        row(
            "actions on one page",
            Amount::Count(actions::PAGE_MAX),
            "about 1 MiB",
            "the page ends, and names the next",
        ),
        row(
            "time for the head of a request",
            Amount::time(head),
            "a head is a few hundred bytes",
            "the connection ends",
        ),
        row(
            "time without a request",
            Amount::time(idle),
            "longer than proxies keep idle connections",
            "the connection ends",
        ),
        row(
            "time for an answer to be read",
            Amount::time(unread),
            "a reader that stopped",
            "the connection ends",
        ),
        row(
            "time without a request where none had a valid key",
            Amount::time(idle_unauthenticated),
            "a caller without a key keeps no connection; behind a proxy as long as with one",
            "the connection ends",
        ),
    ];
    all.extend(share_limits::limits());
    all
}
