//! `MoveItem`: moves items to another folder of the same mailbox, for undo. Exchange cannot move occurrences.

use super::{Effect, FolderId, ItemRef, Operation, write_items};
use crate::ews::codec::xml_writer::XmlWriter;
use crate::ews::types::{Item, ResponseMessage};

/// `MoveItem`; requests the new ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MoveItem<'a> {
    /// The items.
    pub items: &'a [ItemRef<'a>],
    /// The target folder.
    pub to: FolderId<'a>,
}

/// The response: one message per id, with the item under its new id. `None`: without `m:Items`.
pub type MoveItemAnswer<'a> = Vec<ResponseMessage<'a, Option<Vec<Item<'a>>>>>;

impl Operation for MoveItem<'_> {
    const NAME: &'static str = "MoveItem";
    const EFFECT: Effect = Effect::Write;

    /// `ReturnNewItemIds` exists since Exchange 2010 SP1, so every supported version has it (MS-OXWSCORE R1229, R1230).
    fn write_body(&self, out: &mut XmlWriter<'_>) {
        out.raw("<m:MoveItem><m:ToFolderId>");
        self.to.write(out);
        out.raw("</m:ToFolderId>");
        write_items(self.items, out);
        out.raw("<m:ReturnNewItemIds>true</m:ReturnNewItemIds></m:MoveItem>");
    }
}
