//! Resource types of Microsoft Graph v1.0, with the properties that Adjourn reads, borrowed from the response. Values only.
//!
//! Unknown properties are skipped, and members of enums are kept as text, so that a new one is no error. A property that occurs
//! twice is an error: readers of JSON differ in which one counts (RFC 8259, section 4). The elements of a list are kept as raw JSON
//! and decoded one by one, so that an unreadable one leaves the others readable.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use serde::de::{Error as _, IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// Text, borrowed where it has no escapes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// A number or text: errors have both for the same property.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(super) enum Scalar<'a> {
    Number(u64),
    #[serde(borrow)]
    Text(Cow<'a, str>),
}

impl fmt::Display for Scalar<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// Elements of one page: the most that Graph returns for any `$top`.
pub(super) const PAGE_ELEMENTS_MAX: usize = 1_000;
/// Changed dates of one series: every date of a daily series in thirteen years.
pub(super) const EXCEPTIONS_MAX: usize = 5_000;
/// Elements of the other lists: recipients of a message, addresses of a user, properties of an item.
pub(super) const LIST_MAX: usize = 1_000;

/// A list of at most so many elements. A longer one is an error before it is kept: a small compressed body can have millions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct List<T, const MAX: usize>(Vec<T>);

impl<T, const MAX: usize> Deref for List<T, MAX> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<'de, T: Deserialize<'de>, const MAX: usize> Deserialize<'de> for List<T, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(ListVisitor(PhantomData))
    }
}

struct ListVisitor<T, const MAX: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for ListVisitor<T, MAX> {
    type Value = List<T, MAX>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list of at most {MAX} elements")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
        let mut all = Vec::new();
        while let Some(element) = elements.next_element()? {
            if all.len() == MAX {
                return Err(A::Error::custom("too many elements"));
            }
            all.push(element);
        }
        Ok(List(all))
    }
}

/// One page of a collection.
#[derive(Debug, Deserialize)]
pub(super) struct Page<'a> {
    #[serde(borrow)]
    pub(super) value: Option<List<&'a RawValue, PAGE_ELEMENTS_MAX>>,
    /// URL of the next page.
    #[serde(borrow, rename = "@odata.nextLink")]
    pub(super) next_link: Option<Text<'a>>,
}

/// A time, and the zone that it is in.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DateTimeTimeZone<'a> {
    #[serde(borrow)]
    pub(super) date_time: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) time_zone: Option<Text<'a>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct EmailAddress<'a> {
    #[serde(borrow)]
    pub(super) name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) address: Option<Text<'a>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Recipient<'a> {
    #[serde(borrow)]
    pub(super) email_address: Option<EmailAddress<'a>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct ResponseStatus<'a> {
    #[serde(borrow)]
    pub(super) response: Option<Text<'a>>,
}

/// An `event`.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EventResource<'a> {
    #[serde(borrow)]
    pub(super) id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) change_key: Option<Text<'a>>,
    #[serde(borrow, rename = "@odata.etag")]
    pub(super) etag: Option<Text<'a>>,
    #[serde(borrow, rename = "iCalUId")]
    pub(super) ical_uid: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) transaction_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) subject: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) start: Option<DateTimeTimeZone<'a>>,
    #[serde(borrow)]
    pub(super) end: Option<DateTimeTimeZone<'a>>,
    pub(super) is_all_day: Option<bool>,
    pub(super) is_cancelled: Option<bool>,
    pub(super) is_organizer: Option<bool>,
    #[serde(borrow)]
    pub(super) response_status: Option<ResponseStatus<'a>>,
    #[serde(borrow, rename = "type")]
    pub(super) event_type: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) series_master_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) original_start: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) organizer: Option<Recipient<'a>>,
    /// Only their number counts.
    pub(super) attendees: Option<Vec<IgnoredAny>>,
    #[serde(borrow)]
    pub(super) sensitivity: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) show_as: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) created_date_time: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) last_modified_date_time: Option<Text<'a>>,
}

/// Id and times of an `event` whose other properties cannot be read.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EventTimes<'a> {
    #[serde(borrow)]
    pub(super) id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) start: Option<DateTimeTimeZone<'a>>,
    #[serde(borrow)]
    pub(super) end: Option<DateTimeTimeZone<'a>>,
    pub(super) is_all_day: Option<bool>,
}

/// Id and version of an `event`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EventVersion<'a> {
    #[serde(borrow)]
    pub(super) id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) change_key: Option<Text<'a>>,
    #[serde(borrow, rename = "@odata.etag")]
    pub(super) etag: Option<Text<'a>>,
}

/// The changed dates of a series master.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SeriesExceptions<'a> {
    #[serde(borrow)]
    pub(super) exception_occurrences: Option<List<EventTimes<'a>, EXCEPTIONS_MAX>>,
    /// The server sent a part of them.
    #[serde(borrow, rename = "exceptionOccurrences@odata.nextLink")]
    pub(super) next_link: Option<Text<'a>>,
}

/// Body of a response that reports an error.
#[derive(Debug, Deserialize)]
pub(super) struct ErrorBody<'a> {
    #[serde(borrow)]
    pub(super) error: Option<ErrorResource<'a>>,
}

/// An error, or a more exact one inside. Servers write both spellings of `innerError`.
#[derive(Debug, Deserialize)]
pub(super) struct ErrorResource<'a> {
    #[serde(borrow)]
    pub(super) code: Option<Scalar<'a>>,
    #[serde(borrow)]
    pub(super) message: Option<Text<'a>>,
    #[serde(borrow, rename = "request-id")]
    pub(super) request_id: Option<Text<'a>>,
    #[serde(borrow, rename = "innerError")]
    pub(super) inner_error: Option<Box<ErrorResource<'a>>>,
    #[serde(borrow, rename = "innererror")]
    pub(super) innererror: Option<Box<ErrorResource<'a>>>,
}

impl<'e, 'a> ErrorResource<'e> {
    /// The error inside.
    pub(super) fn inner(&'a self) -> Option<&'a ErrorResource<'e>> {
        self.inner_error.as_deref().or(self.innererror.as_deref())
    }
}

/// A `room` of `places`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RoomResource<'a> {
    #[serde(borrow)]
    pub(super) email_address: Option<Text<'a>>,
}

/// The properties of a `room` of `places` that describe it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PlaceResource<'a> {
    #[serde(borrow)]
    pub(super) email_address: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) display_name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) building: Option<Text<'a>>,
    pub(super) floor_number: Option<i64>,
    #[serde(borrow)]
    pub(super) floor_label: Option<Text<'a>>,
    pub(super) capacity: Option<i64>,
    #[serde(borrow)]
    pub(super) tags: Option<List<Text<'a>, LIST_MAX>>,
    #[serde(borrow)]
    pub(super) audio_device_name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) video_device_name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) display_device_name: Option<Text<'a>>,
}

/// A `user`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UserResource<'a> {
    #[serde(borrow)]
    pub(super) mail: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) proxy_addresses: Option<List<Text<'a>, LIST_MAX>>,
}

/// A `scheduleInformation`: the free/busy information of one recipient, or why there is none.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ScheduleResource<'a> {
    #[serde(borrow)]
    pub(super) availability_view: Option<Text<'a>>,
    pub(super) schedule_items: Option<Vec<IgnoredAny>>,
    #[serde(borrow)]
    pub(super) error: Option<FreeBusyError<'a>>,
}

/// A `freeBusyError`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FreeBusyError<'a> {
    #[serde(borrow)]
    pub(super) response_code: Option<Scalar<'a>>,
}

/// A `message` or `eventMessage`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MessageResource<'a> {
    #[serde(borrow)]
    pub(super) subject: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) sent_date_time: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) meeting_message_type: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) start_date_time: Option<DateTimeTimeZone<'a>>,
    #[serde(borrow)]
    pub(super) to_recipients: Option<List<Recipient<'a>, LIST_MAX>>,
}

/// `exchangeSettings` of a user.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ExchangeSettingsResource<'a> {
    #[serde(borrow)]
    pub(super) primary_mailbox_id: Option<Text<'a>>,
}

/// A `mailboxItem`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MailboxItemResource<'a> {
    #[serde(borrow)]
    pub(super) id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) change_key: Option<Text<'a>>,
    #[serde(borrow, rename = "type")]
    pub(super) item_type: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) single_value_extended_properties: Option<List<ExtendedProperty<'a>, LIST_MAX>>,
}

/// A `singleValueLegacyExtendedProperty`.
#[derive(Debug, Deserialize)]
pub(super) struct ExtendedProperty<'a> {
    #[serde(borrow)]
    pub(super) id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) value: Option<Text<'a>>,
}
