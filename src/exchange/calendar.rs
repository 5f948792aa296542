//! Implements the engine's `Calendar` traits for reading and writing with EWS operations. Translates a step into one operation and its response
//! into an outcome; decides nothing about events.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

use super::classify::{RetryDecision, proves_nothing_done};
use super::client::EwsClient;
use super::contents;
use super::event::{event, series};
use super::request_error::RequestError;
use super::response_messages::{require_success, single_message, unexpected_response};
use super::server_state::ServerKey;
use super::settings::{Access, Settings};
use super::view::{VIEW_ENTRIES_MAX, WindowAssembler, read_items};
use crate::action::{EventSnapshot, Notify, Step};
use crate::before_send::BeforeSend;
use crate::calendar::{ChangeKey, Event, EventId, EventKind, RoomAddress, Series, Uid, Window};
use crate::clock::WitnessedClock;
use crate::connection_metrics::{ConnectionMetrics, Metric};
use crate::engine::ErrorKind;
use crate::engine::{
    CalendarError, CalendarReader, CalendarView, CalendarWriter, Capabilities, DeletedLookup, EventLookup,
    Occupancy, TraceLookup, Trail, WriteOutcome, WriteReport,
};
use crate::ews::codec::SoapBody;
use crate::ews::op::{
    CreateItem, DeleteItem, DeleteType, DistinguishedFolder, Effect, FindItem, FolderId, FreeBusyView,
    GetFolder, GetItem, GetRecurringMaster, GetUserAvailability, ItemRef, ListItems, MoveItem,
    NewCalendarItem, Property, ResponseObject, SendUpdates, UpdateItem,
};
use crate::ews::types::{Item, OtherItem, ResponseMessage};
use crate::http::settings::SettingsError;

/// A series has an occurrence within this time after its first.
const SERIES_SHOWS_WITHIN: TimeDelta = TimeDelta::days(366);
/// Rooms in one GetUserAvailability (`ErrorMailboxDataArrayTooBig`).
const AVAILABILITY_ROOMS_MAX: usize = 100;
/// The longest GetUserAvailability (`ErrorTimeIntervalTooBig`).
const AVAILABILITY_SPAN_MAX: TimeDelta = TimeDelta::days(42);
/// Entries of Deleted Items per request …
const DELETED_PAGE: u32 = 200;
/// … and in all, the last deleted first; earlier ones are not found.
const DELETED_SEARCHED_MAX: u32 = 5_000;
/// Messages of Sent Items that are searched, the latest first: a room sends few.
const SENT_SEARCHED: u32 = 200;
/// Largest difference between our clock and Exchange's; Kerberos rejects a larger one.
const CLOCKS_APART: TimeDelta = TimeDelta::minutes(5);
/// The coarsest interval that Exchange accepts for a day: only whether anything is there matters.
const AVAILABILITY_INTERVAL_MINUTES: u32 = 60;

/// One Exchange connection with its service account.
pub struct Exchange {
    name: String,
    pub(super) client: Arc<EwsClient>,
    pub(super) stream_idle_timeout: Duration,
}

impl Exchange {
    /// Checks the settings; opens no connection yet.
    ///
    /// # Errors
    /// When the URL or the CA file is unusable, or TLS cannot be set up.
    pub fn new(settings: &Settings) -> Result<Self, SettingsError> {
        let client = Arc::new(EwsClient::new(settings)?);
        let (name, silence) = (settings.name.clone(), settings.stream_idle_timeout);
        Ok(Self { name, client, stream_idle_timeout: silence })
    }

    /// The connection's name in the configuration.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Reports the servers' `Date` headers to this clock. The first call counts.
    pub fn report_time_to(&self, clock: Arc<WitnessedClock>) {
        self.client.report_time_to(clock);
    }

    /// Resolves the EWS URL of the room's server, running Autodiscover on a cache miss.
    ///
    /// # Errors
    /// Why no server was found.
    pub async fn find_server(&self, room: &RoomAddress) -> Result<Option<String>, RequestError> {
        Ok(match self.client.find_server(room).await? {
            ServerKey::Url(url) => Some(url.to_string()),
            ServerKey::Autodiscover => None,
        })
    }

    /// Build of the server that answered last, as `15.2.1748.10`.
    pub fn build(&self) -> Option<String> {
        self.client.build()
    }

    /// Checks that the room's calendar exists and is accessible, by the cheapest request that proves it (`GetFolder`).
    /// Returns the number of its items, if the server reports it.
    ///
    /// # Errors
    /// Why the request failed.
    pub async fn check_calendar(&self, room: &RoomAddress) -> Result<Option<u32>, RequestError> {
        let get =
            GetFolder { folder: self.folder(DistinguishedFolder::Calendar, room), effective_rights: false };
        let read = |body: &SoapBody<'_>| match body {
            SoapBody::GetFolder(messages) => Ok(contents::folder(messages)?.total_count),
            _ => Err(wrong_response_type(Effect::Read)),
        };
        self.client.execute(room, &get, read).await
    }

    /// Whether the account may create items in the room's calendar; `None` when the server does not return it.
    ///
    /// # Errors
    /// Why the request failed.
    pub async fn can_create_items(&self, room: &RoomAddress) -> Result<Option<bool>, RequestError> {
        let get =
            GetFolder { folder: self.folder(DistinguishedFolder::Calendar, room), effective_rights: true };
        let read = |body: &SoapBody<'_>| match body {
            SoapBody::GetFolder(messages) => {
                let rights = contents::folder(messages)?.effective_rights.as_ref();
                Ok(rights.and_then(|rights| rights.create_contents))
            }
            _ => Err(wrong_response_type(Effect::Read)),
        };
        self.client.execute(room, &get, read).await
    }

    /// Responses by the path that decoded them.
    pub fn decode_stats(&self) -> BTreeMap<String, u64> {
        self.client.decode_stats.counts()
    }

    /// Id of a folder of the room: its own folder under impersonation, the named mailbox's with delegate access.
    fn folder<'r>(&self, folder: DistinguishedFolder, room: &'r RoomAddress) -> FolderId<'r> {
        self.client.folder(folder, room)
    }

    fn response<'r>(
        &self,
        room: &'r RoomAddress,
        item: ItemRef<'r>,
        text: &'r Option<String>,
    ) -> ResponseObject<'r> {
        ResponseObject {
            item,
            text: text.as_deref(),
            // With delegate access the copy belongs in the room's Sent Items, not in the delegate's own.
            saved_in: match self.client.access() {
                Access::Impersonation => None,
                Access::Delegate => Some(FolderId::InMailbox(DistinguishedFolder::SentItems, room.as_str())),
            },
        }
    }

    /// One CalendarView; `None` if the server has more items than it returns at once.
    async fn view(&self, room: &RoomAddress, window: Window) -> Result<Option<CalendarView>, RequestError> {
        let find = FindItem {
            folder: self.folder(DistinguishedFolder::Calendar, room),
            start: window.start(),
            end: window.end(),
            max_entries: VIEW_ENTRIES_MAX,
            properties: Property::EVENT,
        };
        let found = self.client.execute(room, &find, |body| {
            let SoapBody::FindItem(messages) = body else { return Err(wrong_response_type(Effect::Read)) };
            contents::view(messages)?.map(|items| read_items(items, window)).transpose()
        });
        match found.await {
            Err(RequestError::Refused(ErrorKind::TooLarge, _)) => Ok(None),
            answered => answered,
        }
    }

    /// One page of Deleted Items, the last deleted first, and the offset of the next page.
    async fn deleted_page(
        &self,
        room: &RoomAddress,
        offset: u32,
    ) -> Result<(Vec<Event>, Option<u32>), RequestError> {
        let list = ListItems {
            folder: self.folder(DistinguishedFolder::DeletedItems, room),
            offset,
            max_entries: DELETED_PAGE,
            properties: Property::EVENT,
        };
        let read = |body: &SoapBody<'_>| {
            let SoapBody::FindItem(messages) = body else { return Err(wrong_response_type(Effect::Read)) };
            let (items, more) = contents::page(messages, offset, DELETED_PAGE)?;
            // A deleted item without usable times is not the searched one.
            let events = items.iter().filter_map(|item| match item {
                Item::Calendar(item) => event(item).ok(),
                Item::Other(_) => None,
            });
            Ok((events.collect(), more.then_some(offset.saturating_add(DELETED_PAGE))))
        };
        self.client.execute(room, &list, read).await
    }

    /// Reads the item and checks that it still has this version. Exchange compares no version when it moves or deletes
    /// an item, so it is read just before.
    async fn read_unchanged(
        &self,
        room: &RoomAddress,
        id: &EventId,
        version: &ChangeKey,
    ) -> Result<Event, RequestError> {
        match self.item(room, id).await? {
            None => {
                Err(RequestError::Refused(ErrorKind::Gone, "the event was deleted just before".to_owned()))
            }
            Some(event) if event.change_key != *version => Err(RequestError::Refused(
                ErrorKind::Conflict,
                "the event was changed just before".to_owned(),
            )),
            Some(event) => Ok(event),
        }
    }

    /// The item of an id from outside, in EWS's or Graph's spelling; `None` if it is not found.
    async fn item_by_external_id(
        &self,
        room: &RoomAddress,
        id: &EventId,
    ) -> Result<Option<Event>, RequestError> {
        self.item(room, &as_ews_id(id)).await
    }

    /// An item by its id, in any folder.
    pub(super) async fn item(&self, room: &RoomAddress, id: &EventId) -> Result<Option<Event>, RequestError> {
        let get =
            GetItem { items: &[ItemRef { id: id.as_str(), change_key: None }], properties: Property::EVENT };
        let got = self.client.execute(room, &get, |body| {
            let SoapBody::GetItem(messages) = body else { return Err(wrong_response_type(Effect::Read)) };
            event(contents::item(messages, id.as_str())?).map_err(missing_property)
        });
        match got.await {
            Ok(event) => Ok(Some(event)),
            Err(RequestError::Refused(ErrorKind::Gone, _)) => Ok(None),
            Err(failed) => Err(failed),
        }
    }

    /// Whether the room's calendar shows this event, or occurrences of this series.
    async fn is_in_calendar(&self, room: &RoomAddress, event: &Event) -> Result<bool, CalendarError> {
        let is_series = event.kind == EventKind::Series;
        let (from, to) = match is_series {
            true => (event.start, event.start + SERIES_SHOWS_WITHIN),
            false => (event.start - TimeDelta::minutes(1), event.end + TimeDelta::minutes(1)),
        };
        let Some(around) = Window::clamped(from, to) else { return Ok(false) };
        let shown = self.events(room, around).await?;
        Ok(match is_series {
            true => shown.events.iter().any(|one| one.uid.is_some() && one.uid == event.uid),
            false => {
                let unreadable = shown.unreadable.iter().filter_map(|one| one.id.as_ref());
                shown.events.iter().map(|one| &one.id).chain(unreadable).any(|id| *id == event.id)
            }
        })
    }

    async fn move_item(
        &self,
        room: &RoomAddress,
        item: ItemRef<'_>,
        to: DistinguishedFolder,
        trail: &mut Trail<'_>,
    ) -> Result<(), RequestError> {
        let back = MoveItem { items: &[item], to: self.folder(to, room) };
        let read = |body: &SoapBody<'_>| match body {
            SoapBody::MoveItem(messages) => contents::created_or_moved(messages),
            _ => Err(wrong_response_type(Effect::Write)),
        };
        self.client.execute_traced(room, &back, read, trail).await
    }

    async fn set_end(
        &self,
        room: &RoomAddress,
        item: ItemRef<'_>,
        step: &Step,
        trail: &mut Trail<'_>,
    ) -> Result<(), RequestError> {
        let Step::SetEnd { end, notify, .. } = step else { return Ok(()) };
        let update = UpdateItem {
            item,
            end: *end,
            send: match notify {
                Notify::Attendees => SendUpdates::ToAllAndSaveCopy,
                Notify::Nobody => SendUpdates::ToNone,
            },
        };
        let read = |body: &SoapBody<'_>| match body {
            SoapBody::UpdateItem(messages) => contents::updated(messages),
            _ => Err(wrong_response_type(Effect::Write)),
        };
        let updated = self.client.execute_traced(room, &update, read, trail).await?;
        match updated.is_same(&EventId::new(item.id)) || self.ends_as_an_exception(room, &updated, *end).await
        {
            true => Ok(()),
            false => Err(RequestError::InDoubt(contents::ANOTHER_ITEM.to_owned())),
        }
    }

    /// Whether this item is an exception of a series and ends then: the first change makes an occurrence an exception,
    /// which may get another id.
    async fn ends_as_an_exception(&self, room: &RoomAddress, id: &EventId, end: DateTime<Utc>) -> bool {
        match self.item(room, id).await {
            Ok(Some(event)) => event.kind == EventKind::Exception && event.end == end,
            _ => false,
        }
    }

    async fn respond(
        &self,
        room: &RoomAddress,
        create: CreateItem<'_>,
        trail: &mut Trail<'_>,
    ) -> Result<(), RequestError> {
        let is_new = matches!(create, CreateItem::CalendarItem(_));
        let read = |body: &SoapBody<'_>| match body {
            SoapBody::CreateItem(messages) if is_new => contents::created_or_moved(messages),
            SoapBody::CreateItem(messages) => contents::responded(messages),
            _ => Err(wrong_response_type(Effect::Write)),
        };
        self.client.execute_traced(room, &create, read, trail).await
    }

    async fn remove(
        &self,
        room: &RoomAddress,
        event: &Event,
        item: ItemRef<'_>,
        trail: &mut Trail<'_>,
    ) -> Result<(), RequestError> {
        // With delegate access DeleteItem cannot move to Deleted Items ("DeleteItem operation"), so the item is moved.
        // An occurrence cannot be moved, and leaves nothing in Deleted Items either way.
        let is_delegate = self.client.access() == Access::Delegate;
        if is_delegate && !event.kind.is_date_of_series() {
            return self.move_item(room, item, DistinguishedFolder::DeletedItems, trail).await;
        }
        let delete = DeleteItem {
            items: &[item],
            delete_type: if is_delegate { DeleteType::SoftDelete } else { DeleteType::MoveToDeletedItems },
        };
        let read = |body: &SoapBody<'_>| match body {
            SoapBody::DeleteItem(messages) => single_message(Effect::Write, messages).map(drop),
            _ => Err(wrong_response_type(Effect::Write)),
        };
        self.client.execute_traced(room, &delete, read, trail).await
    }

    /// Availability of at most [`AVAILABILITY_ROOMS_MAX`] rooms, requested in the first one's name.
    async fn availability(
        &self,
        rooms: &[RoomAddress],
        window: Window,
    ) -> Result<Vec<Occupancy>, RequestError> {
        let Some(asking) = rooms.first() else { return Ok(Vec::new()) };
        let mailboxes: Vec<&str> = rooms.iter().map(RoomAddress::as_str).collect();
        let ask = GetUserAvailability {
            mailboxes: &mailboxes,
            start: window.start(),
            end: window.end(),
            interval_minutes: AVAILABILITY_INTERVAL_MINUTES,
        };
        let read = |body: &SoapBody<'_>| match body {
            SoapBody::GetUserAvailability(messages) if messages.len() == rooms.len() => {
                Ok(messages.iter().map(|message| occupancy(message, window)).collect())
            }
            _ => Err(wrong_response_type(Effect::Read)),
        };
        self.client.execute(asking, &ask, read).await
    }
}

#[async_trait]
impl CalendarReader for Exchange {
    async fn events(&self, room: &RoomAddress, window: Window) -> Result<CalendarView, CalendarError> {
        let (mut open, mut all) = (vec![window], WindowAssembler::new(window));
        while let Some(part) = open.pop() {
            all.count_view()?;
            match self.view(room, part).await? {
                Some(view) => all.add(view)?,
                None => {
                    let (early, late) = part.halves().ok_or_else(too_dense)?;
                    open.extend([late, early]);
                }
            }
        }
        Ok(all.finish())
    }

    async fn event(&self, room: &RoomAddress, id: &EventId) -> Result<Option<Event>, CalendarError> {
        Ok(self.item(room, id).await?)
    }

    async fn event_by_external_id(
        &self,
        room: &RoomAddress,
        id: &EventId,
    ) -> Result<EventLookup, CalendarError> {
        let found = match self.item_by_external_id(room, id).await {
            Err(RequestError::Refused(ErrorKind::InvalidId, code)) => {
                return Ok(EventLookup::InvalidId { code });
            }
            found => found?,
        };
        match (self.client.access(), &found) {
            (Access::Impersonation, _) => {}
            // With delegate access an item id opens any readable mailbox, and an unreadable item looks absent; so check
            // that the item is in this room's calendar.
            (Access::Delegate, Some(event)) if !self.is_in_calendar(room, event).await? => {
                return Err(RequestError::Refused(
                    ErrorKind::Denied,
                    "the event is not in this room's calendar".to_owned(),
                )
                .into());
            }
            (Access::Delegate, Some(_)) => {}
            (Access::Delegate, None) => drop(self.check_calendar(room).await?),
        }
        Ok(found.map_or(EventLookup::NotFound, |event| EventLookup::Found(Box::new(event))))
    }

    async fn series(&self, room: &RoomAddress, date: &EventId) -> Result<Option<Series>, CalendarError> {
        let occurrence = ItemRef { id: date.as_str(), change_key: None };
        let get = GetRecurringMaster { occurrence, properties: Property::SERIES };
        found_series(self.client.execute(room, &get, |body| read_series(body, None)).await)
    }

    async fn series_by_id(
        &self,
        room: &RoomAddress,
        series: &EventId,
    ) -> Result<Option<Series>, CalendarError> {
        let items = [ItemRef { id: series.as_str(), change_key: None }];
        let get = GetItem { items: &items, properties: Property::SERIES };
        found_series(self.client.execute(room, &get, |body| read_series(body, Some(series))).await)
    }

    async fn find_deleted(
        &self,
        room: &RoomAddress,
        seen: &EventSnapshot,
    ) -> Result<DeletedLookup, CalendarError> {
        let (mut offset, mut found) = (0, None);
        while found.is_none() && offset < DELETED_SEARCHED_MAX {
            let (events, next) = self.deleted_page(room, offset).await?;
            found = events.into_iter().find(|event| is_same_event(event, seen));
            let Some(next) = next.filter(|next| *next > offset) else { break };
            offset = next;
        }
        Ok(found.map_or(DeletedLookup::NotFound, |event| DeletedLookup::Found(Box::new(event))))
    }

    async fn find_sent_message(
        &self,
        room: &RoomAddress,
        step: &Step,
        about: &Event,
        since: DateTime<Utc>,
    ) -> Result<TraceLookup, CalendarError> {
        let list = ListItems {
            folder: self.folder(DistinguishedFolder::SentItems, room),
            offset: 0,
            max_entries: SENT_SEARCHED,
            properties: Property::MESSAGE,
        };
        let since = since - CLOCKS_APART;
        let found = self.client.execute(room, &list, |body| {
            let SoapBody::FindItem(messages) = body else { return Err(wrong_response_type(Effect::Read)) };
            let (items, _) = contents::page(messages, 0, SENT_SEARCHED)?;
            Ok(items
                .iter()
                .any(|item| matches!(item, Item::Other(item) if is_message_of(item, step, about, since))))
        });
        Ok(match found.await? {
            true => TraceLookup::Found,
            false => TraceLookup::NotFound,
        })
    }

    async fn occupancy(
        &self,
        rooms: &[RoomAddress],
        window: Window,
    ) -> Result<Vec<Occupancy>, CalendarError> {
        if window.end() - window.start() > AVAILABILITY_SPAN_MAX {
            return Ok(vec![Occupancy::MaybeBusy; rooms.len()]);
        }
        let mut all = Vec::with_capacity(rooms.len());
        for group in rooms.chunks(AVAILABILITY_ROOMS_MAX) {
            match self.availability(group, window).await {
                Ok(answers) => all.extend(answers),
                // One room without access, or with an unreadable response, must not hide the others: each may be busy.
                Err(RequestError::Refused(..) | RequestError::InvalidResponse(_)) => {
                    all.extend(vec![Occupancy::MaybeBusy; group.len()])
                }
                Err(failed) => return Err(failed.into()),
            }
        }
        Ok(all)
    }
}

#[async_trait]
impl CalendarWriter for Exchange {
    fn capabilities(&self, _: &RoomAddress) -> Capabilities {
        Self::CAPABILITIES
    }

    async fn write(&self, room: &RoomAddress, step: &Step, before: &dyn BeforeSend) -> WriteReport {
        let mut trail = Trail::new(before);
        let item = item(step);
        let done = match step {
            Step::Book { uid, start, end, subject } => {
                let new = NewCalendarItem {
                    subject,
                    uid: uid.as_str(),
                    start: *start,
                    end: *end,
                    calendar: self.folder(DistinguishedFolder::Calendar, room),
                };
                self.respond(room, CreateItem::CalendarItem(new), &mut trail).await
            }
            Step::SetEnd { .. } => self.set_end(room, item, step, &mut trail).await,
            Step::Decline { text, .. } => {
                self.respond(room, CreateItem::Decline(self.response(room, item, text)), &mut trail).await
            }
            Step::Cancel { text, .. } => {
                self.respond(room, CreateItem::Cancel(self.response(room, item, text)), &mut trail).await
            }
            Step::Remove { id, change_key } => match self.read_unchanged(room, id, change_key).await {
                Ok(event) => self.remove(room, &event, item, &mut trail).await,
                Err(failed) => Err(failed),
            },
            Step::MoveBack { id, change_key } => match self.read_unchanged(room, id, change_key).await {
                Ok(_) => self.move_item(room, item, DistinguishedFolder::Calendar, &mut trail).await,
                Err(failed) => Err(failed),
            },
        };
        let written = match done {
            Ok(()) => WriteOutcome::Done,
            Err(RequestError::Refused(ErrorKind::Gone, _)) => WriteOutcome::Gone,
            Err(RequestError::Refused(ErrorKind::Conflict, _)) => WriteOutcome::Conflict,
            Err(busy @ RequestError::Busy(_)) => WriteOutcome::Throttled(busy.into()),
            Err(doubt @ RequestError::InDoubt(_)) => WriteOutcome::InDoubt(doubt.into()),
            Err(RequestError::Refused(kind, code))
                if !trail.requests.is_empty() && !proves_nothing_done(&code) =>
            {
                WriteOutcome::Unproven(RequestError::Refused(kind, code).into())
            }
            Err(failed) => WriteOutcome::NotApplied(failed.into()),
        };
        WriteReport { outcome: written, requests: trail.requests }
    }
}

impl ConnectionMetrics for Exchange {
    fn metrics(&self) -> Vec<Metric> {
        let decoded =
            self.client.decode_stats.counts().into_iter().map(|(path, count)| ("decoded", path, count));
        let waiting = u64::try_from(self.client.queued_requests()).unwrap_or(u64::MAX);
        let (account_refusals, room_refusals) = self.client.lockout.failure_counts();
        let resting = u64::try_from(self.client.lockout.rejected_room_count()).unwrap_or(u64::MAX);
        let own = [
            ("throttled", "waits".to_owned(), self.client.throttled()),
            ("waiting", "requests".to_owned(), waiting),
            ("sign_ins_refused", "account".to_owned(), account_refusals),
            ("sign_ins_refused", "room".to_owned(), room_refusals),
            ("refused_rooms", "rooms".to_owned(), resting),
            ("answers_held_up", "memory".to_owned(), self.client.answer_budget.waits()),
        ];
        let number = |(kind, label, count)| Metric { connection: self.name.clone(), kind, label, count };
        decoded.chain(own).map(number).collect()
    }

    fn connection_of(&self, _: &RoomAddress) -> Option<String> {
        Some(self.name.clone())
    }
}

/// The series, if the item is a series master, with this id if one was requested.
fn read_series(body: &SoapBody<'_>, id: Option<&EventId>) -> Result<Series, RetryDecision> {
    let SoapBody::GetItem(messages) = body else { return Err(wrong_response_type(Effect::Read)) };
    let item = match id {
        Some(id) => contents::item(messages, id.as_str())?,
        None => contents::calendar_item(messages)?,
    };
    let series = series(item).map_err(missing_property)?;
    match series.master.kind {
        EventKind::Series => Ok(series),
        _ => Err(unexpected_response(Effect::Read, contents::ANOTHER_ITEM.to_owned())),
    }
}

fn found_series(got: Result<Series, RequestError>) -> Result<Option<Series>, CalendarError> {
    match got {
        Ok(series) => Ok(Some(series)),
        Err(RequestError::Refused(ErrorKind::Gone, _)) => Ok(None),
        Err(failed) => Err(failed.into()),
    }
}

/// Graph and the REST API write `/` as `-` and `+` as `_`; an EWS id contains neither, so the conversion back is
/// unambiguous.
fn as_ews_id(id: &EventId) -> EventId {
    EventId::new(id.as_str().replace('-', "/").replace('_', "+"))
}

/// The item that the step changes; empty for a booking.
fn item(step: &Step) -> ItemRef<'_> {
    step.item().map_or(ItemRef { id: "", change_key: None }, |(id, change_key)| ItemRef {
        id: id.as_str(),
        change_key: Some(change_key.as_str()),
    })
}

/// Whether this message is the one that the step sends about the event.
fn is_message_of(item: &OtherItem<'_>, step: &Step, about: &Event, since: DateTime<Utc>) -> bool {
    let class = match step {
        Step::Decline { .. } => "IPM.Schedule.Meeting.Resp.Neg",
        Step::Cancel { .. } => "IPM.Schedule.Meeting.Canceled",
        Step::SetEnd { .. } | Step::Remove { .. } | Step::Book { .. } | Step::MoveBack { .. } => {
            return false;
        }
    };
    let uid = about.uid.as_ref().map(Uid::as_str);
    item.item_class.as_deref() == Some(class)
        && uid.is_some()
        && item.uid.as_deref() == uid
        && item.start == Some(about.start)
        && item.date_time_sent.is_some_and(|sent| sent >= since)
}

/// Compares UID and times: the id changes when an item is moved.
fn is_same_event(event: &Event, seen: &EventSnapshot) -> bool {
    event.uid == seen.uid && event.uid.is_some() && event.start == seen.start && event.end == seen.end
}

fn missing_property(missing: &str) -> RetryDecision {
    unexpected_response(Effect::Read, format!("a calendar item without {missing}"))
}

/// Only a complete view of the whole window without any event proves that the room is free. In every other case (no
/// rights, no data, a view that is too short) the room may be busy.
fn occupancy(message: &ResponseMessage<'_, FreeBusyView<'_>>, window: Window) -> Occupancy {
    let view = &message.payload;
    let tells_events = view
        .view_type
        .as_deref()
        .is_some_and(|kind| matches!(kind, "Detailed" | "DetailedMerged" | "FreeBusyMerged"));
    let intervals = (window.end() - window.start()).num_minutes() / i64::from(AVAILABILITY_INTERVAL_MINUTES);
    let free = view.merged.as_deref().is_some_and(|merged| {
        let states = i64::try_from(merged.len()).unwrap_or(i64::MAX);
        // One interval more if the window ends inside one.
        (intervals.max(1)..=intervals + 1).contains(&states) && merged.bytes().all(|state| state == b'0')
    });
    match require_success(Effect::Read, message) {
        Ok(_) if tells_events && free && view.events.is_empty() => Occupancy::Free,
        _ => Occupancy::MaybeBusy,
    }
}

pub(super) fn wrong_response_type(effect: Effect) -> RetryDecision {
    unexpected_response(effect, "a response to another operation".to_owned())
}

fn too_dense() -> CalendarError {
    RequestError::Refused(
        ErrorKind::TooLarge,
        "more events in one second than Exchange returns at once".to_owned(),
    )
    .into()
}
