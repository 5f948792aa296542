//! The CPU time of an end over each protocol, from the decision to the answer, by real HTTP. The client has the main thread to itself,
//! and the time is that thread's.

use std::sync::Arc;
use std::time::Duration;

use adjourn::action::{Action, ActionKind, Notify, Outcome};
use adjourn::clock::SystemClock;
use adjourn::engine::{Calendar, EngineOptions, Mode};
use adjourn::journal::MemoryJournal;
use adjourn::sim::{GraphOptions, Simulator, SimulatorOptions};
use adjourn_test::{
    action, engine, every_room, exchange, graph, graph_settings, numbered_room, patient_settings,
    world_of_meetings,
};
use tokio::runtime::Runtime;

use crate::{start, table};

/// Ends that are not counted: they open the connections and fetch the token.
const FIRST: usize = 2;

/// Measures both protocols.
pub fn cpu(servers: &Runtime, client: &Runtime, ends: usize) {
    let mut table = table(&["over", "ends", "CPU µs/end", "requests/end"]);
    for over in ["EWS", "Graph"] {
        let options =
            SimulatorOptions { graph: GraphOptions::with_all_permissions(), ..SimulatorOptions::default() };
        let sim = start(servers, world_of_meetings(FIRST + ends), options);
        let calendar: Arc<dyn Calendar> = match over {
            "EWS" => Arc::new(exchange(&patient_settings(&sim))),
            _ => Arc::new(graph(&graph_settings(&sim))),
        };
        let (took, requests) = client.block_on(end_all(&sim, calendar, ends));
        table.add_row([
            over.to_owned(),
            ends.to_string(),
            format!("{:.0}", took.as_secs_f64() * 1e6 / ends as f64),
            format!("{:.1}", requests as f64 / ends as f64),
        ]);
    }
    println!("Ends of meetings, one after the other, journal in memory:\n\n{table}\n");
}

/// The CPU time of the ends, and the requests that they took.
async fn end_all(sim: &Simulator, calendar: Arc<dyn Calendar>, ends: usize) -> (Duration, usize) {
    let journal = Arc::new(MemoryJournal::default());
    let engine = engine(calendar, journal, Arc::new(SystemClock), every_room(), EngineOptions::default());
    let (mut begun, mut before) = (Duration::ZERO, 0);
    for number in 0..FIRST + ends {
        if number == FIRST {
            (begun, before) = (cpu_of_this_thread(), sim.requests().len());
        }
        let end = ActionKind::End(Notify::Attendees);
        let end = Action { reason: None, ..action(numbered_room(number), end) };
        let answer = engine.perform(end, Mode::Perform).await.expect("a journal");
        assert!(matches!(answer.outcome, Outcome::Done(_)), "{answer:?}");
    }
    (cpu_of_this_thread() - begun, sim.requests().len() - before)
}

fn cpu_of_this_thread() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    let nanoseconds = stat.split(' ').next().and_then(|time| time.parse().ok());
    Duration::from_nanos(nanoseconds.expect("a number"))
}
