//! A wall clock that jumps under a running service, and a machine that sleeps: nothing irreversible follows from the wall clock alone.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use adjourn::action::{Action, ActionKind, IdempotencyKey, Notify};
use adjourn::calendar::{RoomAddress, Scope};
use adjourn::cleanup::{CleanupMode, NoCheckIn, Rules};
use adjourn::clock::{Clock, ClockDoubt, ClockReading, Witnesses};
use adjourn::engine::{Engine, EngineOptions, Mode};
use adjourn::journal::{Journal, MemoryJournal, Query};
use adjourn::presence::Sign;
use adjourn::service::{self, ReleaseState, Service};
use adjourn::store::ServiceStore;
use adjourn_test::{at, engine, room, service_options};
use chrono::{DateTime, TimeDelta, Utc};

use crate::fake::{FakeCalendar, NextWrite, meeting, request};

/// Both clocks of a machine, and who speaks for the one on the wall.
#[derive(Clone)]
struct Machine(Arc<Mutex<(ClockReading, Witnesses)>>);

impl Machine {
    fn at(wall: DateTime<Utc>) -> Self {
        let reading = ClockReading { wall, monotonic: Duration::from_secs(1_000) };
        Self(Arc::new(Mutex::new((reading, Witnesses::default()))))
    }

    /// Time passes.
    fn pass(&self, time: TimeDelta) {
        let mut machine = self.0.lock().unwrap();
        machine.0.wall += time;
        machine.0.monotonic += time.to_std().unwrap();
    }

    /// The wall clock is set, or the machine sleeps.
    fn jump(&self, by: TimeDelta) {
        self.0.lock().unwrap().0.wall += by;
    }

    fn hear(&self, said: DateTime<Utc>) {
        let mut machine = self.0.lock().unwrap();
        let reading = machine.0;
        machine.1.record_answer("exchange", Some(said), reading);
    }
}

impl Clock for Machine {
    fn now(&self) -> DateTime<Utc> {
        let mut machine = self.0.lock().unwrap();
        let reading = machine.0;
        machine.1.record_reading(reading);
        reading.wall
    }

    fn doubt(&self) -> Option<ClockDoubt> {
        let mut machine = self.0.lock().unwrap();
        let reading = machine.0;
        machine.1.doubt(reading)
    }

    fn running_since(&self) -> Option<DateTime<Utc>> {
        self.0.lock().unwrap().1.running_since()
    }
}

struct House {
    calendar: FakeCalendar,
    journal: Arc<MemoryJournal>,
    clock: Machine,
    desk: ServiceStore,
    engine: Arc<Engine>,
    service: Arc<Service>,
    releases: ReleaseState,
}

fn rooms() -> [RoomAddress; 1] {
    [room("r1")]
}

impl House {
    /// A meeting from nine to ten in a watched room; Exchange says the right time.
    async fn at(hour: u32, minute: u32) -> Self {
        let (calendar, journal) = (FakeCalendar::default(), Arc::new(MemoryJournal::default()));
        calendar.add(&room("r1"), meeting("a"));
        let clock = Machine::at(at(hour, minute));
        clock.hear(at(hour, minute));
        let engine = engine(
            Arc::new(calendar.clone()),
            journal.clone(),
            Arc::new(clock.clone()),
            Scope::new(rooms(), []),
            EngineOptions::default(),
        );
        let rule = NoCheckIn { grace: TimeDelta::minutes(10), ..NoCheckIn::default() };
        let mut rules = Rules { no_check_in: Some(rule), mode: Some(CleanupMode::Act), ..Rules::default() };
        rules.limits.max_fraction = 1.0;
        let options = service::ServiceOptions {
            max_state_age: TimeDelta::zero(),
            horizon: TimeDelta::hours(4),
            ..service_options(rules)
        };
        let desk = ServiceStore::in_memory().unwrap();
        let service =
            Service::open(engine.clone(), Arc::new(calendar.clone()), desk.clone(), options).await.unwrap();
        let releases = ReleaseState::default();
        let mut house = Self { calendar, journal, clock, desk, engine, service, releases };
        house.look().await;
        house
    }

    async fn look(&mut self) {
        self.service.heartbeat("motion", "key", rooms().into_iter());
        self.service.run_background_once(&mut self.releases).await;
    }

    /// Lets the minutes pass, with a release check in each; `says` is the time that Exchange returns, if it responds.
    async fn pass(&mut self, minutes: u32, mut says: Option<DateTime<Utc>>) {
        for _ in 0..minutes {
            self.clock.pass(TimeDelta::minutes(1));
            if let Some(said) = &mut says {
                *said += TimeDelta::minutes(1);
                self.clock.hear(*said);
            }
            self.look().await;
        }
    }

    fn is_meeting_kept(&self) -> bool {
        self.calendar.get(&room("r1"), "a").is_some()
    }

    async fn last_run(&self) -> Option<DateTime<Utc>> {
        self.desk.last_run("hourly".to_owned()).await.unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_jumps_under_a_running_service_deletes_judges_and_skips_nothing() {
    for jump in [TimeDelta::days(400), -TimeDelta::days(400), TimeDelta::minutes(30)] {
        for exchange_is_heard in [true, false] {
            let mut house = House::at(8, 50).await;
            house.pass(14, Some(at(8, 50))).await;
            assert!(house.is_meeting_kept(), "grace runs until 9:10");
            let sign = Sign::new(room("r2"), at(9, 4), "motion".to_owned());
            house.service.add_signs(vec![sign]).await.unwrap();
            let ran = house.last_run().await.unwrap();

            house.clock.jump(jump);
            house.pass(4, exchange_is_heard.then(|| at(9, 4))).await;
            assert!(house.service.clock_doubt().is_some(), "{jump}");
            // What arrives now does not outdate what arrived before either.
            let sign = Sign::new(room("r2"), at(9, 8), "motion".to_owned());
            house.service.add_signs(vec![sign]).await.unwrap();
            assert!(house.is_meeting_kept(), "{jump}: nothing is judged");
            assert_eq!(house.last_run().await, Some(ran), "{jump}: no schedule ran");
            assert_eq!(house.desk.count_signs().await.unwrap().0, 2, "{jump}");
            assert_eq!(house.service.presence.read().signs.all().count(), 2, "{jump}");
            let up = house.desk.uptimes().await.unwrap();
            assert!(up.iter().all(|up| at(8, 49) < up.from && up.to < at(9, 9)), "{jump}: {up:?}");

            house.clock.jump(-jump);
            house.pass(3, Some(at(9, 8))).await;
            assert_eq!(house.service.clock_doubt(), None);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn where_the_clock_is_right_the_meeting_goes_and_the_schedule_runs() {
    let mut house = House::at(8, 50).await;
    house.pass(25, Some(at(8, 50))).await;
    assert!(!house.is_meeting_kept(), "no check-in within ten minutes");
    assert_eq!(house.last_run().await, Some(at(9, 0)));
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_slept_over_the_grace_releases_nothing_that_nobody_could_check_in_to() {
    let mut house = House::at(8, 50).await;
    house.pass(5, Some(at(8, 50))).await;
    house.clock.jump(TimeDelta::minutes(20));
    house.pass(4, Some(at(9, 15))).await;
    assert_eq!(house.service.clock_doubt(), None, "Exchange confirms the time");
    assert!(house.is_meeting_kept(), "from 8:55 to 9:15 no sign could arrive");
}

#[tokio::test(start_paused = true)]
async fn a_schedule_that_is_recorded_in_the_future_counts_from_now() {
    let mut house = House::at(8, 50).await;
    house.desk.record_run("hourly".to_owned(), at(9, 0) + TimeDelta::days(400)).await.unwrap();
    house.pass(20, Some(at(8, 50))).await;
    assert_eq!(house.last_run().await, Some(at(9, 0)));
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_jumps_makes_no_repeated_press_a_new_one_and_gives_no_open_action_up() {
    let house = House::at(9, 20).await;
    let key = Some("press-1".parse::<IdempotencyKey>().unwrap());
    let press = || Action { key: key.clone(), ..request(ActionKind::End(Notify::Nobody)) };
    let first = house.engine.perform(press(), Mode::Perform).await.unwrap();
    assert!(!first.repeated);
    house.clock.jump(TimeDelta::days(400));
    let again = house.engine.perform(press(), Mode::Perform).await.unwrap();
    assert!(again.repeated && again.action == first.action);

    let house = House::at(9, 20).await;
    house.calendar.next(NextWrite::LostThenBlind { landed: true });
    house.engine.perform(press(), Mode::Perform).await.unwrap();
    house.clock.jump(TimeDelta::days(400));
    house.engine.recover().await.unwrap();
    let records = house.journal.find(&Query::default()).await.unwrap();
    assert!(records[0].is_open(), "an hour has not passed: {:?}", records[0]);
}
