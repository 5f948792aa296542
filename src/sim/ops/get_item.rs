//! `GetItem`: returns each item by its id; one failure does not affect the others.

use roxmltree::Node;

use super::ids::{view_by_id, wanted};
use super::message_shape::{self, MessageContext};
use super::property_context::ReadOperation;
use super::request_context::RequestContext;
use super::shape::{self, ItemShape};
use crate::sim::event::ItemContent;
use crate::sim::ews_error::EwsError;
use crate::sim::soap_request::{elements, require_m};
use crate::sim::soap_response::messages;

pub(super) fn answer(context: &mut RequestContext<'_>, request: Node<'_, '_>) -> Result<String, EwsError> {
    let shape = ItemShape::read(require_m(request, "ItemShape")?)?;
    let outcomes: Vec<_> =
        elements(require_m(request, "ItemIds")?).map(|id| one(context, &shape, id)).collect();
    Ok(messages("GetItem", &outcomes, "<m:Items/>"))
}

fn one(context: &RequestContext<'_>, shape: &ItemShape, id: Node<'_, '_>) -> Result<String, EwsError> {
    let at = wanted(context, id)?.at;
    let mailbox = context.mailbox()?;
    let shown = match mailbox.items.get(&at.item).map(|item| (item, &item.content)) {
        Some((item, ItemContent::Message(message))) => {
            let cx = MessageContext { world: context.world, mailbox, item, message };
            message_shape::message(&cx, shape, ReadOperation::Get)
        }
        _ => shape::calendar_item(context.world, view_by_id(context, id, at)?, shape, ReadOperation::Get),
    };
    Ok(format!("<m:Items>{shown}</m:Items>"))
}
