//! `GetFolder` and `FindFolder`: the few folders every mailbox has. None is ever made, renamed or deleted.

use chrono::DateTime;
use roxmltree::Node;

use super::Desk;
use super::ids::folder;
use super::path::{self, Path, Spelling};
use crate::sim::extended::{Extended, Owner};
use crate::sim::ids;
use crate::sim::soap_in::{Refusal, choice, elements, m, need_m, t};
use crate::sim::soap_out::{element, escape, instant, messages};
use crate::sim::world::{Folder, Mailbox};

pub(super) fn get_folder(desk: &Desk<'_>, request: Node<'_, '_>) -> Result<String, Refusal> {
    let wanted = wanted(request)?;
    let shown = |id| {
        let folder = folder(desk, id)?;
        Ok(format!("<m:Folders>{}</m:Folders>", show(desk.mailbox()?, folder, &wanted)))
    };
    let outcomes: Vec<_> = elements(need_m(request, "FolderIds")?).map(shown).collect();
    Ok(messages("GetFolder", &outcomes, "<m:Folders/>"))
}

pub(super) fn find_folder(desk: &Desk<'_>, request: Node<'_, '_>) -> Result<String, Refusal> {
    let deep = choice(request, "Traversal", &["Shallow", "Deep", "SoftDeleted"])? == Some("Deep");
    let wanted = wanted(request)?;
    let inside = |id| {
        let parent = folder(desk, id)?;
        let mailbox = desk.mailbox()?;
        let found: Vec<Folder> =
            Folder::ALL.into_iter().filter(|folder| is_inside(*folder, parent, deep)).collect();
        let all: String = found.iter().map(|folder| show(mailbox, *folder, &wanted)).collect();
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

/// The extended properties that a request wants of its folders.
fn wanted(request: Node<'_, '_>) -> Result<Vec<(Extended, Spelling)>, Refusal> {
    let mut wanted = Vec::new();
    let additional = m(request, "FolderShape").and_then(|shape| t(shape, "AdditionalProperties"));
    for property in additional.into_iter().flat_map(elements) {
        if let Path::Extended(property, spelling) = path::read(property)? {
            wanted.push((property, spelling));
        }
    }
    Ok(wanted)
}

/// What MAPI says of a folder.
fn value(mailbox: &Mailbox, folder: Folder, property: &Extended) -> Option<String> {
    let Owner::Tag(tag) = property.owner else { return None };
    let (_, class, name) = describe(folder);
    let changed = || mailbox.items.log().last_in(folder).unwrap_or(DateTime::UNIX_EPOCH);
    Some(match (tag, property.kind) {
        (0x3001, "String") => name.to_owned(),
        (0x3602, "Integer") => mailbox.folder(folder).count().to_string(),
        (0x3603, "Integer") => "0".to_owned(),
        (0x360a, "Boolean") => Folder::ALL.iter().any(|child| child.parent() == Some(folder)).to_string(),
        (0x3613, "String") => class?.to_owned(),
        (0x3008 | 0x670a, "SystemTime") => instant(changed()),
        _ => return None,
    })
}

fn extended(mailbox: &Mailbox, folder: Folder, wanted: &[(Extended, Spelling)]) -> String {
    let shown = wanted.iter().filter_map(|(property, spelling)| {
        let value = value(mailbox, folder, property)?;
        let value = format!("<t:Value>{}</t:Value>", escape(&value));
        Some(format!("<t:ExtendedProperty>{}{value}</t:ExtendedProperty>", spelling.element()))
    });
    shown.collect()
}

fn show(mailbox: &Mailbox, folder: Folder, wanted: &[(Extended, Spelling)]) -> String {
    let id = |name: &str, folder: Folder| {
        let id = ids::folder_id(mailbox.number, folder.number());
        format!(r#"<t:{name} Id="{id}" ChangeKey="{}"/>"#, ids::FOLDER_CHANGE_KEY)
    };
    let (kind, class, name) = describe(folder);
    let parent = folder.parent().map(|parent| id("ParentFolderId", parent)).unwrap_or_default();
    let class = class.map(|class| element("FolderClass", class)).unwrap_or_default();
    let children = Folder::ALL.iter().filter(|child| child.parent() == Some(folder)).count();
    format!(
        "<t:{kind}>{}{parent}{class}{}{}{}{}</t:{kind}>",
        id("FolderId", folder),
        element("DisplayName", name),
        element("TotalCount", &mailbox.folder(folder).count().to_string()),
        element("ChildFolderCount", &children.to_string()),
        extended(mailbox, folder, wanted)
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
        Folder::Contacts => ("ContactsFolder", Some("IPF.Contact"), "Contacts"),
        Folder::Tasks => ("TasksFolder", Some("IPF.Task"), "Tasks"),
        Folder::Notes => ("Folder", Some("IPF.StickyNote"), "Notes"),
        Folder::Journal => ("Folder", Some("IPF.Journal"), "Journal"),
        Folder::Junk => ("Folder", NOTES, "Junk Email"),
    }
}
