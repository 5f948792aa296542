//! A calendar in memory that keeps versions like a server does, and fails on command.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};

use adjourn::action::{
    Action, ActionKind, EventSnapshot, Notify, Outcome, RequestIds, ResponsibleParty, Step,
};
use adjourn::before_send::BeforeSend;
use adjourn::calendar::{ChangeKey, Copy, Event, EventId, EventKind, RoomAddress, Series, Uid, Window};
use adjourn::clock::ManualClock;
use adjourn::connection_metrics::{ConnectionMetrics, Metric};
use adjourn::engine::{
    AddressLookup, CalendarError, CalendarReader, CalendarView, CalendarWriter, Capabilities, DeletedLookup,
    Directory, Engine, EngineOptions, ErrorKind, MailboxAddresses, Mode, Occupancy, PersonLookup,
    SilentRemoval, TraceLookup, WriteOutcome, WriteReport,
};
use adjourn::exchange::Exchange;
use adjourn::journal::{Journal, MemoryJournal};
use adjourn_test::{action, at, engine, event, every_room, named, room};
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

/// The fate of the next write.
pub enum NextWrite {
    /// The write is done, and the reply is lost.
    LostAfter,
    /// The request is lost, and nothing is done.
    LostBefore,
    /// The reply is lost, and the request is still in flight: it arrives just before the next one.
    Late,
    /// A proxy delivers the request twice; the second reply arrives.
    Twice,
    /// The server refuses.
    Refuse,
    /// Someone else changes the event just before.
    After(Box<dyn FnOnce(&mut Event) + Send>),
    /// Someone else deletes the event just before.
    GoneFirst,
    /// The write is done as usual; from then on nothing can be read.
    ThenBlind,
    /// The reply is lost (the write was done, or not); from then on nothing can be read.
    LostThenBlind { landed: bool },
    /// The server is busy and does nothing; from then on nothing can be read.
    BusyThenBlind,
    /// Delivered twice, and from then on nothing can be read.
    TwiceThenBlind,
    /// The write is done, and the answer is a failure: the mail was not sent.
    DoneButRefused,
    /// The reply is a failure that proves nothing (the write was done, or not); from then on nothing can be read.
    UnprovenThenBlind { landed: bool },
    /// The server reports the item as not found: the account may read it only.
    NoRights,
    /// Someone books another event at the same moment.
    Beside(Box<Event>),
    /// Someone changes the event and books another one, just before.
    Booked(Box<Event>),
    /// This happens on the way to the server: time passes, somebody else acts.
    Meanwhile(Box<dyn FnOnce() + Send>),
}

/// The room, the kind of step, the event's UID and its start.
type Sent = (RoomAddress, std::mem::Discriminant<Step>, Option<Uid>, DateTime<Utc>);

#[derive(Default)]
pub struct State {
    pub events: BTreeMap<(RoomAddress, EventId), Event>,
    pub deleted: BTreeMap<(RoomAddress, EventId), Event>,
    pub next: VecDeque<NextWrite>,
    pub writes: Vec<Step>,
    pub effects: Vec<(RoomAddress, Step)>,
    /// The messages that rooms sent.
    pub sent: Vec<Sent>,
    pub reads: usize,
    pub gone_people: Vec<String>,
    /// SMTP addresses by X.500 address.
    pub organizers: Vec<(String, String)>,
    pub person_questions: usize,
    /// The address of a room before it was renamed, by its new one.
    pub aliases: BTreeMap<String, String>,
    pub blind: bool,
    /// Declined and cancelled items stay on the calendar, with a mark.
    pub keeps_declined: bool,
    /// Requests that have not arrived yet.
    pub late: Vec<(RoomAddress, Step)>,
    /// What the server can do; `None`: as Exchange.
    pub server: Option<Capabilities>,
    /// An item in a readable folder proves the write, and a missing item proves nothing.
    pub absence_proves_nothing: bool,
    /// The room moved to another server, which returns every event under another id.
    pub moved: Option<OldIds>,
    /// Writes that notified people although the step asked for silence, or that the server cannot do.
    pub violations: Vec<String>,
    /// The UIDs of bookings that an idempotent server made.
    transactions: BTreeSet<Uid>,
    version: u32,
}

/// What a server returns for the id of the server that had the room before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OldIds {
    /// The event under its own id.
    Translated,
    NotFound,
    Invalid,
}

/// Begins the ids of the server that the room moved to.
const NEW_ID: &str = "new:";

/// The id that the server to which the room moved has for this one.
pub fn new_id(id: &EventId) -> EventId {
    EventId::new(format!("{NEW_ID}{id}"))
}

/// The id that the first server had, or would have.
pub fn first_id(id: &EventId) -> EventId {
    EventId::new(id.as_str().strip_prefix(NEW_ID).unwrap_or(id.as_str()))
}

#[derive(Default, Clone)]
pub struct FakeCalendar(pub Arc<Mutex<State>>);

impl FakeCalendar {
    pub fn add(&self, room: &RoomAddress, event: Event) {
        self.0.lock().unwrap().events.insert((room.clone(), event.id.clone()), event);
    }

    pub fn next(&self, next: NextWrite) {
        self.0.lock().unwrap().next.push_back(next);
    }

    pub fn get(&self, room: &RoomAddress, id: &str) -> Option<Event> {
        self.0.lock().unwrap().events.get(&(room.clone(), EventId::new(id))).cloned()
    }

    /// Writes that changed something.
    pub fn effects(&self) -> usize {
        self.0.lock().unwrap().effects.len()
    }

    pub fn writes(&self) -> usize {
        self.0.lock().unwrap().writes.len()
    }
}

impl State {
    /// What happens on the way of the next write.
    fn meanwhile(&mut self) -> Option<Box<dyn FnOnce() + Send>> {
        let next = self.next.pop_front()?;
        match next {
            NextWrite::Meanwhile(happens) => Some(happens),
            other => {
                self.next.push_front(other);
                None
            }
        }
    }

    pub fn touch(&mut self, key: &(RoomAddress, EventId), change: impl FnOnce(&mut Event)) {
        self.version += 1;
        let version = self.version;
        let place = [&mut self.events, &mut self.deleted].into_iter().find_map(|place| place.get_mut(key));
        if let Some(event) = place {
            change(event);
            event.change_key = ChangeKey::new(format!("v{version}"));
        }
    }

    pub fn capabilities(&self) -> Capabilities {
        self.server.unwrap_or(Exchange::CAPABILITIES)
    }

    /// Moves every room to another server.
    pub fn move_to(&mut self, server: Capabilities, old_ids: OldIds) {
        (self.server, self.moved) = (Some(server), Some(old_ids));
        for place in [&mut self.events, &mut self.deleted] {
            for ((room, id), event) in std::mem::take(place) {
                let id = new_id(&id);
                place.insert((room, id.clone()), Event { id, ..event });
            }
        }
    }

    /// The id of a new item.
    fn id_of_new(&self, name: String) -> EventId {
        let id = EventId::new(name);
        if self.moved.is_some() { new_id(&id) } else { id }
    }

    /// The id of an item now, by the id that it had on either server.
    fn id_now(&self, id: &EventId) -> EventId {
        if self.is_old(id) { new_id(id) } else { id.clone() }
    }

    fn is_old(&self, id: &EventId) -> bool {
        self.moved.is_some() && !id.as_str().starts_with(NEW_ID)
    }

    /// Delivers the requests in flight.
    pub fn land_late(&mut self) {
        let server = self.capabilities();
        for (room, step) in std::mem::take(&mut self.late) {
            self.arrive(&room, &step, server);
        }
    }

    /// Moves an event to another folder, where it has another id and version.
    pub fn put(&mut self, room: &RoomAddress, mut event: Event, deleted: bool) {
        self.version += 1;
        event.id = EventId::new(format!("{}+{}", event.id, self.version));
        event.change_key = ChangeKey::new(format!("v{}", self.version));
        let place = if deleted { &mut self.deleted } else { &mut self.events };
        place.insert((room.clone(), event.id.clone()), event);
    }

    /// As the adapter does: items that the server does not guard are read and compared just before the write.
    pub fn carry_out(&mut self, room: &RoomAddress, step: &Step) -> WriteOutcome {
        let server = self.capabilities();
        let Some((id, change_key)) = step.item() else { return self.arrive(room, step, server) };
        if self.is_old(id) && self.moved != Some(OldIds::Translated) {
            return WriteOutcome::Gone;
        }
        let key = (room.clone(), self.id_now(id));
        let event = self.place(step).get(&key).cloned();
        if event.as_ref().is_some_and(|event| event.change_key != *change_key) && !server.guards(step) {
            return WriteOutcome::Conflict;
        }
        let outcome = self.arrive(room, step, server);
        if let (WriteOutcome::Done, Some(event)) = (&outcome, event)
            && !can_do(step, event.copy, server)
        {
            self.violations.push(format!("{step:?} of {event:?}"));
        }
        outcome
    }

    fn place(&self, step: &Step) -> &BTreeMap<(RoomAddress, EventId), Event> {
        if matches!(step, Step::MoveBack { .. }) { &self.deleted } else { &self.events }
    }

    /// What the server that the request was sent to does with it, whenever it arrives.
    pub fn arrive(&mut self, room: &RoomAddress, step: &Step, server: Capabilities) -> WriteOutcome {
        if let Step::Book { uid, start, end, subject } = step {
            if server.has_idempotent_booking && !self.transactions.insert(uid.clone()) {
                return WriteOutcome::Done;
            }
            let id = self.id_of_new(format!("made-{}", self.effects.len()));
            let made = Event {
                uid: Some(uid.clone()),
                start: *start,
                end: *end,
                subject: Some(subject.clone()),
                copy: Some(Copy::Plain),
                ..meeting(id.as_str())
            };
            self.effects.push((room.clone(), step.clone()));
            self.events.insert((room.clone(), made.id.clone()), made);
            return WriteOutcome::Done;
        }
        let Some((id, change_key)) = step.item() else { return WriteOutcome::Gone };
        let key = (room.clone(), self.id_now(id));
        let Some(event) = self.place(step).get(&key).cloned() else { return WriteOutcome::Gone };
        if event.change_key != *change_key && server.guards(step) {
            return WriteOutcome::Conflict;
        }
        self.effects.push((room.clone(), step.clone()));
        match step {
            Step::SetEnd { end, .. } => self.touch(&key, |event| event.end = *end),
            Step::MoveBack { .. } => {
                self.deleted.remove(&key);
                self.put(room, event, false);
            }
            _ => {
                if matches!(step, Step::Decline { .. } | Step::Cancel { .. }) {
                    let kind = std::mem::discriminant(step);
                    self.sent.push((room.clone(), kind, event.uid.clone(), event.start));
                }
                if self.keeps_declined && step.sends_meeting_message() {
                    let declined = matches!(step, Step::Decline { .. });
                    self.touch(&key, |event| {
                        event.is_declined = declined;
                        event.is_cancelled = !declined;
                    });
                    return WriteOutcome::Done;
                }
                self.events.remove(&key);
                if event.kind == EventKind::Single {
                    self.put(room, event, true);
                }
            }
        }
        WriteOutcome::Done
    }
}

/// Whether the server does this and no more.
fn can_do(step: &Step, copy: Option<Copy>, server: Capabilities) -> bool {
    match step {
        Step::SetEnd { notify: Notify::Nobody, .. } => {
            copy != Some(Copy::Organizer) || server.can_mute_updates
        }
        Step::Remove { .. } => {
            copy != Some(Copy::Organizer) || server.silent_removal.organizer != SilentRemoval::Impossible
        }
        Step::MoveBack { .. } => server.can_move_back,
        _ => true,
    }
}

#[async_trait]
impl CalendarReader for FakeCalendar {
    async fn events(&self, room: &RoomAddress, window: Window) -> Result<CalendarView, CalendarError> {
        let mut state = self.0.lock().unwrap();
        state.reads += 1;
        if state.blind {
            return Err(network_error());
        }
        Ok(state
            .events
            .iter()
            // Like a CalendarView: also what ends where the window begins.
            .filter(|((of, _), event)| {
                of == room && event.start < window.end() && window.start() <= event.end
            })
            .map(|(_, e)| e.clone())
            .collect::<Vec<_>>()
            .into())
    }

    async fn event(&self, room: &RoomAddress, id: &EventId) -> Result<Option<Event>, CalendarError> {
        let mut state = self.0.lock().unwrap();
        state.reads += 1;
        if state.blind {
            return Err(network_error());
        }
        match state.moved.filter(|_| state.is_old(id)) {
            Some(OldIds::NotFound) => return Ok(None),
            Some(OldIds::Invalid) => return Err(invalid_id()),
            Some(OldIds::Translated) | None => {}
        }
        // By id: like GetItem, whatever folder it is in; like Graph, only in the calendar.
        let key = (room.clone(), state.id_now(id));
        let shows_deleted = state.capabilities().can_move_back;
        let deleted = || state.deleted.get(&key).filter(|_| shows_deleted);
        Ok(state.events.get(&key).or_else(deleted).cloned())
    }

    /// Here every date is an event of its own.
    async fn series(&self, _: &RoomAddress, _: &EventId) -> Result<Option<Series>, CalendarError> {
        Ok(None)
    }

    async fn series_by_id(&self, _: &RoomAddress, _: &EventId) -> Result<Option<Series>, CalendarError> {
        Ok(None)
    }

    async fn find_deleted(
        &self,
        room: &RoomAddress,
        seen: &EventSnapshot,
    ) -> Result<DeletedLookup, CalendarError> {
        let state = self.0.lock().unwrap();
        if state.blind {
            return Err(network_error());
        }
        if !state.capabilities().traces.deleted_items {
            return Ok(DeletedLookup::Unknown);
        }
        let is_it =
            |event: &&Event| event.uid == seen.uid && event.start == seen.start && event.end == seen.end;
        let here = state.deleted.iter().filter(|((of, _), _)| of == room).map(|(_, event)| event);
        let found = here.rev().find(is_it).cloned().map(Box::new);
        let absent =
            if state.absence_proves_nothing { DeletedLookup::Unknown } else { DeletedLookup::NotFound };
        Ok(found.map_or(absent, DeletedLookup::Found))
    }

    async fn find_sent_message(
        &self,
        room: &RoomAddress,
        step: &Step,
        about: &Event,
        _: DateTime<Utc>,
    ) -> Result<TraceLookup, CalendarError> {
        let state = self.0.lock().unwrap();
        if state.blind {
            return Err(network_error());
        }
        if !state.capabilities().traces.sent_items {
            return Ok(TraceLookup::Unknown);
        }
        let mail = (room.clone(), std::mem::discriminant(step), about.uid.clone(), about.start);
        Ok(match state.sent.contains(&mail) {
            true => TraceLookup::Found,
            false if state.absence_proves_nothing => TraceLookup::Unknown,
            false => TraceLookup::NotFound,
        })
    }

    async fn occupancy(
        &self,
        rooms: &[RoomAddress],
        window: Window,
    ) -> Result<Vec<Occupancy>, CalendarError> {
        let state = self.0.lock().unwrap();
        let any = |room: &RoomAddress| {
            state.events.iter().any(|((of, _), event)| of == room && event.overlaps(&window))
        };
        Ok(rooms.iter().map(|room| if any(room) { Occupancy::MaybeBusy } else { Occupancy::Free }).collect())
    }
}

#[async_trait]
impl CalendarWriter for FakeCalendar {
    fn capabilities(&self, _: &RoomAddress) -> Capabilities {
        self.0.lock().unwrap().capabilities()
    }

    async fn write(&self, room: &RoomAddress, step: &Step, before: &dyn BeforeSend) -> WriteReport {
        let meanwhile = self.0.lock().unwrap().meanwhile();
        if let Some(happens) = meanwhile {
            happens();
        }
        if !before.may_send().await {
            return WriteReport { outcome: WriteOutcome::Throttled(network_error()), requests: Vec::new() };
        }
        let mut state = self.0.lock().unwrap();
        state.writes.push(step.clone());
        state.land_late();
        let key = (room.clone(), step.id().map_or(EventId::new(""), |id| state.id_now(id)));
        let written = match state.next.pop_front() {
            None => state.carry_out(room, step),
            Some(NextWrite::LostAfter) => {
                state.carry_out(room, step);
                WriteOutcome::InDoubt(network_error())
            }
            Some(NextWrite::Twice) => {
                state.carry_out(room, step);
                state.carry_out(room, step)
            }
            Some(NextWrite::LostBefore) => WriteOutcome::InDoubt(network_error()),
            Some(NextWrite::Late) => {
                state.late.push((room.clone(), step.clone()));
                WriteOutcome::InDoubt(network_error())
            }
            Some(NextWrite::BusyThenBlind) => {
                state.blind = true;
                WriteOutcome::Throttled(network_error())
            }
            Some(NextWrite::TwiceThenBlind) => {
                state.blind = true;
                state.carry_out(room, step);
                state.carry_out(room, step)
            }
            Some(NextWrite::DoneButRefused) => {
                state.carry_out(room, step);
                state.sent.clear();
                WriteOutcome::NotApplied(network_error())
            }
            Some(NextWrite::NoRights) => WriteOutcome::Gone,
            Some(NextWrite::Beside(event)) => {
                state.events.insert((room.clone(), event.id.clone()), *event);
                state.carry_out(room, step)
            }
            Some(NextWrite::Booked(event)) => {
                state.touch(&key, |_| ());
                state.events.insert((room.clone(), event.id.clone()), *event);
                state.carry_out(room, step)
            }
            Some(NextWrite::ThenBlind) => {
                state.blind = true;
                state.carry_out(room, step)
            }
            Some(NextWrite::LostThenBlind { landed }) => {
                if landed {
                    state.carry_out(room, step);
                }
                state.blind = true;
                WriteOutcome::InDoubt(network_error())
            }
            Some(NextWrite::UnprovenThenBlind { landed }) => {
                if landed {
                    state.carry_out(room, step);
                }
                state.blind = true;
                WriteOutcome::Unproven(network_error())
            }
            Some(NextWrite::Refuse) => WriteOutcome::NotApplied(network_error()),
            Some(NextWrite::After(change)) => {
                state.touch(&key, change);
                state.carry_out(room, step)
            }
            Some(NextWrite::Meanwhile(_)) => panic!("nothing more may happen on this way"),
            Some(NextWrite::GoneFirst) => {
                state.events.remove(&key);
                state.deleted.remove(&key);
                state.carry_out(room, step)
            }
        };
        let ours = format!("request-{}", state.writes.len());
        WriteReport { outcome: written, requests: vec![RequestIds { ours, theirs: None }] }
    }
}

#[async_trait]
impl Directory for FakeCalendar {
    async fn find_person(&self, _: &RoomAddress, address: &str) -> Result<PersonLookup, CalendarError> {
        let mut state = self.0.lock().unwrap();
        state.person_questions += 1;
        Ok(if state.gone_people.iter().any(|gone| gone == address) {
            PersonLookup::NotFound
        } else {
            PersonLookup::Found
        })
    }

    async fn resolve_organizer(
        &self,
        _: &RoomAddress,
        event: &Event,
    ) -> Result<Option<String>, CalendarError> {
        let Some(organizer) = &event.organizer else { return Ok(None) };
        let state = self.0.lock().unwrap();
        let known = state.organizers.iter().find(|(dn, _)| organizer.legacy_dn.as_ref() == Some(dn));
        Ok(organizer.address.clone().or(known.map(|(_, address)| address.clone())))
    }

    async fn resolve_address(&self, _: &RoomAddress, address: &str) -> Result<AddressLookup, CalendarError> {
        let proxies = self.0.lock().unwrap().aliases.get(address).cloned();
        let proxies = proxies.into_iter().collect();
        Ok(AddressLookup::Found(MailboxAddresses { primary: address.to_owned(), proxies }))
    }

    async fn room_list_members(&self, _: &str, _: &RoomAddress) -> Result<Vec<RoomAddress>, CalendarError> {
        Ok(Vec::new())
    }
}

/// It has no connections.
impl ConnectionMetrics for FakeCalendar {
    fn metrics(&self) -> Vec<Metric> {
        Vec::new()
    }

    fn connection_of(&self, _: &RoomAddress) -> Option<String> {
        None
    }
}

pub fn network_error() -> CalendarError {
    CalendarError::new(ErrorKind::Unreachable, ResponsibleParty::Network, "try again", "reset")
}

fn invalid_id() -> CalendarError {
    CalendarError::new(ErrorKind::InvalidId, ResponsibleParty::Caller, "check the id", "malformed")
}

/// An attendee copy from nine to ten.
pub fn meeting(id: &str) -> Event {
    event(id, at(9, 0), at(10, 0))
}

/// An action on the current event of `r1`.
pub fn request(kind: ActionKind) -> Action {
    action(room("r1"), kind)
}

/// An action on this event of `r1`.
pub fn request_for(id: &str, kind: ActionKind) -> Action {
    Action { target: named(id), ..request(kind) }
}

pub struct TestEngine {
    pub calendar: FakeCalendar,
    pub journal: Arc<MemoryJournal>,
    pub clock: ManualClock,
    pub engine: Arc<Engine>,
}

/// Half past nine, every room of rooms.example in scope.
pub fn test_engine() -> TestEngine {
    test_engine_with(EngineOptions::default())
}

pub fn test_engine_with(options: EngineOptions) -> TestEngine {
    let (calendar, journal) = (FakeCalendar::default(), Arc::new(MemoryJournal::default()));
    let clock = ManualClock::at(at(9, 30) + TimeDelta::seconds(20));
    let engine =
        engine(Arc::new(calendar.clone()), journal.clone(), Arc::new(clock.clone()), every_room(), options);
    TestEngine { calendar, journal, clock, engine }
}

impl TestEngine {
    /// A process of its own on the same calendar and clock, with this journal.
    pub fn process_with(&self, journal: impl Journal + 'static) -> Arc<Engine> {
        let (calendar, clock) = (Arc::new(self.calendar.clone()), Arc::new(self.clock.clone()));
        engine(calendar, Arc::new(journal), clock, every_room(), EngineOptions::default())
    }
}

pub async fn perform(stage: &TestEngine, action: Action) -> Outcome {
    stage.engine.perform(action, Mode::Perform).await.unwrap().outcome
}
