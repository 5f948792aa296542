//! `/v1/keys`: keys are listed, created, changed and revoked within the rights and rooms of the caller, and no further.

use std::time::Duration;

use adjourn::access::{KeyId, Right};
use adjourn::journal::{AdminActor, AdminEvent, AdminQuery};
use adjourn_test::{HttpReply, now};
use chrono::{SecondsFormat, TimeDelta};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::fixture::{ApiFixture, BUSY, FREE, OTHER};

fn id_of(token: &str) -> String {
    token.split('_').nth(1).unwrap().to_owned()
}

/// The third part of a key. It may have `_` in it.
fn secret_of(token: &str) -> &str {
    token.splitn(3, '_').nth(2).unwrap()
}

fn key(name: &str, rooms: &[&str], rights: &[Right]) -> Value {
    json!({ "name": name, "rooms": rooms, "rights": rights })
}

async fn create(lobby: &ApiFixture, token: &str, body: &Value) -> HttpReply {
    lobby.send_as(token, "POST", "/v1/keys", &[], &body.to_string()).await
}

async fn list(lobby: &ApiFixture, token: &str) -> Vec<Value> {
    let reply = lobby.send_as(token, "GET", "/v1/keys", &[], "").await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()["keys"].as_array().unwrap().clone()
}

/// The names of the listed keys, sorted.
async fn names(lobby: &ApiFixture, token: &str) -> Vec<String> {
    let keys = list(lobby, token).await;
    let mut names: Vec<_> = keys.iter().map(|key| key["name"].as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

fn problem(reply: &HttpReply) -> (u16, String) {
    (reply.status, reply.problem())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_works_in_its_rooms_and_its_secret_is_in_one_answer_only() {
    let lobby = ApiFixture::open().await;
    let created = create(&lobby, &lobby.token, &key(" door ", &[BUSY], &[Right::Read, Right::End])).await;
    assert_eq!((created.status, created.header("cache-control")), (201, Some("no-store")), "{created:?}");
    let mut created = created.json();
    let token = created["key"].as_str().unwrap().to_owned();
    assert_eq!(lobby.send_as(&token, "GET", &format!("/v1/rooms/{BUSY}"), &[], "").await.status, 200);
    assert_eq!(lobby.send_as(&token, "GET", &format!("/v1/rooms/{FREE}"), &[], "").await.status, 404);
    let listed = lobby.get("/v1/keys").await;
    let secret = secret_of(&token);
    assert!(!listed.body.contains(secret) && !listed.body.contains("hash"), "{}", listed.body);
    let door = listed.json()["keys"].as_array().unwrap().iter().find(|key| key["name"] == "door").cloned();
    created.as_object_mut().unwrap().remove("key");
    assert_eq!(door, Some(created.clone()));
    let expected = json!({
        "id": id_of(&token), "name": "door", "rights": ["read", "end"], "rooms": [BUSY], "per_minute": 600,
        "created_at": created["created_at"], "last_used_at": null, "expires_at": null, "certificate_bound": false,
        "own": false,
    });
    assert_eq!(created, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_key_gets_a_right_or_a_room_that_its_creator_lacks() {
    let lobby = ApiFixture::open().await;
    let rights = [Right::Read, Right::End, Right::Keys];
    let narrow = lobby.key("narrow", "b*@example.com", &rights, 600).await;
    for (rooms, given) in [
        (&["b*@example.com"][..], &[Right::Read, Right::Audit][..]),
        (&["b*@example.com"], &[Right::Delete]),
        (&["*"], &[Right::Read]),
        (&["*@example.com"], &[Right::Read]),
        (&["b*@example.co*"], &[Right::Read]),
        (&["?usy@example.com"], &[Right::Read]),
        (&[FREE], &[Right::Read]),
        (&[BUSY, OTHER], &[Right::Read]),
    ] {
        let refused = create(&lobby, &narrow, &key("more", rooms, given)).await;
        assert_eq!(problem(&refused), (403, "forbidden".to_owned()), "{rooms:?} {given:?}: {refused:?}");
    }
    assert_eq!(names(&lobby, &narrow).await, ["narrow"]);
    for (name, room) in [("same", "B*@Example.com"), ("one", BUSY), ("fewer", "bu*@example.com")] {
        let created = create(&lobby, &narrow, &key(name, &[room], &[Right::End, Right::Keys])).await;
        assert_eq!(created.status, 201, "{room}: {created:?}");
    }
    // The same limits hold for a change.
    let keys = list(&lobby, &narrow).await;
    let same = keys.iter().find(|key| key["name"] == "same").unwrap();
    let path = format!("/v1/keys/{}", same["id"].as_str().unwrap());
    for change in [json!({ "rights": ["audit"] }), json!({ "rooms": ["*@example.com"] })] {
        let refused = lobby.send_as(&narrow, "PATCH", &path, &[], &change.to_string()).await;
        assert_eq!(problem(&refused), (403, "forbidden".to_owned()), "{change}");
    }
    assert_eq!(list(&lobby, &narrow).await, keys);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_beyond_the_callers_rights_is_like_one_that_does_not_exist() {
    let lobby = ApiFixture::open().await;
    let narrow = lobby.key("narrow", "b*@example.com", &[Right::Read, Right::Keys], 600).await;
    let below = lobby.key("below", BUSY, &[Right::Read], 600).await;
    let wide = lobby.key("wide", "*@example.com", &[Right::Read], 600).await;
    let strong = lobby.key("strong", BUSY, &[Right::End], 600).await;
    assert_eq!(names(&lobby, &narrow).await, ["below", "narrow"]);
    for method in ["PATCH", "DELETE"] {
        let send = async |id: String| {
            lobby.send_as(&narrow, method, &format!("/v1/keys/{id}"), &[], r#"{"name":"x"}"#).await
        };
        let unknown = send("0123456789".to_owned()).await;
        assert_eq!(problem(&unknown), (404, "not-found".to_owned()));
        for foreign in [&wide, &strong, &lobby.token] {
            let refused = send(id_of(foreign)).await;
            assert_eq!((refused.status, &refused.body), (404, &unknown.body), "{method}");
        }
    }
    let revoked = lobby.send_as(&narrow, "DELETE", &format!("/v1/keys/{}", id_of(&below)), &[], "").await;
    assert_eq!(revoked.status, 204, "{revoked:?}");
    for token in [&wide, &strong] {
        assert_eq!(lobby.send_as(token, "GET", "/v1/me", &[], "").await.status, 200, "still in force");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_right_no_key_is_listed_or_changed() {
    let lobby = ApiFixture::open().await;
    let all_but: Vec<_> = Right::ALL.into_iter().filter(|right| *right != Right::Keys).collect();
    let operator = lobby.key("operator", "*", &all_but, 600).await;
    let own = format!("/v1/keys/{}", id_of(&operator));
    let body = key("door", &[BUSY], &[Right::Read]).to_string();
    for (method, path, body) in [
        ("GET", "/v1/keys", ""),
        ("POST", "/v1/keys", &body),
        ("PATCH", &own, r#"{"name":"x"}"#),
        ("DELETE", &own, ""),
    ] {
        let refused = lobby.send_as(&operator, method, path, &[], body).await;
        assert_eq!(problem(&refused), (403, "forbidden".to_owned()), "{method}");
        assert!(refused.body.contains("`keys`"), "{refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_does_not_lock_itself_out() {
    let lobby = ApiFixture::open().await;
    let path = format!("/v1/keys/{}", id_of(&lobby.token));
    for (method, body) in [("DELETE", ""), ("PATCH", r#"{"rights":["read"]}"#)] {
        let refused = lobby.send(method, &path, &[], body).await;
        assert_eq!(problem(&refused), (422, "own-key".to_owned()), "{method}");
    }
    let own: Vec<_> = list(&lobby, &lobby.token).await.iter().map(|key| key["own"].clone()).collect();
    assert_eq!(own, [json!(true)]);
    assert_eq!(lobby.get("/v1/me").await.json()["rights"].as_array().unwrap().len(), Right::ALL.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_ends_within_two_seconds() {
    let lobby = ApiFixture::open().await;
    let door = create(&lobby, &lobby.token, &key("door", &[BUSY], &[Right::Read])).await.json();
    let (token, path) = (door["key"].as_str().unwrap(), format!("/v1/keys/{}", door["id"].as_str().unwrap()));
    assert_eq!(lobby.send_as(token, "GET", "/v1/me", &[], "").await.status, 200);
    let ended = async {
        assert_eq!(lobby.send("DELETE", &path, &[], "").await.status, 204);
        while lobby.send_as(token, "GET", "/v1/me", &[], "").await.status != 401 {}
    };
    tokio::time::timeout(Duration::from_secs(2), ended).await.unwrap();
    assert_eq!(problem(&lobby.send("DELETE", &path, &[], "").await), (404, "not-found".to_owned()));
    assert_eq!(names(&lobby, &lobby.token).await, ["display"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_holds_at_once_and_touches_what_it_names() {
    let lobby = ApiFixture::open().await;
    let door = create(&lobby, &lobby.token, &key("door", &[BUSY], &[Right::Read])).await.json();
    let (token, path) = (door["key"].as_str().unwrap(), format!("/v1/keys/{}", door["id"].as_str().unwrap()));
    let change = async |body: Value| lobby.send("PATCH", &path, &[], &body.to_string()).await;
    let read =
        async |room: &str| lobby.send_as(token, "GET", &format!("/v1/rooms/{room}"), &[], "").await.status;
    let expires = (now() + TimeDelta::days(1)).to_rfc3339_opts(SecondsFormat::Secs, true);
    let changed = change(json!({ "rooms": ["f*@example.com"], "expires_at": expires, "name": null })).await;
    assert_eq!(changed.status, 200, "{changed:?}");
    assert_eq!((read(FREE).await, read(BUSY).await), (200, 404));
    let mut expected = door.clone();
    expected.as_object_mut().unwrap().remove("key");
    expected["rooms"] = json!(["f*@example.com"]);
    expected["expires_at"] = json!(expires);
    let mut shown = changed.json();
    shown["last_used_at"] = json!(null);
    assert_eq!(shown, expected);
    assert_eq!(change(json!({ "no_expiry": true })).await.json()["expires_at"], json!(null));
    let renamed = change(json!({ "name": "display" })).await;
    assert_eq!(problem(&renamed), (409, "key-name-taken".to_owned()));
    assert!(!renamed.body.contains(&id_of(&lobby.token)), "{renamed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_stream_ends_when_its_key_loses_a_room() {
    let lobby = ApiFixture::open().await;
    let token = lobby.key("floor", "*@example.com", &[Right::Read], 600).await;
    let mut stream = tokio::net::TcpStream::connect(lobby.at).await.unwrap();
    let request = format!("GET /v1/events HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut status = [0; 12];
    stream.read_exact(&mut status).await.unwrap();
    assert_eq!(&status, b"HTTP/1.1 200");
    let path = format!("/v1/keys/{}", id_of(&token));
    let narrowed = lobby.send("PATCH", &path, &[], &json!({ "rooms": [FREE] }).to_string()).await;
    assert_eq!(narrowed.status, 200, "{narrowed:?}");
    lobby.post(&format!("/v1/rooms/{BUSY}/end"), "").await;
    let mut heard = String::new();
    let ended = async {
        // The last chunk.
        while !heard.ends_with("0\r\n\r\n") {
            let mut buffer = [0; 1024];
            let len = stream.read(&mut buffer).await.unwrap();
            heard += std::str::from_utf8(&buffer[..len]).unwrap();
        }
    };
    tokio::time::timeout(Duration::from_secs(5), ended).await.unwrap();
    assert!(!heard.contains(r#""kind":"end""#), "{heard}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_request_names_the_wrong_member() {
    let lobby = ApiFixture::open().await;
    let door = lobby.key("door", BUSY, &[Right::Read], 600).await;
    let path = format!("/v1/keys/{}", id_of(&door));
    let (past, long) = ("2020-01-01T00:00:00Z", "*".repeat(255));
    let many = vec![BUSY; 1_001];
    for (pointer, member, value) in [
        ("/name", "name", json!("a\u{202e}b")),
        ("/rights/1", "rights", json!(["read", "reed"])),
        ("/rights", "rights", json!([])),
        ("/rooms", "rooms", json!([])),
        ("/rooms", "rooms", json!(many)),
        ("/rooms/1", "rooms", json!([BUSY, "room"])),
        ("/rooms/0", "rooms", json!([long])),
        ("/per_minute", "per_minute", json!(0)),
        ("/expires_at", "expires_at", json!(past)),
    ] {
        let mut whole = key("new", &[BUSY], &[Right::Read]);
        whole[member] = value.clone();
        let part = json!({ member: value });
        for (method, path, body) in [("POST", "/v1/keys", &whole), ("PATCH", path.as_str(), &part)] {
            let refused = lobby.send(method, path, &[], &body.to_string()).await;
            assert_eq!(problem(&refused), (400, "bad-request".to_owned()), "{method} {member}: {refused:?}");
            assert_eq!(refused.json()["errors"][0]["pointer"], pointer, "{method} {member}: {refused:?}");
        }
    }
    let far = "2999-01-01T00:00:00Z";
    for body in [
        json!({}),
        json!({ "name": null, "no_expiry": false }),
        json!({ "no_expiry": true, "expires_at": far }),
    ] {
        assert_eq!(lobby.send("PATCH", &path, &[], &body.to_string()).await.status, 400, "{body}");
    }
    assert_eq!(names(&lobby, &lobby.token).await, ["display", "door"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_creation_makes_no_second_key_and_repeats_no_secret() {
    let lobby = ApiFixture::open().await;
    let once = [("Idempotency-Key", "press-1")];
    let body = key("door", &[BUSY], &[Right::Read]).to_string();
    let send = async |body: &str| lobby.send("POST", "/v1/keys", &once, body).await;
    let (one, two) = tokio::join!(send(&body), send(&body));
    let (first, repeated) = if one.status == 201 { (one, two) } else { (two, one) };
    assert_eq!(first.status, 201, "{first:?}");
    assert_eq!(problem(&repeated), (409, "secret-not-stored".to_owned()));
    let created = first.json();
    let secret = secret_of(created["key"].as_str().unwrap());
    assert!(repeated.body.contains(created["id"].as_str().unwrap()) && !repeated.body.contains(secret));
    let other = key("other", &[BUSY], &[Right::Read]).to_string();
    assert_eq!(problem(&send(&other).await), (422, "key-reused".to_owned()));
    assert_eq!(names(&lobby, &lobby.token).await, ["display", "door"]);
    // A restart forgets the idempotency key, and the name still refuses a second key.
    let again = lobby.post("/v1/keys", &body).await;
    assert_eq!(problem(&again), (409, "key-name-taken".to_owned()));
    // The keys of all kinds of requests are one set.
    let end = format!("/v1/rooms/{BUSY}/end");
    assert_eq!(problem(&lobby.send("POST", &end, &once, "").await), (422, "key-reused".to_owned()));
    let sign = format!(r#"{{"signs":[{{"room":"{BUSY}","source":"motion"}}]}}"#);
    assert_eq!(lobby.send("POST", "/v1/evidence", &[("Idempotency-Key", "sign-1")], &sign).await.status, 200);
    let reused = lobby.send("POST", "/v1/keys", &[("Idempotency-Key", "sign-1")], &other).await;
    assert_eq!(problem(&reused), (422, "key-reused".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_expires_gives_no_key_more_time() {
    let lobby = ApiFixture::open().await;
    let token = lobby.key("visitor", "*", &Right::ALL, 600).await;
    let mut visitor =
        lobby.desk.key_record(KeyId(id_of(&token))).await.unwrap().map(|record| record.key).unwrap();
    visitor.expires = Some(now() + TimeDelta::hours(1));
    lobby.desk.change_key(visitor, AdminActor::Service, now()).await.unwrap();
    lobby.keys.refresh().await.unwrap();
    let in_minutes = |minutes| (now() + TimeDelta::minutes(minutes)).to_rfc3339();
    let mut body = key("door", &[BUSY], &[Right::Read]);
    for expires in [json!(null), json!(in_minutes(61))] {
        body["expires_at"] = expires;
        assert_eq!(problem(&create(&lobby, &token, &body).await), (403, "forbidden".to_owned()), "{body}");
    }
    body["expires_at"] = json!(in_minutes(59));
    let door = create(&lobby, &token, &body).await;
    assert_eq!(door.status, 201, "{door:?}");
    let path = format!("/v1/keys/{}", door.json()["id"].as_str().unwrap());
    let change =
        async |body: Value| lobby.send_as(&token, "PATCH", &path, &[], &body.to_string()).await.status;
    assert_eq!(change(json!({ "no_expiry": true })).await, 403);
    assert_eq!(change(json!({ "expires_at": in_minutes(61) })).await, 403);
    assert_eq!(change(json!({ "name": "lobby" })).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_in_the_journal_with_the_caller() {
    let lobby = ApiFixture::open().await;
    let door = create(&lobby, &lobby.token, &key("door", &[BUSY], &[Right::Read])).await.json();
    let path = format!("/v1/keys/{}", door["id"].as_str().unwrap());
    assert_eq!(lobby.send("PATCH", &path, &[], r#"{"per_minute":9}"#).await.status, 200);
    assert_eq!(lobby.send("DELETE", &path, &[], "").await.status, 204);
    lobby.service.write_admin_events().await.unwrap();
    let page = lobby.service.engine.journal().admin_events(&AdminQuery::default()).await.unwrap();
    let kinds: Vec<_> = page.events.iter().rev().map(|(_, entry)| entry.event.kind()).collect();
    assert_eq!(kinds, ["key-created", "key-changed", "key-revoked"]);
    let caller = AdminActor::Caller { key_id: id_of(&lobby.token), name: Some("display".to_owned()) };
    assert!(page.events.iter().all(|(_, entry)| entry.by == caller), "{page:?}");
    assert!(
        matches!(&page.events[0].1.event, AdminEvent::KeyRevoked { key_id, .. } if door["id"] == **key_id)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_has_pages_that_name_no_other_key() {
    let lobby = ApiFixture::open().await;
    let narrow = lobby.key("narrow", "b*@example.com", &[Right::Read, Right::Keys], 600).await;
    for number in 0..3 {
        lobby.key(&format!("b{number}"), BUSY, &[Right::Read], 600).await;
        lobby.key(&format!("f{number}"), FREE, &[Right::Read], 600).await;
    }
    let mut seen = Vec::new();
    let mut path = "/v1/keys?limit=2".to_owned();
    loop {
        let page = lobby.send_as(&narrow, "GET", &path, &[], "").await.json();
        let keys = page["keys"].as_array().unwrap();
        assert!((1..=2).contains(&keys.len()), "{page}");
        seen.extend(keys.iter().map(|key| key["name"].as_str().unwrap().to_owned()));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        assert!(cursor.ends_with(keys.last().unwrap()["id"].as_str().unwrap()), "{page}");
        path = format!("/v1/keys?limit=2&cursor={cursor}");
    }
    seen.sort();
    assert_eq!(seen, ["b0", "b1", "b2", "narrow"]);
    for bad in ["limit=0", "limit=1001", "cursor=x", "cursor=x-y", "page=2"] {
        let refused = lobby.get(&format!("/v1/keys?{bad}")).await;
        assert_eq!(problem(&refused), (400, "bad-request".to_owned()), "{bad}");
    }
}
