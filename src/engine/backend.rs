//! What the engine asks of a calendar server, whichever protocol it speaks.
//!
//! Implementations translate and deliver; they decide nothing. A write is sent at most once: whether it may be sent
//! again is the engine's decision, after it has looked.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::view::CalendarView;
use crate::action::{EventSnapshot, RequestIds, ResponsibleParty, Step};
use crate::calendar::{Event, EventId, RoomAddress, Series, Window};
use crate::journal::JournalError;

/// A server's calendars.
#[async_trait]
pub trait Calendar: Send + Sync {
    /// What this server can do.
    fn capabilities(&self) -> Capabilities;

    /// All events of a room that overlap the window: singles, occurrences, exceptions. Some servers return items that only touch
    /// it as well, so callers ask [`occupancy`](crate::calendar::occupancy) which of them count.
    /// Items that could not be read are returned beside them.
    async fn events(&self, room: &RoomAddress, window: Window) -> Result<CalendarView, CalendarError>;

    /// One event as it is now; `None` when it is not there (or the room may not see it).
    async fn event(&self, room: &RoomAddress, id: &EventId) -> Result<Option<Event>, CalendarError>;

    /// The same, of an id that came from outside: never an event of another mailbox, and "not there" only of a calendar that the
    /// room may see. An id in another API's spelling is translated.
    async fn event_by_external_id(
        &self,
        room: &RoomAddress,
        id: &EventId,
    ) -> Result<EventLookup, CalendarError> {
        let found = self.event(room, id).await?;
        Ok(found.map_or(EventLookup::NotFound, |event| EventLookup::Found(Box::new(event))))
    }

    /// The series that this date belongs to; `None` when it is not there.
    async fn series(&self, room: &RoomAddress, date: &EventId) -> Result<Option<Series>, CalendarError>;

    /// The series of this id of its own; `None` when it is not there.
    async fn series_by_id(
        &self,
        room: &RoomAddress,
        series: &EventId,
    ) -> Result<Option<Series>, CalendarError>;

    /// The event that was seen and is in the room's Deleted Items now, under its id there; `None` when it is not.
    async fn find_deleted(
        &self,
        room: &RoomAddress,
        seen: &EventSnapshot,
    ) -> Result<Option<Event>, CalendarError>;

    /// Whether the message that this step sends about this event is in the room's Sent Items, sent at `since` or later.
    async fn has_sent_message(
        &self,
        room: &RoomAddress,
        step: &Step,
        about: &Event,
        since: DateTime<Utc>,
    ) -> Result<bool, CalendarError>;

    /// Carries out one step, once.
    async fn write(&self, room: &RoomAddress, step: &Step) -> WriteReport;

    /// Which of these rooms have anything at all in the window. Same order, same number. May group requests.
    async fn occupancy(&self, rooms: &[RoomAddress], window: Window)
    -> Result<Vec<Occupancy>, CalendarError>;

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

    /// What its conversations came to so far, for metrics.
    fn metrics(&self) -> Vec<Metric> {
        Vec::new()
    }

    /// The rooms of a room list, asked in the name of `asking`.
    async fn room_list_members(
        &self,
        room_list: &str,
        asking: &RoomAddress,
    ) -> Result<Vec<RoomAddress>, CalendarError>;
}

/// What an id that came from outside names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventLookup {
    /// This event.
    Found(Box<Event>),
    /// The server accepts the id, and has no such item or does not show it.
    NotFound,
    /// It is no id of an item of this server.
    InvalidId {
        /// The response code.
        code: String,
    },
}

/// What is known of rooms without asking anybody, because the server tells what changes. It may be a moment old: good for
/// what the version of the event guards, and for nothing else.
pub trait CalendarCache: Send + Sync {
    /// Everything on the room's calendar now and within the next hours; `None` when that is not known.
    fn events(&self, room: &RoomAddress) -> Option<Vec<Event>>;

    /// One of them.
    fn event(&self, room: &RoomAddress, id: &EventId) -> Option<Event>;
}

/// One number for metrics: how often something happened, or how many are `waiting` now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metric {
    /// To which server, by its name in the configuration.
    pub connection: String,
    /// `decoded`, `throttled`, `waiting`, …: the metric's name after `exchange_`.
    pub kind: &'static str,
    /// What of it.
    pub label: String,
    /// How many.
    pub count: u64,
}

/// What a server can do. The plan depends on it, so that another protocol can move in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// An update of an organizer copy can be kept from the attendees.
    pub can_mute_updates: bool,
    /// A write with a stale version is refused by the server.
    pub has_change_key_lock: bool,
}

/// What became of a step, and by which names it is in the logs of both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteReport {
    /// What became of it.
    pub outcome: WriteOutcome,
    /// Every request that was sent for it, in order.
    pub requests: Vec<RequestIds>,
}

/// What became of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WriteOutcome {
    /// The server did it.
    Done,
    /// The server reports the item as not found: it is not there, or the account may not see it or write to it.
    Gone,
    /// Somebody changed the item since it was read; the server did nothing.
    Conflict,
    /// The server is busy and did nothing. Reading the event waits as long as it said; then decide again.
    Throttled(CalendarError),
    /// The server did nothing, or never got it.
    NotApplied(CalendarError),
    /// The server reports a failure that it can report after the change, or a page that is not Exchange's came back. Look before
    /// it is called refused.
    Unproven(CalendarError),
    /// It may have been done. Look before doing anything else.
    InDoubt(CalendarError),
}

/// What stood in the way, in words for two readers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{advice} ({code})")]
pub struct CalendarError {
    /// Who has to do something about it.
    pub responsible: ResponsibleParty,
    /// What to do next, for whoever asked.
    pub advice: String,
    /// Response code, HTTP status or kind of failure, for whoever looks into it.
    pub code: String,
}

impl CalendarError {
    /// It passes by itself: the same question may be answered later.
    pub fn is_transient(&self) -> bool {
        matches!(self.responsible, ResponsibleParty::Server | ResponsibleParty::Network)
    }
}

impl From<JournalError> for CalendarError {
    fn from(error: JournalError) -> Self {
        Self {
            responsible: ResponsibleParty::Administrator,
            advice: error.to_string(),
            code: "journal".to_owned(),
        }
    }
}

/// Whether a room has anything in a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occupancy {
    /// Nothing: no need to look.
    Free,
    /// Something, or the server would not say.
    MaybeBusy,
}

/// Result of looking up a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PersonLookup {
    /// A mailbox or contact has this address.
    Found,
    /// No recipient has this address: two independent lookups returned so.
    NotFound,
    /// The lookups prove neither: an entry hidden from the address lists, a partial match, an error.
    Unknown,
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
