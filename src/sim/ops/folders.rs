//! `GetFolder` and `FindFolder`: the few folders every mailbox has. None is ever made, renamed or deleted.

use roxmltree::Node;

use super::Desk;
use super::ids::folder;
use crate::sim::ids;
use crate::sim::soap_in::{Refusal, choice, elements, need_m};
use crate::sim::soap_out::{element, messages};
use crate::sim::world::{Folder, Mailbox};

/// Rights of the owner and of delegates with Full Access; the simulator refuses all others before this.
const EFFECTIVE_RIGHTS: &str = "<t:EffectiveRights><t:CreateAssociated>true</t:CreateAssociated><t:CreateContents>true</t:CreateContents>\
                                <t:CreateHierarchy>true</t:CreateHierarchy><t:Delete>true</t:Delete><t:Modify>true</t:Modify>\
                                <t:Read>true</t:Read></t:EffectiveRights>";

pub(super) fn get_folder(desk: &Desk<'_>, request: Node<'_, '_>) -> Result<String, Refusal> {
    let asks_for_rights = request.descendants().any(|node| {
        node.tag_name().name() == "FieldURI" && node.attribute("FieldURI") == Some("folder:EffectiveRights")
    });
    let rights = if asks_for_rights { EFFECTIVE_RIGHTS } else { "" };
    let shown = |id| {
        let folder = folder(desk, id)?;
        Ok(format!("<m:Folders>{}</m:Folders>", show(desk.mailbox()?, folder, rights)))
    };
    let outcomes: Vec<_> = elements(need_m(request, "FolderIds")?).map(shown).collect();
    Ok(messages("GetFolder", &outcomes, "<m:Folders/>"))
}

pub(super) fn find_folder(desk: &Desk<'_>, request: Node<'_, '_>) -> Result<String, Refusal> {
    let deep = choice(request, "Traversal", &["Shallow", "Deep", "SoftDeleted"])? == Some("Deep");
    let inside = |id| {
        let parent = folder(desk, id)?;
        let mailbox = desk.mailbox()?;
        let found: Vec<Folder> =
            Folder::ALL.into_iter().filter(|folder| is_inside(*folder, parent, deep)).collect();
        let all: String = found.iter().map(|folder| show(mailbox, *folder, "")).collect();
        Ok(format!(
            r#"<m:RootFolder IndexedPagingOffset="{0}" TotalItemsInView="{0}" IncludesLastItemInRange="true"><t:Folders>{all}</t:Folders></m:RootFolder>"#,
            found.len()
        ))
    };
    let outcomes: Vec<_> = elements(need_m(request, "ParentFolderIds")?).map(inside).collect();
    Ok(messages("FindFolder", &outcomes, ""))
}

fn is_inside(folder: Folder, parent: Folder, deep: bool) -> bool {
    match folder.parent() {
        None => false,
        Some(direct) if direct == parent => true,
        Some(direct) => deep && is_inside(direct, parent, deep),
    }
}

fn show(mailbox: &Mailbox, folder: Folder, rights: &str) -> String {
    let id = |name: &str, folder: Folder| {
        let id = ids::folder_id(mailbox.number, folder.number());
        format!(r#"<t:{name} Id="{id}" ChangeKey="{}"/>"#, ids::FOLDER_CHANGE_KEY)
    };
    let (kind, class, name) = describe(folder);
    let parent = folder.parent().map(|parent| id("ParentFolderId", parent)).unwrap_or_default();
    let class = class.map(|class| element("FolderClass", class)).unwrap_or_default();
    let children = Folder::ALL.iter().filter(|child| child.parent() == Some(folder)).count();
    format!(
        "<t:{kind}>{}{parent}{class}{}{}{}{rights}</t:{kind}>",
        id("FolderId", folder),
        element("DisplayName", name),
        element("TotalCount", &mailbox.folder(folder).count().to_string()),
        element("ChildFolderCount", &children.to_string())
    )
}

fn describe(folder: Folder) -> (&'static str, Option<&'static str>, &'static str) {
    const NOTES: Option<&str> = Some("IPF.Note");
    match folder {
        Folder::Root => ("Folder", None, "Root"),
        Folder::TopOfStore => ("Folder", None, "Top of Information Store"),
        Folder::Inbox => ("Folder", NOTES, "Inbox"),
        Folder::Drafts => ("Folder", NOTES, "Drafts"),
        Folder::Outbox => ("Folder", NOTES, "Outbox"),
        Folder::Sent => ("Folder", NOTES, "Sent Items"),
        Folder::Deleted => ("Folder", NOTES, "Deleted Items"),
        Folder::Calendar => ("CalendarFolder", Some("IPF.Appointment"), "Calendar"),
    }
}
