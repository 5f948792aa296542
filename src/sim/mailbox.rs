//! One mailbox: its address, its directory entry, its booking policy and its rows. Data only: `world` and `meeting`
//! change it.

use std::collections::BTreeSet;

use super::details::Person;
use super::event::StoredItem;
use super::folder::MailboxFolder;
use super::item_table::ItemTable;
use super::place::PlaceSpec;

/// The kind of a mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailboxKind {
    /// A person.
    User,
    /// A room.
    Room,
    /// A projector, a car.
    Equipment,
}

/// How the booking attendant of a room processes invitations (`Set-CalendarProcessing`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BookingPolicy {
    /// `AutomateProcessing`: responds automatically; otherwise invitations stay in the calendar without a response.
    pub automatic: bool,
    /// `AddOrganizerToSubject` and `DeleteSubject`: replaces the subject with the organizer's name.
    pub organizer_as_subject: bool,
    /// `DeleteComments`: removes the body.
    pub drop_body: bool,
    /// Declines conflicts.
    pub refuse_conflicts: bool,
    /// Removes cancelled meetings; otherwise they stay, marked cancelled.
    pub remove_cancelled: bool,
}

impl Default for BookingPolicy {
    /// Exchange's defaults for a room with automatic processing.
    fn default() -> Self {
        Self {
            automatic: true,
            organizer_as_subject: true,
            drop_body: true,
            refuse_conflicts: true,
            remove_cancelled: true,
        }
    }
}

/// One mailbox.
#[derive(Debug, Clone)]
pub struct Mailbox {
    /// Shown in address books.
    pub name: String,
    /// Primary SMTP address.
    pub address: String,
    /// Person, room or equipment.
    pub kind: MailboxKind,
    /// How a room responds.
    pub booking: BookingPolicy,
    /// Whether declined meetings stay in the calendar (`PreserveDeclinedMeetings`).
    pub preserve_declined: bool,
    /// Whether an exception keeps its occurrence's id.
    pub(crate) keeps_exception_ids: bool,
    pub(crate) entry: DirectoryEntry,
    pub(crate) number: u32,
    pub(crate) items: ItemTable,
}

impl Mailbox {
    pub(crate) fn person(&self) -> Person {
        Person::new(&self.name, &self.address)
    }

    /// The mailbox without its contents, cheap to hold while the world changes.
    pub(crate) fn head(&self) -> Self {
        let (name, address) = (self.name.clone(), self.address.clone());
        Self {
            name,
            address,
            kind: self.kind,
            booking: self.booking,
            preserve_declined: self.preserve_declined,
            keeps_exception_ids: self.keeps_exception_ids,
            entry: DirectoryEntry::default(),
            number: self.number,
            items: ItemTable::new(self.number),
        }
    }

    pub(crate) fn sid(&self) -> String {
        format!("S-1-5-21-1004336348-1177238915-682003330-{}", 1100 + self.number)
    }

    pub(crate) fn folder(&self, folder: MailboxFolder) -> impl Iterator<Item = &StoredItem> {
        self.items.values().filter(move |item| item.folder == folder)
    }

    pub(crate) fn by_uid(&self, uid: &str) -> Option<&StoredItem> {
        self.folder(MailboxFolder::Calendar).find(|item| item.event().is_some_and(|event| event.uid == uid))
    }
}

/// The form of an address for comparison: addresses ignore case.
pub(crate) fn key(address: &str) -> String {
    address.to_lowercase()
}

/// Prefix of the X.500 names (`legacyExchangeDN`) of one organization.
const RECIPIENTS: &str = "/o=EXAMPLE/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)/cn=Recipients/cn=";

/// A mailbox's directory entry, without its name and primary address.
#[derive(Debug, Clone, Default)]
pub(crate) struct DirectoryEntry {
    /// `legacyExchangeDN`.
    pub(crate) legacy_dn: String,
    /// Further SMTP addresses.
    pub(crate) proxies: Vec<String>,
    /// `HiddenFromAddressListsEnabled`.
    pub(crate) is_hidden: bool,
    /// The mailboxes visible under its address book policy; `None` for all.
    pub(super) sees: Option<BTreeSet<u32>>,
    /// What `Set-Place` has set.
    pub(crate) place: PlaceSpec,
    /// The error code with which `GetUserAvailability` fails for this mailbox.
    pub(crate) availability_fails: Option<&'static str>,
}

impl DirectoryEntry {
    pub(crate) fn of(address: &str, number: u32) -> Self {
        let account = address.split('@').next().unwrap_or_default();
        Self { legacy_dn: format!("{RECIPIENTS}{number:08x}-{account}"), ..Self::default() }
    }
}
