//! Measures the service under load: reads of cached state, ends of meetings at a steady rate, and the latency that the service
//! adds to the requests it sends to Exchange. Run `cargo bench --bench service`; `benches/README.md` explains the results.
//!
//! `adjourn serve` is a process of its own, with its journal on disk in `$ADJOURN_BENCH_DIR`, or the system's temporary
//! directory. The simulated Exchange and the displays run in this one. Every answer is compared with the journal and the
//! calendars afterwards.
#![expect(clippy::expect_used, reason = "a bench that cannot go on ends with a panic")]
#![expect(clippy::disallowed_methods, reason = "a bench measures time, so it reads the clock")]
#![expect(unreachable_pub, reason = "`pub` marks the items of a module that the bench uses")]

mod building;
mod display;

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use adjourn::action::{Notify, Step};
use adjourn::before_send::Unconditional;
use adjourn::calendar::Window;
use adjourn::engine::{CalendarReader as _, CalendarWriter as _, WriteOutcome};
use adjourn::exchange::Exchange;
use adjourn_test::{exchange, now, numbered_room, patient_settings};
use building::Building;
use comfy_table::{Table, presets};
use display::{Display, Displays};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

/// Ends of meetings per second, and the duration of the load.
const RATE: u32 = 500;
const SECONDS: u32 = 60;
/// Persistent connections, like those of displays.
const DISPLAYS: usize = 96;
const READERS: usize = 32;
const READ_FOR: Duration = Duration::from_secs(10);
/// Pairs of an end through the service and one without it.
const PAIRS: usize = 1_000;

const READS_GOAL: f64 = 20_000.0;
const READ_P99_GOAL: Duration = Duration::from_millis(10);
const OVERHEAD_GOAL: Duration = Duration::from_millis(3);

struct Size {
    pairs: usize,
    seconds: u32,
    rate: u32,
    read_for: Duration,
}

fn main() {
    let smoke = std::env::args().any(|argument| argument == "--test");
    let size = if smoke {
        Size { pairs: 10, seconds: 1, rate: 50, read_for: Duration::from_millis(300) }
    } else {
        Size { pairs: PAIRS, seconds: SECONDS, rate: RATE, read_for: READ_FOR }
    };
    let ends = (size.rate * size.seconds) as usize;
    let runtime = Runtime::new().expect("a runtime");
    runtime.block_on(async {
        // Rooms for the pairs (two each), then those for the load.
        let began = Instant::now();
        let building = Building::open(2 * size.pairs + ends).await;
        eprintln!("{} rooms were made in {:.1} s", 2 * size.pairs + ends, began.elapsed().as_secs_f64());
        let mut table = Table::new();
        table.load_preset(presets::ASCII_MARKDOWN);
        table.set_header(["what", "count", "a second", "p50 ms", "p90 ms", "p99 ms", "max ms"]);
        let (bare, served) = in_turn(&building, size.pairs).await;
        table.add_row(row("two requests to Exchange, without the service", &bare, None));
        table.add_row(row("an end through the service", &served, None));
        let reads = reads(&building, size.read_for).await;
        table.add_row(row("reads of stored state", &reads, Some(size.read_for)));
        let (load, actions, took) = load(&building, 2 * size.pairs, &size).await;
        table.add_row(row("ends at a steady rate", &load, Some(took)));
        println!("\n{table}\n");
        building.check(2 * size.pairs, ends, &actions).await;
        println!("{ends} ends: every answer is on record as done, and every calendar shows it.");
        if !smoke {
            let overhead = percentile(&served, 99.0).saturating_sub(percentile(&bare, 99.0));
            verdict(
                "overhead at p99, ms",
                millis(overhead),
                millis(OVERHEAD_GOAL),
                overhead <= OVERHEAD_GOAL,
            );
            let rate = reads.len() as f64 / size.read_for.as_secs_f64();
            verdict("reads a second", rate, READS_GOAL, rate >= READS_GOAL);
            let p99 = percentile(&reads, 99.0);
            verdict("reads at p99, ms", millis(p99), millis(READ_P99_GOAL), p99 <= READ_P99_GOAL);
            let rate = load.len() as f64 / took.as_secs_f64();
            verdict("ends a second", rate, f64::from(RATE), rate >= 0.99 * f64::from(RATE));
        }
    });
}

/// Sends the two requests of an end directly to the simulator and through the service, alternately.
async fn in_turn(building: &Building, pairs: usize) -> (Vec<Duration>, Vec<Duration>) {
    let mut settings = patient_settings(&building.installation.sim);
    settings.max_concurrent_requests = NonZeroUsize::MIN.saturating_add(63);
    let exchange = exchange(&settings);
    let mut display = Display::open(building).await;
    let (mut bare, mut served) = (Vec::new(), Vec::new());
    for number in 0..pairs {
        let begun = Instant::now();
        end_without_service(&exchange, 2 * number).await;
        bare.push(begun.elapsed());
        let begun = Instant::now();
        display.end(2 * number + 1).await;
        served.push(begun.elapsed());
    }
    (bare, served)
}

async fn end_without_service(exchange: &Exchange, number: usize) {
    let (room, now) = (numbered_room(number), now());
    let event = exchange.events(&room, Window::instant(now)).await.expect("events").events.remove(0);
    let (id, change_key, end, notify) = (event.id, event.change_key, now, Notify::Nobody);
    let reply = exchange.write(&room, &Step::SetEnd { id, change_key, end, notify }, &Unconditional).await;
    assert_eq!(reply.outcome, WriteOutcome::Done);
}

async fn reads(building: &Building, time: Duration) -> Vec<Duration> {
    let mut tasks = JoinSet::new();
    for reader in 0..READERS {
        let mut display = Display::open(building).await;
        let until = Instant::now() + time;
        tasks.spawn(async move {
            let mut took = Vec::new();
            while Instant::now() < until {
                let begun = Instant::now();
                display.read(reader).await;
                took.push(begun.elapsed());
            }
            took
        });
    }
    tasks.join_all().await.into_iter().flatten().collect()
}

/// Ends meetings, each at its scheduled time; returns the latency since that time, so that a delay in sending is included.
async fn load(building: &Building, first: usize, size: &Size) -> (Vec<Duration>, BTreeSet<String>, Duration) {
    let displays = Arc::new(Displays::open(building, DISPLAYS).await);
    let (begun, every) = (Instant::now(), Duration::from_secs(1) / size.rate);
    let mut tasks = JoinSet::new();
    for number in 0..size.rate * size.seconds {
        let due = begun + every * number;
        tokio::time::sleep_until(due.into()).await;
        let displays = displays.clone();
        tasks.spawn(async move {
            let action = displays.end(first + number as usize).await;
            (due.elapsed(), action)
        });
    }
    let (took, actions): (Vec<_>, BTreeSet<_>) = tasks.join_all().await.into_iter().unzip();
    (took, actions, begun.elapsed())
}

fn row(what: &str, took: &[Duration], within: Option<Duration>) -> Vec<String> {
    let rate =
        within.map_or_else(String::new, |time| format!("{:.0}", took.len() as f64 / time.as_secs_f64()));
    let at = [50.0, 90.0, 99.0, 100.0].map(|part| format!("{:.2}", millis(percentile(took, part))));
    [what.to_owned(), took.len().to_string(), rate].into_iter().chain(at).collect()
}

fn percentile(took: &[Duration], part: f64) -> Duration {
    let mut sorted = took.to_vec();
    sorted.sort_unstable();
    let place = (part / 100.0 * sorted.len() as f64).ceil() as usize;
    sorted[place.clamp(1, sorted.len()) - 1]
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn verdict(what: &str, is: f64, goal: f64, reached: bool) {
    println!("{what}: {is:.2} (goal {goal}): {}", if reached { "reached" } else { "MISSED" });
}
