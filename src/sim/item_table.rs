//! The rows of one mailbox: readable like a map, and changed only by the functions here. Each of them logs the change
//! and marks the mailbox as dirty, so no change can escape notification.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;

use chrono::{DateTime, Utc};

use super::change_log::{ChangeKind, ChangeLog, ItemRevision};
use super::event::{Event, ItemContent, MailMessage, StoredItem};
use super::folder::MailboxFolder;

/// The time of a change, and the set of mailboxes with changes to report.
pub(crate) struct ChangeStamp<'w> {
    /// The time written to the item; seeded items lie in the past.
    pub(crate) now: DateTime<Utc>,
    /// The time written to the change log.
    pub(crate) logged_at: DateTime<Utc>,
    /// Mailboxes with changes that were not passed to the hub yet.
    pub(crate) dirty: &'w mut BTreeSet<u32>,
}

/// Rows by number, with their change log.
#[derive(Debug, Clone)]
pub(crate) struct ItemTable {
    mailbox: u32,
    rows: BTreeMap<u64, StoredItem>,
    log: ChangeLog,
}

impl Deref for ItemTable {
    type Target = BTreeMap<u64, StoredItem>;

    fn deref(&self) -> &Self::Target {
        &self.rows
    }
}

impl ItemTable {
    /// An empty mailbox.
    pub(crate) fn new(mailbox: u32) -> Self {
        Self { mailbox, rows: BTreeMap::new(), log: ChangeLog::default() }
    }

    /// The change log.
    pub(crate) fn log(&self) -> &ChangeLog {
        &self.log
    }

    /// Inserts a row.
    pub(crate) fn insert(&mut self, item: StoredItem, stamp: ChangeStamp<'_>) {
        self.record_change(revision_of(&item), ChangeKind::Created, stamp);
        self.rows.insert(item.number, item);
    }

    /// Notes the `transactionId` with which a row was just created.
    pub(crate) fn set_transaction_id(&mut self, number: u64, id: Option<String>) {
        if let Some(item) = self.rows.get_mut(&number) {
            item.transaction_id = id;
        }
    }

    /// Removes a row.
    pub(crate) fn remove(&mut self, number: u64, stamp: ChangeStamp<'_>) -> Option<StoredItem> {
        let item = self.rows.remove(&number)?;
        self.record_change(revision_of(&item), ChangeKind::Deleted, stamp);
        Some(item)
    }

    /// Moves a row to another folder; it gets a new number there.
    pub(crate) fn move_item(
        &mut self,
        number: u64,
        folder: MailboxFolder,
        new: (u64, u64),
        stamp: ChangeStamp<'_>,
    ) -> Option<u64> {
        let mut item = self.rows.remove(&number)?;
        let from = revision_of(&item);
        (item.number, item.version) = new;
        item.folder = folder;
        item.modified = stamp.now;
        self.record_change(revision_of(&item), ChangeKind::Moved { from }, stamp);
        let number = item.number;
        self.rows.insert(number, item);
        Some(number)
    }

    /// Changes a row's event and increments the row's version.
    pub(crate) fn edit<R>(
        &mut self,
        number: u64,
        version: u64,
        stamp: ChangeStamp<'_>,
        change: impl FnOnce(&mut Event, u64) -> R,
    ) -> Option<R> {
        self.edit_row(number, version, stamp, |item| Some(change(item.event_mut()?, version)))
    }

    /// Changes a row's message and increments the row's version.
    pub(crate) fn edit_message<R>(
        &mut self,
        number: u64,
        version: u64,
        stamp: ChangeStamp<'_>,
        change: impl FnOnce(&mut MailMessage) -> R,
    ) -> Option<R> {
        self.edit_row(number, version, stamp, |item| match &mut item.content {
            ItemContent::Message(message) => Some(change(message)),
            ItemContent::Event(_) => None,
        })
    }

    fn edit_row<R>(
        &mut self,
        number: u64,
        version: u64,
        stamp: ChangeStamp<'_>,
        change: impl FnOnce(&mut StoredItem) -> Option<R>,
    ) -> Option<R> {
        let item = self.rows.get_mut(&number)?;
        let changed = change(item)?;
        item.version = version;
        item.modified = stamp.now;
        let now = revision_of(item);
        self.record_change(now, ChangeKind::Modified, stamp);
        Some(changed)
    }

    fn record_change(&mut self, place: ItemRevision, what: ChangeKind, stamp: ChangeStamp<'_>) {
        self.log.add(stamp.logged_at, place, what);
        stamp.dirty.insert(self.mailbox);
    }
}

fn revision_of(item: &StoredItem) -> ItemRevision {
    ItemRevision { item: item.number, version: item.version, folder: item.folder }
}
