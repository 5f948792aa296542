//! `UpdateItem`: sets single properties of one item: `calendar:End`, `calendar:Start`, `item:Subject`, `item:Body`. Never sets a time
//! zone.

use chrono::{DateTime, Utc};

use super::{Effect, ItemRef, Operation};
use crate::ews::codec::xml_writer::XmlWriter;
use crate::ews::types::{Item, ResponseMessage};

/// `ConflictResolution`. Only `NeverOverwrite` detects a concurrent change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variants have the names of the schema's values")]
pub enum ConflictResolution {
    NeverOverwrite,
    AutoResolve,
    AlwaysOverwrite,
}

/// `SendMeetingInvitationsOrCancellations`: required for calendar items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variants have the names of the schema's values")]
pub enum SendUpdates {
    ToNone,
    OnlyToAll,
    OnlyToChanged,
    ToAllAndSaveCopy,
    ToChangedAndSaveCopy,
}

/// One `t:SetItemField`, which sets exactly one property. There is deliberately no time-zone property: Exchange refuses one on an
/// attendee copy with `ErrorInvalidPropertySet`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SetItemField<'a> {
    /// `calendar:End`, written as UTC `Z`.
    End(DateTime<Utc>),
    /// `calendar:Start`, written as UTC `Z`.
    Start(DateTime<Utc>),
    /// `item:Subject`.
    Subject(&'a str),
    /// `item:Body`, as plain text.
    Body(&'a str),
}

/// `UpdateItem` of one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdateItem<'a> {
    /// The item, with the ChangeKey that Exchange compares.
    pub item: ItemRef<'a>,
    /// The changes, in the order in which the server applies them.
    pub changes: &'a [SetItemField<'a>],
    /// What Exchange does after a concurrent change.
    pub conflict_resolution: ConflictResolution,
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

impl ConflictResolution {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::NeverOverwrite, Self::AutoResolve, Self::AlwaysOverwrite];

    /// Its spelling on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NeverOverwrite => "NeverOverwrite",
            Self::AutoResolve => "AutoResolve",
            Self::AlwaysOverwrite => "AlwaysOverwrite",
        }
    }
}

impl SendUpdates {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::ToNone,
        Self::OnlyToAll,
        Self::OnlyToChanged,
        Self::ToAllAndSaveCopy,
        Self::ToChangedAndSaveCopy,
    ];

    /// Its spelling on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ToNone => "SendToNone",
            Self::OnlyToAll => "SendOnlyToAll",
            Self::OnlyToChanged => "SendOnlyToChanged",
            Self::ToAllAndSaveCopy => "SendToAllAndSaveCopy",
            Self::ToChangedAndSaveCopy => "SendToChangedAndSaveCopy",
        }
    }
}

impl Operation for UpdateItem<'_> {
    const NAME: &'static str = "UpdateItem";
    const EFFECT: Effect = Effect::Write;

    /// Sets `MessageDisposition`, which only messages need, so that a message id passed by mistake is never sent. Omits
    /// `SuppressReadReceipts`: Exchange 2013 SP1 and later (MS-OXWSCORE R2314, R2315).
    fn write_body(&self, out: &mut XmlWriter<'_>) {
        out.raw(r#"<m:UpdateItem ConflictResolution=""#);
        out.raw(self.conflict_resolution.as_str());
        out.raw(r#"" MessageDisposition="SaveOnly" SendMeetingInvitationsOrCancellations=""#);
        out.raw(self.send.as_str());
        out.raw(r#""><m:ItemChanges><t:ItemChange>"#);
        self.item.write("t:ItemId", out);
        out.raw("<t:Updates>");
        for change in self.changes {
            change.write(out);
        }
        out.raw("</t:Updates></t:ItemChange></m:ItemChanges></m:UpdateItem>");
    }
}

/// Writes a property's path and value: the path, and an item with that property alone (Exchange refuses other content with
/// `ErrorUpdatePropertyMismatch`).
macro_rules! set_item_field {
    ($out:ident, $uri:literal, $open:literal, $close:literal, $value:expr) => {{
        $out.raw(concat!(r#"<t:SetItemField><t:FieldURI FieldURI=""#, $uri, r#""/><t:CalendarItem>"#, $open));
        $value;
        $out.raw(concat!($close, "</t:CalendarItem></t:SetItemField>"));
    }};
}

impl SetItemField<'_> {
    fn write(&self, out: &mut XmlWriter<'_>) {
        match *self {
            Self::End(at) => set_item_field!(out, "calendar:End", "<t:End>", "</t:End>", out.date_time(at)),
            Self::Start(at) => {
                set_item_field!(out, "calendar:Start", "<t:Start>", "</t:Start>", out.date_time(at))
            }
            Self::Subject(text) => {
                set_item_field!(out, "item:Subject", "<t:Subject>", "</t:Subject>", out.text(text))
            }
            Self::Body(text) => {
                set_item_field!(out, "item:Body", r#"<t:Body BodyType="Text">"#, "</t:Body>", out.text(text))
            }
        }
    }
}
