//! `GetUserAvailability`. Asks who is busy when: up to 100 mailboxes in one request, window at most 42 days, all times UTC.

use chrono::{DateTime, Utc};

use crate::ews::types::{FreeBusyStatus, ResponseMessage, Text};

/// `GetUserAvailability` with a zero-bias time zone, `DetailedMerged` view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetUserAvailability<'a> {
    /// SMTP addresses, at most 100 (`ErrorMailboxDataArrayTooBig`).
    pub mailboxes: &'a [&'a str],
    /// Window start.
    pub start: DateTime<Utc>,
    /// Window end (`ErrorTimeIntervalTooBig` beyond 42 days).
    pub end: DateTime<Utc>,
    /// Granularity of the merged free/busy string, 5 to 1440 minutes.
    pub interval_minutes: u32,
}

/// One `t:CalendarEvent` of somebody's free/busy.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct CalendarEvent<'a> {
    /// In the zone of the request; ours asks in UTC.
    pub start: DateTime<Utc>,
    /// Likewise.
    pub end: DateTime<Utc>,
    /// Busy, Tentative, …
    pub busy_type: FreeBusyStatus<'a>,
}

/// One mailbox's free/busy.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize)]
pub struct FreeBusyView<'a> {
    /// `FreeBusyViewType`: `None` when nothing was allowed to be seen.
    pub view_type: Option<Text<'a>>,
    /// `MergedFreeBusy`: one digit per interval: 0 free, 1 tentative, 2 busy, 3 out of office, 4 no data.
    pub merged: Option<Text<'a>>,
    /// The events, when the view is detailed enough.
    pub events: Vec<CalendarEvent<'a>>,
}

/// The answer: one message per mailbox, in request order.
pub type GetUserAvailabilityAnswer<'a> = Vec<ResponseMessage<'a, FreeBusyView<'a>>>;
