//! An operator's requests: sweeps, evidence, the audit, metrics.

use std::time::Duration;

use adjourn::access::Right;
use adjourn::cleanup::ReleaseMethod;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::fixture::{ApiFixture, BUSY, FREE, rules};

pub async fn wait_for_state(lobby: &ApiFixture, place: &str, state: &str) -> Value {
    for _ in 0..300 {
        let view = lobby.get(place).await.json();
        if view["state"] == state {
            return view;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{place} never came to be {state}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_is_planned_looked_at_and_applied_once() {
    let lobby = ApiFixture::with(rules(ReleaseMethod::Decline)).await;
    let begun = lobby.post("/v1/sweeps", "").await;
    assert_eq!(begun.status, 202, "{begun:?}");
    let place = begun.header("location").unwrap().to_owned();
    let planned = wait_for_state(&lobby, &place, "planned").await;
    let acts: Vec<_> =
        planned["events"].as_array().unwrap().iter().filter(|event| event["acts"] == true).collect();
    assert_eq!((acts.len(), acts[0]["room"].as_str()), (1, Some(BUSY)));
    assert_eq!(lobby.ews_requests("CreateItem"), 0);
    assert_eq!(lobby.post(&format!("{place}/apply"), "").await.status, 202);
    let applied = wait_for_state(&lobby, &place, "applied").await;
    assert_eq!(applied["applied"].as_array().unwrap().len(), 1, "{applied}");
    assert_eq!(lobby.ews_requests("CreateItem"), 1);
    let again = lobby.post(&format!("{place}/apply"), "").await;
    assert_eq!((again.status, again.problem()), (409, "not-planned".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_of_life_keeps_the_room() {
    let lobby = ApiFixture::with(rules(ReleaseMethod::Decline)).await;
    let signs = json!({ "signs": [{ "room": BUSY, "source": "motion" }] }).to_string();
    let taken = lobby.post("/v1/evidence", &signs).await;
    assert_eq!(
        (taken.status, taken.json()),
        (200, json!({ "accepted": 1, "matched": 1, "unmatched": [], "rejected": [] }))
    );
    let place = lobby.post("/v1/sweeps", "").await.header("location").unwrap().to_owned();
    let planned = wait_for_state(&lobby, &place, "planned").await;
    assert!(planned["events"].as_array().unwrap().iter().all(|event| event["acts"] == false), "{planned}");
    let ahead = json!({ "signs": [{ "room": BUSY, "source": "motion", "at": "2999-01-01T00:00:00Z" }] });
    assert_eq!(lobby.post("/v1/evidence", &ahead.to_string()).await.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_record_is_read_page_by_page() {
    let lobby = ApiFixture::open().await;
    for _ in 0..7 {
        lobby.post(&format!("/v1/rooms/{FREE}/end"), "").await;
    }
    lobby.post(&format!("/v1/rooms/{BUSY}/end"), "").await;
    let (mut seen, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let page = lobby.get(&format!("/v1/actions?limit=3{cursor}")).await.json();
        seen.extend(page["actions"].as_array().unwrap().iter().map(|one| one["id"].to_string()));
        pages += 1;
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let distinct: std::collections::BTreeSet<_> = seen.iter().collect();
    assert_eq!((seen.len(), distinct.len(), pages), (8, 8, 3));
    let done = lobby.get("/v1/actions?state=done").await.json();
    assert_eq!(done["actions"].as_array().unwrap().len(), 1);
    let free = lobby.get(&format!("/v1/actions?room={FREE}&limit=100")).await.json();
    assert_eq!(free["actions"].as_array().unwrap().len(), 7);
    for bad in ["limit=0", "limit=501", "state=maybe", "cursor=x", "colour=blue", "since=yesterday"] {
        assert_eq!(lobby.get(&format!("/v1/actions?{bad}")).await.status, 400, "{bad}");
    }
    // Without the right `audit`, a key lists its own actions only.
    let own = lobby.key("own", "*", &adjourn::access::Right::DISPLAY, 600).await;
    let mine = lobby.send_as(&own, "GET", "/v1/actions", &[], "").await.json();
    assert_eq!(mine["actions"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn rooms_are_listed_page_by_page_and_numbers_name_no_room() {
    let lobby = ApiFixture::open().await;
    let first = lobby.get("/v1/rooms?limit=1").await.json();
    assert_eq!(first["next_cursor"], BUSY);
    let second = lobby.get(&format!("/v1/rooms?limit=1&cursor={BUSY}")).await.json();
    assert_eq!((&second["rooms"][0]["id"], &second["next_cursor"]), (&FREE.into(), &Value::Null));
    lobby.get(&format!("/v1/rooms/{BUSY}")).await;
    lobby.post(&format!("/v1/rooms/{BUSY}/end"), "").await;
    let limited = lobby.get("/metrics").await;
    assert_eq!(limited.status, 403, "the numbers are of all rooms, and this key has only some");
    let all = lobby.key("all", "*", &adjourn::access::Right::ALL, 600).await;
    let metrics = lobby.send_as(&all, "GET", "/metrics", &[], "").await;
    assert!(
        metrics.body.contains("adjourn_actions_total{kind=\"end\",outcome=\"done\",actor=\"program\"} 1"),
        "{}",
        metrics.body
    );
    assert!(metrics.body.contains("path=\"/v1/rooms/{room}\""), "{}", metrics.body);
    for line in [
        "adjourn_exchange_responses_decoded_total{connection=\"default\",path=\"scanner\"}",
        "adjourn_exchange_throttled_total{connection=\"default\"} 0",
        "adjourn_exchange_requests_queued{connection=\"default\"} 0",
        "adjourn_journal_queue_length 0",
    ] {
        assert!(metrics.body.contains(line), "{line}: {}", metrics.body);
    }
    assert!(!metrics.body.contains("@example.com"), "{}", metrics.body);
}

/// Reads the event stream of this key until it ends.
async fn read_events(lobby: &ApiFixture, token: &str) -> tokio::task::JoinHandle<String> {
    let mut stream = TcpStream::connect(lobby.at).await.unwrap();
    let ask = format!("GET /v1/events HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\r\n");
    stream.write_all(ask.as_bytes()).await.unwrap();
    let mut head = [0; 1024];
    let len = stream.read(&mut head).await.unwrap();
    assert!(head[..len].starts_with(b"HTTP/1.1 200"));
    tokio::spawn(async move {
        let mut heard = String::new();
        stream.read_to_string(&mut heard).await.unwrap();
        heard
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_is_told_of_to_those_who_may_sweep_all_its_rooms() {
    let lobby = ApiFixture::with(rules(ReleaseMethod::Decline)).await;
    let some = lobby.key("some", BUSY, &Right::ALL, 600).await;
    let reader = lobby.key("reader", "*", &[Right::Read], 600).await;
    let (all, some, reader) = (
        read_events(&lobby, &lobby.token).await,
        read_events(&lobby, &some).await,
        read_events(&lobby, &reader).await,
    );
    let place = lobby.post("/v1/sweeps", "").await.header("location").unwrap().to_owned();
    wait_for_state(&lobby, &place, "planned").await;
    lobby.post(&format!("{place}/apply"), "").await;
    wait_for_state(&lobby, &place, "applied").await;
    lobby.stop.cancel();
    lobby.service.notices.close();
    let all = all.await.unwrap();
    let id = place.rsplit('/').next().unwrap();
    let states: Vec<_> = ["planned", "applying", "applied"]
        .into_iter()
        .map(|state| {
            all.find(&format!("\"sweep_id\":\"{id}\",\"state\":\"{state}\""))
                .unwrap_or_else(|| panic!("{state}: {all}"))
        })
        .collect();
    assert!(states.is_sorted(), "{all}");
    let (some, reader) = (some.await.unwrap(), reader.await.unwrap());
    assert!(some.contains("event: action") && !some.contains("event: sweep"), "{some}");
    assert!(reader.contains("event: action") && !reader.contains("event: sweep"), "{reader}");
    // The outcome is only for keys that may read the action.
    let told = |heard: &str| heard.contains("\"message\":\"");
    assert!(told(&some) && !told(&reader), "{reader}");
}
