//! Reading: calendar views, paging, query options, preferences and the JSON of events.

use adjourn::sim::{GraphOptions, MeetingSpec, PlainSpec};
use adjourn_test::{AURORA, ada, meeting, now, plain, world};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::client::{GraphClient, IMMUTABLE, between, event_path, permitted, view, with_options};

#[tokio::test]
async fn an_attendees_copy_has_the_documented_properties() {
    let mut world = world();
    let spec = meeting();
    let (start, end) = (spec.start, spec.end);
    let uid = world.add_meeting(spec);
    let sim = permitted(world).await;
    let answer = GraphClient::new(&sim).get(&view("")).await;
    let event = &answer.values()[0];
    let time = |at: DateTime<Utc>| json!({ "dateTime": at.format("%Y-%m-%dT%H:%M:%S.0000000").to_string(), "timeZone": "UTC" });
    assert_eq!((&event["start"], &event["end"]), (&time(start), &time(end)), "seven digits and no offset");
    assert_eq!(event["iCalUId"], json!(uid), "the UID of EWS");
    let expected = [
        ("isOrganizer", json!(false)),
        ("isCancelled", json!(false)),
        ("type", json!("singleInstance")),
        ("seriesMasterId", json!(null)),
        ("subject", json!("Ada Albers")),
        ("sensitivity", json!("normal")),
        ("showAs", json!("busy")),
        ("transactionId", json!(null)),
        ("organizer", json!({ "emailAddress": { "name": "Ada Albers", "address": "ada@example.com" } })),
    ];
    for (name, value) in expected {
        assert_eq!(event[name], value, "{name}");
    }
    assert_eq!(event["responseStatus"]["response"], "accepted");
    let attendees: Vec<_> = event["attendees"].as_array().unwrap().iter().collect();
    assert_eq!(attendees.len(), 2);
    assert_eq!(
        (&attendees[1]["type"], &attendees[1]["emailAddress"]["address"]),
        (&json!("resource"), &json!(AURORA))
    );
    assert_eq!(event["@odata.etag"], json!(format!("W/\"{}\"", event["changeKey"].as_str().unwrap())));
    assert!(event.get("originalStart").is_none() && event.get("uid").is_none());
    assert!(event["createdDateTime"].as_str().unwrap().ends_with('Z'));
}

#[tokio::test]
async fn organizers_and_plain_events_are_told_apart_by_their_attendees() {
    let mut world = world();
    world.add_plain(plain());
    let (start, end) = (now() + TimeDelta::hours(2), now() + TimeDelta::hours(3));
    let room = adjourn::sim::Person::new("Aurora", AURORA);
    world.add_meeting(MeetingSpec { attendees: vec![ada()], ..MeetingSpec::new(room, start, end) });
    let sim = permitted(world).await;
    let answer = GraphClient::new(&sim).get(&view("")).await;
    let seen: Vec<_> = answer
        .values()
        .iter()
        .map(|event| (event["isOrganizer"].as_bool(), event["attendees"].as_array().unwrap().len()))
        .collect();
    assert_eq!(seen, [(Some(true), 0), (Some(true), 1)]);
    assert_eq!(answer.values()[0]["responseStatus"]["response"], "organizer");
}

#[tokio::test]
async fn a_view_has_pages_of_ten_and_links_under_the_requests_own_host() {
    let mut world = world();
    for minute in 0..25 {
        let start = now() + TimeDelta::minutes(minute);
        world.add_plain(PlainSpec::new(AURORA, start, start + TimeDelta::minutes(1)));
    }
    let sim = permitted(world).await;
    let client = GraphClient::new(&sim);
    let answer = client.get(&view("&$select=subject")).await;
    assert_eq!(answer.values().len(), 10, "the default page");
    let link = answer.json["@odata.nextLink"].as_str().unwrap();
    assert!(link.starts_with(&format!("{}/v1.0/users/{AURORA}/calendarView?", sim.graph_root())), "{link}");
    assert!(link.contains("$skip=10") && link.contains("$select=subject"), "{link}");
    assert_eq!(client.all_pages(&view("&$select=subject")).await.len(), 25);
    let whole = client.get(&view("&$top=1000&$count=true")).await;
    assert_eq!((whole.values().len(), &whole.json["@odata.count"]), (25, &json!(25)));
    assert!(whole.json.get("@odata.nextLink").is_none());
    let starts: Vec<&str> =
        whole.values().iter().filter_map(|event| event["start"]["dateTime"].as_str()).collect();
    assert!(starts.is_sorted());
    let few = client.get_with(&view(""), &[("Prefer", "odata.maxpagesize=3")]).await;
    assert_eq!(
        (few.values().len(), few.reply.header("preference-applied")),
        (3, Some("odata.maxpagesize=3"))
    );
    for wrong in ["&$top=1001", "&$top=0", "&$top=x", "&$skip=-1", "&$unknown=1"] {
        assert_eq!(client.get(&view(wrong)).await.status, 400, "{wrong}");
    }
}

#[tokio::test]
async fn the_range_of_a_view_is_required_and_limited_to_five_years() {
    let sim = permitted(world()).await;
    let client = GraphClient::new(&sim);
    let path = format!("/users/{AURORA}/calendarView");
    let days = |days| format!("{path}?{}", between(now(), now() + TimeDelta::days(days)));
    assert_eq!(client.get(&days(1_825)).await.status, 200);
    assert_eq!(client.get(&days(1_826)).await.error(), (400, "ErrorInvalidRequest"));
    assert_eq!(client.get(&days(-1)).await.error(), (400, "ErrorInvalidParameter"));
    assert_eq!(client.get(&path).await.error(), (400, "ErrorInvalidParameter"));
    let odd = format!("{path}?startDateTime=soon&endDateTime=later");
    assert_eq!(client.get(&odd).await.error(), (400, "ErrorInvalidParameter"));
}

#[tokio::test]
async fn selected_properties_come_with_id_and_etag_and_no_others() {
    let mut world = world();
    world.add_meeting(meeting());
    let sim = permitted(world).await;
    let client = GraphClient::new(&sim);
    let answer = client.get(&view("&$select=subject,isOrganizer")).await;
    let mut names: Vec<&String> = answer.values()[0].as_object().unwrap().keys().collect();
    names.sort();
    assert_eq!(names, ["@odata.etag", "id", "isOrganizer", "subject"]);
    for beta in ["uid", "occurrenceId", "nonsense"] {
        let answer = client.get(&view(&format!("&$select={beta}"))).await;
        assert_eq!(answer.error(), (400, "RequestBroker--ParseUri"), "{beta}");
    }
}

#[tokio::test]
async fn times_come_in_the_preferred_zone() {
    let mut world = world();
    let start = "2026-07-01T07:00:00Z".parse::<DateTime<Utc>>().unwrap();
    world.add_plain(PlainSpec::new(AURORA, start, start + TimeDelta::hours(1)));
    let sim = permitted(world).await;
    let client = GraphClient::new(&sim);
    let hour = TimeDelta::hours(1);
    let path = format!("/users/{AURORA}/calendarView?{}", between(start - hour, start + hour));
    let prefer = "IdType=\"ImmutableId\", outlook.timezone=\"W. Europe Standard Time\"";
    let answer = client.get_with(&path, &[("Prefer", prefer)]).await;
    let expected =
        json!({ "dateTime": "2026-07-01T09:00:00.0000000", "timeZone": "W. Europe Standard Time" });
    assert_eq!(answer.values()[0]["start"], expected);
    assert_eq!(answer.reply.header("preference-applied"), Some(prefer));
    let answer = client.get_with(&path, &[("Prefer", "outlook.timezone=\"Middle-earth\"")]).await;
    assert_eq!(answer.error(), (400, "TimeZoneNotSupportedException"));
    let answer = client.get_with(&path, &[("Prefer", "respond-async, unknown=1")]).await;
    assert_eq!((answer.status, answer.reply.header("preference-applied")), (200, None));
}

#[tokio::test]
async fn all_day_events_float() {
    let mut world = world();
    let midnight = "2026-07-01T00:00:00Z".parse::<DateTime<Utc>>().unwrap();
    let day = TimeDelta::days(1);
    world.add_plain(PlainSpec { all_day: true, ..PlainSpec::new(AURORA, midnight, midnight + day) });
    let sim = permitted(world).await;
    let client = GraphClient::new(&sim);
    let read = async |from: &str, to: &str, zone: &str| {
        let path = format!("/users/{AURORA}/calendarView?startDateTime={from}&endDateTime={to}");
        let prefer = format!("outlook.timezone=\"{zone}\"");
        let answer = client.get_with(&path, &[("Prefer", &prefer)]).await;
        answer
            .values()
            .iter()
            .map(|event| event["start"]["dateTime"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let (inside, midnight) = ("2026-07-01T23:30:00Z", ["2026-07-01T00:00:00.0000000"]);
    for zone in ["UTC", "Pacific Standard Time", "Tokyo Standard Time"] {
        assert_eq!(read("2026-07-01T23:00:00Z", inside, zone).await, midnight, "{zone}");
    }
    let none: [&str; 0] = [];
    assert_eq!(read("2026-07-02T00:00:00Z", "2026-07-02T01:00:00Z", "Pacific Standard Time").await, none);
}

#[tokio::test]
async fn an_all_day_event_of_another_zone_is_matched_by_midnights_in_utc() {
    let sim = permitted(world()).await;
    let client = GraphClient::new(&sim);
    let pacific = |time: &str| json!({ "dateTime": time, "timeZone": "Pacific Standard Time" });
    let body = |start: &str| json!({ "isAllDay": true, "start": pacific(start), "end": pacific("2026-07-02T00:00:00") });
    let events = format!("/users/{AURORA}/events");
    let refused = client.post(&events, body("2026-07-01T09:00:00")).await;
    assert_eq!(refused.error(), (400, "ErrorPropertyValidationFailure"));
    assert_eq!(client.post(&events, body("2026-07-01T00:00:00")).await.status, 201);
    let hour = async |from: &str, to: &str| {
        let path = format!("/users/{AURORA}/calendarView?startDateTime={from}&endDateTime={to}");
        client.get(&path).await.all("type").len()
    };
    assert_eq!(
        hour("2026-07-01T01:00:00Z", "2026-07-01T02:00:00Z").await,
        1,
        "still 30 June on the West Coast"
    );
    assert_eq!(hour("2026-07-02T01:00:00Z", "2026-07-02T02:00:00Z").await, 0, "still 1 July there");
    let answer = client.get(&events).await;
    assert_eq!(answer.values()[0]["start"]["dateTime"], "2026-07-01T00:00:00.0000000");
}

#[tokio::test]
async fn immutable_ids_survive_changes_and_classic_ids_do_not_survive_a_move() {
    let mut world = world();
    let uid = world.add_plain(plain());
    let sim = permitted(world).await;
    let client = GraphClient::new(&sim);
    let immutable = client.get_with(&view(""), &[IMMUTABLE]).await.values()[0]["id"].clone();
    let classic = client.get(&view("")).await.values()[0]["id"].clone();
    assert_eq!(immutable.as_str().unwrap().len(), 72);
    assert!(classic.as_str().unwrap().len() > 140);
    for id in [&immutable, &classic] {
        let answer = client.get_with(&event_path(id), &[IMMUTABLE]).await;
        assert_eq!(answer.json["id"], immutable, "each is accepted, the preference decides what is returned");
    }
    assert_eq!(sim.world(|world| world.event(AURORA, &uid)).unwrap().immutable_id, immutable);
    let other = format!("/users/ada@example.com/events/{}", immutable.as_str().unwrap());
    assert_eq!(client.get(&other).await.error(), (404, "ErrorItemNotFound"), "an id of another mailbox");
    let odd = event_path(&json!("AAMkOdd="));
    assert_eq!(client.get(&odd).await.error(), (400, "ErrorInvalidIdMalformed"));
}

#[tokio::test]
async fn events_are_found_by_uid_and_type_and_not_by_organizer() {
    let mut world = world();
    let uid = world.add_meeting(meeting());
    world.add_plain(plain());
    let sim = permitted(world).await;
    let client = GraphClient::new(&sim);
    let list = async |filter: &str| client.get(&format!("/users/{AURORA}/events?$filter={filter}")).await;
    assert_eq!(list(&format!("iCalUId eq '{uid}'")).await.all("iCalUId"), [&uid]);
    let edge = |hours| (now() + TimeDelta::hours(hours)).format("%Y-%m-%dT%H:%M:%SZ").to_string();
    let series = format!(
        "type eq 'seriesMaster' or (end/dateTime ge '{}' and start/dateTime lt '{}')",
        edge(-1),
        edge(1)
    );
    assert_eq!(list(&series).await.values().len(), 2);
    let organizer = list("organizer/emailAddress/address eq 'ada@example.com'").await;
    assert_eq!(organizer.error(), (501, "ErrorInvalidUrlQueryFilter"));
    assert_eq!(list("iCalUId eq").await.error(), (400, "ErrorInvalidUrlQueryFilter"));
    let sorted = format!("/users/{AURORA}/events?$orderby=start/dateTime desc");
    assert_eq!(client.get(&sorted).await.values().len(), 2);
}

#[tokio::test]
async fn the_state_flags_tell_a_meeting_from_a_plain_event() {
    let mut world = world();
    world.add_plain(plain());
    world.add_meeting(MeetingSpec { cancelled: true, ..meeting() });
    let options = GraphOptions { expands_views: true, ..GraphOptions::with_all_permissions() };
    let sim = with_options(world.clone(), options).await;
    let client = GraphClient::new(&sim);
    let id = "Integer {00062002-0000-0000-C000-000000000046} Id 0x8217";
    let expand = format!("$select=subject&$expand=singleValueExtendedProperties($filter=id eq '{id}')");
    let events = client.get(&view(&format!("&{expand}"))).await;
    let mut flags: Vec<_> = events
        .values()
        .iter()
        .map(|event| event["singleValueExtendedProperties"][0]["value"].as_str().unwrap())
        .collect();
    flags.sort_unstable();
    assert_eq!(flags, ["0", "7"]);
    let one = client.get(&format!("{}?{expand}", event_path(&events.values()[1]["id"]))).await.json;
    assert_eq!(one["singleValueExtendedProperties"], events.values()[1]["singleValueExtendedProperties"]);
    let other = expand.replace("8217", "8218");
    let listed = client.get(&format!("/users/{AURORA}/events?{other}")).await;
    assert!(listed.values().iter().all(|event| event.get("singleValueExtendedProperties").is_none()));
    assert_eq!(client.get(&format!("/users/{AURORA}/events?$expand=instances")).await.status, 400);
    let sim = permitted(world).await;
    let answer = GraphClient::new(&sim).get(&view(&format!("&{expand}"))).await;
    assert_eq!(answer.error(), (400, "ErrorInvalidRequest"), "not known to work, so off by default");
}

#[tokio::test]
async fn request_ids_are_echoed_where_they_are_wanted() {
    let sim = permitted(world()).await;
    let client = GraphClient::new(&sim);
    let id = "8f0e0b52-33f1-4b0d-93f4-1a3a9d9a1c11";
    let answer =
        client.get_with(&view(""), &[("client-request-id", id), ("return-client-request-id", "true")]).await;
    assert_eq!(answer.reply.header("client-request-id"), Some(id));
    assert!(
        answer.reply.header("request-id").is_some() && answer.reply.header("x-ms-ags-diagnostic").is_some()
    );
    let answer = client.get_with("/users/nobody@example.com/events", &[("client-request-id", id)]).await;
    assert_eq!(answer.reply.header("client-request-id"), None);
    let inner = &answer.json["error"]["innerError"];
    assert_eq!(inner["client-request-id"], id);
    assert_eq!(inner["request-id"].as_str(), answer.reply.header("request-id"));
    assert!(inner["date"].is_string());
    assert_eq!(sim.requests()[0].client_request_id.as_deref(), Some(id));
}

#[tokio::test]
async fn unknown_paths_methods_and_versions_are_refused() {
    let sim = permitted(world()).await;
    let client = GraphClient::new(&sim);
    assert_eq!(client.get("/teapots").await.error(), (400, "BadRequest"));
    assert_eq!(client.get("/me/events").await.error(), (400, "BadRequest"));
    assert_eq!(client.get(&format!("/users/{AURORA}/events/x/fly")).await.error(), (400, "BadRequest"));
    assert_eq!(client.post(&view(""), json!({})).await.error(), (405, "BadRequest"));
    let reply = client.send_text("GET", "/beta/users", &[], "").await.unwrap();
    assert_eq!((reply.status, &reply.json()["error"]["message"]), (400, &json!("Invalid version.")));
}
