//! The definition of a property, and the inputs of its value. `properties` has the table, `shape` selects from it.

use super::property_value::PropertyValue;
use crate::sim::details::Details;
use crate::sim::views::EventInstance;
use crate::sim::world::World;
use crate::sim::zones::Zone;

/// The base shapes that contain a property.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ShapeTier {
    Default,
    All,
    OnRequest,
}

/// The inputs of a property's value.
#[derive(Clone, Copy)]
pub(super) struct PropertyContext<'a> {
    pub(super) view: EventInstance<'a>,
    pub(super) world: &'a World,
    pub(super) place: ReadOperation,
    pub(super) body: BodyType,
}

impl PropertyContext<'_> {
    pub(super) fn details(&self) -> &Details {
        self.view.details
    }

    /// The stored value of a property that the simulator ignores, or a default.
    pub(super) fn other(&self, name: &str, otherwise: &str) -> Option<PropertyValue> {
        let stored = self.details().other_properties.get(name).cloned();
        stored.or_else(|| (!otherwise.is_empty()).then(|| otherwise.to_owned())).map(PropertyValue::Text)
    }

    pub(super) fn flag(&self, name: &str, otherwise: bool) -> Option<PropertyValue> {
        let stored = self.details().other_properties.get(name).map(|stored| stored == "true");
        Some(PropertyValue::Boolean(stored.unwrap_or(otherwise)))
    }

    pub(super) fn time(&self, name: &str) -> Option<PropertyValue> {
        crate::sim::soap_request::instant(self.details().other_properties.get(name)?).map(PropertyValue::Time)
    }

    pub(super) fn start_zone(&self) -> &'static Zone {
        self.view.event.start_zone(self.details())
    }

    pub(super) fn end_zone(&self) -> &'static Zone {
        self.view.event.end_zone(self.details())
    }
}

/// A property of calendar items.
pub(super) struct PropertyDefinition {
    pub(super) uri: &'static str,
    pub(super) tier: ShapeTier,
    /// Whether `FindItem` returns it.
    pub(super) in_find: bool,
    pub(super) value: fn(&PropertyContext<'_>) -> Option<PropertyValue>,
}

impl PropertyDefinition {
    /// Its element name.
    pub(super) fn name(&self) -> &'static str {
        self.uri.split_once(':').map_or(self.uri, |(_, name)| name)
    }
}

/// `BodyTypeResponseType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyType {
    /// As stored.
    Best,
    Html,
    Text,
}

/// The operation that returns the item: `FindItem` reads the folder's table, which has neither bodies nor attendees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReadOperation {
    Find,
    Get,
}
