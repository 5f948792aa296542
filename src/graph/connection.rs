//! One connection to Microsoft Graph, and the reads that several of its operations share. Decides nothing about events.

use std::sync::Arc;

use chrono::TimeDelta;

use super::capabilities::capabilities;
use super::client::GraphClient;
use super::contents::{body, elements, read_event};
use super::effect::Effect;
use super::event::EventContext;
use super::request;
use super::request_error::RequestError;
use super::resources::Page;
use super::settings::{GraphRights, GraphSettings};
use super::time_zones::RoomTimeZones;
use super::view::{PAGES_MAX, ViewAssembler, calendar_too_large, changed_while_read};
use crate::calendar::{Event, EventId, EventKind, RoomAddress, Window};
use crate::clock::{Clock as _, SystemClock, WitnessedClock};
use crate::connection_metrics::{ConnectionMetrics, Metric};
use crate::engine::{CalendarView, Capabilities, ErrorKind};
use crate::http::delivery::HttpResponse;
use crate::http::settings::SettingsError;
use crate::live::PollIntervals;

/// Reads of an event that is changed while the calendar is read.
const EVENT_READS_MAX: usize = 3;
/// How far after a series' start, and after now, its occurrences are looked for.
const SERIES_SHOWS_WITHIN: TimeDelta = TimeDelta::days(366);

/// One connection to Microsoft Graph with its application. Every request names its room's mailbox.
pub struct Graph {
    name: String,
    pub(super) client: GraphClient,
    pub(super) rights: GraphRights,
    zones: Arc<dyn RoomTimeZones>,
    pub(super) poll_intervals: PollIntervals,
}

impl Graph {
    /// Checks the settings; opens no connection yet.
    ///
    /// # Errors
    /// When the root or the CA file is unusable, or TLS cannot be set up.
    pub fn new(settings: &GraphSettings) -> Result<Self, SettingsError> {
        Ok(Self {
            name: settings.name.clone(),
            client: GraphClient::new(settings)?,
            rights: settings.rights,
            zones: settings.time_zones.clone(),
            poll_intervals: settings.poll_intervals,
        })
    }

    /// The connection's name in the configuration.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The root of Graph that requests go to.
    pub fn root(&self) -> &str {
        self.client.root.as_str()
    }

    /// What the rooms of this connection can do.
    pub const fn capabilities_of_rooms(&self) -> Capabilities {
        capabilities(self.rights)
    }

    /// Reports the server's `Date` headers to this clock. The first call counts.
    pub fn report_time_to(&self, clock: Arc<WitnessedClock>) {
        self.client.report_time_to(clock);
    }

    /// Checks that the room's calendar exists and is accessible, by the cheapest request that proves it.
    ///
    /// # Errors
    /// Why the request failed.
    pub async fn check_calendar(&self, room: &RoomAddress) -> Result<(), RequestError> {
        let read = |response: &HttpResponse| body::<serde_json::Value>(Effect::Read, response).map(drop);
        self.client.execute(room, &request::calendar(room), read).await
    }

    pub(super) fn context<'r>(&'r self, room: &'r RoomAddress) -> EventContext<'r> {
        EventContext { room, zones: &*self.zones }
    }

    /// All events of a window, from all pages.
    pub(super) async fn view(
        &self,
        room: &RoomAddress,
        window: Window,
    ) -> Result<CalendarView, RequestError> {
        let mut all = ViewAssembler::new(window, self.context(room));
        let mut pages = self.pages(room, request::calendar_view(room, window), PAGES_MAX);
        while let Some(events) = pages.next(|page| all.read(elements(page)?)).await? {
            all.add(events)?;
        }
        if !pages.is_complete() {
            return Err(calendar_too_large());
        }
        if pages.received() > 1 {
            self.check_no_event_missed(room, window, &all).await?;
        }
        Ok(all.finish())
    }

    /// Lists the events again. Pages are counted by events: after a deletion on an earlier page, the next one begins one event too far.
    async fn check_no_event_missed(
        &self,
        room: &RoomAddress,
        window: Window,
        all: &ViewAssembler<'_>,
    ) -> Result<(), RequestError> {
        let has_missed = |page: &Page<'_>| Ok(elements(page)?.iter().any(|element| all.has_missed(element)));
        let mut pages = self.pages(room, request::versions_in_view(room, window), PAGES_MAX);
        while let Some(has_missed) = pages.next(has_missed).await? {
            if has_missed {
                return Err(changed_while_read());
            }
        }
        if pages.is_complete() { Ok(()) } else { Err(calendar_too_large()) }
    }

    /// An event by its id, in any folder. With `is_immutable`, the server must return this id.
    pub(super) async fn event_in_any_folder(
        &self,
        room: &RoomAddress,
        id: &EventId,
        is_immutable: bool,
    ) -> Result<Option<Event>, RequestError> {
        let context = self.context(room);
        let read = |response: &HttpResponse| read_event(response, is_immutable.then_some(id), context);
        found(self.client.execute(room, &request::event(room, id), read).await)
    }

    /// An event by its id, if the room's calendar shows it: an immutable id also names an event that was moved to Deleted Items. The
    /// event may be moved to another time between the two reads, so it is gone only if it is the same after them.
    pub(super) async fn event_in_calendar(
        &self,
        room: &RoomAddress,
        id: &EventId,
        is_immutable: bool,
    ) -> Result<Option<Event>, RequestError> {
        let mut read = self.event_in_any_folder(room, id, is_immutable).await?;
        for _ in 0..EVENT_READS_MAX {
            let Some(event) = read else { return Ok(None) };
            if let Some(shown) = self.shown_in_calendar(room, &event).await? {
                return Ok(Some(shown));
            }
            read = self.event_in_any_folder(room, id, is_immutable).await?;
            if read.as_ref().is_some_and(|again| is_same_version(again, &event)) {
                return Ok(None);
            }
        }
        Err(RequestError::InvalidResponse("the event changed while it was read".to_owned()))
    }

    /// The event as the room's calendar shows it, which is its later version.
    async fn shown_in_calendar(
        &self,
        room: &RoomAddress,
        event: &Event,
    ) -> Result<Option<Event>, RequestError> {
        if event.kind == EventKind::Series {
            return self.check_series_in_calendar(room, event).await.map(|()| Some(event.clone()));
        }
        let minute = TimeDelta::minutes(1);
        let Some(around) = Window::clamped(event.start - minute, event.end + minute) else { return Ok(None) };
        let shown = self.view(room, around).await?;
        let is_unreadable = shown.unreadable.iter().any(|one| one.id.as_ref() == Some(&event.id));
        let readable = shown.events.into_iter().find(|one| one.id == event.id);
        Ok(readable.or_else(|| is_unreadable.then(|| event.clone())))
    }

    /// Checks that the room's calendar shows occurrences of this series, after its start or from now on. A series without any may have
    /// later ones, or may be in Deleted Items: it is never known to be gone.
    async fn check_series_in_calendar(&self, room: &RoomAddress, series: &Event) -> Result<(), RequestError> {
        for from in [series.start, SystemClock.now() - TimeDelta::days(1)] {
            let Some(window) = Window::clamped(from, from + SERIES_SHOWS_WITHIN) else { continue };
            let shown = self.view(room, window).await?;
            if shown.events.iter().any(|one| one.uid.is_some() && one.uid == series.uid) {
                return Ok(());
            }
        }
        let code = "a series of which the calendar shows no occurrence".to_owned();
        Err(RequestError::Refused(ErrorKind::Unknown, code))
    }
}

fn is_same_version(one: &Event, other: &Event) -> bool {
    let version = |event: &Event| (event.change_key.clone(), event.start, event.end);
    version(one) == version(other)
}

/// `None` for an event that does not exist.
pub(super) fn found<T>(result: Result<T, RequestError>) -> Result<Option<T>, RequestError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(RequestError::Refused(ErrorKind::Gone, _)) => Ok(None),
        Err(failed) => Err(failed),
    }
}

impl ConnectionMetrics for Graph {
    fn metrics(&self) -> Vec<Metric> {
        let waiting = u64::try_from(self.client.queued_requests()).unwrap_or(u64::MAX);
        let own = [
            ("throttled", "waits", self.client.throttled()),
            ("waiting", "requests", waiting),
            ("answers_held_up", "memory", self.client.answer_budget.waits()),
        ];
        let number = |(kind, label, count): (_, &str, _)| Metric {
            connection: self.name.clone(),
            kind,
            label: label.to_owned(),
            count,
        };
        own.map(number).into()
    }

    fn connection_of(&self, _: &RoomAddress) -> Option<String> {
        Some(self.name.clone())
    }
}
