//! `GetItem`: reads items by id with the requested properties. Never changes anything.

use super::{Effect, ItemRef, Operation, Property, write_items, write_shape};
use crate::ews::codec::xml_writer::XmlWriter;
use crate::ews::types::{Item, ResponseMessage};

/// `GetItem`: returns one message per id, in the same order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetItem<'a> {
    /// The items.
    pub items: &'a [ItemRef<'a>],
    /// The properties to return besides the id.
    pub properties: &'a [Property],
}

/// `GetItem` of the series master, by the id of one of its occurrences (`t:RecurringMasterItemId`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetRecurringMaster<'a> {
    /// One of its occurrences.
    pub occurrence: ItemRef<'a>,
    /// The properties to return besides the id.
    pub properties: &'a [Property],
}

/// The response: one message per id, in request order. `None`: without `m:Items`.
pub type GetItemAnswer<'a> = Vec<ResponseMessage<'a, Option<Vec<Item<'a>>>>>;

impl Operation for GetItem<'_> {
    const NAME: &'static str = "GetItem";
    const EFFECT: Effect = Effect::Read;

    fn write_body(&self, out: &mut XmlWriter<'_>) {
        out.raw("<m:GetItem>");
        write_shape(self.properties, out);
        write_items(self.items, out);
        out.raw("</m:GetItem>");
    }
}

impl Operation for GetRecurringMaster<'_> {
    const NAME: &'static str = GetItem::NAME;
    const EFFECT: Effect = Effect::Read;

    fn write_body(&self, out: &mut XmlWriter<'_>) {
        out.raw("<m:GetItem>");
        write_shape(self.properties, out);
        out.raw("<m:ItemIds><t:RecurringMasterItemId");
        out.attribute("OccurrenceId", self.occurrence.id);
        if let Some(change_key) = self.occurrence.change_key {
            out.attribute("ChangeKey", change_key);
        }
        out.raw("/></m:ItemIds></m:GetItem>");
    }
}
