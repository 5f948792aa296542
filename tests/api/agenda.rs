//! The day of a room: its agenda in the state, its events in any time, bookings of later times, and requests whose path names the event.

use adjourn::access::Right;
use adjourn::cleanup::{RoomGroup, Rules};
use adjourn::sim::PlainSpec;
use chrono::{DateTime, TimeDelta, Timelike as _, Utc};
use serde_json::{Value, json};

use crate::fixture::{ApiFixture, BUSY, FREE, OTHER, rules};

fn time(text: &Value) -> DateTime<Utc> {
    text.as_str().unwrap().parse().unwrap()
}

/// The rooms are where the day is some hours old, and lasts for some hours more.
fn daytime(now: DateTime<Utc>) -> Rules {
    let zone = if (6..14).contains(&now.hour()) { "UTC" } else { "Etc/GMT+12" };
    let zone = if (14..22).contains(&now.hour()) { "Etc/GMT+8" } else { zone };
    let group = RoomGroup {
        name: "all".to_owned(),
        rooms: vec!["*".parse().unwrap_or_else(|never| match never {})],
        time_zone: Some(zone.to_owned()),
        building: Some("Mitte".to_owned()),
        ..RoomGroup::default()
    };
    Rules { room_groups: vec![group], ..Rules::default() }
}

/// The free room also had a meeting an hour ago.
async fn lobby() -> ApiFixture {
    let lobby = ApiFixture::with(daytime(adjourn_test::now())).await;
    let (start, end) = (lobby.began - TimeDelta::minutes(90), lobby.began - TimeDelta::minutes(60));
    lobby.sim.world(|world| world.add_plain(PlainSpec::new(FREE, start, end)));
    lobby
}

/// Percent-encodes every byte.
fn encoded(id: &str) -> String {
    id.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_state_has_the_agenda_of_the_local_day_and_the_list_has_not() {
    let lobby = lobby().await;
    let reply = lobby.get(&format!("/v1/rooms/{FREE}")).await;
    let view = reply.json();
    let starts: Vec<_> =
        view["agenda"].as_array().unwrap().iter().map(|event| time(&event["start"])).collect();
    let began = lobby.began;
    assert_eq!(starts, [began - TimeDelta::minutes(90), began + TimeDelta::minutes(60)], "{view}");
    assert_eq!(time(&view["agenda_to"]) - time(&view["agenda_from"]), TimeDelta::hours(24));
    assert!(time(&view["agenda_from"]) < began && began < time(&view["agenda_to"]));
    assert!(view["agenda"][0]["subject"].is_null(), "subjects are not shown");
    assert_eq!((&view["busy"], &view["allowed_actions"]), (&false.into(), &json!(["book"])));
    assert_eq!(view["booking"]["horizon_minutes"], 480);

    let list = lobby.get("/v1/rooms").await.json();
    let listed = list["rooms"].as_array().unwrap().iter().find(|room| room["id"] == FREE).unwrap();
    assert!(listed["state"]["busy"].is_boolean() && listed["state"]["agenda"].is_null(), "{listed}");

    // A change of the past changes the tag.
    let tag = reply.header("etag").unwrap().to_owned();
    let start = began - TimeDelta::minutes(55);
    lobby.sim.world(|world| world.add_plain(PlainSpec::new(FREE, start, start + TimeDelta::minutes(5))));
    lobby.service.rooms.invalidate(&FREE.parse().unwrap());
    let changed = lobby.send("GET", &format!("/v1/rooms/{FREE}"), &[("If-None-Match", &tag)], "").await;
    assert_eq!(changed.status, 200);
    assert_eq!(changed.json()["agenda"].as_array().unwrap().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_any_time_are_listed_up_to_a_month() {
    let lobby = lobby().await;
    let far = lobby.began + TimeDelta::days(9);
    lobby.sim.world(|world| world.add_plain(PlainSpec::new(FREE, far, far + TimeDelta::minutes(30))));
    let path = format!("/v1/rooms/{FREE}/events");
    let day = lobby.get(&path).await.json();
    assert_eq!(day["events"].as_array().unwrap().len(), 2, "{day}");
    let at = |days: i64| (lobby.began + TimeDelta::days(days)).format("%FT%TZ").to_string();
    let listed = lobby.get(&format!("{path}?from={}&to={}", at(-1), at(30))).await.json();
    let starts: Vec<_> =
        listed["events"].as_array().unwrap().iter().map(|event| time(&event["start"])).collect();
    assert_eq!((starts.len(), starts[2]), (3, far), "{listed}");
    assert_eq!(lobby.get(&format!("{path}?from={}", at(8))).await.json()["events"], json!([]));
    assert_eq!(
        lobby.get(&format!("{path}?from={}", at(9))).await.json()["events"].as_array().unwrap().len(),
        1
    );
    let far = ["-262143-01-01T00:00:00Z", "%2B262142-12-30T00:00:00Z", "8583-02-14T22:17:33Z"];
    for wrong in
        [format!("from={}&to={}", at(1), at(1)), format!("from={}&to={}", at(0), at(32)), "from=1".into()]
            .into_iter()
            .chain(far.map(|from| format!("from={from}")))
    {
        assert_eq!(lobby.get(&format!("{path}?{wrong}")).await.problem(), "bad-request", "{wrong}");
    }
    let blind = lobby.key("blind", "*@example.com", &[Right::Book], 600).await;
    assert_eq!(lobby.send_as(&blind, "GET", &path, &[], "").await.status, 403);
    assert_eq!(lobby.get(&format!("/v1/rooms/{OTHER}/events")).await.problem(), "no-such-room");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_time_is_booked_and_nothing_collides() {
    let lobby = lobby().await;
    let path = format!("/v1/rooms/{BUSY}/book");
    let at = |minutes: i64| (lobby.began + TimeDelta::minutes(minutes)).format("%FT%TZ").to_string();
    // The meeting ends in 40 minutes.
    let booked = lobby.post(&path, &json!({ "start": at(60), "end": at(90) }).to_string()).await;
    assert_eq!(booked.status, 200, "{booked:?}");
    let event = &booked.json()["event"];
    assert_eq!((time(&event["start"]), time(&event["end"])), (time(&json!(at(60))), time(&json!(at(90)))));
    for body in [
        json!({ "start": at(30), "minutes": 15 }),
        json!({ "start": at(50), "minutes": 15 }),
        json!({ "start": at(60), "until": "next" }),
        json!({ "end": at(10) }),
    ] {
        let taken = lobby.post(&path, &body.to_string()).await;
        assert_eq!((taken.status, taken.problem()), (409, "collides".to_owned()), "{body}");
    }
    let until_next = lobby.post(&path, &json!({ "start": at(45), "until": "next" }).to_string()).await;
    assert_eq!(time(&until_next.json()["event"]["end"]), time(&json!(at(60))), "{until_next:?}");
    for body in [json!({ "start": at(-5), "minutes": 15 }), json!({ "start": at(481), "minutes": 15 })] {
        let refused = lobby.post(&path, &body.to_string()).await;
        assert_eq!((refused.status, refused.problem()), (422, "time-out-of-range".to_owned()), "{body}");
    }
    for body in [
        json!({}),
        json!({ "minutes": 15, "until": "next" }),
        json!({ "start": at(100) }),
        json!({ "start": at(100), "end": at(100) }),
        json!({ "minutes": 0 }),
        json!({ "until": "later" }),
    ] {
        let wrong = lobby.post(&path, &body.to_string()).await;
        assert_eq!(wrong.problem(), "bad-request", "{body}: {wrong:?}");
    }
    let named =
        lobby.post(&path, &json!({ "start": at(100), "minutes": 15, "subject": "x" }).to_string()).await;
    assert_eq!((named.status, named.problem()), (422, "subject-not-allowed".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_names_the_event() {
    let lobby = lobby().await;
    let room = lobby.get(&format!("/v1/rooms/{BUSY}")).await.json();
    let id = room["current"]["id"].as_str().unwrap();
    let path = format!("/v1/rooms/{BUSY}/events/{}", encoded(id));
    let until = (lobby.began + TimeDelta::minutes(70)).format("%FT%TZ").to_string();
    let extended = lobby.post(&format!("{path}/extend"), &json!({ "end": until }).to_string()).await;
    assert_eq!(extended.status, 200, "{extended:?}");
    assert_eq!(lobby.event_end(BUSY), Some(lobby.began + TimeDelta::minutes(70)));
    let checked_in = lobby.post(&format!("{path}/check-in"), "").await;
    assert_eq!((checked_in.status, &checked_in.json()["event"]["id"]), (200, &room["current"]["id"]));
    let twice = lobby.post(&format!("{path}/end"), &json!({ "event": id }).to_string()).await;
    assert_eq!(twice.problem(), "bad-request");
    let stale = json!({ "seen": { "start": room["current"]["start"], "end": room["current"]["end"] } });
    assert_eq!(lobby.post(&format!("{path}/end"), &stale.to_string()).await.problem(), "not-as-seen");
    let unknown = format!("/v1/rooms/{BUSY}/events/{}/delete", encoded("AAMkAD"));
    assert!(
        ["event-not-found", "invalid-event-id"].contains(&lobby.post(&unknown, "").await.problem().as_str())
    );
    let ended = lobby.post(&format!("{path}/end"), "").await;
    assert_eq!((ended.status, &ended.json()["change"]["kind"]), (200, &"ended".into()), "{ended:?}");
    let next =
        lobby.post(&format!("/v1/rooms/{BUSY}/book"), &json!({ "minutes": 30 }).to_string()).await.json();
    let booked = encoded(next["event"]["id"].as_str().unwrap());
    let deleted = lobby.post(&format!("/v1/rooms/{BUSY}/events/{booked}/delete"), "").await;
    assert_eq!((deleted.status, &deleted.json()["change"]["kind"]), (200, &"removed".into()), "{deleted:?}");
}

/// A person who books a later time may be anywhere, so the booking still needs a check-in.
#[tokio::test(flavor = "multi_thread")]
async fn a_booking_of_a_later_time_is_no_sign_of_presence() {
    let lobby = ApiFixture::with(rules(adjourn::cleanup::ReleaseMethod::End)).await;
    let booked = lobby.post(&format!("/v1/rooms/{FREE}/book"), r#"{"minutes":15}"#).await;
    assert_eq!(booked.status, 200, "{booked:?}");
    assert_eq!(lobby.get(&format!("/v1/rooms/{FREE}")).await.json()["checked_in"], true);
    let start = (lobby.began + TimeDelta::minutes(120)).format("%FT%TZ").to_string();
    let body = json!({ "start": start, "minutes": 30 }).to_string();
    let booked = lobby.post(&format!("/v1/rooms/{BUSY}/book"), &body).await;
    assert_eq!(booked.status, 200, "{booked:?}");
    lobby.clock.advance(125 * 60);
    let room = lobby.get(&format!("/v1/rooms/{BUSY}")).await.json();
    assert_eq!(room["current"]["id"], booked.json()["event"]["id"], "{room}");
    assert_eq!((&room["checked_in"], &room["awaiting_check_in"]), (&false.into(), &room["current"]["id"]));
}

/// Over EWS the directory has the name.
#[tokio::test(flavor = "multi_thread")]
async fn a_room_without_a_configured_name_has_that_of_the_directory() {
    let rooms = vec![RoomGroup {
        names: [(BUSY.parse().unwrap(), "Spree".to_owned())].into(),
        ..group(BUSY, "2", 8)
    }];
    let lobby = ApiFixture::with(Rules { room_groups: rooms, ..Rules::default() }).await;
    assert_eq!(lobby.get(&format!("/v1/rooms/{FREE}")).await.json()["name"], Value::Null);
    lobby.service.read_places().await;
    assert_eq!(lobby.get(&format!("/v1/rooms/{FREE}")).await.json()["name"], FREE);
    assert_eq!(lobby.get(&format!("/v1/rooms/{BUSY}")).await.json()["name"], "Spree");
    let before = lobby.ews_requests("ResolveNames");
    lobby.service.read_places().await;
    assert_eq!(lobby.ews_requests("ResolveNames"), before, "once a day");
}

fn group(room: &str, floor: &str, capacity: u32) -> RoomGroup {
    RoomGroup {
        name: room.to_owned(),
        rooms: vec![room.parse().unwrap_or_else(|never| match never {})],
        building: Some("Mitte".to_owned()),
        floor: Some(floor.to_owned()),
        capacity: Some(capacity),
        equipment: Some(vec!["video".to_owned()]),
        ..RoomGroup::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rooms_are_found_by_what_they_have_and_whether_they_are_free() {
    let other = RoomGroup { equipment: None, ..group(OTHER, "3", 2) };
    let room_groups = vec![group(BUSY, "2", 8), group(FREE, "3", 4), other];
    let lobby = ApiFixture::with(Rules { room_groups, ..Rules::default() }).await;
    let all = lobby.key("all", "*", &Right::ALL, 600).await;
    let ids = async |query: &str| {
        let list = lobby.send_as(&all, "GET", &format!("/v1/rooms?{query}"), &[], "").await.json();
        let rooms = list["rooms"].as_array().unwrap_or_else(|| panic!("{list}"));
        rooms.iter().map(|room| room["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ids("capacity_min=4&equipment=Video").await, [BUSY, FREE]);
    assert_eq!(ids("building=mitte&floor=3").await, [FREE, OTHER]);
    assert!(ids("state=free").await.is_empty(), "no calendar was read");
    for room in [BUSY, FREE, OTHER] {
        lobby.send_as(&all, "GET", &format!("/v1/rooms/{room}"), &[], "").await;
    }
    assert_eq!(ids("state=free").await, [FREE]);
    assert_eq!(ids("state=busy").await, [BUSY, OTHER]);
    assert_eq!(ids("free_for=55").await, [FREE]);
    assert!(ids("free_for=65").await.is_empty(), "the next event begins in an hour");
    assert_eq!(ids(&format!("near={OTHER}")).await, [OTHER, FREE, BUSY]);

    let mut cursor = String::new();
    for expected in [OTHER, FREE, BUSY] {
        let path = format!("/v1/rooms?near={OTHER}&limit=1{cursor}");
        let page = lobby.send_as(&all, "GET", &path, &[], "").await.json();
        assert_eq!(page["rooms"][0]["id"], expected);
        cursor = page["next_cursor"].as_str().map_or_else(String::new, |next| format!("&cursor={next}"));
    }
    assert_eq!(cursor, "");
    for wrong in ["state=full", "free_for=0", "capacity_min=x", "colour=red", "near=nowhere@example.com"] {
        let refused = lobby.get(&format!("/v1/rooms?{wrong}")).await;
        assert!((400..500).contains(&refused.status), "{wrong}: {refused:?}");
    }
    assert_eq!(
        lobby.get(&format!("/v1/rooms?near={OTHER}")).await.problem(),
        "no-such-room",
        "not for this key"
    );
    // The place of a foreign room in the order would reveal its building and size.
    let foreign = lobby.get(&format!("/v1/rooms?near={BUSY}&cursor={OTHER}")).await;
    assert_eq!((foreign.status, foreign.problem()), (400, "bad-request".to_owned()), "{foreign:?}");
}
