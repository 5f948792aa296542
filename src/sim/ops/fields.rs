//! The settable properties of an event, for `CreateItem` and `UpdateItem`. Rejects every property it does not list.

use roxmltree::Node;

use super::draft::{EventDraft, RecurrenceChange};
use super::{aliases, property_path, recurrence};
use crate::sim::details::{Attendee, Details, FreeBusyType, Importance, Person, Sensitivity};
use crate::sim::event::Copy;
use crate::sim::ews_error::EwsError;
use crate::sim::extended::ExtendedProperty;
use crate::sim::soap_request::{boolean, elements, instant, t, t_text, text};
use crate::sim::soap_response::instant as written;
use crate::sim::xml::escape;
use crate::sim::zones;

/// Limit of characters kept of a subject.
const SUBJECT_MAX: usize = 255;
/// Limit of minutes before the start for a reminder: two years.
const REMINDER_MAX: u32 = 1_051_200;

/// Properties that cannot be set on an attendee's copy, which follows the organizer's.
const ORGANIZER_ONLY: [&str; 7] = [
    "StartTimeZone",
    "EndTimeZone",
    "MeetingTimeZone",
    "RequiredAttendees",
    "OptionalAttendees",
    "Resources",
    "Recurrence",
];

/// The type of an element's text.
#[derive(Clone, Copy)]
enum FieldContent {
    Text,
    Flag,
    /// A number up to and including this.
    Number(u32),
    Time,
}

/// Properties that the simulator stores and otherwise ignores.
const OTHERS: [(&str, &str, FieldContent); 12] = [
    ("InReplyTo", "item", FieldContent::Text),
    ("ReminderDueBy", "item", FieldContent::Time),
    ("ReminderNextTime", "item", FieldContent::Time),
    ("Culture", "item", FieldContent::Text),
    ("DateTimeStamp", "calendar", FieldContent::Time),
    ("When", "calendar", FieldContent::Text),
    ("IsResponseRequested", "calendar", FieldContent::Flag),
    ("ConferenceType", "calendar", FieldContent::Number(2)),
    ("AllowNewTimeProposal", "calendar", FieldContent::Flag),
    ("IsOnlineMeeting", "calendar", FieldContent::Flag),
    ("MeetingWorkspaceUrl", "calendar", FieldContent::Text),
    ("NetShowUrl", "calendar", FieldContent::Text),
];

/// Sets one property element. Returns its name in the version table.
pub(super) fn set(draft: &mut EventDraft, property: Node<'_, '_>) -> Result<String, EwsError> {
    let name = property.tag_name().name();
    if ORGANIZER_ONLY.contains(&name) && draft.copy == Copy::Attendee {
        return Err(invalid_set(name));
    }
    let value = text(property);
    match name {
        "Body" => {
            draft.details.is_html = property.attribute("BodyType") == Some("HTML");
            draft.details.body = value;
        }
        "Start" | "End" => {
            let at = draft.instant(&value).ok_or_else(|| invalid_value(property, "date"))?;
            return set_text(draft, name, &written(at), property);
        }
        "Categories" => draft.details.categories = elements(property).map(text).collect(),
        "RequiredAttendees" => people(&mut draft.details.required, property)?,
        "OptionalAttendees" => people(&mut draft.details.optional, property)?,
        "Resources" => people(&mut draft.details.resources, property)?,
        "StartTimeZone" | "EndTimeZone" | "MeetingTimeZone" => zone(draft, property)?,
        "EnhancedLocation" => draft.details.location = t_text(property, "DisplayName").unwrap_or_default(),
        "Recurrence" if draft.is_date => return Err(invalid_set(name)),
        "Recurrence" => {
            let (series, from) = recurrence::read(property)?;
            draft.recurrence = RecurrenceChange::Replace(Box::new(series), from);
        }
        "ExtendedProperty" => return extended(draft, property),
        _ => return set_text(draft, name, &value, property),
    }
    Ok(touched(name))
}

/// Sets a property with a text-only element. `source` is the position for schema errors.
fn set_text(
    draft: &mut EventDraft,
    name: &str,
    value: &str,
    source: Node<'_, '_>,
) -> Result<String, EwsError> {
    let flag = || boolean(value).ok_or_else(|| invalid_value(source, "boolean"));
    let time = || instant(value).ok_or_else(|| invalid_value(source, "date"));
    let details = &mut draft.details;
    match name {
        "Subject" => details.subject = value.chars().take(SUBJECT_MAX).collect(),
        "Location" => value.clone_into(&mut details.location),
        "TextBody" => {
            value.clone_into(&mut details.body);
            details.is_html = false;
        }
        "Start" => {
            details.start = time()?;
            draft.times_changed = true;
        }
        "End" => {
            details.end = time()?;
            draft.times_changed = true;
        }
        "IsAllDayEvent" => {
            details.all_day = flag()?;
            draft.times_changed = true;
        }
        "LegacyFreeBusyStatus" => details.busy = word(source, value, FreeBusyType::from_wire_name)?,
        "Sensitivity" => details.sensitivity = word(source, value, Sensitivity::from_wire_name)?,
        "Importance" => details.importance = word(source, value, Importance::from_wire_name)?,
        "ItemClass" => class(details, value)?,
        "ReminderIsSet" => remind(details, Some(flag()?), None),
        "ReminderMinutesBeforeStart" => {
            let minutes = value.trim().parse().ok().filter(|minutes| *minutes <= REMINDER_MAX);
            remind(details, None, Some(minutes.ok_or_else(|| invalid_value(source, "number of minutes"))?));
        }
        "UID" if draft.is_date || draft.copy == Copy::Attendee => return Err(invalid_set(name)),
        "UID" => draft.uid = Some(value.to_owned()),
        _ => other(details, name, value, source)?,
    }
    Ok(touched(name))
}

fn other(details: &mut Details, name: &str, value: &str, source: Node<'_, '_>) -> Result<(), EwsError> {
    let (name, _, content) =
        *OTHERS.iter().find(|(known, ..)| *known == name).ok_or_else(|| invalid_set(name))?;
    let value = match content {
        FieldContent::Text => Some(value.to_owned()),
        FieldContent::Flag => boolean(value).map(|yes| yes.to_string()),
        FieldContent::Number(max) => {
            value.trim().parse::<u32>().ok().filter(|number| *number <= max).map(|number| number.to_string())
        }
        FieldContent::Time => instant(value).map(written),
    };
    details
        .other_properties
        .insert(name, value.ok_or_else(|| invalid_value(source, "value of the property"))?);
    Ok(())
}

/// A property's name in the version table: all attendee lists share one name, as do both reminder properties.
fn touched(name: &str) -> String {
    match name {
        "RequiredAttendees" | "OptionalAttendees" | "Resources" => "Attendees".to_owned(),
        "ReminderMinutesBeforeStart" | "ReminderIsSet" => "Reminder".to_owned(),
        "TextBody" => "Body".to_owned(),
        "EnhancedLocation" => "Location".to_owned(),
        name => name.to_owned(),
    }
}

/// Only classes of calendar items are valid; an item's type cannot change.
fn class(details: &mut Details, value: &str) -> Result<(), EwsError> {
    let class = value.trim();
    if class != "IPM.Appointment" && !class.starts_with("IPM.Appointment.") {
        return Err(EwsError::new("ErrorObjectTypeChanged", "The item class does not match the item type."));
    }
    details.other_properties.insert("ItemClass", class.to_owned());
    Ok(())
}

/// A disabled reminder keeps its minutes; setting the minutes enables a reminder that was not disabled explicitly.
fn remind(details: &mut Details, is_set: Option<bool>, minutes: Option<u32>) {
    if let Some(is_set) = is_set {
        details.other_properties.insert("ReminderIsSet", is_set.to_string());
    }
    let known =
        details.other_properties.get("ReminderMinutesBeforeStart").and_then(|minutes| minutes.parse().ok());
    let minutes = minutes.or(details.reminder_minutes).or(known).unwrap_or(15);
    details.other_properties.insert("ReminderMinutesBeforeStart", minutes.to_string());
    let is_off = details.other_properties.get("ReminderIsSet").is_some_and(|stored| stored == "false");
    details.reminder_minutes = (!is_off).then_some(minutes);
}

fn zone(draft: &mut EventDraft, property: Node<'_, '_>) -> Result<(), EwsError> {
    let id = property.attribute("Id").or_else(|| property.attribute("TimeZoneName")).unwrap_or_default();
    let zone = zones::find(id)
        .ok_or_else(|| EwsError::new("ErrorCalendarInvalidTimeZone", "The time zone is unknown."))?;
    let names: &[&'static str] = match property.tag_name().name() {
        "StartTimeZone" => &["StartTimeZone"],
        "EndTimeZone" => &["EndTimeZone"],
        _ => &["StartTimeZone", "EndTimeZone"],
    };
    for name in names {
        draft.details.other_properties.insert(name, zone.id.to_owned());
    }
    draft.times_changed = true;
    Ok(())
}

fn extended(draft: &mut EventDraft, element: Node<'_, '_>) -> Result<String, EwsError> {
    let field = t(element, "ExtendedFieldURI")
        .ok_or_else(|| EwsError::schema_violation(element, "ExtendedFieldURI is missing."))?;
    let (property, _) = property_path::extended(field)?;
    let single = t(element, "Value").map(|value| vec![text(value)]);
    let many = t(element, "Values").map(|values| elements(values).map(text).collect::<Vec<_>>());
    let values = if property.is_array { many } else { single };
    let values =
        values.filter(|values| values.iter().all(|value| property.takes(value))).ok_or_else(|| {
            EwsError::new(
                "ErrorInvalidExtendedPropertyValue",
                "The value does not match the extended property's type.",
            )
        })?;
    match (aliases::of(&property), values.first()) {
        (Some(uri), Some(value)) => alias(draft, uri, value, element),
        _ if aliases::is_computed(&property) => Err(invalid_set("ExtendedProperty")),
        _ => {
            let touched = touched_extended(&property);
            draft.details.extended.insert(property, values);
            Ok(touched)
        }
    }
}

/// Sets the property behind an alias. MAPI uses numbers where EWS uses names.
fn alias(draft: &mut EventDraft, uri: &str, value: &str, source: Node<'_, '_>) -> Result<String, EwsError> {
    let name = uri.split_once(':').map_or(uri, |(_, name)| name);
    let words: &[&str] = match name {
        "Importance" => &["Low", "Normal", "High"],
        "Sensitivity" => &["Normal", "Personal", "Private", "Confidential"],
        "LegacyFreeBusyStatus" => &["Free", "Tentative", "Busy", "OOF", "WorkingElsewhere"],
        "UID" | "AppointmentSequenceNumber" | "AppointmentState" | "MyResponseType" => {
            return Err(invalid_set(name));
        }
        _ => return set_text(draft, name, value, source),
    };
    let word = value.trim().parse::<usize>().ok().and_then(|number| words.get(number));
    let word = word.ok_or_else(|| invalid_value(source, "number of the enumeration"))?;
    set_text(draft, name, word, source)
}

fn touched_extended(property: &ExtendedProperty) -> String {
    format!("{:?}", property.owner)
}

/// Resets a property to its default.
pub(super) fn clear(draft: &mut EventDraft, field: Node<'_, '_>) -> Result<String, EwsError> {
    match property_path::read(field)? {
        property_path::PropertyPath::Field(uri) => clear_field(draft, &uri),
        property_path::PropertyPath::Extended(property, _) => {
            if let Some(uri) = aliases::of(&property) {
                return clear_field(draft, uri);
            }
            draft.details.extended.remove(&property);
            Ok(touched_extended(&property))
        }
        property_path::PropertyPath::Indexed => Err(invalid_delete("")),
    }
}

fn clear_field(draft: &mut EventDraft, uri: &str) -> Result<String, EwsError> {
    let name = uri.split_once(':').map_or(uri, |(_, name)| name);
    if ORGANIZER_ONLY.contains(&name) && draft.copy == Copy::Attendee {
        return Err(invalid_set(name));
    }
    let details = &mut draft.details;
    match uri {
        "item:Subject" => details.subject.clear(),
        "item:Body" | "item:TextBody" => {
            details.body.clear();
            details.is_html = false;
        }
        "item:Categories" => details.categories.clear(),
        "item:Sensitivity" => details.sensitivity = Sensitivity::Normal,
        "item:Importance" => details.importance = Importance::Normal,
        "item:ReminderIsSet" => remind(details, Some(false), None),
        "item:ReminderMinutesBeforeStart" => remind(details, None, Some(15)),
        "calendar:Location" | "calendar:EnhancedLocation" => details.location.clear(),
        "calendar:LegacyFreeBusyStatus" => details.busy = FreeBusyType::Busy,
        "calendar:RequiredAttendees" => details.required.clear(),
        "calendar:OptionalAttendees" => details.optional.clear(),
        "calendar:Resources" => details.resources.clear(),
        "calendar:Recurrence" if !draft.is_date => draft.recurrence = RecurrenceChange::Remove,
        "calendar:StartTimeZone" | "calendar:EndTimeZone" | "calendar:MeetingTimeZone" => {
            return Err(invalid_delete(uri));
        }
        _ => {
            let known = OTHERS.iter().find(|(known, family, _)| uri == format!("{family}:{known}"));
            let (known, ..) = known.ok_or_else(|| invalid_delete(uri))?;
            details.other_properties.remove(known);
        }
    }
    Ok(touched(name))
}

/// Appends to a property: to a body or a list, the only properties that can grow.
pub(super) fn append(draft: &mut EventDraft, property: Node<'_, '_>) -> Result<String, EwsError> {
    let details = &mut draft.details;
    let name = property.tag_name().name();
    match (name, draft.copy) {
        ("Body", _) => details.body += &text(property),
        ("Categories", _) => details.categories.extend(elements(property).map(text)),
        ("RequiredAttendees", Copy::Plain | Copy::Organizer) => add_people(&mut details.required, property)?,
        ("OptionalAttendees", Copy::Plain | Copy::Organizer) => add_people(&mut details.optional, property)?,
        ("Resources", Copy::Plain | Copy::Organizer) => add_people(&mut details.resources, property)?,
        _ => {
            return Err(EwsError::new(
                "ErrorInvalidPropertyAppend",
                "Append action is invalid for property.",
            ));
        }
    }
    Ok(touched(name))
}

fn add_people(list: &mut Vec<Attendee>, property: Node<'_, '_>) -> Result<(), EwsError> {
    let mut more = list.clone();
    people(&mut more, property)?;
    let same =
        |one: &Attendee, other: &Attendee| one.person.address.eq_ignore_ascii_case(&other.person.address);
    more.retain(|new| !list.iter().any(|known| same(known, new)));
    list.extend(more);
    Ok(())
}

fn invalid_value(source: Node<'_, '_>, what: &str) -> EwsError {
    EwsError::schema_violation(source, &format!("The value is not a valid {what}."))
}

fn word<T>(source: Node<'_, '_>, value: &str, read: fn(&str) -> Option<T>) -> Result<T, EwsError> {
    read(value.trim())
        .ok_or_else(|| EwsError::schema_violation(source, "The value is not in the enumeration."))
}

fn people(list: &mut Vec<Attendee>, property: Node<'_, '_>) -> Result<(), EwsError> {
    let mut new = Vec::new();
    for attendee in elements(property) {
        let mailbox = t(attendee, "Mailbox")
            .ok_or_else(|| EwsError::schema_violation(attendee, "Mailbox is missing."))?;
        let address = t_text(mailbox, "EmailAddress").filter(|address| address.contains('@'));
        let address =
            address.ok_or_else(|| EwsError::new("ErrorInvalidRecipients", "A recipient has no address."))?;
        let name = t_text(mailbox, "Name").unwrap_or_else(|| address.clone());
        let known = list.iter().find(|known| known.person.address.eq_ignore_ascii_case(&address));
        new.push(known.cloned().unwrap_or_else(|| Attendee::invited(Person::new(name, address))));
    }
    *list = new;
    Ok(())
}

fn family(name: &str) -> &'static str {
    const ITEM: [&str; 14] = [
        "Subject",
        "Body",
        "Categories",
        "Sensitivity",
        "Importance",
        "DateTimeCreated",
        "Attachments",
        "MimeContent",
        "Size",
        "IsDraft",
        "HasAttachments",
        "LastModifiedTime",
        "EffectiveRights",
        "Flag",
    ];
    if ITEM.contains(&name) { "item" } else { "calendar" }
}

fn invalid_set(name: &str) -> EwsError {
    EwsError::new("ErrorInvalidPropertySet", "Set action is invalid for property.").with_xml(format!(
        r#"<t:FieldURI FieldURI="{}:{}"/>"#,
        family(name),
        escape(name)
    ))
}

fn invalid_delete(uri: &str) -> EwsError {
    EwsError::new("ErrorInvalidPropertyDelete", "Delete action is invalid for property.")
        .with_xml(format!(r#"<t:FieldURI FieldURI="{}"/>"#, escape(uri)))
}
