//! Proxies between a client and the API, and the standards' rules for both: ETags, preferences, HEAD, paths, idle connections.

use std::time::Duration;

use adjourn::api::{self, ListenerLimits};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use crate::fixture::{ApiFixture, BUSY, FREE};

/// RFC 9110, 13.1.2: `If-None-Match` compares weakly; a proxy that compresses weakens our tag.
#[tokio::test(flavor = "multi_thread")]
async fn a_tag_that_a_proxy_weakened_is_still_ours() {
    let lobby = ApiFixture::open().await;
    let path = format!("/v1/rooms/{BUSY}");
    let tag = lobby.get(&path).await.header("etag").unwrap().to_owned();
    let ask = async |value: &str| lobby.send("GET", &path, &[("If-None-Match", value)], "").await.status;
    assert_eq!(ask(&tag).await, 304);
    assert_eq!(ask(&format!("W/{tag}")).await, 304);
    assert_eq!(ask(&format!("\"other\", W/{tag}")).await, 304);
    assert_eq!(ask("*").await, 304);
    assert_eq!(ask(&format!("w/{tag}")).await, 200, "W/ is case-sensitive");
    assert_eq!(ask("W/\"other\"").await, 200);
}

/// RFC 7240, 2: unknown preferences are ignored.
#[tokio::test(flavor = "multi_thread")]
async fn a_preference_that_is_not_understood_is_ignored() {
    let lobby = ApiFixture::open().await;
    let path = format!("/v1/rooms/{BUSY}/end");
    for value in [
        "wait=2.5",
        "wait=5s",
        "wait=-1",
        "wait=",
        "wait",
        "wait=+5",
        "respond-async; wait=0",
        "wait=\"5\"; x=y",
        "wait=99999999999999999999",
        "return=minimal, wait=5",
        ",,",
        "\u{e9}",
    ] {
        let said = lobby.send("POST", &path, &[("Prefer", value)], r#"{"dry_run":true}"#).await;
        assert_eq!(said.status, 200, "{value}: {said:?}");
    }
}

/// Limits count characters, not bytes.
#[tokio::test(flavor = "multi_thread")]
async fn a_limit_in_characters_counts_characters() {
    let lobby = ApiFixture::open().await;
    let end = async |reason: String| {
        let body = serde_json::json!({ "reason": reason, "dry_run": true }).to_string();
        lobby.post(&format!("/v1/rooms/{BUSY}/end"), &body).await.status
    };
    assert_eq!((end("ü".repeat(1_000)).await, end("ü".repeat(1_001)).await), (200, 400));
    let check_in = async |source: String| {
        let body = serde_json::json!({ "source": source }).to_string();
        lobby.post(&format!("/v1/rooms/{BUSY}/check-in"), &body).await.status
    };
    assert_eq!((check_in("門".repeat(100)).await, check_in("門".repeat(101)).await), (200, 400));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_events_is_not_collected_by_a_proxy_and_every_event_is_an_object() {
    let lobby = ApiFixture::open().await;
    let head = async |method: &str, resume: &str| {
        let mut stream = TcpStream::connect(lobby.at).await.unwrap();
        let ask = format!(
            "{method} /v1/events HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\n{resume}\r\n",
            lobby.token
        );
        stream.write_all(ask.as_bytes()).await.unwrap();
        let mut heard = String::new();
        let mut buffer = [0; 4096];
        while !heard.contains("\r\n\r\n") || (!resume.is_empty() && !heard.contains("data:")) {
            let len = stream.read(&mut buffer).await.unwrap();
            assert!(len > 0, "{heard}");
            heard += std::str::from_utf8(&buffer[..len]).unwrap();
        }
        heard.to_lowercase()
    };
    for method in ["GET", "HEAD"] {
        let heard = head(method, "").await;
        assert!(heard.starts_with("http/1.1 200") && heard.contains("x-accel-buffering: no"), "{heard}");
        assert!(heard.contains("cache-control: no-cache"), "{heard}");
    }
    let missed = head("GET", "Last-Event-ID: of-another-process\r\n").await;
    assert!(missed.contains("event: gap"), "{missed}");
    let data = missed.lines().find_map(|line| line.strip_prefix("data:")).unwrap().trim();
    assert!(serde_json::from_str::<serde_json::Value>(data).unwrap().is_object(), "{missed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn head_slash_and_accept_are_answered_as_described() {
    let lobby = ApiFixture::open().await;
    let path = format!("/v1/rooms/{BUSY}");
    let (got, head) = (lobby.get(&path).await, lobby.send("HEAD", &path, &[], "").await);
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert_eq!(
        (head.header("etag"), head.header("content-type")),
        (got.header("etag"), got.header("content-type"))
    );
    assert_eq!(head.header("content-length"), Some(got.body.len().to_string().as_str()));
    let slash = lobby.get(&format!("{path}/")).await;
    assert_eq!((slash.status, slash.problem()), (404, "not-found".to_owned()));
    for accept in ["application/xml", "text/html;q=0.9", "*/*;q=0", "nonsense"] {
        let said = lobby.send("GET", &path, &[("Accept", accept)], "").await;
        assert_eq!((said.status, said.header("content-type")), (200, Some("application/json")), "{accept}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_entry_of_a_sweep_s_list_that_is_no_room_is_named() {
    let lobby = ApiFixture::open().await;
    let body = serde_json::json!({ "rooms": [BUSY, "nowhere@example.com", FREE, "no address"] }).to_string();
    let said = lobby.post("/v1/sweeps", &body).await;
    assert_eq!((said.status, said.problem()), (404, "no-such-room".to_owned()));
    assert_eq!(said.json()["detail"], "This key can see no room for 2 of 4 entries: rooms[1], rooms[3].");
}

async fn answer(stream: &mut TcpStream, ask: &str) -> String {
    stream.write_all(ask.as_bytes()).await.unwrap();
    let (mut heard, mut buffer) = (String::new(), [0; 4096]);
    while !heard.contains("ok\n") {
        let len = stream.read(&mut buffer).await.unwrap();
        assert!(len > 0, "ended: {heard}");
        heard += std::str::from_utf8(&buffer[..len]).unwrap();
    }
    heard
}

async fn is_ended_within(stream: &mut TcpStream, time: Duration) -> bool {
    let mut rest = Vec::new();
    timeout(time, stream.read_to_end(&mut rest)).await.is_ok()
}

const ASK: &str = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";

/// nginx and ALB keep idle connections for 60 s; the default is above that.
#[tokio::test(flavor = "multi_thread")]
async fn an_idle_connection_outlives_those_of_proxies_and_a_slow_head_does_not() {
    assert!(ListenerLimits::default().idle > Duration::from_secs(60));
    let lobby = ApiFixture::open().await;
    let (head, idle) = (Duration::from_millis(400), Duration::from_millis(2_500));
    let at = lobby
        .serve(api::router(lobby.api()), None, ListenerLimits { head, idle, ..ListenerLimits::default() })
        .await;

    let mut kept = TcpStream::connect(at).await.unwrap();
    for _ in 0..2 {
        assert!(answer(&mut kept, ASK).await.starts_with("HTTP/1.1 200"));
        sleep(Duration::from_millis(1_500)).await; // longer than a head may take
    }
    assert!(answer(&mut kept, ASK).await.starts_with("HTTP/1.1 200"));
    let begun = Instant::now();
    assert!(is_ended_within(&mut kept, Duration::from_secs(20)).await, "an idle connection ends");
    assert!(begun.elapsed() > idle / 2, "after {:?}", begun.elapsed());

    // A partial request head on a new connection and on a used one, and a connection without any.
    let mut used = TcpStream::connect(at).await.unwrap();
    answer(&mut used, ASK).await;
    used.write_all(b"GET /hea").await.unwrap();
    assert!(
        is_ended_within(&mut used, idle - Duration::from_millis(500)).await,
        "a slow head on a used connection"
    );
    for begin in ["GET /hea", ""] {
        let mut slow = TcpStream::connect(at).await.unwrap();
        slow.write_all(begin.as_bytes()).await.unwrap();
        assert!(is_ended_within(&mut slow, idle - Duration::from_millis(500)).await, "{begin}");
    }
}

/// No timeout runs while a request is handled: neither for a slow response nor for a stream with rare keep-alives.
#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_an_answer_is_not_idle() {
    use adjourn::sim::{FaultRule, InjectedFault};
    let lobby = ApiFixture::open().await;
    let (head, idle) = (Duration::from_millis(300), Duration::from_millis(600));
    let at = lobby
        .serve(api::router(lobby.api()), None, ListenerLimits { head, idle, ..ListenerLimits::default() })
        .await;
    lobby.sim.inject_fault(FaultRule::new(InjectedFault::Slow(Duration::from_millis(1_500))).on("FindItem"));
    let mut slow = TcpStream::connect(at).await.unwrap();
    let ask =
        format!("GET /v1/rooms/{BUSY} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\n\r\n", lobby.token);
    slow.write_all(ask.as_bytes()).await.unwrap();
    let mut buffer = [0; 4096];
    let len = slow.read(&mut buffer).await.unwrap();
    assert!(buffer[..len].starts_with(b"HTTP/1.1 200"));
}
