//! A sweep over Graph against the time that its round trips take at the least: the number of requests and the client's limit of
//! requests in flight.

use std::sync::Arc;
use std::time::{Duration, Instant};

use adjourn::calendar::Window;
use adjourn::cleanup::{NoCheckIn, Rules, Sweep, SweepLimits};
use adjourn::clock::SystemClock;
use adjourn::engine::{EngineOptions, Mode};
use adjourn::graph::REQUESTS;
use adjourn::journal::MemoryJournal;
use adjourn::presence::{Coverage, PresenceState, Sign, SignLog};
use adjourn::sim::{GraphOptions, SimulatorOptions};
use adjourn_test::{
    engine, every_room, graph, graph_settings, meeting_in, now, numbered_room, request_count, world_of_rooms,
};
use chrono::TimeDelta;
use tokio::runtime::Runtime;

use crate::start;

/// How much longer than its round trips a sweep may take.
pub const GOAL: f64 = 1.15;

/// One room in how many has a meeting, and one in how many of those is attended.
const BUSY_EACH: usize = 2;
const ATTENDED_EACH: usize = 2;
/// Rooms in progress at the same time: more than requests in flight, so that the requests are never too few.
const ROOMS_AT_ONCE: usize = 64;

/// How many times longer than its round trips a sweep takes.
pub fn sweep(servers: &Runtime, rooms: usize, latency: Duration) -> f64 {
    let world = world_of_rooms(rooms, |world, number, room| {
        if number % BUSY_EACH == 0 {
            world.add_meeting(meeting_in(room));
        }
    });
    let options = SimulatorOptions {
        latency,
        graph: GraphOptions::with_all_permissions(),
        ..SimulatorOptions::default()
    };
    let sim = start(servers, world, options);
    let calendar = Arc::new(graph(&graph_settings(&sim)));
    let journal = Arc::new(MemoryJournal::default());
    let engine = engine(calendar, journal, Arc::new(SystemClock), every_room(), EngineOptions::default());
    let rules = Rules {
        no_check_in: Some(NoCheckIn::default()),
        limits: SweepLimits { actions_max: rooms, max_fraction: 1.0, ..SweepLimits::default() },
        ..Rules::default()
    };
    let mut signs = SignLog::default();
    for number in (0..rooms).step_by(BUSY_EACH * ATTENDED_EACH) {
        signs.push(Sign::new(numbered_room(number), now() - TimeDelta::minutes(15), "sensor"));
    }
    let sweep = Sweep::new(engine, rules, PresenceState::covering(signs, Coverage::always()), ROOMS_AT_ONCE);
    let all: Vec<_> = (0..rooms).map(numbered_room).collect();
    let window = Window::new(now(), now() + TimeDelta::hours(1)).expect("a window");
    let (took, acted) = servers.block_on(async {
        let begun = Instant::now();
        let plan = sweep.plan(&all, window).await;
        let applied = sweep.apply(&plan, Mode::Perform).await.expect("a sweep").applied;
        (begun.elapsed(), applied.len())
    });
    assert_eq!(acted, rooms / BUSY_EACH / ATTENDED_EACH, "one in so many was abandoned");
    // A batch takes the time of its requests, which are in the log as well.
    let requests = sim.requests().len() - request_count(&sim, "Batch");
    let least = latency.mul_f64(requests as f64 / REQUESTS.get() as f64);
    println!(
        "Sweep over {rooms} rooms over Graph, {acted} events acted on, {latency:?} a request, {REQUESTS} in flight:\n\
         {requests} requests ({:.2} a room), at least {:.2} s, took {:.2} s",
        requests as f64 / rooms as f64,
        least.as_secs_f64(),
        took.as_secs_f64(),
    );
    took.as_secs_f64() / least.as_secs_f64()
}
