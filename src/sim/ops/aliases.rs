//! Extended properties as values, and their aliases: MAPI names of ordinary EWS properties, such as the start of an
//! appointment. An alias is read and set through the property it stands for.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::properties;
use super::property_context::PropertyContext;
use super::property_value::PropertyValue;
use crate::sim::extended::{ExtendedProperty, PropertyName};
use crate::sim::ids;
use crate::sim::soap_request::{boolean, instant};
use crate::sim::views::SeriesRole;

/// MAPI property tags, with the EWS path of each.
const TAGS: [(u16, &str, &str); 16] = [
    (0x0017, "Integer", "item:Importance"),
    (0x001a, "String", "item:ItemClass"),
    (0x0036, "Integer", "item:Sensitivity"),
    (0x0037, "String", "item:Subject"),
    (0x0039, "SystemTime", "item:DateTimeSent"),
    (0x0060, "SystemTime", "calendar:Start"),
    (0x0061, "SystemTime", "calendar:End"),
    (0x0063, "Boolean", "calendar:IsResponseRequested"),
    (0x0e06, "SystemTime", "item:DateTimeReceived"),
    (0x0e08, "Integer", "item:Size"),
    (0x0e1b, "Boolean", "item:HasAttachments"),
    (0x1000, "String", "item:TextBody"),
    (0x1042, "String", "item:InReplyTo"),
    (0x3001, "String", "item:Subject"),
    (0x3007, "SystemTime", "item:DateTimeCreated"),
    (0x3008, "SystemTime", "item:LastModifiedTime"),
];

/// Numbered properties of the sets `Appointment`, `Common` and `Meeting`, with the EWS path of each.
const NUMBERED: [(&str, i64, &str, &str); 11] = [
    ("Appointment", 0x8201, "Integer", "calendar:AppointmentSequenceNumber"),
    ("Appointment", 0x8205, "Integer", "calendar:LegacyFreeBusyStatus"),
    ("Appointment", 0x8208, "String", "calendar:Location"),
    ("Appointment", 0x820d, "SystemTime", "calendar:Start"),
    ("Appointment", 0x820e, "SystemTime", "calendar:End"),
    ("Appointment", 0x8215, "Boolean", "calendar:IsAllDayEvent"),
    ("Appointment", 0x8217, "Integer", "calendar:AppointmentState"),
    ("Appointment", 0x8218, "Integer", "calendar:MyResponseType"),
    ("Common", 0x8501, "Integer", "item:ReminderMinutesBeforeStart"),
    ("Common", 0x8503, "Boolean", "item:ReminderIsSet"),
    ("Meeting", 0x0023, "Binary", "calendar:UID"),
];

/// The EWS path of an alias.
pub(super) fn of(property: &ExtendedProperty) -> Option<&'static str> {
    if property.is_array {
        return None;
    }
    match &property.owner {
        PropertyName::Tag(tag) => {
            TAGS.iter().find(|(known, kind, _)| known == tag && *kind == property.kind).map(|alias| alias.2)
        }
        PropertyName::Numbered { set: _, id: 3 } if property.set() == Some("Meeting") => Some("calendar:UID"),
        PropertyName::Numbered { id, .. } => NUMBERED
            .iter()
            .find(|(set, known, kind, _)| {
                known == id && *kind == property.kind && property.set() == Some(set)
            })
            .map(|alias| alias.3),
        PropertyName::Named { .. } => None,
    }
}

/// Whether the server computes a property that has no EWS path.
pub(super) fn is_computed(property: &ExtendedProperty) -> bool {
    computed_by(property).is_some()
}

/// How the server computes a property that has no EWS path.
fn computed_by(property: &ExtendedProperty) -> Option<fn(&PropertyContext<'_>) -> PropertyValue> {
    match (&property.owner, property.kind) {
        // PidTagInternetArticleNumber: the row number.
        (PropertyName::Tag(0x0e23), "Integer") => {
            Some(|cx| PropertyValue::Number(i64::try_from(cx.view.item.number).unwrap_or(i64::MAX)))
        }
        // PidLidRecurring.
        (PropertyName::Numbered { id: 0x8223, .. }, "Boolean") if property.set() == Some("Appointment") => {
            Some(|cx| PropertyValue::Boolean(cx.view.event.series.is_some()))
        }
        (PropertyName::Named { name, .. }, "Integer")
            if name == INSTANCE_TYPE && property.set() == Some("PublicStrings") =>
        {
            Some(|cx| PropertyValue::Number(instance_type(cx.view.role)))
        }
        _ => None,
    }
}

/// The WebDAV name of a calendar item's type.
const INSTANCE_TYPE: &str = "urn:schemas:calendar:instancetype";

fn instance_type(kind: SeriesRole) -> i64 {
    match kind {
        SeriesRole::Single => 0,
        SeriesRole::Master => 1,
        SeriesRole::Occurrence => 2,
        SeriesRole::Exception => 3,
    }
}

/// The value of an extended property.
pub(super) fn value(cx: &PropertyContext<'_>, property: &ExtendedProperty) -> Option<PropertyValue> {
    match (of(property), computed_by(property)) {
        (Some(uri), _) => as_mapi(properties::of_field(cx, uri)?, property.kind),
        (None, Some(compute)) => Some(compute(cx)),
        (None, None) => stored(cx, property),
    }
}

/// The MAPI form of a value: the number of an enumeration, the bytes of a UID.
fn as_mapi(value: PropertyValue, kind: &str) -> Option<PropertyValue> {
    match (value, kind) {
        (PropertyValue::Enumeration(_, rank, _), "Integer") => Some(PropertyValue::Number(rank)),
        (PropertyValue::Text(text), "Binary") => Some(PropertyValue::Text(
            STANDARD.encode(ids::from_hex(&text).unwrap_or_else(|| text.into_bytes())),
        )),
        (PropertyValue::XmlWithText(_, text), "String") => Some(PropertyValue::Text(text)),
        (value, _) => Some(value),
    }
}

fn stored(cx: &PropertyContext<'_>, property: &ExtendedProperty) -> Option<PropertyValue> {
    let values = cx.view.details.extended.get(property)?;
    let mut values = values.iter().map(|value| typed(property.kind, value));
    match property.is_array {
        true => Some(PropertyValue::List(values.collect())),
        false => values.next(),
    }
}

/// Parses a value that [`ExtendedProperty::takes`].
fn typed(kind: &str, text: &str) -> PropertyValue {
    let number = || text.trim().parse().ok().map(PropertyValue::Number);
    let value = match kind {
        "Integer" | "Short" | "Long" | "Currency" => number(),
        "Double" | "Float" | "ApplicationTime" => text.trim().parse().ok().map(PropertyValue::Real),
        "Boolean" => boolean(text).map(PropertyValue::Boolean),
        "SystemTime" => instant(text).map(PropertyValue::Time),
        _ => None,
    };
    value.unwrap_or_else(|| PropertyValue::Text(text.to_owned()))
}
