//! Measures the tracking of thousands of rooms by one process: memory per room, CPU time without changes, and the latency from a
//! change in a calendar to the event stream. Run `cargo bench --bench live`; `benches/README.md` explains the results.
//!
//! `adjourn serve` is a process of its own; the simulated Exchange and the stream's client run in this one. Each received
//! change is compared with the change that was made.
#![expect(clippy::expect_used, reason = "a bench that cannot go on ends with a panic")]
#![expect(clippy::disallowed_methods, reason = "a bench measures time, so it reads the clock")]
#![expect(unreachable_pub, reason = "`pub` marks the items of a module that the bench uses")]

mod campus;

use std::time::{Duration, Instant};

use adjourn::sim::PlainSpec;
use adjourn_test::{now, room_name};
use campus::{Campus, Listener};
use chrono::TimeDelta;
use comfy_table::{Table, presets};
use tokio::runtime::Runtime;

const ROOMS: usize = 5_000;
const CHANGES: usize = 2_000;
/// Changes per second.
const RATE: u32 = 50;
/// The time without changes; it includes heartbeats.
const IDLE: Duration = Duration::from_secs(60);

struct Size {
    rooms: usize,
    changes: usize,
    idle: Duration,
}

fn main() {
    let smoke = std::env::args().any(|argument| argument == "--test");
    let size = if smoke {
        Size { rooms: 300, changes: 20, idle: Duration::from_secs(1) }
    } else {
        Size { rooms: ROOMS, changes: CHANGES, idle: IDLE }
    };
    Runtime::new().expect("a runtime").block_on(async {
        let few = Campus::open(10).await;
        few.until_followed(10).await;
        let of_few = few.memory();
        drop(few);
        let begun = Instant::now();
        let campus = Campus::open(size.rooms).await;
        campus.until_followed(size.rooms).await;
        let followed_after = begun.elapsed();
        let memory = campus.memory();
        let cpu = campus.cpu();
        tokio::time::sleep(size.idle).await;
        let idle = campus.cpu().saturating_sub(cpu).as_secs_f64() / size.idle.as_secs_f64();
        let mut took = changes(&campus, size.changes).await;
        took.sort();
        let p = |share: f64| took[((took.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
        let mut table = Table::new();
        table.load_preset(presets::ASCII_MARKDOWN);
        table.set_header(["what", "is"]);
        let per_room = memory.saturating_sub(of_few) as f64 / (size.rooms - 10) as f64;
        for (what, is) in [
            ("rooms tracked by streaming", size.rooms.to_string()),
            ("streaming connections", campus.installation.sim.streams().to_string()),
            ("from start until all are tracked and read, s", format!("{:.1}", followed_after.as_secs_f64())),
            ("memory of the process (10 rooms), KiB", of_few.to_string()),
            ("memory of the process (all), KiB", memory.to_string()),
            ("memory per room, KiB", format!("{per_room:.2}")),
            ("CPU without changes, % of one core", format!("{:.2}", idle * 100.0)),
            ("from change to event: p50, ms", format!("{:.1}", p(0.5))),
            ("p90, ms", format!("{:.1}", p(0.9))),
            ("p99, ms", format!("{:.1}", p(0.99))),
            ("max, ms", format!("{:.1}", p(1.0))),
        ] {
            table.add_row([what.to_owned(), is]);
        }
        println!("\n{table}\n");
        println!("{} changes: every one was received, as it was made.", took.len());
    });
}

/// Changes calendars at a steady rate, each in another room; returns the latency of each change.
async fn changes(campus: &Campus, count: usize) -> Vec<Duration> {
    let mut listener = Listener::open(campus).await;
    let made = async {
        let mut made = Vec::new();
        for number in 0..count {
            let start = now() + TimeDelta::hours(2) + TimeDelta::minutes(number as i64 % 60);
            let spec = PlainSpec::new(room_name(number), start, start + TimeDelta::minutes(30));
            made.push((room_name(number), start, Instant::now()));
            campus.installation.sim.world(|world| world.add_plain(spec));
            tokio::time::sleep(Duration::from_secs(1) / RATE).await;
        }
        made
    };
    let (made, heard) = tokio::join!(made, listener.rooms(count));
    made.into_iter()
        .map(|(room, start, at)| {
            let (heard_at, next) = heard.get(&room).expect("it was heard of");
            assert_eq!(
                next.as_deref(),
                Some(start.to_rfc3339_opts(chrono::SecondsFormat::Secs, true).as_str()),
                "{room}"
            );
            heard_at.duration_since(at)
        })
        .collect()
}
