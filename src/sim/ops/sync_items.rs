//! `SyncFolderItems`: first the rows of a folder, then the changes to them. Series are returned as masters. Stores
//! nothing: the sync state holds the position.
//!
//! Without a sync state, the existing rows are returned by number; afterwards the change log continues. A row that
//! changes meanwhile may be returned twice, and a deleted one may be reported to a client that never saw it.

use std::collections::BTreeMap;

use roxmltree::Node;

use super::find_item::row;
use super::ids::folder;
use super::item_xml;
use super::request_context::RequestContext;
use super::shape::ItemShape;
use crate::sim::change_log::{ChangeKind, LoggedChange};
use crate::sim::ews_error::EwsError;
use crate::sim::folder::MailboxFolder;
use crate::sim::ids::{self, DecodedId, ItemLocator};
use crate::sim::mailbox::Mailbox;
use crate::sim::opaque_tokens::SyncToken;
use crate::sim::soap_request::{boolean, elements, m, require_m, require_order, t_text, text};
use crate::sim::soap_response::messages;

/// `MaxChangesReturned`, as the schema limits it.
const CHANGES: std::ops::RangeInclusive<usize> = 1..=512;

/// The changes of one response.
struct SyncPage {
    changes: String,
    state: SyncToken,
    last: bool,
}

pub(super) fn answer(context: &mut RequestContext<'_>, request: Node<'_, '_>) -> Result<String, EwsError> {
    let children = ["ItemShape", "SyncFolderId", "SyncState", "Ignore", "MaxChangesReturned", "SyncScope"];
    require_order(request, &children)?;
    let item_shape = require_m(request, "ItemShape")?;
    let shape = ItemShape::read(item_shape)?;
    let max = require_m(request, "MaxChangesReturned")?;
    let max = text(max)
        .trim()
        .parse()
        .ok()
        .filter(|max| CHANGES.contains(max))
        .ok_or_else(|| EwsError::schema_violation(max, "The 'MaxChangesReturned' element is invalid."))?;
    let mime = t_text(item_shape, "IncludeMimeContent").and_then(|mime| boolean(&mime)) == Some(true);
    let outcome = match mime {
        true => Err(EwsError::new(
            "ErrorInvalidPropertyForOperation",
            "The property is not valid for this operation: item:MimeContent.",
        )),
        false => one(context, request, &shape, max),
    };
    Ok(messages("SyncFolderItems", &[outcome], ""))
}

fn one(
    context: &RequestContext<'_>,
    request: Node<'_, '_>,
    shape: &ItemShape,
    max: usize,
) -> Result<String, EwsError> {
    let id = require_m(request, "SyncFolderId")?;
    let id = elements(id).next().ok_or_else(|| EwsError::schema_violation(id, "SyncFolderId is empty."))?;
    let folder = folder(context, id)?;
    let mailbox = context.mailbox()?;
    let state = match m(request, "SyncState").map(text).filter(|state| !state.trim().is_empty()) {
        None => beginning(mailbox, folder),
        Some(state) => SyncToken::decode(state.trim())
            .filter(|state| (state.mailbox, state.folder) == (mailbox.number, folder))
            .ok_or_else(invalid)?,
    };
    let ignored: Vec<u64> =
        m(request, "Ignore").into_iter().flat_map(elements).filter_map(|id| ignored(mailbox, id)).collect();
    let sync = SyncRequest { context, mailbox, shape, ignored, max };
    let page =
        if state.rows.0 < state.rows.1 { sync.initial_rows(state) } else { sync.logged_changes(state)? };
    Ok(format!(
        "<m:SyncState>{}</m:SyncState><m:IncludesLastItemInRange>{}</m:IncludesLastItemInRange>\
         <m:Changes>{}</m:Changes>",
        page.state.encode(),
        page.last,
        page.changes
    ))
}

fn beginning(mailbox: &Mailbox, folder: MailboxFolder) -> SyncToken {
    let newest = mailbox.items.last_key_value().map_or(0, |(number, _)| *number);
    SyncToken { mailbox: mailbox.number, folder, change: mailbox.items.log().last(), rows: (0, newest) }
}

fn ignored(mailbox: &Mailbox, id: Node<'_, '_>) -> Option<u64> {
    match ids::read_id(id.attribute("Id")?)? {
        DecodedId::Item(at) if at.mailbox == mailbox.number => Some(at.item),
        _ => None,
    }
}

fn invalid() -> EwsError {
    EwsError::new("ErrorInvalidSyncStateData", "Synchronization state data is corrupt or otherwise invalid.")
}

struct SyncRequest<'a> {
    context: &'a RequestContext<'a>,
    mailbox: &'a Mailbox,
    shape: &'a ItemShape,
    ignored: Vec<u64>,
    max: usize,
}

impl SyncRequest<'_> {
    /// Initial rows that still exist.
    fn initial_rows(&self, state: SyncToken) -> SyncPage {
        let (from, to) = state.rows;
        let rows = self.mailbox.items.range(from + 1..=to).filter(|(_, item)| item.folder == state.folder);
        let mut rows =
            rows.map(|(number, _)| *number).filter(|number| !self.ignored.contains(number)).peekable();
        let (mut changes, mut upto) = (String::new(), from);
        for number in rows.by_ref().take(self.max) {
            changes += &self.row_element("Create", number).unwrap_or_default();
            upto = number;
        }
        let through = rows.peek().is_none();
        let rows = if through { (to, to) } else { (upto, to) };
        // Later changes are left to the next response.
        let last = through && self.mailbox.items.log().last() == state.change;
        SyncPage { changes, state: SyncToken { rows, ..state }, last }
    }

    /// The changes since the sync state, at most one for each row.
    fn logged_changes(&self, state: SyncToken) -> Result<SyncPage, EwsError> {
        let log = self.mailbox.items.log();
        let logged = log.since(state.change).ok_or_else(invalid)?;
        let mut window = SyncWindow::default();
        let (mut upto, mut last) = (state.change, true);
        for change in logged {
            if !window.push(change, state.folder, self.max) {
                last = false;
                break;
            }
            upto = change.number;
        }
        let changes = window.order.iter().filter(|number| !self.ignored.contains(number));
        let changes = changes.filter_map(|number| self.change_element(&window, *number)).collect();
        Ok(SyncPage { changes, state: SyncToken { change: upto, ..state }, last })
    }

    fn change_element(&self, window: &SyncWindow, number: u64) -> Option<String> {
        let transition = window.rows.get(&number)?;
        match (transition.was_there, transition.is_there) {
            (false, true) => self.row_element("Create", number),
            (true, true) => self.row_element("Update", number),
            (true, false) => Some(self.delete_element(number, transition.version)),
            (false, false) => None,
        }
    }

    /// The current row; `None` if it is gone, which a later change reports.
    fn row_element(&self, change: &str, number: u64) -> Option<String> {
        self.mailbox.items.get(&number)?;
        let row = row(self.context, self.mailbox, self.shape, number);
        Some(format!("<t:{change}>{row}</t:{change}>"))
    }

    fn delete_element(&self, number: u64, version: u64) -> String {
        let at = ItemLocator { mailbox: self.mailbox.number, item: number, occurrence: None };
        format!("<t:Delete>{}</t:Delete>", item_xml::item_id(&ids::item_id(at), &ids::change_key(version)))
    }
}

/// The net effect of a range of the log on the rows of one folder.
#[derive(Default)]
struct SyncWindow {
    rows: BTreeMap<u64, RowTransition>,
    /// In order of first appearance.
    order: Vec<u64>,
}

struct RowTransition {
    was_there: bool,
    is_there: bool,
    version: u64,
}

impl SyncWindow {
    /// Adds a change, unless its row exceeds the limit.
    fn push(&mut self, change: &LoggedChange, folder: MailboxFolder, max: usize) -> bool {
        let here = change.revision.folder == folder;
        let (now, version) = (change.revision.item, change.revision.version);
        let sightings: [Option<(u64, bool, bool, u64)>; 2] = match change.kind {
            ChangeKind::Created => [here.then_some((now, false, true, version)), None],
            ChangeKind::Modified => [here.then_some((now, true, true, version)), None],
            ChangeKind::Deleted => [here.then_some((now, true, false, version)), None],
            ChangeKind::Moved { from } => [
                (from.folder == folder).then_some((from.item, true, false, from.version)),
                here.then_some((now, false, true, version)),
            ],
        };
        let new =
            sightings.iter().flatten().filter(|transition| !self.rows.contains_key(&transition.0)).count();
        if new > 0 && self.rows.len() + new > max.max(new) {
            return false;
        }
        for (number, was_there, is_there, version) in sightings.into_iter().flatten() {
            let transition = self.rows.entry(number).or_insert_with(|| {
                self.order.push(number);
                RowTransition { was_there, is_there, version }
            });
            (transition.is_there, transition.version) = (is_there, version);
        }
        true
    }
}
