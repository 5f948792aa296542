//! Throttling and injected faults: whether the operation changed the event, and which response the client receives.

use std::sync::Arc;
use std::time::Duration;

use adjourn::sim::{FaultRule, GraphOptions, InjectedFault, Simulator};
use adjourn_test::{AURORA, meeting, now, request_count, wait_until, world};
use serde_json::{Value, json};

use super::client::{GraphAnswer, GraphClient, event_path, permitted, utc, view, view_of, with_options};

/// A simulator with a current meeting, and its event.
async fn with_meeting() -> (Simulator, String) {
    let mut world = world();
    world.add_meeting(meeting());
    let sim = permitted(world).await;
    let id = GraphClient::new(&sim).get(&view("")).await.values()[0]["id"].clone();
    (sim, event_path(&id))
}

async fn end(client: &GraphClient<'_>, path: &str) -> Option<GraphAnswer> {
    client.try_send("PATCH", path, &[], Some(json!({ "end": utc(now()) }))).await
}

/// Whether the meeting has ended.
fn has_ended(sim: &Simulator) -> bool {
    let (start, end) = (now() - chrono::TimeDelta::hours(1), now() + chrono::TimeDelta::hours(1));
    sim.world(|world| world.events(AURORA, start, end).iter().all(|event| event.end <= now()))
}

#[tokio::test]
async fn the_fifth_request_at_the_same_time_in_a_mailbox_is_throttled() {
    let graph = GraphOptions { retry_after: 3, ..GraphOptions::default() };
    let sim = with_options(world(), graph).await;
    let client = GraphClient::new(&sim);
    let (path, elsewhere) = (view(""), view_of("ada@example.com", ""));
    let slow = FaultRule::new(InjectedFault::Slow(Duration::from_secs(3))).on("CalendarView").times(4);
    sim.inject_fault(slow);
    let one = || client.get(&path);
    let others = async {
        wait_until("four requests run", || request_count(&sim, "CalendarView") == 4).await;
        (one().await, client.get(&elsewhere).await)
    };
    let (a, b, c, d, (fifth, other)) = tokio::join!(one(), one(), one(), one(), others);
    assert_eq!([a.status, b.status, c.status, d.status], [200; 4]);
    assert_eq!(fifth.error(), (429, "ApplicationThrottled"));
    assert!(fifth.json["error"]["message"].as_str().unwrap().contains("MailboxConcurrency"));
    assert_eq!(fifth.reply.header("retry-after"), Some("3"));
    assert_eq!((other.status, one().await.status), (200, 200), "another mailbox, and later");
}

#[tokio::test]
async fn faults_before_the_operation_change_nothing() {
    let (sim, path) = with_meeting().await;
    let client = GraphClient::new(&sim);
    let rows = [
        (InjectedFault::BusyFault(5_000), 429, "ApplicationThrottled", Some("5")),
        (InjectedFault::BusyMessage(30), 429, "ApplicationThrottled", Some("0")),
        (InjectedFault::TooManyConnections, 429, "ApplicationThrottled", Some("1")),
        (InjectedFault::BusyPage(Some(2)), 503, "ServiceUnavailable", Some("2")),
        (InjectedFault::BusyPage(None), 503, "ServiceUnavailable", None),
        (InjectedFault::Page(502), 502, "", None),
        (InjectedFault::ItemError("ErrorIrresolvableConflict"), 412, "ErrorIrresolvableConflict", None),
        (InjectedFault::GraphError(409, "ErrorIrresolvableConflict"), 409, "ErrorIrresolvableConflict", None),
        (InjectedFault::Fault("ErrorInternalServerError"), 500, "ErrorInternalServerError", None),
    ];
    for (fault, status, code, retry_after) in rows {
        sim.inject_fault(FaultRule::new(fault).on("UpdateEvent"));
        let answer = end(&client, &path).await.unwrap();
        assert_eq!((answer.error(), answer.reply.header("retry-after")), ((status, code), retry_after));
        assert!(!has_ended(&sim), "{code}");
    }
    sim.inject_fault(FaultRule::new(InjectedFault::ResetBefore).on("UpdateEvent").for_mailbox(AURORA));
    assert!(end(&client, &path).await.is_none() && !has_ended(&sim));
    assert_eq!(end(&client, &path).await.unwrap().status, 200);
}

#[tokio::test]
async fn faults_after_the_operation_lose_its_answer_alone() {
    for fault in [
        InjectedFault::ResetAfter,
        InjectedFault::Truncated(60),
        InjectedFault::Garbage,
        InjectedFault::AppliedThenPage(503),
        InjectedFault::PageAfter(504),
        InjectedFault::ItemErrorAfter("ErrorInternalServerError"),
    ] {
        let (sim, path) = with_meeting().await;
        let client = GraphClient::new(&sim);
        sim.inject_fault(FaultRule::new(fault).on("UpdateEvent"));
        let answer = end(&client, &path).await;
        assert!(answer.is_none_or(|answer| answer.json["id"] == Value::Null));
        assert!(has_ended(&sim));
    }
}

#[tokio::test]
async fn a_refused_mail_leaves_the_change_and_a_concurrent_change_a_conflict() {
    let (sim, path) = with_meeting().await;
    let client = GraphClient::new(&sim);
    let etag = client.get(&path).await.json["@odata.etag"].as_str().unwrap().to_owned();
    let change = InjectedFault::ConcurrentChange(Arc::new(|world| {
        let uid = world.events(AURORA, now(), now() + chrono::TimeDelta::minutes(1))[0].uid.clone();
        world.changes(AURORA, &uid, None, |details| details.location = "x".to_owned());
    }));
    sim.inject_fault(FaultRule::new(change).on("UpdateEvent"));
    let body = json!({ "end": utc(now()) });
    let answer = client.send("PATCH", &path, &[("If-Match", &etag)], Some(body)).await;
    assert_eq!(answer.error(), (412, "ErrorIrresolvableConflict"));
    sim.inject_fault(FaultRule::new(InjectedFault::MailRefused("ErrorQuotaExceeded")).on("DeclineEvent"));
    let answer = client.post(&format!("{path}/decline"), json!({})).await;
    assert_eq!((answer.error(), sim.outbox().len()), ((403, "ErrorQuotaExceeded"), 0));
    assert_eq!(sim.world(|world| world.deleted(AURORA)).len(), 1);
}
