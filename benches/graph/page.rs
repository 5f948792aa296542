//! One page of a hundred events: Adjourn's typed decode with all its checks, beside `serde_json::Value`, which checks nothing but the
//! syntax, by turns on the same bytes.

use std::hint::black_box;
use std::time::{Duration, Instant};

use adjourn::calendar::{Event, RoomAddress, Window};
use adjourn::graph::read_page_of_events;
use adjourn_test::{at, aurora};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::table;

/// Events of the page, the most that Adjourn requests.
const EVENTS: usize = 100;

/// What both decoders have to find: of each event the id, the change key, the subject, and the times.
type Found = Vec<(String, String, String, DateTime<Utc>, DateTime<Utc>)>;

/// Times both decoders.
pub fn decode(turns: usize) {
    let (body, room) = (page(), aurora());
    let window = Window::new(at(0, 0), at(23, 0)).expect("a window");
    assert_eq!(typed(&body, &room, window), untyped(&body), "both find the same");
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..turns {
        ours.push(timed(|| drop(black_box(read_page_of_events(black_box(&body), &room, window)))));
        theirs.push(timed(|| drop(black_box(serde_json::from_slice::<Value>(black_box(&body))))));
    }
    let mut table = table(&["by", "µs", "ns/event", "MB/s"]);
    for (by, took) in [("adjourn, typed and checked", ours), ("serde_json::Value", theirs)] {
        let nanoseconds = median(took).as_secs_f64() * 1e9;
        table.add_row([
            by.to_owned(),
            format!("{:.1}", nanoseconds / 1e3),
            format!("{:.0}", nanoseconds / EVENTS as f64),
            format!("{:.0}", body.len() as f64 * 1e3 / nanoseconds),
        ]);
    }
    println!("A page of {EVENTS} events, {} bytes:\n\n{table}\n", body.len());
}

/// The page as Graph writes it: without spaces, each event with two attendees.
fn page() -> Vec<u8> {
    let event: Value =
        serde_json::from_str(include_str!("../../fixtures/graph/event-attendee-copy.json")).expect("JSON");
    let events = (0..EVENTS).map(|number| {
        let mut event = event.clone();
        let start = at(0, 0) + TimeDelta::minutes(5 * number as i64);
        event["id"] = json!(format!("{}{number:04}", "AAkALgAAAAAAHYQDEapmEc2byACqAC-".repeat(4)));
        event["changeKey"] = json!(format!("DwAAABYA{number:04}"));
        event["subject"] = json!(format!("Planning {number}"));
        event["start"]["dateTime"] = json!(text(start));
        event["end"]["dateTime"] = json!(text(start + TimeDelta::minutes(5)));
        event
    });
    json!({ "value": events.collect::<Vec<_>>() }).to_string().into_bytes()
}

fn text(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%dT%H:%M:%S.0000000").to_string()
}

fn typed(body: &[u8], room: &RoomAddress, window: Window) -> Found {
    let view = read_page_of_events(body, room, window).expect("a page");
    assert!(view.unreadable.is_empty(), "{:?}", view.unreadable);
    let found = |event: Event| {
        let (id, key) = (event.id.as_str().to_owned(), event.change_key.as_str().to_owned());
        (id, key, event.subject.unwrap_or_default(), event.start, event.end)
    };
    view.events.into_iter().map(found).collect()
}

fn untyped(body: &[u8]) -> Found {
    let page: Value = serde_json::from_slice(body).expect("JSON");
    let found = |event: &Value| {
        let text = |property: &str| event[property].as_str().expect("text").to_owned();
        let time = |edge: &str| format!("{}Z", event[edge]["dateTime"].as_str().expect("a time"));
        let (start, end) = (time("start").parse().expect("a time"), time("end").parse().expect("a time"));
        (text("id"), text("changeKey"), text("subject"), start, end)
    };
    page["value"].as_array().expect("a list").iter().map(found).collect()
}

fn timed(work: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    work();
    begun.elapsed()
}

fn median(mut took: Vec<Duration>) -> Duration {
    took.sort_unstable();
    took[took.len() / 2]
}
