//! `DeleteItem`: deletes a row, or one occurrence, of which no copy remains. Sends cancellations only for organizers.

use roxmltree::Node;

use super::ids::{not_found, view_by_id, wanted};
use super::request_context::RequestContext;
use crate::sim::event::{Copy, ItemContent};
use crate::sim::ews_error::EwsError;
use crate::sim::folder::MailboxFolder;
use crate::sim::ids::ItemLocator;
use crate::sim::soap_request::{elements, enum_attribute, require_m};
use crate::sim::soap_response::messages;

const TYPES: [&str; 3] = ["HardDelete", "SoftDelete", "MoveToDeletedItems"];
const SENDS: [&str; 3] = ["SendToNone", "SendOnlyToAll", "SendToAllAndSaveCopy"];

pub(super) fn answer(context: &mut RequestContext<'_>, request: Node<'_, '_>) -> Result<String, EwsError> {
    let delete = enum_attribute(request, "DeleteType", &TYPES)?.ok_or_else(|| {
        EwsError::schema_violation(request, "The required attribute 'DeleteType' is missing.")
    })?;
    let send = enum_attribute(request, "SendMeetingCancellations", &SENDS)?;
    let outcomes: Vec<_> =
        elements(require_m(request, "ItemIds")?).map(|id| one(context, delete, send, id)).collect();
    Ok(messages("DeleteItem", &outcomes, ""))
}

fn one(
    context: &mut RequestContext<'_>,
    delete: &str,
    send: Option<&str>,
    id: Node<'_, '_>,
) -> Result<String, EwsError> {
    let at = wanted(context, id)?.at;
    if context.is_delegate && delete == "MoveToDeletedItems" {
        // Documented for delegates, who must use MoveItem.
        return Err(EwsError::new("ErrorCannotDeleteObject", "The object could not be deleted."));
    }
    let item = context.mailbox()?.items.get(&at.item).ok_or_else(not_found)?;
    if matches!(item.content, ItemContent::Message(_)) {
        return remove(context, at, delete);
    }
    let copy = view_by_id(context, id, at)?.event.copy;
    let send = send.ok_or_else(|| {
        EwsError::new(
            "ErrorSendMeetingCancellationsRequired",
            "SendMeetingCancellations attribute is required for calendar items.",
        )
    })?;
    if copy == Copy::Organizer && send != "SendToNone" {
        let notified = context.world.cancel_meeting(at, "");
        if send.ends_with("SaveCopy") && !notified.is_empty() {
            context.world.save_to_sent_items(at.mailbox);
        }
    }
    remove(context, at, delete)
}

fn remove(context: &mut RequestContext<'_>, at: ItemLocator, delete: &str) -> Result<String, EwsError> {
    match (at.occurrence, delete) {
        (Some(start), _) => context.world.delete_occurrence(at, start).ok_or_else(not_found)?,
        (None, "MoveToDeletedItems") => {
            context.world.move_item(at, MailboxFolder::Deleted).map(drop).ok_or_else(not_found)?;
        }
        (None, _) => context.world.remove_item(at).map(drop).ok_or_else(not_found)?,
    }
    Ok(String::new())
}
