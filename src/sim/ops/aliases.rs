//! Extended properties as values, and those that are other names of ordinary ones: what MAPI calls the start of an appointment
//! is its start. An alias is read through the property that it stands for, and set through it too.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::properties::{self, Look};
use super::value::Value;
use crate::sim::extended::{Extended, Owner};
use crate::sim::ids;
use crate::sim::soap_in::{boolean, instant};
use crate::sim::views::Kind;

/// Tags of MAPI properties, and the paths of what they are.
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

/// Numbered properties of the sets for appointments and for everything.
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

/// The path of what a property is another name of.
pub(super) fn of(property: &Extended) -> Option<&'static str> {
    if property.is_array {
        return None;
    }
    match &property.owner {
        Owner::Tag(tag) => {
            TAGS.iter().find(|(known, kind, _)| known == tag && *kind == property.kind).map(|alias| alias.2)
        }
        Owner::Numbered { set: _, id: 3 } if property.set() == Some("Meeting") => Some("calendar:UID"),
        Owner::Numbered { id, .. } => NUMBERED
            .iter()
            .find(|(set, known, kind, _)| {
                known == id && *kind == property.kind && property.set() == Some(set)
            })
            .map(|alias| alias.3),
        Owner::Named { .. } => None,
    }
}

/// Whether the server alone says what a property is, though it is another name of none.
pub(super) fn is_computed(property: &Extended) -> bool {
    computed_by(property).is_some()
}

/// How the server knows a property that is another name of none.
fn computed_by(property: &Extended) -> Option<fn(&Look<'_>) -> Value> {
    match (&property.owner, property.kind) {
        // PidTagInternetArticleNumber: counts the rows.
        (Owner::Tag(0x0e23), "Integer") => {
            Some(|look| Value::Number(i64::try_from(look.view.item.number).unwrap_or(i64::MAX)))
        }
        // PidLidRecurring.
        (Owner::Numbered { id: 0x8223, .. }, "Boolean") if property.set() == Some("Appointment") => {
            Some(|look| Value::Flag(look.view.event.series.is_some()))
        }
        (Owner::Named { name, .. }, "Integer")
            if name == INSTANCE_TYPE && property.set() == Some("PublicStrings") =>
        {
            Some(|look| Value::Number(instance_type(look.view.kind)))
        }
        _ => None,
    }
}

/// How WebDAV called the type of a calendar item.
const INSTANCE_TYPE: &str = "urn:schemas:calendar:instancetype";

fn instance_type(kind: Kind) -> i64 {
    match kind {
        Kind::Single => 0,
        Kind::Master => 1,
        Kind::Occurrence => 2,
        Kind::Exception => 3,
    }
}

/// The value of an extended property.
pub(super) fn value(look: &Look<'_>, property: &Extended) -> Option<Value> {
    match (of(property), computed_by(property)) {
        (Some(uri), _) => as_mapi(properties::of_field(look, uri)?, property.kind),
        (None, Some(compute)) => Some(compute(look)),
        (None, None) => stored(look, property),
    }
}

/// What MAPI stores of a value: of a word its number, of a UID the bytes that it spells.
fn as_mapi(value: Value, kind: &str) -> Option<Value> {
    match (value, kind) {
        (Value::Word(_, rank, _), "Integer") => Some(Value::Number(rank)),
        (Value::Text(text), "Binary") => {
            Some(Value::Text(STANDARD.encode(ids::from_hex(&text).unwrap_or_else(|| text.into_bytes()))))
        }
        (Value::Shown(_, text), "String") => Some(Value::Text(text)),
        (value, _) => Some(value),
    }
}

fn stored(look: &Look<'_>, property: &Extended) -> Option<Value> {
    let values = look.view.details.extended.get(property)?;
    let mut values = values.iter().map(|value| typed(property.kind, value));
    match property.is_array {
        true => Some(Value::List(values.collect())),
        false => values.next(),
    }
}

/// A value that [`Extended::takes`], as what it is.
fn typed(kind: &str, text: &str) -> Value {
    let number = || text.trim().parse().ok().map(Value::Number);
    let value = match kind {
        "Integer" | "Short" | "Long" | "Currency" => number(),
        "Double" | "Float" | "ApplicationTime" => text.trim().parse().ok().map(Value::Real),
        "Boolean" => boolean(text).map(Value::Flag),
        "SystemTime" => instant(text).map(Value::Time),
        _ => None,
    };
    value.unwrap_or_else(|| Value::Text(text.to_owned()))
}
