//! The contents of a mailbox: events with their details, and messages. Data only; `meeting` and `ops` change it.

use chrono::{DateTime, Utc};

use super::details::{Details, InvitationResponse, Person, PropertyVersions};
use super::folder::MailboxFolder;
use super::series::Series;
use super::zones::{self, Zone};

/// The role of the mailbox in the event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Copy {
    /// An appointment: no attendees, no organizer but the mailbox itself.
    Plain,
    /// The mailbox is the organizer.
    Organizer,
    /// The mailbox is an attendee.
    Attendee,
}

/// One calendar row: a single event, or a series with all its dates.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Equal in all copies of a meeting.
    pub uid: String,
    /// Which copy this is.
    pub copy: Copy,
    /// The organizer.
    pub organizer: Person,
    /// Windows id of its time zone.
    pub zone: String,
    /// Number of updates the organizer has sent (`AppointmentSequenceNumber`).
    pub sequence: u32,
    /// Whether the organizer has sent invitations.
    pub sent: bool,
    /// The properties; for a series those of its first date.
    pub details: Details,
    /// The recurrence, if any.
    pub series: Option<Series>,
    pub(crate) touched: PropertyVersions,
}

impl Event {
    /// The time zone in which an event with these details starts.
    pub(crate) fn start_zone(&self, details: &Details) -> &'static Zone {
        let zone_id = details.other_properties.get("StartTimeZone").unwrap_or(&self.zone);
        zones::find(zone_id).unwrap_or(&zones::UTC)
    }

    /// The time zone in which it ends.
    pub(crate) fn end_zone(&self, details: &Details) -> &'static Zone {
        let zone_id = details.other_properties.get("EndTimeZone").and_then(|id| zones::find(id));
        zone_id.unwrap_or_else(|| self.start_zone(details))
    }
}

/// The meeting that a meeting message refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MeetingReference {
    pub(crate) uid: String,
    /// Start and end of the meeting, or of the occurrence referred to.
    pub(crate) start: DateTime<Utc>,
    pub(crate) end: DateTime<Utc>,
    pub(crate) location: String,
    /// The occurrence referred to, by its original start.
    pub(crate) occurrence: Option<DateTime<Utc>>,
    /// The response that the message carries.
    pub(crate) response: InvitationResponse,
    /// Whether the message was processed (`HasBeenProcessed`).
    pub(crate) is_processed: bool,
}

/// A message, in a folder other than the calendar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MailMessage {
    pub(crate) class: &'static str,
    pub(crate) subject: String,
    pub(crate) body: String,
    pub(crate) from: Person,
    pub(crate) to: Vec<Person>,
    /// The meeting, of a meeting message.
    pub(crate) meeting: Option<Box<MeetingReference>>,
}

/// The content of a row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ItemContent {
    Event(Box<Event>),
    Message(MailMessage),
}

/// A row of a mailbox.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StoredItem {
    pub(crate) number: u64,
    /// Stays the same when the row moves to another folder; `number` changes.
    pub(crate) identity: u64,
    pub(crate) folder: MailboxFolder,
    pub(crate) version: u64,
    pub(crate) created: DateTime<Utc>,
    pub(crate) modified: DateTime<Utc>,
    /// The `transactionId` with which a Graph client created the row.
    pub(crate) transaction_id: Option<String>,
    pub(crate) content: ItemContent,
}

impl StoredItem {
    pub(crate) fn event(&self) -> Option<&Event> {
        match &self.content {
            ItemContent::Event(event) => Some(event),
            ItemContent::Message(_) => None,
        }
    }

    pub(crate) fn event_mut(&mut self) -> Option<&mut Event> {
        match &mut self.content {
            ItemContent::Event(event) => Some(event),
            ItemContent::Message(_) => None,
        }
    }
}
