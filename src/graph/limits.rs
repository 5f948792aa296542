//! The rows of the table of limits (`crate::limits`) for the Graph client.

use super::resources::{EXCEPTIONS_MAX, LIST_MAX, PAGE_ELEMENTS_MAX};
use super::settings::REQUESTS_PER_ROOM;
use super::traces::{DELETED_PAGES_MAX, SENT_PAGES_MAX};
use super::view::{EVENTS_MAX, PAGES_MAX, TEXT_BYTES_MAX};
use super::{directory, event, request};
use crate::limits::{Amount, LimitRow};
use crate::throttle::WRITE_WAIT_MAX;

/// The limits on responses, calendars and requests.
pub(crate) fn limits() -> Vec<LimitRow> {
    [calendars(), texts(), requests(), searches()].concat()
}

fn calendars() -> Vec<LimitRow> {
    const TOO_FULL: &str = "the calendar is too full: an error, and nothing in the room is touched";
    let row = |what, default, reason| {
        LimitRow::fixed("Calendars of Graph", what, default, reason, TOO_FULL, "log, and the error's code")
    };
    let list = |what, max, reason| {
        let (group, beyond) = ("Calendars of Graph", "an error, and nothing in the room is touched");
        LimitRow::fixed(group, what, Amount::Count(max), reason, beyond, "log, and the error's code")
    };
    vec![
        row(
            "events of one window",
            Amount::Count(EVENTS_MAX),
            "a year of a room with fourteen meetings a day",
        ),
        row("text of the events of one window", Amount::Bytes(TEXT_BYTES_MAX), "1 KiB for each event"),
        row("pages of one window", Amount::Count(PAGES_MAX), "twice the full pages of the largest calendar"),
        list("elements of one page", PAGE_ELEMENTS_MAX, "Graph's largest `$top`"),
        list("changed dates of one series", EXCEPTIONS_MAX, "each date of thirteen years"),
        list("elements of another list", LIST_MAX, "Exchange takes 500 recipients by default"),
    ]
}

fn texts() -> Vec<LimitRow> {
    const UNREADABLE: &str = "the event is unreadable: it takes its time, and no action touches it";
    let row = |what, default, reason, beyond| {
        LimitRow::fixed("Text from Graph", what, Amount::Bytes(default), reason, beyond, "log")
    };
    vec![
        row("id, changeKey or iCalUId", event::ID_BYTES_MAX, "Graph's own have less than 600", UNREADABLE),
        row("subject", event::SUBJECT_BYTES_MAX, "Exchange takes 255 characters", UNREADABLE),
        row("organizer's name or address", event::PERSON_BYTES_MAX, "X.500 addresses have 1 KiB", UNREADABLE),
        row(
            "proxy address",
            directory::ADDRESS_BYTES_MAX,
            "RFC 5321, section 4.5.3.1",
            "the address is left out",
        ),
    ]
}

fn requests() -> Vec<LimitRow> {
    let row = |what, default, reason, beyond| {
        LimitRow::fixed(
            "Requests to Graph",
            what,
            default,
            reason,
            beyond,
            "`adjourn_exchange_requests_queued`",
        )
    };
    vec![
        row(
            "concurrent requests to one mailbox",
            Amount::Count(REQUESTS_PER_ROOM.get()),
            "what Outlook's services grant an application",
            "the request waits",
        ),
        row(
            "of them, reads",
            Amount::Count(REQUESTS_PER_ROOM.get() - 1),
            "a write never waits for reads",
            "the read waits",
        ),
        row(
            "events of one page",
            Amount::Count(request::PAGE_SIZE as usize),
            "some 200 KB, and far more with large meetings",
            "the next page is requested",
        ),
        row(
            "wait of a write for a busy server",
            Amount::time(WRITE_WAIT_MAX),
            "it was decided on a calendar that was read a moment ago",
            "the action decides again",
        ),
    ]
}

fn searches() -> Vec<LimitRow> {
    const UNKNOWN: &str = "the search proves nothing";
    let row = |what, default, reason| {
        LimitRow::fixed("Searches over Graph", what, Amount::Count(default), reason, UNKNOWN, "log")
    };
    vec![
        row(
            "pages of Sent Items",
            SENT_PAGES_MAX,
            "a room sends few messages in the minutes that are searched",
        ),
        row("pages of Deleted Items", DELETED_PAGES_MAX, "5 000 items, as over EWS"),
        row("pages of a room list", directory::PAGES_MAX, "5 000 rooms"),
    ]
}
