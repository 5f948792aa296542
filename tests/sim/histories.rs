//! Random histories of the whole product (engine, client and codec over HTTP) against the simulator: concurrent callers,
//! lost replies, throttling, an organizer who edits, killed processes. (`tests/engine/history.rs` runs many more,
//! without HTTP.)
//!
//! The seed decides the events; the exact moment of a kill depends on the machine. `ADJOURN_SIM_SEEDS=N` runs N seeds,
//! `ADJOURN_SIM_SEED=N` only this one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use adjourn::action::{Action, ActionKind, Answer, Change, DeleteMode, Notify, Outcome, RequestedMinutes};
use adjourn::clock::SystemClock;
use adjourn::engine::{Engine, EngineOptions, Mode};
use adjourn::journal::{Journal, Query};
use adjourn::sim::{
    EventState, FaultRule, InjectedFault, MailKind, PlainSpec, RecurrenceRange, Series, Simulator, World,
};
use adjourn::store::SqliteJournal;
use adjourn_test::{
    SeededRandom, Seeds, action, engine, every_room, exchange, journal_in, meeting_in, named, now,
    numbered_room, quick_options, room_name, settings, simulator, world_of_rooms,
};
use chrono::{DateTime, TimeDelta, Utc};
use tokio::task::JoinSet;
use tokio::time::sleep;

const SEEDS_DEFAULT: u64 = 8;
const ROOMS: u64 = 3;

type EventName = (String, String, Option<DateTime<Utc>>);

/// In each room a current meeting, single or of a series, and an appointment later.
fn random_world(dice: &mut SeededRandom) -> World {
    world_of_rooms(usize::try_from(ROOMS).unwrap(), |world, _, room| {
        let mut meeting = meeting_in(room);
        if dice.below(2) == 0 {
            meeting.series = Some(Series::weekly_on(meeting.start, RecurrenceRange::Count(3)));
        }
        world.add_meeting(meeting);
        world.add_plain(PlainSpec::new(room, now() + TimeDelta::hours(1), now() + TimeDelta::hours(2)));
    })
}

fn events(sim: &Simulator) -> BTreeMap<EventName, EventState> {
    let (from, to) = (now() - TimeDelta::hours(2), now() + TimeDelta::days(20));
    let mut all = BTreeMap::new();
    for number in 0..ROOMS {
        let address = room_name(number);
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
        let exchange = Arc::new(exchange(&settings(&self.sim, None)));
        let journal = Arc::new(journal_in(self.directory.path()));
        let options = EngineOptions { delivery_window: TimeDelta::seconds(1), ..quick_options() };
        engine(exchange, journal, Arc::new(SystemClock), every_room(), options)
    }

    fn next_action(&mut self, known: &[EventState]) -> Action {
        let number = self.dice.below(ROOMS);
        let ask = match self.dice.below(5) {
            0 | 1 => ActionKind::End(Notify::Attendees),
            2 => ActionKind::Delete(DeleteMode::Notify),
            3 => ActionKind::Book { minutes: RequestedMinutes::new(15).unwrap() },
            _ => ActionKind::Delete(DeleteMode::Silent),
        };
        let mut action = action(numbered_room(number), ask);
        if self.dice.below(3) == 0 {
            let event = &known[self.dice.below(known.len() as u64) as usize];
            action.target = named(&event.id);
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
            let address = room_name(number);
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
    let sim = simulator(random_world(&mut dice)).await;
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
    let seeds = Seeds::from_environment("ADJOURN_SIM", SEEDS_DEFAULT);
    let (mut actions, mut kills, count) = (0, 0, seeds.count());
    seeds.play("--test sim histories", |seed| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let told = runtime.block_on(run(seed));
        (actions, kills) = (actions + told.0, kills + told.1);
    });
    println!("{count} histories over HTTP: {actions} actions, {kills} kills");
}
