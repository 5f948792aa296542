//! Limits on concurrent operations: keys that flood, rooms whose mailbox hangs, bodies that never arrive.

use std::time::Duration;

use adjourn::access::Right;
use adjourn::api::{self, ConnectionLimits, Connections, ListenerLimits};
use adjourn::sim::{FaultRule, InjectedFault};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::fixture::{ApiFixture, BUSY, FREE};

/// Longer than any of these tests: the delay of a mailbox that hangs.
const FOR_EVER: Duration = Duration::from_secs(120);

async fn end_meeting(lobby: &ApiFixture, token: &str, room: &str) -> (u16, Option<String>) {
    let said =
        lobby.send_as(token, "POST", &format!("/v1/rooms/{room}/end"), &[("Prefer", "wait=0")], "").await;
    (said.status, said.header("retry-after").map(str::to_owned))
}

/// Sends a request whose body never arrives.
async fn begin(lobby: &ApiFixture, token: &str, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(lobby.at).await.unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
         Content-Length: 100\r\nExpect: 100-continue\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // The server requests the body (`100 Continue`) once the request has its share.
    let mut said = [0; 25];
    stream.read_exact(&mut said).await.unwrap();
    assert!(said.starts_with(b"HTTP/1.1 100"), "{}", String::from_utf8_lossy(&said));
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn two_keys_at_one_hanging_door_leave_the_other_doors_open() {
    let lobby = ApiFixture::open().await;
    lobby.sim.inject_fault(FaultRule::new(InjectedFault::Slow(FOR_EVER)).for_mailbox(BUSY).times(1_000));
    let keys = [
        lobby.key("first", "*@example.com", &Right::ALL, 100_000).await,
        lobby.key("second", "*@example.com", &Right::ALL, 100_000).await,
    ];
    for key in &keys {
        for _ in 0..8 {
            assert_eq!(end_meeting(&lobby, key, BUSY).await.0, 202);
        }
        let more = end_meeting(&lobby, key, BUSY).await;
        assert!(more.0 != 202 && more.1.is_some(), "the ninth press waits nowhere: {more:?}");
    }
    assert_eq!(end_meeting(&lobby, &keys[0], BUSY).await.0, 503, "the room is full");
    let other = lobby.send("POST", &format!("/v1/rooms/{FREE}/book"), &[], r#"{"minutes":15}"#).await;
    assert_eq!(other.status, 200, "{other:?}");
    for key in &keys {
        let said = lobby.send_as(key, "GET", &format!("/v1/rooms/{FREE}"), &[], "").await;
        assert_eq!(said.status, 200, "the same keys at another door: {said:?}");
    }
    assert_eq!(lobby.service.actions.shares().in_use(), 16);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_s_ninth_press_at_one_door_names_the_share_that_is_used_up() {
    let lobby = ApiFixture::open().await;
    lobby.sim.inject_fault(FaultRule::new(InjectedFault::Slow(FOR_EVER)).for_mailbox(BUSY).times(1_000));
    for _ in 0..8 {
        end_meeting(&lobby, &lobby.token, BUSY).await;
    }
    let said = lobby.send("POST", &format!("/v1/rooms/{BUSY}/end"), &[("Prefer", "wait=0")], "").await;
    assert_eq!((said.status, said.problem()), (429, "rate-limited".to_owned()));
    let detail = said.json()["detail"].as_str().unwrap().to_owned();
    assert_eq!(detail, "actions: this key runs as many operations at once as one key may.");
}

#[tokio::test(flavor = "multi_thread")]
async fn displays_of_a_hanging_room_are_answered_with_what_is_known_and_hold_no_place() {
    let mut lobby = ApiFixture::open().await;
    behind(&mut lobby, ConnectionLimits::default()).await;
    let path = format!("/v1/rooms/{BUSY}");
    let known = lobby.get(&path).await;
    lobby.clock.advance(120);
    lobby.sim.inject_fault(FaultRule::new(InjectedFault::Slow(FOR_EVER)).for_mailbox(BUSY).times(1_000));
    let mut waiting = Vec::new();
    for _ in 0..32 {
        let mut stream = TcpStream::connect(lobby.at).await.unwrap();
        let ask = format!("GET {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\n\r\n", lobby.token);
        stream.write_all(ask.as_bytes()).await.unwrap();
        waiting.push(stream);
    }
    let scraper = lobby.key("scraper", "*", &[Right::Metrics], 100_000).await;
    let in_use = async || {
        let metrics = lobby.send_as(&scraper, "GET", "/metrics", &[], "").await.body;
        let line = metrics
            .lines()
            .find_map(|line| line.strip_prefix("adjourn_operations_in_progress{operation=\"room-reads\"} "));
        line.unwrap().parse::<usize>().unwrap()
    };
    while in_use().await < 32 {
        tokio::task::yield_now().await;
    }
    let at_once = lobby.get(&path).await;
    assert_eq!((at_once.status, at_once.json()["read_at"].clone()), (200, known.json()["read_at"].clone()));
    let checked_in = lobby.post(&format!("{path}/check-in"), "").await;
    assert_eq!(checked_in.status, 200, "who stands at the door is there: {checked_in:?}");
    assert_eq!(in_use().await, 32, "the others wait still");
    assert_eq!(lobby.get(&format!("/v1/rooms/{FREE}")).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_do_not_come_hold_the_places_of_their_own_key() {
    let lobby = ApiFixture::open().await;
    let slow = lobby.key("slow", "*@example.com", &Right::ALL, 100_000).await;
    for (path, places, body) in [
        ("/v1/evidence", 4, json!({ "signs": [{ "room": BUSY, "source": "motion" }] })),
        ("/v1/sweeps", 2, json!({ "rooms": [FREE] })),
    ] {
        let mut held = Vec::new();
        for _ in 0..places {
            held.push(begin(&lobby, &slow, path).await);
        }
        let body = body.to_string();
        let more = lobby.send_as(&slow, "POST", path, &[], &body).await;
        assert_eq!((more.status, more.problem()), (429, "rate-limited".to_owned()), "{path}");
        assert_eq!(more.header("retry-after"), Some("5"));
        let other = lobby.send("POST", path, &[], &body).await;
        assert!(other.status < 300, "{path}: {other:?}");
        drop(held);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_body_is_for_lists_only() {
    let lobby = ApiFixture::open().await;
    let long = json!({ "reason": "x".repeat(40_000) }).to_string();
    assert_eq!(lobby.post(&format!("/v1/rooms/{BUSY}/end"), &long).await.status, 413);
    let rooms = vec![FREE; 4_000];
    assert_eq!(lobby.post("/v1/sweeps", &json!({ "rooms": rooms }).to_string()).await.status, 202);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_plans_two_sweeps_at_once_and_forgets_its_own_plans_only() {
    let lobby = ApiFixture::open().await;
    let rooms = || vec![FREE.parse().unwrap()];
    let kept = lobby.service.plan_sweep("modest".to_owned(), rooms()).unwrap().id;
    let mut mine = Vec::new();
    while mine.len() < 60 {
        // The shares of finished plans are released one by one.
        match lobby.service.plan_sweep("greedy".to_owned(), rooms()) {
            Ok(view) => mine.push(view.id),
            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
    let remembered = mine.iter().filter(|id| lobby.service.sweeps.get(**id).is_some()).count();
    assert!((9..=12).contains(&remembered), "{remembered}");
    assert!(lobby.service.sweeps.get(kept).is_some());

    while lobby.service.sweeps.shares().in_use() > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    lobby.sim.inject_fault(FaultRule::new(InjectedFault::Slow(FOR_EVER)).for_mailbox(FREE).times(1_000));
    let plan = async |token: &str| {
        let body = json!({ "rooms": [FREE] }).to_string();
        lobby.send_as(token, "POST", "/v1/sweeps", &[], &body).await
    };
    let other = lobby.key("other", "*@example.com", &Right::ALL, 100_000).await;
    assert_eq!([plan(&lobby.token).await.status, plan(&lobby.token).await.status], [202, 202]);
    assert_eq!(plan(&lobby.token).await.problem(), "rate-limited");
    assert_eq!(plan(&other).await.status, 202, "another key");
}

/// Replaces the API by one with these connection limits.
async fn behind(lobby: &mut ApiFixture, limits: ConnectionLimits) {
    let connections = Connections::new(limits);
    let router = api::router(lobby.api().with_connections(connections.clone()));
    lobby.at = lobby.serve(router, None, ListenerLimits::with(connections)).await;
}

async fn listen(lobby: &ApiFixture, token: &str) -> (TcpStream, bool) {
    let mut stream = TcpStream::connect(lobby.at).await.unwrap();
    let ask = format!("GET /v1/events HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\r\n");
    stream.write_all(ask.as_bytes()).await.unwrap();
    let mut said = [0; 12];
    stream.read_exact(&mut said).await.unwrap();
    let is_heard = said.ends_with(b"200");
    (stream, is_heard)
}

#[tokio::test(flavor = "multi_thread")]
async fn event_streams_leave_connections_to_other_requests_and_places_to_other_keys() {
    let mut lobby = ApiFixture::open().await;
    behind(&mut lobby, ConnectionLimits { total: 52, unauthenticated: 20, per_address: Some(20) }).await;
    let keys = [
        lobby.token.clone(),
        lobby.key("second", "*", &[Right::Read], 100_000).await,
        lobby.key("third", "*", &[Right::Read], 100_000).await,
    ];
    let mut streams = Vec::new();
    let mut heard = [0; 3];
    for (key, heard) in keys.iter().zip(&mut heard) {
        for _ in 0..40 {
            let (stream, is_heard) = listen(&lobby, key).await;
            if is_heard {
                *heard += 1;
                streams.push(stream);
            }
        }
    }
    assert_eq!(heard, [7; 3], "a quarter of 28 places for each");
    assert_eq!(lobby.get(&format!("/v1/rooms/{FREE}")).await.status, 200);
}
