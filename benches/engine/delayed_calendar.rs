//! Rooms in memory whose calendar answers after a while, so many requests at once.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use adjourn::action::{EventSnapshot, RequestIds, Step};
use adjourn::before_send::BeforeSend;
use adjourn::calendar::{ChangeKey, Event, EventId, RoomAddress, Series, Uid, Window};
use adjourn::clock::ManualClock;
use adjourn::engine::{
    AddressLookup, CalendarError, CalendarReader, CalendarView, CalendarWriter, Capabilities, DeletedLookup,
    Directory, Engine, EngineOptions, Occupancy, PersonLookup, TraceLookup, WriteOutcome, WriteReport,
};
use adjourn::exchange::Exchange;
use adjourn::journal::Journal;
use adjourn::presence::Sign;
use adjourn_test::{engine, event, every_room, numbered_room};
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::Semaphore;

pub fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_600_800, 0).expect("a time")
}

pub fn sign_in_room(number: usize) -> Sign {
    let at = now() - TimeDelta::minutes(25);
    Sign::new(numbered_room(number), at, "sensor")
}

/// A meeting that began half an hour ago and goes on for another, with ids as long as those of Exchange.
fn meeting(number: usize) -> Event {
    let (start, end) = (now() - TimeDelta::minutes(30), now() + TimeDelta::minutes(30));
    Event {
        id: EventId::new(format!("{}{number}", "AAMkAGI1".repeat(18))),
        change_key: ChangeKey::new("DwAAABYAAADk7BZ1T7YQTIpJ3nEe3b2sAAAAAB1y"),
        uid: Some(Uid::new(format!("040000008200E00074C5B7101A82E008{number:080}"))),
        ..event("", start, end)
    }
}

#[derive(Clone)]
pub struct DelayedCalendar(Arc<Inside>);

struct Inside {
    events: Mutex<HashMap<RoomAddress, Event>>,
    answer: Duration,
    in_flight: Semaphore,
    requests: AtomicUsize,
}

impl DelayedCalendar {
    /// A meeting in every room.
    pub fn new(rooms: usize, answer: Duration, in_flight: usize) -> Self {
        Self::busy_each(rooms, 1, answer, in_flight)
    }

    /// A meeting in one room of `each`.
    pub fn busy_each(rooms: usize, each: usize, answer: Duration, in_flight: usize) -> Self {
        let events =
            (0..rooms).step_by(each).map(|number| (numbered_room(number), meeting(number))).collect();
        Self(Arc::new(Inside {
            events: Mutex::new(events),
            answer,
            in_flight: Semaphore::new(in_flight),
            requests: AtomicUsize::new(0),
        }))
    }

    pub fn engine(&self, journal: Arc<dyn Journal>) -> Arc<Engine> {
        let clock = Arc::new(ManualClock::at(now()));
        engine(Arc::new(self.clone()), journal, clock, every_room(), EngineOptions::default())
    }

    pub fn requests(&self) -> usize {
        self.0.requests.load(Ordering::SeqCst)
    }

    async fn ask<T>(&self, answer: impl FnOnce(&mut HashMap<RoomAddress, Event>) -> T) -> T {
        let _place = self.0.in_flight.acquire().await;
        self.0.requests.fetch_add(1, Ordering::SeqCst);
        if !self.0.answer.is_zero() {
            tokio::time::sleep(self.0.answer).await;
        }
        answer(&mut self.0.events.lock().expect("nobody panics"))
    }
}

#[async_trait]
impl CalendarReader for DelayedCalendar {
    async fn events(&self, room: &RoomAddress, _: Window) -> Result<CalendarView, CalendarError> {
        let events: Vec<Event> = self.ask(|events| events.get(room).cloned().into_iter().collect()).await;
        Ok(events.into())
    }

    async fn event(&self, room: &RoomAddress, id: &EventId) -> Result<Option<Event>, CalendarError> {
        Ok(self.ask(|events| events.get(room).filter(|event| event.id == *id).cloned()).await)
    }

    async fn series(&self, _: &RoomAddress, _: &EventId) -> Result<Option<Series>, CalendarError> {
        Ok(self.ask(|_| None).await)
    }

    async fn series_by_id(&self, _: &RoomAddress, _: &EventId) -> Result<Option<Series>, CalendarError> {
        Ok(None)
    }

    async fn find_deleted(&self, _: &RoomAddress, _: &EventSnapshot) -> Result<DeletedLookup, CalendarError> {
        Ok(self.ask(|_| DeletedLookup::NotFound).await)
    }

    async fn find_sent_message(
        &self,
        _: &RoomAddress,
        _: &Step,
        _: &Event,
        _: DateTime<Utc>,
    ) -> Result<TraceLookup, CalendarError> {
        Ok(self.ask(|_| TraceLookup::NotFound).await)
    }

    async fn occupancy(&self, rooms: &[RoomAddress], _: Window) -> Result<Vec<Occupancy>, CalendarError> {
        let look = |events: &mut HashMap<RoomAddress, Event>| {
            rooms
                .iter()
                .map(|room| if events.contains_key(room) { Occupancy::MaybeBusy } else { Occupancy::Free })
                .collect()
        };
        Ok(self.ask(look).await)
    }
}

#[async_trait]
impl CalendarWriter for DelayedCalendar {
    fn capabilities(&self, _: &RoomAddress) -> Capabilities {
        Exchange::CAPABILITIES
    }

    async fn write(&self, room: &RoomAddress, step: &Step, _: &dyn BeforeSend) -> WriteReport {
        let written = self
            .ask(|events| match step {
                Step::SetEnd { end, .. } => match events.get_mut(room) {
                    Some(event) => {
                        event.end = *end;
                        WriteOutcome::Done
                    }
                    None => WriteOutcome::Gone,
                },
                _ => events.remove(room).map_or(WriteOutcome::Gone, |_| WriteOutcome::Done),
            })
            .await;
        let ours = "11111111-2222-3333-4444-555555555555".to_owned();
        WriteReport { outcome: written, requests: vec![RequestIds { theirs: Some(ours.clone()), ours }] }
    }
}

#[async_trait]
impl Directory for DelayedCalendar {
    async fn find_person(&self, _: &RoomAddress, _: &str) -> Result<PersonLookup, CalendarError> {
        Ok(PersonLookup::Found)
    }

    async fn resolve_organizer(&self, _: &RoomAddress, _: &Event) -> Result<Option<String>, CalendarError> {
        Ok(None)
    }

    async fn resolve_address(&self, _: &RoomAddress, _: &str) -> Result<AddressLookup, CalendarError> {
        Ok(AddressLookup::Unknown)
    }

    async fn room_list_members(&self, _: &str, _: &RoomAddress) -> Result<Vec<RoomAddress>, CalendarError> {
        Ok(Vec::new())
    }
}
