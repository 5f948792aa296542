//! Requests that no honest client sends: every one is answered, and the simulator serves the next.

use adjourn_test::{AURORA, SeededRandom, meeting, now, world};
use serde_json::json;

use super::client::{GraphClient, event_path, permitted, utc, view};

#[tokio::test]
async fn odd_urls_and_bodies_are_answered() {
    let mut world = world();
    world.add_meeting(meeting());
    let sim = permitted(world).await;
    let client = GraphClient::new(&sim);
    let long = "a".repeat(20_000);
    let paths = [
        "/v1.0".to_owned(),
        "/v1.0//".to_owned(),
        "/v1.0/users/%".to_owned(),
        "/v1.0/users/%ff/events".to_owned(),
        format!("/v1.0/users/{AURORA}/events?$filter={}", "(".repeat(5_000)),
        format!("/v1.0/users/{AURORA}/events?$filter={}", "not%20".repeat(600)),
        format!("/v1.0/users/{AURORA}/events?$skip=18446744073709551615"),
        format!(
            "/v1.0/users/{AURORA}/calendarView?startDateTime=-262143-01-01T00:00:00Z&endDateTime=%2B262142-01-01T00:00:00Z"
        ),
        format!("/v1.0/users/{AURORA}/calendarView?startDateTime=0001-01-01&endDateTime=9999-12-31"),
        format!("/v1.0/users/{AURORA}/{}", "x/".repeat(500)),
        format!("/v1.0/{long}"),
    ];
    for path in &paths {
        let reply = client.send_text("GET", path, &[], "").await.unwrap();
        assert!((200..500).contains(&reply.status), "{path}: {reply:?}");
    }
    let event = format!("/v1.0{}", event_path(&client.get(&view("")).await.values()[0]["id"]));
    let deep = "[".repeat(100_000);
    let year = |year: &str| format!(r#"{{"start":{{"dateTime":"{year}-01-01T00:00:00","timeZone":"UTC"}}}}"#);
    let bodies = [
        "{".to_owned(),
        "[]".to_owned(),
        deep.clone(),
        format!(r#"{{"subject":{deep}"#),
        r#"{"subject":"\ud800"}"#.to_owned(),
        r#"{"start":null,"end":{}}"#.to_owned(),
        r#"{"attendees":[null,5,{}]}"#.to_owned(),
        r#"{"reminderMinutesBeforeStart":1e300}"#.to_owned(),
        year("+262142"),
        year("-262143"),
        year("9999"),
    ];
    for body in &bodies {
        let reply = client.send_text("PATCH", &event, &[], body).await.unwrap();
        assert_eq!(reply.status, 400, "{}", &body[..body.len().min(60)]);
    }
    let large = "x".repeat(5 << 20);
    let refused = client.send_text("PATCH", &event, &[], &large).await;
    assert!(refused.is_none_or(|reply| reply.status == 413));
    let host = [("Host", "evil.example/\"<")];
    let answer = client.get_with(&view("&$top=1"), &host).await;
    assert!(!answer.reply.body.contains("evil"));
    assert_eq!(client.get(&view("")).await.status, 200);
}

#[tokio::test]
async fn requests_with_random_holes_are_answered() {
    let mut world = world();
    world.add_meeting(meeting());
    let sim = permitted(world).await;
    let client = GraphClient::new(&sim);
    let id = client.get(&view("")).await.values()[0]["id"].clone();
    let good = json!({
        "subject": "x", "start": utc(now()), "end": utc(now()), "isAllDay": true, "showAs": "busy",
        "attendees": [{ "emailAddress": { "address": "bo@example.com" }, "type": "required" }],
        "recurrence": {
            "pattern": { "type": "relativeYearly", "interval": 1, "daysOfWeek": ["monday"], "index": "last", "month": 2 },
            "range": { "type": "endDate", "startDate": "2026-01-01", "endDate": "2027-01-01" },
        },
    })
    .to_string();
    let mut dice = SeededRandom::new(7);
    for round in 0..150_usize {
        let (at, length) = (dice.below(good.len() as u64) as usize, dice.below(12) as usize);
        let end = (at + length).min(good.len());
        let body = format!("{}{}", &good[..at], &good[end..]);
        let (method, path) = match round % 3 {
            0 => ("PATCH", event_path(&id)),
            1 => ("POST", format!("/users/{AURORA}/events")),
            _ => ("POST", "/$batch".to_owned()),
        };
        let reply = client.send_text(method, &format!("/v1.0{path}"), &[], &body).await.unwrap();
        assert!((200..500).contains(&reply.status), "{body}: {reply:?}");
    }
}
