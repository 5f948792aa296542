//! What a request may set on an event, property by property. One table for `CreateItem` and `UpdateItem`.

use roxmltree::Node;

use crate::sim::event::{Attendee, Busy, Copy, Details, Importance, Person, Sensitivity};
use crate::sim::soap_in::{Refusal, elements, instant, t, t_text, text};
use crate::sim::soap_out::escape;

use super::shape::flag_of;

/// Properties that only a copy of one's own may have set: an attendee's copy follows the organizer's.
const ORGANIZER_ONLY: [&str; 3] = ["StartTimeZone", "EndTimeZone", "MeetingTimeZone"];

/// Sets one property element. What it is called in the table of changes comes back.
pub(super) fn set(
    details: &mut Details,
    copy: Copy,
    property: Node<'_, '_>,
) -> Result<&'static str, Refusal> {
    let name = property.tag_name().name();
    if ORGANIZER_ONLY.contains(&name) && copy == Copy::Attendee {
        return Err(refused(name));
    }
    let value = text(property);
    Ok(match name {
        "Subject" => {
            details.subject = value;
            "Subject"
        }
        "Body" => {
            details.body = value;
            "Body"
        }
        "Location" => {
            details.location = value;
            "Location"
        }
        "Start" => {
            details.start = time(property)?;
            "Start"
        }
        "End" => {
            details.end = time(property)?;
            "End"
        }
        "IsAllDayEvent" => {
            details.all_day = flag_of(property)?;
            "IsAllDayEvent"
        }
        "LegacyFreeBusyStatus" => {
            details.busy = word(property, Busy::from_word)?;
            "LegacyFreeBusyStatus"
        }
        "Sensitivity" => {
            details.sensitivity = word(property, Sensitivity::from_word)?;
            "Sensitivity"
        }
        "Importance" => {
            details.importance = word(property, Importance::from_word)?;
            "Importance"
        }
        "Categories" => {
            details.categories = elements(property).map(text).collect();
            "Categories"
        }
        "ReminderMinutesBeforeStart" => {
            details.reminder_minutes = value.trim().parse().ok();
            "Reminder"
        }
        "RequiredAttendees" => people(&mut details.required, property, copy)?,
        "OptionalAttendees" => people(&mut details.optional, property, copy)?,
        "Resources" => people(&mut details.resources, property, copy)?,
        // Taken and of no consequence here: everything is UTC, and UIDs and classes are the server's.
        "StartTimeZone"
        | "EndTimeZone"
        | "MeetingTimeZone"
        | "ReminderIsSet"
        | "IsResponseRequested"
        | "ItemClass"
        | "AllowNewTimeProposal"
        | "UID"
        | "Culture"
        | "Recurrence"
        | "IsOnlineMeeting"
        | "ConferenceType" => "Other",
        _ => return Err(refused(name)),
    })
}

/// Makes a property what it was before anybody set it.
pub(super) fn clear(details: &mut Details, copy: Copy, uri: &str) -> Result<&'static str, Refusal> {
    match uri {
        "item:Body" => details.body.clear(),
        "calendar:Location" => details.location.clear(),
        "item:Categories" => details.categories.clear(),
        "item:Subject" => details.subject.clear(),
        "calendar:RequiredAttendees" if copy != Copy::Attendee => details.required.clear(),
        "calendar:OptionalAttendees" if copy != Copy::Attendee => details.optional.clear(),
        "calendar:Resources" if copy != Copy::Attendee => details.resources.clear(),
        _ => return Err(refused(uri.split_once(':').map_or(uri, |(_, name)| name))),
    }
    Ok(match uri {
        "item:Body" => "Body",
        "calendar:Location" => "Location",
        "item:Categories" => "Categories",
        "item:Subject" => "Subject",
        _ => "Attendees",
    })
}

/// The times of an event must follow each other.
pub(super) fn check(details: &Details) -> Result<(), Refusal> {
    if details.end <= details.start {
        return Err(Refusal::new(
            "ErrorCalendarEndDateIsEarlierThanStartDate",
            "EndDate is earlier than StartDate",
        ));
    }
    Ok(())
}

fn time(property: Node<'_, '_>) -> Result<chrono::DateTime<chrono::Utc>, Refusal> {
    instant(&text(property)).ok_or_else(|| Refusal::schema(property, "The value is no date."))
}

fn word<T>(property: Node<'_, '_>, read: fn(&str) -> Option<T>) -> Result<T, Refusal> {
    read(text(property).trim())
        .ok_or_else(|| Refusal::schema(property, "The value is none of the enumeration."))
}

fn people(list: &mut Vec<Attendee>, property: Node<'_, '_>, copy: Copy) -> Result<&'static str, Refusal> {
    if copy == Copy::Attendee {
        return Err(refused(property.tag_name().name()));
    }
    let mut new = Vec::new();
    for attendee in elements(property) {
        let mailbox =
            t(attendee, "Mailbox").ok_or_else(|| Refusal::schema(attendee, "Mailbox is missing."))?;
        let address = t_text(mailbox, "EmailAddress").filter(|address| address.contains('@'));
        let address =
            address.ok_or_else(|| Refusal::new("ErrorInvalidRecipients", "A recipient has no address."))?;
        let name = t_text(mailbox, "Name").unwrap_or_else(|| address.clone());
        let known = list.iter().find(|known| known.person.address.eq_ignore_ascii_case(&address));
        new.push(known.cloned().unwrap_or_else(|| Attendee::invited(Person::new(name, address))));
    }
    *list = new;
    Ok("Attendees")
}

fn refused(name: &str) -> Refusal {
    let family = match name {
        "Subject" | "Body" | "Categories" | "Sensitivity" | "Importance" | "DateTimeCreated" => "item",
        _ => "calendar",
    };
    Refusal::new("ErrorInvalidPropertySet", "Set action is invalid for property.")
        .with_xml(format!(r#"<t:FieldURI FieldURI="{family}:{}"/>"#, escape(name)))
}
