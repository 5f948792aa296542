//! `GetFolder`: reads a folder's name and counts. The cheapest proof that impersonation of a room works.

use super::{Effect, FolderId, Operation};
use crate::ews::codec::xml_writer::XmlWriter;
use crate::ews::types::{ItemId, ResponseMessage, Text};

/// `GetFolder`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetFolder<'a> {
    /// The folder.
    pub folder: FolderId<'a>,
    /// Request [`EffectiveRights`] as well.
    pub effective_rights: bool,
}

/// The account's rights in a folder (`EffectiveRights`), as far as the server returns them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct EffectiveRights {
    /// May create items.
    pub create_contents: Option<bool>,
    /// May read items.
    pub read: Option<bool>,
}

/// A folder of any kind.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize)]
pub struct Folder<'a> {
    /// Local name of the element: `CalendarFolder`, `Folder`, …
    pub element: Text<'a>,
    /// The folder's id.
    pub folder_id: Option<ItemId<'a>>,
    /// Localized name.
    pub display_name: Option<Text<'a>>,
    /// Number of items.
    pub total_count: Option<u32>,
    /// Number of subfolders.
    pub child_folder_count: Option<u32>,
    /// The account's rights, if the request includes them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effective_rights: Option<EffectiveRights>,
}

/// The response: one message per requested folder.
pub type GetFolderAnswer<'a> = Vec<ResponseMessage<'a, Option<Vec<Folder<'a>>>>>;

impl Operation for GetFolder<'_> {
    const NAME: &'static str = "GetFolder";
    const EFFECT: Effect = Effect::Read;

    /// The `Default` shape is the smallest one with the name and both counts.
    fn write_body(&self, out: &mut XmlWriter<'_>) {
        out.raw("<m:GetFolder><m:FolderShape><t:BaseShape>Default</t:BaseShape>");
        if self.effective_rights {
            out.raw(r#"<t:AdditionalProperties><t:FieldURI FieldURI="folder:EffectiveRights"/></t:AdditionalProperties>"#);
        }
        out.raw("</m:FolderShape><m:FolderIds>");
        self.folder.write(out);
        out.raw("</m:FolderIds></m:GetFolder>");
    }
}
