//! `UpdateItem`: sets the end of one item, `calendar:End`. Never sets another property, and never overwrites a concurrent change.

use chrono::{DateTime, Utc};

use super::{Effect, ITEM_ID, ItemRef, Operation};
use crate::ews::codec::xml_writer::XmlWriter;
use crate::ews::types::{Item, ResponseMessage};

/// `SendMeetingInvitationsOrCancellations`: required for calendar items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variants have the names of the schema's values")]
pub enum SendUpdates {
    ToNone,
    ToAllAndSaveCopy,
}

/// `UpdateItem` of the end of one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdateItem<'a> {
    /// The item, with the ChangeKey that Exchange compares.
    pub item: ItemRef<'a>,
    /// The new end.
    pub end: DateTime<Utc>,
    /// The recipients of Exchange's mail.
    pub send: SendUpdates,
}

/// The content of an `UpdateItem` response.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize)]
pub struct UpdateItemPayload<'a> {
    /// The item, with its new ChangeKey; `None`: without `m:Items`.
    pub items: Option<Vec<Item<'a>>>,
    /// `m:ConflictResults/t:Count`.
    pub conflict_count: Option<u32>,
}

/// The response: one message per change.
pub type UpdateItemAnswer<'a> = Vec<ResponseMessage<'a, UpdateItemPayload<'a>>>;

impl SendUpdates {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::ToNone, Self::ToAllAndSaveCopy];

    /// Its spelling on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ToNone => "SendToNone",
            Self::ToAllAndSaveCopy => "SendToAllAndSaveCopy",
        }
    }
}

impl Operation for UpdateItem<'_> {
    const NAME: &'static str = "UpdateItem";
    const EFFECT: Effect = Effect::Write;

    /// `NeverOverwrite` is the only `ConflictResolution` that detects a concurrent change. Sets `MessageDisposition`, which only
    /// messages need, so that a message id passed by mistake is never sent. Omits `SuppressReadReceipts`: Exchange 2013 SP1 and
    /// later (MS-OXWSCORE R2314, R2315). Sets no time zone: Exchange refuses one on an attendee copy with
    /// `ErrorInvalidPropertySet`. The item in the update has no other property: Exchange refuses others with
    /// `ErrorUpdatePropertyMismatch`.
    fn write_body(&self, out: &mut XmlWriter<'_>) {
        out.raw(concat!(
            r#"<m:UpdateItem ConflictResolution="NeverOverwrite" MessageDisposition="SaveOnly""#,
            r#" SendMeetingInvitationsOrCancellations=""#,
        ));
        out.raw(self.send.as_str());
        out.raw(r#""><m:ItemChanges><t:ItemChange>"#);
        self.item.write(ITEM_ID, out);
        out.raw(concat!(
            r#"<t:Updates><t:SetItemField><t:FieldURI FieldURI="calendar:End"/>"#,
            "<t:CalendarItem><t:End>",
        ));
        out.date_time(self.end);
        out.raw(concat!(
            "</t:End></t:CalendarItem></t:SetItemField></t:Updates>",
            "</t:ItemChange></m:ItemChanges></m:UpdateItem>",
        ));
    }
}
