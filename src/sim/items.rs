//! The rows of one mailbox. They are read like any map, and changed only by the few functions here, each of which notes in
//! the log what it did and in the stamp whose mailbox it was: no change can be made that nobody hears of.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;

use chrono::{DateTime, Utc};

use super::changes::{Log, Place, What};
use super::event::{Content, Event, Item, Message};
use super::world::Folder;

/// When a change happens, and who has to hear of it.
pub(crate) struct Stamp<'w> {
    /// When the item says that it happened; seeds lie in the past.
    pub(crate) now: DateTime<Utc>,
    /// When it is noticed.
    pub(crate) noticed: DateTime<Utc>,
    /// Mailboxes in which something happened that nobody was told yet.
    pub(crate) stirred: &'w mut BTreeSet<u32>,
}

/// Rows by number, and what happened to them.
#[derive(Debug, Clone)]
pub(crate) struct Items {
    mailbox: u32,
    rows: BTreeMap<u64, Item>,
    log: Log,
}

impl Deref for Items {
    type Target = BTreeMap<u64, Item>;

    fn deref(&self) -> &Self::Target {
        &self.rows
    }
}

impl Items {
    /// None yet.
    pub(crate) fn of(mailbox: u32) -> Self {
        Self { mailbox, rows: BTreeMap::new(), log: Log::default() }
    }

    /// What happened here.
    pub(crate) fn log(&self) -> &Log {
        &self.log
    }

    /// Adds a row.
    pub(crate) fn put(&mut self, item: Item, stamp: Stamp<'_>) {
        self.note(place(&item), What::Created, stamp);
        self.rows.insert(item.number, item);
    }

    /// Takes a row away.
    pub(crate) fn take(&mut self, number: u64, stamp: Stamp<'_>) -> Option<Item> {
        let item = self.rows.remove(&number)?;
        self.note(place(&item), What::Deleted, stamp);
        Some(item)
    }

    /// Moves a row to another folder, under another number.
    pub(crate) fn shift(
        &mut self,
        number: u64,
        folder: Folder,
        new: (u64, u64),
        stamp: Stamp<'_>,
    ) -> Option<u64> {
        let mut item = self.rows.remove(&number)?;
        let from = place(&item);
        (item.number, item.version) = new;
        item.folder = folder;
        item.modified = stamp.now;
        self.note(place(&item), What::Moved { from }, stamp);
        let number = item.number;
        self.rows.insert(number, item);
        Some(number)
    }

    /// Changes a row's event, and gives the row another version.
    pub(crate) fn edit<R>(
        &mut self,
        number: u64,
        version: u64,
        stamp: Stamp<'_>,
        change: impl FnOnce(&mut Event, u64) -> R,
    ) -> Option<R> {
        self.edit_row(number, version, stamp, |item| Some(change(item.event_mut()?, version)))
    }

    /// Changes a row's message, and gives the row another version.
    pub(crate) fn edit_message<R>(
        &mut self,
        number: u64,
        version: u64,
        stamp: Stamp<'_>,
        change: impl FnOnce(&mut Message) -> R,
    ) -> Option<R> {
        self.edit_row(number, version, stamp, |item| match &mut item.content {
            Content::Message(message) => Some(change(message)),
            Content::Event(_) => None,
        })
    }

    fn edit_row<R>(
        &mut self,
        number: u64,
        version: u64,
        stamp: Stamp<'_>,
        change: impl FnOnce(&mut Item) -> Option<R>,
    ) -> Option<R> {
        let item = self.rows.get_mut(&number)?;
        let changed = change(item)?;
        item.version = version;
        item.modified = stamp.now;
        let now = place(item);
        self.note(now, What::Modified, stamp);
        Some(changed)
    }

    fn note(&mut self, place: Place, what: What, stamp: Stamp<'_>) {
        self.log.add(stamp.noticed, place, what);
        stamp.stirred.insert(self.mailbox);
    }
}

fn place(item: &Item) -> Place {
    Place { item: item.number, version: item.version, folder: item.folder }
}
