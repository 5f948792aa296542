//! Random histories from a seed: several callers, lost and refused requests, people who edit, processes that are killed
//! anywhere. At the end of each: nothing acknowledged is lost, nothing was done twice, no unrelated event was changed,
//! every action is closed.
//!
//! The rooms are on EWS, on Microsoft Graph, or move from the one to the other while no process runs (`backends.rs`).
//!
//! Time is tokio's paused clock, so a history of an hour takes a millisecond and always goes the same way.
//! `ADJOURN_SEEDS=N` runs so many seeds from `ADJOURN_FIRST` on, without it from a random one on; `ADJOURN_SEED=N` runs one, with
//! `ADJOURN_BACKEND` on this backend. A seed that failed goes into `fixtures/seeds.txt` and is run for ever.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use adjourn::action::{
    Action, ActionId, ActionKind, Actor, Answer, Change, DeleteMode, EventSnapshot, NoChangeReason, Notify,
    Outcome, Refusal, RequestedMinutes, Step, Target,
};
use adjourn::before_send::BeforeSend;
use adjourn::calendar::{Copy, Event, EventId, EventKind, RoomAddress, Series, Window};
use adjourn::clock::Clock;
use adjourn::engine::{
    AddressLookup, CalendarError, CalendarReader, CalendarView, CalendarWriter, Capabilities, DeletedLookup,
    Directory, Engine, EngineOptions, Mode, Occupancy, PersonLookup, TraceLookup, WriteReport,
};
use adjourn::journal::{ActionRecord, Chain, Fact, Intent, Journal, JournalEntry, MemoryJournal};
use adjourn_test::{at, engine, every_room, room};
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::Rng as _;
use proptest::test_runner::{RngAlgorithm, TestRng};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::backends::{Backend, ListedSeed, listed_seeds};
use crate::fake::{FakeCalendar, NextWrite, first_id, meeting, network_error, new_id};

/// Enough to find likely failures, few enough for every run of the tests.
const SEEDS_DEFAULT: u64 = 400;

pub struct Dice(TestRng);

impl Dice {
    pub fn new(seed: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        Self(TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.0.next_u64() % end
    }

    pub fn action_id(&mut self) -> ActionId {
        ActionId(uuid::Uuid::from_u128(u128::from(self.0.next_u64())))
    }

    pub fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }

    pub fn one<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize].clone()
    }
}

type Shared = Arc<Mutex<Dice>>;

fn roll<T>(dice: &Shared, with: impl FnOnce(&mut Dice) -> T) -> T {
    with(&mut dice.lock().unwrap())
}

/// The wall clock, as tokio's.
struct Wall {
    start: Instant,
}

impl Clock for Wall {
    fn now(&self) -> DateTime<Utc> {
        at(9, 20) + TimeDelta::from_std(self.start.elapsed()).unwrap()
    }

    fn since_boot(&self) -> Duration {
        self.start.elapsed()
    }
}

/// A way to the calendar that takes its time and loses things.
struct Way {
    calendar: FakeCalendar,
    dice: Shared,
    calm: Arc<std::sync::atomic::AtomicBool>,
}

impl Way {
    async fn delay(&self) {
        let millis = roll(&self.dice, |dice| dice.below(300));
        sleep(Duration::from_millis(millis)).await;
    }

    fn is_calm(&self) -> bool {
        self.calm.load(std::sync::atomic::Ordering::SeqCst)
    }

    /// The request gets there in its own time, whatever becomes of the process that sent it.
    fn arrive_late(&self, room: RoomAddress, step: Step) {
        let (calendar, millis) = (self.calendar.clone(), roll(&self.dice, |dice| dice.below(9_000)));
        let server = self.calendar.capabilities(&room);
        tokio::spawn(async move {
            sleep(Duration::from_millis(millis)).await;
            calendar.0.lock().unwrap().arrive(&room, &step, server);
        });
    }

    async fn read<T>(
        &self,
        read: impl Future<Output = Result<T, CalendarError>>,
    ) -> Result<T, CalendarError> {
        self.delay().await;
        if !self.is_calm() && roll(&self.dice, |dice| dice.percent(4)) {
            return Err(network_error());
        }
        let got = read.await;
        self.delay().await;
        got
    }
}

#[async_trait]
impl CalendarReader for Way {
    async fn events(&self, room: &RoomAddress, window: Window) -> Result<CalendarView, CalendarError> {
        self.read(self.calendar.events(room, window)).await
    }

    async fn event(&self, room: &RoomAddress, id: &EventId) -> Result<Option<Event>, CalendarError> {
        self.read(self.calendar.event(room, id)).await
    }

    async fn series(&self, room: &RoomAddress, date: &EventId) -> Result<Option<Series>, CalendarError> {
        self.read(self.calendar.series(room, date)).await
    }

    async fn series_by_id(
        &self,
        room: &RoomAddress,
        series: &EventId,
    ) -> Result<Option<Series>, CalendarError> {
        self.read(self.calendar.series_by_id(room, series)).await
    }

    async fn find_deleted(
        &self,
        room: &RoomAddress,
        seen: &EventSnapshot,
    ) -> Result<DeletedLookup, CalendarError> {
        self.read(self.calendar.find_deleted(room, seen)).await
    }

    async fn find_sent_message(
        &self,
        room: &RoomAddress,
        step: &Step,
        about: &Event,
        since: DateTime<Utc>,
    ) -> Result<TraceLookup, CalendarError> {
        self.read(self.calendar.find_sent_message(room, step, about, since)).await
    }

    async fn occupancy(
        &self,
        rooms: &[RoomAddress],
        window: Window,
    ) -> Result<Vec<Occupancy>, CalendarError> {
        self.calendar.occupancy(rooms, window).await
    }
}

#[async_trait]
impl CalendarWriter for Way {
    fn capabilities(&self, room: &RoomAddress) -> Capabilities {
        self.calendar.capabilities(room)
    }

    async fn write(&self, room: &RoomAddress, step: &Step, before: &dyn BeforeSend) -> WriteReport {
        self.delay().await;
        let fate = if self.is_calm() { 99 } else { roll(&self.dice, |dice| dice.below(100)) };
        let next = match fate {
            0..10 => Some(NextWrite::LostBefore),
            10..20 => Some(NextWrite::LostAfter),
            20..25 => Some(NextWrite::Refuse),
            25..33 => {
                self.arrive_late(room.clone(), step.clone());
                Some(NextWrite::LostBefore)
            }
            // The process is stopped, or the way to the server is slow.
            33..37 => {
                let seconds = roll(&self.dice, |dice| dice.below(60));
                sleep(Duration::from_secs(seconds)).await;
                None
            }
            _ => None,
        };
        if let Some(next) = next {
            self.calendar.0.lock().unwrap().next.push_front(next);
        }
        // Nothing comes between the fate and the write: the calendar's own future never waits.
        let reply = self.calendar.write(room, step, before).await;
        self.delay().await;
        reply
    }
}

#[async_trait]
impl Directory for Way {
    async fn find_person(&self, room: &RoomAddress, address: &str) -> Result<PersonLookup, CalendarError> {
        self.calendar.find_person(room, address).await
    }

    async fn resolve_organizer(
        &self,
        room: &RoomAddress,
        event: &Event,
    ) -> Result<Option<String>, CalendarError> {
        self.calendar.resolve_organizer(room, event).await
    }

    async fn resolve_address(
        &self,
        room: &RoomAddress,
        address: &str,
    ) -> Result<AddressLookup, CalendarError> {
        self.calendar.resolve_address(room, address).await
    }

    async fn room_list_members(
        &self,
        list: &str,
        asking: &RoomAddress,
    ) -> Result<Vec<RoomAddress>, CalendarError> {
        self.calendar.room_list_members(list, asking).await
    }
}

struct Story {
    calendar: FakeCalendar,
    journal: Arc<MemoryJournal>,
    dice: Shared,
    calm: Arc<std::sync::atomic::AtomicBool>,
    start: Instant,
    seed: u64,
    backend: Backend,
    /// Whether what cannot be read is given up soon, and settled later.
    gives_up: bool,
    names: Vec<(RoomAddress, EventId)>,
    /// What was answered, with the wish.
    answers: Arc<Mutex<Vec<(Action, Answer)>>>,
    /// Events that people touched.
    edited: Arc<Mutex<Vec<EventId>>>,
    /// Removed events that calendar repair restored.
    repaired: Arc<Mutex<Vec<EventId>>>,
    at_first: BTreeMap<(RoomAddress, EventId), Event>,
}

/// What a history was made of, for the report.
#[derive(Default)]
struct Tally {
    histories: u64,
    wishes: u64,
    kills: u64,
    edits: u64,
    done: u64,
    need_attention: u64,
    settled: usize,
}

impl Story {
    fn begin(seed: u64, backend: Backend) -> Self {
        let mut dice = Dice::new(seed);
        let calendar = FakeCalendar::default();
        let mut names = Vec::new();
        for r in 0..1 + dice.below(3) {
            let room = room(&format!("r{r}"));
            for e in 0..1 + dice.below(3) {
                let id = format!("r{r}e{e}");
                let start = at(9, 0) + TimeDelta::minutes(40 * e as i64);
                let event = Event {
                    start,
                    end: start + TimeDelta::minutes(20 + dice.below(60) as i64),
                    copy: Some(dice.one(&[Copy::Attendee, Copy::Organizer, Copy::Plain])),
                    kind: dice.one(&[EventKind::Single, EventKind::Single, EventKind::Occurrence]),
                    is_cancelled: dice.percent(10),
                    ..meeting(&id)
                };
                calendar.add(&room, event);
                names.push((room.clone(), EventId::new(id)));
            }
        }
        let at_first = calendar.0.lock().unwrap().events.clone();
        backend.begin(&calendar, seed);
        Self {
            seed,
            backend,
            calendar,
            journal: Arc::default(),
            dice: Arc::new(Mutex::new(dice)),
            calm: Arc::default(),
            start: Instant::now(),
            gives_up: seed.is_multiple_of(3),
            names,
            answers: Arc::default(),
            edited: Arc::default(),
            repaired: Arc::default(),
            at_first,
        }
    }

    fn process(&self) -> Arc<Engine> {
        let way = Way { calendar: self.calendar.clone(), dice: self.dice.clone(), calm: self.calm.clone() };
        let clock = Wall { start: self.start };
        let give_up_after =
            if self.gives_up { TimeDelta::seconds(3) } else { EngineOptions::default().give_up_after };
        let options = EngineOptions { give_up_after, ..EngineOptions::default() };
        engine(Arc::new(way), self.journal.clone(), Arc::new(clock), every_room(), options)
    }

    fn random_request(&self) -> Action {
        let done: Vec<ActionId> = {
            let facts = self.journal.facts();
            let closed = facts.iter().filter(|(_, fact)| {
                matches!(fact, Fact::Closed { outcome, .. } if matches!(**outcome, Outcome::Done(_)))
            });
            closed.map(|(id, _)| *id).collect()
        };
        let has_moved = self.calendar.0.lock().unwrap().moved.is_some();
        roll(&self.dice, |dice| {
            let (room, mut id) = dice.one(&self.names);
            if has_moved && dice.percent(50) {
                id = new_id(&id);
            }
            let ask = match dice.below(11) {
                0..4 => ActionKind::End(Notify::Attendees),
                4..6 => ActionKind::Delete(DeleteMode::Notify),
                6..7 => ActionKind::Delete(DeleteMode::Silent),
                7..8 => ActionKind::extend(RequestedMinutes::new(15).unwrap()),
                8..9 => ActionKind::book(RequestedMinutes::new(20).unwrap()),
                _ if done.is_empty() => ActionKind::End(Notify::Nobody),
                _ => ActionKind::Undo { of: dice.one(&done) },
            };
            let name = dice.action_id();
            let actor = match dice.below(8) {
                0 => Actor::Sweep { rule: "no-check-in".to_owned(), proof: None },
                _ => Actor::program("door"),
            };
            let mut action = Action::new(name, room, ask, actor);
            if dice.percent(60) {
                action.target = Target::Event { id, seen: None };
            }
            if dice.percent(50) {
                action.key = Some(format!("key-{}", dice.below(6)).parse().unwrap());
            }
            action
        })
    }

    /// A caller: asks, perhaps asks once more with the same words.
    async fn call(
        engine: Arc<Engine>,
        action: Action,
        wait: u64,
        answers: Arc<Mutex<Vec<(Action, Answer)>>>,
    ) {
        sleep(Duration::from_millis(wait)).await;
        let answer = engine.perform(action.clone(), Mode::Perform).await.expect("memory does not fail");
        answers.lock().unwrap().push((action, answer));
    }

    /// A person at their own calendar.
    async fn edit(&self, wait: u64) {
        sleep(Duration::from_millis(wait)).await;
        let mut state = self.calendar.0.lock().unwrap();
        let (what, minutes, pick) =
            roll(&self.dice, |dice| (dice.below(4), 1 + dice.below(50) as i64, dice.below(64) as usize));
        let keys: Vec<_> = state.events.keys().cloned().collect();
        let deleted: Vec<_> = state.deleted.keys().cloned().collect();
        if what == 3 && !deleted.is_empty() {
            // Calendar repair restores a removed event under another id.
            let key = deleted[pick % deleted.len()].clone();
            let Some(event) = state.deleted.get(&key).cloned() else { return };
            self.repaired.lock().unwrap().push(first_id(&key.1));
            state.put(&key.0, event, false);
            return;
        }
        if keys.is_empty() {
            return;
        }
        let key = keys[pick % keys.len()].clone();
        self.edited.lock().unwrap().push(first_id(&key.1));
        let unique = self.edited.lock().unwrap().len() as i64;
        match what {
            // Odd seconds: nothing that Adjourn would ever set, and never the same end twice.
            0 => state.touch(&key, |event| {
                event.end += TimeDelta::seconds(60 * minutes + 7) + TimeDelta::milliseconds(unique);
            }),
            1 => state.touch(&key, |event| event.subject = Some("changed".to_owned())),
            _ => drop(state.events.remove(&key)),
        }
    }

    async fn tell(&self, tally: &mut Tally) {
        let phases = 1 + roll(&self.dice, |dice| dice.below(4));
        let mut unanswered: Vec<Action> = Vec::new();
        let moves_before = self.backend.moves_before(self.seed, phases);
        for phase in 0..phases {
            if moves_before == Some(phase) {
                self.backend.move_rooms(&self.calendar, self.seed);
            }
            let engine = self.process();
            if phase > 0 {
                engine.recover().await.expect("memory does not fail");
            }
            let mut callers = JoinSet::new();
            let mut asked = std::mem::take(&mut unanswered);
            // Whoever had no answer asks again, under another name for the action and the same key.
            asked.retain(|action| action.key.is_some());
            for action in &mut asked {
                action.id = roll(&self.dice, Dice::action_id);
            }
            for _ in 0..1 + roll(&self.dice, |dice| dice.below(5)) {
                let wish = self.random_request();
                if roll(&self.dice, |dice| dice.percent(25)) {
                    let id = roll(&self.dice, Dice::action_id);
                    asked.push(Action { id, ..wish.clone() });
                }
                asked.push(wish);
            }
            tally.wishes += asked.len() as u64;
            for action in &asked {
                let wait = roll(&self.dice, |dice| dice.below(4_000));
                callers.spawn(Self::call(engine.clone(), action.clone(), wait, self.answers.clone()));
            }
            let edits = roll(&self.dice, |dice| dice.below(3));
            tally.edits += edits;
            let people = async {
                for _ in 0..edits {
                    self.edit(roll(&self.dice, |dice| dice.below(3_000))).await;
                }
            };
            // A service recovers actions in doubt while callers come and go.
            let looks = (phase % 2 == 1).then(|| {
                let engine = engine.clone();
                tokio::spawn(async move {
                    loop {
                        sleep(Duration::from_secs(2)).await;
                        engine.recover_idle_rooms().await.expect("memory does not fail");
                    }
                })
            });
            let killed_after = roll(&self.dice, |dice| dice.below(8_000));
            if phase + 1 < phases {
                tokio::join!(people, sleep(Duration::from_millis(killed_after)));
                tally.kills += 1;
                callers.shutdown().await;
            } else {
                let all = async { while callers.join_next().await.is_some() {} };
                tokio::join!(people, all);
            }
            looks.into_iter().for_each(|looks| looks.abort());
            unanswered = asked.into_iter().filter(|action| !self.is_answered(action.id)).collect();
            if roll(&self.dice, |dice| dice.percent(30)) {
                sleep(Duration::from_secs(60 * roll(&self.dice, |dice| dice.below(12)))).await;
            }
        }
        if moves_before == Some(phases) {
            self.backend.move_rooms(&self.calendar, self.seed);
        }
        self.calm.store(true, std::sync::atomic::Ordering::SeqCst);
        self.process().recover().await.expect("memory does not fail");
        tally.settled +=
            self.journal.facts().iter().filter(|(_, fact)| matches!(fact, Fact::Settled { .. })).count();
    }

    /// Prints the facts and the effects, to investigate one seed.
    fn print(&self) {
        for (id, fact) in self.journal.facts() {
            println!("{id} {fact:?}");
        }
        for (room, step) in &self.calendar.0.lock().unwrap().effects {
            println!("done in {room}: {step:?}");
        }
    }

    fn is_answered(&self, id: ActionId) -> bool {
        self.answers.lock().unwrap().iter().any(|(asked, _)| asked.id == id)
    }

    async fn check(&self, tally: &mut Tally) {
        let records = self.journal.find(&Default::default()).await.unwrap();
        let effects = self.calendar.0.lock().unwrap().effects.clone();
        let mut chain = Chain::default();
        let mut intended: BTreeMap<ActionId, Vec<Step>> = BTreeMap::new();
        for sealed in self.journal.entries(1, 100_000).await.unwrap() {
            chain.check(&sealed).unwrap();
            let JournalEntry::Action(entry) = sealed.parse().unwrap() else { continue };
            if let Fact::Intended { step, .. } = entry.fact {
                intended.entry(entry.action).or_default().push(step);
            }
        }
        for record in &records {
            let id = record.action.id;
            assert!(!record.is_open(), "still open: {record:?}");
            let outcome = record.outcome.as_ref().unwrap();
            assert!(!record.needs_recheck(), "could be read, and is not settled: {record:?}");
            let has = |steps: &[Step], step: &Step| steps.iter().any(|one| is_same_write(one, step));
            let own = |step: &Step| intended.get(&id).is_some_and(|steps| has(steps, step));
            let others = |step: &Step| intended.iter().any(|(other, steps)| *other != id && has(steps, step));
            let mine = effects.iter().filter(|(room, step)| *room == record.action.room && own(step));
            let (shared, alone): (Vec<_>, Vec<_>) = mine.partition(|(_, step)| others(step));
            let facts = || self.journal.facts().into_iter().filter(|(of, _)| *of == id).collect::<Vec<_>>();
            // An action that overlaps another event reverts itself: two effects that cancel each other.
            let took_back = |step: &Step| match (record.action.kind, step, &record.intent) {
                (ActionKind::Book(_), Step::Remove { .. }, _) => true,
                (ActionKind::Extend(_), Step::SetEnd { end, .. }, Some(intent)) => {
                    matches!(intent.done.change, Change::Extended { from, .. } if *end == from)
                }
                (ActionKind::Undo { .. }, Step::SetEnd { end, .. }, Some(intent)) => {
                    matches!(intent.done.change, Change::EndRestored { from, .. } if *end == from)
                }
                (ActionKind::Undo { .. }, Step::Remove { .. }, Some(intent)) => {
                    matches!(intent.done.change, Change::MovedBack | Change::Booked)
                }
                _ => false,
            };
            let (back, alone): (Vec<_>, Vec<_>) = alone.into_iter().partition(|(_, step)| took_back(step));
            // What is taken back may have been made by another of ours that is in doubt: the same step, the same version.
            // An event is taken back once; what calendar repair puts there again is another event.
            // A person took the booking away while its answer was in doubt: nothing shows that it had been made.
            let bookings_max = 1 + if may_book(&record.action) { self.bookings_taken() } else { 0 };
            let events: BTreeSet<_> = back.iter().map(|(_, step)| step.id().map(first_id)).collect();
            assert!(
                alone.len() <= bookings_max
                    && back.len() == events.len()
                    && (back.is_empty() || alone.len() + shared.len() > 0),
                "done {} times: {:#?}",
                alone.len(),
                facts()
            );
            match outcome {
                Outcome::Refused { refusal: Refusal::Collides { .. } } => {
                    let stands = alone.len() > back.len() && !self.is_removed(record);
                    assert!(!stands, "collides, and stands there: {:#?}", facts());
                }
                // The undo was in doubt, calendar repair restored the event, and the new server does not know the old id.
                Outcome::Done(done) if done.change == Change::MovedBack && self.is_repaired(record) => {}
                Outcome::Done(_) => {
                    tally.done += 1;
                    assert!(alone.len() + shared.len() >= 1, "said to be done: {record:?}");
                }
                Outcome::NeedsAttention { .. } => tally.need_attention += 1,
                // The booking was made, its answer was lost or the process stopped, and a person took it away: it does not stand.
                Outcome::Refused { refusal: Refusal::Interrupted | Refusal::Exchange { .. } }
                    if self.is_gone(&record.action) => {}
                // It was done, the process stopped, and another write put the event back: it does not stand.
                Outcome::Refused { refusal: Refusal::Interrupted } if self.is_put_back(record) => {}
                // The event went away with whatever was done to it.
                Outcome::AlreadyDone { why: NoChangeReason::Gone } => {}
                // Two of ours wanted to write to the same version, both in doubt: either may have done it.
                Outcome::AlreadyDone { why: NoChangeReason::ByAction { action } }
                    if intended.get(action).is_some_and(|steps| {
                        steps.iter().any(|step| alone.iter().all(|(_, own)| same_version(own, step)))
                    }) => {}
                // It was done, a person gave the event another end, and another of ours ended it again: what stands is the other's.
                Outcome::AlreadyDone { why: NoChangeReason::ByAction { action } }
                    if intended.get(action).is_some_and(|steps| {
                        steps.iter().any(|step| alone.iter().all(|(_, own)| self.is_made_again(own, step)))
                    }) => {}
                other => assert!(alone.is_empty(), "done, and said to be {other:?}: {record:?}"),
            }
        }
        self.check_answers();
        self.check_untouched(&effects);
        let violations = &self.calendar.0.lock().unwrap().violations;
        assert!(violations.is_empty(), "more than the server can do: {violations:#?}");
    }

    /// Bookings that people took away.
    fn bookings_taken(&self) -> usize {
        let stands = |id: &EventId| {
            self.calendar.0.lock().unwrap().events.keys().any(|(_, other)| first_id(other) == *id)
        };
        self.edited
            .lock()
            .unwrap()
            .iter()
            .filter(|id| id.as_str().starts_with("made-") && !stands(id))
            .count()
    }

    /// It asked for a booking that stands nowhere, though nothing of ours took it away.
    fn is_gone(&self, action: &Action) -> bool {
        let uid = Some(adjourn::calendar::Uid::new(format!("adjourn-{}", action.id)));
        let stands = self.calendar.0.lock().unwrap().events.values().any(|event| event.uid == uid);
        may_book(action) && !stands
    }

    /// Another write gave the event the times again that it had before this action.
    fn is_put_back(&self, record: &ActionRecord) -> bool {
        let Some(Intent { before, step: Step::SetEnd { .. }, .. }) = &record.intent else { return false };
        let as_before = |event: &Event| {
            first_id(&event.id) == first_id(&before.id)
                && event.end == before.end
                && event.start == before.start
        };
        self.calendar.0.lock().unwrap().events.values().any(as_before)
    }

    /// Calendar repair restored the event that this action wanted to move back, in a room that moved to another server.
    fn is_repaired(&self, record: &ActionRecord) -> bool {
        let Some(intent) = &record.intent else { return false };
        let is_moved = self.backend == Backend::Move;
        is_moved && self.repaired.lock().unwrap().contains(&first_id(&intent.before.id))
    }

    /// The later step made the change of the earlier one again, on a version that a person had made in between.
    fn is_made_again(&self, earlier: &Step, later: &Step) -> bool {
        let end = |step: &Step| if let Step::SetEnd { end, .. } = step { Some(*end) } else { None };
        let id = |step: &Step| step.item().map(|(id, _)| first_id(id));
        let is_edited = id(earlier).is_some_and(|id| self.edited.lock().unwrap().contains(&id));
        let effects = &self.calendar.0.lock().unwrap().effects;
        let place = |step: &Step| effects.iter().position(|(_, effect)| is_same_write(effect, step));
        end(earlier).is_some()
            && end(earlier) == end(later)
            && id(earlier) == id(later)
            && is_edited
            && place(earlier) < place(later)
    }

    /// The event that an action wanted to change is on no calendar any more.
    fn is_removed(&self, record: &ActionRecord) -> bool {
        let Some(intent) = &record.intent else { return false };
        let id = first_id(&intent.before.id);
        !self.calendar.0.lock().unwrap().events.values().any(|event| first_id(&event.id) == id)
    }

    /// What was acknowledged is what the journal says, and the same key never got two answers.
    fn check_answers(&self) {
        let mut known: BTreeMap<ActionId, Vec<Outcome>> = BTreeMap::new();
        for (id, fact) in self.journal.facts() {
            if let Fact::Closed { outcome, .. } | Fact::Settled { outcome } = fact {
                known.entry(id).or_default().push(*outcome);
            }
        }
        for (asked, answer) in self.answers.lock().unwrap().iter() {
            let told_by_itself = matches!(
                answer.outcome,
                Outcome::Refused { refusal: Refusal::KeyReused { .. } | Refusal::StillInDoubt { .. } }
            );
            if !told_by_itself {
                let is_known = known.get(&answer.action).is_some_and(|known| known.contains(&answer.outcome));
                assert!(is_known, "acknowledged and lost: {asked:?}: {answer:?}");
            }
            assert!(answer.repeated || told_by_itself || answer.action == asked.id, "{asked:?}: {answer:?}");
        }
    }

    fn check_untouched(&self, effects: &[(RoomAddress, Step)]) {
        let now = self.calendar.0.lock().unwrap().events.clone();
        let now: BTreeMap<_, _> = now
            .into_iter()
            .map(|((room, id), event)| {
                let id = first_id(&id);
                ((room, id.clone()), Event { id, ..event })
            })
            .collect();
        let edited = self.edited.lock().unwrap();
        for (key, event) in &self.at_first {
            let touched = edited.contains(&key.1)
                || effects.iter().any(|(_, step)| step.id().map(first_id).as_ref() == Some(&key.1));
            if !touched {
                assert_eq!(now.get(key), Some(event), "nobody touched it");
            }
        }
    }
}

/// Both steps make the same change to the same version of an event, under the ids of two servers.
fn is_same_write(one: &Step, other: &Step) -> bool {
    let end = |step: &Step| if let Step::SetEnd { end, .. } = step { Some(*end) } else { None };
    let is_same_change =
        std::mem::discriminant(one) == std::mem::discriminant(other) && end(one) == end(other);
    one == other || one.item().is_some() && is_same_change && same_version(one, other)
}

/// An undo books a removed event again where the server moves nothing back.
fn may_book(action: &Action) -> bool {
    matches!(action.kind, ActionKind::Book(_) | ActionKind::Undo { .. })
}

/// Both steps are about the same version of the same event, whatever the server's id for it.
fn same_version(one: &Step, other: &Step) -> bool {
    let version = |step: &Step| step.item().map(|(id, version)| (first_id(id), version.clone()));
    version(one) == version(other)
}

fn run(ListedSeed { seed, backend }: ListedSeed, tally: &mut Tally) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    tally.histories += 1;
    runtime.block_on(async {
        let story = Story::begin(seed, backend);
        story.tell(tally).await;
        if std::env::var_os("ADJOURN_SEED").is_some() {
            story.print();
        }
        story.check(tally).await;
    });
}

#[test]
fn random_histories_keep_their_promises() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let backend = std::env::var("ADJOURN_BACKEND").ok().map(|name| name.parse::<Backend>().unwrap());
    let with_backend =
        |seed: u64| ListedSeed { seed, backend: backend.unwrap_or_else(|| Backend::of_seed(seed)) };
    let any = u64::from(std::process::id()) << 32 | u64::from(Instant::now().elapsed().subsec_nanos());
    let first = number("ADJOURN_FIRST").unwrap_or(any);
    let seeds: Vec<ListedSeed> = match (number("ADJOURN_SEED"), number("ADJOURN_SEEDS")) {
        (Some(seed), _) => vec![with_backend(seed)],
        (None, Some(count)) => {
            listed_seeds().chain((0..count).map(|n| with_backend(first.wrapping_add(n)))).collect()
        }
        (None, None) => listed_seeds().chain((0..SEEDS_DEFAULT).map(with_backend)).collect(),
    };
    let mut tally = Tally::default();
    for listed in seeds {
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(listed, &mut tally)));
        if let Err(panic) = outcome {
            let ListedSeed { seed, backend } = listed;
            eprintln!(
                "seed {seed} failed: ADJOURN_SEED={seed} ADJOURN_BACKEND={backend} cargo test --test engine random_histories"
            );
            std::panic::resume_unwind(panic);
        }
    }
    println!(
        "{} histories: {} wishes, {} kills, {} edits by people; {} done, {} in need of attention, {} settled later",
        tally.histories,
        tally.wishes,
        tally.kills,
        tally.edits,
        tally.done,
        tally.need_attention,
        tally.settled
    );
    assert!(tally.done > 0);
}
