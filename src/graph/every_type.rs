//! Reads any bytes as every kind of response, for the fuzz target and the test with recorded responses. No part of the library.

use chrono::DateTime;
use http::HeaderMap;

use super::classify::{ResponseParts, classify, request_id_of_error};
use super::contents::{booked, elements, next_page, read_event, read_series, series_of, updated};
use super::decode::decode;
use super::effect::Effect;
use super::event::EventContext;
use super::resources::{
    ErrorBody, EventResource, ExchangeSettingsResource, MailboxItemResource, MessageResource, Page,
    RoomResource, ScheduleResource, SeriesExceptions, UserResource,
};
use super::root::GraphRoot;
use super::settings::WORLDWIDE;
use super::time_zones::UtcDays;
use super::view::ViewAssembler;
use crate::calendar::{EventId, RoomAddress, Uid, Window};
use crate::http::delivery::HttpResponse;

/// The statuses that a body is judged with.
const STATUSES: [u16; 10] = [200, 202, 400, 401, 403, 404, 412, 429, 500, 503];

/// The resource types that the body decodes as. If it does, every function that reads a body is called with it.
pub fn read_as_every_type(body: &[u8]) -> Vec<&'static str> {
    let decoded = [
        ("event", decode::<EventResource<'_>>(body).is_ok()),
        ("exceptionOccurrences", decode::<SeriesExceptions<'_>>(body).is_ok()),
        ("page", decode::<Page<'_>>(body).is_ok()),
        ("error", decode::<ErrorBody<'_>>(body).is_ok()),
        ("room", decode::<RoomResource<'_>>(body).is_ok()),
        ("user", decode::<UserResource<'_>>(body).is_ok()),
        ("scheduleInformation", decode::<ScheduleResource<'_>>(body).is_ok()),
        ("message", decode::<MessageResource<'_>>(body).is_ok()),
        ("mailboxItem", decode::<MailboxItemResource<'_>>(body).is_ok()),
        ("exchangeSettings", decode::<ExchangeSettingsResource<'_>>(body).is_ok()),
    ];
    let types: Vec<_> =
        decoded.into_iter().filter_map(|(name, is_decoded)| is_decoded.then_some(name)).collect();
    if let (false, Ok(room)) = (types.is_empty(), "room@example.com".parse()) {
        read_with_every_function(body, &room);
    }
    types
}

fn read_with_every_function(body: &[u8], room: &RoomAddress) {
    let context = EventContext { room, zones: &UtcDays };
    let window = Window::instant(DateTime::UNIX_EPOCH);
    let (id, body_bytes) = (EventId::new("A"), bytes::Bytes::copy_from_slice(body));
    let headers = HeaderMap::new();
    let response =
        HttpResponse { status: 200, headers, body: body_bytes, rejection: None, sent_credentials: true };
    let _ = read_event(&response, None, context);
    let _ = read_series(&response, &id, context);
    let _ = series_of(&response);
    let _ = updated(&response, &id, window.end());
    let _ = booked(&response, &Uid::new("adjourn-1"), (window.start(), window.end()));
    for status in STATUSES {
        let parts = ResponseParts { status, retry_after: None, rejection: None, body };
        let _ = [classify(Effect::Read, parts), classify(Effect::Write, parts)];
    }
    let _ = request_id_of_error(body);
    if let (Ok(page), Ok(root)) = (decode::<Page<'_>>(body), GraphRoot::parse(WORLDWIDE)) {
        let mut view = ViewAssembler::new(window, context);
        let read = elements(&page).and_then(|elements| view.read(elements));
        let _ = read.map(|events| view.add(events).map(|()| view.finish()));
        let _ = next_page(&page, &root);
    }
}
