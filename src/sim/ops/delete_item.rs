//! `DeleteItem`: a row, or one date of a series, which leaves nothing behind. Only an organizer's deletion is mailed.

use roxmltree::Node;

use super::Desk;
use super::ids::{not_found, view_by_id, wanted};
use crate::sim::event::{Content, Copy};
use crate::sim::ids::ItemRef;
use crate::sim::soap_in::{Refusal, choice, elements, need_m};
use crate::sim::soap_out::messages;
use crate::sim::world::Folder;

const TYPES: [&str; 3] = ["HardDelete", "SoftDelete", "MoveToDeletedItems"];
const SENDS: [&str; 3] = ["SendToNone", "SendOnlyToAll", "SendToAllAndSaveCopy"];

pub(super) fn answer(desk: &mut Desk<'_>, request: Node<'_, '_>) -> Result<String, Refusal> {
    let delete = choice(request, "DeleteType", &TYPES)?
        .ok_or_else(|| Refusal::schema(request, "The required attribute 'DeleteType' is missing."))?;
    let send = choice(request, "SendMeetingCancellations", &SENDS)?;
    let outcomes: Vec<_> =
        elements(need_m(request, "ItemIds")?).map(|id| one(desk, delete, send, id)).collect();
    Ok(messages("DeleteItem", &outcomes, ""))
}

fn one(desk: &mut Desk<'_>, delete: &str, send: Option<&str>, id: Node<'_, '_>) -> Result<String, Refusal> {
    let at = wanted(desk, id)?.at;
    if desk.is_delegate && delete == "MoveToDeletedItems" {
        // So says the operation's page; a delegate is to use MoveItem.
        return Err(Refusal::new("ErrorCannotDeleteObject", "The object could not be deleted."));
    }
    let item = desk.mailbox()?.items.get(&at.item).ok_or_else(not_found)?;
    if matches!(item.content, Content::Message(_)) {
        return remove(desk, at, delete);
    }
    let copy = view_by_id(desk, id, at)?.event.copy;
    let send = send.ok_or_else(|| {
        Refusal::new(
            "ErrorSendMeetingCancellationsRequired",
            "SendMeetingCancellations attribute is required for calendar items.",
        )
    })?;
    if copy == Copy::Organizer && send != "SendToNone" {
        let told = desk.world.call_off(at, "");
        if send.ends_with("SaveCopy") && !told.is_empty() {
            desk.world.keep_sent(at.mailbox);
        }
    }
    remove(desk, at, delete)
}

fn remove(desk: &mut Desk<'_>, at: ItemRef, delete: &str) -> Result<String, Refusal> {
    match (at.occurrence, delete) {
        (Some(start), _) => desk.world.strike_out(at, start).ok_or_else(not_found)?,
        (None, "MoveToDeletedItems") => {
            desk.world.shift(at, Folder::Deleted).map(drop).ok_or_else(not_found)?;
        }
        (None, _) => desk.world.take(at).map(drop).ok_or_else(not_found)?,
    }
    Ok(String::new())
}
