//! The world of the simulator: a directory, mailboxes and their contents. Pure and synchronous: it never reads the
//! clock, and keeps the time it was last given.
//!
//! A meeting exists once in each participating mailbox, as in Exchange: the copies share a UID and nothing else, and
//! only mail (`meeting`) synchronizes them.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::details::{Attendee, Details, Exception, InvitationResponse, Person};
use super::event::{Copy, Event, ItemContent, StoredItem};
use super::folder::MailboxFolder;
use super::ids::{self, ItemLocator};
use super::item_table::{ChangeStamp, ItemTable};
use super::mailbox::{BookingPolicy, DirectoryEntry, Mailbox, MailboxKind, key};
use super::outbox::Mail;
use super::rights::DelegateRights;
use super::views::{self, EventInstance, SeriesRole};

/// Limit of mails in the outbox, enough for an hour of load; the oldest are dropped.
const OUTBOX_MAX: usize = 100_000;

/// What happens to the id of an occurrence when it becomes an exception.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ExceptionIds {
    /// The exception gets a new id; the old one is invalid.
    #[default]
    Replaced,
    /// The exception gets a new id; the old one still resolves to it.
    Added,
    /// The exception keeps the id.
    Kept,
}

/// A room list: a distribution group of rooms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomList {
    /// Shown in address books.
    pub name: String,
    /// Its address.
    pub address: String,
    /// Addresses of its rooms.
    pub rooms: Vec<String>,
}

/// The mailboxes that the service account may impersonate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ImpersonationScope {
    AllMailboxes,
    Only(BTreeSet<String>),
}

/// The whole simulated organization.
#[derive(Debug, Clone)]
pub struct World {
    pub(crate) mailboxes: BTreeMap<u32, Mailbox>,
    pub(crate) directory: BTreeMap<String, u32>,
    pub(crate) room_lists: Vec<RoomList>,
    pub(crate) scope: ImpersonationScope,
    /// The service account's rights as a delegate, by mailbox address.
    pub(crate) delegate_rights: BTreeMap<String, DelegateRights>,
    /// X.500 names of addresses whose mailboxes were removed.
    pub(crate) former_legacy_dns: BTreeMap<String, String>,
    pub(crate) outbox: Vec<Mail>,
    pub(crate) now: DateTime<Utc>,
    pub(crate) x500_organizers: bool,
    pub(crate) exception_ids: ExceptionIds,
    /// No mail is sent, as when a mailbox exceeded its sending quota.
    pub(crate) mail_refused: bool,
    /// The time for the change log, which differs from `now` while the past is seeded.
    pub(crate) logged_at: DateTime<Utc>,
    /// Mailboxes with changes that were not passed to the hub yet.
    dirty: BTreeSet<u32>,
    counter: u64,
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl World {
    /// An empty world.
    pub fn new() -> Self {
        Self {
            mailboxes: BTreeMap::new(),
            directory: BTreeMap::new(),
            room_lists: Vec::new(),
            scope: ImpersonationScope::AllMailboxes,
            delegate_rights: BTreeMap::new(),
            former_legacy_dns: BTreeMap::new(),
            outbox: Vec::new(),
            now: DateTime::UNIX_EPOCH,
            x500_organizers: true,
            exception_ids: ExceptionIds::default(),
            mail_refused: false,
            logged_at: DateTime::UNIX_EPOCH,
            dirty: BTreeSet::new(),
            counter: 0,
        }
    }

    /// Limits impersonation to these mailboxes; before the first call all may be impersonated.
    pub fn allow_impersonation_of<'a>(&mut self, addresses: impl IntoIterator<Item = &'a str>) -> &mut Self {
        let mut allowed = match std::mem::replace(&mut self.scope, ImpersonationScope::AllMailboxes) {
            ImpersonationScope::AllMailboxes => BTreeSet::new(),
            ImpersonationScope::Only(allowed) => allowed,
        };
        allowed.extend(addresses.into_iter().map(key));
        self.scope = ImpersonationScope::Only(allowed);
        self
    }

    /// Whether `FindItem` returns the X.500 address of organizers who have or had a mailbox, as Exchange does; `GetItem`
    /// always returns SMTP addresses.
    pub fn show_organizers_as_x500(&mut self, yes: bool) -> &mut Self {
        self.x500_organizers = yes;
        self
    }

    /// Sets what happens to the id of an occurrence that becomes an exception.
    pub fn set_exception_ids(&mut self, ids: ExceptionIds) -> &mut Self {
        self.exception_ids = ids;
        for mailbox in self.mailboxes.values_mut() {
            mailbox.keeps_exception_ids = ids == ExceptionIds::Kept;
        }
        self
    }

    /// Adds a room list.
    pub fn add_room_list(&mut self, name: &str, address: &str, rooms: &[&str]) -> &mut Self {
        let rooms = rooms.iter().map(|room| (*room).to_owned()).collect();
        self.room_lists.push(RoomList { name: name.to_owned(), address: address.to_owned(), rooms });
        self
    }

    /// Removes a mailbox with its contents from the directory, as when a person leaves or a room closes. Copies of its
    /// meetings stay in other calendars.
    pub fn remove_mailbox(&mut self, address: &str) -> &mut Self {
        if let Some(number) = self.directory.get(&key(address)).copied() {
            self.remove_from_directory(number);
            self.mailboxes.remove(&number);
            self.dirty.insert(number);
        }
        self
    }

    pub(crate) fn add_mailbox(
        &mut self,
        name: &str,
        address: &str,
        kind: MailboxKind,
        booking: BookingPolicy,
    ) -> u32 {
        let number = u32::try_from(self.next()).unwrap_or(u32::MAX);
        let (name, address) = (name.to_owned(), address.to_owned());
        self.directory.insert(key(&address), number);
        let (entry, items) = (DirectoryEntry::of(&address, number), ItemTable::new(number));
        let mailbox = Mailbox {
            name,
            address,
            kind,
            booking,
            preserve_declined: false,
            keeps_exception_ids: self.exception_ids == ExceptionIds::Kept,
            entry,
            number,
            items,
        };
        self.mailboxes.insert(number, mailbox);
        number
    }

    /// Inserts a row into a folder.
    pub(crate) fn insert_item(
        &mut self,
        mailbox: u32,
        folder: MailboxFolder,
        content: ItemContent,
    ) -> Option<ItemLocator> {
        let (number, version, now) = (self.next(), self.next(), self.now);
        let item = StoredItem {
            number,
            identity: number,
            folder,
            version,
            created: now,
            modified: now,
            transaction_id: None,
            content,
        };
        let (items, stamp) = self.items_of(mailbox)?;
        items.insert(item, stamp);
        Some(ItemLocator { mailbox, item: number, occurrence: None })
    }

    /// Notes the `transactionId` with which a row was just created.
    pub(crate) fn set_transaction_id(&mut self, at: ItemLocator, id: Option<String>) {
        if let Some(mailbox) = self.mailboxes.get_mut(&at.mailbox) {
            mailbox.items.set_transaction_id(at.item, id);
        }
    }

    /// Removes a row.
    pub(crate) fn remove_item(&mut self, at: ItemLocator) -> Option<StoredItem> {
        let (items, stamp) = self.items_of(at.mailbox)?;
        items.remove(at.item, stamp)
    }

    /// Moves a row to another folder, where it gets a new id.
    pub(crate) fn move_item(&mut self, at: ItemLocator, folder: MailboxFolder) -> Option<ItemLocator> {
        let new = (self.next(), self.next());
        let (items, stamp) = self.items_of(at.mailbox)?;
        let item = items.move_item(at.item, folder, new, stamp)?;
        Some(ItemLocator { item, occurrence: None, ..at })
    }

    /// Changes a row's event and increments the row's version.
    pub(crate) fn change_event<R>(
        &mut self,
        at: ItemLocator,
        change: impl FnOnce(&mut Event, u64) -> R,
    ) -> Option<R> {
        let version = self.next();
        let (items, stamp) = self.items_of(at.mailbox)?;
        items.edit(at.item, version, stamp, change)
    }

    /// Changes the details of a row, or those of one occurrence, which becomes an exception.
    pub(crate) fn change(
        &mut self,
        at: ItemLocator,
        properties: &[&str],
        change: impl FnOnce(&mut Details),
    ) -> Option<()> {
        self.change_both(at, properties, change, |_| ())
    }

    /// Like `change`, and then changes the event as a whole.
    pub(crate) fn change_both(
        &mut self,
        at: ItemLocator,
        properties: &[&str],
        change: impl FnOnce(&mut Details),
        whole: impl FnOnce(&mut Event),
    ) -> Option<()> {
        self.change_event(at, |event, version| {
            let first = event.details.clone();
            let (details, touched) = match (at.occurrence, &mut event.series) {
                (Some(start), Some(series)) => {
                    let exception = series.exceptions.entry(start).or_insert_with(|| date_of(first, start));
                    (&mut exception.details, &mut exception.touched)
                }
                _ => (&mut event.details, &mut event.touched),
            };
            change(details);
            for property in properties {
                touched.insert((*property).to_owned(), version);
            }
            whole(event);
        })
    }

    /// Marks a meeting message as processed.
    pub(crate) fn mark_processed(&mut self, at: ItemLocator) -> Option<()> {
        let version = self.next();
        let (items, stamp) = self.items_of(at.mailbox)?;
        items.edit_message(at.item, version, stamp, |message| {
            if let Some(about) = &mut message.meeting {
                about.is_processed = true;
            }
        })
    }

    /// Deletes one occurrence of a series permanently.
    pub(crate) fn delete_occurrence(&mut self, at: ItemLocator, start: DateTime<Utc>) -> Option<()> {
        self.change_event(at, |event, _| {
            if let Some(series) = &mut event.series {
                series.exceptions.remove(&start);
                series.deleted.insert(start);
            }
        })
    }

    /// A mailbox's rows, and the stamp for changing them.
    fn items_of(&mut self, mailbox: u32) -> Option<(&mut ItemTable, ChangeStamp<'_>)> {
        let stamp = ChangeStamp { now: self.now, logged_at: self.logged_at, dirty: &mut self.dirty };
        Some((&mut self.mailboxes.get_mut(&mailbox)?.items, stamp))
    }

    /// Takes the set of changed mailboxes.
    pub(crate) fn take_dirty(&mut self) -> BTreeSet<u32> {
        std::mem::take(&mut self.dirty)
    }

    pub(crate) fn record_mail(&mut self, mail: Mail) {
        if self.outbox.len() >= OUTBOX_MAX {
            self.outbox.drain(..OUTBOX_MAX / 10);
        }
        self.outbox.push(mail);
    }

    /// A unique number for rows, versions, mailboxes and meetings.
    pub(crate) fn next(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    pub(crate) fn next_uid(&mut self) -> String {
        let number = self.next();
        ids::meeting_uid(number)
    }

    /// Sets the time of everything that happens next.
    pub fn set_now(&mut self, now: DateTime<Utc>) {
        (self.now, self.logged_at) = (now, now);
    }

    // Reading.

    /// The time last set.
    pub fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// The mailbox with this address.
    pub fn mailbox(&self, address: &str) -> Option<&Mailbox> {
        self.mailboxes.get(self.directory.get(&key(address))?)
    }

    /// All mailboxes, in the order they were added.
    pub fn mailboxes(&self) -> impl Iterator<Item = &Mailbox> {
        self.mailboxes.values()
    }

    /// Every mail sent so far.
    pub fn outbox(&self) -> &[Mail] {
        &self.outbox
    }

    /// The events of a mailbox's calendar between two instants, by start.
    pub fn events(&self, address: &str, from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<EventState> {
        let Some(mailbox) = self.mailbox(address) else { return Vec::new() };
        views::window(mailbox, from, to).iter().map(EventState::of).collect()
    }

    /// A mailbox's own copy of a meeting: the single event, or the series.
    pub fn event(&self, address: &str, uid: &str) -> Option<EventState> {
        self.snapshot(self.find(address, uid, None)?)
    }

    /// One occurrence in a mailbox's calendar; `None` if it was deleted.
    pub fn occurrence(&self, address: &str, uid: &str, original_start: DateTime<Utc>) -> Option<EventState> {
        self.snapshot(self.find(address, uid, Some(original_start))?)
    }

    /// The events in a mailbox's Deleted Items.
    pub fn deleted(&self, address: &str) -> Vec<EventState> {
        self.rows(address, MailboxFolder::Deleted)
    }

    fn rows(&self, address: &str, folder: MailboxFolder) -> Vec<EventState> {
        let Some(mailbox) = self.mailbox(address) else { return Vec::new() };
        let at =
            |item: &StoredItem| ItemLocator { mailbox: mailbox.number, item: item.number, occurrence: None };
        mailbox.folder(folder).filter_map(|item| self.snapshot(at(item))).collect()
    }

    fn snapshot(&self, at: ItemLocator) -> Option<EventState> {
        views::view(self.mailboxes.get(&at.mailbox)?, at).ok().as_ref().map(EventState::of)
    }

    pub(crate) fn find(
        &self,
        address: &str,
        uid: &str,
        occurrence: Option<DateTime<Utc>>,
    ) -> Option<ItemLocator> {
        let mailbox = self.mailbox(address)?;
        let item = mailbox.by_uid(uid)?.number;
        Some(ItemLocator { mailbox: mailbox.number, item, occurrence })
    }

    pub(crate) fn get(&self, at: ItemLocator) -> Option<&Event> {
        self.mailboxes.get(&at.mailbox)?.items.get(&at.item)?.event()
    }

    /// Whether a mail to this address would bounce.
    pub(crate) fn is_undeliverable(&self, address: &str) -> bool {
        let domain = |address: &str| key(address.rsplit('@').next().unwrap_or_default());
        self.mailbox(address).is_none()
            && self.mailboxes.values().any(|mailbox| domain(&mailbox.address) == domain(address))
    }
}

impl World {
    /// Gives the service account Full Access to these mailboxes; by default it has none.
    pub fn allow_full_access_to<'a>(&mut self, addresses: impl IntoIterator<Item = &'a str>) -> &mut Self {
        for address in addresses {
            self.grant(address, DelegateRights::FullAccess);
        }
        self
    }

    /// Gives the service account rights in a mailbox, in place of earlier ones.
    pub fn grant(&mut self, address: &str, rights: DelegateRights) -> &mut Self {
        self.delegate_rights.insert(key(address), rights);
        self
    }

    pub(crate) fn rights_in(&self, mailbox: u32) -> Option<DelegateRights> {
        self.delegate_rights.get(&key(&self.mailboxes.get(&mailbox)?.address)).copied()
    }

    /// Rights follow the mailbox through a rename.
    pub(super) fn move_rights(&mut self, former: &str, new: &str) {
        if let Some(rights) = self.delegate_rights.remove(&key(former)) {
            self.delegate_rights.insert(key(new), rights);
        }
        if let ImpersonationScope::Only(allowed) = &mut self.scope
            && allowed.remove(&key(former))
        {
            allowed.insert(key(new));
        }
    }
}

/// An exception before its first change.
fn date_of(mut details: Details, start: DateTime<Utc>) -> Exception {
    details.end = start + (details.end - details.start);
    details.start = start;
    Exception { details, touched: BTreeMap::new() }
}

/// A snapshot of an event.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct EventState {
    /// Its item id in this mailbox.
    pub id: String,
    /// Its id over Graph under `IdType="ImmutableId"`.
    pub immutable_id: String,
    /// Its change key.
    pub change_key: String,
    /// Equal in all copies.
    pub uid: String,
    /// Which copy it is.
    pub copy: Copy,
    /// Single, occurrence, exception or master.
    pub kind: SeriesRole,
    /// The original start of an occurrence.
    pub original_start: Option<DateTime<Utc>>,
    /// Subject.
    pub subject: String,
    /// Body.
    pub body: String,
    /// Location.
    pub location: String,
    /// Start.
    pub start: DateTime<Utc>,
    /// End.
    pub end: DateTime<Utc>,
    /// The organizer.
    pub organizer: Person,
    /// The attendees and their responses.
    pub attendees: Vec<Attendee>,
    /// This mailbox's response.
    pub my_response: InvitationResponse,
    /// Whether it was cancelled.
    pub cancelled: bool,
}

impl EventState {
    fn of(view: &EventInstance<'_>) -> Self {
        let details = view.details;
        Self {
            id: view.id(),
            immutable_id: view.immutable_id(),
            change_key: view.change_key(),
            uid: view.event.uid.clone(),
            copy: view.event.copy,
            kind: view.role,
            original_start: view.original_start,
            subject: details.subject.clone(),
            body: details.body.clone(),
            location: details.location.clone(),
            start: view.start,
            end: view.end,
            organizer: view.event.organizer.clone(),
            attendees: details.attendees().cloned().collect(),
            my_response: details.my_response,
            cancelled: details.is_cancelled(),
        }
    }
}
