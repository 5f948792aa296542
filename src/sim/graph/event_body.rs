//! The JSON of an event in a request: sets the properties of a draft. Rejects names that v1.0 does not have, and
//! ignores properties that the simulator does not model.

use serde_json::{Map, Value};

use super::error::GraphError;
use super::event_properties::{EVENT, NAVIGATION};
use super::{recurrence, times};
use crate::sim::details::{Attendee, Details, FreeBusyType, Importance, Person, Sensitivity};
use crate::sim::event::Copy;
use crate::sim::ops::{EventDraft, RecurrenceChange};

/// Limit of characters kept of a subject.
const SUBJECT_MAX: usize = 255;
/// Limit of attendees of an event.
const ATTENDEES_MAX: usize = 500;
/// Default minutes before the start for a reminder.
const REMINDER: u32 = 15;
/// Limit of minutes before the start for a reminder: two years.
const REMINDER_MAX: u64 = 1_051_200;

/// Sets the properties of a body. Returns the changed ones by their EWS names.
pub(super) fn apply(
    draft: &mut EventDraft,
    body: &Map<String, Value>,
) -> Result<Vec<&'static str>, GraphError> {
    check_names(body)?;
    let mut touched = Vec::new();
    if let Some(all_day) = flag(body, "isAllDay")? {
        draft.details.all_day = all_day;
        draft.times_changed = true;
        touched.push("IsAllDayEvent");
    }
    for (name, value) in body.iter().filter(|(_, value)| !value.is_null()) {
        touched.extend(set(draft, name, value)?);
    }
    touched.extend(set_reminder(&mut draft.details, body)?);
    Ok(touched)
}

fn check_names(body: &Map<String, Value>) -> Result<(), GraphError> {
    let is_known =
        |name: &str| name.contains("@odata.") || EVENT.contains(&name) || NAVIGATION.contains(&name);
    let unknown = body.keys().find(|name| !is_known(name));
    unknown.map_or(Ok(()), |name| {
        Err(GraphError::bad_request(
            "RequestBodyRead",
            format!(
                "The property '{name}' does not exist on type 'microsoft.graph.event'. Make sure to only use \
                     property names that are defined by the type."
            ),
        ))
    })
}

fn set(draft: &mut EventDraft, name: &str, value: &Value) -> Result<Option<&'static str>, GraphError> {
    let details = &mut draft.details;
    Ok(Some(match name {
        "subject" => {
            details.subject = text(name, value)?.chars().take(SUBJECT_MAX).collect();
            "Subject"
        }
        "body" => {
            details.body = text("body/content", value.get("content").unwrap_or(&Value::Null))?.to_owned();
            details.is_html = value.get("contentType").is_some_and(|kind| kind == "html");
            "Body"
        }
        "location" => {
            details.location = location(value)?;
            "Location"
        }
        "start" | "end" => return set_time(draft, name, value).map(Some),
        "showAs" => {
            details.busy = word(name, value, free_busy)?;
            "LegacyFreeBusyStatus"
        }
        "sensitivity" => {
            details.sensitivity = word(name, value, sensitivity)?;
            "Sensitivity"
        }
        "importance" => {
            details.importance = word(name, value, importance)?;
            "Importance"
        }
        "categories" => {
            details.categories = texts(name, value)?;
            "Categories"
        }
        "attendees" => {
            refuse_for_attendee(draft, name)?;
            set_attendees(&mut draft.details, value)?;
            "Attendees"
        }
        "recurrence" => {
            refuse_for_attendee(draft, name)?;
            let (series, from) = recurrence::read(value)?;
            draft.recurrence = RecurrenceChange::Replace(Box::new(series), from);
            "Recurrence"
        }
        _ => return Ok(None),
    }))
}

/// An attendee's copy follows its organizer; an occurrence follows its series.
fn refuse_for_attendee(draft: &EventDraft, name: &str) -> Result<(), GraphError> {
    match draft.copy == Copy::Attendee || (draft.is_date && name == "recurrence") {
        true => Err(invalid(name, "it cannot be changed in this event")),
        false => Ok(()),
    }
}

fn set_time(draft: &mut EventDraft, name: &str, value: &Value) -> Result<&'static str, GraphError> {
    let (local, zone) = times::read_date_time(name, value)?;
    let details = &mut draft.details;
    if details.all_day && local.time() != chrono::NaiveTime::MIN {
        let text = "The Event.Start and Event.End properties of an all-day event need to be set to midnight.";
        return Err(GraphError::bad_request("ErrorPropertyValidationFailure", text));
    }
    let is_start = name == "start";
    if details.all_day {
        let property = if is_start { "StartTimeZone" } else { "EndTimeZone" };
        details.other_properties.insert(property, zone.id.to_owned());
    }
    let at = zone.instant(local);
    if is_start {
        details.start = at
    } else {
        details.end = at
    }
    draft.times_changed = true;
    Ok(if is_start { "Start" } else { "End" })
}

fn set_reminder(
    details: &mut Details,
    body: &Map<String, Value>,
) -> Result<Option<&'static str>, GraphError> {
    let name = "reminderMinutesBeforeStart";
    let minutes = match body.get(name) {
        None | Some(Value::Null) => None,
        Some(value) => {
            let minutes = value.as_u64().filter(|minutes| *minutes <= REMINDER_MAX);
            let minutes = minutes.and_then(|minutes| u32::try_from(minutes).ok());
            Some(minutes.ok_or_else(|| invalid(name, "it is not a number of minutes"))?)
        }
    };
    let is_on = flag(body, "isReminderOn")?;
    if minutes.is_none() && is_on.is_none() {
        return Ok(None);
    }
    let is_on = is_on.unwrap_or(true);
    details.reminder_minutes = is_on.then(|| minutes.or(details.reminder_minutes).unwrap_or(REMINDER));
    Ok(Some("Reminder"))
}

/// Replaces the attendees; those who stay keep their responses.
fn set_attendees(details: &mut Details, value: &Value) -> Result<(), GraphError> {
    let listed = value.as_array().ok_or_else(|| invalid("attendees", "it is not a collection"))?;
    if listed.len() > ATTENDEES_MAX {
        return Err(GraphError::bad_request(
            "ErrorExceededMaxRecipientLimit",
            "There are too many attendees.",
        ));
    }
    let before: Vec<Attendee> = details.attendees().cloned().collect();
    let (mut required, mut optional, mut resources) = (Vec::new(), Vec::new(), Vec::new());
    for one in listed {
        let attendee = attendee(one, &before)?;
        match one.get("type").map_or(Some("required"), Value::as_str) {
            Some("required") => required.push(attendee),
            Some("optional") => optional.push(attendee),
            Some("resource") => resources.push(attendee),
            _ => return Err(invalid("attendees/type", "it is not an attendee type")),
        }
    }
    (details.required, details.optional, details.resources) = (required, optional, resources);
    Ok(())
}

fn attendee(value: &Value, before: &[Attendee]) -> Result<Attendee, GraphError> {
    let part = |name: &str| value.get("emailAddress").and_then(|address| address.get(name)?.as_str());
    let address = part("address").filter(|address| address.contains('@'));
    let address = address.ok_or_else(|| invalid("attendees/emailAddress/address", "it is not an address"))?;
    let known = before.iter().find(|one| one.person.address.eq_ignore_ascii_case(address));
    let invited = || Attendee::invited(Person::new(part("name").unwrap_or(address), address));
    Ok(known.cloned().unwrap_or_else(invited))
}

fn location(value: &Value) -> Result<String, GraphError> {
    let name = value.get("displayName").unwrap_or(&Value::Null);
    if name.is_null() { Ok(String::new()) } else { text("location/displayName", name).map(str::to_owned) }
}

fn text<'v>(name: &str, value: &'v Value) -> Result<&'v str, GraphError> {
    value.as_str().ok_or_else(|| invalid(name, "it is not a string"))
}

fn texts(name: &str, value: &Value) -> Result<Vec<String>, GraphError> {
    let all = value.as_array().ok_or_else(|| invalid(name, "it is not a collection"))?;
    all.iter().map(|one| text(name, one).map(str::to_owned)).collect()
}

fn flag(body: &Map<String, Value>, name: &str) -> Result<Option<bool>, GraphError> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value.as_bool().map(Some).ok_or_else(|| invalid(name, "it is not a Boolean")),
    }
}

fn word<T>(name: &str, value: &Value, read: impl Fn(&str) -> Option<T>) -> Result<T, GraphError> {
    read(text(name, value)?).ok_or_else(|| invalid(name, "it is not a member of its enumeration"))
}

fn invalid(name: &str, why: &str) -> GraphError {
    GraphError::bad_request(
        "RequestBodyRead",
        format!("The value of the property '{name}' is invalid: {why}."),
    )
}

fn free_busy(word: &str) -> Option<FreeBusyType> {
    Some(match word {
        "free" => FreeBusyType::Free,
        "tentative" => FreeBusyType::Tentative,
        "busy" => FreeBusyType::Busy,
        "oof" => FreeBusyType::Away,
        "workingElsewhere" => FreeBusyType::Elsewhere,
        "unknown" => FreeBusyType::NoData,
        _ => return None,
    })
}

fn sensitivity(word: &str) -> Option<Sensitivity> {
    Some(match word {
        "normal" => Sensitivity::Normal,
        "personal" => Sensitivity::Personal,
        "private" => Sensitivity::Private,
        "confidential" => Sensitivity::Confidential,
        _ => return None,
    })
}

fn importance(word: &str) -> Option<Importance> {
    Some(match word {
        "low" => Importance::Low,
        "normal" => Importance::Normal,
        "high" => Importance::High,
        _ => return None,
    })
}
