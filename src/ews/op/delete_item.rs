//! `DeleteItem`: removes items without mail. Never beyond an administrator's reach (`HardDelete`). Never pass a series master: that
//! deletes the whole series.

use super::{Effect, ItemRef, Operation, write_items};
use crate::ews::codec::xml_writer::XmlWriter;
use crate::ews::types::ResponseMessage;

/// `DeleteType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variants have the names of the schema's values")]
pub enum DeleteType {
    MoveToDeletedItems,
    SoftDelete,
}

/// `DeleteItem`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeleteItem<'a> {
    /// The items.
    pub items: &'a [ItemRef<'a>],
    /// Where the items go.
    pub delete_type: DeleteType,
}

/// The response: one message per id, in request order.
pub type DeleteItemAnswer<'a> = Vec<ResponseMessage<'a, ()>>;

impl DeleteType {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::MoveToDeletedItems, Self::SoftDelete];

    /// Its spelling on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MoveToDeletedItems => "MoveToDeletedItems",
            Self::SoftDelete => "SoftDelete",
        }
    }
}

/// The start tag with this kind of deletion.
macro_rules! start_tag {
    ($delete_type:literal) => {
        concat!(r#"<m:DeleteItem DeleteType=""#, $delete_type, r#"" SendMeetingCancellations="SendToNone">"#)
    };
}

impl Operation for DeleteItem<'_> {
    const NAME: &'static str = "DeleteItem";
    const EFFECT: Effect = Effect::Write;

    /// `SendMeetingCancellations` is required for calendar items. Omits `AffectedTaskOccurrences`, so that Exchange refuses a task;
    /// omits `SuppressReadReceipts`, which Exchange 2013 SP1 introduced (MS-OXWSCORE R2310, R2311) and which does not concern
    /// calendar items.
    fn write_body(&self, out: &mut XmlWriter<'_>) {
        out.raw(match self.delete_type {
            DeleteType::MoveToDeletedItems => start_tag!("MoveToDeletedItems"),
            DeleteType::SoftDelete => start_tag!("SoftDelete"),
        });
        write_items(self.items, out);
        out.raw("</m:DeleteItem>");
    }
}
