//! Rights of keys: a response reveals nothing about rooms outside the key's rights.

use std::time::Duration;

use adjourn::access::{KeyId, Right};
use adjourn_test::{HttpReply, now};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::fixture::{ApiFixture, BUSY, FREE, OTHER};

#[tokio::test(flavor = "multi_thread")]
async fn nothing_but_health_and_the_description_is_served_without_a_key() {
    let lobby = ApiFixture::open().await;
    for path in ["/healthz", "/readyz", "/v1/openapi.json", "/docs"] {
        let open =
            lobby.send_raw(&format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")).await;
        assert_eq!(open.status, 200, "{path}");
        assert!(!open.body.contains(BUSY), "{path}");
    }
    for path in ["/v1/rooms", "/metrics", "/v1/events", "/v1/actions", "/v1/nowhere"] {
        let wrong = "adj_0123456789_wrong";
        for token in ["", "adj_x", wrong, &format!("{}x", lobby.token)] {
            let said = lobby.send_as(token, "GET", path, &[], "").await;
            assert_eq!(said.status, 401, "{path} with {token}");
        }
    }
    let basic =
        base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("me:{}", lobby.token));
    let page = lobby
        .send_raw(&format!(
            "GET /v1/rooms HTTP/1.1\r\nHost: a\r\nAuthorization: Basic {basic}\r\nConnection: close\r\n\r\n"
        ))
        .await;
    assert!(page.status == 200 && page.body.contains(BUSY), "{page:?}");
    // A browser would send Basic credentials with another site's form too.
    let forged = lobby
        .send_raw(&format!(
            "POST /v1/rooms/{BUSY}/end HTTP/1.1\r\nHost: a\r\nAuthorization: Basic {basic}\r\nContent-Length: 0\r\n\
             Connection: close\r\n\r\n"
        ))
        .await;
    assert_eq!(forged.status, 401, "{forged:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_outside_the_key_is_like_one_that_there_is_not() {
    let lobby = ApiFixture::open().await;
    let all = lobby.key("all", "*", &Right::ALL, 600).await;
    let theirs = lobby.send_as(&all, "POST", &format!("/v1/rooms/{OTHER}/end"), &[], "").await;
    assert_eq!(theirs.status, 200);
    let action = theirs.json()["id"].as_str().unwrap().to_owned();
    for (method, path) in [
        ("GET", "/v1/rooms/{room}"),
        ("POST", "/v1/rooms/{room}/end"),
        ("POST", "/v1/rooms/{room}/delete"),
        ("POST", "/v1/rooms/{room}/check-in"),
    ] {
        let ask = |room| lobby_ask(&lobby, method, path.replace("{room}", room));
        let (outside, nowhere, stranger) =
            (ask(OTHER).await, ask("nowhere@example.com").await, ask("ceo@x").await);
        assert_eq!((outside.status, &outside.body), (404, &nowhere.body), "{method} {path}");
        assert_eq!(stranger.body, nowhere.body);
    }
    let unknown = lobby.get("/v1/actions/00000000-0000-0000-0000-000000000000").await;
    let hidden = lobby.get(&format!("/v1/actions/{action}")).await;
    assert_eq!((hidden.status, &hidden.body), (404, &unknown.body));
    assert_eq!(lobby.post(&format!("/v1/actions/{action}/undo"), "").await.status, 404);
    let record = lobby.get("/v1/actions").await;
    assert_eq!(record.json()["actions"], serde_json::json!([]));
    let rooms = lobby.get("/v1/rooms").await;
    assert!(rooms.body.contains(BUSY) && !rooms.body.contains(OTHER), "{rooms:?}");
    let sign = format!(r#"{{"signs":[{{"room":"{OTHER}","source":"motion"}}]}}"#);
    let refused = lobby.post("/v1/evidence", &sign).await;
    assert_eq!(refused.status, 400, "{refused:?}");
    let both = format!(
        r#"{{"signs":[{{"room":"{OTHER}","source":"motion"}},{{"room":"{BUSY}","source":"motion"}}]}}"#
    );
    let taken = lobby.post("/v1/evidence", &both).await.json();
    assert_eq!((&taken["accepted"], &taken["rejected"][0]["index"]), (&1.into(), &0.into()), "{taken}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_else_asked_for_is_for_those_who_may_audit() {
    let lobby = ApiFixture::open().await;
    let ended = lobby.post(&format!("/v1/rooms/{BUSY}/end"), "").await;
    let path = format!("/v1/actions/{}", ended.json()["id"].as_str().unwrap());
    let reader = lobby.key("reader", "*", &[Right::Read], 600).await;
    let auditor = lobby.key("auditor", "*", &[Right::Read, Right::Audit], 600).await;
    assert_eq!(lobby.get(&path).await.status, 200, "one's own");
    assert_eq!(lobby.send_as(&auditor, "GET", &path, &[], "").await.status, 200);
    let unknown = lobby.send_as(&reader, "GET", &path, &[], "").await;
    assert_eq!((unknown.status, unknown.problem()), (404, "not-found".to_owned()));
}

async fn lobby_ask(lobby: &ApiFixture, method: &str, path: String) -> HttpReply {
    lobby.send(method, &path, &[], "").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_does_what_it_may_and_nothing_else() {
    let lobby = ApiFixture::open().await;
    let reader = lobby.key("reader", "*", &[Right::Read], 600).await;
    assert_eq!(lobby.send_as(&reader, "GET", &format!("/v1/rooms/{BUSY}"), &[], "").await.status, 200);
    for (method, path, body) in [
        ("POST", format!("/v1/rooms/{BUSY}/end"), ""),
        ("POST", format!("/v1/rooms/{BUSY}/delete"), ""),
        ("POST", format!("/v1/rooms/{BUSY}/extend"), r#"{"minutes":5}"#),
        ("POST", format!("/v1/rooms/{FREE}/book"), r#"{"minutes":5}"#),
        ("POST", format!("/v1/rooms/{BUSY}/check-in"), ""),
        ("POST", "/v1/sweeps".to_owned(), ""),
        ("POST", "/v1/evidence".to_owned(), r#"{"signs":[]}"#),
        ("GET", "/metrics".to_owned(), ""),
    ] {
        let said = lobby.send_as(&reader, method, &path, &[], body).await;
        assert_eq!((said.status, said.problem()), (403, "forbidden".to_owned()), "{method} {path}");
    }
    assert_eq!(lobby.ews_requests("UpdateItem") + lobby.ews_requests("CreateItem"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_asks_as_often_as_it_may_and_not_after_it_is_revoked() {
    let lobby = ApiFixture::open().await;
    let slow = lobby.key("slow", "*", &Right::ALL, 3).await;
    for _ in 0..3 {
        assert_eq!(lobby.send_as(&slow, "GET", "/v1/rooms", &[], "").await.status, 200);
    }
    let said = lobby.send_as(&slow, "GET", "/v1/rooms", &[], "").await;
    assert_eq!((said.status, said.problem()), (429, "rate-limited".to_owned()));
    assert!((1..=21).contains(&said.header("retry-after").unwrap().parse::<u32>().unwrap()));
    assert_eq!(lobby.get("/v1/rooms").await.status, 200, "others are not held up");

    let id = slow.split('_').nth(1).unwrap().to_owned();
    assert!(lobby.desk.revoke_key(KeyId(id.clone()), now()).await.unwrap());
    assert!(!lobby.desk.revoke_key(KeyId(id), now()).await.unwrap());
    lobby.keys.refresh().await.unwrap();
    assert_eq!(lobby.send_as(&slow, "GET", "/v1/rooms", &[], "").await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_key_does_not_take_all_places_and_a_revoked_one_hears_nothing_more() {
    let lobby = ApiFixture::open().await;
    let greedy = lobby.key("greedy", "*", &[Right::Read], 6_000).await;
    let ask = format!("GET /v1/events HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {greedy}\r\n\r\n");
    let open = async || {
        let mut stream = tokio::net::TcpStream::connect(lobby.at).await.unwrap();
        stream.write_all(ask.as_bytes()).await.unwrap();
        let mut status = [0; 12];
        stream.read_exact(&mut status).await.unwrap();
        (String::from_utf8(status.to_vec()).unwrap(), stream)
    };
    let mut streams = Vec::new();
    for _ in 0..100 {
        let (status, stream) = open().await;
        assert_eq!(status, "HTTP/1.1 200");
        streams.push(stream);
    }
    assert_eq!(open().await.0, "HTTP/1.1 429");
    let mut last = streams.pop().unwrap();

    let id = greedy.split('_').nth(1).unwrap().to_owned();
    lobby.desk.revoke_key(KeyId(id), now()).await.unwrap();
    lobby.keys.refresh().await.unwrap();
    lobby.post(&format!("/v1/rooms/{BUSY}/end"), "").await;
    let mut heard = String::new();
    let ended = async {
        // The last chunk: the stream ended, and the connection is reusable.
        while !heard.ends_with("0\r\n\r\n") {
            let mut buffer = [0; 1024];
            let len = last.read(&mut buffer).await.unwrap();
            heard += std::str::from_utf8(&buffer[..len]).unwrap();
        }
    };
    tokio::time::timeout(Duration::from_secs(5), ended).await.unwrap();
    assert!(!heard.contains(BUSY), "{heard}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_or_too_slow_is_dropped() {
    let lobby = ApiFixture::open().await;
    let large = format!(r#"{{"reason":"{}"}}"#, "x".repeat(1 << 20));
    assert_eq!(lobby.post(&format!("/v1/rooms/{BUSY}/end"), &large).await.status, 413);
    let long = format!(r#"{{"reason":"{}"}}"#, "x".repeat(1_001));
    assert_eq!(lobby.post(&format!("/v1/rooms/{BUSY}/end"), &long).await.status, 400);
    let many = format!("GET /v1/rooms HTTP/1.1\r\nHost: a\r\n{}\r\n", "X-A: b\r\n".repeat(100));
    assert_eq!(lobby.send_raw(&many).await.status, 431);
    let heavy = format!("GET /v1/rooms HTTP/1.1\r\nHost: a\r\nX-A: {}\r\n\r\n", "b".repeat(20_000));
    assert_eq!(lobby.send_raw(&heavy).await.status, 431);

    let half = format!(
        "POST /v1/rooms/{BUSY}/end HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\nContent-Length: 100\r\n\r\n{{",
        lobby.token
    );
    let drop_after = async |sent: &str| {
        let mut slow = tokio::net::TcpStream::connect(lobby.at).await.unwrap();
        slow.write_all(sent.as_bytes()).await.unwrap();
        let mut rest = Vec::new();
        tokio::time::timeout(Duration::from_secs(25), slow.read_to_end(&mut rest)).await
    };
    let (head, body) = tokio::join!(drop_after("GET /v1/rooms HTT"), drop_after(&half));
    assert!(head.is_ok() && body.is_ok(), "slow clients are dropped");
    assert_eq!(lobby.ews_requests("UpdateItem"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mistyped_room_is_proposed_only_to_a_key_that_sees_it() {
    let lobby = ApiFixture::open().await;
    let path = format!("/v1/rooms/{}x", BUSY);
    let said = lobby.get(&path).await;
    assert_eq!((said.status, said.problem()), (404, "no-such-room".to_owned()));
    assert!(said.body.contains(&format!("Did you mean {BUSY}?")), "{said:?}");
    let other = lobby.key("other", OTHER, &[Right::Read], 100).await;
    let said = lobby.send_as(&other, "GET", &path, &[], "").await;
    assert!(said.status == 404 && !said.body.contains(BUSY), "{said:?}");
}
