//! `GetUserAvailability`: reads free/busy times of up to 100 mailboxes in one request. Window of at most 42 days; all times UTC.

use chrono::{DateTime, Utc};

use super::{Effect, Operation};
use crate::ews::codec::xml_writer::XmlWriter;
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

/// One `t:CalendarEvent` of a mailbox's free/busy view.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize)]
pub struct CalendarEvent<'a> {
    /// Start, in the zone of the request, which is UTC. `None`: missing or unreadable; likewise below.
    pub start: Option<DateTime<Utc>>,
    /// End, likewise.
    pub end: Option<DateTime<Utc>>,
    /// Busy, Tentative, …
    pub busy_type: Option<FreeBusyStatus<'a>>,
}

/// The free/busy view of one mailbox.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize)]
pub struct FreeBusyView<'a> {
    /// `FreeBusyViewType`: `None` when the account may not see anything.
    pub view_type: Option<Text<'a>>,
    /// `MergedFreeBusy`: one digit per interval: 0 free, 1 tentative, 2 busy, 3 out of office, 4 no data.
    pub merged: Option<Text<'a>>,
    /// The events, if the view has them.
    pub events: Vec<CalendarEvent<'a>>,
}

/// The response: one message per mailbox, in request order.
pub type GetUserAvailabilityAnswer<'a> = Vec<ResponseMessage<'a, FreeBusyView<'a>>>;

/// A time zone without bias and daylight saving, which makes the times of request and response UTC. The schema requires all of it,
/// as the first element.
const UTC: &str = concat!(
    "<t:TimeZone><t:Bias>0</t:Bias>",
    "<t:StandardTime><t:Bias>0</t:Bias><t:Time>00:00:00</t:Time><t:DayOrder>0</t:DayOrder><t:Month>0</t:Month>",
    "<t:DayOfWeek>Sunday</t:DayOfWeek></t:StandardTime>",
    "<t:DaylightTime><t:Bias>0</t:Bias><t:Time>00:00:00</t:Time><t:DayOrder>0</t:DayOrder><t:Month>0</t:Month>",
    "<t:DayOfWeek>Sunday</t:DayOfWeek></t:DaylightTime></t:TimeZone>",
);

impl Operation for GetUserAvailability<'_> {
    const NAME: &'static str = "GetUserAvailability";
    const EFFECT: Effect = Effect::Read;

    fn write_body(&self, out: &mut XmlWriter<'_>) {
        out.raw("<m:GetUserAvailabilityRequest>");
        out.raw(UTC);
        out.raw("<m:MailboxDataArray>");
        for mailbox in self.mailboxes {
            out.raw("<t:MailboxData><t:Email>");
            out.element("t:Address", mailbox);
            out.raw("</t:Email><t:AttendeeType>Room</t:AttendeeType></t:MailboxData>");
        }
        out.raw("</m:MailboxDataArray><t:FreeBusyViewOptions><t:TimeWindow><t:StartTime>");
        out.zoneless_date_time(self.start);
        out.raw("</t:StartTime><t:EndTime>");
        out.zoneless_date_time(self.end);
        out.raw("</t:EndTime></t:TimeWindow><t:MergedFreeBusyIntervalInMinutes>");
        out.int(self.interval_minutes);
        out.raw("</t:MergedFreeBusyIntervalInMinutes><t:RequestedView>DetailedMerged</t:RequestedView>");
        out.raw("</t:FreeBusyViewOptions></m:GetUserAvailabilityRequest>");
    }
}
