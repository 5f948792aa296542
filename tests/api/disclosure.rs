//! No response names an action that its caller may not read: every path to a response is tried with a key without the right
//! `audit`.

use std::time::Duration;

use adjourn::access::Right;
use adjourn::sim::{FaultRule, InjectedFault};
use adjourn_test::HttpReply;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::fixture::{ApiFixture, BUSY, FREE};

/// Every right except `audit`.
const STRANGER: [Right; 9] = [
    Right::Read,
    Right::CheckIn,
    Right::End,
    Right::Delete,
    Right::Extend,
    Right::Book,
    Right::Undo,
    Right::Evidence,
    Right::Cleanup,
];

fn action_of(said: &HttpReply) -> String {
    said.json()["id"].as_str().unwrap_or_else(|| panic!("{said:?}")).to_owned()
}

async fn current(lobby: &ApiFixture, room: &str) -> String {
    let view = lobby.get(&format!("/v1/rooms/{room}")).await.json();
    view["current"]["id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_names_an_action_of_another_key() {
    let lobby = ApiFixture::open().await;
    let stranger = lobby.key("stranger", "*", &STRANGER, 6_000).await;
    let mut events = tokio::net::TcpStream::connect(lobby.at).await.unwrap();
    let listen = format!("GET /v1/events HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {stranger}\r\n\r\n");
    events.write_all(listen.as_bytes()).await.unwrap();

    let event = current(&lobby, BUSY).await;
    let key = [("Idempotency-Key", "k1")];
    let named = json!({ "event": event }).to_string();
    let end = format!("/v1/rooms/{BUSY}/end");
    let ended = lobby.send("POST", &end, &key, &named).await;
    let booked = lobby.post(&format!("/v1/rooms/{FREE}/book"), r#"{"minutes":30}"#).await;
    let (ended, booked) = (action_of(&ended), action_of(&booked));
    let again = lobby.post(&end, &named).await;
    assert!(
        again.body.contains(&format!("Action {ended} has already")),
        "an auditor reads the id: {again:?}"
    );

    let minutes = json!({ "event": event, "minutes": 5 }).to_string();
    let missing = lobby.send_as(&stranger, "GET", &format!("/v1/actions/{}", uuid(0)), &[], "").await;
    for (method, path, headers, body) in [
        ("GET", format!("/v1/actions/{ended}"), &[][..], ""),
        ("POST", format!("/v1/actions/{ended}/undo"), &[], ""),
        ("POST", format!("/v1/actions/{ended}/undo"), &key, r#"{"dry_run":true}"#),
        ("POST", format!("/v1/actions/{booked}/undo"), &[], ""),
    ] {
        let said = lobby.send_as(&stranger, method, &path, headers, body).await;
        assert_eq!(
            (said.status, &said.body),
            (404, &missing.body),
            "{method} {path}: as one that is missing"
        );
    }
    let mut said = String::new();
    for (method, path, headers, body) in [
        ("POST", end.clone(), &[][..], named.as_str()),
        ("POST", end.clone(), &key, &named),
        ("POST", format!("/v1/rooms/{BUSY}/delete"), &[], &named),
        ("POST", format!("/v1/rooms/{BUSY}/extend"), &[], &minutes),
        ("POST", format!("/v1/rooms/{BUSY}/check-in"), &[], &named),
        ("POST", format!("/v1/rooms/{FREE}/book"), &[], r#"{"minutes":5}"#),
        ("GET", format!("/v1/rooms/{BUSY}"), &[], ""),
        ("GET", format!("/v1/rooms/{FREE}"), &[], ""),
        ("GET", "/v1/rooms".to_owned(), &[], ""),
        ("GET", "/v1/actions".to_owned(), &[], ""),
        ("GET", "/v1/actions?actor=display".to_owned(), &[], ""),
        ("POST", "/v1/sweeps".to_owned(), &[], ""),
    ] {
        let one = lobby.send_as(&stranger, method, &path, headers, body).await;
        said += &format!("{method} {path}: {one:?}\n");
    }
    assert!(said.contains("An earlier action has already done this"), "{said}");
    // The stream reports both actions, and ends with the service.
    lobby.stop.cancel();
    lobby.service.notices.close();
    events.read_to_string(&mut said).await.unwrap();
    assert!(said.contains("event: action"), "{said}");
    for action in [&ended, &booked] {
        assert!(!said.contains(action.as_str()), "{action} is named: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_in_doubt_is_named_to_its_caller_only() {
    let lobby = ApiFixture::open().await;
    let stranger = lobby.key("stranger", "*", &STRANGER, 6_000).await;
    lobby.sim.inject_fault(FaultRule::new(InjectedFault::ResetAfter).on("UpdateItem"));
    lobby.sim.inject_fault(FaultRule::new(InjectedFault::ResetBefore).on("GetItem").times(usize::MAX));
    lobby
        .sim
        .inject_fault(FaultRule::new(InjectedFault::ResetBefore).on("FindItem").after(1).times(usize::MAX));
    let end = format!("/v1/rooms/{BUSY}/end");
    let doubtful = lobby.post(&end, "").await;
    assert_eq!((doubtful.status, &doubtful.json()["kind"]), (202, &"end".into()), "{doubtful:?}");
    let action = action_of(&doubtful);
    let mine = lobby.post(&end, "").await;
    assert!(mine.problem() == "still-in-doubt" && mine.body.contains(&action), "{mine:?}");
    let theirs = lobby.send_as(&stranger, "POST", &end, &[], "").await;
    assert_eq!(theirs.problem(), "still-in-doubt");
    assert!(!theirs.body.contains(&action), "{theirs:?}");
    let path = format!("/v1/actions/{action}");
    assert_eq!(lobby.get(&path).await.json()["state"], "open");
    assert_eq!(lobby.send_as(&stranger, "GET", &path, &[], "").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_that_waits_for_its_turn_is_shown_to_its_caller_only() {
    let lobby = ApiFixture::open().await;
    let stranger = lobby.key("stranger", "*", &STRANGER, 6_000).await;
    lobby.sim.inject_fault(FaultRule::new(InjectedFault::Slow(Duration::from_secs(2))).on("UpdateItem"));
    let at_once = [("Prefer", "wait=0")];
    let end = format!("/v1/rooms/{BUSY}/end");
    lobby.send("POST", &end, &at_once, "").await;
    let waits = lobby.send("POST", &format!("/v1/rooms/{BUSY}/extend"), &at_once, r#"{"minutes":5}"#).await;
    let path = format!("/v1/actions/{}", action_of(&waits));
    assert_eq!((waits.status, lobby.get(&path).await.status), (202, 200));
    assert_eq!(lobby.send_as(&stranger, "GET", &path, &[], "").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_in_learns_that_its_event_went_and_not_by_whose_action() {
    let lobby = ApiFixture::open().await;
    let stranger = lobby.key("stranger", "*", &STRANGER, 6_000).await;
    let event = json!({ "event": current(&lobby, BUSY).await }).to_string();
    lobby
        .sim
        .inject_fault(FaultRule::new(InjectedFault::Slow(Duration::from_millis(1_500))).on("CreateItem"));
    let delete = format!("/v1/rooms/{BUSY}/delete");
    let action = action_of(&lobby.send("POST", &delete, &[("Prefer", "wait=0")], "").await);
    let check_in = format!("/v1/rooms/{BUSY}/check-in");
    let (theirs, mine) =
        tokio::join!(lobby.send_as(&stranger, "POST", &check_in, &[], &event), lobby.post(&check_in, &event));
    assert_eq!(
        (theirs.problem(), mine.problem()),
        ("changed-meanwhile".to_owned(), "changed-meanwhile".to_owned())
    );
    assert_eq!(
        (theirs.json()["action_id"].as_str(), mine.json()["action_id"].as_str()),
        (None, Some(&*action))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idempotency_key_belongs_to_its_caller() {
    let lobby = ApiFixture::open().await;
    let other = lobby.key("other", "*", &STRANGER, 6_000).await;
    let key = [("Idempotency-Key", "door-17/4711")];
    let book = format!("/v1/rooms/{FREE}/book");
    let mine = lobby.send("POST", &book, &key, r#"{"minutes":15}"#).await;
    // The same idempotency key and request from another caller: a request of its own, with its own response.
    let theirs = lobby.send_as(&other, "POST", &book, &key, r#"{"minutes":15}"#).await;
    assert_eq!((mine.status, theirs.problem()), (200, "collides".to_owned()));
    assert!(!theirs.body.contains(&action_of(&mine)), "{theirs:?}");
    // A key in the form in which keys are stored is another key.
    let id = lobby.token.split('_').nth(1).unwrap().to_owned();
    let guess = format!("{id}:door-17/4711");
    let guessed =
        lobby.send_as(&other, "POST", &book, &[("Idempotency-Key", &guess)], r#"{"minutes":15}"#).await;
    assert_eq!(guessed.problem(), "collides");
    let again = lobby.send("POST", &book, &key, r#"{"minutes":15}"#).await.json();
    assert_eq!((&again["repeated"], again["id"].as_str()), (&true.into(), Some(&*action_of(&mine))));
    let reused = lobby.send("POST", &book, &key, r#"{"minutes":20}"#).await;
    let named = reused.json()["action_id"].as_str().map(str::to_owned);
    assert_eq!((reused.problem(), named), ("key-reused".to_owned(), Some(action_of(&mine))));
}

fn uuid(number: u8) -> String {
    format!("00000000-0000-0000-0000-0000000000{number:02x}")
}
