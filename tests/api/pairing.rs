//! Displays over HTTP: pairing by a code, the list, the removal, contact and loss.

use std::time::Duration;

use adjourn::access::Right;
use adjourn::journal::{AdminActor, AdminEvent, AdminQuery};
use adjourn_test::HttpReply;
use serde_json::{Value, json};

use crate::events::Listener;
use crate::fixture::{ApiFixture, BUSY, FREE, OTHER};

/// Begins a pairing as a display does, without a key.
async fn begin(lobby: &ApiFixture) -> Value {
    let request =
        "POST /v1/pairings HTTP/1.1\r\nHost: adjourn\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let begun = lobby.send_raw(request).await;
    assert_eq!(begun.status, 201, "{begun:?}");
    begun.json()
}

/// Polls with the pairing's secret.
async fn poll(lobby: &ApiFixture, pairing: &Value) -> HttpReply {
    let path = format!("/v1/pairings/{}", pairing["id"].as_str().unwrap());
    lobby.send_as(pairing["secret"].as_str().unwrap(), "GET", &path, &[], "").await
}

async fn pair_as(lobby: &ApiFixture, token: &str, order: &Value) -> HttpReply {
    lobby.send_as(token, "POST", "/v1/displays", &[], &order.to_string()).await
}

/// Pairs a display for this room; returns its view and its key.
async fn paired(lobby: &ApiFixture, room: &str, name: &str) -> (Value, String) {
    let pairing = begin(lobby).await;
    let order = json!({ "code": pairing["code"], "room": room, "name": name });
    let display = pair_as(lobby, &lobby.token, &order).await;
    assert_eq!(display.status, 201, "{display:?}");
    let key = poll(lobby, &pairing).await.json()["key"].as_str().unwrap().to_owned();
    (display.json(), key)
}

async fn states(lobby: &ApiFixture) -> Vec<String> {
    let list = lobby.get("/v1/displays").await.json();
    let displays = list["displays"].as_array().unwrap();
    displays.iter().map(|display| display["state"].as_str().unwrap().to_owned()).collect()
}

/// Lets minutes pass without contact.
async fn pass(lobby: &ApiFixture, minutes: u64) {
    for _ in 0..minutes {
        lobby.service.check_displays(Duration::from_secs(60)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_display_shows_a_code_and_receives_its_key_once() {
    let lobby = ApiFixture::open().await;
    let pairing = begin(&lobby).await;
    let waiting = poll(&lobby, &pairing).await.json();
    assert_eq!((&waiting["state"], &waiting["key"]), (&json!("waiting"), &Value::Null));
    let order = json!({ "code": pairing["code"], "room": FREE, "name": "Free, door", "pin": "2468" });
    let display = pair_as(&lobby, &lobby.token, &order).await;
    assert_eq!(display.status, 201, "{display:?}");
    let shown = display.json();
    assert_eq!(
        (&shown["name"], &shown["room"], &shown["state"], &shown["paired_by"]),
        (&json!("Free, door"), &json!(FREE), &json!("never"), &json!("display"))
    );
    assert!(
        !display.body.contains("adj_") && !display.body.contains("2468"),
        "the operator receives no secret"
    );
    let answer = poll(&lobby, &pairing).await.json();
    assert_eq!(
        (&answer["state"], &answer["room"], &answer["pin"]),
        (&json!("paired"), &json!(FREE), &json!("2468"))
    );
    let again = poll(&lobby, &pairing).await.json();
    assert_eq!(
        (&again["state"], &again["key"], &again["pin"]),
        (&json!("paired"), &Value::Null, &Value::Null)
    );

    let key = answer["key"].as_str().unwrap();
    let me = lobby.send_as(key, "GET", "/v1/me", &[], "").await.json();
    let rights = json!(["read", "check-in", "end", "extend", "book", "evidence"]);
    assert_eq!((&me["rights"], &me["rooms"], &me["name"]), (&rights, &json!([FREE]), &json!("Free, door")));
    assert_eq!(lobby.send_as(key, "GET", &format!("/v1/rooms/{BUSY}"), &[], "").await.status, 404);
    assert_eq!(states(&lobby).await, ["connected"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pairing_is_in_the_journal_with_the_caller_and_so_is_the_removal() {
    let lobby = ApiFixture::open().await;
    let (display, key) = paired(&lobby, FREE, "door").await;
    let id = display["id"].as_str().unwrap();
    let removed = lobby.send("DELETE", &format!("/v1/displays/{id}"), &[], "").await;
    assert_eq!((removed.status, removed.body.as_str()), (204, ""));
    assert_eq!(lobby.send_as(&key, "GET", "/v1/me", &[], "").await.status, 401, "its key is revoked");
    assert_eq!(states(&lobby).await, [""; 0]);
    assert_eq!(lobby.send("DELETE", &format!("/v1/displays/{id}"), &[], "").await.status, 404);
    lobby.service.write_admin_events().await.unwrap();
    let journal = lobby.service.engine.journal();
    let page = journal.admin_events(&AdminQuery::default()).await.unwrap();
    let by_caller =
        |by: &AdminActor| matches!(by, AdminActor::Caller { name: Some(name), .. } if name == "display");
    let mut events: Vec<_> = page
        .events
        .iter()
        .filter(|(_, entry)| by_caller(&entry.by))
        .map(|(_, entry)| match &entry.event {
            AdminEvent::KeyCreated(facts) => format!("created {}", facts.key_id),
            AdminEvent::KeyRevoked { key_id, .. } => format!("revoked {key_id}"),
            other => format!("{other:?}"),
        })
        .collect();
    events.sort();
    assert_eq!(events, [format!("created {id}"), format!("revoked {id}")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_codes_are_404_and_limited_and_a_code_is_used_once() {
    let lobby = ApiFixture::open().await;
    let operator = lobby.key("operator", "*", &[Right::Read, Right::Displays], 600).await;
    let pairing = begin(&lobby).await;
    let right = json!({ "code": pairing["code"], "room": FREE });
    let first = pair_as(&lobby, &operator, &right).await;
    assert_eq!(first.status, 201, "{first:?}");
    let repeated = pair_as(&lobby, &operator, &right).await;
    assert_eq!((repeated.status, &repeated.json()["id"]), (200, &first.json()["id"]), "one display");
    let other = pair_as(&lobby, &lobby.token, &right).await;
    assert_eq!((other.status, other.problem()), (404, "no-such-code".to_owned()), "another caller");
    let code = pairing["code"].as_str().unwrap();
    let wrong = if code == "000000" { "000001" } else { "000000" };
    let wrong = json!({ "code": wrong, "room": FREE });
    for _ in 0..10 {
        let refused = pair_as(&lobby, &operator, &wrong).await;
        assert_eq!((refused.status, refused.problem()), (404, "no-such-code".to_owned()), "{refused:?}");
    }
    let next = begin(&lobby).await;
    let right = json!({ "code": next["code"], "room": FREE });
    let refused = pair_as(&lobby, &operator, &right).await;
    assert_eq!((refused.status, refused.problem()), (429, "rate-limited".to_owned()), "{refused:?}");
    assert!(refused.header("retry-after").is_some());
    lobby.clock.advance(601);
    let next = begin(&lobby).await;
    let right = json!({ "code": next["code"], "room": FREE });
    assert_eq!(pair_as(&lobby, &operator, &right).await.status, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_expires_and_the_secret_alone_opens_a_pairing() {
    let lobby = ApiFixture::open().await;
    let (pairing, other) = (begin(&lobby).await, begin(&lobby).await);
    let stranger = json!({ "id": pairing["id"], "secret": other["secret"] });
    assert_eq!(poll(&lobby, &stranger).await.status, 404);
    lobby.clock.advance(119);
    assert_eq!(poll(&lobby, &pairing).await.status, 200);
    lobby.clock.advance(2);
    let order = json!({ "code": other["code"], "room": FREE });
    assert_eq!(pair_as(&lobby, &lobby.token, &order).await.status, 404, "its display stopped polling");
    for _ in 0..5 {
        lobby.clock.advance(100);
        poll(&lobby, &pairing).await;
    }
    let order = json!({ "code": pairing["code"], "room": FREE });
    let expired = pair_as(&lobby, &lobby.token, &order).await;
    assert_eq!((expired.status, poll(&lobby, &pairing).await.status), (404, 404));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_cannot_use_up_all_pairings() {
    let lobby = ApiFixture::open().await;
    for _ in 0..64 {
        begin(&lobby).await;
    }
    let request =
        "POST /v1/pairings HTTP/1.1\r\nHost: adjourn\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let refused = lobby.send_raw(request).await;
    assert_eq!((refused.status, refused.problem()), (429, "rate-limited".to_owned()), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_pairs_with_its_own_rights_in_its_own_rooms() {
    let lobby = ApiFixture::open().await;
    let few = lobby.key("few", "*@example.com", &[Right::Read, Right::CheckIn, Right::Displays], 600).await;
    let none = lobby.key("none", "*", &Right::DISPLAY, 600).await;
    let blind = lobby.key("blind", "*", &[Right::Displays], 600).await;
    let pairing = begin(&lobby).await;
    let here = json!({ "code": pairing["code"], "room": FREE });
    let elsewhere = json!({ "code": pairing["code"], "room": OTHER });
    assert_eq!(pair_as(&lobby, &none, &here).await.problem(), "forbidden");
    assert_eq!(
        pair_as(&lobby, &blind, &here).await.problem(),
        "forbidden",
        "without `read` a display shows nothing"
    );
    assert_eq!(pair_as(&lobby, &few, &elsewhere).await.problem(), "no-such-room");
    assert_eq!(pair_as(&lobby, &few, &here).await.status, 201);
    let key = poll(&lobby, &pairing).await.json()["key"].as_str().unwrap().to_owned();
    let me = lobby.send_as(&key, "GET", "/v1/me", &[], "").await.json();
    assert_eq!(me["rights"], json!(["read", "check-in"]));
    let (other, _) = paired_elsewhere(&lobby).await;
    let seen = lobby.send_as(&few, "GET", "/v1/displays", &[], "").await.json();
    assert_eq!(seen["displays"].as_array().unwrap().len(), 1, "{seen}");
    let path = format!("/v1/displays/{}", other["id"].as_str().unwrap());
    assert_eq!(lobby.send_as(&few, "DELETE", &path, &[], "").await.status, 404);
    assert_eq!(lobby.send_as(&none, "GET", "/v1/displays", &[], "").await.status, 403);
    for (order, pointer) in [
        (json!({ "code": "12345", "room": FREE }), "/code"),
        (json!({ "code": pairing["code"], "room": FREE, "pin": "12" }), "/pin"),
        (json!({ "code": pairing["code"], "room": FREE, "name": "a\nb" }), "/name"),
    ] {
        let refused = pair_as(&lobby, &few, &order).await;
        assert_eq!((refused.status, &refused.json()["errors"][0]["pointer"]), (400, &json!(pointer)));
    }
}

/// A display in a room that keys of `example.com` cannot see.
async fn paired_elsewhere(lobby: &ApiFixture) -> (Value, String) {
    let everywhere = lobby.key("everywhere", "*", &Right::ALL, 600).await;
    let pairing = begin(lobby).await;
    let order = json!({ "code": pairing["code"], "room": OTHER });
    let display = pair_as(lobby, &everywhere, &order).await;
    assert_eq!(display.status, 201, "{display:?}");
    (display.json(), everywhere)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_name_is_refused_and_the_code_can_be_entered_again() {
    let lobby = ApiFixture::open().await;
    paired(&lobby, FREE, "door").await;
    let pairing = begin(&lobby).await;
    let order = |name: &str| json!({ "code": pairing["code"], "room": BUSY, "name": name });
    let refused = pair_as(&lobby, &lobby.token, &order("door")).await;
    assert_eq!((refused.status, refused.problem()), (409, "key-name-taken".to_owned()), "{refused:?}");
    assert_eq!(pair_as(&lobby, &lobby.token, &order("other door")).await.status, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_display_is_lost_once_and_its_return_is_told() {
    let lobby = ApiFixture::open().await;
    let (display, key) = paired(&lobby, FREE, "door").await;
    let version = [("Adjourn-Display-Version", "0123456789ab")];
    assert_eq!(lobby.send_as(&key, "GET", "/v1/me", &version, "").await.status, 200);
    let listed = lobby.get("/v1/displays").await.json();
    assert_eq!(listed["displays"][0]["version"], "0123456789ab", "{listed}");
    let mut operator = Listener::open(lobby.at, &lobby.token, None).await;
    let mut others =
        Listener::open(lobby.at, &lobby.key("reader", "*", &[Right::Read], 600).await, None).await;
    pass(&lobby, 3).await;
    assert_eq!(states(&lobby).await, ["silent"]);
    pass(&lobby, 7).await;
    let (_, lost) = operator.event("display-lost").await;
    assert_eq!(
        (&lost["room"], &lost["name"], &lost["display_id"]),
        (&json!(FREE), &json!("door"), &display["id"]),
        "{lost}"
    );
    assert_eq!(states(&lobby).await, ["lost"]);
    let metrics = lobby.key("metrics", "*", &[Right::Metrics], 600).await;
    let text = lobby.send_as(&metrics, "GET", "/metrics", &[], "").await.body;
    assert!(text.contains("adjourn_displays{state=\"lost\"} 1"), "{text}");
    assert!(text.contains("adjourn_display_last_contact_timestamp_seconds{display=\"door\"} "), "{text}");

    // An open event stream is contact.
    let stream = Listener::open(lobby.at, &key, None).await;
    pass(&lobby, 30).await;
    operator.event("display-found").await;
    assert_eq!(states(&lobby).await, ["connected"]);
    drop(stream);
    assert_eq!(operator.received().matches("event: display-").count(), 2, "each once");
    lobby.service.notices.publish(adjourn::service::Notice::ReleaseWarning {
        room: FREE.parse().unwrap(),
        at: lobby.service.now(),
    });
    others.event("release-warning").await;
    assert!(!others.received().contains("display-"), "for keys with the right `displays`");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_has_pages() {
    let lobby = ApiFixture::open().await;
    for name in ["a", "b", "c"] {
        paired(&lobby, FREE, name).await;
    }
    let mut names = Vec::new();
    let mut path = "/v1/displays?limit=2".to_owned();
    loop {
        let page = lobby.get(&path).await.json();
        let displays = page["displays"].as_array().unwrap();
        names.extend(displays.iter().map(|display| display["name"].as_str().unwrap().to_owned()));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/v1/displays?limit=2&cursor={}", cursor.replace(' ', "%20"));
    }
    names.sort();
    assert_eq!(names, ["a", "b", "c"]);
    assert_eq!(lobby.get("/v1/displays?cursor=x").await.status, 400);
}
