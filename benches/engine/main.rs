//! The engine with its journal on disk: how many actions a second, and how close a sweep comes to what the round trips
//! allow. `cargo bench --bench engine`; how to read it is in `benches/README.md`.
//!
//! The calendar is in memory, so that only Adjourn and the disk are measured; its replies take a configured time. The journal is
//! in `$ADJOURN_BENCH_DIR`, or the system's temporary directory.
#![expect(clippy::expect_used, reason = "a bench may panic")]
#![expect(clippy::disallowed_methods, reason = "the bench measures time")]
#![expect(unreachable_pub, reason = "the bench's modules share their helpers")]

mod delayed_calendar;
#[cfg(feature = "postgres")]
mod postgres;

use std::sync::Arc;
use std::time::{Duration, Instant};

use adjourn::action::{Action, ActionKind, Notify, Outcome};
use adjourn::calendar::{RoomAddress, Window};
use adjourn::cleanup::{NoCheckIn, Rules, Sweep, SweepLimits};
use adjourn::engine::{Engine, Mode};
use adjourn::journal::{Journal, MemoryJournal};
use adjourn::presence::{Coverage, PresenceState, SignLog};
use adjourn_test::{action, journal_in, numbered_room};
use chrono::TimeDelta;
use comfy_table::{Table, presets};
use delayed_calendar::{DelayedCalendar, now, sign_in_room};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

/// Callers at once, and the actions of each.
const CALLERS: usize = 64;
const ACTIONS_EACH: usize = 40;

/// The sweep's building: how many rooms, one in how many has a meeting, and one in how many of those is attended.
const ROOMS: usize = 10_000;
const BUSY_EACH: usize = 5;
const ATTENDED_EACH: usize = 2;
const ANSWER: Duration = Duration::from_millis(50);
const IN_FLIGHT: usize = 64;
/// Rooms in progress at the same time: more than requests in flight, so that a room that waits for the disk blocks no other.
const ROOMS_AT_ONCE: usize = 128;
/// How much longer than the round trips a sweep may take.
const SWEEP_GOAL: f64 = 1.15;

fn main() {
    let smoke = std::env::args().any(|argument| argument == "--test");
    let runtime = Runtime::new().expect("a runtime");
    let (callers, each, rooms) = if smoke { (4, 3, 200) } else { (CALLERS, ACTIONS_EACH, ROOMS) };
    let mut table = Table::new();
    table.load_preset(presets::ASCII_MARKDOWN);
    table.set_header(["journal", "callers", "actions", "s", "actions/s", "requests/action"]);
    for callers in [1, callers] {
        for on_disk in [false, true] {
            table.add_row(actions(&runtime, callers, each, on_disk));
        }
    }
    println!("Ends of meetings, answers at once:\n\n{table}\n");
    #[cfg(feature = "postgres")]
    postgres::compare(&runtime, smoke);
    let ratio = sweep(&runtime, rooms);
    if !smoke {
        let verdict = if ratio <= SWEEP_GOAL { "reached" } else { "MISSED" };
        println!("{ratio:.3} × (goal {SWEEP_GOAL} ×): {verdict}");
    }
}

/// A journal, and the directory it is in.
fn journal(on_disk: bool) -> (Arc<dyn Journal>, Option<tempfile::TempDir>) {
    if !on_disk {
        return (Arc::new(MemoryJournal::default()), None);
    }
    let place = std::env::var_os("ADJOURN_BENCH_DIR").map_or_else(std::env::temp_dir, Into::into);
    let directory = tempfile::tempdir_in(place).expect("a directory");
    let journal = journal_in(directory.path());
    (Arc::new(journal), Some(directory))
}

fn actions(runtime: &Runtime, callers: usize, each: usize, on_disk: bool) -> Vec<String> {
    let (journal, _directory) = journal(on_disk);
    let calendar = DelayedCalendar::new(callers * each, Duration::ZERO, CALLERS);
    let engine = calendar.engine(journal);
    let took = runtime.block_on(async {
        let begun = Instant::now();
        let mut tasks = JoinSet::new();
        for caller in 0..callers {
            let engine = engine.clone();
            tasks.spawn(async move {
                for number in 0..each {
                    end(&engine, numbered_room(caller * each + number)).await;
                }
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.expect("every action is done");
        }
        begun.elapsed()
    });
    let count = callers * each;
    vec![
        if on_disk { "SQLite" } else { "memory" }.to_owned(),
        callers.to_string(),
        count.to_string(),
        format!("{:.2}", took.as_secs_f64()),
        format!("{:.0}", count as f64 / took.as_secs_f64()),
        format!("{:.1}", calendar.requests() as f64 / count as f64),
    ]
}

async fn end(engine: &Engine, room: RoomAddress) {
    // Without a reason, which the journal would store as a personal value.
    let end = Action { reason: None, ..action(room, ActionKind::End(Notify::Attendees)) };
    let answer = engine.perform(end, Mode::Perform).await.expect("a journal");
    assert!(matches!(answer.outcome, Outcome::Done(_)), "{answer:?}");
}

/// How many times longer than its round trips a sweep takes.
fn sweep(runtime: &Runtime, rooms: usize) -> f64 {
    let (journal, _directory) = journal(true);
    let calendar = DelayedCalendar::busy_each(rooms, BUSY_EACH, ANSWER, IN_FLIGHT);
    let engine = calendar.engine(journal);
    let rules = Rules {
        no_check_in: Some(NoCheckIn::default()),
        limits: SweepLimits { actions_max: rooms, max_fraction: 1.0, ..SweepLimits::default() },
        ..Rules::default()
    };
    let mut signs = SignLog::default();
    for number in (0..rooms).step_by(BUSY_EACH * ATTENDED_EACH) {
        signs.push(sign_in_room(number));
    }
    let sweep = Sweep::new(engine, rules, PresenceState::covering(signs, Coverage::always()), ROOMS_AT_ONCE);
    let all: Vec<_> = (0..rooms).map(numbered_room).collect();
    let window = Window::new(now(), now() + TimeDelta::hours(1)).expect("a window");
    let (took, acted) = runtime.block_on(async {
        let begun = Instant::now();
        let plan = sweep.plan(&all, window).await;
        let applied = sweep.apply(&plan, Mode::Perform).await.expect("a sweep").applied;
        (begun.elapsed(), applied.len())
    });
    assert_eq!(acted, rooms / BUSY_EACH / ATTENDED_EACH, "one in so many was abandoned");
    let requests = calendar.requests();
    let least = ANSWER.mul_f64(requests.div_ceil(IN_FLIGHT) as f64);
    println!(
        "Sweep over {rooms} rooms, {acted} events acted on, answers after {ANSWER:?}, {IN_FLIGHT} in flight:\n\
         {requests} requests ({:.2} a room), at least {:.2} s, took {:.2} s",
        requests as f64 / rooms as f64,
        least.as_secs_f64(),
        took.as_secs_f64(),
    );
    took.as_secs_f64() / least.as_secs_f64()
}
