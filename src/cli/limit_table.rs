//! The limits on what adds up, as one table. Each amount is the constant that the code uses, so that the table cannot differ from
//! the program.

use super::evidence::EVIDENCE_MIB_MAX;
use crate::limits::{Amount, LimitRow};
use crate::{action, api, ews, exchange, journal, live, presence, service, store};

/// Every limit, by area.
pub(super) fn all() -> Vec<LimitRow> {
    [
        evidence(),
        presence_rest(),
        rooms(),
        service_rest(),
        webhook(),
        tables(),
        journal_rows(),
        keys(),
        api::limits(),
        exchange::limits(),
        decoding(),
    ]
    .concat()
}

fn evidence() -> Vec<LimitRow> {
    use Amount::{Bytes, Count};
    const REFUSED: &str = "`rejected` for the sign, `429` `evidence-full` for all; the room's meetings stay";
    const METRIC: &str = "`adjourn_evidence_refused_total{bound}`, log";
    let row = |what, default, reason| LimitRow::fixed("Evidence", what, default, reason, REFUSED, METRIC);
    vec![
        row(
            "evidence in all",
            Bytes(presence::EVIDENCE_BYTES_MAX),
            "5 000 rooms with thirty signs each; a sign merges an hour of one source",
        ),
        row(
            "of it, only for keys with little evidence",
            Bytes(presence::EVIDENCE_BYTES_RESERVED),
            "keys with much evidence do not shut out the others",
        ),
        row(
            "evidence of a key that has little",
            Bytes(presence::REPORTER_BYTES_LITTLE),
            "a display, or the badge reader of a floor",
        ),
        row(
            "evidence of one key",
            Bytes(presence::REPORTER_BYTES_MAX),
            "a sensor system of 5 000 rooms for two working days; every sign stays for at least a day, so this is also \
             what a key may add in a day",
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
            "the command ends with exit code 2, and touches nothing",
            "its message",
        )
    };
    vec![
        LimitRow::fixed(
            "Sources",
            "sources of one room or group",
            Count(presence::SOURCES_PER_SCOPE_MAX),
            "displays, sensors, badge readers, and room to spare",
            "a further source watches nothing",
            SOURCES,
        ),
        LimitRow::fixed(
            "Sources",
            "of these, sources of one key",
            Count(presence::SOURCES_PER_REPORTER_MAX),
            "a key names its sources as it likes, and leaves places for others",
            "a further source watches nothing",
            SOURCES,
        ),
        LimitRow::fixed(
            "Sources",
            "rooms of which sources are kept",
            Count(presence::WATCHED_ROOMS_MAX),
            "the largest house; a scope that names a domain holds any address",
            "a further room has no sources of its own",
            SOURCES,
        ),
        LimitRow::fixed(
            "Sources",
            "ids of events that are remembered",
            Count(presence::IDS_MAX),
            "a day of five thousand rooms",
            "a sign under a forgotten id matches nothing; its room's meetings stay",
            "`unmatched` in the answer",
        ),
        LimitRow::fixed(
            "Sources",
            "organizers remembered",
            Count(presence::ORGANIZERS_MAX),
            "the directory is asked again for the others",
            "all are forgotten",
            "requests to Exchange",
        ),
        file("signs", Count(presence::SIGNS_MAX), "a day of signs every ten seconds from five hundred rooms"),
        file("the file", Bytes(presence::EVIDENCE_FILE_BYTES_MAX), "five million signs are less"),
        file(
            "memory for the signs, merged",
            Bytes(EVIDENCE_MIB_MAX << 20),
            "half a million check-ins, or an hour of motion for each",
        ),
        file("one sign", Bytes(presence::SIGN_IN_FILE_BYTES_MAX), "a line without an end takes no memory"),
    ]
}

fn rooms() -> Vec<LimitRow> {
    use Amount::{Bytes, Count};
    const FULL: &str = "the room is too full to judge: its state is unknown, and its meetings stay";
    let row = |what, default, reason, beyond, shown_by| {
        LimitRow::fixed("Rooms", what, default, reason, beyond, shown_by)
    };
    vec![
        row(
            "events of one room",
            Count(live::EVENTS_PER_ROOM_MAX),
            "one every two minutes of 36 hours",
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
            "events that every room may have, in bytes",
            Bytes(live::ROOM_EVENTS_BYTES_ORDINARY),
            "thirty events with ordinary texts",
            "larger calendars use the memory that all rooms share",
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
            "as many as Exchange lets people type",
            "the rest is cut",
            "nothing: it is only shown",
        ),
        row(
            "rooms of which anything is known",
            Count(live::ROOMS_KNOWN_MAX),
            "the largest house; a scope that names a domain holds any address",
            "rooms that are not followed and were not read for an hour are forgotten",
            "`adjourn_rooms{follows}`",
        ),
        row(
            "readings of a room that follow each other at once",
            Count(live::READ_BURST as usize),
            "a meeting is booked, moved, answered and ended",
            "then the room is read at an interval",
            "`adjourn_calendar_reads_deferred_total`",
        ),
        row(
            "interval of a room that changes all the time",
            Amount::time(live::READ_EVERY),
            "two hundred such rooms cost forty readings a second",
            "changes meanwhile are seen by the next reading",
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
            "notices a listener may be behind",
            Count(service::BACKLOG_MAX),
            "on the hour, something changes in every room",
            "the listener receives `missed`",
            "`missed` in the stream",
        ),
        row(
            "notices kept for listeners who come back",
            Bytes(service::BACKLOG_BYTES_MAX),
            "as many as a listener may be behind, at 500 bytes each",
            "the listener receives `missed`",
            "`missed` in the stream",
        ),
        row(
            "check-ins whose answers are repeated under their idempotency key",
            Count(service::CHECK_IN_ANSWERS_MAX),
            "an hour of the displays of five thousand rooms",
            "the oldest is forgotten; a repetition is another sign",
            "nothing: a repetition changes nothing",
        ),
        row(
            "of these, answers of one key",
            Count(service::CHECK_IN_ANSWERS_PER_KEY_MAX),
            "a backend of many displays",
            "the key's own oldest is forgotten",
            "nothing: a repetition changes nothing",
        ),
        row(
            "sweeps remembered",
            Count(service::SWEEPS_KEPT_MAX),
            "a day of them",
            "the oldest that is over is forgotten",
            "`404`",
        ),
        row(
            "events in the plans of remembered sweeps",
            Count(service::PLANNED_EVENTS_MAX),
            "twenty events in each of 5 000 rooms",
            "the oldest sweep that is over is forgotten; the newest stays",
            "log",
        ),
        row(
            "meetings that were announced or released, remembered",
            Count(service::REMEMBERED_EVENTS_MAX),
            "a day of the largest building",
            "all are forgotten; a release may be announced twice",
            "nothing",
        ),
        row(
            "candidates in an ambiguous answer",
            Count(action::CANDIDATES_MAX),
            "a person reads no longer list",
            "the answer says that there are more",
            "the answer",
        ),
    ]
}

fn webhook() -> Vec<LimitRow> {
    const DROPPED: &str = "a notice is dropped; its number is missing";
    const METRIC: &str = "`adjourn_webhook_notices_dropped_total`, log";
    let row = |what, default, reason| LimitRow::fixed("Webhook", what, default, reason, DROPPED, METRIC);
    vec![
        row(
            "notices that wait",
            Amount::Count(store::OUTBOX_NOTICES_MAX),
            "an hour without the receiver in the largest house",
        ),
        row(
            "bytes of notices that wait",
            Amount::Bytes(store::OUTBOX_BYTES_MAX),
            "ten thousand notices of 1 600 bytes",
        ),
    ]
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
            "the oldest closed action is forgotten",
            "log, once",
        ),
        row(
            "entries of a journal in memory",
            Amount::Count(journal::MEMORY_ENTRIES_MAX),
            "three for each action",
            "the oldest entry is forgotten",
            "log, once",
        ),
        row(
            "admin events that one query reads",
            Amount::Count(journal::ADMIN_EVENTS_READ_MAX),
            "the cost of a query",
            "the answer names the number at which to go on",
            "the answer",
        ),
        row(
            "admin events of the command line that wait for the journal",
            Amount::Count(store::PENDING_MAX),
            "years of changes of keys without a service",
            "the key is not changed, exit code 8",
            "its message",
        ),
        row(
            "addresses whose refused sign-ins are counted apart",
            Amount::Count(service::REFUSED_ADDRESSES_MAX),
            "strangers choose how many there are; each is one admin event in ten minutes",
            "all others share one count",
            "`adjourn_sign_ins_refused_total`",
        ),
    ]
}

fn keys() -> Vec<LimitRow> {
    let row = |what, default, reason, beyond| {
        LimitRow::fixed("API keys", what, default, reason, beyond, "its message")
    };
    vec![
        row(
            "keys in force",
            Amount::Count(store::KEYS_MAX),
            "two for each display of 5 000 rooms",
            "`adjourn key add` ends with exit code 1",
        ),
        row(
            "patterns of rooms of one key",
            Amount::Count(store::KEY_PATTERNS_MAX),
            "each is compared with every room",
            "`adjourn key add` ends with exit code 2",
        ),
    ]
}

fn decoding() -> Vec<LimitRow> {
    let limits = ews::codec::DecodeLimits::default();
    const REFUSED: &str = "Adjourn reports an error and changes nothing";
    let row =
        |what, default, reason| LimitRow::fixed("Answers of Exchange", what, default, reason, REFUSED, "log");
    vec![
        row(
            "elements inside one another",
            Amount::Count(limits.depth_max),
            "Exchange's answers have less than twenty",
        ),
        row(
            "attributes of one tag",
            Amount::Count(limits.attributes_max),
            "Exchange's tags have less than ten",
        ),
        row(
            "namespaces in force at once",
            Amount::Count(limits.namespaces_max),
            "Exchange declares less than ten",
        ),
    ]
}
