//! `SyncFolderItems`. Asks what changed in a folder since the last time: for servers that do not stream. Tells series masters,
//! not their dates.

use super::{Effect, FolderId, Operation, write_shape};
use crate::ews::codec::xml_writer::XmlWriter;
use crate::ews::types::{ItemId, ResponseMessage, Text};

/// Changes in one answer, at most (MS-OXWSSYNC, `MaxChangesReturned`).
pub const CHANGES_MAX: u32 = 512;

/// `SyncFolderItems`, for ids alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncFolderItems<'a> {
    /// Whose calendar.
    pub folder: FolderId<'a>,
    /// What the last answer said; without it, everything in the folder is new.
    pub sync_state: Option<&'a str>,
    /// 1 to [`CHANGES_MAX`].
    pub max_changes: u32,
}

/// What changed, and what to say next time.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct SyncFolderItemsPayload<'a> {
    /// Opaque.
    pub sync_state: Option<Text<'a>>,
    /// False: there is more to be asked for at once.
    pub includes_last_item_in_range: Option<bool>,
    /// In no particular order; `None`: without `m:Changes`, which an answer without changes never is.
    pub changes: Option<Vec<SyncChange<'a>>>,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct SyncChange<'a> {
    /// The element: `Create`, `Update`, `Delete`, `ReadFlagChange`.
    pub element: Text<'a>,
    /// Of which item.
    pub item_id: Option<ItemId<'a>>,
}

/// The answer: one message.
pub type SyncFolderItemsAnswer<'a> = Vec<ResponseMessage<'a, SyncFolderItemsPayload<'a>>>;

impl Operation for SyncFolderItems<'_> {
    const NAME: &'static str = "SyncFolderItems";
    const EFFECT: Effect = Effect::Read;

    fn write_body(&self, out: &mut XmlWriter<'_>) {
        out.raw("<m:SyncFolderItems>");
        write_shape(&[], out);
        out.raw("<m:SyncFolderId>");
        self.folder.write(out);
        out.raw("</m:SyncFolderId>");
        if let Some(state) = self.sync_state {
            out.element("m:SyncState", state);
        }
        out.raw("<m:MaxChangesReturned>");
        out.int(self.max_changes);
        out.raw("</m:MaxChangesReturned></m:SyncFolderItems>");
    }
}
