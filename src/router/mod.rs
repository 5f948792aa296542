//! Routes each room's operations to the connection that is configured for the room. Decides by the room's address alone, and never
//! asks one server about another one's rooms.

mod connection;

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures_util::future::join_all;

use crate::action::{EventSnapshot, ResponsibleParty, Step};
use crate::before_send::BeforeSend;
use crate::calendar::{Event, EventId, RoomAddress, RoomPattern, Series, Window};
use crate::clock::WitnessedClock;
use crate::connection_metrics::{ConnectionMetrics, Metric};
use crate::engine::{
    AddressLookup, CalendarError, CalendarReader, CalendarView, CalendarWriter, Capabilities, DeletedLookup,
    Directory, ErrorKind, EventLookup, Occupancy, PersonLookup, Place, TraceLookup, WriteOutcome,
    WriteReport,
};
use crate::live::{ChangeStream, Feed, PollIntervals, SubscriptionGroup, SyncResult, SyncState};

pub use connection::Connection;

/// All configured connections.
#[derive(Default)]
pub struct ConnectionRouter {
    routes: Vec<(Vec<RoomPattern>, Arc<dyn Connection>)>,
    fallback: Option<Arc<dyn Connection>>,
}

impl ConnectionRouter {
    /// Adds the connection of these rooms. If several match a room, the first counts.
    pub fn add(&mut self, rooms: Vec<RoomPattern>, connection: impl Connection + 'static) {
        self.routes.push((rooms, Arc::new(connection)));
    }

    /// Sets the connection of all other rooms.
    pub fn set_fallback(&mut self, connection: impl Connection + 'static) {
        self.fallback = Some(Arc::new(connection));
    }

    /// All connections, in the order of the configuration.
    fn all(&self) -> impl Iterator<Item = &Arc<dyn Connection>> {
        self.routes.iter().map(|(_, connection)| connection).chain(&self.fallback)
    }

    /// Reports the `Date` headers of every server to this clock.
    pub fn report_time_to(&self, clock: &Arc<WitnessedClock>) {
        self.all().for_each(|connection| connection.report_time_to(clock.clone()));
    }

    /// The connection that is configured for this room.
    ///
    /// # Errors
    /// When none is configured.
    pub fn route(&self, room: &RoomAddress) -> Result<&Arc<dyn Connection>, CalendarError> {
        let named = self.routes.iter().find(|(rooms, _)| rooms.iter().any(|pattern| pattern.matches(room)));
        named.map(|(_, connection)| connection).or(self.fallback.as_ref()).ok_or_else(|| {
            let advice = format!(
                "no connection is configured for {room}; add the room to `rooms` of a connection, or set [server]"
            );
            CalendarError::new(ErrorKind::Configuration, ResponsibleParty::Administrator, advice, "no connection")
        })
    }

    /// Whether the room is one of this connection's.
    fn leads_to(&self, room: &RoomAddress, connection: &Arc<dyn Connection>) -> bool {
        self.route(room).is_ok_and(|own| Arc::ptr_eq(own, connection))
    }
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
        for connection in self.all() {
            let leads_here = |room: &&RoomAddress| self.leads_to(room, connection);
            let here: Vec<RoomAddress> = rooms.iter().filter(leads_here).cloned().collect();
            if here.is_empty() {
                continue;
            }
            match connection.occupancy(&here, window).await {
                Err(trouble) => first_trouble = first_trouble.or(Some(trouble)),
                Ok(answers) => {
                    answered = true;
                    let places = rooms.iter().zip(&mut all).filter(|(room, _)| leads_here(room));
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
        self.route(room).map_or(Capabilities::NONE, |connection| connection.capabilities(room))
    }

    async fn write(&self, room: &RoomAddress, step: &Step, before: &dyn BeforeSend) -> WriteReport {
        match self.route(room) {
            Ok(connection) => connection.write(room, step, before).await,
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

    async fn place(&self, room: &RoomAddress) -> Result<Option<Place>, CalendarError> {
        self.route(room)?.place(room).await
    }
}

#[async_trait]
impl Feed for ConnectionRouter {
    async fn group_rooms(&self, rooms: &[RoomAddress]) -> Vec<SubscriptionGroup> {
        let of = async |(number, connection): (usize, &Arc<dyn Connection>)| {
            let leads_here = |room: &&RoomAddress| self.leads_to(room, connection);
            let here: Vec<_> = rooms.iter().filter(leads_here).cloned().collect();
            let groups = connection.group_rooms(&here).await;
            groups
                .into_iter()
                .map(move |group| SubscriptionGroup { key: format!("{number} {}", group.key), ..group })
        };
        join_all(self.all().enumerate().map(of)).await.into_iter().flatten().collect()
    }

    fn group_rooms_max(&self) -> usize {
        self.all().map(|connection| connection.group_rooms_max()).max().unwrap_or(1)
    }

    fn change_stream(&self, group: &[RoomAddress]) -> Option<Box<dyn ChangeStream>> {
        self.route(group.first()?).ok()?.change_stream(group)
    }

    async fn sync_changes(
        &self,
        room: &RoomAddress,
        since: Option<&SyncState>,
    ) -> Result<SyncResult, CalendarError> {
        self.route(room)?.sync_changes(room, since).await
    }

    fn poll_intervals(&self, room: &RoomAddress) -> Option<PollIntervals> {
        self.route(room).ok()?.poll_intervals(room)
    }
}

impl ConnectionMetrics for ConnectionRouter {
    fn metrics(&self) -> Vec<Metric> {
        self.all().flat_map(|connection| connection.metrics()).collect()
    }

    fn connection_of(&self, room: &RoomAddress) -> Option<String> {
        self.route(room).ok()?.connection_of(room)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::{Exchange, Settings};
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
        let name = |room: &str| router.connection_of(&room.parse().unwrap());
        assert_eq!(name("r1@here.example"), router.metrics().first().map(|metric| metric.connection.clone()));
        assert_eq!(name("r1@elsewhere.example"), None);
    }
}
