//! The API's rows in the table of limits ([`crate::limits`]).

use super::line_limit::LINES_PER_MINUTE_MAX;
use super::serve::ListenerLimits;
use super::share_limits;
use super::{
    actions, check_in_links, displays, evidence, kept_answers, keys, local_peer, origin, rendered_events,
    report, room_events, rooms,
};
use crate::access::CHECK_IN_TOKEN_CHARS_MAX;
use crate::calendar::Window;
use crate::limits::{Amount, LimitRow};
use crate::report::ROWS_MAX;
use crate::service::CHECK_IN_LINK_LIFETIME;

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
            "body of a check-in by link",
            Amount::Bytes(check_in_links::LINK_BODY_BYTES_MAX),
            "a token, several times over",
            refused,
        ),
        row(
            "characters of the token of a check-in link",
            Amount::Count(CHECK_IN_TOKEN_CHARS_MAX),
            "the longest SMTP address of a room",
            refused,
        ),
        row(
            "time for which a check-in link is valid",
            Amount::time(CHECK_IN_LINK_LIFETIME.to_std().unwrap_or_default()),
            "from the scan of the code to the press; a photo of the door is worth no more",
            "`410`; the display shows a new code before",
        ),
        row(
            "body of signs, of a sweep's rooms, or of events left out of a plan",
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
            "displays on one page",
            Amount::Count(displays::PAGE_MAX),
            "about 300 KiB",
            "the page ends with the cursor of the next",
        ),
        row(
            "days of a room's events in one answer",
            Amount::Count(room_events::SPAN_DAYS_MAX.into()),
            "a month",
            refused,
        ),
        row(
            "actions on one page",
            Amount::Count(actions::PAGE_MAX),
            "about 1 MiB",
            "the page ends with the cursor of the next",
        ),
        row(
            "days of a report's period",
            Amount::Count(usize::try_from(Window::SPAN_MAX.num_days()).unwrap_or(usize::MAX)),
            "a year",
            "`400`; the command ends with exit code 2",
        ),
        row(
            "rows of a report in a response",
            Amount::Count(report::ROWS_SHOWN_MAX),
            "about 1 MiB",
            "the other rows are summed up in `further`",
        ),
        row(
            "rows of a report in memory",
            Amount::Count(ROWS_MAX),
            "twice the rooms of a large organization",
            "the actions of further rows are summed up in `further`",
        ),
        row(
            "API keys on one page",
            Amount::Count(keys::PAGE_MAX),
            "about 1 MiB",
            "the page ends with the cursor of the next",
        ),
        LimitRow::fixed(
            AREA,
            "log lines in a minute about requests without a valid key, or beyond a key's requests per minute",
            Amount::Count(LINES_PER_MINUTE_MAX as usize),
            "shows what a client does wrong; strangers cannot fill the disk",
            "the others are counted in one line; at the level `debug` each is logged",
            "log, `adjourn_http_requests_total{status}`",
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
            "answers to evidence and new keys that are kept for a repetition under the same idempotency key",
            Amount::Bytes(kept_answers::ANSWER_BYTES_MAX),
            "some thousand answers, since few name signs",
            "the oldest is dropped; repeated signs are merged into the stored ones, and a repeated key is refused by its name",
        ),
        row(
            "the same of one API key",
            Amount::Bytes(kept_answers::ANSWER_BYTES_PER_KEY_MAX),
            "one key cannot use up what others need",
            "the key's own oldest is dropped",
        ),
        row(
            "origins in `api.cors_allowed_origins`",
            Amount::Count(origin::CORS_ORIGINS_MAX),
            "each request is compared with all of them",
            "the configuration is refused",
        ),
        row(
            "rendered events that are shared by listeners",
            Amount::Bytes(rendered_events::RENDERED_BYTES_MAX),
            "those of about a thousand rooms that change at the same time, with a dozen events each",
            "the oldest are dropped, and rendered again for late listeners",
        ),
        row(
            "time without a request on an unauthenticated connection",
            Amount::time(idle_unauthenticated),
            "callers without a key hold no connection; behind a proxy as long as with a key",
            "the connection is closed",
        ),
        row(
            "connections of the local socket that are kept for their requests",
            Amount::Count(local_peer::LOCAL_CONNECTIONS),
            "commands of a few people at the same time; only root and the service's user connect",
            "as many more are open, then the oldest of them is closed, idle ones first",
        ),
    ];
    all.extend(share_limits::limits());
    all
}
