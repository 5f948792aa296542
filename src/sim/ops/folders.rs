//! `GetFolder` and `FindFolder`: the few folders every mailbox has. None is ever made, renamed or deleted.

use chrono::DateTime;
use roxmltree::Node;

use super::Desk;
use super::ids::folder;
use super::path::{self, Path, Spelling};
use super::row::Row;
use super::value::Value;
use super::{paging, restriction};
use crate::sim::extended::{Extended, Owner};
use crate::sim::ids;
use crate::sim::soap_in::{Refusal, choice, elements, m, need_m, t};
use crate::sim::soap_out::{element, escape, messages};
use crate::sim::world::{Folder, Mailbox};

/// Rights of the owner and of delegates with Full Access; the simulator refuses all others before this.
const EFFECTIVE_RIGHTS: &str = "<t:EffectiveRights><t:CreateAssociated>true</t:CreateAssociated><t:CreateContents>true</t:CreateContents>\
                                <t:CreateHierarchy>true</t:CreateHierarchy><t:Delete>true</t:Delete><t:Modify>true</t:Modify>\
                                <t:Read>true</t:Read></t:EffectiveRights>";

/// What a request wants of its folders besides what is always shown.
#[derive(Default)]
struct Wanted {
    extended: Vec<(Extended, Spelling)>,
    rights: bool,
}

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
    let restriction = m(request, "Restriction").map(restriction::read).transpose()?;
    let inside = |id| {
        let parent = folder(desk, id)?;
        let mailbox = desk.mailbox()?;
        let mut found = Vec::new();
        if let Some(restriction) = &restriction {
            restriction.check(FolderLook::has)?;
        }
        for folder in Folder::ALL.into_iter().filter(|folder| is_inside(*folder, parent, deep)) {
            let row = Row::Folder(FolderLook { mailbox, folder });
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
    let outcomes: Vec<_> = elements(need_m(request, "ParentFolderIds")?).map(inside).collect();
    Ok(messages("FindFolder", &outcomes, ""))
}

/// Folders of one answer.
const FOLDERS_MAX: usize = 1_000;

/// A folder, as restrictions see it.
pub(super) struct FolderLook<'a> {
    mailbox: &'a Mailbox,
    folder: Folder,
}

impl FolderLook<'_> {
    /// Whether a restriction may name a property of folders.
    fn has(path: &Path) -> bool {
        match path {
            Path::Field(uri) => FIELDS.iter().any(|(known, ..)| known == uri),
            Path::Extended(..) => true,
            Path::Indexed => false,
        }
    }

    pub(super) fn value(&self, path: &Path) -> Option<Value> {
        match path {
            Path::Field(uri) => {
                let (_, tag, kind) = FIELDS.iter().find(|(known, ..)| known == uri)?;
                self.of_tag(*tag, kind)
            }
            Path::Extended(property, _) => match property.owner {
                Owner::Tag(tag) => self.of_tag(tag, property.kind),
                _ => None,
            },
            Path::Indexed => None,
        }
    }

    /// What MAPI says of a folder.
    fn of_tag(&self, tag: u16, kind: &str) -> Option<Value> {
        let (_, class, name) = describe(self.folder);
        let log = self.mailbox.items.log();
        let number = |number: usize| i64::try_from(number).map(Value::Number).ok();
        match (tag, kind) {
            (0x3001, "String") => Some(Value::Text(name.to_owned())),
            (0x3602, "Integer") => number(self.mailbox.folder(self.folder).count()),
            (0x3603, "Integer") => number(0),
            (0x360a, "Boolean") => Some(Value::Flag(children(self.folder) > 0)),
            (0x3613, "String") => class.map(|class| Value::Text(class.to_owned())),
            (0x3638, "Integer") => number(children(self.folder)),
            (0x3008 | 0x670a, "SystemTime") => {
                Some(Value::Time(log.last_in(self.folder).unwrap_or(DateTime::UNIX_EPOCH)))
            }
            _ => None,
        }
    }
}

/// The properties of folders that restrictions may name, and what MAPI calls them.
const FIELDS: [(&str, u16, &str); 5] = [
    ("folder:DisplayName", 0x3001, "String"),
    ("folder:FolderClass", 0x3613, "String"),
    ("folder:TotalCount", 0x3602, "Integer"),
    ("folder:UnreadCount", 0x3603, "Integer"),
    ("folder:ChildFolderCount", 0x3638, "Integer"),
];

fn children(folder: Folder) -> usize {
    Folder::ALL.iter().filter(|child| child.parent() == Some(folder)).count()
}

fn is_inside(folder: Folder, parent: Folder, deep: bool) -> bool {
    match folder.parent() {
        None => false,
        Some(direct) if direct == parent => true,
        Some(direct) => deep && is_inside(direct, parent, deep),
    }
}

fn wanted(request: Node<'_, '_>) -> Result<Wanted, Refusal> {
    let mut wanted = Wanted::default();
    let additional = m(request, "FolderShape").and_then(|shape| t(shape, "AdditionalProperties"));
    for property in additional.into_iter().flat_map(elements) {
        match path::read(property)? {
            Path::Extended(property, spelling) => wanted.extended.push((property, spelling)),
            Path::Field(uri) => wanted.rights |= uri == "folder:EffectiveRights",
            Path::Indexed => {}
        }
    }
    Ok(wanted)
}

fn extended(mailbox: &Mailbox, folder: Folder, wanted: &[(Extended, Spelling)]) -> String {
    let shown = wanted.iter().filter_map(|(property, spelling)| {
        let Owner::Tag(tag) = property.owner else { return None };
        let value = FolderLook { mailbox, folder }.of_tag(tag, property.kind)?;
        let value = format!("<t:Value>{}</t:Value>", escape(&value.text()));
        Some(format!("<t:ExtendedProperty>{}{value}</t:ExtendedProperty>", spelling.element()))
    });
    shown.collect()
}

fn show(mailbox: &Mailbox, folder: Folder, wanted: &Wanted) -> String {
    let id = |name: &str, folder: Folder| {
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
