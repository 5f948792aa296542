//! Reads the calendars of many rooms in batches of twenty and one by one, with the same number of requests in flight. Requests are
//! written by hand, so that neither has the client's own limits.

use std::sync::Arc;
use std::time::{Duration, Instant};

use adjourn::sim::{GraphOptions, Simulator, SimulatorOptions};
use adjourn_test::{HttpReply, host, now, room_name, send_and_read, world_of_meetings};
use chrono::TimeDelta;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::{start, table};

const BATCH: usize = 20;
const IN_FLIGHT: usize = 16;
const OPTIONS: &str = "$select=id,start,end,isAllDay&$top=100";

/// Reads every room both ways.
pub fn read(servers: &Runtime, rooms: usize, latency: Duration) {
    let options = SimulatorOptions {
        latency,
        graph: GraphOptions::with_all_permissions(),
        ..SimulatorOptions::default()
    };
    let sim = start(servers, world_of_meetings(rooms), options);
    let mut table = table(&["reads", "requests", "s", "rooms/s"]);
    for (by, each) in [("in batches of 20", BATCH), ("one by one", 1)] {
        let took = servers.block_on(read_all(&sim, rooms, each));
        table.add_row([
            by.to_owned(),
            rooms.div_ceil(each).to_string(),
            format!("{:.2}", took.as_secs_f64()),
            format!("{:.0}", rooms as f64 / took.as_secs_f64()),
        ]);
    }
    println!("{rooms} rooms, {latency:?} a read, {IN_FLIGHT} requests in flight:\n\n{table}\n");
}

/// Reads every room once, so many rooms in each request.
async fn read_all(sim: &Simulator, rooms: usize, each: usize) -> Duration {
    let (host, token) = (host(sim), sim.graph_token());
    let permits = Arc::new(Semaphore::new(IN_FLIGHT));
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for first in (0..rooms).step_by(each) {
        let last = (first + each).min(rooms);
        let request = match each {
            1 => single(&host, &token, first),
            _ => batch(&host, &token, first..last),
        };
        let (host, permits) = (host.clone(), permits.clone());
        tasks.spawn(async move {
            let _permit = permits.acquire_owned().await;
            let reply = send_and_read(host, &request).await.expect("a response");
            let found = events(&HttpReply::parse(&reply).expect("HTTP").json());
            assert_eq!(found, last - first, "a meeting in each room: {reply}");
        });
    }
    tasks.join_all().await;
    begun.elapsed()
}

/// The calendar view of a room, from a day ago to a day ahead.
fn url(number: usize) -> String {
    let edge = |days| (now() + TimeDelta::days(days)).format("%Y-%m-%dT%H:%M:%SZ");
    let (room, from, to) = (room_name(number), edge(-1), edge(1));
    format!("/users/{room}/calendarView?startDateTime={from}&endDateTime={to}&{OPTIONS}")
}

fn head(method: &str, host: &str, token: &str) -> String {
    format!("{method} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n")
}

fn single(host: &str, token: &str, number: usize) -> String {
    head(&format!("GET /v1.0{}", url(number)), host, token) + "\r\n"
}

fn batch(host: &str, token: &str, rooms: std::ops::Range<usize>) -> String {
    let part = |number: usize| json!({ "id": number.to_string(), "method": "GET", "url": url(number) });
    let body = json!({ "requests": rooms.map(part).collect::<Vec<_>>() }).to_string();
    let fields = format!("Content-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
    head("POST /v1.0/$batch", host, token) + &fields + &body
}

/// The events of a page, or of all pages of a batch.
fn events(body: &Value) -> usize {
    let count = |page: &Value| page["value"].as_array().map_or(0, Vec::len);
    match body["responses"].as_array() {
        Some(parts) => parts.iter().map(|part| count(&part["body"])).sum(),
        None => count(body),
    }
}
