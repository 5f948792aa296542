//! The rows of the table of limits (`crate::limits`) for the Exchange client.

use super::decode_limits::ANSWER_ENTRIES_MAX;
use super::lockout::PROVEN_ROOMS_MAX;
use super::server_state::SERVERS_MAX;
use super::sign_in_failures::{
    REPEATED_MAX, ROOMS_MAX, SIGN_IN_BACKOFF_FIRST, SIGN_IN_BACKOFF_MAX, TOKEN_BACKOFF_MAX,
};
use super::sign_in_probe::PROBE_TIMEOUT;
use super::view::{EVENTS_MAX, TEXT_BYTES_MAX, VIEWS_MAX};
use super::{directory, event, feed, streaming};
use crate::autodiscover;
use crate::http::answer_budget::{ANSWER_BYTES_MAX, BUDGET_BYTES, FREE_BYTES, OTHER_SERVERS_BYTES};
use crate::http::client;
use crate::limits::{Amount, LimitRow};
use crate::throttle::ROOMS_KEPT;

/// The limits on responses, calendars and failed sign-ins.
pub(crate) fn limits() -> Vec<LimitRow> {
    [calendars(), texts(), sign_ins(), answers(), memory()].concat()
}

fn answers() -> Vec<LimitRow> {
    const HELD_UP: &str = "`adjourn_exchange_responses_delayed_total`, log";
    let row = |what, default, reason, beyond, shown_by| {
        LimitRow::fixed("Responses of Exchange", what, default, reason, beyond, shown_by)
    };
    vec![
        row(
            "all responses being received, besides the first bytes of each",
            Amount::Bytes(BUDGET_BYTES),
            "eight of the largest; body size, concurrent requests and rooms multiply",
            "the response waits within its deadline, then the request fails as a server error",
            HELD_UP,
        ),
        row(
            "first bytes of a response that need no share",
            Amount::Bytes(FREE_BYTES),
            "a small response never waits for large ones",
            "more is taken from the budget",
            HELD_UP,
        ),
        row(
            "one response, as sent and as inflated",
            Amount::Bytes(ANSWER_BYTES_MAX),
            "three times the largest view that Exchange grants",
            "a read fails, and a write is in doubt",
            "log",
        ),
        row(
            "list entries of one response",
            Amount::Count(ANSWER_ENTRIES_MAX),
            "ten times the largest view that Exchange grants",
            "a read fails, and a write is in doubt",
            "log",
        ),
        row(
            "one envelope of a stream of changes",
            Amount::Bytes(streaming::ENVELOPE_BYTES_MAX),
            "a few changes of two hundred rooms",
            "the stream ends, and its rooms are read again",
            "log",
        ),
        row(
            "all responses of other servers being received, besides the first bytes of each",
            Amount::Bytes(OTHER_SERVERS_BYTES),
            "a server that hangs takes no memory from Exchange's responses",
            "the response waits within its deadline, then the request fails",
            "log",
        ),
        row(
            "a response of Autodiscover or of a token endpoint",
            Amount::Bytes(client::ANSWER_BYTES_MAX),
            "both send a few kilobytes",
            "the request fails",
            "log",
        ),
    ]
}

fn calendars() -> Vec<LimitRow> {
    const TOO_FULL: &str = "the calendar is too full: an error, and nothing in the room is touched";
    let row = |what, default, reason| {
        LimitRow::fixed("Calendars of Exchange", what, default, reason, TOO_FULL, "log, and the error's code")
    };
    vec![
        row(
            "events of one window",
            Amount::Count(EVENTS_MAX),
            "a year of a room with fourteen meetings a day",
        ),
        row("text of the events of one window", Amount::Bytes(TEXT_BYTES_MAX), "1 KiB for each event"),
        row("CalendarViews of one window", Amount::Count(VIEWS_MAX), "a dense window is read in halves"),
    ]
}

fn texts() -> Vec<LimitRow> {
    const UNREADABLE: &str = "the item is unreadable: it takes its time, and no action touches it";
    let row = |what, default, reason, beyond| {
        LimitRow::fixed("Text from Exchange", what, Amount::Bytes(default), reason, beyond, "log")
    };
    vec![
        row("id, ChangeKey or UID", event::ID_BYTES_MAX, "Exchange's own have less than 600", UNREADABLE),
        row("subject", event::SUBJECT_BYTES_MAX, "Exchange takes 255 characters", UNREADABLE),
        row("organizer's name or address", event::PERSON_BYTES_MAX, "X.500 addresses have 1 KiB", UNREADABLE),
        row(
            "proxy address",
            directory::ADDRESS_LEN_MAX,
            "RFC 5321, section 4.5.3.1",
            "the address is left out",
        ),
        row(
            "SyncState of a room",
            feed::SYNC_STATE_BYTES_MAX,
            "some hundred bytes, and it grows with the calendar",
            "the room's calendar is read instead",
        ),
        row(
            "id of a subscription",
            streaming::SUBSCRIPTION_ID_BYTES_MAX,
            "Exchange's have some 100",
            "the room is polled instead",
        ),
    ]
}

fn sign_ins() -> Vec<LimitRow> {
    const METRIC: &str =
        "`adjourn_exchange_authentication_failures_total{scope}`, `adjourn_exchange_rooms_rejected`, log";
    let row = |what, default, reason, beyond| {
        LimitRow::fixed("Sign-ins at Exchange", what, default, reason, beyond, METRIC)
    };
    vec![
        row(
            "first back-off after a rejected sign-in of the account or of one room",
            Amount::time(SIGN_IN_BACKOFF_FIRST),
            "it doubles; fewer than ten failures in ten minutes, at which Active Directory locks the account",
            "the account's requests, or those of the one room, fail at once",
        ),
        row(
            "longest back-off",
            Amount::time(SIGN_IN_BACKOFF_MAX),
            "a remedied account is noticed in time",
            "one request tries",
        ),
        row(
            "longest back-off of a room whose token is rejected",
            Amount::time(TOKEN_BACKOFF_MAX),
            "no number of rejected tokens locks an account",
            "one request tries",
        ),
        row(
            "repeated failures of rooms, in ten minutes",
            Amount::Count(REPEATED_MAX),
            "several rooms that fail on their own must not add up to a lockout",
            "these rooms back off; working rooms go on",
        ),
        row(
            "rooms that worked and are probed after a rejection",
            Amount::Count(PROVEN_ROOMS_MAX),
            "a probe of them distinguishes a rejected account from a rejected room",
            "the rejection counts against the account",
        ),
        row(
            "wait for the response to such a probe",
            Amount::time(PROBE_TIMEOUT),
            "other requests wait for it",
            "the next room is probed, or the rejection counts against the account",
        ),
        row(
            "rejected rooms that are kept for a server",
            Amount::Count(ROOMS_MAX),
            "more than any building has",
            "rooms that may be tried again are dropped first",
        ),
    ]
}

fn memory() -> Vec<LimitRow> {
    let row = |what, default, reason, beyond| {
        LimitRow::fixed("Memory about Exchange", what, default, reason, beyond, "more requests to Exchange")
    };
    vec![
        row(
            "rooms whose requests, pause and schema version are kept",
            Amount::Count(ROOMS_KEPT),
            "more than the largest building has",
            "idle rooms are dropped; their schema versions are learned again",
        ),
        row(
            "servers whose connections and sign-in state are kept",
            Amount::Count(SERVERS_MAX),
            "more than an organization has",
            "all are dropped; requests under way end, and one request authenticates anew",
        ),
        row(
            "rooms whose server Autodiscover found",
            Amount::Count(autodiscover::cache::ENTRIES_MAX),
            "more than the largest building has",
            "the oldest tenth is dropped",
        ),
    ]
}
