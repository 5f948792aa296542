//! A calendar in memory that keeps versions like a server does and misbehaves on command.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use adjourn::action::Fault;
use adjourn::calendar::{
    ChangeKey, Copy, Event, EventId, EventKind, Person, RoomAddress, Scope, Uid, Window,
};
use adjourn::clock::ManualClock;
use adjourn::engine::{Busy, Calendar, Capabilities, Directory, Engine, Options, Step, Trouble, Written};
use adjourn::journal::MemoryJournal;
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

/// What the next write meets.
pub enum Next {
    /// The answer is lost, the write is done.
    LostAfter,
    /// The request is lost, nothing is done, nobody knows.
    LostBefore,
    /// The server refuses.
    Refuse,
    /// Somebody else changes the event just before.
    After(Box<dyn FnOnce(&mut Event) + Send>),
    /// Somebody else deletes the event just before.
    GoneFirst,
}

#[derive(Default)]
pub struct State {
    pub events: BTreeMap<(RoomAddress, EventId), Event>,
    pub next: VecDeque<Next>,
    pub writes: Vec<Step>,
    pub reads: usize,
    pub gone_people: Vec<String>,
    pub person_questions: usize,
    pub blind: bool,
    version: u32,
}

#[derive(Default, Clone)]
pub struct FakeCalendar(pub Arc<Mutex<State>>);

impl FakeCalendar {
    pub fn add(&self, room: &RoomAddress, event: Event) {
        self.0.lock().unwrap().events.insert((room.clone(), event.id.clone()), event);
    }

    pub fn next(&self, next: Next) {
        self.0.lock().unwrap().next.push_back(next);
    }

    pub fn get(&self, room: &RoomAddress, id: &str) -> Option<Event> {
        self.0.lock().unwrap().events.get(&(room.clone(), EventId::new(id))).cloned()
    }

    pub fn writes(&self) -> usize {
        self.0.lock().unwrap().writes.len()
    }
}

impl State {
    fn touch(&mut self, key: &(RoomAddress, EventId), change: impl FnOnce(&mut Event)) {
        self.version += 1;
        let version = self.version;
        if let Some(event) = self.events.get_mut(key) {
            change(event);
            event.change_key = ChangeKey::new(format!("v{version}"));
        }
    }

    fn carry_out(&mut self, room: &RoomAddress, step: &Step) -> Written {
        let (id, change_key) = match step {
            Step::SetEnd { id, change_key, .. }
            | Step::Decline { id, change_key, .. }
            | Step::Cancel { id, change_key, .. }
            | Step::Remove { id, change_key } => (id, change_key),
        };
        let key = (room.clone(), id.clone());
        let Some(event) = self.events.get(&key) else { return Written::Gone };
        if event.change_key != *change_key {
            return Written::Conflict;
        }
        match step {
            Step::SetEnd { end, .. } => self.touch(&key, |event| event.end = *end),
            _ => drop(self.events.remove(&key)),
        }
        Written::Done
    }
}

#[async_trait]
impl Calendar for FakeCalendar {
    fn capabilities(&self) -> Capabilities {
        Capabilities { can_mute_updates: true, has_change_key_lock: true }
    }

    async fn events(&self, room: &RoomAddress, window: Window) -> Result<Vec<Event>, Trouble> {
        let mut state = self.0.lock().unwrap();
        state.reads += 1;
        Ok(state
            .events
            .iter()
            .filter(|((of, _), event)| of == room && event.overlaps(&window))
            .map(|(_, e)| e.clone())
            .collect())
    }

    async fn event(&self, room: &RoomAddress, id: &EventId) -> Result<Option<Event>, Trouble> {
        let mut state = self.0.lock().unwrap();
        state.reads += 1;
        if state.blind {
            return Err(trouble());
        }
        Ok(state.events.get(&(room.clone(), id.clone())).cloned())
    }

    async fn write(&self, room: &RoomAddress, step: &Step) -> Written {
        let mut state = self.0.lock().unwrap();
        state.writes.push(step.clone());
        let id = match step {
            Step::SetEnd { id, .. }
            | Step::Decline { id, .. }
            | Step::Cancel { id, .. }
            | Step::Remove { id, .. } => id,
        };
        let key = (room.clone(), id.clone());
        match state.next.pop_front() {
            None => state.carry_out(room, step),
            Some(Next::LostAfter) => {
                state.carry_out(room, step);
                Written::InDoubt(trouble())
            }
            Some(Next::LostBefore) => Written::InDoubt(trouble()),
            Some(Next::Refuse) => Written::NotDone(trouble()),
            Some(Next::After(change)) => {
                state.touch(&key, change);
                state.carry_out(room, step)
            }
            Some(Next::GoneFirst) => {
                state.events.remove(&key);
                state.carry_out(room, step)
            }
        }
    }

    async fn busy(&self, rooms: &[RoomAddress], window: Window) -> Result<Vec<Busy>, Trouble> {
        let state = self.0.lock().unwrap();
        let any = |room: &RoomAddress| {
            state.events.iter().any(|((of, _), event)| of == room && event.overlaps(&window))
        };
        Ok(rooms.iter().map(|room| if any(room) { Busy::Look } else { Busy::Empty }).collect())
    }

    async fn find_person(&self, _: &RoomAddress, address: &str) -> Result<Directory, Trouble> {
        let mut state = self.0.lock().unwrap();
        state.person_questions += 1;
        Ok(if state.gone_people.iter().any(|gone| gone == address) {
            Directory::Nobody
        } else {
            Directory::Known
        })
    }

    async fn rooms_of(&self, _: &str, _: &RoomAddress) -> Result<Vec<RoomAddress>, Trouble> {
        Ok(Vec::new())
    }
}

pub fn trouble() -> Trouble {
    Trouble { fault: Fault::Network, advice: "try again".to_owned(), code: "reset".to_owned() }
}

pub fn at(hour: u32, minute: u32) -> DateTime<Utc> {
    "2026-05-06T00:00:00Z".parse::<DateTime<Utc>>().unwrap()
        + TimeDelta::minutes(i64::from(hour * 60 + minute))
}

pub fn room(name: &str) -> RoomAddress {
    format!("{name}@rooms.example").parse().unwrap()
}

/// An attendee copy from nine to ten.
pub fn meeting(id: &str) -> Event {
    Event {
        id: EventId::new(id),
        change_key: ChangeKey::new("v0"),
        uid: Some(Uid::new(format!("uid-{id}"))),
        original_start: None,
        start: at(9, 0),
        end: at(10, 0),
        subject: Some("Ada".to_owned()),
        organizer: Some(Person {
            name: Some("Ada".to_owned()),
            address: Some("ada@people.example".to_owned()),
        }),
        kind: EventKind::Single,
        copy: Some(Copy::Attendee),
        is_all_day: false,
        is_cancelled: false,
        is_private: false,
        created: Some(at(0, 0)),
    }
}

pub struct Stage {
    pub calendar: FakeCalendar,
    pub journal: Arc<MemoryJournal>,
    pub engine: Arc<Engine>,
}

/// Half past nine, every room of rooms.example in scope.
pub fn stage() -> Stage {
    stage_with(Options::default())
}

pub fn stage_with(options: Options) -> Stage {
    let (calendar, journal) = (FakeCalendar::default(), Arc::new(MemoryJournal::default()));
    let clock = ManualClock::at(at(9, 30) + TimeDelta::seconds(20));
    let scope = Scope::new([], ["rooms.example".to_owned()]);
    let engine = Engine::new(Arc::new(calendar.clone()), journal.clone(), Arc::new(clock), scope, options);
    Stage { calendar, journal, engine: Arc::new(engine) }
}
