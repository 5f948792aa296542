//! `CreateItem`. Creates a calendar item, or sends a response object (accept, decline, cancel) about one.

use chrono::{DateTime, Utc};

use super::{Effect, FolderId, ItemRef, Operation};
use crate::ews::codec::xml_writer::XmlWriter;
use crate::ews::types::{Item, ResponseMessage};

/// What to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CreateItem<'a> {
    /// `t:DeclineItem`: attendee copies only; the organizer is told, the copy goes to Deleted Items.
    Decline(ResponseObject<'a>),
    /// `t:CancelCalendarItem`: organizer copies only; the attendees are told, the copy goes to Deleted Items.
    Cancel(ResponseObject<'a>),
    /// `t:AcceptItem`: attendee copies only.
    Accept(ResponseObject<'a>),
    /// A plain `t:CalendarItem` in the impersonated mailbox's calendar.
    CalendarItem(NewCalendarItem<'a>),
}

/// A response object: about which item, and what is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponseObject<'a> {
    /// `t:ReferenceItemId`, with a current ChangeKey.
    pub item: ItemRef<'a>,
    /// Plain text for the other side (`SoapBody`, or `NewBodyContent` of a cancellation).
    pub text: Option<&'a str>,
    /// `MessageDisposition`.
    pub disposition: MessageDisposition,
    /// Where a saved copy goes (`SavedItemFolderId`); `None` for the Sent Items of the mailbox in whose name is asked.
    pub saved_in: Option<FolderId<'a>>,
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
    /// `UID`, which a client may choose when it creates an item; without one the server makes one up.
    pub uid: Option<&'a str>,
    /// Start.
    pub start: DateTime<Utc>,
    /// End, after `start`.
    pub end: DateTime<Utc>,
    /// Location.
    pub location: Option<&'a str>,
    /// The calendar it is created in.
    pub calendar: FolderId<'a>,
}

/// The answer: what was created (for a response object often nothing, or the copy that moved).
pub type CreateItemAnswer<'a> = Vec<ResponseMessage<'a, Option<Vec<Item<'a>>>>>;

impl MessageDisposition {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::SaveOnly, Self::SendOnly, Self::SendAndSaveCopy];

    /// As it stands on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SaveOnly => "SaveOnly",
            Self::SendOnly => "SendOnly",
            Self::SendAndSaveCopy => "SendAndSaveCopy",
        }
    }
}

impl Operation for CreateItem<'_> {
    const NAME: &'static str = "CreateItem";
    const EFFECT: Effect = Effect::Write;

    fn creates_item(&self) -> bool {
        matches!(self, Self::CalendarItem(_))
    }

    fn write_body(&self, out: &mut XmlWriter<'_>) {
        match self {
            Self::Decline(response) => response.write_answer("t:DeclineItem", out),
            Self::Accept(response) => response.write_answer("t:AcceptItem", out),
            Self::Cancel(response) => response.write_cancellation(out),
            Self::CalendarItem(item) => item.write(out),
        }
    }
}

impl ResponseObject<'_> {
    /// Accept or decline: the text is the `SoapBody`, before the item it is about (a schema sequence).
    fn write_answer(&self, name: &'static str, out: &mut XmlWriter<'_>) {
        self.open(name, out);
        if let Some(text) = self.text {
            out.raw(r#"<t:Body BodyType="Text">"#);
            out.text(text);
            out.raw("</t:Body>");
        }
        self.item.write("t:ReferenceItemId", out);
        close(name, out);
    }

    /// A cancellation: `SoapBody` would be ignored (CancelCalendarItem page), the text is the `NewBodyContent`, after the item.
    fn write_cancellation(&self, out: &mut XmlWriter<'_>) {
        self.open("t:CancelCalendarItem", out);
        self.item.write("t:ReferenceItemId", out);
        if let Some(text) = self.text {
            out.raw(r#"<t:NewBodyContent BodyType="Text">"#);
            out.text(text);
            out.raw("</t:NewBodyContent>");
        }
        close("t:CancelCalendarItem", out);
    }

    /// `MessageDisposition` is required of every response object (MS-OXWSMTGS R1342).
    fn open(&self, name: &'static str, out: &mut XmlWriter<'_>) {
        out.raw(r#"<m:CreateItem MessageDisposition=""#);
        out.raw(self.disposition.as_str());
        out.raw("\">");
        if let Some(folder) = self.saved_in {
            saved_in(folder, out);
        }
        out.raw("<m:Items><");
        out.raw(name);
        out.raw(">");
    }
}

fn saved_in(folder: FolderId<'_>, out: &mut XmlWriter<'_>) {
    out.raw("<m:SavedItemFolderId>");
    folder.write(out);
    out.raw("</m:SavedItemFolderId>");
}

fn close(name: &'static str, out: &mut XmlWriter<'_>) {
    out.raw("</");
    out.raw(name);
    out.raw("></m:Items></m:CreateItem>");
}

impl NewCalendarItem<'_> {
    /// In the order of the schema: what every item has, then what calendar items have. What `SendMeetingInvitations`
    /// needs is said (`ErrorSendMeetingInvitationsRequired`); a room needs no reminder and is busy.
    fn write(&self, out: &mut XmlWriter<'_>) {
        out.raw(r#"<m:CreateItem SendMeetingInvitations="SendToNone">"#);
        saved_in(self.calendar, out);
        out.raw("<m:Items><t:CalendarItem>");
        out.element("t:Subject", self.subject);
        if let Some(body) = self.body {
            out.raw(r#"<t:Body BodyType="Text">"#);
            out.text(body);
            out.raw("</t:Body>");
        }
        out.raw("<t:ReminderIsSet>false</t:ReminderIsSet>");
        if let Some(uid) = self.uid {
            out.element("t:UID", uid);
        }
        out.raw("<t:Start>");
        out.date_time(self.start);
        out.raw("</t:Start><t:End>");
        out.date_time(self.end);
        out.raw("</t:End><t:LegacyFreeBusyStatus>Busy</t:LegacyFreeBusyStatus>");
        if let Some(location) = self.location {
            out.element("t:Location", location);
        }
        close("t:CalendarItem", out);
    }
}
