//! Routes each room's operations to the Exchange connection that is configured for the room. Decides by the room's
//! address alone, and never asks one Exchange about another one's rooms.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::calendar::Exchange;
use super::settings::Settings;
use crate::action::{EventSnapshot, ResponsibleParty, Step};
use crate::calendar::{Event, EventId, RoomAddress, RoomPattern, Series, Window};
use crate::clock::WitnessedClock;
use crate::connection_metrics::{ConnectionMetrics, Metric};
use crate::engine::{
    AddressLookup, CalendarError, CalendarReader, CalendarView, CalendarWriter, Capabilities, DeletedLookup,
    Directory, ErrorKind, EventLookup, Occupancy, PersonLookup, TraceLookup, WriteOutcome, WriteReport,
};
use crate::http::settings::SettingsError;

/// The settings of a connection cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot use the connection {name}")]
#[non_exhaustive]
pub struct UnusableConnection {
    /// The connection.
    pub name: String,
    /// The cause.
    #[source]
    pub error: SettingsError,
}

/// All configured Exchange connections.
#[derive(Default)]
pub struct ConnectionRouter {
    routes: Vec<(Vec<RoomPattern>, Exchange)>,
    fallback: Option<Exchange>,
}

impl ConnectionRouter {
    /// Prepares the connection of these rooms. Connects to nothing yet.
    ///
    /// # Errors
    /// When the settings cannot be used.
    pub fn open(&mut self, rooms: Vec<RoomPattern>, settings: &Settings) -> Result<(), UnusableConnection> {
        self.add(rooms, prepare(settings)?);
        Ok(())
    }

    /// Prepares the connection of all other rooms. Connects to nothing yet.
    ///
    /// # Errors
    /// When the settings cannot be used.
    pub fn open_fallback(&mut self, settings: &Settings) -> Result<(), UnusableConnection> {
        self.set_fallback(prepare(settings)?);
        Ok(())
    }

    /// Adds the connection of these rooms. If several match a room, the first counts.
    pub fn add(&mut self, rooms: Vec<RoomPattern>, exchange: Exchange) {
        self.routes.push((rooms, exchange));
    }

    /// Sets the connection of all other rooms.
    pub fn set_fallback(&mut self, exchange: Exchange) {
        self.fallback = Some(exchange);
    }

    /// All connections, in the order of the configuration.
    pub fn all(&self) -> impl Iterator<Item = &Exchange> {
        self.routes.iter().map(|(_, exchange)| exchange).chain(&self.fallback)
    }

    /// Reports the `Date` headers of every server to this clock.
    pub fn report_time_to(&self, clock: &Arc<WitnessedClock>) {
        self.all().for_each(|exchange| exchange.client.report_time_to(clock.clone()));
    }

    /// The connection that is configured for this room.
    ///
    /// # Errors
    /// When none is configured.
    pub fn route(&self, room: &RoomAddress) -> Result<&Exchange, CalendarError> {
        let named = self.routes.iter().find(|(rooms, _)| rooms.iter().any(|pattern| pattern.matches(room)));
        named.map(|(_, exchange)| exchange).or(self.fallback.as_ref()).ok_or_else(|| {
            let advice = format!(
                "no Exchange connection is configured for {room}; add the room to `rooms` of a connection, or set [server]"
            );
            CalendarError::new(ErrorKind::Configuration, ResponsibleParty::Administrator, advice, "no connection")
        })
    }
}

fn prepare(settings: &Settings) -> Result<Exchange, UnusableConnection> {
    Exchange::new(settings).map_err(|error| UnusableConnection { name: settings.name.clone(), error })
}

#[async_trait]
impl CalendarReader for ConnectionRouter {
    async fn events(&self, room: &RoomAddress, window: Window) -> Result<CalendarView, CalendarError> {
        self.route(room)?.events(room, window).await
    }

    async fn event(&self, room: &RoomAddress, id: &EventId) -> Result<Option<Event>, CalendarError> {
        self.route(room)?.event(room, id).await
    }

    async fn event_by_external_id(
        &self,
        room: &RoomAddress,
        id: &EventId,
    ) -> Result<EventLookup, CalendarError> {
        self.route(room)?.event_by_external_id(room, id).await
    }

    async fn series(&self, room: &RoomAddress, date: &EventId) -> Result<Option<Series>, CalendarError> {
        self.route(room)?.series(room, date).await
    }

    async fn series_by_id(
        &self,
        room: &RoomAddress,
        series: &EventId,
    ) -> Result<Option<Series>, CalendarError> {
        self.route(room)?.series_by_id(room, series).await
    }

    async fn find_deleted(
        &self,
        room: &RoomAddress,
        seen: &EventSnapshot,
    ) -> Result<DeletedLookup, CalendarError> {
        self.route(room)?.find_deleted(room, seen).await
    }

    async fn find_sent_message(
        &self,
        room: &RoomAddress,
        step: &Step,
        about: &Event,
        since: DateTime<Utc>,
    ) -> Result<TraceLookup, CalendarError> {
        self.route(room)?.find_sent_message(room, step, about, since).await
    }

    /// Sends one request to each connection for all of its rooms. Rooms of a connection that fails may be busy.
    async fn occupancy(
        &self,
        rooms: &[RoomAddress],
        window: Window,
    ) -> Result<Vec<Occupancy>, CalendarError> {
        let mut all = vec![Occupancy::MaybeBusy; rooms.len()];
        let mut first_trouble = None;
        let mut answered = rooms.is_empty();
        for exchange in self.all() {
            let lives_here =
                |room: &&RoomAddress| self.route(room).is_ok_and(|home| std::ptr::eq(home, exchange));
            let here: Vec<RoomAddress> = rooms.iter().filter(lives_here).cloned().collect();
            if here.is_empty() {
                continue;
            }
            match exchange.occupancy(&here, window).await {
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
}

#[async_trait]
impl CalendarWriter for ConnectionRouter {
    /// The capabilities of the room's own connection.
    fn capabilities(&self, room: &RoomAddress) -> Capabilities {
        self.route(room).map_or(Capabilities::NONE, |exchange| exchange.capabilities(room))
    }

    async fn write(&self, room: &RoomAddress, step: &Step) -> WriteReport {
        match self.route(room) {
            Ok(exchange) => exchange.write(room, step).await,
            Err(trouble) => WriteReport { outcome: WriteOutcome::NotApplied(trouble), requests: Vec::new() },
        }
    }
}

#[async_trait]
impl Directory for ConnectionRouter {
    async fn find_person(&self, room: &RoomAddress, address: &str) -> Result<PersonLookup, CalendarError> {
        self.route(room)?.find_person(room, address).await
    }

    async fn resolve_organizer(
        &self,
        room: &RoomAddress,
        event: &Event,
    ) -> Result<Option<String>, CalendarError> {
        self.route(room)?.resolve_organizer(room, event).await
    }

    async fn resolve_address(
        &self,
        room: &RoomAddress,
        address: &str,
    ) -> Result<AddressLookup, CalendarError> {
        self.route(room)?.resolve_address(room, address).await
    }

    async fn room_list_members(
        &self,
        room_list: &str,
        asking: &RoomAddress,
    ) -> Result<Vec<RoomAddress>, CalendarError> {
        self.route(asking)?.room_list_members(room_list, asking).await
    }
}

impl ConnectionMetrics for ConnectionRouter {
    fn metrics(&self) -> Vec<Metric> {
        self.all().flat_map(ConnectionMetrics::metrics).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::settings::Settings;
    use super::*;
    use crate::secret::Secret;

    #[test]
    fn capabilities_are_those_of_the_rooms_connection_and_none_without_one() {
        let password = Secret::new(String::new());
        let settings = Settings::new("https://mail.example.com/EWS/Exchange.asmx", "adjourn", password);
        let mut router = ConnectionRouter::default();
        router.add(vec!["*@here.example".parse().unwrap()], Exchange::new(&settings).unwrap());
        let of = |room: &str| router.capabilities(&room.parse().unwrap());
        assert_eq!(of("r1@here.example"), Exchange::CAPABILITIES);
        assert_eq!(of("r1@elsewhere.example"), Capabilities::NONE);
    }
}
