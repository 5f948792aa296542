//! The properties of an event that an exception of a series may override, and the values they take. Data only.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::extended::ExtendedProperty;

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

/// Defines an enumeration with its spelling on the wire.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name { $($(#[$variant_doc])* $variant,)+ }

        impl $name {
            /// The spelling on the wire.
            pub fn wire_name(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            /// Parses the spelling on the wire.
            pub fn from_wire_name(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

words! {
    /// An attendee's response to an invitation (`t:ResponseTypeType`).
    InvitationResponse {
        /// Was never invited.
        Unknown = "Unknown",
        /// Is the organizer.
        Organizer = "Organizer",
        /// Tentatively accepted.
        Tentative = "Tentative",
        /// Accepted.
        Accept = "Accept",
        /// Declined.
        Decline = "Decline",
        /// Has not responded.
        None = "NoResponseReceived",
    }
}

words! {
    /// How an event's time shows to others (`t:LegacyFreeBusyType`).
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
        /// No free/busy data.
        NoData = "NoData",
    }
}

words! {
    /// The sensitivity mark (`t:SensitivityChoicesType`).
    Sensitivity {
        /// Readable for everybody with permissions.
        Normal = "Normal",
        /// Marked personal.
        Personal = "Personal",
        /// Hidden from delegates without Full Access.
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

/// An attendee, and the response that this copy has recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attendee {
    /// The attendee.
    pub person: Person,
    /// The response, as far as this copy knows it.
    pub response: InvitationResponse,
    /// When the response was sent.
    pub responded_at: Option<DateTime<Utc>>,
}

impl Attendee {
    /// An attendee without a response.
    pub fn invited(person: Person) -> Self {
        Self { person, response: InvitationResponse::None, responded_at: None }
    }
}

/// The properties of an event that an exception may override.
#[derive(Debug, Clone, PartialEq)]
pub struct Details {
    /// Subject; a room's copy usually has the organizer's name here.
    pub subject: String,
    /// Body, as plain text.
    pub body: String,
    /// Location.
    pub location: String,
    /// Start.
    pub start: DateTime<Utc>,
    /// End.
    pub end: DateTime<Utc>,
    /// All-day event.
    pub all_day: bool,
    /// Free/busy status.
    pub busy: FreeBusyType,
    /// Sensitivity.
    pub sensitivity: Sensitivity,
    /// Importance.
    pub importance: Importance,
    /// Categories.
    pub categories: Vec<String>,
    /// Minutes before the start when the reminder fires; `None` for no reminder.
    pub reminder_minutes: Option<u32>,
    /// Required attendees.
    pub required: Vec<Attendee>,
    /// Optional attendees.
    pub optional: Vec<Attendee>,
    /// Rooms and equipment.
    pub resources: Vec<Attendee>,
    /// This mailbox's own response (`MyResponseType`).
    pub my_response: InvitationResponse,
    /// When this mailbox responded.
    pub responded_at: Option<DateTime<Utc>>,
    /// Cancelled by the organizer and not yet removed here: the value of `IsCancelled`.
    pub cancelled: bool,
    /// The cancelled bit of `AppointmentState`, if it differs from `cancelled`.
    pub cancelled_state: Option<bool>,
    /// Whether the body is HTML rather than plain text.
    pub is_html: bool,
    /// Values that clients set for properties without a meaning in the simulator, by element name.
    pub(crate) other_properties: BTreeMap<&'static str, String>,
    /// Extended properties: one value, or the values of an array.
    pub(crate) extended: BTreeMap<ExtendedProperty, Vec<String>>,
}

impl Details {
    /// A busy event without attendees.
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

    /// Whether `IsCancelled` or the cancelled bit of `AppointmentState` is set.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled || self.state_is_cancelled()
    }

    pub(crate) fn state_is_cancelled(&self) -> bool {
        self.cancelled_state.unwrap_or(self.cancelled)
    }

    /// All attendees.
    pub fn attendees(&self) -> impl Iterator<Item = &Attendee> {
        self.required.iter().chain(&self.optional).chain(&self.resources)
    }

    pub(crate) fn attendees_mut(&mut self) -> impl Iterator<Item = &mut Attendee> {
        self.required.iter_mut().chain(&mut self.optional).chain(&mut self.resources)
    }
}

/// An exception: a modified occurrence of a series.
#[derive(Debug, Clone, PartialEq)]
pub struct Exception {
    /// The properties of the exception.
    pub details: Details,
    pub(crate) touched: PropertyVersions,
}

/// The version at which each property was last changed; `AutoResolve` finds real conflicts by it.
pub(crate) type PropertyVersions = BTreeMap<String, u64>;
