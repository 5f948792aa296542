//! The client of Microsoft Graph: decoding a page of events, the CPU time of an end beside EWS, reads of many rooms in batches and one by
//! one, and how close a sweep comes to what its round trips allow. `cargo bench --bench graph`; how to read it is in
//! `benches/README.md`.
//!
//! The simulated Graph runs in this process, on threads of its own. Every answer is checked.
#![expect(clippy::expect_used, reason = "a bench may panic")]
#![expect(clippy::disallowed_methods, reason = "the bench measures time")]
#![expect(unreachable_pub, reason = "the bench's modules share their helpers")]

mod ends;
mod page;
mod rooms;
mod sweep;

use std::time::Duration;

use comfy_table::{Table, presets};
use tokio::runtime::{Builder, Runtime};

/// How much of each part is measured.
struct Size {
    /// Decodings of the page, by turns.
    turns: usize,
    /// Ends over each protocol.
    ends: usize,
    /// Rooms that are read, and rooms of the sweep.
    rooms: usize,
    /// How long the simulated Graph takes for one request. A batch takes this time for each of its requests.
    latency: Duration,
}

const FULL: Size = Size { turns: 400, ends: 400, rooms: 640, latency: Duration::from_millis(225) };
const SMOKE: Size = Size { turns: 1, ends: 3, rooms: 40, latency: Duration::from_millis(5) };

fn main() {
    let smoke = std::env::args().any(|argument| argument == "--test");
    let size = if smoke { SMOKE } else { FULL };
    // The servers run on these threads, and the main thread runs the measured code.
    let servers = Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let client = Builder::new_current_thread().enable_all().build().expect("a runtime");
    page::decode(size.turns);
    ends::cpu(&servers, &client, size.ends);
    rooms::read(&servers, size.rooms, size.latency);
    let ratio = sweep::sweep(&servers, size.rooms, size.latency);
    if !smoke {
        verdict("sweep, × the round trips", ratio, sweep::GOAL);
    }
}

/// An empty table of Markdown.
fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::ASCII_MARKDOWN);
    table.set_header(header);
    table
}

fn verdict(what: &str, is: f64, goal: f64) {
    println!("{what}: {is:.3} (goal {goal}): {}", if is <= goal { "reached" } else { "MISSED" });
}

/// Starts a simulated Exchange on the servers' threads.
fn start(
    servers: &Runtime,
    world: adjourn::sim::World,
    options: adjourn::sim::SimulatorOptions,
) -> adjourn::sim::Simulator {
    servers.block_on(adjourn_test::simulator_with(world, options))
}
