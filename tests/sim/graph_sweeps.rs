//! A sweep over Microsoft Graph on a server that throttles and loses replies: every release is carried out, and no write is sent again
//! after the server executed it. Prints the requests per room. `ADJOURN_SWEEP_ROOMS` sets the number of rooms.

use std::collections::BTreeMap;
use std::sync::Arc;

use adjourn::action::Outcome;
use adjourn::calendar::{Scope, Window};
use adjourn::cleanup::Sweep;
use adjourn::clock::ManualClock;
use adjourn::engine::Mode;
use adjourn::journal::MemoryJournal;
use adjourn::presence::{Coverage, PresenceState, SignLog};
use adjourn::sim::{
    FaultRule, GraphOptions, InjectedFault, MailKind, Simulator, SimulatorOptions, large_world,
};
use adjourn_test::{engine, graph, graph_settings, quick_options, request_count, simulator_with};
use chrono::TimeDelta;

use crate::sweeps::{check, rooms_of, rules, working_hour};

/// Every nth write is answered with 429, and every nth of the others is executed and its reply lost.
const THROTTLED_EACH: usize = 5;
const LOST_EACH: usize = 19;

fn room_count() -> usize {
    std::env::var("ADJOURN_SWEEP_ROOMS").map_or(400, |count| count.parse().unwrap())
}

/// The operations that release an event.
const RELEASES: [&str; 2] = ["DeclineEvent", "DeleteEvent"];

fn inject_faults(sim: &Simulator) {
    let forever = |fault, every| FaultRule::new(fault).times(usize::MAX).every(every);
    for operation in RELEASES {
        sim.inject_fault(forever(InjectedFault::BusyFault(1_000), THROTTLED_EACH).on(operation));
        sim.inject_fault(forever(InjectedFault::ResetAfter, LOST_EACH).on(operation));
    }
    for operation in ["CalendarView", "GetEvent"] {
        sim.inject_fault(forever(InjectedFault::BusyFault(1_000), 11).on(operation));
        sim.inject_fault(forever(InjectedFault::BusyPage(Some(1)), 31).on(operation));
    }
    sim.inject_fault(forever(InjectedFault::BusyFault(1_000), 3).on("Batch"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_throttled_sweep_over_graph_loses_and_repeats_nothing() {
    let now = working_hour();
    let world = large_world(now, room_count(), 7);
    let rooms = rooms_of(&world);
    let options = SimulatorOptions {
        now: Some(now),
        graph: GraphOptions { concurrent_requests: 4, ..GraphOptions::with_all_permissions() },
        ..SimulatorOptions::default()
    };
    let sim = simulator_with(world, options).await;
    inject_faults(&sim);
    let calendar = Arc::new(graph(&graph_settings(&sim)));
    let clock = Arc::new(ManualClock::at(now));
    let scope = Scope::new(rooms.clone(), []);
    let engine = engine(calendar, Arc::new(MemoryJournal::default()), clock, scope, quick_options());
    let books = PresenceState::covering(SignLog::default(), Coverage::always());
    let sweep = Sweep::new(engine, rules(), books, 64);
    let plan = sweep.plan(&rooms, Window::new(now, now + TimeDelta::hours(12)).unwrap()).await;
    let troubles: Vec<_> = plan.rooms.iter().filter_map(|room| room.trouble.as_ref()).collect();
    assert!(troubles.is_empty(), "every room was seen: {troubles:?}");
    let planned = plan.actions().count();
    assert!(planned * 10 > rooms.len(), "{planned}");
    let applied = sweep.apply(&plan, Mode::Perform).await.unwrap().applied;
    assert_eq!(applied.len(), planned, "every planned action has an outcome");
    check(&sim, &applied);
    let done = applied.iter().filter(|one| matches!(one.outcome, Outcome::Done(_))).count();
    assert_eq!(done, planned, "a lost reply is resolved by the mailbox, and a throttled request sent again");
    check_writes(&sim, done);
    print_requests(&sim, planned, rooms.len());
}

/// Each write that the server did not throttle was executed, its reply lost or not. If there are as many of them as releases, none was
/// sent again after it had been executed.
fn check_writes(sim: &Simulator, done: usize) {
    let executed = RELEASES.map(|operation| {
        let received = request_count(sim, operation);
        received - received / THROTTLED_EACH
    });
    let declines = sim.outbox().iter().filter(|mail| mail.kind == MailKind::Decline).count();
    assert_eq!(executed[0], declines, "each executed decline sent one message");
    assert_eq!(executed.iter().sum::<usize>(), done, "as many executed writes as releases");
    assert!(executed[0] >= LOST_EACH, "some replies were lost: {executed:?}");
    let others = ["CancelEvent", "UpdateEvent", "CreateEvent"];
    assert_eq!(others.map(|operation| request_count(sim, operation)), [0; 3]);
}

fn print_requests(sim: &Simulator, planned: usize, rooms: usize) {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for request in sim.requests() {
        *counts.entry(request.operation).or_default() += 1;
    }
    let total: usize = counts.values().sum();
    let per_room = total as f64 / rooms as f64;
    println!(
        "{planned} actions in {rooms} rooms over Graph, {total} requests, {per_room:.2} per room: {counts:?}"
    );
}
