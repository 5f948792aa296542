//! Every fate of a write: done, gone, in conflict, throttled, refused, unproven, in doubt. One request for each step.

use adjourn::action::{Notify, Step};
use adjourn::before_send::Unconditional;
use adjourn::calendar::{ChangeKey, EventId, Uid};
use adjourn::engine::{CalendarWriter as _, ErrorKind, WriteOutcome, WriteReport};
use adjourn_test::{TooLate, aurora};
use serde_json::json;

use crate::conversation::{at, error, error_with, event, graph, lines, ok, page, time};
use crate::script::{Reaction, ScriptedServer};

const EVENT: &str = "/v1.0/users/aurora%40example.com/events/A%3D";
const VIEW: &str = "GET /v1.0/users/aurora%40example.com/calendarView";

fn id() -> (EventId, ChangeKey) {
    (EventId::new("A="), ChangeKey::new("k1"))
}

fn shorten() -> Step {
    let (id, change_key) = id();
    Step::SetEnd { id, change_key, end: at(9, 30), notify: Notify::Nobody }
}

fn decline() -> Step {
    let (id, change_key) = id();
    Step::Decline { id, change_key, text: Some("Released.".to_owned()) }
}

fn cancel() -> Step {
    let (id, change_key) = id();
    Step::Cancel { id, change_key, text: None }
}

fn remove() -> Step {
    let (id, change_key) = id();
    Step::Remove { id, change_key }
}

fn book() -> Step {
    Step::Book { uid: Uid::new("adjourn-1"), start: at(9, 0), end: at(9, 30), subject: "Booked".to_owned() }
}

fn shortened() -> Reaction {
    let mut event = event("A=", "k2");
    event["end"] = time(at(9, 30));
    ok(&event)
}

fn empty(status: u16) -> Reaction {
    Reaction::Answer(status, "request-id: theirs-1\r\n", Vec::new())
}

/// The event and the calendar as they are read before a step whose version Graph does not compare, and the rest.
fn after_reads(rest: Reaction) -> Vec<Reaction> {
    vec![ok(&event("A=", "k1")), page(&[event("A=", "k1")]), rest]
}

async fn written(reactions: Vec<Reaction>, step: &Step) -> (WriteReport, ScriptedServer) {
    let script = ScriptedServer::start(reactions).await;
    let report = graph(&script).write(&aurora(), step, &Unconditional).await;
    (report, script)
}

#[tokio::test]
async fn an_end_is_set_in_one_request_that_names_the_version() {
    let (report, script) = written(vec![shortened()], &shorten()).await;
    assert_eq!(report.outcome, WriteOutcome::Done);
    assert_eq!(lines(&script), [format!("PATCH {EVENT}")]);
    let request = script.requests().join("").to_lowercase();
    for part in [
        "if-match: w/\"k1\"",
        "authorization: bearer token-1",
        "prefer: idtype=\"immutableid\", outlook.timezone=\"utc\"",
        "return-client-request-id: true",
        "accept-encoding: gzip",
        r#"{"end":{"datetime":"2026-10-05t09:30:00","timezone":"utc"}}"#,
    ] {
        assert!(request.contains(part), "{part}: {request}");
    }
    let ids = &report.requests[0];
    assert!(request.contains(&format!("client-request-id: {}", ids.ours)));
    assert_eq!((report.requests.len(), ids.theirs.as_deref()), (1, Some("theirs-1")));
}

#[tokio::test]
async fn a_write_that_may_not_leave_any_more_is_not_sent() {
    for (step, reactions, read) in [(shorten(), vec![shortened()], 0), (remove(), after_reads(empty(204)), 2)]
    {
        let script = ScriptedServer::start(reactions).await;
        let report = graph(&script).write(&aurora(), &step, &TooLate).await;
        assert!(matches!(report.outcome, WriteOutcome::Throttled(_)), "{report:?}");
        assert_eq!((report.requests.len(), lines(&script).len()), (0, read), "{step:?}");
    }
}

#[tokio::test]
async fn a_write_whose_response_is_lost_is_in_doubt_and_never_sent_again() {
    for lost in [Reaction::Drop, Reaction::Silence, Reaction::Half(vec![b' '; 100])] {
        for step in [shorten(), book()] {
            let (report, script) = written(vec![lost.clone()], &step).await;
            assert!(matches!(report.outcome, WriteOutcome::InDoubt(_)), "{:?}", report.outcome);
            assert_eq!((script.requests().len(), report.requests.len()), (1, 1));
        }
    }
}

#[tokio::test]
async fn a_failed_server_leaves_a_write_in_doubt() {
    for (status, code) in [
        (500, "ErrorInternalServerError"),
        (502, "UnknownError"),
        (503, "ServiceUnavailable"),
        (504, "GatewayTimeout"),
    ] {
        let (report, script) = written(vec![error(status, code)], &shorten()).await;
        assert!(matches!(report.outcome, WriteOutcome::InDoubt(_)), "{status}: {:?}", report.outcome);
        assert_eq!(script.requests().len(), 1, "{status}");
        assert_eq!(report.requests[0].theirs.as_deref(), Some("theirs-of-body"));
    }
}

#[tokio::test]
async fn a_changed_event_is_a_conflict_and_a_missing_one_is_gone() {
    for status in [409, 412] {
        let (report, _) = written(vec![error(status, "ErrorIrresolvableConflict")], &shorten()).await;
        assert_eq!(report.outcome, WriteOutcome::Conflict);
    }
    let (report, _) = written(vec![error(404, "ErrorItemNotFound")], &shorten()).await;
    assert_eq!(report.outcome, WriteOutcome::Gone);
}

#[tokio::test]
async fn a_conflict_proves_nothing_for_a_step_whose_version_is_not_compared() {
    for status in [409, 412] {
        let conflict = error(status, "ErrorIrresolvableConflict");
        for (reactions, step) in [
            (after_reads(conflict.clone()), decline()),
            (after_reads(conflict.clone()), remove()),
            (vec![conflict], book()),
        ] {
            let (report, _) = written(reactions, &step).await;
            assert!(matches!(report.outcome, WriteOutcome::Unproven(_)), "{status}: {:?}", report.outcome);
        }
    }
    for refusal in [error(409, "AFutureCode"), Reaction::Answer(409, "", b"<html>".to_vec())] {
        let (report, _) = written(vec![refusal], &shorten()).await;
        assert!(matches!(report.outcome, WriteOutcome::Unproven(_)), "{:?}", report.outcome);
    }
    let (report, _) = written(vec![error(412, "AFutureCode")], &shorten()).await;
    assert_eq!(report.outcome, WriteOutcome::Conflict);
}

#[tokio::test]
async fn throttling_is_waited_out_even_for_a_write() {
    let busy = [
        error_with(429, "Retry-After: 0\r\n", "ApplicationThrottled"),
        error_with(503, "Retry-After: 0\r\n", "ServiceUnavailable"),
    ];
    let (report, script) = written([busy.as_slice(), &[shortened()]].concat(), &shorten()).await;
    assert_eq!((report.outcome, script.requests().len()), (WriteOutcome::Done, 3));
    assert_eq!(report.requests.len(), 3);
}

#[tokio::test]
async fn a_write_waits_for_a_moment_only_and_nothing_was_done() {
    let busy = error_with(429, "Retry-After: 3600\r\n", "TooManyRequests");
    for step in [shorten(), book()] {
        let (report, script) = written(vec![busy.clone()], &step).await;
        let WriteOutcome::Throttled(error) = report.outcome else { panic!("{:?}", report.outcome) };
        assert_eq!((error.kind, script.requests().len()), (ErrorKind::Busy, 1));
    }
}

#[tokio::test]
async fn a_refusal_names_its_cause_and_only_known_codes_prove_that_nothing_was_done() {
    for (status, code, kind) in [
        (403, "ErrorAccessDenied", ErrorKind::Denied),
        (404, "MailboxNotEnabledForRESTAPI", ErrorKind::WrongServer),
        (404, "ErrorInvalidUser", ErrorKind::NoMailbox),
        (400, "ErrorOccurrenceCrossingBoundary", ErrorKind::Forbidden),
    ] {
        let (report, _) = written(vec![error(status, code)], &shorten()).await;
        let WriteOutcome::NotApplied(error) = report.outcome else { panic!("{code}: {:?}", report.outcome) };
        assert_eq!(error.kind, kind, "{code}");
    }
    for refusal in [
        error(400, "AFutureCode"),
        error(403, "ErrorQuotaExceeded"),
        Reaction::Answer(404, "", b"<html>".to_vec()),
    ] {
        let (report, _) = written(vec![refusal], &shorten()).await;
        assert!(matches!(report.outcome, WriteOutcome::Unproven(_)), "{:?}", report.outcome);
    }
}

#[tokio::test]
async fn a_rejected_token_did_nothing() {
    let (report, script) = written(vec![error(401, "InvalidAuthenticationToken")], &shorten()).await;
    let WriteOutcome::NotApplied(error) = report.outcome else { panic!("{:?}", report.outcome) };
    assert_eq!((error.kind, script.requests().len()), (ErrorKind::Token, 1));
}

#[tokio::test]
async fn a_success_that_does_not_show_the_change_is_in_doubt() {
    let others = [
        ok(&event("A=", "k2")),
        ok(&event("B=", "k2")),
        empty(200),
        Reaction::Answer(200, "", b"<html>".to_vec()),
    ];
    for other in others {
        let (report, script) = written(vec![other], &shorten()).await;
        assert!(matches!(report.outcome, WriteOutcome::InDoubt(_)), "{:?}", report.outcome);
        assert_eq!(script.requests().len(), 1);
    }
    let (report, _) = written(after_reads(empty(200)), &decline()).await;
    assert!(matches!(report.outcome, WriteOutcome::InDoubt(_)), "{:?}", report.outcome);
}

#[tokio::test]
async fn an_unguarded_step_reads_the_event_right_before_it() {
    for (step, status, request) in [
        (decline(), 202, format!("POST {EVENT}/decline")),
        (cancel(), 202, format!("POST {EVENT}/cancel")),
        (remove(), 204, format!("DELETE {EVENT}")),
    ] {
        let (report, script) = written(after_reads(empty(status)), &step).await;
        assert_eq!(report.outcome, WriteOutcome::Done, "{request}");
        assert_eq!(lines(&script), [format!("GET {EVENT}"), VIEW.to_owned(), request]);
        assert_eq!(report.requests.len(), 1, "a read is no request of the step");
    }
}

#[tokio::test]
async fn an_unguarded_step_is_not_sent_to_a_changed_or_missing_event() {
    for step in [decline(), cancel(), remove()] {
        for (before, outcome) in [
            (vec![ok(&event("A=", "k2")), page(&[event("A=", "k2")])], WriteOutcome::Conflict),
            (vec![error(404, "ErrorItemNotFound")], WriteOutcome::Gone),
        ] {
            let (report, script) = written(before, &step).await;
            assert_eq!(report.outcome, outcome);
            assert!(lines(&script).iter().all(|line| line.starts_with("GET ")) && report.requests.is_empty());
        }
        let (report, script) = written(vec![error(403, "ErrorAccessDenied")], &step).await;
        assert!(matches!(report.outcome, WriteOutcome::NotApplied(_)), "{:?}", report.outcome);
        assert_eq!(script.requests().len(), 1);
    }
}

#[tokio::test]
async fn an_unguarded_step_whose_response_is_lost_is_in_doubt() {
    for step in [decline(), cancel(), remove()] {
        let (report, script) = written(after_reads(Reaction::Drop), &step).await;
        assert!(matches!(report.outcome, WriteOutcome::InDoubt(_)), "{:?}", report.outcome);
        assert_eq!(script.requests().len(), 3);
    }
}

#[tokio::test]
async fn an_unguarded_step_is_not_sent_again_to_a_busy_server() {
    for step in [decline(), cancel(), remove()] {
        for (status, code) in [(429, "ApplicationThrottled"), (503, "ServiceUnavailable")] {
            let busy = error_with(status, "Retry-After: 0\r\n", code);
            let (report, script) = written([after_reads(busy), vec![empty(204)]].concat(), &step).await;
            assert!(matches!(report.outcome, WriteOutcome::Throttled(_)), "{:?}", report.outcome);
            assert_eq!(script.requests().len(), 3, "the engine reads before it decides again");
        }
    }
}

#[tokio::test]
async fn a_busy_page_of_another_server_leaves_a_write_in_doubt() {
    for status in [429, 503] {
        let page = Reaction::Answer(status, "Retry-After: 0\r\n", b"<html>".to_vec());
        for (reactions, step) in [(vec![page.clone()], shorten()), (after_reads(page), remove())] {
            let (report, _) = written(reactions, &step).await;
            assert!(matches!(report.outcome, WriteOutcome::InDoubt(_)), "{:?}", report.outcome);
        }
    }
}

#[tokio::test]
async fn an_unguarded_step_is_not_sent_to_an_event_outside_the_calendar() {
    for step in [decline(), cancel(), remove()] {
        let (get, view) = (ok(&event("A=", "k1")), page(&[]));
        let (report, script) = written(vec![get.clone(), view, get], &step).await;
        assert_eq!((report.outcome, report.requests.len()), (WriteOutcome::Gone, 0));
        assert!(lines(&script).iter().all(|line| line.starts_with("GET ")));
    }
}

#[tokio::test]
async fn a_booking_has_its_uid_as_transaction_id() {
    let created = json!({
        "id": "N", "changeKey": "k1", "transactionId": "adjourn-1", "start": time(at(9, 0)), "end": time(at(9, 30)),
    });
    let answer = Reaction::Answer(201, "", created.to_string().into());
    let (report, script) = written(vec![answer], &book()).await;
    assert_eq!(report.outcome, WriteOutcome::Done);
    assert_eq!(lines(&script), ["POST /v1.0/users/aurora%40example.com/events"]);
    assert!(script.requests()[0].contains(r#""transactionId":"adjourn-1""#));
}

#[tokio::test]
async fn no_event_is_moved_back() {
    let (id, change_key) = id();
    let (report, script) = written(vec![empty(200)], &Step::MoveBack { id, change_key }).await;
    assert!(matches!(report.outcome, WriteOutcome::NotApplied(_)), "{:?}", report.outcome);
    assert_eq!(script.requests().len(), 0);
}
