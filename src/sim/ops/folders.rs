//! `GetFolder` and `FindFolder` over the fixed folders of a mailbox. Folders are never created, renamed or deleted.

use roxmltree::Node;

use super::folder_context::{FolderContext, children, describe};
use super::folder_row::FolderRow;
use super::ids::folder;
use super::property_path::{self, PathAttributes, PropertyPath};
use super::request_context::RequestContext;
use super::{paging, restriction};
use crate::sim::ews_error::EwsError;
use crate::sim::extended::{ExtendedProperty, PropertyName};
use crate::sim::folder::MailboxFolder;
use crate::sim::ids;
use crate::sim::mailbox::Mailbox;
use crate::sim::soap_request::{elements, enum_attribute, m, require_m, t};
use crate::sim::soap_response::{element, messages};
use crate::sim::xml::escape;

/// Rights of the owner and of delegates with Full Access; requests of others fail earlier.
const EFFECTIVE_RIGHTS: &str = "<t:EffectiveRights><t:CreateAssociated>true</t:CreateAssociated><t:CreateContents>true</t:CreateContents>\
                                <t:CreateHierarchy>true</t:CreateHierarchy><t:Delete>true</t:Delete><t:Modify>true</t:Modify>\
                                <t:Read>true</t:Read></t:EffectiveRights>";

/// The requested properties of folders beyond the default ones.
#[derive(Default)]
struct FolderShape {
    extended: Vec<(ExtendedProperty, PathAttributes)>,
    rights: bool,
}

pub(super) fn get_folder(context: &RequestContext<'_>, request: Node<'_, '_>) -> Result<String, EwsError> {
    let wanted = wanted(request)?;
    let shown = |id| {
        let folder = folder(context, id)?;
        Ok(format!("<m:Folders>{}</m:Folders>", show(context.mailbox()?, folder, &wanted)))
    };
    let outcomes: Vec<_> = elements(require_m(request, "FolderIds")?).map(shown).collect();
    Ok(messages("GetFolder", &outcomes, "<m:Folders/>"))
}

pub(super) fn find_folder(context: &RequestContext<'_>, request: Node<'_, '_>) -> Result<String, EwsError> {
    let deep = enum_attribute(request, "Traversal", &["Shallow", "Deep", "SoftDeleted"])? == Some("Deep");
    let wanted = wanted(request)?;
    let restriction = m(request, "Restriction").map(restriction::read).transpose()?;
    let inside = |id| {
        let parent = folder(context, id)?;
        let mailbox = context.mailbox()?;
        let mut found = Vec::new();
        if let Some(restriction) = &restriction {
            restriction.check(FolderContext::has)?;
        }
        for folder in MailboxFolder::ALL.into_iter().filter(|folder| is_inside(*folder, parent, deep)) {
            let row = FolderRow::Folder(FolderContext { mailbox, folder });
            if restriction.as_ref().map_or(Ok(true), |restriction| restriction.holds(&row))? {
                found.push(folder);
            }
        }
        let slice = paging::slice(request, found.len(), FOLDERS_MAX)?;
        let shown = found.get(slice.range.clone()).unwrap_or_default();
        let all: String = shown.iter().map(|folder| show(mailbox, *folder, &wanted)).collect();
        Ok(format!(
            r#"<m:RootFolder IndexedPagingOffset="{}" TotalItemsInView="{}" IncludesLastItemInRange="{}"><t:Folders>{all}</t:Folders></m:RootFolder>"#,
            slice.next,
            found.len(),
            slice.last
        ))
    };
    let outcomes: Vec<_> = elements(require_m(request, "ParentFolderIds")?).map(inside).collect();
    Ok(messages("FindFolder", &outcomes, ""))
}

/// Limit of folders in one response.
const FOLDERS_MAX: usize = 1_000;

fn is_inside(folder: MailboxFolder, parent: MailboxFolder, deep: bool) -> bool {
    match folder.parent() {
        None => false,
        Some(direct) if direct == parent => true,
        Some(direct) => deep && is_inside(direct, parent, deep),
    }
}

fn wanted(request: Node<'_, '_>) -> Result<FolderShape, EwsError> {
    let mut wanted = FolderShape::default();
    let additional = m(request, "FolderShape").and_then(|shape| t(shape, "AdditionalProperties"));
    for property in additional.into_iter().flat_map(elements) {
        match property_path::read(property)? {
            PropertyPath::Extended(property, spelling) => wanted.extended.push((property, spelling)),
            PropertyPath::Field(uri) => wanted.rights |= uri == "folder:EffectiveRights",
            PropertyPath::Indexed => {}
        }
    }
    Ok(wanted)
}

fn extended(
    mailbox: &Mailbox,
    folder: MailboxFolder,
    wanted: &[(ExtendedProperty, PathAttributes)],
) -> String {
    let shown = wanted.iter().filter_map(|(property, spelling)| {
        let PropertyName::Tag(tag) = property.owner else { return None };
        let value = FolderContext { mailbox, folder }.of_tag(tag, property.kind)?;
        let value = format!("<t:Value>{}</t:Value>", escape(&value.text()));
        Some(format!("<t:ExtendedProperty>{}{value}</t:ExtendedProperty>", spelling.element()))
    });
    shown.collect()
}

fn show(mailbox: &Mailbox, folder: MailboxFolder, wanted: &FolderShape) -> String {
    let id = |name: &str, folder: MailboxFolder| {
        let id = ids::folder_id(mailbox.number, folder.number());
        format!(r#"<t:{name} Id="{id}" ChangeKey="{}"/>"#, ids::FOLDER_CHANGE_KEY)
    };
    let (kind, class, name) = describe(folder);
    let parent = folder.parent().map(|parent| id("ParentFolderId", parent)).unwrap_or_default();
    let class = class.map(|class| element("FolderClass", class)).unwrap_or_default();
    let rights = if wanted.rights { EFFECTIVE_RIGHTS } else { "" };
    format!(
        "<t:{kind}>{}{parent}{class}{}{}{}{}{rights}</t:{kind}>",
        id("FolderId", folder),
        element("DisplayName", name),
        element("TotalCount", &mailbox.folder(folder).count().to_string()),
        element("ChildFolderCount", &children(folder).to_string()),
        extended(mailbox, folder, &wanted.extended)
    )
}
