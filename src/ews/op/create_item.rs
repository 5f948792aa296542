//! `CreateItem`: creates a calendar item, or sends a response object (decline, cancel) about one. Never creates a meeting with
//! attendees.

use chrono::{DateTime, Utc};

use super::{Effect, FolderId, ItemRef, Operation};
use crate::ews::codec::xml_writer::XmlWriter;
use crate::ews::types::{Item, ResponseMessage};

/// `CreateItem` of one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CreateItem<'a> {
    /// `t:DeclineItem`, for attendee copies only: Exchange notifies the organizer and moves the copy to Deleted Items.
    Decline(ResponseObject<'a>),
    /// `t:CancelCalendarItem`, for organizer copies only: Exchange notifies the attendees and moves the copy to Deleted Items.
    Cancel(ResponseObject<'a>),
    /// A plain `t:CalendarItem` in the impersonated mailbox's calendar.
    CalendarItem(NewCalendarItem<'a>),
}

/// A response object: an item and a text for the other side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponseObject<'a> {
    /// `t:ReferenceItemId`, with a current ChangeKey.
    pub item: ItemRef<'a>,
    /// Plain text for the other side (`Body`, or `NewBodyContent` of a cancellation).
    pub text: Option<&'a str>,
    /// Folder of the saved copy (`SavedItemFolderId`); `None` for the Sent Items of the impersonated mailbox.
    pub saved_in: Option<FolderId<'a>>,
}

/// A plain event without attendees (`SendMeetingInvitations="SendToNone"`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCalendarItem<'a> {
    /// Subject.
    pub subject: &'a str,
    /// `UID`, which a client may choose for a new item.
    pub uid: &'a str,
    /// Start.
    pub start: DateTime<Utc>,
    /// End, after `start`.
    pub end: DateTime<Utc>,
    /// The calendar that receives the item.
    pub calendar: FolderId<'a>,
}

/// The response: the created item (for a response object often none, or the copy that moved).
pub type CreateItemAnswer<'a> = Vec<ResponseMessage<'a, Option<Vec<Item<'a>>>>>;

impl Operation for CreateItem<'_> {
    const NAME: &'static str = "CreateItem";
    const EFFECT: Effect = Effect::Write;

    fn creates_item(&self) -> bool {
        matches!(self, Self::CalendarItem(_))
    }

    fn write_body(&self, out: &mut XmlWriter<'_>) {
        match self {
            Self::Decline(response) => response.write_decline(out),
            Self::Cancel(response) => response.write_cancellation(out),
            Self::CalendarItem(item) => item.write(out),
        }
    }
}

impl ResponseObject<'_> {
    /// The text is the `Body` and precedes the item (a schema sequence).
    fn write_decline(&self, out: &mut XmlWriter<'_>) {
        self.open("t:DeclineItem", out);
        if let Some(text) = self.text {
            out.raw(r#"<t:Body BodyType="Text">"#);
            out.text(text);
            out.raw("</t:Body>");
        }
        self.item.write(r#"<t:ReferenceItemId Id=""#, out);
        close("t:DeclineItem", out);
    }

    /// A cancellation: Exchange ignores `Body` (CancelCalendarItem page), so the text is the `NewBodyContent`, after the item.
    fn write_cancellation(&self, out: &mut XmlWriter<'_>) {
        self.open("t:CancelCalendarItem", out);
        self.item.write(r#"<t:ReferenceItemId Id=""#, out);
        if let Some(text) = self.text {
            out.raw(r#"<t:NewBodyContent BodyType="Text">"#);
            out.text(text);
            out.raw("</t:NewBodyContent>");
        }
        close("t:CancelCalendarItem", out);
    }

    /// `MessageDisposition` is required of every response object (MS-OXWSMTGS R1342). The saved copy proves later that the mail was
    /// sent.
    fn open(&self, name: &'static str, out: &mut XmlWriter<'_>) {
        out.raw(r#"<m:CreateItem MessageDisposition="SendAndSaveCopy">"#);
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
    /// Writes the fields in schema order: those of every item, then those of calendar items. `SendMeetingInvitations` is required
    /// (`ErrorSendMeetingInvitationsRequired`); a room needs no reminder and is busy.
    fn write(&self, out: &mut XmlWriter<'_>) {
        out.raw(r#"<m:CreateItem SendMeetingInvitations="SendToNone">"#);
        saved_in(self.calendar, out);
        out.raw("<m:Items><t:CalendarItem>");
        out.element("t:Subject", self.subject);
        out.raw("<t:ReminderIsSet>false</t:ReminderIsSet>");
        out.element("t:UID", self.uid);
        out.raw("<t:Start>");
        out.date_time(self.start);
        out.raw("</t:Start><t:End>");
        out.date_time(self.end);
        out.raw("</t:End><t:LegacyFreeBusyStatus>Busy</t:LegacyFreeBusyStatus>");
        close("t:CalendarItem", out);
    }
}
