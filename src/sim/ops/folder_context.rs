//! A folder as restrictions evaluate it: its names, its counts and its MAPI properties. Writes no XML.

use chrono::DateTime;

use super::property_path::PropertyPath;
use super::property_value::PropertyValue;
use crate::sim::extended::PropertyName;
use crate::sim::folder::MailboxFolder;
use crate::sim::mailbox::Mailbox;

/// A folder as a restriction evaluates it.
pub(super) struct FolderContext<'a> {
    pub(super) mailbox: &'a Mailbox,
    pub(super) folder: MailboxFolder,
}

impl FolderContext<'_> {
    /// Whether a restriction may use a property of folders.
    pub(super) fn has(path: &PropertyPath) -> bool {
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
    pub(super) fn of_tag(&self, tag: u16, kind: &str) -> Option<PropertyValue> {
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

pub(super) fn children(folder: MailboxFolder) -> usize {
    MailboxFolder::ALL.iter().filter(|child| child.parent() == Some(folder)).count()
}

pub(super) fn describe(folder: MailboxFolder) -> (&'static str, Option<&'static str>, &'static str) {
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
