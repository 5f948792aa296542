//! The properties that restrictions and sort orders may use, and the values they find. Writes no XML.

use super::properties::{PROPERTIES, of_field};
use super::property_context::PropertyContext;
use super::property_path::PropertyPath;
use super::property_value::PropertyValue;
use super::{aliases, message_shape};

/// Properties with a text or number that restrictions and sort orders may not use: Exchange computes them for a response
/// or stores another form.
const NOT_SEARCHABLE: [&str; 12] = [
    "item:Culture",
    "item:TextBody",
    "calendar:UID",
    "calendar:RecurrenceId",
    "calendar:IsResponseRequested",
    "calendar:Organizer",
    "calendar:ConflictingMeetingCount",
    "calendar:AdjacentMeetingCount",
    "calendar:TimeZone",
    "calendar:StartTimeZoneId",
    "calendar:EndTimeZoneId",
    "calendar:IsOrganizer",
];

/// Properties with child elements.
const STRUCTURES: [&str; 16] = [
    "item:ParentFolderId",
    "item:ResponseObjects",
    "item:EffectiveRights",
    "calendar:RequiredAttendees",
    "calendar:OptionalAttendees",
    "calendar:Resources",
    "calendar:Recurrence",
    "calendar:FirstOccurrence",
    "calendar:LastOccurrence",
    "calendar:ModifiedOccurrences",
    "calendar:DeletedOccurrences",
    "calendar:StartTimeZone",
    "calendar:EndTimeZone",
    "calendar:StartWallClock",
    "calendar:EndWallClock",
    "calendar:ConflictingMeetings",
];

/// Properties that restrictions may use and that never match.
const NEVER_MATCHING: [&str; 1] = ["item:ReminderDueBy"];

/// Whether restrictions and sort orders may use a property.
pub(super) fn is_searchable(path: &PropertyPath) -> bool {
    match path {
        PropertyPath::Extended(..) => true,
        PropertyPath::Indexed => false,
        PropertyPath::Field(uri) => {
            let has = |list: &[&str]| list.contains(&uri.as_str());
            let known = PROPERTIES.iter().any(|property| property.uri == uri) || message_shape::has(uri);
            known && !has(&NOT_SEARCHABLE) && !has(&STRUCTURES)
        }
    }
}

/// The value of a property for a restriction or sort order.
pub(super) fn value(cx: &PropertyContext<'_>, path: &PropertyPath) -> Option<PropertyValue> {
    match path {
        PropertyPath::Indexed => None,
        PropertyPath::Extended(property, _) => aliases::value(cx, property),
        PropertyPath::Field(uri) if NEVER_MATCHING.contains(&uri.as_str()) => None,
        PropertyPath::Field(uri) => of_field(cx, uri),
    }
}
