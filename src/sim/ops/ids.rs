//! Resolves the ids of a request to rows and folders of the target mailbox. An id of another mailbox is not found, as
//! for a caller without rights there.

use roxmltree::Node;

use super::request_context::RequestContext;
use crate::sim::ews_error::EwsError;
use crate::sim::folder::MailboxFolder;
use crate::sim::ids::{self, DecodedId, ItemLocator};
use crate::sim::mailbox::Mailbox;
use crate::sim::soap_request::{t, t_text};
use crate::sim::views::{self, EventInstance, Missing};
use crate::sim::world::ExceptionIds;

/// The item that an id names, and the version that the caller knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RequestedItem {
    pub(super) at: ItemLocator,
    /// `None` if the request has no change key.
    pub(super) version: Option<u64>,
}

/// Resolves `ItemId`, `OccurrenceItemId` or `RecurringMasterItemId`, whatever the element is called.
pub(super) fn wanted(context: &RequestContext<'_>, node: Node<'_, '_>) -> Result<RequestedItem, EwsError> {
    let at = match node.tag_name().name() {
        "OccurrenceItemId" => occurrence_by_index(context, node)?,
        "RecurringMasterItemId" => {
            let at = named(context, node, "OccurrenceId")?;
            if at.occurrence.is_none() {
                return Err(EwsError::new(
                    "ErrorCalendarCannotUseIdForOccurrenceId",
                    "The specified id is not that of an occurrence.",
                ));
            }
            ItemLocator { occurrence: None, ..at }
        }
        _ => named(context, node, "Id")?,
    };
    Ok(RequestedItem { at, version: version(node)? })
}

fn version(node: Node<'_, '_>) -> Result<Option<u64>, EwsError> {
    let bad = || EwsError::new("ErrorInvalidChangeKey", "The change key is invalid.");
    match node.attribute("ChangeKey") {
        None => Ok(None),
        Some(key) => ids::read_change_key(key).map(Some).ok_or_else(bad),
    }
}

fn named(context: &RequestContext<'_>, node: Node<'_, '_>, attribute: &str) -> Result<ItemLocator, EwsError> {
    let id = node.attribute(attribute).ok_or_else(|| {
        EwsError::schema_violation(node, &format!("The required attribute '{attribute}' is missing."))
    })?;
    if id.is_empty() {
        return Err(EwsError::new("ErrorInvalidIdEmpty", "Id must be non-empty."));
    }
    match ids::read_id(id) {
        None => Err(EwsError::new("ErrorInvalidIdMalformed", "Id is malformed.")),
        Some(DecodedId::Folder { .. }) => {
            Err(EwsError::new("ErrorCannotUseFolderIdForItemId", "Id must be that of an item."))
        }
        Some(DecodedId::Item(at)) if at.mailbox == context.mailbox()?.number => {
            if context.is_hidden(at) || !is_current(context, at, id) {
                return Err(not_found());
            }
            Ok(at)
        }
        Some(DecodedId::Item(_)) => Err(not_found()),
    }
}

/// Whether an id of an occurrence is still valid: an exception may have another id.
fn is_current(context: &RequestContext<'_>, at: ItemLocator, id: &str) -> bool {
    let Some(start) = at.occurrence else { return true };
    let series = context.world.get(at).and_then(|event| event.series.as_ref());
    let changed = series.is_some_and(|series| series.exceptions.contains_key(&start));
    let named_as_changed = ids::is_exception_id(id);
    match context.world.exception_ids {
        ExceptionIds::Replaced => changed == named_as_changed,
        ExceptionIds::Added => changed || !named_as_changed,
        ExceptionIds::Kept => !named_as_changed,
    }
}

fn occurrence_by_index(context: &RequestContext<'_>, node: Node<'_, '_>) -> Result<ItemLocator, EwsError> {
    let at = named(context, node, "RecurringMasterId")?;
    let event = context.world.get(at).ok_or_else(not_found)?;
    let (None, Some(series)) = (at.occurrence, &event.series) else {
        return Err(EwsError::new(
            "ErrorCalendarCannotUseIdForRecurringMasterId",
            "The specified id is not that of a recurring master.",
        ));
    };
    let index: Option<usize> = node.attribute("InstanceIndex").and_then(|index| index.parse().ok());
    let start = index
        .and_then(|index| index.checked_sub(1))
        .and_then(|index| series.starts(event.details.start).nth(index))
        .ok_or_else(|| {
            EwsError::new(
                "ErrorCalendarOccurrenceIndexIsOutOfRecurrenceRange",
                "Occurrence index is out of recurrence range.",
            )
        })?;
    Ok(ItemLocator { occurrence: Some(start), ..at })
}

pub(super) fn not_found() -> EwsError {
    EwsError::new("ErrorItemNotFound", "The specified object was not found in the store.")
}

/// The event at a location.
pub(super) fn view<'w>(
    context: &'w RequestContext<'_>,
    at: ItemLocator,
) -> Result<EventInstance<'w>, EwsError> {
    views::view(context.mailbox()?, at).map_err(|missing| match missing {
        Missing::NotFound => not_found(),
        Missing::Deleted => EwsError::new(
            "ErrorCalendarOccurrenceIsDeletedFromRecurrence",
            "Occurrence with this index was previously deleted from the recurrence.",
        ),
    })
}

/// Like [`view`], for ids of occurrences: a deleted occurrence is reported as not found.
pub(super) fn view_by_id<'w>(
    context: &'w RequestContext<'_>,
    node: Node<'_, '_>,
    at: ItemLocator,
) -> Result<EventInstance<'w>, EwsError> {
    view(context, at).map_err(|refusal| match node.tag_name().name() {
        "OccurrenceItemId" => refusal,
        _ => not_found(),
    })
}

/// The folder that a request names, in the target mailbox.
pub(super) fn folder(context: &RequestContext<'_>, node: Node<'_, '_>) -> Result<MailboxFolder, EwsError> {
    let mailbox = context.mailbox()?;
    match node.tag_name().name() {
        "DistinguishedFolderId" => {
            same_mailbox(context, mailbox, node)?;
            let name = node.attribute("Id").unwrap_or_default();
            distinguished(name).ok_or_else(folder_not_found)
        }
        "FolderId" => match ids::read_id(node.attribute("Id").unwrap_or_default()) {
            None => Err(EwsError::new("ErrorInvalidIdMalformed", "Id is malformed.")),
            Some(DecodedId::Item(_)) => {
                Err(EwsError::new("ErrorCannotUseItemIdForFolderId", "Id must be that of a folder."))
            }
            Some(DecodedId::Folder { mailbox: number, folder }) if number == mailbox.number => {
                MailboxFolder::from_number(folder).ok_or_else(folder_not_found)
            }
            Some(DecodedId::Folder { .. }) => Err(folder_not_found()),
        },
        other => Err(EwsError::schema_violation(node, &format!("The element '{other}' is not a folder id."))),
    }
}

fn same_mailbox(context: &RequestContext<'_>, mailbox: &Mailbox, node: Node<'_, '_>) -> Result<(), EwsError> {
    let Some(address) = t(node, "Mailbox").and_then(|other| t_text(other, "EmailAddress")) else {
        return Ok(());
    };
    match context.world.mailbox(&address) {
        None => Err(EwsError::new(
            "ErrorNonExistentMailbox",
            "The SMTP address has no mailbox associated with it.",
        )),
        Some(other) if other.number != mailbox.number => {
            Err(EwsError::new("ErrorAccessDenied", "Access is denied. Check credentials and try again."))
        }
        Some(_) => Ok(()),
    }
}

fn folder_not_found() -> EwsError {
    EwsError::new("ErrorFolderNotFound", "The specified folder could not be found in the store.")
}

fn distinguished(name: &str) -> Option<MailboxFolder> {
    Some(match name {
        "root" => MailboxFolder::Root,
        "msgfolderroot" => MailboxFolder::TopOfStore,
        "inbox" => MailboxFolder::Inbox,
        "drafts" => MailboxFolder::Drafts,
        "outbox" => MailboxFolder::Outbox,
        "sentitems" => MailboxFolder::Sent,
        "deleteditems" => MailboxFolder::Deleted,
        "calendar" => MailboxFolder::Calendar,
        "contacts" => MailboxFolder::Contacts,
        "tasks" => MailboxFolder::Tasks,
        "notes" => MailboxFolder::Notes,
        "journal" => MailboxFolder::Journal,
        "junkemail" => MailboxFolder::Junk,
        _ => return None,
    })
}
