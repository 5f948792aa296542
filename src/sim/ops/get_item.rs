//! `GetItem`: each id for itself; one that fails costs no other.

use roxmltree::Node;

use super::Desk;
use super::ids::{view_by_id, wanted};
use super::message_shape::{self, MessageLook};
use super::shape::{self, Shape, Where};
use crate::sim::event::Content;
use crate::sim::soap_in::{Refusal, elements, need_m};
use crate::sim::soap_out::messages;

pub(super) fn answer(desk: &mut Desk<'_>, request: Node<'_, '_>) -> Result<String, Refusal> {
    let shape = Shape::read(need_m(request, "ItemShape")?)?;
    let outcomes: Vec<_> = elements(need_m(request, "ItemIds")?).map(|id| one(desk, &shape, id)).collect();
    Ok(messages("GetItem", &outcomes, "<m:Items/>"))
}

fn one(desk: &Desk<'_>, shape: &Shape, id: Node<'_, '_>) -> Result<String, Refusal> {
    let at = wanted(desk, id)?.at;
    let mailbox = desk.mailbox()?;
    let shown = match mailbox.items.get(&at.item).map(|item| (item, &item.content)) {
        Some((item, Content::Message(message))) => {
            let look = MessageLook { world: desk.world, mailbox, item, message };
            message_shape::message(&look, shape, Where::Get)
        }
        _ => shape::calendar_item(desk.world, view_by_id(desk, id, at)?, shape, Where::Get),
    };
    Ok(format!("<m:Items>{shown}</m:Items>"))
}
