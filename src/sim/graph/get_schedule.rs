//! `getSchedule`: free/busy times of mailboxes, in the order of the request. A mailbox that fails has an error in its
//! place; items have no ids.

use chrono::TimeDelta;
use serde_json::{Map, Value, json};

use super::context::GraphContext;
use super::error::GraphError;
use super::event_json::show_as;
use super::reply::GraphReply;
use super::times;
use crate::sim::details::{FreeBusyType, Sensitivity};
use crate::sim::free_busy::{Intervals, merged};
use crate::sim::mailbox::Mailbox;
use crate::sim::views::{self, EventInstance};
use crate::sim::zones::Zone;

/// Limit of mailboxes in one request.
const SCHEDULES_MAX: usize = 20;
/// Limit of the time window.
const SPAN_MAX: TimeDelta = TimeDelta::days(62);

/// The parameters that apply to every mailbox of a request.
struct ScheduleQuery {
    intervals: Intervals,
    zone: &'static Zone,
}

pub(super) fn answer(context: &GraphContext<'_>) -> Result<GraphReply, GraphError> {
    let body = context.call.json()?;
    let query = read(context, &body)?;
    let schedules = parameter(&body, "schedules").and_then(Value::as_array);
    let schedules = schedules.filter(|all| !all.is_empty()).ok_or_else(|| {
        GraphError::bad_request("ErrorMailboxDataArrayEmpty", "The parameter 'schedules' is empty.")
    })?;
    if schedules.len() > SCHEDULES_MAX {
        let text = "There are more than 20 schedules in the request.";
        return Err(GraphError::bad_request("ErrorMailboxDataArrayTooBig", text));
    }
    let all: Vec<Value> =
        schedules.iter().map(|id| one(context, &query, id.as_str().unwrap_or_default())).collect();
    let metadata = context.metadata("Collection(microsoft.graph.scheduleInformation)");
    Ok(GraphReply::ok(json!({ "@odata.context": metadata, "value": all })))
}

/// A parameter, whose name is not case-sensitive.
fn parameter<'b>(body: &'b Map<String, Value>, name: &str) -> Option<&'b Value> {
    body.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

fn read(context: &GraphContext<'_>, body: &Map<String, Value>) -> Result<ScheduleQuery, GraphError> {
    let edge = |name: &str| {
        let value = parameter(body, name).unwrap_or(&Value::Null);
        times::read_date_time(name, value).map(|(local, zone)| zone.instant(local))
    };
    let (from, to) = (edge("startTime")?, edge("endTime")?);
    if to <= from {
        let text = "The end of the time window is before its start.";
        return Err(GraphError::bad_request("ErrorInvalidTimeInterval", text));
    }
    if to - from > SPAN_MAX {
        let text = "The requested time window is longer than 62 days.";
        return Err(GraphError::bad_request("ErrorTimeIntervalTooBig", text));
    }
    let minutes = match parameter(body, "availabilityViewInterval") {
        None | Some(Value::Null) => Some(30),
        Some(value) => value.as_i64().filter(|minutes| (5..=1440).contains(minutes)),
    };
    let minutes = minutes.ok_or_else(|| {
        let text = "The interval is not within 5 and 1440.";
        GraphError::bad_request("ErrorInvalidMergedFreeBusyInterval", text)
    })?;
    Ok(ScheduleQuery {
        intervals: Intervals { from, to, step: TimeDelta::minutes(minutes) },
        zone: context.preferences.zone,
    })
}

fn one(context: &GraphContext<'_>, query: &ScheduleQuery, id: &str) -> Value {
    let failed = |code: &str, text: &str| json!({ "message": text, "responseCode": code });
    let error = match context.world.mailbox(id) {
        None => failed("5009", "Unable to resolve e-mail address to an Active Directory object."),
        Some(mailbox) if mailbox.entry.availability_fails.is_some() => {
            failed("5016", "Proxy web request failed.")
        }
        Some(mailbox) => return schedule(query, id, mailbox),
    };
    json!({ "scheduleId": id, "availabilityView": null, "scheduleItems": null, "error": error })
}

fn schedule(query: &ScheduleQuery, id: &str, mailbox: &Mailbox) -> Value {
    let events = views::window(mailbox, query.intervals.from, query.intervals.to);
    let items: Vec<Value> = events.iter().map(|event| item(query, event)).collect();
    json!({
        "scheduleId": id,
        "availabilityView": merged(query.intervals, &events, state),
        "scheduleItems": items,
        "workingHours": {
            "daysOfWeek": ["monday", "tuesday", "wednesday", "thursday", "friday"],
            "startTime": "08:00:00.0000000",
            "endTime": "17:00:00.0000000",
            "timeZone": { "name": "UTC" },
        },
    })
}

fn item(query: &ScheduleQuery, event: &EventInstance<'_>) -> Value {
    let (start, end) = times::start_and_end(event, query.zone);
    let is_private = event.details.sensitivity == Sensitivity::Private;
    let mut item = json!({
        "isPrivate": is_private,
        "status": show_as(event.details.busy),
        "start": start,
        "end": end,
    });
    if let (Value::Object(item), false) = (&mut item, is_private) {
        item.insert("subject".to_owned(), json!(event.details.subject));
        item.insert("location".to_owned(), json!(event.details.location));
    }
    item
}

fn state(event: &EventInstance<'_>) -> char {
    match event.details.busy {
        FreeBusyType::Free | FreeBusyType::NoData => '0',
        FreeBusyType::Tentative => '1',
        FreeBusyType::Busy => '2',
        FreeBusyType::Away => '3',
        FreeBusyType::Elsewhere => '4',
    }
}
