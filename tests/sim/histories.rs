//! Random histories of the whole product (engine, client and codec over HTTP) against the simulator: concurrent callers,
//! lost replies, throttling, an organizer who edits, killed processes. (`tests/engine/history.rs` runs many more,
//! without HTTP.)
//!
//! The seed decides the events; the exact moment of a kill depends on the machine. `ADJOURN_SIM_SEEDS=N` runs N seeds,
//! `ADJOURN_SIM_SEED=N` only this one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use adjourn::action::{
    Action, ActionId, ActionKind, Actor, Answer, Change, DeleteMode, Notify, Outcome, Target,
};
use adjourn::calendar::{EventId, RoomAddress, Scope};
use adjourn::clock::SystemClock;
use adjourn::engine::{self, Engine, Mode};
use adjourn::exchange::Exchange;
use adjourn::journal::{Journal, Query};
use adjourn::sim::{
    EventState, FaultRule, InjectedFault, MailKind, MeetingSpec, PlainSpec, RecurrenceRange, RoomSpec,
    Series, Simulator, SimulatorOptions, World,
};
use adjourn::store::{SqliteJournal, StoreOptions};
use chrono::{DateTime, TimeDelta, Utc};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::office::{ada, now, settings};

const SEEDS_DEFAULT: u64 = 8;
const ROOMS: u64 = 3;

/// xorshift: small, and the same on every platform.
pub struct SeededRandom(u64);

impl SeededRandom {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % end
    }
}

fn room(number: u64) -> RoomAddress {
    format!("room{number}@example.com").parse().unwrap()
}

type EventName = (String, String, Option<DateTime<Utc>>);

/// In each room a current meeting, single or of a series, and an appointment later.
fn world(dice: &mut SeededRandom) -> World {
    let mut world = World::new();
    world.set_now(now());
    world.add_user(&ada());
    for number in 0..ROOMS {
        let address = room(number).to_string();
        world.add_room(RoomSpec::new(format!("Room {number}"), &address));
        let mut meeting =
            MeetingSpec::new(ada(), now() - TimeDelta::minutes(20), now() + TimeDelta::minutes(40));
        meeting.rooms = vec![address.clone()];
        if dice.below(2) == 0 {
            meeting.series = Some(Series::weekly_on(meeting.start, RecurrenceRange::Count(3)));
        }
        world.add_meeting(meeting);
        world.add_plain(PlainSpec::new(&address, now() + TimeDelta::hours(1), now() + TimeDelta::hours(2)));
    }
    world
}

fn events(sim: &Simulator) -> BTreeMap<EventName, EventState> {
    let (from, to) = (now() - TimeDelta::hours(2), now() + TimeDelta::days(20));
    let mut all = BTreeMap::new();
    for number in 0..ROOMS {
        let address = room(number).to_string();
        for event in sim.world(|world| world.events(&address, from, to)) {
            all.insert((address.clone(), event.uid.clone(), event.original_start), event);
        }
    }
    all
}

struct RandomHistory {
    sim: Simulator,
    directory: tempfile::TempDir,
    dice: SeededRandom,
    edited: Vec<String>,
    kills: usize,
}

impl RandomHistory {
    fn new_process(&self) -> Arc<Engine> {
        let journal = SqliteJournal::open(self.directory.path(), StoreOptions::default()).unwrap();
        let options = engine::EngineOptions {
            settle_delay: Duration::from_millis(20),
            delivery_window: TimeDelta::seconds(1),
            ..engine::EngineOptions::default()
        };
        let scope = Scope::new([], ["example.com".to_owned()]);
        let exchange = Exchange::new(&settings(&self.sim, None)).unwrap();
        Arc::new(Engine::new(Arc::new(exchange), Arc::new(journal), Arc::new(SystemClock), scope, options))
    }

    fn next_action(&mut self, known: &[EventState]) -> Action {
        let number = self.dice.below(ROOMS);
        let ask = match self.dice.below(5) {
            0 | 1 => ActionKind::End(Notify::Attendees),
            2 => ActionKind::Delete(DeleteMode::Notify),
            3 => ActionKind::Book { minutes: 15 },
            _ => ActionKind::Delete(DeleteMode::Silent),
        };
        let actor = Actor::program("door");
        let mut action = Action::new(ActionId::random(), room(number), ask, actor);
        if self.dice.below(3) == 0 {
            let event = &known[self.dice.below(known.len() as u64) as usize];
            action.target = Target::Event { id: EventId::new(&event.id), seen: None };
        }
        if self.dice.below(2) == 0 {
            action.key = Some(format!("key-{}", self.dice.below(5)).parse().unwrap());
        }
        action
    }

    fn inject_fault(&mut self) {
        let wrong = match self.dice.below(7) {
            0 => InjectedFault::ResetBefore,
            1 => InjectedFault::ResetAfter,
            2 => InjectedFault::Truncated(60),
            3 => InjectedFault::BusyFault(30),
            4 => InjectedFault::Slow(Duration::from_millis(60)),
            5 => InjectedFault::AppliedThenPage(503),
            _ => return,
        };
        let operation = ["UpdateItem", "CreateItem", "DeleteItem", "GetItem"][self.dice.below(4) as usize];
        self.sim.inject_fault(FaultRule::new(wrong).on(operation).times(2));
    }

    /// The organizer extends a meeting to a new end time.
    fn edit(&mut self) {
        let all: Vec<_> =
            events(&self.sim).into_values().filter(|event| event.original_start.is_none()).collect();
        if all.is_empty() || self.dice.below(2) == 0 {
            return;
        }
        let uid = all[self.dice.below(all.len() as u64) as usize].uid.clone();
        let later = TimeDelta::seconds(7 + 60 * self.dice.below(9) as i64);
        self.sim.world(|world| world.organizer_changes(&uid, None, |details| details.end += later));
        self.edited.push(uid);
    }

    async fn play(&mut self, answers: &mut Vec<Answer>) {
        let known: Vec<_> = events(&self.sim).into_values().collect();
        let phases = 1 + self.dice.below(3);
        for phase in 0..phases {
            let engine = self.new_process();
            engine.recover().await.unwrap();
            self.inject_fault();
            let mut callers = JoinSet::new();
            for _ in 0..2 + self.dice.below(4) {
                let (engine, action) = (engine.clone(), self.next_action(&known));
                let wait = Duration::from_millis(self.dice.below(60));
                callers.spawn(async move {
                    sleep(wait).await;
                    engine.perform(action, Mode::Perform).await.unwrap()
                });
            }
            self.edit();
            if phase + 1 < phases {
                sleep(Duration::from_millis(self.dice.below(150))).await;
                self.kills += 1;
                while let Some(finished) = callers.try_join_next() {
                    answers.push(finished.unwrap());
                }
                callers.shutdown().await;
            } else {
                while let Some(finished) = callers.join_next().await {
                    answers.push(finished.unwrap());
                }
            }
            drop(engine);
        }
        // The requests of a killed process arrive now or never.
        sleep(Duration::from_millis(150)).await;
        let last = self.new_process();
        for _ in 0..5 {
            if last.recover().await.unwrap().still_open.is_empty() {
                return;
            }
        }
    }

    async fn check(&self, at_first: &BTreeMap<EventName, EventState>, answers: &[Answer]) -> usize {
        let journal = SqliteJournal::read(self.directory.path()).unwrap();
        let lives = journal.find(&Query::default()).await.unwrap();
        let mut declines: BTreeMap<EventName, usize> = BTreeMap::new();
        for mail in self.sim.outbox().into_iter().filter(|mail| mail.kind == MailKind::Decline) {
            *declines.entry((mail.from, mail.uid.unwrap(), mail.occurrence)).or_default() += 1;
        }
        assert!(declines.values().all(|count| *count == 1), "declined twice: {declines:?}");
        let mut touched = self.edited.clone();
        for life in &lives {
            assert!(!life.is_open(), "{life:?}");
            let Some(intent) = &life.intent else { continue };
            let uid = intent.before.uid.as_ref().unwrap().to_string();
            touched.push(uid.clone());
            if life.done().is_some_and(|done| done.change == Change::Declined) {
                let name = (life.action.room.to_string(), uid, intent.before.original_start);
                assert!(declines.contains_key(&name), "reported as declined: {life:?}");
            }
        }
        for answer in answers.iter().filter(|answer| matches!(answer.outcome, Outcome::Done(_))) {
            let life = journal.action_record(answer.action).await.unwrap().unwrap();
            assert_eq!(life.outcome.as_ref(), Some(&answer.outcome), "acknowledged and lost");
        }
        let at_last = events(&self.sim);
        let mut bookings: BTreeMap<String, usize> = BTreeMap::new();
        for number in 0..ROOMS {
            let address = room(number).to_string();
            let (from, to) = (now() - TimeDelta::hours(2), now() + TimeDelta::hours(2));
            for event in self.sim.world(|world| world.events(&address, from, to)) {
                *bookings.entry(event.uid).or_default() += 1;
            }
        }
        bookings.retain(|uid, _| uid.starts_with("adjourn-"));
        assert!(bookings.values().all(|count| *count == 1), "booked twice: {bookings:?}");
        for (name, before) in at_first.iter().filter(|(_, event)| !touched.contains(&event.uid)) {
            let after = at_last.get(name).unwrap_or_else(|| panic!("{name:?} is gone"));
            assert_eq!((after.start, after.end), (before.start, before.end), "{name:?}");
        }
        lives.len()
    }
}

async fn run(seed: u64) -> (usize, usize) {
    let mut dice = SeededRandom::new(seed);
    let sim = Simulator::start(world(&mut dice), SimulatorOptions::default()).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let mut story = RandomHistory { sim, directory, dice, edited: Vec::new(), kills: 0 };
    let at_first = events(&story.sim);
    let mut answers = Vec::new();
    story.play(&mut answers).await;
    let actions = story.check(&at_first, &answers).await;
    let kills = story.kills;
    story.sim.stop().await;
    (actions, kills)
}

#[test]
fn random_histories_over_the_wire_keep_their_promises() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let seeds = match (number("ADJOURN_SIM_SEED"), number("ADJOURN_SIM_SEEDS")) {
        (Some(seed), _) => seed..seed + 1,
        (None, count) => 0..count.unwrap_or(SEEDS_DEFAULT),
    };
    let (mut actions, mut kills, count) = (0, 0, seeds.end - seeds.start);
    for seed in seeds {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| runtime.block_on(run(seed))));
        match told {
            Ok(told) => (actions, kills) = (actions + told.0, kills + told.1),
            Err(panic) => {
                eprintln!("seed {seed} failed: ADJOURN_SIM_SEED={seed} cargo test --test sim histories");
                std::panic::resume_unwind(panic);
            }
        }
    }
    println!("{count} histories over HTTP: {actions} actions, {kills} kills");
}
