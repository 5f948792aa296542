//! `SyncFolderItems`: lists changes in a folder since the last call, for servers that do not stream. Reports series masters, never
//! their occurrences.

use super::{Effect, FolderId, Operation, write_shape};
use crate::ews::codec::xml_writer::XmlWriter;
use crate::ews::types::{ItemId, ResponseMessage, Text};

/// Maximum number of changes in one response (MS-OXWSSYNC, `MaxChangesReturned`).
pub const CHANGES_MAX: u32 = 512;

/// `SyncFolderItems`, returning ids only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncFolderItems<'a> {
    /// The calendar.
    pub folder: FolderId<'a>,
    /// The state from the last response; without it, the response lists every item of the folder.
    pub sync_state: Option<&'a str>,
    /// 1 to [`CHANGES_MAX`].
    pub max_changes: u32,
}

/// The changes, and the state for the next call.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct SyncFolderItemsPayload<'a> {
    /// Opaque state for the next call.
    pub sync_state: Option<Text<'a>>,
    /// False: more changes can be requested at once.
    pub includes_last_item_in_range: Option<bool>,
    /// The changes in no particular order; `None`: without `m:Changes`, which a response without changes also has.
    pub changes: Option<Vec<SyncChange<'a>>>,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct SyncChange<'a> {
    /// Local name of the element: `Create`, `Update`, `Delete`, `ReadFlagChange`.
    pub element: Text<'a>,
    /// The changed item.
    pub item_id: Option<ItemId<'a>>,
}

/// The response: one message.
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
