//! What a mailbox stores: events with their details, and messages. Data only; what people and the server do to it is
//! in `meeting` and `ops`.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::extended::ExtendedProperty;
use super::series::Series;
use super::zones::{self, Zone};

/// A name and an SMTP address.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Person {
    /// As shown in address books.
    pub name: String,
    /// SMTP address.
    pub address: String,
}

impl Person {
    /// A person.
    pub fn new(name: impl Into<String>, address: impl Into<String>) -> Self {
        Self { name: name.into(), address: address.into() }
    }
}

/// An enumeration with the words the wire uses for it.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name { $($(#[$variant_doc])* $variant,)+ }

        impl $name {
            /// The word on the wire.
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            /// Reads the word back.
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

words! {
    /// What somebody answered to an invitation (`t:ResponseTypeType`).
    InvitationResponse {
        /// Never invited.
        Unknown = "Unknown",
        /// Organizes it.
        Organizer = "Organizer",
        /// Perhaps.
        Tentative = "Tentative",
        /// Yes.
        Accept = "Accept",
        /// No.
        Decline = "Decline",
        /// Has not said.
        None = "NoResponseReceived",
    }
}

words! {
    /// How the time shows to others (`t:LegacyFreeBusyType`).
    FreeBusyType {
        /// Free.
        Free = "Free",
        /// Tentative.
        Tentative = "Tentative",
        /// Busy.
        Busy = "Busy",
        /// Out of office.
        Away = "OOF",
        /// Working elsewhere; shown as free by older clients.
        Elsewhere = "WorkingElsewhere",
        /// Not known.
        NoData = "NoData",
    }
}

words! {
    /// Who may read it (`t:SensitivityChoicesType`).
    Sensitivity {
        /// Everybody with rights.
        Normal = "Normal",
        /// Marked personal.
        Personal = "Personal",
        /// Hidden from others.
        Private = "Private",
        /// Marked confidential.
        Confidential = "Confidential",
    }
}

words! {
    /// `t:ImportanceChoicesType`.
    Importance {
        /// Low.
        Low = "Low",
        /// Normal.
        Normal = "Normal",
        /// High.
        High = "High",
    }
}

/// Whose event a mailbox holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Copy {
    /// No meeting: nobody else is involved.
    Plain,
    /// This mailbox organized it.
    Organizer,
    /// Somebody else organized it.
    Attendee,
}

/// Somebody invited, and what they said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attendee {
    /// Who.
    pub person: Person,
    /// Said what, as far as this copy knows.
    pub response: InvitationResponse,
    /// When.
    pub responded_at: Option<DateTime<Utc>>,
}

impl Attendee {
    /// Somebody who has not answered.
    pub fn invited(person: Person) -> Self {
        Self { person, response: InvitationResponse::None, responded_at: None }
    }
}

/// Everything about an event that one date of a series may have for itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Details {
    /// Subject; on a room's copy usually the organizer's name.
    pub subject: String,
    /// Body, as plain text.
    pub body: String,
    /// Location.
    pub location: String,
    /// Start.
    pub start: DateTime<Utc>,
    /// End.
    pub end: DateTime<Utc>,
    /// Whole days.
    pub all_day: bool,
    /// How the time shows.
    pub busy: FreeBusyType,
    /// Private or not.
    pub sensitivity: Sensitivity,
    /// Importance.
    pub importance: Importance,
    /// Categories.
    pub categories: Vec<String>,
    /// Minutes before the start a reminder fires; `None` for no reminder.
    pub reminder_minutes: Option<u32>,
    /// Required attendees.
    pub required: Vec<Attendee>,
    /// Optional attendees.
    pub optional: Vec<Attendee>,
    /// Rooms and equipment.
    pub resources: Vec<Attendee>,
    /// This mailbox's own answer.
    pub my_response: InvitationResponse,
    /// When this mailbox answered.
    pub responded_at: Option<DateTime<Utc>>,
    /// Cancelled by the organizer, not yet removed here: what `IsCancelled` says.
    pub cancelled: bool,
    /// What the cancelled bit of `AppointmentState` says, where it does not say what `cancelled` does.
    pub cancelled_state: Option<bool>,
    /// Whether the body is HTML rather than plain text.
    pub is_html: bool,
    /// What clients set of the properties that mean nothing here, by the names of their elements, as text.
    pub(crate) other_properties: BTreeMap<&'static str, String>,
    /// Extended properties; one value, or those of an array.
    pub(crate) extended: BTreeMap<ExtendedProperty, Vec<String>>,
}

impl Details {
    /// Details of a busy hour with nobody in it.
    pub fn between(start: DateTime<Utc>, end: DateTime<Utc>) -> Self {
        Self {
            subject: String::new(),
            body: String::new(),
            location: String::new(),
            start,
            end,
            all_day: false,
            busy: FreeBusyType::Busy,
            sensitivity: Sensitivity::Normal,
            importance: Importance::Normal,
            categories: Vec::new(),
            reminder_minutes: None,
            required: Vec::new(),
            optional: Vec::new(),
            resources: Vec::new(),
            my_response: InvitationResponse::Organizer,
            responded_at: None,
            cancelled: false,
            cancelled_state: None,
            is_html: false,
            other_properties: BTreeMap::new(),
            extended: BTreeMap::new(),
        }
    }

    /// Whether either property says that it was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled || self.state_is_cancelled()
    }

    pub(crate) fn state_is_cancelled(&self) -> bool {
        self.cancelled_state.unwrap_or(self.cancelled)
    }

    /// Everybody invited.
    pub fn attendees(&self) -> impl Iterator<Item = &Attendee> {
        self.required.iter().chain(&self.optional).chain(&self.resources)
    }

    pub(crate) fn attendees_mut(&mut self) -> impl Iterator<Item = &mut Attendee> {
        self.required.iter_mut().chain(&mut self.optional).chain(&mut self.resources)
    }
}

/// One changed date of a series.
#[derive(Debug, Clone, PartialEq)]
pub struct Exception {
    /// What this date looks like.
    pub details: Details,
    pub(crate) touched: PropertyVersions,
}

/// Which property was last changed at which version; lets `AutoResolve` find real conflicts.
pub(crate) type PropertyVersions = BTreeMap<String, u64>;

/// One row of a calendar: a single event, or a series with all its dates.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Shared by all copies of a meeting.
    pub uid: String,
    /// Whose copy.
    pub copy: Copy,
    /// Who organizes it.
    pub organizer: Person,
    /// Windows id of the zone it is displayed in.
    pub zone: String,
    /// How often the organizer sent it out again.
    pub sequence: u32,
    /// Whether invitations went out.
    pub sent: bool,
    /// The event; for a series the first date's.
    pub details: Details,
    /// The recurrence, if any.
    pub series: Option<Series>,
    pub(crate) touched: PropertyVersions,
}

impl Event {
    /// By whose clock an event with these details starts.
    pub(crate) fn start_zone(&self, details: &Details) -> &'static Zone {
        let said = details.other_properties.get("StartTimeZone").unwrap_or(&self.zone);
        zones::find(said).unwrap_or(&zones::UTC)
    }

    /// By whose clock it ends.
    pub(crate) fn end_zone(&self, details: &Details) -> &'static Zone {
        let said = details.other_properties.get("EndTimeZone").and_then(|id| zones::find(id));
        said.unwrap_or_else(|| self.start_zone(details))
    }
}

/// What a meeting message is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MeetingReference {
    pub(crate) uid: String,
    /// When the meeting, or the date of it that is meant, begins and ends.
    pub(crate) start: DateTime<Utc>,
    pub(crate) end: DateTime<Utc>,
    pub(crate) location: String,
    /// The date of a series that is meant.
    pub(crate) occurrence: Option<DateTime<Utc>>,
    /// What is answered.
    pub(crate) response: InvitationResponse,
    /// Whether the message has done its work.
    pub(crate) is_processed: bool,
}

/// One row of another folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MailMessage {
    pub(crate) class: &'static str,
    pub(crate) subject: String,
    pub(crate) body: String,
    pub(crate) from: Person,
    pub(crate) to: Vec<Person>,
    /// The meeting, if it is a meeting message.
    pub(crate) meeting: Option<Box<MeetingReference>>,
}

/// What a row holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ItemContent {
    Event(Box<Event>),
    Message(MailMessage),
}

/// A row of a mailbox.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StoredItem {
    pub(crate) number: u64,
    pub(crate) folder: super::world::MailboxFolder,
    pub(crate) version: u64,
    pub(crate) created: DateTime<Utc>,
    pub(crate) modified: DateTime<Utc>,
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
