//! The table of limits. Each amount is the constant that the code uses, so that the table cannot differ from the program.

use super::evidence::EVIDENCE_MIB_MAX;
use super::init::{ANSWER_BYTES_MAX, ATTEMPTS_MAX};
use super::logos::LOGOS_MAX;
use super::time_argument::{TIME_BYTES_MAX, TIME_DAYS_MAX};
use crate::limits::{Amount, LimitRow};
use crate::{
    access, action, api, config, console, engine, ews, exchange, graph, journal, live, presence, service,
    store,
};

/// Every limit, by area.
pub(super) fn all() -> Vec<LimitRow> {
    [
        evidence(),
        presence_rest(),
        rooms(),
        service_rest(),
        webhooks(),
        tables(),
        journal_rows(),
        keys(),
        displays(),
        api::limits(),
        logos(),
        engine::limits(),
        exchange::limits(),
        graph::limits(),
        decoding(),
        command_line(),
    ]
    .concat()
}

fn evidence() -> Vec<LimitRow> {
    use Amount::{Bytes, Count};
    const REFUSED: &str = "`rejected` for the sign, `429` `evidence-full` for all; the room's meetings stay";
    const METRIC: &str = "`adjourn_evidence_refused_total{limit}`, log";
    let row = |what, default, reason| LimitRow::fixed("Evidence", what, default, reason, REFUSED, METRIC);
    vec![
        row(
            "evidence in all",
            Bytes(presence::EVIDENCE_BYTES_MAX),
            "5 000 rooms with thirty signs each; a sign merges an hour of one source",
        ),
        row(
            "of it, reserved for keys with little evidence",
            Bytes(presence::EVIDENCE_BYTES_RESERVED),
            "keys with much evidence cannot use up everything",
        ),
        row(
            "evidence of a key that counts as little",
            Bytes(presence::REPORTER_BYTES_LITTLE),
            "a display, or the badge reader of a floor",
        ),
        row(
            "evidence of one key",
            Bytes(presence::REPORTER_BYTES_MAX),
            "a sensor system of 5 000 rooms for two working days; every sign is kept for at least a day, so this is also \
             what a key may add per day",
        ),
        row("signs in one room", Count(presence::ROOM_SIGNS_MAX), "four keys at their limit"),
        row("evidence in one room", Bytes(presence::ROOM_BYTES_MAX), "four keys at their limit"),
        row(
            "signs of one key in one room",
            Count(presence::REPORTER_SIGNS_PER_ROOM_MAX),
            "ten sources that sense people for two days",
        ),
        row(
            "evidence of one key in one room",
            Bytes(presence::REPORTER_BYTES_PER_ROOM_MAX),
            "ten sources that sense people for two days",
        ),
        row(
            "signs of one key for one event that it names",
            Count(presence::REPORTER_SIGNS_PER_EVENT_MAX),
            "more than the badges of a lecture hall",
        ),
        LimitRow::fixed(
            "Evidence",
            "id or UID of an event in a sign or check-in",
            Bytes(presence::EVENT_REFERENCE_BYTES_MAX),
            "Exchange's own have less than 600",
            "`rejected`, or `400`",
            "`adjourn_http_requests_total{status}`",
        ),
    ]
}

fn presence_rest() -> Vec<LimitRow> {
    use Amount::{Bytes, Count};
    const SOURCES: &str = "`adjourn_evidence_sources_refused_total`";
    let file = |what, default, reason| {
        LimitRow::fixed(
            "Evidence files",
            what,
            default,
            reason,
            "the command ends with exit code 2 and changes nothing",
            "the error message",
        )
    };
    vec![
        LimitRow::fixed(
            "Sources",
            "sources of one room or group",
            Count(presence::SOURCES_PER_SCOPE_MAX),
            "displays, sensors and badge readers, with a margin",
            "a further source is ignored",
            SOURCES,
        ),
        LimitRow::fixed(
            "Sources",
            "of these, sources of one key",
            Count(presence::SOURCES_PER_REPORTER_MAX),
            "a key chooses its sources' names, and must leave some for others",
            "a further source is ignored",
            SOURCES,
        ),
        LimitRow::fixed(
            "Sources",
            "rooms whose sources are kept",
            Count(presence::WATCHED_ROOMS_MAX),
            "the largest organization; a scope that names a domain includes any address",
            "a further room has no sources of its own",
            SOURCES,
        ),
        LimitRow::fixed(
            "Sources",
            "event ids that are remembered",
            Count(presence::IDS_MAX),
            "a day of five thousand rooms",
            "a sign under a forgotten id matches nothing; its room's meetings stay",
            "`unmatched` in the answer",
        ),
        LimitRow::fixed(
            "Sources",
            "organizers remembered",
            Count(presence::ORGANIZERS_MAX),
            "the directory is queried again for the others",
            "all are forgotten",
            "requests to Exchange",
        ),
        file("signs", Count(presence::SIGNS_MAX), "a day of signs every ten seconds from five hundred rooms"),
        file("the file", Bytes(presence::EVIDENCE_FILE_BYTES_MAX), "five million signs are less"),
        file(
            "memory for the merged signs",
            Bytes(EVIDENCE_MIB_MAX << 20),
            "half a million check-ins, or an hour of motion for each",
        ),
        file("one sign", Bytes(presence::SIGN_IN_FILE_BYTES_MAX), "an endless line uses no memory"),
    ]
}

fn rooms() -> Vec<LimitRow> {
    use Amount::{Bytes, Count};
    const FULL: &str = "the room's state is unknown, and its meetings stay";
    let row = |what, default, reason, beyond, shown_by| {
        LimitRow::fixed("Rooms", what, default, reason, beyond, shown_by)
    };
    vec![
        row(
            "events of one room",
            Count(live::EVENTS_PER_ROOM_MAX),
            "one every three minutes of the local day and 36 hours ahead",
            FULL,
            "log",
        ),
        row(
            "texts of one room's events",
            Bytes(live::EVENT_TEXTS_PER_ROOM_MAX),
            "a thousand events with ordinary texts",
            FULL,
            "log",
        ),
        row(
            "memory that every room may use for events",
            Bytes(live::ROOM_EVENTS_BYTES_ORDINARY),
            "thirty events with ordinary texts",
            "larger calendars use the shared memory",
            "log",
        ),
        row(
            "memory that all rooms share beyond that",
            Bytes(live::ROOM_EVENTS_BYTES_BEYOND_MAX),
            "three thousand rooms with twice as many events",
            FULL,
            "log",
        ),
        row(
            "characters of a subject",
            Count(live::SUBJECT_CHARS_MAX),
            "as many as Exchange accepts",
            "the rest is cut",
            "nothing: it is only shown",
        ),
        row(
            "rooms in the cache",
            Count(live::ROOMS_KNOWN_MAX),
            "the largest organization; a scope that names a domain includes any address",
            "rooms that are not tracked and were not read for an hour are dropped",
            "`adjourn_rooms{mode}`",
        ),
        row(
            "immediate reads of one room in a row",
            Count(live::READ_BURST as usize),
            "a meeting is booked, moved, answered and ended",
            "the room is then read at an interval",
            "`adjourn_calendar_reads_deferred_total`",
        ),
        row(
            "read interval of a room that changes continually",
            Amount::time(live::READ_EVERY),
            "two hundred such rooms cost forty reads per second",
            "the next read sees the changes",
            "`adjourn_calendar_reads_deferred_total`",
        ),
    ]
}

fn service_rest() -> Vec<LimitRow> {
    use Amount::{Bytes, Count};
    let row = |what, default, reason, beyond, shown_by| {
        LimitRow::fixed("Service", what, default, reason, beyond, shown_by)
    };
    vec![
        row(
            "notices that an event stream may lag behind",
            Count(service::BACKLOG_MAX),
            "on the hour, something changes in every room",
            "the client receives `gap`",
            "`gap` in the stream",
        ),
        row(
            "notices kept for clients that reconnect",
            Bytes(service::BACKLOG_BYTES_MAX),
            "as many as a stream may lag behind, at 500 bytes each",
            "the client receives `gap`",
            "`gap` in the stream",
        ),
        row(
            "check-in responses kept for their idempotency keys",
            Count(service::CHECK_IN_ANSWERS_MAX),
            "an hour of the displays of five thousand rooms",
            "the oldest is dropped; a repeated check-in is another sign",
            "nothing: repeating a check-in changes nothing",
        ),
        row(
            "of these, responses of one API key",
            Count(service::CHECK_IN_ANSWERS_PER_KEY_MAX),
            "a backend of many displays",
            "the key's own oldest is dropped",
            "nothing: repeating a check-in changes nothing",
        ),
        row(
            "sweeps kept",
            Count(service::SWEEPS_KEPT_MAX),
            "a day of them",
            "the oldest finished one is dropped",
            "`404`",
        ),
        row(
            "events in the plans of kept sweeps",
            Count(service::PLANNED_EVENTS_MAX),
            "twenty events in each of 5 000 rooms",
            "the oldest finished sweep is dropped; the newest stays",
            "log",
        ),
        row(
            "announced or released meetings that are remembered",
            Count(service::REMEMBERED_EVENTS_MAX),
            "a day of the largest building",
            "all are forgotten; a release may be announced twice",
            "nothing",
        ),
        row(
            "candidates in an `ambiguous` problem",
            Count(action::CANDIDATES_MAX),
            "a person reads no longer list",
            "the response says that there are more",
            "the response",
        ),
    ]
}

fn webhooks() -> Vec<LimitRow> {
    const DROPPED: &str = "the oldest dropped notice is deleted; where there is none, the new one is dropped, which leaves a gap in the numbers";
    const METRIC: &str = "`adjourn_webhook_notices_dropped_total{webhook}`, log";
    let row = |what, default, reason, beyond, shown_by| {
        LimitRow::fixed("Webhooks", what, default, reason, beyond, shown_by)
    };
    vec![
        row(
            "webhooks",
            Amount::Count(service::WEBHOOKS_MAX),
            "each has a queue in the service store, a task and four connections",
            "the configuration is refused",
            "the error message",
        ),
        row(
            "stored notices of one webhook",
            Amount::Count(store::OUTBOX_NOTICES_MAX),
            "an hour without the receiver in the largest organization, a day in one of two hundred rooms",
            DROPPED,
            METRIC,
        ),
        row(
            "bytes of stored notices of one webhook",
            Amount::Bytes(store::OUTBOX_BYTES_MAX),
            "ten thousand notices of 1 600 bytes",
            DROPPED,
            METRIC,
        ),
        row(
            "time in which a notice is sent again",
            delta(service::WEBHOOK_DELIVERY_MAX),
            "a receiver that is down overnight misses nothing",
            "the notice is dropped, which leaves a gap in the numbers",
            METRIC,
        ),
        row(
            "time that a dropped notice stays stored",
            delta(store::DROPPED_KEPT),
            "`adjourn webhook redeliver` on the next working day",
            "the notice is deleted",
            "`adjourn webhook list`",
        ),
        row(
            "pause between two attempts, and `Retry-After` that is obeyed",
            Amount::time(service::WEBHOOK_BACK_OFF_MAX),
            "a receiver that is back waits no longer for its notices",
            "the attempt is made",
            "`adjourn webhook list`, log",
        ),
    ]
}

fn delta(time: chrono::TimeDelta) -> Amount {
    Amount::time(time.to_std().unwrap_or_default())
}

fn tables() -> Vec<LimitRow> {
    let row = |bound: &store::TableBound| {
        let (default, log) = (Amount::Count(bound.rows), "log");
        LimitRow::fixed(
            "Service store",
            bound.what,
            default,
            bound.reason,
            "the oldest rows are deleted",
            log,
        )
    };
    store::TABLE_BOUNDS.iter().map(row).collect()
}

fn journal_rows() -> Vec<LimitRow> {
    let row = |what, default, reason, beyond, shown_by| {
        LimitRow::fixed("Journal", what, default, reason, beyond, shown_by)
    };
    vec![
        row(
            "closed actions of a journal in memory",
            Amount::Count(journal::MEMORY_CLOSED_MAX),
            "a demo that runs for weeks",
            "the oldest closed action is dropped",
            "log, once",
        ),
        row(
            "entries of a journal in memory",
            Amount::Count(journal::MEMORY_ENTRIES_MAX),
            "three for each action",
            "the oldest entry is dropped",
            "log, once",
        ),
        row(
            "admin events that one query reads",
            Amount::Count(journal::ADMIN_EVENTS_READ_MAX),
            "the cost of a query",
            "the response names the number at which to continue",
            "the response",
        ),
        row(
            "admin events of the command line that wait for the journal",
            Amount::Count(store::PENDING_MAX),
            "years of key changes without a running service",
            "the key is not changed, exit code 8",
            "the error message",
        ),
        row(
            "addresses whose failed authentication is counted separately",
            Amount::Count(service::REFUSED_ADDRESSES_MAX),
            "clients choose how many there are; each is one admin event per ten minutes",
            "all others share one count",
            "`adjourn_http_authentication_failures_total`",
        ),
    ]
}

fn displays() -> Vec<LimitRow> {
    const METRIC: &str = "`adjourn_http_requests_total{status}`";
    let row =
        |what, default, reason, beyond| LimitRow::fixed("Displays", what, default, reason, beyond, METRIC);
    let time = |span: chrono::TimeDelta| Amount::time(span.to_std().unwrap_or_default());
    vec![
        row(
            "paired displays",
            Amount::Count(store::DISPLAYS_MAX),
            "one for each of 5 000 rooms",
            "`503` for the operator; the code stays valid",
        ),
        row(
            "displays that wait to be paired",
            Amount::Count(service::PAIRINGS_MAX),
            "those of a large building that are set up on one day",
            "`503`; the display tries again",
        ),
        row(
            "of one address (behind a proxy: no limit of its own)",
            Amount::Count(service::PAIRINGS_PER_ADDRESS_MAX),
            "one client cannot use up all",
            "`429`; the display tries again",
        ),
        row(
            "time for which a pairing code is valid",
            time(service::PAIRING_TTL),
            "an operator walks to the display",
            "the display shows a new code",
        ),
        row(
            "wrong codes of one key in ten minutes",
            Amount::Count(service::WRONG_CODES_MAX as usize),
            "typing errors; guessing one of a million codes is hopeless",
            "`429` with `Retry-After`",
        ),
    ]
}

fn keys() -> Vec<LimitRow> {
    let row = |what, default, reason, beyond| {
        LimitRow::fixed("API keys", what, default, reason, beyond, "the error message")
    };
    vec![
        row(
            "valid keys",
            Amount::Count(store::KEYS_MAX),
            "two for each display of 5 000 rooms",
            "`adjourn key add` ends with exit code 1; `422` `too-many-keys`",
        ),
        row(
            "room patterns of one key",
            Amount::Count(store::KEY_PATTERNS_MAX),
            "each is compared with every room",
            "`adjourn key add` ends with exit code 2; `400`",
        ),
        row(
            "characters of a room pattern",
            Amount::Count(access::ROOM_PATTERN_CHARS_MAX),
            "the longest mail address",
            "`adjourn key add` ends with exit code 2; `400`",
        ),
        row(
            "character comparisons that prove a key to be within the rooms of its creator (`/v1/keys`)",
            Amount::Count(access::COVER_STEPS_MAX),
            "a thousand addresses under a handful of patterns take some ten thousand",
            "`403`; a key in force is not listed",
        ),
    ]
}

fn logos() -> Vec<LimitRow> {
    let row = |what, default, reason| {
        LimitRow::fixed(
            "Console",
            what,
            default,
            reason,
            "the service refuses the configuration",
            "the error message",
        )
    };
    vec![
        row(
            "bytes of a logo",
            Amount::Bytes(console::LOGO_BYTES_MAX),
            "every display of the group fetches it",
        ),
        row(
            "different logos",
            Amount::Count(LOGOS_MAX),
            "they stay in memory; one for each tenant of a building",
        ),
    ]
}

fn command_line() -> Vec<LimitRow> {
    use Amount::{Bytes, Count};
    let row = |what, default, reason, beyond, shown_by| {
        LimitRow::fixed("Command line", what, default, reason, beyond, shown_by)
    };
    vec![
        row(
            "errors that `config check` lists",
            Count(config::CHECK_ERRORS_MAX),
            "a file with more is no configuration of Adjourn",
            "the first ones that were found are listed",
            "the list",
        ),
        row(
            "a time in an option",
            Bytes(TIME_BYTES_MAX),
            "the longest form is shorter",
            "refused, with the forms",
            "exit code 2",
        ),
        row(
            "days that `ago` and `in` reach",
            Count(TIME_DAYS_MAX),
            "a hundred years",
            "refused",
            "exit code 2",
        ),
        row(
            "an answer to a question of `init`",
            Bytes(ANSWER_BYTES_MAX),
            "a line of many rooms",
            "the rest is the next answer",
            "the next question",
        ),
        row(
            "wrong answers to one question of `init`",
            Count(ATTEMPTS_MAX),
            "a program answers, not a person",
            "`init` ends and names the flag; nothing is written",
            "exit code 2",
        ),
    ]
}

fn decoding() -> Vec<LimitRow> {
    let limits = ews::codec::DecodeLimits::default();
    const REFUSED: &str = "Adjourn reports an error and changes nothing";
    let row = |what, default, reason| {
        LimitRow::fixed("Responses of Exchange", what, default, reason, REFUSED, "log")
    };
    vec![
        row(
            "nesting depth of elements",
            Amount::Count(limits.depth_max),
            "Exchange's responses have less than twenty",
        ),
        row(
            "attributes of one tag",
            Amount::Count(limits.attributes_max),
            "Exchange's tags have less than ten",
        ),
        row("namespaces in scope", Amount::Count(limits.namespaces_max), "Exchange declares less than ten"),
    ]
}
