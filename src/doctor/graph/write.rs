//! The write test over Graph: creates an event far ahead, repeats the request, changes the event with its version and with a stale one,
//! and removes it. So it proves the right, and what Adjourn relies on: that `transactionId` and `If-Match` work.
//!
//! It never changes another event's values, and never leaves its own event without naming it in the finding.

use chrono::{DateTime, Utc};

use super::super::end_update::check_end_only_update;
use super::super::test_event::{LENGTH, SUBJECT, TestEvent, WriteTestFailure, done};
use super::super::{FindingId, FindingStatus, Findings};
use super::{GRANT, GraphDoctorTarget};
use crate::calendar::{ChangeKey, EventId, RoomAddress};
use crate::engine::{CalendarError, WriteOutcome};
use crate::graph::{Graph, RequestError};

/// Attempts of a change: Graph reports conflicts of its own making at times.
const CHANGE_TRIES: u32 = 3;
/// Test events that are removed at most: one, and one for a repeated request.
const EVENTS_MAX: u32 = 2;
const NO_CREATE: &str = "cannot create an event";
const NO_CHANGE: &str = "can create an event but not change it";

/// Runs the write test, if one is requested.
pub(super) async fn check_write_access(
    target: &GraphDoctorTarget,
    now: DateTime<Utc>,
    findings: &mut Findings,
) {
    let Some(room) = &target.write_test_room else {
        findings.add("write", FindingStatus::Skip, "not requested (--write-test ROOM)");
        return;
    };
    let graph = &*target.graph;
    match run_write_test(graph, &TestEvent::new(graph, room, now, GRANT)).await {
        Ok(found_deleted) => {
            report_passed(room, found_deleted, findings);
            check_end_only_update(graph, room, now, findings).await;
        }
        Err(failed) => failed.report(room, findings),
    }
}

fn report_passed(room: &RoomAddress, is_found_deleted: bool, findings: &mut Findings) {
    let afterwards = match is_found_deleted {
        false => "Graph no longer finds it by its id",
        true => "Graph still finds it by its id, in Deleted Items",
    };
    let says = format!(
        "created an event, got the same one for the repeated request, shortened it, was refused with a stale If-Match, and removed \
         it; {afterwards}"
    );
    findings.add("write", FindingStatus::Pass, says).room = Some(room.to_string());
}

/// Whether Graph finds the removed event by its id.
async fn run_write_test(graph: &Graph, test: &TestEvent<'_>) -> Result<bool, WriteTestFailure> {
    let id = match create(graph, test).await {
        Ok(id) => id,
        Err(failed) if failed.id == FindingId::WriteDenied => return Err(failed),
        // Graph may have created it all the same.
        Err(failed) => {
            let removed = remove_all(test).await;
            return Err(if removed.is_ok() { failed } else { test.left_behind(failed) });
        }
    };
    let checked = check_requests(graph, test, &id).await;
    match remove_all(test).await {
        Ok(0) => checked.and(Err(test.missing())),
        Ok(_) => {
            checked?;
            let found = graph.finds_in_any_folder(test.room, &id).await;
            found.map_err(|error| failure(error, "cannot look up the removed event", test))
        }
        Err(failed) => Err(test.left_behind(failed)),
    }
}

async fn create(graph: &Graph, test: &TestEvent<'_>) -> Result<EventId, WriteTestFailure> {
    let times = (test.start, test.end());
    let created = graph.create_event(test.room, &test.uid, times, SUBJECT).await;
    created.map_err(|error| failure(error, NO_CREATE, test))
}

fn failure(error: RequestError, what: &str, test: &TestEvent<'_>) -> WriteTestFailure {
    WriteTestFailure::of(CalendarError::from(error), what, test.no_right)
}

/// The repeated request, a change, and a change with a stale version.
async fn check_requests(graph: &Graph, test: &TestEvent<'_>, id: &EventId) -> Result<(), WriteTestFailure> {
    if create(graph, test).await? != *id {
        return Err(violation(
            FindingId::RepeatedBookingDuplicated,
            "Graph created a second event for a repeated request with the same transactionId",
            "do not book over this connection: a booking whose response was lost would be doubled. Report it to Microsoft",
        ));
    }
    let stale = shorten(test).await?;
    check_stale_version(test, &stale).await
}

/// Shortens the event, and returns its version before the change.
async fn shorten(test: &TestEvent<'_>) -> Result<ChangeKey, WriteTestFailure> {
    let mut tries = 0;
    loop {
        let made = test.read().await?;
        let outcome = test.set_end(&made, &made.change_key, test.start + LENGTH / 2).await;
        tries += 1;
        if outcome == WriteOutcome::Conflict && tries < CHANGE_TRIES {
            continue;
        }
        return done(outcome, NO_CHANGE, test.no_right).map(|()| made.change_key);
    }
}

async fn check_stale_version(test: &TestEvent<'_>, stale: &ChangeKey) -> Result<(), WriteTestFailure> {
    let before = test.read().await?;
    let outcome = test.set_end(&before, stale, test.start + LENGTH / 3).await;
    let is_refused = outcome == WriteOutcome::Conflict && test.read().await?.end == before.end;
    match outcome {
        WriteOutcome::Conflict if is_refused => Ok(()),
        WriteOutcome::Done | WriteOutcome::Conflict => Err(violation(
            FindingId::StaleUpdateAccepted,
            "Graph changed an event although If-Match named a stale version; it must refuse that (412)",
            "do not end meetings over this connection: a change that somebody makes at the same time would be lost. Report it to \
             Microsoft",
        )),
        other => done(other, NO_CHANGE, test.no_right),
    }
}

/// Graph does not keep a promise that Adjourn relies on.
fn violation(id: FindingId, message: &str, remedy: &'static str) -> WriteTestFailure {
    WriteTestFailure { id, message: message.to_owned(), remedy, code: None, nothing_written: false }
}

/// Removes every event of the test, and returns their number.
async fn remove_all(test: &TestEvent<'_>) -> Result<u32, WriteTestFailure> {
    let mut removed = 0;
    while removed <= EVENTS_MAX && test.remove().await? {
        removed += 1;
    }
    Ok(removed)
}
