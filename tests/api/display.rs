//! A door display's requests, from reading the room to undoing an action.

use std::time::Duration;

use adjourn::access::Right;
use adjourn::cleanup::ReleaseMethod;
use adjourn::sim::{FaultRule, InjectedFault, PlainSpec};
use adjourn_test::now;
use chrono::{DateTime, TimeDelta, Utc};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::fixture::{ApiFixture, BUSY, FREE, rules};

fn at(text: &serde_json::Value) -> DateTime<Utc> {
    text.as_str().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_is_shown_as_it_is_and_asked_of_exchange_once() {
    let lobby = ApiFixture::open().await;
    let busy = lobby.get(&format!("/v1/rooms/{BUSY}")).await;
    assert_eq!(busy.status, 200, "{busy:?}");
    let view = busy.json();
    assert_eq!(
        (&view["busy"], &view["allowed_actions"]),
        (&true.into(), &serde_json::json!(["end", "extend"]))
    );
    assert_eq!(at(&view["current"]["end"]), lobby.began + TimeDelta::minutes(40));
    assert!(!busy.body.contains("Secret") && !busy.body.contains("ada@"), "subjects are not shown: {busy:?}");
    let free = lobby.get(&format!("/v1/rooms/{FREE}")).await.json();
    assert_eq!((&free["busy"], &free["allowed_actions"]), (&false.into(), &serde_json::json!(["book"])));
    assert_eq!(at(&free["free_until"]), lobby.began + TimeDelta::minutes(60));
    assert_eq!(
        (&free["busy_until"], &view["busy_until"]),
        (&serde_json::Value::Null, &view["current"]["end"])
    );

    let reads = lobby.ews_requests("FindItem");
    let tag = busy.header("etag").unwrap().to_owned();
    for _ in 0..20 {
        let again = lobby.send("GET", &format!("/v1/rooms/{BUSY}"), &[("If-None-Match", &tag)], "").await;
        assert_eq!((again.status, again.body.as_str()), (304, ""));
    }
    assert_eq!(lobby.ews_requests("FindItem"), reads, "stored state costs no request");
    lobby.post(&format!("/v1/rooms/{BUSY}/end"), "").await;
    let ended = lobby.send("GET", &format!("/v1/rooms/{BUSY}"), &[("If-None-Match", &tag)], "").await;
    assert_eq!((ended.status, &ended.json()["busy"]), (200, &false.into()), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_meeting_is_extended_ended_put_back_and_the_room_booked() {
    let lobby = ApiFixture::open().await;
    let extended = lobby.post(&format!("/v1/rooms/{BUSY}/extend"), r#"{"minutes":15}"#).await;
    assert_eq!(
        (extended.status, &extended.json()["change"]["kind"]),
        (200, &"extended".into()),
        "{extended:?}"
    );
    assert_eq!(lobby.event_end(BUSY), Some(lobby.began + TimeDelta::minutes(55)));

    let ended = lobby.post(&format!("/v1/rooms/{BUSY}/end"), r#"{"reason":"We are done."}"#).await.json();
    assert_eq!((&ended["state"], &ended["change"]["organizer_informed"]), (&"done".into(), &false.into()));
    let action = ended["id"].as_str().unwrap();
    assert_eq!(lobby.get(&format!("/v1/actions/{action}")).await.json()["state"], "done");
    let undone = lobby.post(&format!("/v1/actions/{action}/undo"), "").await;
    assert_eq!(
        (undone.status, &undone.json()["change"]["kind"]),
        (200, &"end-restored".into()),
        "{undone:?}"
    );
    assert_eq!(lobby.event_end(BUSY), Some(lobby.began + TimeDelta::minutes(55)));

    let booked = lobby.post(&format!("/v1/rooms/{FREE}/book"), r#"{"minutes":90}"#).await.json();
    assert_eq!(
        at(&booked["event"]["end"]),
        lobby.began + TimeDelta::minutes(60),
        "until the next event at most"
    );
    let taken = lobby.post(&format!("/v1/rooms/{BUSY}/book"), r#"{"minutes":15}"#).await;
    assert_eq!((taken.status, taken.problem()), (409, "collides".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn asking_twice_is_asking_once() {
    let lobby = ApiFixture::open().await;
    let key = [("Idempotency-Key", "press-1")];
    let path = format!("/v1/rooms/{BUSY}/end");
    let (first, second) =
        tokio::join!(lobby.send("POST", &path, &key, ""), lobby.send("POST", &path, &key, ""));
    assert_eq!((first.status, second.status), (200, 200));
    assert_eq!(first.json()["id"], second.json()["id"]);
    assert_eq!(lobby.ews_requests("UpdateItem"), 1);
    let other = lobby.send("POST", &format!("/v1/rooms/{FREE}/book"), &key, r#"{"minutes":5}"#).await;
    assert_eq!((other.status, other.problem()), (422, "key-reused".to_owned()));
    // The same key of another caller is another key.
    let theirs = lobby.key("theirs", "*", &adjourn::access::Right::ALL, 600).await;
    let free = format!("/v1/rooms/{FREE}/book");
    let booked = lobby.send_as(&theirs, "POST", &free, &key, r#"{"minutes":5}"#).await;
    assert_eq!(booked.status, 200, "{booked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_as_long_as_described_at_most_and_sent_once() {
    let lobby = ApiFixture::open().await;
    let path = format!("/v1/rooms/{FREE}/book");
    let (longest, longer) = ("k".repeat(180), "k".repeat(181));
    let ask = async |keys: &[&str]| {
        let headers: Vec<_> = keys.iter().map(|key| ("Idempotency-Key", *key)).collect();
        lobby.send("POST", &path, &headers, r#"{"minutes":5,"dry_run":true}"#).await.status
    };
    assert_eq!(ask(&[&longest]).await, 200);
    assert_eq!(ask(&[&longer]).await, 400);
    assert_eq!(ask(&["one", "two"]).await, 400, "nobody can tell which of the two is meant");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_exchange_is_waited_for_as_long_as_the_display_does() {
    let lobby = ApiFixture::open().await;
    lobby.sim.inject_fault(FaultRule::new(InjectedFault::Slow(Duration::from_secs(6))).on("UpdateItem"));
    let begun = tokio::time::Instant::now();
    let said = lobby.send("POST", &format!("/v1/rooms/{BUSY}/end"), &[("Prefer", "wait=1")], "").await;
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert_eq!((said.status, &said.json()["state"]), (202, &"open".into()));
    assert_eq!((&said.json()["kind"], &said.json()["actor"]), (&"end".into(), &"display".into()));
    let place = said.header("location").unwrap().to_owned();
    loop {
        let view = lobby.get(&place).await.json();
        assert_eq!(view["kind"], "end", "also while it is in progress: {view}");
        if view["state"] != "open" {
            assert_eq!(view["state"], "done");
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(lobby.event_end(BUSY).unwrap() <= now());

    // A dry run is not in the journal, and can be read all the same.
    lobby.sim.inject_fault(FaultRule::new(InjectedFault::Slow(Duration::from_millis(600))).on("FindItem"));
    let path = format!("/v1/rooms/{FREE}/book");
    let said = lobby.send("POST", &path, &[("Prefer", "wait=0")], r#"{"minutes":5,"dry_run":true}"#).await;
    assert_eq!(said.status, 202, "{said:?}");
    tokio::time::sleep(Duration::from_secs(2)).await;
    let view = lobby.get(said.header("location").unwrap()).await.json();
    assert_eq!((&view["state"], &view["change"]["dry_run"]), (&"done".into(), &true.into()), "{view}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_is_said_with_whose_fault_it_is() {
    let lobby = ApiFixture::open().await;
    let nothing = lobby.post(&format!("/v1/rooms/{FREE}/end"), "").await;
    assert_eq!((nothing.status, nothing.problem()), (409, "no-current-event".to_owned()));
    assert_eq!(nothing.json()["fault"], "nobody");
    let event = lobby.get(&format!("/v1/rooms/{BUSY}")).await.json()["current"]["id"].clone();
    let seen =
        serde_json::json!({ "start": now() - TimeDelta::hours(1), "end": now() + TimeDelta::hours(1) });
    let stale = serde_json::json!({ "event": event, "seen": seen }).to_string();
    let stale = lobby.post(&format!("/v1/rooms/{BUSY}/end"), &stale).await;
    assert_eq!((stale.status, stale.problem()), (422, "not-as-seen".to_owned()));
    for (body, pointers) in [
        ("{", &[][..]),
        (r#"{"minutes":5}x"#, &[]),
        ("[15]", &[""]),
        ("{}", &[""]),
        (r#"{"minutes":0}"#, &["/minutes"]),
        (r#"{"minutes":"x"}"#, &["/minutes"]),
        (r#"{"minutes":5,"a/b~c":1}"#, &["/a~1b~0c"]),
        (r#"{"minutes":5,"event":"x","seen":{"start":"now"}}"#, &["/seen/start"]),
        (r#"{"minutes":5,"seen":{"start":"2026-05-06T09:00:00Z","end":"2026-05-06T10:00:00Z"}}"#, &["/seen"]),
    ] {
        let bad = lobby.post(&format!("/v1/rooms/{BUSY}/extend"), body).await;
        assert_eq!((bad.status, bad.problem()), (400, "bad-request".to_owned()), "{body}: {bad:?}");
        assert_eq!(bad.json()["fault"], "caller");
        let errors = bad.json()["errors"].clone();
        let named: Vec<_> = errors.as_array().unwrap().iter().map(|error| error["pointer"].clone()).collect();
        assert_eq!(named, pointers, "{body}: {bad:?}");
    }
    lobby.sim.inject_fault(FaultRule::new(InjectedFault::Page(403)).on("FindItem"));
    let refused = lobby.post(&format!("/v1/rooms/{BUSY}/end"), "").await;
    assert_eq!((refused.status, &refused.json()["fault"]), (502, &"administrator".into()), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn times_are_shown_and_compared_by_the_second() {
    let lobby = ApiFixture::open().await;
    let room = lobby.get(&format!("/v1/rooms/{BUSY}")).await.json();
    for time in [&room["read_at"], &room["as_of"], &room["current"]["start"], &room["current"]["end"]] {
        assert_eq!(time.as_str().unwrap().len(), "2026-05-06T09:00:00Z".len(), "{room}");
    }
    let fraction = |time: &serde_json::Value| time.as_str().unwrap().replace('Z', ".9Z");
    let (start, end) = (fraction(&room["current"]["start"]), fraction(&room["current"]["end"]));
    let id = &room["current"]["id"];
    let seen = serde_json::json!({ "event": id, "seen": { "start": start, "end": end }, "dry_run": true });
    let said = lobby.post(&format!("/v1/rooms/{BUSY}/end"), &seen.to_string()).await;
    assert_eq!(said.status, 200, "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_events_at_once_are_both_shown_and_an_ambiguous_request_returns_them_as_fields() {
    let lobby = ApiFixture::open().await;
    let (from, to) = (lobby.began - TimeDelta::minutes(10), lobby.began + TimeDelta::minutes(90));
    let uid = lobby.sim.world(|world| world.add_plain(PlainSpec::new(BUSY, from, to)));
    let view = lobby.get(&format!("/v1/rooms/{BUSY}")).await.json();
    let shown = view["current_events"].as_array().unwrap();
    assert_eq!((shown.len(), &shown[0], at(&shown[0]["start"])), (2, &view["current"], from), "{view}");
    let refused = lobby.post(&format!("/v1/rooms/{BUSY}/end"), "").await;
    assert_eq!((refused.status, refused.problem()), (422, "ambiguous".to_owned()), "{refused:?}");
    let ids = |events: &serde_json::Value| -> Vec<_> {
        events.as_array().unwrap().iter().map(|event| event["id"].clone()).collect()
    };
    let candidates = &refused.json()["candidates"];
    assert_eq!(ids(candidates), ids(&view["current_events"]));
    assert_eq!(at(&candidates[0]["end"]), to);
    assert!(candidates[0]["subject"].is_null(), "subjects are not shown: {refused:?}");
    let unnamed = lobby.get(&format!("/v1/rooms/{FREE}")).await;
    assert_eq!(unnamed.json()["current_events"], serde_json::json!([]));
    let by_uid = lobby.post(&format!("/v1/rooms/{BUSY}/check-in"), &format!(r#"{{"event":"{uid}"}}"#)).await;
    assert_eq!((by_uid.status, &by_uid.json()["event"]["id"]), (200, &shown[0]["id"]), "{by_uid:?}");
    let named = format!(r#"{{"event":{}}}"#, candidates[1]["id"]);
    assert_eq!(lobby.post(&format!("/v1/rooms/{BUSY}/end"), &named).await.status, 200);
    assert_eq!(lobby.post(&format!("/v1/rooms/{BUSY}/end"), "").await.status, 200, "one is left");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_checks_in_keeps_the_room_and_who_does_not_is_warned_and_loses_it() {
    let lobby = ApiFixture::with(rules(ReleaseMethod::End)).await;
    let plan = |lobby: &ApiFixture| {
        let said = lobby.service.plan_sweep("test".to_owned(), vec![BUSY.parse().unwrap()]).unwrap();
        (lobby.service.clone(), said.id)
    };
    let acts = |lobby: &ApiFixture| {
        let (service, id) = plan(lobby);
        async move {
            loop {
                if let adjourn::service::SweepPhase::Planned(plan) = service.sweeps.get(id).unwrap().phase {
                    return plan.actions().count();
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    };
    assert_eq!(acts(&lobby).await, 1, "nobody came yet");
    let shown = lobby.get(&format!("/v1/rooms/{BUSY}")).await.json();
    assert_eq!((&shown["checked_in"], &shown["allowed_actions"][0]), (&false.into(), &"check-in".into()));
    let said = lobby.post(&format!("/v1/rooms/{BUSY}/check-in"), r#"{"source":"panel"}"#).await;
    assert_eq!(said.status, 200, "{said:?}");
    let shown = lobby.get(&format!("/v1/rooms/{BUSY}")).await.json();
    assert_eq!(shown["checked_in"], true);
    assert_eq!(acts(&lobby).await, 0, "somebody came");
    let nothing = lobby.post(&format!("/v1/rooms/{FREE}/check-in"), "").await;
    assert_eq!((nothing.status, nothing.problem()), (409, "no-current-event".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_is_heard_by_who_may_know_of_the_room() {
    let lobby = ApiFixture::open().await;
    let mut stream = tokio::net::TcpStream::connect(lobby.at).await.unwrap();
    let ask =
        format!("GET /v1/events HTTP/1.1\r\nHost: adjourn\r\nAuthorization: Bearer {}\r\n\r\n", lobby.token);
    stream.write_all(ask.as_bytes()).await.unwrap();
    let mut heard = String::new();
    let mut read = async |until: &str| {
        while !heard.contains(until) {
            let mut buffer = [0; 1024];
            let len = stream.read(&mut buffer).await.unwrap();
            assert!(len > 0, "ended before {until}: {heard}");
            heard += std::str::from_utf8(&buffer[..len]).unwrap();
        }
    };
    read("text/event-stream").await;
    read("\nid: ").await; // the id to resume from comes before any event
    lobby.post(&format!("/v1/rooms/{BUSY}/end"), "").await;
    read("event: action").await;
    read(BUSY).await;
    // When the service stops, its event streams end.
    lobby.stop.cancel();
    lobby.service.notices.close();
    let mut rest = String::new();
    tokio::time::timeout(Duration::from_secs(5), stream.read_to_string(&mut rest)).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_off_event_id_is_refused_with_the_event_that_was_meant() {
    let lobby = ApiFixture::open().await;
    let event = lobby.get(&format!("/v1/rooms/{BUSY}")).await.json()["current"]["id"].clone();
    let id = event.as_str().unwrap();
    let cut = serde_json::json!({ "event": &id[..id.len() - 2] }).to_string();
    let path = format!("/v1/rooms/{BUSY}/end");
    let said = lobby.post(&path, &cut).await;
    assert!(["event-not-found", "invalid-event-id"].contains(&said.problem().as_str()), "{said:?}");
    assert_eq!(said.json()["candidates"][0]["id"], event, "{said:?}");
    let blind = lobby.key("blind", "*@example.com", &[Right::End], 100).await;
    let said = lobby.send_as(&blind, "POST", &path, &[], &cut).await;
    assert!(said.status >= 400 && said.json()["candidates"] == serde_json::json!([]), "{said:?}");
    assert!(lobby.event_end(BUSY).unwrap() > now());
}
