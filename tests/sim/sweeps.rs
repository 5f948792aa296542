//! A sweep of a thousand rooms on a server that throttles, resets and loses replies: every release is carried out
//! exactly once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use adjourn::action::{Change, Outcome, Refusal};
use adjourn::calendar::{RoomAddress, Window};
use adjourn::cleanup::{AppliedAction, CancelledLeftover, NoCheckIn, Rules, Sweep, SweepLimits};
use adjourn::clock::ManualClock;
use adjourn::engine::Mode;
use adjourn::presence::{Coverage, PresenceState, SignLog};
use adjourn::sim::{
    FaultRule, InjectedFault, MailKind, MailboxKind, Simulator, SimulatorOptions, World, large_world,
};
use adjourn_test::{Office, settings, simulator_with};
use chrono::{DateTime, TimeDelta, Utc};

const ROOMS: usize = 1_000;

pub fn rules() -> Rules {
    Rules {
        no_check_in: Some(NoCheckIn::default()),
        cancelled_leftover: Some(CancelledLeftover),
        limits: SweepLimits { actions_max: 100_000, max_fraction: 1.0, ..SweepLimits::default() },
        ..Rules::default()
    }
}

/// A Wednesday morning, whenever the test runs: the rules expect empty buildings at night and on Sundays.
pub fn working_hour() -> DateTime<Utc> {
    "2026-11-25T10:45:00Z".parse().unwrap()
}

pub fn rooms_of(world: &World) -> Vec<RoomAddress> {
    let rooms = world.mailboxes().filter(|mailbox| mailbox.kind == MailboxKind::Room);
    rooms.map(|mailbox| mailbox.address.parse().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_throttled_sweep_of_a_thousand_rooms_loses_and_repeats_nothing() {
    let now = working_hour();
    let world = large_world(now, ROOMS, 7);
    let rooms = rooms_of(&world);
    assert_eq!(rooms.len(), ROOMS);
    let sim = simulator_with(world, SimulatorOptions { now: Some(now), ..SimulatorOptions::default() }).await;
    for (wrong, every) in [
        (InjectedFault::BusyFault(30), 11),
        (InjectedFault::BusyMessage(20), 13),
        (InjectedFault::BusyPage(Some(0)), 17),
        (InjectedFault::TooManyConnections, 101),
    ] {
        sim.inject_fault(FaultRule::new(wrong).times(usize::MAX).every(every));
    }
    for operation in ["CreateItem", "UpdateItem", "DeleteItem"] {
        sim.inject_fault(FaultRule::new(InjectedFault::ResetAfter).on(operation).times(usize::MAX).every(19));
        sim.inject_fault(
            FaultRule::new(InjectedFault::ResetBefore).on(operation).times(usize::MAX).every(23),
        );
    }
    let mut settings = settings(&sim, None);
    // Generous timeouts: only the machine is slow here, because other tests run beside this one.
    settings.first_byte_timeout = Duration::from_secs(60);
    let office = Office::with_clock(Arc::new(ManualClock::at(now)), sim, rooms.clone(), &settings);
    let books = PresenceState::covering(SignLog::default(), Coverage::always());
    let sweep = Sweep::new(office.engine.clone(), rules(), books, 64);
    let window = Window::new(now, now + TimeDelta::hours(12)).unwrap();
    let plan = sweep.plan(&rooms, window).await;
    let troubles: Vec<_> = plan.rooms.iter().filter_map(|room| room.trouble.as_ref()).collect();
    assert!(troubles.is_empty(), "every room was seen: {troubles:?}");
    let planned = plan.actions().count();
    assert!(planned > 100, "{planned}");
    let applied = sweep.apply(&plan, Mode::Perform).await.unwrap().applied;
    assert_eq!(applied.len(), planned, "every planned action has an outcome");
    check(&office.sim, &applied);
    println!("{planned} actions in {ROOMS} rooms, {} requests", office.sim.requests().len());
}

/// Each decline was mailed exactly once; outcomes reported as done are done, and refused ones (both requests were lost)
/// had no effect.
pub fn check(sim: &Simulator, applied: &[AppliedAction]) {
    let mut declines: BTreeMap<_, usize> = BTreeMap::new();
    for mail in sim.outbox().into_iter().filter(|mail| mail.kind == MailKind::Decline) {
        *declines.entry((mail.from, mail.uid, mail.occurrence)).or_default() += 1;
    }
    assert!(declines.values().all(|mails| *mails == 1), "a decline was mailed twice");
    let (mut declined, mut open) = (0, 0);
    for one in applied {
        let events = sim.world(|world| world.events(one.room.as_str(), one.event.start, one.event.end));
        let id = one.event.id.as_str();
        let stands = events.iter().any(|event| [&event.id, &event.immutable_id].contains(&&id.to_owned()));
        match &one.outcome {
            Outcome::Done(done) => {
                assert!(!stands, "{} still stands", one.room);
                declined += usize::from(done.change == Change::Declined);
            }
            Outcome::Refused { refusal: Refusal::Exchange { .. } } => {
                assert!(stands, "{} is gone", one.room);
                open += 1;
            }
            other => panic!("{}: {other:?}", one.room),
        }
    }
    assert_eq!(declined, declines.len(), "every decline that is claimed was mailed, and no other");
    assert!(open * 20 < applied.len(), "{open} of {} were refused", applied.len());
    println!("{} done, {declined} of them declined, {open} refused", applied.len() - open);
}
