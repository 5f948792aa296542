//! `MoveItem`: moves rows to another folder of the same mailbox, where they get new ids. Sends no mail.

use roxmltree::Node;

use super::RequestContext;
use super::ids::{folder, not_found, wanted};
use super::shape;
use crate::sim::ids::ItemLocator;
use crate::sim::soap_request::{EwsError, elements, require_m};
use crate::sim::soap_response::messages;
use crate::sim::world::MailboxFolder;

pub(super) fn answer(desk: &mut RequestContext<'_>, request: Node<'_, '_>) -> Result<String, EwsError> {
    let to = elements(require_m(request, "ToFolderId")?)
        .next()
        .ok_or_else(|| EwsError::schema_violation(request, "ToFolderId is empty."))?;
    let to = folder(desk, to)?;
    let outcomes: Vec<_> = elements(require_m(request, "ItemIds")?).map(|id| one(desk, to, id)).collect();
    Ok(messages("MoveItem", &outcomes, "<m:Items/>"))
}

fn one(desk: &mut RequestContext<'_>, to: MailboxFolder, id: Node<'_, '_>) -> Result<String, EwsError> {
    let at = wanted(desk, id)?.at;
    if at.occurrence.is_some() {
        return Err(EwsError::new(
            "ErrorCalendarCannotMoveOrCopyOccurrence",
            "Moving or copying an occurrence of a recurring calendar item is not possible.",
        ));
    }
    let moved = desk.world.move_item(at, to).ok_or_else(not_found)?;
    Ok(format!("<m:Items>{}</m:Items>", bare(desk, moved)?))
}

/// A row's id without other properties.
fn bare(desk: &RequestContext<'_>, at: ItemLocator) -> Result<String, EwsError> {
    let item = desk.mailbox()?.items.get(&at.item).ok_or_else(not_found)?;
    match item.event() {
        Some(_) => Ok(shape::bare(&super::ids::view(desk, at)?)),
        None => Ok(shape::bare_message(item, at)),
    }
}
