//! `SyncFolderItems`: what is in a folder, and after that what changed in it. Series come as their masters.
//!
//! Without a state the rows that are there are told first, by number; then the mailbox's log is read on. Rows that change
//! meanwhile may be told twice, and one that went may be told to be gone to a client that never saw it.

use std::collections::BTreeMap;

use roxmltree::Node;

use super::Desk;
use super::find_item::row;
use super::ids::folder;
use super::shape::{self, Shape};
use crate::sim::changes::{Change, What};
use crate::sim::ids::{self, ItemRef, Named};
use crate::sim::marks::SyncState;
use crate::sim::soap_in::{Refusal, boolean, elements, in_order, m, need_m, t_text, text};
use crate::sim::soap_out::messages;
use crate::sim::world::{Folder, Mailbox};

/// Changes one answer may have, as the schema says.
const CHANGES: std::ops::RangeInclusive<usize> = 1..=512;

/// One answer's worth of changes.
struct Page {
    changes: String,
    state: SyncState,
    last: bool,
}

pub(super) fn answer(desk: &mut Desk<'_>, request: Node<'_, '_>) -> Result<String, Refusal> {
    let children = ["ItemShape", "SyncFolderId", "SyncState", "Ignore", "MaxChangesReturned", "SyncScope"];
    in_order(request, &children)?;
    let item_shape = need_m(request, "ItemShape")?;
    let shape = Shape::read(item_shape)?;
    let max = need_m(request, "MaxChangesReturned")?;
    let max = text(max)
        .trim()
        .parse()
        .ok()
        .filter(|max| CHANGES.contains(max))
        .ok_or_else(|| Refusal::schema(max, "The 'MaxChangesReturned' element is invalid."))?;
    let mime = t_text(item_shape, "IncludeMimeContent").and_then(|mime| boolean(&mime)) == Some(true);
    let outcome = match mime {
        true => Err(Refusal::new(
            "ErrorInvalidPropertyForOperation",
            "The property is not valid for this operation: item:MimeContent.",
        )),
        false => one(desk, request, &shape, max),
    };
    Ok(messages("SyncFolderItems", &[outcome], ""))
}

fn one(desk: &Desk<'_>, request: Node<'_, '_>, shape: &Shape, max: usize) -> Result<String, Refusal> {
    let id = need_m(request, "SyncFolderId")?;
    let id = elements(id).next().ok_or_else(|| Refusal::schema(id, "SyncFolderId is empty."))?;
    let folder = folder(desk, id)?;
    let mailbox = desk.mailbox()?;
    let state = match m(request, "SyncState").map(text).filter(|state| !state.trim().is_empty()) {
        None => beginning(mailbox, folder),
        Some(state) => SyncState::read(state.trim())
            .filter(|state| (state.mailbox, state.folder) == (mailbox.number, folder))
            .ok_or_else(invalid)?,
    };
    let ignored: Vec<u64> =
        m(request, "Ignore").into_iter().flat_map(elements).filter_map(|id| ignored(mailbox, id)).collect();
    let sync = Sync { desk, mailbox, shape, ignored, max };
    let page = if state.rows.0 < state.rows.1 { sync.rows(state) } else { sync.news(state)? };
    Ok(format!(
        "<m:SyncState>{}</m:SyncState><m:IncludesLastItemInRange>{}</m:IncludesLastItemInRange>\
         <m:Changes>{}</m:Changes>",
        page.state.write(),
        page.last,
        page.changes
    ))
}

fn beginning(mailbox: &Mailbox, folder: Folder) -> SyncState {
    let newest = mailbox.items.last_key_value().map_or(0, |(number, _)| *number);
    SyncState { mailbox: mailbox.number, folder, change: mailbox.items.log().last(), rows: (0, newest) }
}

fn ignored(mailbox: &Mailbox, id: Node<'_, '_>) -> Option<u64> {
    match ids::read_id(id.attribute("Id")?)? {
        Named::Item(at) if at.mailbox == mailbox.number => Some(at.item),
        _ => None,
    }
}

fn invalid() -> Refusal {
    Refusal::new("ErrorInvalidSyncStateData", "Synchronization state data is corrupt or otherwise invalid.")
}

struct Sync<'a> {
    desk: &'a Desk<'a>,
    mailbox: &'a Mailbox,
    shape: &'a Shape,
    ignored: Vec<u64>,
    max: usize,
}

impl Sync<'_> {
    /// The rows that were there at the beginning, those that are still.
    fn rows(&self, state: SyncState) -> Page {
        let (from, to) = state.rows;
        let rows = self.mailbox.items.range(from + 1..=to).filter(|(_, item)| item.folder == state.folder);
        let mut rows =
            rows.map(|(number, _)| *number).filter(|number| !self.ignored.contains(number)).peekable();
        let (mut changes, mut upto) = (String::new(), from);
        for number in rows.by_ref().take(self.max) {
            changes += &self.shown("Create", number).unwrap_or_default();
            upto = number;
        }
        let through = rows.peek().is_none();
        let rows = if through { (to, to) } else { (upto, to) };
        // What happened meanwhile is for the next answer.
        let last = through && self.mailbox.items.log().last() == state.change;
        Page { changes, state: SyncState { rows, ..state }, last }
    }

    /// What happened since, each row once.
    fn news(&self, state: SyncState) -> Result<Page, Refusal> {
        let log = self.mailbox.items.log();
        let news = log.since(state.change).ok_or_else(invalid)?;
        let mut window = Window::default();
        let (mut upto, mut last) = (state.change, true);
        for change in news {
            if !window.takes(change, state.folder, self.max) {
                last = false;
                break;
            }
            upto = change.number;
        }
        let changes = window.order.iter().filter(|number| !self.ignored.contains(number));
        let changes = changes.filter_map(|number| self.told(&window, *number)).collect();
        Ok(Page { changes, state: SyncState { change: upto, ..state }, last })
    }

    fn told(&self, window: &Window, number: u64) -> Option<String> {
        let seen = window.rows.get(&number)?;
        match (seen.was_there, seen.is_there) {
            (false, true) => self.shown("Create", number),
            (true, true) => self.shown("Update", number),
            (true, false) => Some(self.gone(number, seen.version)),
            (false, false) => None,
        }
    }

    /// A row as it is now; one that went meanwhile is told to have gone by a later change.
    fn shown(&self, change: &str, number: u64) -> Option<String> {
        self.mailbox.items.get(&number)?;
        let row = row(self.desk, self.mailbox, self.shape, number);
        Some(format!("<t:{change}>{row}</t:{change}>"))
    }

    fn gone(&self, number: u64, version: u64) -> String {
        let at = ItemRef { mailbox: self.mailbox.number, item: number, occurrence: None };
        format!("<t:Delete>{}</t:Delete>", shape::item_id(&ids::item_id(at), &ids::change_key(version)))
    }
}

/// What a stretch of the log says about the rows of one folder.
#[derive(Default)]
struct Window {
    rows: BTreeMap<u64, Seen>,
    /// In the order in which they were first seen.
    order: Vec<u64>,
}

struct Seen {
    was_there: bool,
    is_there: bool,
    version: u64,
}

impl Window {
    /// Notes a change, unless it is of one row too many.
    fn takes(&mut self, change: &Change, folder: Folder, max: usize) -> bool {
        let here = change.place.folder == folder;
        let (now, version) = (change.place.item, change.place.version);
        let sightings: [Option<(u64, bool, bool, u64)>; 2] = match change.what {
            What::Created => [here.then_some((now, false, true, version)), None],
            What::Modified => [here.then_some((now, true, true, version)), None],
            What::Deleted => [here.then_some((now, true, false, version)), None],
            What::Moved { from } => [
                (from.folder == folder).then_some((from.item, true, false, from.version)),
                here.then_some((now, false, true, version)),
            ],
        };
        let new = sightings.iter().flatten().filter(|seen| !self.rows.contains_key(&seen.0)).count();
        if new > 0 && self.rows.len() + new > max.max(new) {
            return false;
        }
        for (number, was_there, is_there, version) in sightings.into_iter().flatten() {
            let seen = self.rows.entry(number).or_insert_with(|| {
                self.order.push(number);
                Seen { was_there, is_there, version }
            });
            (seen.is_there, seen.version) = (is_there, version);
        }
        true
    }
}
