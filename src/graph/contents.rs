//! The content that a successful response must have, request by request. Pure.
//!
//! A success without its content does not count: a missing list must not free a room, and a write is done only if the response shows
//! it. A read fails then, and a write is in doubt.

use chrono::{DateTime, Utc};
use http::StatusCode;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::classify::{RetryDecision, unexpected_response};
use super::decode::{DecodeError, decode, decode_element};
use super::effect::Effect;
use super::event::{EventContext, end, event, series, start_and_end};
use super::resources::{EventResource, Page, SeriesExceptions};
use super::root::GraphRoot;
use crate::calendar::{Event, EventId, EventKind, Series, Uid};
use crate::http::delivery::HttpResponse;
use http::uri::PathAndQuery;

/// Reported when the server returns another event than the requested one.
const ANOTHER_EVENT: &str = "another event than the requested one";

/// A response's body as this resource type.
pub(super) fn body<'r, T: Deserialize<'r>>(
    effect: Effect,
    response: &'r HttpResponse,
) -> Result<T, RetryDecision> {
    decode(&response.body).map_err(|error| undecodable(effect, error))
}

/// A body that ends too early or is no JSON was damaged on the way; one of another structure will be the same again.
fn undecodable(effect: Effect, error: DecodeError) -> RetryDecision {
    match effect {
        Effect::Read if error.is_damaged() => RetryDecision::Retry { code: error.to_string() },
        effect => unexpected_response(effect, error.to_string()),
    }
}

/// The elements of a page.
pub(super) fn elements<'p, 'a>(page: &'p Page<'a>) -> Result<&'p [&'a RawValue], RetryDecision> {
    let value = page.value.as_deref();
    value.ok_or_else(|| unexpected_response(Effect::Read, "a collection without value".to_owned()))
}

/// Path and query of the page after this one.
pub(super) fn next_page(page: &Page<'_>, root: &GraphRoot) -> Result<Option<PathAndQuery>, RetryDecision> {
    let Some(link) = page.next_link.as_deref() else { return Ok(None) };
    let outside =
        || unexpected_response(Effect::Read, "an @odata.nextLink outside the configured root".to_owned());
    root.next_page(link).map(Some).ok_or_else(outside)
}

/// Each element of a page as this resource type; an unreadable one is an error.
pub(super) fn readable<'a, T: Deserialize<'a>>(page: &Page<'a>) -> Result<Vec<T>, RetryDecision> {
    let decode_one = |element: &&'a RawValue| {
        decode_element(element)
            .map_err(|error: DecodeError| unexpected_response(Effect::Read, error.to_string()))
    };
    elements(page)?.iter().map(decode_one).collect()
}

/// The event with this id, if one is required. An id of another form (of EWS) names the same event as its immutable id.
pub(super) fn read_event(
    response: &HttpResponse,
    id: Option<&EventId>,
    context: EventContext<'_>,
) -> Result<Event, RetryDecision> {
    let item: EventResource<'_> = body(Effect::Read, response)?;
    let event = event(&item, context).map_err(missing_property)?;
    match id.is_none_or(|id| event.id.is_same(id) || is_of_another_form(id, &event.id)) {
        true => Ok(event),
        false => Err(unexpected_response(Effect::Read, ANOTHER_EVENT.to_owned())),
    }
}

/// Whether the requested id has the form that Graph does not return: ids of EWS are twice as long as immutable ones. Damaged responses
/// aside, Graph then returned the same item; the caller compares its UID.
fn is_of_another_form(requested: &EventId, returned: &EventId) -> bool {
    requested.as_str().len() > returned.as_str().len()
}

/// The id of the series of this date; `None` if it belongs to none.
pub(super) fn series_of(response: &HttpResponse) -> Result<Option<EventId>, RetryDecision> {
    let item: EventResource<'_> = body(Effect::Read, response)?;
    Ok(item.series_master_id.as_deref().filter(|id| !id.is_empty()).map(EventId::new))
}

/// The series with this id.
pub(super) fn read_series(
    response: &HttpResponse,
    id: &EventId,
    context: EventContext<'_>,
) -> Result<Series, RetryDecision> {
    let master: EventResource<'_> = body(Effect::Read, response)?;
    let exceptions: SeriesExceptions<'_> = body(Effect::Read, response)?;
    let found = series(&master, &exceptions, context).map_err(missing_property)?;
    match found.master.kind == EventKind::Series && found.master.id.is_same(id) {
        true => Ok(found),
        false => Err(unexpected_response(Effect::Read, ANOTHER_EVENT.to_owned())),
    }
}

/// Checks that an update returned the event with its new end. The first change of an occurrence makes it an exception, which may get
/// another id.
pub(super) fn updated(
    response: &HttpResponse,
    id: &EventId,
    new_end: DateTime<Utc>,
) -> Result<(), RetryDecision> {
    let item: EventResource<'_> = body(Effect::Write, response)?;
    let is_it = item.id.as_deref().is_some_and(|got| EventId::new(got).is_same(id));
    if !is_it && item.event_type.as_deref() != Some("exception") {
        return Err(unexpected_response(Effect::Write, ANOTHER_EVENT.to_owned()));
    }
    // The end of an all-day event is a date of its room, whatever zone it is returned in.
    match end(&item) == Some(new_end) && item.is_all_day != Some(true) {
        true => Ok(()),
        false => Err(unexpected_response(Effect::Write, "a success with another end".to_owned())),
    }
}

/// Checks that a creation returned the booking, also when it returned the one of an earlier request.
pub(super) fn booked(
    response: &HttpResponse,
    uid: &Uid,
    times: (DateTime<Utc>, DateTime<Utc>),
) -> Result<(), RetryDecision> {
    booked_id(response, uid, times).map(drop)
}

/// The same, and the id of the event.
pub(super) fn booked_id(
    response: &HttpResponse,
    uid: &Uid,
    times: (DateTime<Utc>, DateTime<Utc>),
) -> Result<EventId, RetryDecision> {
    let item: EventResource<'_> = body(Effect::Write, response)?;
    let is_ours = item.transaction_id.as_deref().is_none_or(|id| id == uid.as_str());
    let id = item.id.as_deref().filter(|id| !id.is_empty() && is_ours && start_and_end(&item) == Some(times));
    id.map(EventId::new).ok_or_else(|| {
        let code = "a success with another event than the booked one".to_owned();
        unexpected_response(Effect::Write, code)
    })
}

/// Checks the response to a decline, a cancellation or a deletion: accepted, and empty.
pub(super) fn accepted(response: &HttpResponse) -> Result<(), RetryDecision> {
    let status = StatusCode::from_u16(response.status).ok();
    match matches!(status, Some(StatusCode::ACCEPTED | StatusCode::NO_CONTENT)) {
        true => Ok(()),
        false => Err(unexpected_response(Effect::Write, format!("a success with HTTP {}", response.status))),
    }
}

fn missing_property(missing: &str) -> RetryDecision {
    unexpected_response(Effect::Read, format!("an event without {missing}"))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::HeaderMap;
    use serde_json::{Value, json};

    use super::super::time_zones::UnknownTimeZones;
    use super::*;
    use crate::calendar::RoomAddress;

    fn response(status: u16, body: &Value) -> HttpResponse {
        let body = Bytes::from(body.to_string());
        HttpResponse { status, headers: HeaderMap::new(), body, rejection: None, sent_credentials: true }
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn ends(id: &str, time: &str) -> Value {
        json!({"id": id, "type": "occurrence", "end": {"dateTime": time, "timeZone": "UTC"}})
    }

    #[test]
    fn an_update_is_done_only_where_the_response_shows_it() {
        let (id, end) = (EventId::new("A"), at("2026-10-05T09:30:00Z"));
        let done = |body: Value| updated(&response(200, &body), &id, end);
        assert_eq!(done(ends("A", "2026-10-05T09:30:00.0000000")), Ok(()));
        let mut exception = ends("B", "2026-10-05T09:30:00.0000000");
        exception["type"] = json!("exception");
        assert_eq!(done(exception), Ok(()), "an occurrence that became an exception");
        let mut all_day = ends("A", "2026-10-05T09:30:00");
        all_day["isAllDay"] = json!(true);
        for other in [
            all_day,
            ends("B", "2026-10-05T09:30:00"),
            ends("A", "2026-10-05T09:31:00"),
            json!({}),
            json!([]),
            json!("ok"),
        ] {
            assert!(matches!(done(other.clone()), Err(RetryDecision::InDoubt { .. })), "{other}");
        }
    }

    #[test]
    fn a_booking_is_done_only_where_the_response_shows_it() {
        let times = (at("2026-10-05T09:00:00Z"), at("2026-10-05T09:30:00Z"));
        let event = |change: fn(&mut Value)| {
            let mut event = ends("A", "2026-10-05T09:30:00");
            event["start"] = json!({"dateTime": "2026-10-05T09:00:00", "timeZone": "UTC"});
            event["transactionId"] = json!("adjourn-1");
            change(&mut event);
            booked(&response(201, &event), &Uid::new("adjourn-1"), times)
        };
        assert_eq!(event(|_| {}), Ok(()));
        let changes: [fn(&mut Value); 4] = [
            |event| event["id"] = json!(""),
            |event| event["transactionId"] = json!("adjourn-2"),
            |event| event["start"]["dateTime"] = json!("2026-10-05T08:00:00"),
            |event| event["end"] = Value::Null,
        ];
        for change in changes {
            assert!(matches!(event(change), Err(RetryDecision::InDoubt { .. })));
        }
    }

    #[test]
    fn a_decline_is_done_with_an_accepted_or_empty_response_alone() {
        for (status, is_done) in [(202, true), (204, true), (200, false), (201, false), (207, false)] {
            assert_eq!(accepted(&response(status, &json!(""))).is_ok(), is_done, "{status}");
        }
    }

    #[test]
    fn a_series_and_an_event_are_the_requested_ones() {
        let room: RoomAddress = "aurora@example.com".parse().unwrap();
        let context = EventContext { room: &room, zones: &UnknownTimeZones };
        let single: Value =
            serde_json::from_str(include_str!("../../fixtures/graph/event-attendee-copy.json")).unwrap();
        let id = EventId::new(single["id"].as_str().unwrap());
        assert!(read_event(&response(200, &single), Some(&id), context).is_ok());
        assert!(read_event(&response(200, &single), Some(&EventId::new("B")), context).is_err());
        assert!(read_event(&response(200, &single), None, context).is_ok());
        assert!(read_series(&response(200, &single), &id, context).is_err(), "no series");
        assert_eq!(series_of(&response(200, &single)), Ok(None));
    }
}
