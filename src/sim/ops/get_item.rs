//! `GetItem`: returns each item by its id; one failure does not affect the others.

use roxmltree::Node;

use super::RequestContext;
use super::ids::{view_by_id, wanted};
use super::message_shape::{self, MessageContext};
use super::shape::{self, ItemShape, ReadOperation};
use crate::sim::event::ItemContent;
use crate::sim::soap_request::{EwsError, elements, require_m};
use crate::sim::soap_response::messages;

pub(super) fn answer(desk: &mut RequestContext<'_>, request: Node<'_, '_>) -> Result<String, EwsError> {
    let shape = ItemShape::read(require_m(request, "ItemShape")?)?;
    let outcomes: Vec<_> = elements(require_m(request, "ItemIds")?).map(|id| one(desk, &shape, id)).collect();
    Ok(messages("GetItem", &outcomes, "<m:Items/>"))
}

fn one(desk: &RequestContext<'_>, shape: &ItemShape, id: Node<'_, '_>) -> Result<String, EwsError> {
    let at = wanted(desk, id)?.at;
    let mailbox = desk.mailbox()?;
    let shown = match mailbox.items.get(&at.item).map(|item| (item, &item.content)) {
        Some((item, ItemContent::Message(message))) => {
            let look = MessageContext { world: desk.world, mailbox, item, message };
            message_shape::message(&look, shape, ReadOperation::Get)
        }
        _ => shape::calendar_item(desk.world, view_by_id(desk, id, at)?, shape, ReadOperation::Get),
    };
    Ok(format!("<m:Items>{shown}</m:Items>"))
}
