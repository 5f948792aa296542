//! `m:ItemShape`: which properties of an item an answer shows, and the items themselves. What the properties are is in
//! `properties` and `message_shape`.

use roxmltree::Node;

use super::aliases;
use super::path::{self, Path, Spelling};
use super::properties::{EXTENDED_AFTER, Look, PROPERTIES, Property, Tier};
use super::value::Value;
use crate::sim::event::Item;
use crate::sim::extended::Extended;
use crate::sim::ids::{self, ItemRef};
use crate::sim::soap_in::{Refusal, elements, in_order, need_t, t, t_text, text};
use crate::sim::soap_out::escape;
use crate::sim::views::View;
use crate::sim::world::World;

/// An `m:ItemShape`.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    base: Base,
    additional: Vec<String>,
    extended: Vec<(Extended, Spelling)>,
    pub(super) body: BodyType,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Base {
    IdOnly,
    Default,
    All,
}

/// As what bodies are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyType {
    /// As they were written.
    Best,
    Html,
    Text,
}

/// Where an item is shown: `FindItem` reads the folder's table, which holds neither bodies nor attendees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Where {
    Find,
    Get,
}

const CHILDREN: [&str; 12] = [
    "BaseShape",
    "IncludeMimeContent",
    "BodyType",
    "UniqueBodyType",
    "NormalizedBodyType",
    "FilterHtmlContent",
    "ConvertHtmlCodePageToUTF8",
    "InlineImageUrlTemplate",
    "BlockExternalImages",
    "AddBlankTargetToLinks",
    "MaximumBodySize",
    "AdditionalProperties",
];

impl Shape {
    pub(super) fn read(node: Node<'_, '_>) -> Result<Self, Refusal> {
        in_order(node, &CHILDREN)?;
        let base = match text(need_t(node, "BaseShape")?).trim() {
            "IdOnly" => Base::IdOnly,
            "Default" => Base::Default,
            "AllProperties" => Base::All,
            _ => return Err(Refusal::schema(node, "BaseShape is invalid.")),
        };
        let body = match t_text(node, "BodyType").as_deref() {
            None | Some("Best") => BodyType::Best,
            Some("HTML") => BodyType::Html,
            Some("Text") => BodyType::Text,
            Some(_) => return Err(Refusal::schema(node, "BodyType is invalid.")),
        };
        let mut shape = Self { base, additional: Vec::new(), extended: Vec::new(), body };
        for property in t(node, "AdditionalProperties").into_iter().flat_map(elements) {
            match path::read(property)? {
                Path::Field(uri) => shape.additional.push(uri),
                Path::Extended(property, spelling) => shape.extended.push((property, spelling)),
                Path::Indexed => {}
            }
        }
        Ok(shape)
    }

    /// Whether a property of this path, shown in these base shapes, is wanted.
    pub(super) fn wants(&self, uri: &str, tier: Tier) -> bool {
        let in_base = match self.base {
            Base::IdOnly => false,
            Base::Default => tier == Tier::Default,
            Base::All => tier != Tier::OnRequest,
        };
        in_base || self.additional.iter().any(|wanted| wanted == uri)
    }

    fn shows(&self, property: &Property, place: Where) -> bool {
        self.wants(property.uri, property.tier) && (property.in_find || place == Where::Get)
    }
}

/// An event as a shape wants it.
pub(super) fn calendar_item(world: &World, view: View<'_>, shape: &Shape, place: Where) -> String {
    let look = Look { view, world, place, body: shape.body };
    let mut properties = String::new();
    for property in PROPERTIES {
        if shape.shows(property, place)
            && let Some(value) = (property.value)(&look)
        {
            properties += &value.write(property.name());
        }
        if property.uri == EXTENDED_AFTER {
            properties += &extended(&look, shape);
        }
    }
    format!("<t:CalendarItem>{}{properties}</t:CalendarItem>", item_id(&view.id(), &view.change_key()))
}

/// The extended properties that are wanted and there, named as the request names them.
fn extended(look: &Look<'_>, shape: &Shape) -> String {
    let shown = shape.extended.iter().filter_map(|(property, spelling)| {
        let value = aliases::value(look, property)?;
        Some(format!("<t:ExtendedProperty>{}{}</t:ExtendedProperty>", spelling.element(), plain(&value)))
    });
    shown.collect()
}

/// `t:Value`, or `t:Values` of an array.
fn plain(value: &Value) -> String {
    let one = |value: &Value| format!("<t:Value>{}</t:Value>", escape(&value.text()));
    match value {
        Value::List(values) => format!("<t:Values>{}</t:Values>", values.iter().map(one).collect::<String>()),
        value => one(value),
    }
}

/// An event's id and nothing else, as after a write.
pub(super) fn bare(view: &View<'_>) -> String {
    format!("<t:CalendarItem>{}</t:CalendarItem>", item_id(&view.id(), &view.change_key()))
}

/// A message's id and nothing else.
pub(super) fn bare_message(item: &Item, at: ItemRef) -> String {
    let kind = super::message_shape::kind_of(item);
    format!("<t:{kind}>{}</t:{kind}>", item_id(&ids::item_id(at), &ids::change_key(item.version)))
}

pub(super) fn item_id(id: &str, change_key: &str) -> String {
    format!(r#"<t:ItemId Id="{id}" ChangeKey="{change_key}"/>"#)
}
