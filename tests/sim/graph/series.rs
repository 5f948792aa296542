//! Series: expansion, occurrences, exceptions, and the master's own properties.

use adjourn::sim::{MeetingSpec, RecurrenceRange, Series, Simulator};
use adjourn_test::{AURORA, meeting, now, world};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::client::{GraphClient, IMMUTABLE, between, event_path, permitted, utc};

/// Three weekly meetings of an hour, of which the first began twenty minutes ago, and their UID.
async fn weekly() -> (Simulator, String, DateTime<Utc>) {
    let mut world = world();
    let spec = meeting();
    let start = spec.start;
    let series = Some(Series::weekly_on(start, RecurrenceRange::Count(3)));
    let uid = world.add_meeting(MeetingSpec { series, ..spec });
    (permitted(world).await, uid, start)
}

async fn month(client: &GraphClient<'_>) -> Vec<Value> {
    let window = between(now() - TimeDelta::days(1), now() + TimeDelta::days(30));
    client.get_with(&format!("/users/{AURORA}/calendarView?{window}"), &[IMMUTABLE]).await.values().to_vec()
}

#[tokio::test]
async fn a_view_expands_a_series_and_names_its_master() {
    let (sim, uid, start) = weekly().await;
    let client = GraphClient::new(&sim);
    let dates = month(&client).await;
    assert_eq!(dates.len(), 3);
    let master = dates[0]["seriesMasterId"].clone();
    for (week, date) in (0..).zip(&dates) {
        let begins = start + TimeDelta::weeks(week);
        assert_eq!((&date["type"], &date["seriesMasterId"]), (&json!("occurrence"), &master));
        assert_eq!(date["originalStart"], json!(begins.format("%Y-%m-%dT%H:%M:%SZ").to_string()));
        let digits = date["iCalUId"].as_str().unwrap();
        let day = begins.format("%Y %-m %-d").to_string();
        let numbers: Vec<u32> = day.split(' ').map(|number| number.parse().unwrap()).collect();
        let hex = format!("{:04X}{:02X}{:02X}", numbers[0], numbers[1], numbers[2]);
        assert_eq!((&digits[..32], &digits[32..40], &digits[40..]), (&uid[..32], hex.as_str(), &uid[40..]));
    }
    let master = client.get_with(&event_path(&master), &[IMMUTABLE]).await.json;
    assert_eq!((&master["type"], &master["iCalUId"]), (&json!("seriesMaster"), &json!(uid)));
    assert_eq!(master["recurrence"]["range"]["numberOfOccurrences"], 3);
    assert_eq!(master["recurrence"]["pattern"]["type"], "weekly");
    assert!(master.get("originalStart").is_none() && master["seriesMasterId"].is_null());
}

#[tokio::test]
async fn a_changed_occurrence_becomes_an_exception_and_keeps_its_id() {
    let (sim, _, start) = weekly().await;
    let client = GraphClient::new(&sim);
    let date = month(&client).await[0].clone();
    let end = utc(now());
    let answer =
        client.send("PATCH", &event_path(&date["id"]), &[IMMUTABLE], Some(json!({ "end": end }))).await;
    assert_eq!(
        (answer.status, &answer.json["type"], &answer.json["id"]),
        (200, &json!("exception"), &date["id"])
    );
    let after = month(&client).await;
    assert_eq!((&after[0]["end"], after[1]["type"].as_str()), (&end, Some("occurrence")));
    let early = utc(start + TimeDelta::weeks(1) - TimeDelta::minutes(10));
    let late = utc(start + TimeDelta::weeks(1) + TimeDelta::minutes(10));
    let body = json!({ "start": early, "end": late });
    let answer = client.patch(&event_path(&date["id"]), body).await;
    assert_eq!(answer.error(), (400, "ErrorOccurrenceCrossingBoundary"));
}

#[tokio::test]
async fn one_occurrence_can_be_declined_or_deleted_and_leaves_nothing() {
    let (sim, uid, start) = weekly().await;
    let client = GraphClient::new(&sim);
    let dates = month(&client).await;
    assert_eq!(client.post(&format!("{}/decline", event_path(&dates[0]["id"])), json!({})).await.status, 202);
    assert_eq!(client.delete(&event_path(&dates[1]["id"])).await.status, 204);
    assert_eq!(month(&client).await.len(), 1);
    assert!(sim.world(|world| world.deleted(AURORA)).is_empty());
    let mails = sim.outbox();
    assert_eq!((mails.len(), mails[0].occurrence), (1, Some(start)));
    assert_eq!(client.get(&event_path(&dates[0]["id"])).await.error(), (404, "ErrorItemNotFound"));
    let answer = client
        .get(&format!("{}?$select=subject,cancelledOccurrences", event_path(&dates[2]["seriesMasterId"])))
        .await;
    let gone = answer.json["cancelledOccurrences"].as_array().unwrap();
    assert_eq!(gone.len(), 2);
    assert!(gone[0].as_str().unwrap().ends_with(&start.format(".%Y-%m-%d").to_string()));
    assert!(sim.world(|world| world.occurrence(AURORA, &uid, start)).is_none());
}

#[tokio::test]
async fn a_master_shows_its_exceptions_where_they_are_expanded() {
    let (sim, _, _) = weekly().await;
    let client = GraphClient::new(&sim);
    let dates = month(&client).await;
    client.patch(&event_path(&dates[1]["id"]), json!({ "subject": "Moved" })).await;
    let master = event_path(&dates[0]["seriesMasterId"]);
    let plain = client.get(&master).await.json;
    assert!(plain.get("exceptionOccurrences").is_none() && plain.get("cancelledOccurrences").is_none());
    let path = format!("{master}?$select=subject,start&$expand=exceptionOccurrences($select=id,subject)");
    let answer = client.get_with(&path, &[IMMUTABLE]).await;
    let exceptions = answer.json["exceptionOccurrences"].as_array().unwrap();
    assert_eq!((exceptions.len(), &exceptions[0]["subject"]), (1, &json!("Moved")));
    assert_eq!((&exceptions[0]["id"], exceptions[0].get("start")), (&dates[1]["id"], None));
    assert_eq!(client.get(&format!("{master}?$expand=attachments")).await.status, 400);
}

#[tokio::test]
async fn instances_lists_the_dates_of_one_series() {
    let (sim, _, _) = weekly().await;
    let client = GraphClient::new(&sim);
    let dates = month(&client).await;
    let window = between(now() - TimeDelta::days(1), now() + TimeDelta::days(10));
    let of = |id: &Value| format!("{}/instances?{window}", event_path(id));
    assert_eq!(client.get(&of(&dates[0]["seriesMasterId"])).await.values().len(), 2);
    assert_eq!(client.get(&of(&dates[0]["id"])).await.error(), (400, "ErrorInvalidRequest"));
}

#[tokio::test]
async fn a_series_is_created_as_it_was_described() {
    let sim = permitted(world()).await;
    let client = GraphClient::new(&sim);
    let path = format!("/users/{AURORA}/events");
    let patterns = [
        json!({ "type": "daily", "interval": 2 }),
        json!({ "type": "weekly", "interval": 1, "daysOfWeek": ["monday", "friday"], "firstDayOfWeek": "monday" }),
        json!({ "type": "absoluteMonthly", "interval": 1, "dayOfMonth": 5 }),
        json!({ "type": "relativeMonthly", "interval": 1, "daysOfWeek": ["tuesday"], "index": "second" }),
        json!({ "type": "absoluteYearly", "interval": 1, "dayOfMonth": 5, "month": 7 }),
        json!({ "type": "relativeYearly", "interval": 1, "daysOfWeek": ["saturday", "sunday"], "index": "last", "month": 7 }),
    ];
    let time =
        |hour: u32| json!({ "dateTime": format!("2026-07-01T{hour:02}:00:00"), "timeZone": "Europe/Berlin" });
    let body = |pattern: &Value| {
        let range = json!({ "type": "numbered", "startDate": "2026-07-01", "numberOfOccurrences": 4 });
        json!({ "subject": "x", "start": time(9), "end": time(10), "recurrence": { "pattern": pattern, "range": range } })
    };
    for pattern in &patterns {
        let answer = client.post(&path, body(pattern)).await;
        assert_eq!((answer.status, &answer.json["type"]), (201, &json!("seriesMaster")), "{answer:?}");
        let stored = &answer.json["recurrence"];
        for (name, value) in pattern.as_object().unwrap() {
            assert_eq!(&stored["pattern"][name], value, "{pattern}");
        }
        assert_eq!(stored["range"]["recurrenceTimeZone"], "W. Europe Standard Time");
    }
    let wrong = [
        json!({ "type": "hourly", "interval": 1 }),
        json!({ "type": "daily", "interval": 0 }),
        json!({ "type": "weekly", "interval": 1, "daysOfWeek": [] }),
        json!(5),
    ];
    for pattern in &wrong {
        assert_eq!(client.post(&path, body(pattern)).await.status, 400, "{pattern}");
    }
}
