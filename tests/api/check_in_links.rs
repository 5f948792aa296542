//! Check-in links: a display requests one with its key, and a phone without a key checks in by it, and can do nothing else.

use std::time::Duration;

use adjourn::access::Right;
use adjourn::api::{self, ApiOptions, ListenerLimits};
use adjourn::cleanup::{NoCheckIn, ReleaseMethod, Rules};
use adjourn::sim::{FaultRule, InjectedFault};
use adjourn_test::{HttpReply, send_and_read};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::fixture::{ApiFixture, BUSY, FREE, OTHER, rules};

const PUBLIC_URL: &str = "https://adjourn.example.com";

/// A served API that makes links.
async fn with_links(rules: Rules) -> ApiFixture {
    let mut lobby = ApiFixture::with(rules).await;
    let api = lobby.api();
    let public_url = Some(PUBLIC_URL.parse().unwrap());
    api.set_options(ApiOptions { public_url, ..ApiOptions::default() });
    lobby.at = lobby.serve(api::router(api), None, ListenerLimits::default()).await;
    lobby
}

fn link_path(room: &str) -> String {
    format!("/v1/rooms/{room}/check-in-link")
}

/// The answer to a display's request for a link, and the token in it.
async fn link(lobby: &ApiFixture, room: &str) -> (Value, String) {
    link_as(lobby, &lobby.token, room).await
}

async fn link_as(lobby: &ApiFixture, key: &str, room: &str) -> (Value, String) {
    let reply = lobby.send_as(key, "GET", &link_path(room), &[], "").await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let link = reply.json();
    let url = link["url"].as_str().unwrap();
    let token = url.strip_prefix("https://adjourn.example.com/check-in#").unwrap().to_owned();
    (link, token)
}

/// Sends a body as a phone does: without a key.
async fn phone(lobby: &ApiFixture, body: &str) -> HttpReply {
    let request = format!(
        "POST /v1/check-ins HTTP/1.1\r\nHost: adjourn\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    HttpReply::parse(&send_and_read(lobby.at, &request).await.unwrap()).unwrap()
}

async fn press(lobby: &ApiFixture, token: &str) -> HttpReply {
    phone(lobby, &json!({ "token": token }).to_string()).await
}

async fn look(lobby: &ApiFixture, token: &str) -> HttpReply {
    phone(lobby, &json!({ "token": token, "dry_run": true }).to_string()).await
}

fn at(text: &Value) -> DateTime<Utc> {
    text.as_str().unwrap().parse().unwrap()
}

async fn is_checked_in(lobby: &ApiFixture) -> bool {
    lobby.get(&format!("/v1/rooms/{BUSY}")).await.json()["checked_in"] == true
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_checks_in_by_the_link_of_a_display_and_a_second_press_changes_nothing() {
    let lobby = with_links(rules(ReleaseMethod::Decline)).await;
    let (made, token) = link(&lobby, BUSY).await;
    let current = lobby.get(&format!("/v1/rooms/{BUSY}")).await.json()["current"].clone();
    assert_eq!(made["event"], current["id"]);
    assert!(made["qr"]["modules"].as_i64().is_some_and(|modules| modules >= 21), "{made}");

    let seen = look(&lobby, &token).await;
    assert_eq!(seen.status, 200, "{seen:?}");
    let expected = json!({
        "room": BUSY, "name": null, "time_zone": null, "all_day": false, "at": null,
        "start": current["start"], "end": current["end"],
    });
    assert_eq!(seen.json(), expected, "no subject and no names");
    assert!(!is_checked_in(&lobby).await, "a dry run stores nothing");

    let pressed = press(&lobby, &token).await;
    assert_eq!(pressed.status, 200, "{pressed:?}");
    assert!(is_checked_in(&lobby).await);
    for _ in 0..10 {
        lobby.clock.advance(2);
        let again = press(&lobby, &token).await;
        assert_eq!((again.status, again.json()), (200, pressed.json()), "the first answer again");
    }
    let signs = lobby.service.presence.read();
    let signs: Vec<_> =
        signs.signs.of_room(&BUSY.parse().unwrap()).iter().map(|sign| sign.source.clone()).collect();
    assert_eq!(signs, ["link"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_is_forged_expired_or_for_an_event_that_is_over_is_refused() {
    let lobby = with_links(rules(ReleaseMethod::Decline)).await;
    let (_, token) = link(&lobby, BUSY).await;
    let refused = async |token: &str| {
        let replies = [look(&lobby, token).await, press(&lobby, token).await];
        for reply in replies {
            assert_eq!((reply.status, reply.problem().as_str()), (410, "link-not-valid"), "{reply:?}");
            assert_eq!(reply.json()["next"], "scan the code at the door again");
        }
    };
    let forged = if token.ends_with('A') {
        format!("{}Q", &token[..token.len() - 1])
    } else {
        format!("{}A", &token[..token.len() - 1])
    };
    for text in ["", "x", &token[..token.len() - 4], &forged, &"A".repeat(480)] {
        refused(text).await;
    }
    assert_eq!(lobby.service.refused_sign_ins.total(), 10, "attempts are counted by address");

    let all = lobby.key("all", "*", &Right::ALL, 600).await;
    let (_, of_other) = link_as(&lobby, &all, OTHER).await;
    assert_eq!(look(&lobby, &of_other).await.status, 200);
    let ended = lobby.send_as(&all, "POST", &format!("/v1/rooms/{OTHER}/end"), &[], "").await;
    assert_eq!(ended.status, 200, "{ended:?}");
    refused(&of_other).await;
    lobby.clock.advance(601);
    refused(&token).await;
    assert_eq!(lobby.service.refused_sign_ins.total(), 10, "an honest link is no attempt");
    assert!(!is_checked_in(&lobby).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_expires_within_ten_minutes_and_with_the_release() {
    let lobby = with_links(rules(ReleaseMethod::Decline)).await;
    let (made, _) = link(&lobby, BUSY).await;
    let left = at(&made["expires_at"]) - lobby.began;
    assert!(left > TimeDelta::minutes(9) && left <= TimeDelta::seconds(605), "{left}");

    let grace = TimeDelta::minutes(25);
    let acting = rules(ReleaseMethod::Decline);
    let no_check_in = acting.no_check_in.clone().map(|rule| NoCheckIn { grace, ..rule });
    let lobby = with_links(Rules { no_check_in, ..acting }).await;
    let release = lobby.get(&format!("/v1/rooms/{BUSY}")).await.json()["release_at"].clone();
    assert!(release.is_string(), "the meeting awaits a check-in");
    assert_eq!(link(&lobby, BUSY).await.0["expires_at"], release);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_is_made_for_keys_that_check_in_where_a_check_in_is_accepted() {
    let lobby = with_links(rules(ReleaseMethod::Decline)).await;
    let nothing_on = lobby.get(&link_path(FREE)).await;
    assert_eq!((nothing_on.status, nothing_on.problem().as_str()), (409, "no-current-event"));
    let refused = lobby.post(&format!("/v1/rooms/{FREE}/check-in"), "").await;
    assert_eq!((refused.status, refused.problem()), (409, nothing_on.problem()), "the same decision");
    let reader = lobby.key("reader", "*", &[Right::Read], 600).await;
    assert_eq!(lobby.send_as(&reader, "GET", &link_path(BUSY), &[], "").await.status, 403);
    let theirs = lobby.key("theirs", "*@elsewhere.example", &Right::ALL, 600).await;
    assert_eq!(lobby.send_as(&theirs, "GET", &link_path(BUSY), &[], "").await.status, 404);
    let may =
        async |key: &str| lobby.send_as(key, "GET", "/v1/me", &[], "").await.json()["check_in_links"].clone();
    assert_eq!((may(&lobby.token).await, may(&reader).await), (true.into(), false.into()));

    let without = ApiFixture::with(rules(ReleaseMethod::Decline)).await;
    let reply = without.send("GET", &link_path(BUSY), &[("X-Forwarded-Host", "a.example")], "").await;
    assert_eq!(reply.status, 404, "no link is made of the Host header: {reply:?}");
    assert!(reply.json()["next"].as_str().unwrap().contains("api.public_url"), "{reply:?}");
    assert_eq!(without.get("/v1/me").await.json()["check_in_links"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_opens_nothing_else_and_a_body_is_small() {
    let lobby = with_links(rules(ReleaseMethod::Decline)).await;
    let (_, token) = link(&lobby, BUSY).await;
    assert_eq!(lobby.send_as(&token, "GET", &format!("/v1/rooms/{BUSY}"), &[], "").await.status, 401);
    let ended = lobby.send_as(&token, "POST", &format!("/v1/rooms/{BUSY}/end"), &[], "").await;
    assert_eq!(ended.status, 401);
    let more = phone(&lobby, &json!({ "token": token, "event": "x" }).to_string()).await;
    assert_eq!((more.status, more.problem().as_str()), (400, "bad-request"));
    assert_eq!(phone(&lobby, "{}").await.status, 400);
    let long = phone(&lobby, &json!({ "token": "A".repeat(481) }).to_string()).await;
    assert_eq!(
        (long.status, long.json()["errors"][0]["pointer"].as_str()),
        (400, Some("/token")),
        "{long:?}"
    );
    let large = phone(&lobby, &json!({ "token": "A".repeat(2_100) }).to_string()).await;
    assert_eq!(large.status, 413, "{large:?}");
    assert!(!is_checked_in(&lobby).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_has_few_check_ins_by_link_in_progress() {
    let lobby = with_links(rules(ReleaseMethod::Decline)).await;
    let (_, token) = link(&lobby, BUSY).await;
    let slow = InjectedFault::Slow(Duration::from_millis(1_500));
    lobby.sim.inject_fault(FaultRule::new(slow).on("FindItem"));
    lobby.clock.advance(60);
    let all = futures_util::future::join_all((0..12).map(|_| look(&lobby, &token))).await;
    let refused: Vec<_> = all.iter().filter(|reply| reply.status == 429).collect();
    assert_eq!((refused.len(), all.iter().filter(|reply| reply.status == 200).count()), (4, 8));
    assert!(refused.iter().all(|reply| reply.header("retry-after").is_some()), "{refused:?}");
    assert_eq!(look(&lobby, &token).await.status, 200, "the others have ended");
}
