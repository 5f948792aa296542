//! The API's rows in the table of limits ([`crate::limits`]).

use super::serve::ListenerLimits;
use super::share_limits;
use super::{actions, evidence, rendered_events, rooms};
use crate::limits::{Amount, LimitRow};

/// Bytes of the body of a list: a few thousand signs, or ten thousand rooms. [`super::request_shares`] limits how many are read at once.
pub(super) const LIST_BYTES_MAX: usize = 1 << 20;
/// Bytes of any other body: an event's id and a reason with every character escaped.
pub(super) const BODY_BYTES_MAX: usize = 32 << 10;

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
            "body of signs, or of a sweep's rooms",
            Amount::Bytes(LIST_BYTES_MAX),
            "a few thousand signs",
            refused,
        ),
        row(
            "signs in one request",
            Amount::Count(evidence::SIGNS_MAX),
            "as many as fit into a body",
            refused,
        ),
        row(
            "heartbeats in one request",
            Amount::Count(evidence::HEARTBEATS_MAX),
            "one for each sensor system",
            refused,
        ),
        row(
            "room patterns in one heartbeat",
            Amount::Count(evidence::HEARTBEAT_ROOMS_MAX),
            "each is compared with every room",
            refused,
        ),
        row(
            "rooms on one page",
            Amount::Count(rooms::PAGE_MAX),
            "about 1 MiB",
            "the page ends with the cursor of the next",
        ),
        row(
            "actions on one page",
            Amount::Count(actions::PAGE_MAX),
            "about 1 MiB",
            "the page ends with the cursor of the next",
        ),
        row(
            "time for the head of a request",
            Amount::time(head),
            "a head is a few hundred bytes",
            "the connection is closed",
        ),
        row(
            "time without a request",
            Amount::time(idle),
            "longer than proxies keep idle connections open",
            "the connection is closed",
        ),
        row(
            "time for a client to read a response",
            Amount::time(unread),
            "clients that stopped reading",
            "the connection is closed",
        ),
        row(
            "rendered events that are shared by listeners",
            Amount::Bytes(rendered_events::RENDERED_BYTES_MAX),
            "those of about a thousand rooms that change at the same time",
            "the oldest are dropped, and rendered again for late listeners",
        ),
        row(
            "time without a request on an unauthenticated connection",
            Amount::time(idle_unauthenticated),
            "callers without a key hold no connection; behind a proxy as long as with a key",
            "the connection is closed",
        ),
    ];
    all.extend(share_limits::limits());
    all
}
