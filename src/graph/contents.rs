//! The content that a successful response must have, request by request. Pure.
//!
//! A success without its content does not count: a missing list must not free a room, and a write is done only if the response shows
//! it. A read fails then, and a write is in doubt.

use std::time::Duration;

use chrono::{DateTime, Utc};
use http::StatusCode;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::classify::{ResponseParts, RetryDecision, classify, unexpected_response};
use super::decode::{DecodeError, decode, decode_element};
use super::effect::Effect;
use super::event::{EventContext, end, event, readable_times, series, start_and_end};
use super::resources::{BatchPart, BatchResponse, EventResource, EventTimes, Page, SeriesExceptions, Text};
use super::root::GraphRoot;
use crate::calendar::{Event, EventId, EventKind, Series, Uid, Window};
use crate::engine::Occupancy;
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

/// The event with this id, if one is required.
pub(super) fn read_event(
    response: &HttpResponse,
    id: Option<&EventId>,
    context: EventContext<'_>,
) -> Result<Event, RetryDecision> {
    let item: EventResource<'_> = body(Effect::Read, response)?;
    let event = event(&item, context).map_err(missing_property)?;
    match id.is_none_or(|id| event.id.is_same(id)) {
        true => Ok(event),
        false => Err(unexpected_response(Effect::Read, ANOTHER_EVENT.to_owned())),
    }
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
    match end(&item) == Some(new_end) {
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
    let item: EventResource<'_> = body(Effect::Write, response)?;
    let has_id = item.id.as_deref().is_some_and(|id| !id.is_empty());
    let is_ours = item.transaction_id.as_deref().is_none_or(|id| id == uid.as_str());
    match has_id && is_ours && start_and_end(&item) == Some(times) {
        true => Ok(()),
        false => Err(unexpected_response(
            Effect::Write,
            "a success with another event than the booked one".to_owned(),
        )),
    }
}

/// Checks the response to a decline, a cancellation or a deletion: accepted, and empty.
pub(super) fn accepted(response: &HttpResponse) -> Result<(), RetryDecision> {
    let status = StatusCode::from_u16(response.status).ok();
    match matches!(status, Some(StatusCode::ACCEPTED | StatusCode::NO_CONTENT)) {
        true => Ok(()),
        false => Err(unexpected_response(Effect::Write, format!("a success with HTTP {}", response.status))),
    }
}

/// The response of one room in a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RoomOccupancy {
    /// Its position in the batch.
    pub(super) position: usize,
    pub(super) occupancy: Occupancy,
    /// The server asks for a pause.
    pub(super) pause: Option<Option<Duration>>,
}

/// Whether each room of a batch has an event in the window. A response that is missing, refused or unreadable is left out.
pub(super) fn occupancies<'c>(
    response: &HttpResponse,
    window: Window,
    context: impl Fn(usize) -> Option<EventContext<'c>>,
) -> Result<Vec<RoomOccupancy>, RetryDecision> {
    let batch: BatchResponse<'_> = body(Effect::Read, response)?;
    let parts = batch
        .responses
        .ok_or_else(|| unexpected_response(Effect::Read, "a batch without responses".to_owned()))?;
    let mut rooms: Vec<RoomOccupancy> = Vec::with_capacity(parts.len());
    for part in &parts {
        let position = part.id.as_ref().and_then(|id| usize::try_from(id.number()?).ok());
        let Some((position, context)) = position.and_then(|at| Some((at, context(at)?))) else {
            return Err(unexpected_response(
                Effect::Read,
                "a response to no request of the batch".to_owned(),
            ));
        };
        if rooms.iter().any(|other| other.position == position) {
            return Err(unexpected_response(
                Effect::Read,
                "two responses to one request of the batch".to_owned(),
            ));
        }
        rooms.push(room_occupancy(part, position, window, context));
    }
    Ok(rooms)
}

fn room_occupancy(
    part: &BatchPart<'_>,
    position: usize,
    window: Window,
    context: EventContext<'_>,
) -> RoomOccupancy {
    let status = part.status.as_ref().and_then(|status| u16::try_from(status.number()?).ok()).unwrap_or(0);
    let body = part.body.map_or("", RawValue::get);
    let parts =
        ResponseParts { status, retry_after: retry_after(part), rejection: None, body: body.as_bytes() };
    let decision = classify(Effect::Read, parts);
    let is_free = decision == RetryDecision::Done && is_free(body, window, context);
    RoomOccupancy {
        position,
        occupancy: if is_free { Occupancy::Free } else { Occupancy::MaybeBusy },
        pause: match decision {
            RetryDecision::Wait { at_least, .. } => Some(at_least),
            _ => None,
        },
    }
}

/// Only a complete, readable page without an event in the window proves that the room is free.
fn is_free(body: &str, window: Window, context: EventContext<'_>) -> bool {
    let Ok(page) = decode::<Page<'_>>(body.as_bytes()) else { return false };
    let is_elsewhere = |element: &&RawValue| {
        let Ok(item) = decode_element::<EventTimes<'_>>(element) else { return false };
        match readable_times(&item, context) {
            (Some(start), Some(end)) => start <= end && (end <= window.start() || window.end() <= start),
            _ => false,
        }
    };
    page.next_link.is_none() && page.value.is_some_and(|items| items.iter().all(is_elsewhere))
}

/// `Retry-After` of a part in seconds, whatever the case of its name.
fn retry_after(part: &BatchPart<'_>) -> Option<Duration> {
    #[derive(Deserialize)]
    struct Headers<'a> {
        #[serde(borrow, rename = "Retry-After", alias = "retry-after")]
        retry_after: Option<Text<'a>>,
    }
    let headers: Headers<'_> = decode_element(part.headers?).ok()?;
    headers.retry_after?.trim().parse().ok().map(Duration::from_secs)
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
        for other in [
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

    fn occupancy_of(part: Value) -> Occupancy {
        let room: RoomAddress = "aurora@example.com".parse().unwrap();
        let context = EventContext { room: &room, zones: &UnknownTimeZones };
        let window = Window::new(at("2026-10-05T09:00:00Z"), at("2026-10-05T10:00:00Z")).unwrap();
        let all = response(200, &json!({"responses": [part]}));
        occupancies(&all, window, |at| (at == 0).then_some(context)).unwrap()[0].occupancy
    }

    #[test]
    fn a_room_is_free_only_if_a_complete_page_shows_no_event() {
        let page = |value: Value| occupancy_of(json!({"id": "0", "status": 200, "body": {"value": value}}));
        let event = |from: &str, to: &str, all_day: bool| {
            let time = |text: &str| json!({"dateTime": format!("2026-10-{text}:00"), "timeZone": "UTC"});
            json!({"id": "A", "start": time(from), "end": time(to), "isAllDay": all_day})
        };
        assert_eq!(page(json!([])), Occupancy::Free);
        assert_eq!(page(json!([event("05T08:00", "05T09:00", false)])), Occupancy::Free);
        assert_eq!(page(json!([event("05T08:00", "05T09:01", false)])), Occupancy::MaybeBusy);
        // In some time zone that day is on.
        assert_eq!(page(json!([event("06T00:00", "07T00:00", true)])), Occupancy::Free);
        assert_eq!(page(json!([event("04T00:00", "05T00:00", true)])), Occupancy::MaybeBusy);
        assert_eq!(page(json!([{"id": "A"}])), Occupancy::MaybeBusy);
        assert_eq!(page(Value::Null), Occupancy::MaybeBusy);
        for part in [
            json!({"id": "0", "status": 403, "body": {"error": {"code": "ErrorAccessDenied"}}}),
            json!({"id": "0", "status": 200}),
            json!({"id": "0", "body": {"value": []}}),
            json!({"id": "0", "status": 200, "body": {"value": [], "@odata.nextLink": "https://x/"}}),
        ] {
            assert_eq!(occupancy_of(part.clone()), Occupancy::MaybeBusy, "{part}");
        }
    }

    #[test]
    fn parts_of_a_batch_come_in_any_order_and_each_once() {
        let room: RoomAddress = "aurora@example.com".parse().unwrap();
        let context = EventContext { room: &room, zones: &UnknownTimeZones };
        let window = Window::new(at("2026-10-05T09:00:00Z"), at("2026-10-05T10:00:00Z")).unwrap();
        let read = |parts: Value| {
            occupancies(&response(200, &json!({"responses": parts})), window, |at| {
                (at < 3).then_some(context)
            })
        };
        let free = |id: Value| json!({"id": id, "status": "200", "body": {"value": []}});
        let throttled = json!({"id": "0", "status": 429, "headers": {"Retry-After": "7"}, "body": null});
        let rooms = read(json!([free(json!("2")), throttled, free(json!(1))])).unwrap();
        assert_eq!(rooms.iter().map(|room| room.position).collect::<Vec<_>>(), [2, 0, 1]);
        assert_eq!(rooms[1].pause, Some(Some(Duration::from_secs(7))));
        assert!(read(json!([free(json!("1")), free(json!("1"))])).is_err());
        assert!(read(json!([free(json!("3"))])).is_err());
        assert!(read(json!([{"status": 200}])).is_err());
    }
}
