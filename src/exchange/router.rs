//! Several Exchanges as one: each room is asked about where it lives. Chooses by the room's address alone, and never asks one
//! Exchange about another one's rooms.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::calendar::Exchange;
use crate::action::{EventSnapshot, ResponsibleParty, Step};
use crate::calendar::{Event, EventId, RoomAddress, RoomPattern, Series, Window};
use crate::clock::WitnessedClock;
use crate::engine::{
    AddressLookup, Busy, Calendar, CalendarView, Capabilities, Directory, EventLookup, Number, Reply,
    Trouble, Written,
};

/// All configured Exchanges.
#[derive(Default)]
pub struct ConnectionRouter {
    routes: Vec<(Vec<RoomPattern>, Exchange)>,
    fallback: Option<Exchange>,
}

impl ConnectionRouter {
    /// Adds the Exchange of these rooms. Of several that match a room, the first counts.
    pub fn add(&mut self, rooms: Vec<RoomPattern>, exchange: Exchange) {
        self.routes.push((rooms, exchange));
    }

    /// Sets the Exchange of all other rooms.
    pub fn set_fallback(&mut self, exchange: Exchange) {
        self.fallback = Some(exchange);
    }

    /// All of them, in the order of the configuration.
    pub fn all(&self) -> impl Iterator<Item = &Exchange> {
        self.routes.iter().map(|(_, exchange)| exchange).chain(&self.fallback)
    }

    /// Reports the time of every server to this clock.
    pub fn report_time_to(&self, clock: &Arc<WitnessedClock>) {
        self.all().for_each(|exchange| exchange.client.report_time_to(clock.clone()));
    }

    /// The Exchange where this room lives.
    ///
    /// # Errors
    /// When none is configured for it.
    pub fn route(&self, room: &RoomAddress) -> Result<&Exchange, Trouble> {
        let named = self.routes.iter().find(|(rooms, _)| rooms.iter().any(|pattern| pattern.matches(room)));
        named.map(|(_, exchange)| exchange).or(self.fallback.as_ref()).ok_or_else(|| Trouble {
            fault: ResponsibleParty::Administrator,
            advice: format!(
                "no Exchange is configured for {room}; add it to a connection's rooms, or set [server]"
            ),
            code: "no connection".to_owned(),
        })
    }
}

#[async_trait]
impl Calendar for ConnectionRouter {
    fn capabilities(&self) -> Capabilities {
        // All of them speak EWS.
        Capabilities { can_mute_updates: true, has_change_key_lock: true }
    }

    async fn events(&self, room: &RoomAddress, window: Window) -> Result<CalendarView, Trouble> {
        self.route(room)?.events(room, window).await
    }

    async fn event(&self, room: &RoomAddress, id: &EventId) -> Result<Option<Event>, Trouble> {
        self.route(room)?.event(room, id).await
    }

    async fn named(&self, room: &RoomAddress, id: &EventId) -> Result<EventLookup, Trouble> {
        self.route(room)?.named(room, id).await
    }

    async fn series(&self, room: &RoomAddress, date: &EventId) -> Result<Option<Series>, Trouble> {
        self.route(room)?.series(room, date).await
    }

    async fn series_by_id(&self, room: &RoomAddress, series: &EventId) -> Result<Option<Series>, Trouble> {
        self.route(room)?.series_by_id(room, series).await
    }

    async fn deleted(&self, room: &RoomAddress, seen: &EventSnapshot) -> Result<Option<Event>, Trouble> {
        self.route(room)?.deleted(room, seen).await
    }

    async fn sent(
        &self,
        room: &RoomAddress,
        step: &Step,
        about: &Event,
        since: DateTime<Utc>,
    ) -> Result<bool, Trouble> {
        self.route(room)?.sent(room, step, about, since).await
    }

    async fn write(&self, room: &RoomAddress, step: &Step) -> Reply {
        match self.route(room) {
            Ok(exchange) => exchange.write(room, step).await,
            Err(trouble) => Reply { written: Written::NotDone(trouble), requests: Vec::new() },
        }
    }

    /// Each Exchange is asked once about all of its rooms. Of one that does not answer, nothing is known: look.
    async fn busy(&self, rooms: &[RoomAddress], window: Window) -> Result<Vec<Busy>, Trouble> {
        let mut all = vec![Busy::Look; rooms.len()];
        let mut first_trouble = None;
        let mut answered = rooms.is_empty();
        for exchange in self.all() {
            let lives_here =
                |room: &&RoomAddress| self.route(room).is_ok_and(|home| std::ptr::eq(home, exchange));
            let here: Vec<RoomAddress> = rooms.iter().filter(lives_here).cloned().collect();
            if here.is_empty() {
                continue;
            }
            match exchange.busy(&here, window).await {
                Err(trouble) => first_trouble = first_trouble.or(Some(trouble)),
                Ok(answers) => {
                    answered = true;
                    let places = rooms.iter().zip(&mut all).filter(|(room, _)| lives_here(room));
                    for ((_, place), answer) in places.zip(answers) {
                        *place = answer;
                    }
                }
            }
        }
        match first_trouble {
            Some(trouble) if !answered => Err(trouble),
            _ => Ok(all),
        }
    }

    async fn find_person(&self, room: &RoomAddress, address: &str) -> Result<Directory, Trouble> {
        self.route(room)?.find_person(room, address).await
    }

    async fn resolve_organizer(&self, room: &RoomAddress, event: &Event) -> Result<Option<String>, Trouble> {
        self.route(room)?.resolve_organizer(room, event).await
    }

    async fn resolve_address(&self, room: &RoomAddress, address: &str) -> Result<AddressLookup, Trouble> {
        self.route(room)?.resolve_address(room, address).await
    }

    fn numbers(&self) -> Vec<Number> {
        self.all().flat_map(Calendar::numbers).collect()
    }

    async fn rooms_of(&self, room_list: &str, asking: &RoomAddress) -> Result<Vec<RoomAddress>, Trouble> {
        self.route(asking)?.rooms_of(room_list, asking).await
    }
}
