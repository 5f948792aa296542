//! Values shared by requests and responses: ids, items, mailboxes, response messages. Never validates them.
//!
//! A response borrows from the body it was decoded from; text is copied only when it contains an escape. Unknown wire values are
//! kept verbatim. Names follow the EWS schema.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::code::ResponseCode;
use super::fields::calendar_item_fields;

/// Text of a response: borrowed from the body unless an escape required a copy.
pub type Text<'a> = Cow<'a, str>;

/// An opaque item id, with the version at which the item was read.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize)]
pub struct ItemId<'a> {
    /// `Id`: changes when the item moves to another folder.
    pub id: Text<'a>,
    /// `ChangeKey`: changes with every write. A write with a stale key is a conflict.
    pub change_key: Option<Text<'a>>,
}

/// `t:CalendarItemType`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the variants have the names of the schema's values")]
pub enum CalendarItemType<'a> {
    Single,
    Occurrence,
    Exception,
    RecurringMaster,
    Unknown(Text<'a>),
}

/// `t:MyResponseType`: this mailbox's response to the meeting request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the variants have the names of the schema's values")]
pub enum ResponseType<'a> {
    Unknown,
    Organizer,
    Tentative,
    Accept,
    Decline,
    NoResponseReceived,
    Other(Text<'a>),
}

/// `t:LegacyFreeBusyStatus` (and `BusyType` of availability).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the variants have the names of the schema's values")]
pub enum FreeBusyStatus<'a> {
    Free,
    Tentative,
    Busy,
    Oof,
    NoData,
    WorkingElsewhere,
    Unknown(Text<'a>),
}

/// `t:Sensitivity`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the variants have the names of the schema's values")]
pub enum Sensitivity<'a> {
    Normal,
    Personal,
    Private,
    Confidential,
    Unknown(Text<'a>),
}

/// `t:Mailbox` / `t:EmailAddress`: a person, room, list, or an address book entry.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Mailbox<'a> {
    /// Display name.
    pub name: Option<Text<'a>>,
    /// Usually SMTP; may be an X.500 address when `routing_type` is `EX`.
    pub email_address: Option<Text<'a>>,
    /// `SMTP` or `EX`.
    pub routing_type: Option<Text<'a>>,
    /// `Mailbox`, `OneOff`, `PublicDL`, …
    pub mailbox_type: Option<Text<'a>>,
    /// Directory or contact id, if the server returns one.
    pub item_id: Option<Box<ItemId<'a>>>,
}

/// `t:Attendee` with its response.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Attendee<'a> {
    /// The attendee.
    pub mailbox: Mailbox<'a>,
    /// The attendee's response, as far as this copy knows.
    pub response_type: Option<ResponseType<'a>>,
}

/// `t:OccurrenceInfo`: one occurrence of a series.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Occurrence<'a> {
    /// The occurrence's own id.
    pub item_id: Option<ItemId<'a>>,
    /// First instant.
    pub start: Option<DateTime<Utc>>,
    /// First instant after.
    pub end: Option<DateTime<Utc>>,
    /// Its start before it was moved.
    pub original_start: Option<DateTime<Utc>>,
}

macro_rules! define_calendar_item {
    ($($(#[$doc:meta])* $field:ident: $Name:ident $element:literal $kind:ident $(, $($request:ident)+)?;)*) => {
        /// One calendar item. Every property is optional, because servers omit properties that they do not have.
        #[derive(Debug, Clone, PartialEq, Serialize)]
        pub struct CalendarItem<'a> {
            $(
                #[doc = concat!("`t:", $element, "`.")]
                $(#[$doc])*
                pub $field: property_type!($kind),
            )*
        }

        impl CalendarItem<'_> {
            /// An item without properties. A constant, so that adding an item to a page is one copy.
            pub const EMPTY: Self = Self { $($field: Omittable::OMITTED,)* };
        }
    };
}

/// The type of a property, by the kind of its value in the table of fields.
macro_rules! property_type {
    (item_id) => { Option<ItemId<'a>> };
    (text) => { Option<Text<'a>> };
    (time) => { Option<DateTime<Utc>> };
    (boolean) => { Option<bool> };
    (number) => { Option<i32> };
    (sensitivity) => { Option<Sensitivity<'a>> };
    (free_busy_status) => { Option<FreeBusyStatus<'a>> };
    (calendar_item_type) => { Option<CalendarItemType<'a>> };
    (response_type) => { Option<ResponseType<'a>> };
    (organizer) => { Option<Mailbox<'a>> };
    (strings) => { Vec<Text<'a>> };
    (attendees) => { Vec<Attendee<'a>> };
    (occurrences) => { Vec<Occurrence<'a>> };
}

calendar_item_fields!(define_calendar_item);

/// A property that an item may not have.
pub(in crate::ews) trait Omittable {
    /// The value of a property that the item does not have.
    const OMITTED: Self;

    /// Whether it has that value.
    fn is_omitted(&self) -> bool;
}

impl<T> Omittable for Option<T> {
    const OMITTED: Self = None;

    fn is_omitted(&self) -> bool {
        self.is_none()
    }
}

impl<T> Omittable for Vec<T> {
    const OMITTED: Self = Vec::new();

    fn is_omitted(&self) -> bool {
        self.is_empty()
    }
}

impl Default for CalendarItem<'_> {
    fn default() -> Self {
        Self::EMPTY
    }
}

/// One element of `Items`: a calendar item, or another kind that is kept by its element name.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every entry is a calendar item; a box each would double a page's allocations"
)]
pub enum Item<'a> {
    /// `t:CalendarItem`.
    Calendar(CalendarItem<'a>),
    /// Any other kind, such as `MeetingResponse` or `Message`.
    Other(Box<OtherItem<'a>>),
}

/// An item that is not a calendar item, with the properties that identify a meeting message.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct OtherItem<'a> {
    /// Local name of the element.
    pub element: Text<'a>,
    /// The item's id, if it has one.
    pub item_id: Option<ItemId<'a>>,
    /// `IPM.Schedule.Meeting.Resp.Neg` is a decline.
    pub item_class: Option<Text<'a>>,
    /// When it was sent, according to the server's clock.
    pub date_time_sent: Option<DateTime<Utc>>,
    /// The meeting's UID; only in meeting messages.
    pub uid: Option<Text<'a>>,
    /// The start of the meeting or of the occurrence in question; only in meeting messages.
    pub start: Option<DateTime<Utc>>,
}

/// `ResponseClass`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[expect(missing_docs, reason = "the variants have the names of the schema's values")]
pub enum ResponseClass {
    Success,
    Warning,
    Error,
}

/// One entry of `m:MessageXml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MessageXmlEntry<'a> {
    /// Local name of the element: `Value`, `FieldURI`, `LineNumber`, …
    pub element: Text<'a>,
    /// The `Name` (or `FieldURI`) attribute.
    pub name: Option<Text<'a>>,
    /// The text; empty for attribute-only elements.
    pub value: Text<'a>,
}

/// One response message of any operation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ResponseMessage<'a, T> {
    /// Success, Warning or Error.
    pub class: ResponseClass,
    /// The response code; decisions use nothing else.
    pub code: ResponseCode<'a>,
    /// Localized; for people.
    pub message_text: Option<Text<'a>>,
    /// Details, such as `BackOffMilliseconds`.
    pub message_xml: Vec<MessageXmlEntry<'a>>,
    /// The content that is specific to the operation.
    pub payload: T,
}
