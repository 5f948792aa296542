//! `GetFolder` and `FindFolder` over the fixed folders of a mailbox. Folders are never created, renamed or deleted.

use chrono::DateTime;
use roxmltree::Node;

use super::RequestContext;
use super::folder_row::FolderRow;
use super::ids::folder;
use super::property_path::{self, PathAttributes, PropertyPath};
use super::property_value::PropertyValue;
use super::{paging, restriction};
use crate::sim::extended::{ExtendedProperty, PropertyName};
use crate::sim::ids;
use crate::sim::soap_request::{EwsError, elements, enum_attribute, m, require_m, t};
use crate::sim::soap_response::{element, escape, messages};
use crate::sim::world::{Mailbox, MailboxFolder};

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

pub(super) fn get_folder(desk: &RequestContext<'_>, request: Node<'_, '_>) -> Result<String, EwsError> {
    let wanted = wanted(request)?;
    let shown = |id| {
        let folder = folder(desk, id)?;
        Ok(format!("<m:Folders>{}</m:Folders>", show(desk.mailbox()?, folder, &wanted)))
    };
    let outcomes: Vec<_> = elements(require_m(request, "FolderIds")?).map(shown).collect();
    Ok(messages("GetFolder", &outcomes, "<m:Folders/>"))
}

pub(super) fn find_folder(desk: &RequestContext<'_>, request: Node<'_, '_>) -> Result<String, EwsError> {
    let deep = enum_attribute(request, "Traversal", &["Shallow", "Deep", "SoftDeleted"])? == Some("Deep");
    let wanted = wanted(request)?;
    let restriction = m(request, "Restriction").map(restriction::read).transpose()?;
    let inside = |id| {
        let parent = folder(desk, id)?;
        let mailbox = desk.mailbox()?;
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

/// A folder as a restriction evaluates it.
pub(super) struct FolderContext<'a> {
    mailbox: &'a Mailbox,
    folder: MailboxFolder,
}

impl FolderContext<'_> {
    /// Whether a restriction may use a property of folders.
    fn has(path: &PropertyPath) -> bool {
        match path {
            PropertyPath::Field(uri) => FIELDS.iter().any(|(known, ..)| known == uri),
            PropertyPath::Extended(..) => true,
            PropertyPath::Indexed => false,
        }
    }

    pub(super) fn value(&self, path: &PropertyPath) -> Option<PropertyValue> {
        match path {
            PropertyPath::Field(uri) => {
                let (_, tag, kind) = FIELDS.iter().find(|(known, ..)| known == uri)?;
                self.of_tag(*tag, kind)
            }
            PropertyPath::Extended(property, _) => match property.owner {
                PropertyName::Tag(tag) => self.of_tag(tag, property.kind),
                _ => None,
            },
            PropertyPath::Indexed => None,
        }
    }

    /// The value of a folder's MAPI property.
    fn of_tag(&self, tag: u16, kind: &str) -> Option<PropertyValue> {
        let (_, class, name) = describe(self.folder);
        let log = self.mailbox.items.log();
        let number = |number: usize| i64::try_from(number).map(PropertyValue::Number).ok();
        match (tag, kind) {
            (0x3001, "String") => Some(PropertyValue::Text(name.to_owned())),
            (0x3602, "Integer") => number(self.mailbox.folder(self.folder).count()),
            (0x3603, "Integer") => number(0),
            (0x360a, "Boolean") => Some(PropertyValue::Boolean(children(self.folder) > 0)),
            (0x3613, "String") => class.map(|class| PropertyValue::Text(class.to_owned())),
            (0x3638, "Integer") => number(children(self.folder)),
            (0x3008 | 0x670a, "SystemTime") => {
                Some(PropertyValue::Time(log.last_in(self.folder).unwrap_or(DateTime::UNIX_EPOCH)))
            }
            _ => None,
        }
    }
}

/// The searchable properties of folders, with their MAPI tags.
const FIELDS: [(&str, u16, &str); 5] = [
    ("folder:DisplayName", 0x3001, "String"),
    ("folder:FolderClass", 0x3613, "String"),
    ("folder:TotalCount", 0x3602, "Integer"),
    ("folder:UnreadCount", 0x3603, "Integer"),
    ("folder:ChildFolderCount", 0x3638, "Integer"),
];

fn children(folder: MailboxFolder) -> usize {
    MailboxFolder::ALL.iter().filter(|child| child.parent() == Some(folder)).count()
}

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

fn describe(folder: MailboxFolder) -> (&'static str, Option<&'static str>, &'static str) {
    const NOTES: Option<&str> = Some("IPF.Note");
    match folder {
        MailboxFolder::Root => ("Folder", None, "Root"),
        MailboxFolder::TopOfStore => ("Folder", None, "Top of Information Store"),
        MailboxFolder::Inbox => ("Folder", NOTES, "Inbox"),
        MailboxFolder::Drafts => ("Folder", NOTES, "Drafts"),
        MailboxFolder::Outbox => ("Folder", NOTES, "Outbox"),
        MailboxFolder::Sent => ("Folder", NOTES, "Sent Items"),
        MailboxFolder::Deleted => ("Folder", NOTES, "Deleted Items"),
        MailboxFolder::Calendar => ("CalendarFolder", Some("IPF.Appointment"), "Calendar"),
        MailboxFolder::Contacts => ("ContactsFolder", Some("IPF.Contact"), "Contacts"),
        MailboxFolder::Tasks => ("TasksFolder", Some("IPF.Task"), "Tasks"),
        MailboxFolder::Notes => ("Folder", Some("IPF.StickyNote"), "Notes"),
        MailboxFolder::Journal => ("Folder", Some("IPF.Journal"), "Journal"),
        MailboxFolder::Junk => ("Folder", NOTES, "Junk Email"),
    }
}
