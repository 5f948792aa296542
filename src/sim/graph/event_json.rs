//! The JSON of an event. Reads an [`EventInstance`] and changes nothing.

use serde_json::{Map, Value, json};

use super::ical_uid::ical_uid;
use super::ids::IdFormat;
use super::json_object::object;
use super::preferences::Preferences;
use super::{recurrence, times};
use crate::sim::details::{
    Attendee, Details, FreeBusyType, Importance, InvitationResponse, Person, Sensitivity,
};
use crate::sim::event::Copy;
use crate::sim::ids::ItemLocator;
use crate::sim::views::{EventInstance, SeriesRole};

/// Limit of characters of `bodyPreview`.
const PREVIEW_MAX: usize = 255;
/// The time of a response that was not given.
const NEVER: &str = "0001-01-01T00:00:00Z";

/// The value of `@odata.etag` for a change key.
pub(super) fn etag(change_key: &str) -> String {
    format!("W/\"{change_key}\"")
}

/// The id of an event.
pub(super) fn event_id(view: &EventInstance<'_>, format: IdFormat) -> String {
    format.encode(view.at(), view.item)
}

/// All properties of an event.
pub(super) fn event(
    view: &EventInstance<'_>,
    format: IdFormat,
    preferences: &Preferences,
) -> Map<String, Value> {
    let mut event = identity(view, format);
    event.append(&mut state(view));
    event.append(&mut content(view, preferences));
    event.append(&mut people(view));
    if let Some(start) = view.original_start {
        event.insert("originalStart".to_owned(), json!(start.format("%Y-%m-%dT%H:%M:%SZ").to_string()));
    }
    event
}

fn identity(view: &EventInstance<'_>, format: IdFormat) -> Map<String, Value> {
    let master = ItemLocator { occurrence: None, ..view.at() };
    let master = view.original_start.map(|_| format.encode(master, view.item));
    let (id, key) = (event_id(view, format), view.change_key());
    let link = format!("https://outlook.office365.com/owa/?itemid={id}&exvsurl=1&path=/calendar/item");
    object(json!({
        "@odata.etag": etag(&key),
        "id": id,
        "createdDateTime": times::offset_time(view.item.created),
        "lastModifiedDateTime": times::offset_time(view.item.modified),
        "changeKey": key,
        "transactionId": view.item.transaction_id,
        "iCalUId": ical_uid(view),
        "seriesMasterId": master,
        "webLink": link,
    }))
}

fn state(view: &EventInstance<'_>) -> Map<String, Value> {
    let details = view.details;
    let is_organizer = view.event.copy != Copy::Attendee;
    object(json!({
        "type": type_name(view.role),
        "originalStartTimeZone": view.event.start_zone(details).id,
        "originalEndTimeZone": view.event.end_zone(details).id,
        "isAllDay": details.all_day,
        "isCancelled": details.cancelled,
        "isOrganizer": is_organizer,
        "isDraft": view.event.copy == Copy::Organizer && !view.event.sent,
        "responseRequested": true,
        "allowNewTimeProposals": true,
        "hideAttendees": false,
        "hasAttachments": false,
        "isOnlineMeeting": false,
        "onlineMeetingProvider": "unknown",
        "onlineMeeting": null,
        "onlineMeetingUrl": null,
        "isReminderOn": details.reminder_minutes.is_some(),
        "reminderMinutesBeforeStart": details.reminder_minutes.unwrap_or(15),
        "importance": importance(details.importance),
        "sensitivity": sensitivity(details.sensitivity),
        "showAs": show_as(details.busy),
        "responseStatus": own_response(details, is_organizer),
    }))
}

fn content(view: &EventInstance<'_>, preferences: &Preferences) -> Map<String, Value> {
    let details = view.details;
    let (start, end) = times::start_and_end(view, preferences.zone);
    let recurrence = view.event.series.as_ref().filter(|_| view.role == SeriesRole::Master);
    let locations = if details.location.is_empty() { Vec::new() } else { vec![location(&details.location)] };
    object(json!({
        "subject": details.subject,
        "body": body(details, preferences.text_bodies),
        "bodyPreview": details.body.chars().take(PREVIEW_MAX).collect::<String>(),
        "start": start,
        "end": end,
        "categories": details.categories,
        "location": location(&details.location),
        "locations": locations,
        "recurrence": recurrence.map(|series| recurrence::write(series, view.event.details.start)),
    }))
}

fn people(view: &EventInstance<'_>) -> Map<String, Value> {
    let details = view.details;
    let typed =
        |list: &[Attendee], kind: &str| list.iter().map(|one| attendee(one, kind)).collect::<Vec<Value>>();
    let attendees = [
        typed(&details.required, "required"),
        typed(&details.optional, "optional"),
        typed(&details.resources, "resource"),
    ];
    object(json!({
        "attendees": attendees.concat(),
        "organizer": recipient(&view.event.organizer),
    }))
}

fn attendee(attendee: &Attendee, kind: &str) -> Value {
    let time = attendee.responded_at.map_or_else(|| NEVER.to_owned(), times::offset_time);
    json!({
        "type": kind,
        "status": { "response": response(attendee.response, "none"), "time": time },
        "emailAddress": email_address(&attendee.person),
    })
}

fn own_response(details: &Details, is_organizer: bool) -> Value {
    let time = details.responded_at.filter(|_| !is_organizer);
    let word = if is_organizer { "organizer" } else { response(details.my_response, "notResponded") };
    json!({ "response": word, "time": time.map_or_else(|| NEVER.to_owned(), times::offset_time) })
}

/// A `recipient`.
pub(super) fn recipient(person: &Person) -> Value {
    json!({ "emailAddress": email_address(person) })
}

fn email_address(person: &Person) -> Value {
    json!({ "name": person.name, "address": person.address })
}

fn location(name: &str) -> Value {
    json!({ "displayName": name, "locationType": "default", "uniqueId": name, "uniqueIdType": "private" })
}

/// Graph converts bodies to HTML unless text is preferred.
fn body(details: &Details, is_text_preferred: bool) -> Value {
    let content = &details.body;
    match (details.is_html, is_text_preferred) {
        (false, false) => {
            let escaped = content.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            json!({ "contentType": "html", "content": format!("<html><body>{escaped}</body></html>") })
        }
        (true, false) => json!({ "contentType": "html", "content": content }),
        (_, true) => json!({ "contentType": "text", "content": content }),
    }
}

/// The word of a response; `none` is the word for a response that was not given.
pub(super) fn response(response: InvitationResponse, none: &'static str) -> &'static str {
    match response {
        InvitationResponse::Unknown | InvitationResponse::None => none,
        InvitationResponse::Organizer => "organizer",
        InvitationResponse::Tentative => "tentativelyAccepted",
        InvitationResponse::Accept => "accepted",
        InvitationResponse::Decline => "declined",
    }
}

pub(super) fn type_name(role: SeriesRole) -> &'static str {
    match role {
        SeriesRole::Single => "singleInstance",
        SeriesRole::Occurrence => "occurrence",
        SeriesRole::Exception => "exception",
        SeriesRole::Master => "seriesMaster",
    }
}

/// The word of a free/busy status.
pub(super) fn show_as(busy: FreeBusyType) -> &'static str {
    match busy {
        FreeBusyType::Free => "free",
        FreeBusyType::Tentative => "tentative",
        FreeBusyType::Busy => "busy",
        FreeBusyType::Away => "oof",
        FreeBusyType::Elsewhere => "workingElsewhere",
        FreeBusyType::NoData => "unknown",
    }
}

fn importance(importance: Importance) -> &'static str {
    match importance {
        Importance::Low => "low",
        Importance::Normal => "normal",
        Importance::High => "high",
    }
}

fn sensitivity(sensitivity: Sensitivity) -> &'static str {
    match sensitivity {
        Sensitivity::Normal => "normal",
        Sensitivity::Personal => "personal",
        Sensitivity::Private => "private",
        Sensitivity::Confidential => "confidential",
    }
}
