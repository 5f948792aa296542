//! From the ids in a request to rows and folders of the acting mailbox. An id of another mailbox names nothing, as for
//! a caller without rights.

use roxmltree::Node;

use super::Desk;
use crate::sim::ids::{self, ItemRef, Named};
use crate::sim::soap_in::{Refusal, t, t_text};
use crate::sim::views::{self, Missing, View};
use crate::sim::world::{DateIds, Folder, Mailbox};

/// What an id in a request names, and the version of it the caller knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) at: ItemRef,
    /// `Ok(None)` when no change key was sent, `Err` when it is none of ours.
    pub(super) version: Option<u64>,
}

/// Reads `ItemId`, `OccurrenceItemId` or `RecurringMasterItemId`, whatever the element is called.
pub(super) fn wanted(desk: &Desk<'_>, node: Node<'_, '_>) -> Result<Wanted, Refusal> {
    let at = match node.tag_name().name() {
        "OccurrenceItemId" => occurrence_by_index(desk, node)?,
        "RecurringMasterItemId" => {
            let at = named(desk, node, "OccurrenceId")?;
            if at.occurrence.is_none() {
                return Err(Refusal::new(
                    "ErrorCalendarCannotUseIdForOccurrenceId",
                    "The specified id is not that of an occurrence.",
                ));
            }
            ItemRef { occurrence: None, ..at }
        }
        _ => named(desk, node, "Id")?,
    };
    Ok(Wanted { at, version: version(node)? })
}

fn version(node: Node<'_, '_>) -> Result<Option<u64>, Refusal> {
    let bad = || Refusal::new("ErrorInvalidChangeKey", "The change key is invalid.");
    match node.attribute("ChangeKey") {
        None => Ok(None),
        Some(key) => ids::read_change_key(key).map(Some).ok_or_else(bad),
    }
}

fn named(desk: &Desk<'_>, node: Node<'_, '_>, attribute: &str) -> Result<ItemRef, Refusal> {
    let id = node
        .attribute(attribute)
        .ok_or_else(|| Refusal::schema(node, &format!("The required attribute '{attribute}' is missing.")))?;
    if id.is_empty() {
        return Err(Refusal::new("ErrorInvalidIdEmpty", "Id must be non-empty."));
    }
    match ids::read_id(id) {
        None => Err(Refusal::new("ErrorInvalidIdMalformed", "Id is malformed.")),
        Some(Named::Folder { .. }) => {
            Err(Refusal::new("ErrorCannotUseFolderIdForItemId", "Id must be that of an item."))
        }
        Some(Named::Item(at)) if at.mailbox == desk.mailbox()?.number => {
            if desk.is_hidden(at) || !is_current(desk, at, id) {
                return Err(not_found());
            }
            Ok(at)
        }
        Some(Named::Item(_)) => Err(not_found()),
    }
}

/// Whether an id of a date still names it: a date that was changed has another id than before.
fn is_current(desk: &Desk<'_>, at: ItemRef, id: &str) -> bool {
    let Some(start) = at.occurrence else { return true };
    let series = desk.world.get(at).and_then(|event| event.series.as_ref());
    let changed = series.is_some_and(|series| series.exceptions.contains_key(&start));
    let named_as_changed = ids::is_exception_id(id);
    match desk.world.date_ids {
        DateIds::Replaced => changed == named_as_changed,
        DateIds::Added => changed || !named_as_changed,
        DateIds::Kept => !named_as_changed,
    }
}

fn occurrence_by_index(desk: &Desk<'_>, node: Node<'_, '_>) -> Result<ItemRef, Refusal> {
    let at = named(desk, node, "RecurringMasterId")?;
    let event = desk.world.get(at).ok_or_else(not_found)?;
    let (None, Some(series)) = (at.occurrence, &event.series) else {
        return Err(Refusal::new(
            "ErrorCalendarCannotUseIdForRecurringMasterId",
            "The specified id is not that of a recurring master.",
        ));
    };
    let index: Option<usize> = node.attribute("InstanceIndex").and_then(|index| index.parse().ok());
    let start = index
        .and_then(|index| index.checked_sub(1))
        .and_then(|index| series.starts(event.details.start).nth(index))
        .ok_or_else(|| {
            Refusal::new(
                "ErrorCalendarOccurrenceIndexIsOutOfRecurrenceRange",
                "Occurrence index is out of recurrence range.",
            )
        })?;
    Ok(ItemRef { occurrence: Some(start), ..at })
}

pub(super) fn not_found() -> Refusal {
    Refusal::new("ErrorItemNotFound", "The specified object was not found in the store.")
}

/// The event a reference names.
pub(super) fn view<'w>(desk: &'w Desk<'_>, at: ItemRef) -> Result<View<'w>, Refusal> {
    views::view(desk.mailbox()?, at).map_err(|missing| match missing {
        Missing::NotThere => not_found(),
        Missing::Deleted => Refusal::new(
            "ErrorCalendarOccurrenceIsDeletedFromRecurrence",
            "Occurrence with this index was previously deleted from the recurrence.",
        ),
    })
}

/// Like [`view`], for ids of occurrences taken from a view: a deleted one was simply not found.
pub(super) fn view_by_id<'w>(
    desk: &'w Desk<'_>,
    node: Node<'_, '_>,
    at: ItemRef,
) -> Result<View<'w>, Refusal> {
    view(desk, at).map_err(|refusal| match node.tag_name().name() {
        "OccurrenceItemId" => refusal,
        _ => not_found(),
    })
}

/// The folder a request names, in the acting mailbox.
pub(super) fn folder(desk: &Desk<'_>, node: Node<'_, '_>) -> Result<Folder, Refusal> {
    let mailbox = desk.mailbox()?;
    match node.tag_name().name() {
        "DistinguishedFolderId" => {
            same_mailbox(desk, mailbox, node)?;
            let name = node.attribute("Id").unwrap_or_default();
            distinguished(name).ok_or_else(folder_not_found)
        }
        "FolderId" => match ids::read_id(node.attribute("Id").unwrap_or_default()) {
            None => Err(Refusal::new("ErrorInvalidIdMalformed", "Id is malformed.")),
            Some(Named::Item(_)) => {
                Err(Refusal::new("ErrorCannotUseItemIdForFolderId", "Id must be that of a folder."))
            }
            Some(Named::Folder { mailbox: number, folder }) if number == mailbox.number => {
                Folder::from_number(folder).ok_or_else(folder_not_found)
            }
            Some(Named::Folder { .. }) => Err(folder_not_found()),
        },
        other => Err(Refusal::schema(node, &format!("'{other}' is no folder id."))),
    }
}

fn same_mailbox(desk: &Desk<'_>, mailbox: &Mailbox, node: Node<'_, '_>) -> Result<(), Refusal> {
    let Some(address) = t(node, "Mailbox").and_then(|other| t_text(other, "EmailAddress")) else {
        return Ok(());
    };
    match desk.world.mailbox(&address) {
        None => Err(Refusal::new(
            "ErrorNonExistentMailbox",
            "The SMTP address has no mailbox associated with it.",
        )),
        Some(other) if other.number != mailbox.number => {
            Err(Refusal::new("ErrorAccessDenied", "Access is denied. Check credentials and try again."))
        }
        Some(_) => Ok(()),
    }
}

fn folder_not_found() -> Refusal {
    Refusal::new("ErrorFolderNotFound", "The specified folder could not be found in the store.")
}

fn distinguished(name: &str) -> Option<Folder> {
    Some(match name {
        "root" => Folder::Root,
        "msgfolderroot" => Folder::TopOfStore,
        "inbox" => Folder::Inbox,
        "drafts" => Folder::Drafts,
        "outbox" => Folder::Outbox,
        "sentitems" => Folder::Sent,
        "deleteditems" => Folder::Deleted,
        "calendar" => Folder::Calendar,
        "contacts" => Folder::Contacts,
        "tasks" => Folder::Tasks,
        "notes" => Folder::Notes,
        "journal" => Folder::Journal,
        "junkemail" => Folder::Junk,
        _ => return None,
    })
}
