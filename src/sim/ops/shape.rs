//! `m:ItemShape`: the properties that a response contains, and the XML of items. `properties` and `message_shape` define
//! the values.

use roxmltree::Node;

use super::aliases;
use super::item_xml::item_id;
use super::properties::{EXTENDED_AFTER, PROPERTIES};
use super::property_context::{BodyType, PropertyContext, PropertyDefinition, ReadOperation, ShapeTier};
use super::property_path::{self, PathAttributes, PropertyPath};
use super::property_value::PropertyValue;
use crate::sim::ews_error::EwsError;
use crate::sim::extended::ExtendedProperty;
use crate::sim::soap_request::{elements, require_order, require_t, t, t_text, text};
use crate::sim::views::EventInstance;
use crate::sim::world::World;
use crate::sim::xml::escape;

/// An `m:ItemShape`.
#[derive(Debug, Clone)]
pub(super) struct ItemShape {
    base: BaseShape,
    additional: Vec<String>,
    extended: Vec<(ExtendedProperty, PathAttributes)>,
    pub(super) body: BodyType,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BaseShape {
    IdOnly,
    Default,
    All,
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

impl ItemShape {
    pub(super) fn read(node: Node<'_, '_>) -> Result<Self, EwsError> {
        require_order(node, &CHILDREN)?;
        let base = match text(require_t(node, "BaseShape")?).trim() {
            "IdOnly" => BaseShape::IdOnly,
            "Default" => BaseShape::Default,
            "AllProperties" => BaseShape::All,
            _ => return Err(EwsError::schema_violation(node, "BaseShape is invalid.")),
        };
        let body = match t_text(node, "BodyType").as_deref() {
            None | Some("Best") => BodyType::Best,
            Some("HTML") => BodyType::Html,
            Some("Text") => BodyType::Text,
            Some(_) => return Err(EwsError::schema_violation(node, "BodyType is invalid.")),
        };
        let mut shape = Self { base, additional: Vec::new(), extended: Vec::new(), body };
        for property in t(node, "AdditionalProperties").into_iter().flat_map(elements) {
            match property_path::read(property)? {
                PropertyPath::Field(uri) => shape.additional.push(uri),
                PropertyPath::Extended(property, spelling) => shape.extended.push((property, spelling)),
                PropertyPath::Indexed => {}
            }
        }
        Ok(shape)
    }

    /// Whether the shape contains a property of this path and tier.
    pub(super) fn wants(&self, uri: &str, tier: ShapeTier) -> bool {
        let in_base = match self.base {
            BaseShape::IdOnly => false,
            BaseShape::Default => tier == ShapeTier::Default,
            BaseShape::All => tier != ShapeTier::OnRequest,
        };
        in_base || self.additional.iter().any(|wanted| wanted == uri)
    }

    fn shows(&self, property: &PropertyDefinition, place: ReadOperation) -> bool {
        self.wants(property.uri, property.tier) && (property.in_find || place == ReadOperation::Get)
    }
}

/// An event with the properties of a shape.
pub(super) fn calendar_item(
    world: &World,
    view: EventInstance<'_>,
    shape: &ItemShape,
    place: ReadOperation,
) -> String {
    let cx = PropertyContext { view, world, place, body: shape.body };
    let mut properties = String::new();
    for property in PROPERTIES {
        if shape.shows(property, place)
            && let Some(value) = (property.value)(&cx)
        {
            properties += &value.write(property.name());
        }
        if property.uri == EXTENDED_AFTER {
            properties += &extended(&cx, shape);
        }
    }
    format!("<t:CalendarItem>{}{properties}</t:CalendarItem>", item_id(&view.id(), &view.change_key()))
}

/// The requested extended properties that exist, named as in the request.
fn extended(cx: &PropertyContext<'_>, shape: &ItemShape) -> String {
    let shown = shape.extended.iter().filter_map(|(property, spelling)| {
        let value = aliases::value(cx, property)?;
        Some(format!("<t:ExtendedProperty>{}{}</t:ExtendedProperty>", spelling.element(), plain(&value)))
    });
    shown.collect()
}

/// `t:PropertyValue`, or `t:Values` of an array.
fn plain(value: &PropertyValue) -> String {
    let one = |value: &PropertyValue| format!("<t:Value>{}</t:Value>", escape(&value.text()));
    match value {
        PropertyValue::List(values) => {
            format!("<t:Values>{}</t:Values>", values.iter().map(one).collect::<String>())
        }
        value => one(value),
    }
}

/// An event's id without other properties, as returned after a write.
pub(super) fn bare(view: &EventInstance<'_>) -> String {
    format!("<t:CalendarItem>{}</t:CalendarItem>", item_id(&view.id(), &view.change_key()))
}
