//! The journal on PostgreSQL beside the one on SQLite, in turn on the same disk: actions a second, by one process and by three, and how long
//! an action takes at a steady rate. Every process of the comparison is an engine with a journal of its own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use adjourn::engine::Engine;
use adjourn::journal::Journal;
use adjourn::prelude::Secret;
use adjourn::store::{PostgresJournal, PostgresSettings};
use adjourn_test::{PostgresServer, PostgresTestDatabase, numbered_room};
use comfy_table::{Table, presets};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::delayed_calendar::DelayedCalendar;
use super::{CALLERS, end, journal};

/// Processes that act at the same time.
const PROCESSES: usize = 3;
/// Comparisons; the table has the median of each column.
const ROUNDS: usize = 5;
/// Actions a second at a steady rate, and for how long.
const RATE: usize = 500;
const SECONDS: usize = 6;

const THROUGHPUT_GOAL: f64 = 0.9;
const THROUGHPUT_MIN: f64 = 1_000.0;
const PROCESSES_GOAL: f64 = 2.0;
const P50_GOAL: f64 = 1.25;
const P99_GOAL: f64 = 2.0;

/// How much is measured.
struct Size {
    rounds: usize,
    callers: usize,
    each: usize,
    rate: usize,
    seconds: usize,
}

/// One comparison.
#[derive(Default)]
struct Rounds {
    sqlite: Vec<f64>,
    postgres: Vec<f64>,
    processes: Vec<f64>,
    sqlite_steady: Vec<(f64, f64)>,
    postgres_steady: Vec<(f64, f64)>,
}

/// Compares, unless PostgreSQL is not installed.
pub fn compare(runtime: &Runtime, smoke: bool) {
    let Some(server) = PostgresServer::shared() else {
        return println!("PostgreSQL is not installed: not compared.\n");
    };
    let size = if smoke {
        Size { rounds: 1, callers: 4, each: 3, rate: 50, seconds: 1 }
    } else {
        Size { rounds: ROUNDS, callers: CALLERS, each: 40, rate: RATE, seconds: SECONDS }
    };
    let mut found = Rounds::default();
    for _ in 0..size.rounds {
        let database = server.database();
        let (file, _directory) = journal(true);
        found.sqlite.push(throughput(runtime, std::slice::from_ref(&file), &size));
        let one = open(runtime, &database, 1);
        found.postgres.push(throughput(runtime, &one, &size));
        found.processes.push(throughput(runtime, &open(runtime, &database, PROCESSES), &size));
        found.sqlite_steady.push(steady(runtime, &file, &size));
        found.postgres_steady.push(steady(runtime, &one[0], &size));
        runtime.block_on(async { drop((file, one)) });
    }
    print(&found, &size);
    if !smoke {
        print_goals(&found);
    }
}

/// Opens the journal as so many processes.
fn open(runtime: &Runtime, database: &PostgresTestDatabase, processes: usize) -> Vec<Arc<dyn Journal>> {
    let (url, name) = (Secret::new(database.url()), "bench".to_owned());
    let settings = PostgresSettings { url, name, ca_file: None, accept_loss: false };
    let one = || Arc::new(runtime.block_on(PostgresJournal::open(&settings)).expect("a journal"));
    (0..processes).map(|_| one() as Arc<dyn Journal>).collect()
}

/// Actions a second of all processes together, with so many callers each.
fn throughput(runtime: &Runtime, journals: &[Arc<dyn Journal>], size: &Size) -> f64 {
    let per_process = size.callers * size.each;
    let count = per_process * journals.len();
    let calendar = DelayedCalendar::new(count, Duration::ZERO, CALLERS * journals.len());
    let engines: Vec<_> = journals.iter().map(|journal| calendar.engine(journal.clone())).collect();
    let took = runtime.block_on(async {
        let begun = Instant::now();
        let mut tasks = JoinSet::new();
        for (process, engine) in engines.iter().enumerate() {
            for caller in 0..size.callers {
                let (engine, first) = (engine.clone(), process * per_process + caller * size.each);
                tasks.spawn(end_all(engine, first, size.each));
            }
        }
        while let Some(done) = tasks.join_next().await {
            done.expect("every action is done");
        }
        begun.elapsed()
    });
    count as f64 / took.as_secs_f64()
}

async fn end_all(engine: Arc<Engine>, first: usize, count: usize) {
    for number in first..first + count {
        end(&engine, numbered_room(number)).await;
    }
}

/// p50 and p99 in milliseconds of an action, at a steady rate, whether or not the earlier ones have ended.
fn steady(runtime: &Runtime, journal: &Arc<dyn Journal>, size: &Size) -> (f64, f64) {
    let count = size.rate * size.seconds;
    let engine = DelayedCalendar::new(count, Duration::ZERO, count).engine(journal.clone());
    let mut times = runtime.block_on(async {
        let mut ticks = interval(Duration::from_secs(1) / u32::try_from(size.rate).expect("a rate"));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut tasks = JoinSet::new();
        for number in 0..count {
            // The time at which the action was due: a late start counts.
            let due = ticks.tick().await;
            let engine = engine.clone();
            tasks.spawn(async move {
                end(&engine, numbered_room(number)).await;
                due.elapsed().as_secs_f64() * 1_000.0
            });
        }
        tasks.join_all().await
    });
    times.sort_by(f64::total_cmp);
    (times[times.len() / 2], times[times.len() * 99 / 100])
}

fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn print(found: &Rounds, size: &Size) {
    let mut table = Table::new();
    table.load_preset(presets::ASCII_MARKDOWN);
    table.set_header(["journal", "processes", "actions/s", "p50 ms", "p99 ms"]);
    let mut row = |journal: &str, processes: usize, rates: &[f64], steady: &[(f64, f64)]| {
        let steady = |of: fn(&(f64, f64)) -> f64| match steady {
            [] => String::new(),
            all => format!("{:.1}", median(all.iter().map(of))),
        };
        let rate = format!("{:.0}", median(rates.iter().copied()));
        table.add_row([
            journal.to_owned(),
            processes.to_string(),
            rate,
            steady(|of| of.0),
            steady(|of| of.1),
        ]);
    };
    row("SQLite", 1, &found.sqlite, &found.sqlite_steady);
    row("PostgreSQL", 1, &found.postgres, &found.postgres_steady);
    row("PostgreSQL", PROCESSES, &found.processes, &[]);
    let Size { rounds, callers, rate, .. } = size;
    println!(
        "In turn, the median of {rounds}; {callers} callers each, and {rate} actions a second:\n\n{table}\n"
    );
}

fn print_goals(found: &Rounds) {
    let ratios = |one: &[f64], other: &[f64]| median(one.iter().zip(other).map(|(one, other)| one / other));
    let steady = |of: fn(&(f64, f64)) -> f64| {
        let pairs = found.postgres_steady.iter().zip(&found.sqlite_steady);
        median(pairs.map(|(postgres, sqlite)| of(postgres) / of(sqlite)))
    };
    let goal = |what: &str, value: f64, goal: f64, is_reached: bool| {
        let verdict = if is_reached { "reached" } else { "MISSED" };
        println!("{what}: {value:.2} (goal {goal}): {verdict}");
    };
    let postgres = median(found.postgres.iter().copied());
    let to_sqlite = ratios(&found.postgres, &found.sqlite);
    goal("actions/s, × SQLite, at least", to_sqlite, THROUGHPUT_GOAL, to_sqlite >= THROUGHPUT_GOAL);
    goal("actions/s, at least", postgres, THROUGHPUT_MIN, postgres >= THROUGHPUT_MIN);
    let together = ratios(&found.processes, &found.postgres);
    goal("three processes, × one, at least", together, PROCESSES_GOAL, together >= PROCESSES_GOAL);
    let (p50, p99) = (steady(|of| of.0), steady(|of| of.1));
    goal("p50, × SQLite, at most", p50, P50_GOAL, p50 <= P50_GOAL);
    goal("p99, × SQLite, at most", p99, P99_GOAL, p99 <= P99_GOAL);
    println!();
}
