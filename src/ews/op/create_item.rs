//! `CreateItem`. Creates a calendar item, or sends a response object (accept, decline, cancel) about one.

use chrono::{DateTime, Utc};

use super::ItemRef;
use crate::ews::types::{Item, ResponseMessage};

/// What to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CreateItem<'a> {
    /// `t:DeclineItem`: attendee copies only; the organizer is told, the copy goes to Deleted Items.
    Decline(Response<'a>),
    /// `t:CancelCalendarItem`: organizer copies only; the attendees are told, the copy goes to Deleted Items.
    Cancel(Response<'a>),
    /// `t:AcceptItem`: attendee copies only.
    Accept(Response<'a>),
    /// A plain `t:CalendarItem` in the impersonated mailbox's calendar.
    CalendarItem(NewCalendarItem<'a>),
}

/// A response object: about which item, and what is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response<'a> {
    /// `t:ReferenceItemId`, with a current ChangeKey.
    pub item: ItemRef<'a>,
    /// Plain text for the other side (`Body`, or `NewBodyContent` of a cancellation).
    pub text: Option<&'a str>,
    /// `MessageDisposition`.
    pub disposition: MessageDisposition,
}

/// `MessageDisposition`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum MessageDisposition {
    SaveOnly,
    SendOnly,
    SendAndSaveCopy,
}

/// A plain event without attendees (`SendMeetingInvitations="SendToNone"`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCalendarItem<'a> {
    /// Subject.
    pub subject: &'a str,
    /// Plain-text body.
    pub body: Option<&'a str>,
    /// Start.
    pub start: DateTime<Utc>,
    /// End, after `start`.
    pub end: DateTime<Utc>,
    /// Location.
    pub location: Option<&'a str>,
}

/// The answer: what was created (for a response object often nothing, or the copy that moved).
pub type CreateItemAnswer<'a> = Vec<ResponseMessage<'a, Vec<Item<'a>>>>;
