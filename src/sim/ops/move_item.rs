//! `MoveItem`: whole rows to another folder of the same mailbox, where they have new ids. Nobody is told.

use roxmltree::Node;

use super::Desk;
use super::ids::{folder, not_found, wanted};
use super::shape;
use crate::sim::ids::ItemRef;
use crate::sim::soap_in::{Refusal, elements, need_m};
use crate::sim::soap_out::messages;
use crate::sim::world::Folder;

pub(super) fn answer(desk: &mut Desk<'_>, request: Node<'_, '_>) -> Result<String, Refusal> {
    let to = elements(need_m(request, "ToFolderId")?)
        .next()
        .ok_or_else(|| Refusal::schema(request, "ToFolderId is empty."))?;
    let to = folder(desk, to)?;
    let outcomes: Vec<_> = elements(need_m(request, "ItemIds")?).map(|id| one(desk, to, id)).collect();
    Ok(messages("MoveItem", &outcomes, "<m:Items/>"))
}

fn one(desk: &mut Desk<'_>, to: Folder, id: Node<'_, '_>) -> Result<String, Refusal> {
    let at = wanted(desk, id)?.at;
    if at.occurrence.is_some() {
        return Err(Refusal::new(
            "ErrorCalendarCannotMoveOrCopyOccurrence",
            "Moving or copying an occurrence of a recurring calendar item is not possible.",
        ));
    }
    let moved = desk.world.shift(at, to).ok_or_else(not_found)?;
    Ok(format!("<m:Items>{}</m:Items>", bare(desk, moved)?))
}

/// Any row's id and nothing else.
fn bare(desk: &Desk<'_>, at: ItemRef) -> Result<String, Refusal> {
    let item = desk.mailbox()?.items.get(&at.item).ok_or_else(not_found)?;
    match item.event() {
        Some(_) => Ok(shape::bare(&super::ids::view(desk, at)?)),
        None => Ok(shape::bare_message(item, at)),
    }
}
