//! The backend traits: the operations that the engine needs from a calendar server, whatever its protocol. [`CalendarReader`]
//! reads calendars, [`CalendarWriter`] changes them, [`Directory`] looks people and rooms up. A caller takes the trait that it
//! uses; the engine takes all three as one [`Calendar`].
//!
//! Implementations translate and deliver; they decide nothing. They send a write at most once: the engine decides about a
//! second attempt, after it has read the mailbox.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::capabilities::Capabilities;
use super::error::CalendarError;
use super::view::CalendarView;
use crate::action::{EventSnapshot, RequestIds, Step};
use crate::before_send::{BeforeSend, Unconditional};
use crate::calendar::{Event, EventId, RoomAddress, Series, Window};

/// Reads the rooms' calendars. A reader changes nothing.
#[async_trait]
pub trait CalendarReader: Send + Sync {
    /// All events of a room that overlap the window: single events, occurrences and exceptions. Some servers also return items
    /// that only touch it, so callers filter with [`occupancy`](crate::calendar::occupancy).
    /// Items that could not be decoded are returned beside the events.
    async fn events(&self, room: &RoomAddress, window: Window) -> Result<CalendarView, CalendarError>;

    /// One event as it is now; `None` when it does not exist or the room may not see it. The id may be one of the server that had the
    /// room before: the event is then returned under the id that this server has for the same item, or the id is not found, or
    /// rejected ([`ErrorKind::InvalidId`](super::ErrorKind)).
    async fn event(&self, room: &RoomAddress, id: &EventId) -> Result<Option<Event>, CalendarError>;

    /// The event of an id that a caller supplied. Never returns an event of another mailbox, and returns "not found" only for a
    /// calendar that the room may see. Translates ids of other APIs (Graph, REST).
    async fn event_by_external_id(
        &self,
        room: &RoomAddress,
        id: &EventId,
    ) -> Result<EventLookup, CalendarError> {
        let found = self.event(room, id).await?;
        Ok(found.map_or(EventLookup::NotFound, |event| EventLookup::Found(Box::new(event))))
    }

    /// The series of this date; `None` when it does not exist.
    async fn series(&self, room: &RoomAddress, date: &EventId) -> Result<Option<Series>, CalendarError>;

    /// The series with this id; `None` when it does not exist.
    async fn series_by_id(
        &self,
        room: &RoomAddress,
        series: &EventId,
    ) -> Result<Option<Series>, CalendarError>;

    /// The event in the room's Deleted Items, under its id there.
    async fn find_deleted(
        &self,
        room: &RoomAddress,
        seen: &EventSnapshot,
    ) -> Result<DeletedLookup, CalendarError>;

    /// Whether the room's Sent Items contain the message that this step sends about this event, sent at `since` or later.
    async fn find_sent_message(
        &self,
        room: &RoomAddress,
        step: &Step,
        about: &Event,
        since: DateTime<Utc>,
    ) -> Result<TraceLookup, CalendarError>;

    /// Whether each of these rooms has any event in the window, in the same order. May group requests.
    async fn occupancy(&self, rooms: &[RoomAddress], window: Window)
    -> Result<Vec<Occupancy>, CalendarError>;
}

/// Writes to the rooms' calendars.
#[async_trait]
pub trait CalendarWriter: Send + Sync {
    /// What the server of this room can do; [`Capabilities::NONE`] for a room without a server.
    fn capabilities(&self, room: &RoomAddress) -> Capabilities;

    /// Sends one step, once. Before a step that the server does not guard ([`Capabilities::guards`]), it reads the event and
    /// sends nothing if the version is another one. It asks `before` each time right before the step leaves the process; if the
    /// step may not leave, the outcome is [`WriteOutcome::Throttled`].
    async fn write(&self, room: &RoomAddress, step: &Step, before: &dyn BeforeSend) -> WriteReport;
}

/// Looks up people, mailboxes and room lists in the server's directory.
#[async_trait]
pub trait Directory: Send + Sync {
    /// Looks up, in the room's name, whether a person with this SMTP address exists.
    async fn find_person(&self, room: &RoomAddress, address: &str) -> Result<PersonLookup, CalendarError>;

    /// The organizer's SMTP address, also where the event has only an X.500 address; `None` when the server does not resolve it.
    async fn resolve_organizer(
        &self,
        room: &RoomAddress,
        event: &Event,
    ) -> Result<Option<String>, CalendarError>;

    /// Looks up, in the room's name, the mailbox that has this SMTP address as its primary or as a proxy address.
    async fn resolve_address(
        &self,
        room: &RoomAddress,
        address: &str,
    ) -> Result<AddressLookup, CalendarError>;

    /// The members of a room list, requested in the name of `asking`.
    async fn room_list_members(
        &self,
        room_list: &str,
        asking: &RoomAddress,
    ) -> Result<Vec<RoomAddress>, CalendarError>;

    /// What the directory has about the room; `None` when it shows nothing to this account.
    async fn place(&self, _room: &RoomAddress) -> Result<Option<Place>, CalendarError> {
        Ok(None)
    }
}

/// All that the engine needs from a server. Every type with the three traits has it.
pub trait Calendar: CalendarReader + CalendarWriter + Directory {}

impl<T: CalendarReader + CalendarWriter + Directory + ?Sized> Calendar for T {}

/// Result of looking up an id that a caller supplied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventLookup {
    /// This event.
    Found(Box<Event>),
    /// The server accepts the id, but has no such item or does not show it.
    NotFound,
    /// The server does not accept the id.
    InvalidId {
        /// The response code.
        code: String,
    },
}

/// Result of searching Deleted Items for an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeletedLookup {
    /// The event, under its id in that folder.
    Found(Box<Event>),
    /// The folder does not contain it.
    NotFound,
    /// The account cannot search the folder.
    Unknown,
}

/// Result of searching a folder for what a step leaves there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TraceLookup {
    /// The folder contains it.
    Found,
    /// The folder does not contain it.
    NotFound,
    /// The account cannot search the folder, so it proves neither.
    Unknown,
}

impl From<&DeletedLookup> for TraceLookup {
    fn from(found: &DeletedLookup) -> Self {
        match found {
            DeletedLookup::Found(_) => Self::Found,
            DeletedLookup::NotFound => Self::NotFound,
            DeletedLookup::Unknown => Self::Unknown,
        }
    }
}

/// Cached calendars, kept current by change notifications. They may be a moment old, so the engine uses them only where the
/// event's `ChangeKey` guards the write.
pub trait CalendarCache: Send + Sync {
    /// The room's events now and within the next hours; `None` when the cache is not current.
    fn events(&self, room: &RoomAddress) -> Option<Vec<Event>>;

    /// One of these events.
    fn event(&self, room: &RoomAddress, id: &EventId) -> Option<Event>;
}

/// The result of a write, and the ids of its requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteReport {
    /// The result.
    pub outcome: WriteOutcome,
    /// All requests that were sent for it, in order.
    pub requests: Vec<RequestIds>,
}

/// The requests of one operation on their way: what is asked before each leaves, and the ids of those that left.
pub(crate) struct Trail<'t> {
    pub(crate) before: &'t dyn BeforeSend,
    pub(crate) requests: Vec<RequestIds>,
}

impl<'t> Trail<'t> {
    pub(crate) fn new(before: &'t dyn BeforeSend) -> Self {
        Self { before, requests: Vec::new() }
    }
}

impl Default for Trail<'_> {
    fn default() -> Self {
        Self::new(&Unconditional)
    }
}

/// The result of a write, as far as the reply proves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WriteOutcome {
    /// The server carried it out.
    Done,
    /// The server reports the item as not found: it does not exist, or the account may not see it or write to it.
    Gone,
    /// The item was changed since it was read; the server did nothing.
    Conflict,
    /// The server is busy and did nothing, or the step was decided too long ago and was not sent. The next read waits for the server's back-off; then plan again.
    Throttled(CalendarError),
    /// The server did nothing, or never received the request.
    NotApplied(CalendarError),
    /// The server reported a failure that can follow the change, or the response is not from Exchange. Read the mailbox before
    /// calling it refused.
    Unproven(CalendarError),
    /// The write may have been carried out. Read the mailbox before doing anything else.
    InDoubt(CalendarError),
}

/// Whether a room has anything in a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occupancy {
    /// No event: the calendar need not be read.
    Free,
    /// Some event, or the server did not return the room's free/busy information.
    MaybeBusy,
}

/// Result of looking up a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PersonLookup {
    /// A mailbox or contact has this address.
    Found,
    /// No recipient has this address, by two independent lookups.
    NotFound,
    /// The lookups prove neither: an entry hidden from the address lists, a partial match, an error.
    Unknown,
}

/// A room as the directory describes it (Microsoft Graph: the resource `place`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Place {
    /// The display name.
    pub name: Option<String>,
    /// The building.
    pub building: Option<String>,
    /// The floor.
    pub floor: Option<String>,
    /// The number of people that the room holds.
    pub capacity: Option<u32>,
    /// What the room has, such as `video`.
    pub equipment: Vec<String>,
}

impl Place {
    /// The most pieces of equipment that are kept.
    pub const EQUIPMENT_MAX: usize = 50;
    /// The most characters that are kept of a text.
    pub const TEXT_CHARS_MAX: usize = 255;

    /// The same within its limits, and without empty texts.
    #[must_use]
    pub fn bounded(self) -> Self {
        let cut = |text: String| text.trim().chars().take(Self::TEXT_CHARS_MAX).collect::<String>();
        let text = |text: Option<String>| text.map(cut).filter(|text| !text.is_empty());
        let equipment = self.equipment.into_iter().map(cut).filter(|one| !one.is_empty());
        Self {
            name: text(self.name),
            building: text(self.building),
            floor: text(self.floor),
            capacity: self.capacity.filter(|capacity| *capacity > 0),
            equipment: equipment.take(Self::EQUIPMENT_MAX).collect(),
        }
    }
}

/// Result of looking up the mailbox behind an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AddressLookup {
    /// Exactly one mailbox has this address.
    Found(MailboxAddresses),
    /// The directory has no match.
    NotFound,
    /// The directory has matches, and none of them, or several, is proven to have exactly this address.
    Unknown,
}

/// The SMTP addresses of a mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailboxAddresses {
    /// The primary address.
    pub primary: String,
    /// Proxy addresses that the server returned; there may be more.
    pub proxies: Vec<String>,
}

impl MailboxAddresses {
    /// Whether this is the mailbox's primary address or one of its proxies, compared without case.
    pub fn include(&self, address: &str) -> bool {
        let mut known = std::iter::once(&self.primary).chain(&self.proxies);
        known.any(|known| known.eq_ignore_ascii_case(address))
    }
}
