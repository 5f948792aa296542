//! Random histories of the whole product (engine, client and codec over HTTP) against the simulator: concurrent callers,
//! lost replies, throttling, an organizer who edits, killed processes. (`tests/engine/history.rs` runs many more,
//! without HTTP.) The rooms are on EWS, on Microsoft Graph, or move from the one to the other at a restart.
//!
//! The seed decides the events; the exact moment of a kill depends on the machine. `ADJOURN_SIM_SEEDS=N` runs N seeds
//! from `ADJOURN_SIM_FIRST` on, `ADJOURN_SIM_SEED=N` only this one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use adjourn::action::{
    Action, ActionKind, Answer, Change, DeleteMode, NoChangeReason, Notify, Outcome, Refusal,
    RequestedMinutes, Step,
};
use adjourn::calendar::{Event, RoomAddress};
use adjourn::clock::SystemClock;
use adjourn::engine::{Engine, EngineOptions, Mode};
use adjourn::graph::GraphRights;
use adjourn::journal::{ActionRecord, Journal, Query};
use adjourn::router::ConnectionRouter;
use adjourn::sim::{
    EventState, FaultRule, GraphOptions, InjectedFault, MailKind, MeetingSpec, Person, PlainSpec,
    RecurrenceRange, Series, Simulator, SimulatorOptions, World,
};
use adjourn::store::SqliteJournal;
use adjourn_test::{
    SeededRandom, Seeds, action, bo, engine, every_room, exchange, graph_with_rights, journal_in, meeting_in,
    named, now, numbered_room, quick_options, room_name, settings, simulator_with, world_of_rooms,
};
use chrono::{DateTime, TimeDelta, Utc};
use tokio::task::JoinSet;
use tokio::time::sleep;

const SEEDS_DEFAULT: u64 = 8;
const ROOMS: u64 = 3;

/// Where the rooms are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Backend {
    Ews,
    Graph,
    /// On EWS at first, on Graph from the second process on, or only when the last process settles the open actions.
    Move,
}

type EventName = (String, String, Option<DateTime<Utc>>);

/// In each room a current meeting, single or of a series, and an appointment later.
fn random_world(dice: &mut SeededRandom, backend: Backend) -> World {
    world_of_rooms(usize::try_from(ROOMS).unwrap(), |world, number, room| {
        let mut meeting = meeting_in(room);
        if dice.below(2) == 0 {
            meeting.series = Some(Series::weekly_on(meeting.start, RecurrenceRange::Count(3)));
        }
        world.add_meeting(meeting);
        let (start, end) = (now() + TimeDelta::hours(1), now() + TimeDelta::hours(2));
        match backend != Backend::Ews && number == 0 {
            // The room's own meeting, whose attendees are notified of every change over Graph.
            true => drop(world.add_meeting(MeetingSpec {
                attendees: vec![bo()],
                ..MeetingSpec::new(Person::new("Room 0", room), start, end)
            })),
            false => drop(world.add_plain(PlainSpec::new(room, start, end))),
        }
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
    seed: u64,
    backend: Backend,
    /// Whether the rooms are on Graph now.
    on_graph: bool,
    sim: Simulator,
    directory: tempfile::TempDir,
    dice: SeededRandom,
    edited: Vec<String>,
    kills: usize,
}

impl RandomHistory {
    fn new_process(&self) -> Arc<Engine> {
        let mut router = ConnectionRouter::default();
        match self.on_graph {
            true => router.set_fallback(graph_with_rights(&self.sim, self.directory.path(), self.rights())),
            false => router.set_fallback(exchange(&settings(&self.sim, None))),
        }
        let journal = Arc::new(journal_in(self.directory.path()));
        let options = EngineOptions { delivery_window: TimeDelta::seconds(1), ..quick_options() };
        engine(Arc::new(router), journal, Arc::new(SystemClock), every_room(), options)
    }

    /// Half of the histories may read the folders of the traces.
    fn rights(&self) -> GraphRights {
        let may_read = self.seed % 2 == 1;
        GraphRights { read_mail: may_read, read_mailbox_items: may_read, ..GraphRights::default() }
    }

    fn next_action(&mut self, known: &[EventState]) -> Action {
        let number = self.dice.below(ROOMS);
        let ask = match self.dice.below(5) {
            0 | 1 => ActionKind::End(Notify::Attendees),
            2 => ActionKind::Delete(DeleteMode::Notify),
            3 => ActionKind::book(RequestedMinutes::new(15).unwrap()),
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
        if self.on_graph {
            return self.inject_graph_fault();
        }
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

    fn inject_graph_fault(&mut self) {
        let wrong = match self.dice.below(10) {
            0 => InjectedFault::ResetBefore,
            1 => InjectedFault::ResetAfter,
            2 => InjectedFault::Truncated(60),
            3 => InjectedFault::TooManyConnections,
            4 => InjectedFault::Slow(Duration::from_millis(60)),
            5 => InjectedFault::AppliedThenPage(503),
            6 => InjectedFault::BusyPage(None),
            7 => InjectedFault::BusyPage(Some(1)),
            // Exchange Online reports a conflict although the event did not change.
            8 => InjectedFault::GraphError(412, "ErrorIrresolvableConflict"),
            _ => return,
        };
        let operations =
            ["UpdateEvent", "CreateEvent", "DeleteEvent", "DeclineEvent", "GetEvent", "CalendarView"];
        let operation = operations[self.dice.below(6) as usize];
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
            self.on_graph |= self.backend == Backend::Move && phase > 0;
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
        self.on_graph |= self.backend == Backend::Move;
        let last = self.new_process();
        for _ in 0..5 {
            if last.recover().await.unwrap().still_open.is_empty() {
                break;
            }
        }
    }

    /// Undoes everything that can be undone. What is reported is what the mailbox then shows.
    async fn undo_all(&self) {
        let engine = self.new_process();
        for record in engine.journal().find(&Query::default()).await.unwrap() {
            let (Some(done), Some(intent)) = (record.done(), &record.intent) else { continue };
            let undo = action(record.action.room.clone(), ActionKind::Undo { of: record.action.id });
            let outcome = engine.perform(undo, Mode::Perform).await.unwrap().outcome;
            let now = self.find(&record.action.room, &intent.before, done.change == Change::Booked);
            let described = || format!("{outcome:?} of {record:?}: {now:?}");
            match &outcome {
                Outcome::Done(undone) => match undone.change {
                    Change::EndRestored { to, .. } => {
                        assert_eq!(now.as_ref().map(|event| event.end), Some(to), "{}", described());
                    }
                    Change::Removed => assert!(now.is_none(), "{}", described()),
                    Change::MovedBack => assert!(now.is_some() && !self.on_graph, "{}", described()),
                    Change::Booked => {
                        let booked = self.find(&record.action.room, &intent.before, true);
                        assert!(booked.is_some() && self.on_graph, "{}", described());
                    }
                    _ => panic!("{}", described()),
                },
                Outcome::AlreadyDone { why: NoChangeReason::Gone } => {
                    assert!(now.is_none(), "{}", described())
                }
                Outcome::AlreadyDone { .. } => {}
                Outcome::Refused { refusal: Refusal::ChangedMeanwhile { is: None, .. } } => {
                    assert!(now.is_none(), "{}", described());
                }
                Outcome::Refused { refusal } => {
                    assert!(!matches!(refusal, Refusal::Exchange { .. }), "{}", described());
                }
                Outcome::NeedsAttention { .. } => panic!("{}", described()),
            }
        }
    }

    /// The event of an action as the mailbox has it now. A booking has a UID of Graph's own there, so it is found by its id, or by
    /// its times.
    fn find(&self, room: &RoomAddress, before: &Event, is_booking: bool) -> Option<EventState> {
        let uid = before.uid.as_ref().unwrap().to_string();
        let (from, to) = (now() - TimeDelta::hours(2), now() + TimeDelta::days(20));
        let all = self.sim.world(|world| world.events(room.as_str(), from, to));
        all.into_iter().find(|event| match is_booking {
            true => is_booked(event) && event.start == before.start && event.end == before.end,
            false => {
                let has_id = [&event.id, &event.immutable_id].contains(&&before.id.to_string());
                has_id || event.uid == uid && event.original_start == before.original_start
            }
        })
    }

    /// An end that is reported is the end in the mailbox, where nothing else changed the event.
    fn check_ends(&self, lives: &[ActionRecord]) {
        for life in lives {
            let (Some(intent), Some(done)) = (&life.intent, life.done()) else { continue };
            let uid = intent.before.uid.as_ref().unwrap();
            let about = |other: &&ActionRecord| {
                other.intent.as_ref().is_some_and(|intent| intent.before.uid.as_ref() == Some(uid))
            };
            let is_alone = lives.iter().filter(about).count() == 1;
            if let Change::Ended { to, .. } = done.change
                && is_alone
                && !self.edited.contains(&uid.to_string())
            {
                let now = self.find(&life.action.room, &intent.before, false);
                assert_eq!(now.map(|event| event.end), Some(to), "reported as ended: {life:?}");
            }
        }
    }

    /// Every cancellation that a room sent was requested as one.
    fn check_notifications(&self, lives: &[ActionRecord]) {
        let wanted = |uid: &str| {
            lives.iter().filter_map(|life| life.intent.as_ref()).any(|intent| {
                matches!(intent.step, Step::Cancel { .. })
                    && intent.before.uid.as_ref().is_some_and(|own| own.as_str() == uid)
            })
        };
        for mail in self.sim.outbox().into_iter().filter(|mail| mail.kind == MailKind::Cancellation) {
            assert!(wanted(mail.uid.as_ref().unwrap()), "nobody wanted this: {mail:?}");
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
        self.check_ends(&lives);
        self.check_notifications(&lives);
        for answer in answers.iter().filter(|answer| matches!(answer.outcome, Outcome::Done(_))) {
            let life = journal.action_record(answer.action).await.unwrap().unwrap();
            assert_eq!(life.outcome.as_ref(), Some(&answer.outcome), "acknowledged and lost");
        }
        let at_last = events(&self.sim);
        for number in 0..ROOMS {
            let address = room_name(number);
            let (from, to) = (now() - TimeDelta::hours(2), now() + TimeDelta::hours(2));
            let all = self.sim.world(|world| world.events(&address, from, to));
            let mut booked: Vec<_> = all.iter().filter(|event| is_booked(event)).collect();
            booked.sort_by_key(|event| event.start);
            // One room's bookings never overlap, so two that do are one booking that was made twice.
            let twice = booked.windows(2).find(|two| two[1].start < two[0].end);
            assert!(twice.is_none(), "booked twice: {twice:?}");
        }
        for (name, before) in at_first.iter().filter(|(_, event)| !touched.contains(&event.uid)) {
            let after = at_last.get(name).unwrap_or_else(|| panic!("{name:?} is gone"));
            assert_eq!((after.start, after.end), (before.start, before.end), "{name:?}");
        }
        lives.len()
    }
}

/// Whether Adjourn made the event.
fn is_booked(event: &EventState) -> bool {
    event.subject == EngineOptions::default().booking_subject.as_str()
}

async fn run(seed: u64, backend: Backend) -> (usize, usize) {
    let mut dice = SeededRandom::new(seed);
    let keeps_sent_copies = seed % 4 < 2;
    let graph = GraphOptions { keeps_sent_copies, ..GraphOptions::with_all_permissions() };
    let options = SimulatorOptions { graph, ..SimulatorOptions::default() };
    let sim = simulator_with(random_world(&mut dice, backend), options).await;
    let directory = tempfile::tempdir().unwrap();
    let on_graph = backend == Backend::Graph;
    let (edited, kills) = (Vec::new(), 0);
    let mut story = RandomHistory { seed, backend, on_graph, sim, directory, dice, edited, kills };
    let at_first = events(&story.sim);
    let mut answers = Vec::new();
    story.play(&mut answers).await;
    let actions = story.check(&at_first, &answers).await;
    story.sim.clear_faults();
    story.undo_all().await;
    let kills = story.kills;
    story.sim.stop().await;
    (actions, kills)
}

fn play(backend: Backend, test: &str) {
    let seeds = Seeds::from_environment("ADJOURN_SIM", SEEDS_DEFAULT);
    let (mut actions, mut kills, count) = (0, 0, seeds.count());
    seeds.play(&format!("--test sim {test}"), |seed| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let told = runtime.block_on(run(seed, backend));
        (actions, kills) = (actions + told.0, kills + told.1);
    });
    println!("{test}: {count} histories over HTTP: {actions} actions, {kills} kills");
}

#[test]
fn random_histories_over_the_wire_keep_their_promises() {
    play(Backend::Ews, "random_histories_over_the_wire");
}

#[test]
fn random_histories_over_graph_keep_their_promises() {
    play(Backend::Graph, "random_histories_over_graph");
}

#[test]
fn random_histories_of_rooms_that_move_to_graph_keep_their_promises() {
    play(Backend::Move, "random_histories_of_rooms_that_move");
}
