//! `MoveItem`: moves rows to another folder of the same mailbox, where they get new ids. Sends no mail.

use roxmltree::Node;

use super::ids::{folder, not_found, wanted};
use super::request_context::RequestContext;
use super::{item_xml, shape};
use crate::sim::ews_error::EwsError;
use crate::sim::folder::MailboxFolder;
use crate::sim::ids::ItemLocator;
use crate::sim::soap_request::{elements, require_m};
use crate::sim::soap_response::messages;

pub(super) fn answer(context: &mut RequestContext<'_>, request: Node<'_, '_>) -> Result<String, EwsError> {
    let to = elements(require_m(request, "ToFolderId")?)
        .next()
        .ok_or_else(|| EwsError::schema_violation(request, "ToFolderId is empty."))?;
    let to = folder(context, to)?;
    let outcomes: Vec<_> = elements(require_m(request, "ItemIds")?).map(|id| one(context, to, id)).collect();
    Ok(messages("MoveItem", &outcomes, "<m:Items/>"))
}

fn one(context: &mut RequestContext<'_>, to: MailboxFolder, id: Node<'_, '_>) -> Result<String, EwsError> {
    let at = wanted(context, id)?.at;
    if at.occurrence.is_some() {
        return Err(EwsError::new(
            "ErrorCalendarCannotMoveOrCopyOccurrence",
            "Moving or copying an occurrence of a recurring calendar item is not possible.",
        ));
    }
    let moved = context.world.move_item(at, to).ok_or_else(not_found)?;
    Ok(format!("<m:Items>{}</m:Items>", bare(context, moved)?))
}

/// A row's id without other properties.
fn bare(context: &RequestContext<'_>, at: ItemLocator) -> Result<String, EwsError> {
    let item = context.mailbox()?.items.get(&at.item).ok_or_else(not_found)?;
    match item.event() {
        Some(_) => Ok(shape::bare(&super::ids::view(context, at)?)),
        None => Ok(item_xml::bare_message(item, at)),
    }
}
