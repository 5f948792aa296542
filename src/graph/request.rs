//! The requests to Microsoft Graph: method, path, headers and body of each. Pure; sends nothing.

use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use serde_json::json;

use super::effect::Effect;
use super::root::VERSION;
use crate::calendar::{ChangeKey, EventId, RoomAddress, Uid, Window};
use crate::http::connection_pool::HttpRequest;
use crate::http::error::TransportError;

/// Events of one page. A page of 100 has some 200 KB; attendees of large meetings come to some 100 KB for each event.
pub(super) const PAGE_SIZE: u32 = 100;
/// The coarsest interval of getSchedule.
const SCHEDULE_INTERVAL_MINUTES: u32 = 1440;
/// How far a window is widened on each side. An all-day event takes days of the room's time zone, and Graph finds it by the
/// same dates in UTC.
const WIDENED_BY: TimeDelta = TimeDelta::days(1);

/// The properties that an event needs. `uid` and `occurrenceId` exist in the beta version only.
const EVENT_PROPERTIES: &str = "id,changeKey,iCalUId,transactionId,subject,start,end,isAllDay,isCancelled,isOrganizer,\
    responseStatus,type,seriesMasterId,originalStart,organizer,attendees,sensitivity,showAs,createdDateTime,\
    lastModifiedDateTime";
/// The properties that a poll compares: the version, and the ones that show whether an event takes time.
const POLLED_PROPERTIES: &str = "id,changeKey,start,end,isAllDay,isCancelled,showAs";

/// Our id of the request in Microsoft's logs.
const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("client-request-id");
const RETURN_CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("return-client-request-id");
const PREFER: HeaderName = HeaderName::from_static("prefer");
/// Immutable ids survive a move to another folder. Without the time zone, times are in UTC as well, but for some resources.
const PREFERENCES: &str = "IdType=\"ImmutableId\", outlook.timezone=\"UTC\"";

/// One request. A retry is sent under an id of its own.
#[derive(Debug, Clone)]
pub(super) struct GraphRequest {
    /// Its name in logs.
    pub(super) operation: &'static str,
    pub(super) effect: Effect,
    pub(super) method: Method,
    pub(super) path: String,
    if_match: Option<String>,
    body: Option<Bytes>,
}

impl GraphRequest {
    fn get(operation: &'static str, path: String) -> Self {
        Self { operation, effect: Effect::Read, method: Method::GET, path, if_match: None, body: None }
    }

    fn write(operation: &'static str, method: Method, path: String) -> Self {
        Self { operation, effect: Effect::Write, method, path, if_match: None, body: None }
    }

    fn unguarded(operation: &'static str, method: Method, path: String) -> Self {
        Self { effect: Effect::UnguardedWrite, ..Self::write(operation, method, path) }
    }

    fn with_body(self, body: &serde_json::Value) -> Self {
        Self { body: Some(body.to_string().into()), ..self }
    }

    /// The request as HTTP sends it.
    pub(super) fn http_request(&self, request_id: &str) -> Result<HttpRequest, TransportError> {
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        headers.insert(PREFER, HeaderValue::from_static(PREFERENCES));
        headers.insert(CLIENT_REQUEST_ID, value(request_id)?);
        headers.insert(RETURN_CLIENT_REQUEST_ID, HeaderValue::from_static("true"));
        if let Some(tag) = &self.if_match {
            headers.insert(header::IF_MATCH, value(tag)?);
        }
        if self.body.is_some() {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let body = self.body.clone().unwrap_or_default();
        Ok(HttpRequest { method: self.method.clone(), headers, body })
    }

    /// Path and query.
    pub(super) fn path_and_query(&self) -> Result<PathAndQuery, TransportError> {
        PathAndQuery::try_from(self.path.as_str()).map_err(|error| {
            TransportError::ConnectionLost(format!("the request has an invalid path: {error}"))
        })
    }
}

/// The first page of the room's calendar in a window, all-day events of other time zones included.
pub(super) fn calendar_view(room: &RoomAddress, window: Window) -> GraphRequest {
    GraphRequest::get("calendarView", view_path(room, window, PAGE_SIZE, EVENT_PROPERTIES))
}

/// The first page of the versions of the room's events in a window.
pub(super) fn versions_in_view(room: &RoomAddress, window: Window) -> GraphRequest {
    GraphRequest::get("poll", view_path(room, window, PAGE_SIZE, POLLED_PROPERTIES))
}

/// A further page, by the path that the server returned.
pub(super) fn next_page(operation: &'static str, path: &PathAndQuery) -> GraphRequest {
    GraphRequest::get(operation, path.as_str().to_owned())
}

/// One event.
pub(super) fn event(room: &RoomAddress, id: &EventId) -> GraphRequest {
    GraphRequest::get("event", format!("{}?$select={EVENT_PROPERTIES}", event_path(room, id)))
}

/// A series master with its changed dates. They are returned for a master by its id only, when they are selected and expanded.
pub(super) fn series_master(room: &RoomAddress, id: &EventId) -> GraphRequest {
    let path = event_path(room, id);
    let select = format!("{EVENT_PROPERTIES},cancelledOccurrences,exceptionOccurrences");
    GraphRequest::get("series", format!("{path}?$select={select}&$expand=exceptionOccurrences"))
}

/// The calendar itself: the cheapest request that proves access to it.
pub(super) fn calendar(room: &RoomAddress) -> GraphRequest {
    GraphRequest::get("calendar", format!("{}/calendar?$select=id,canEdit", user_path(room.as_str())))
}

/// Sets the end. A time needs its zone.
pub(super) fn set_end(room: &RoomAddress, id: &EventId, key: &ChangeKey, end: DateTime<Utc>) -> GraphRequest {
    let request = GraphRequest::write("update", Method::PATCH, event_path(room, id));
    GraphRequest { if_match: Some(format!("W/\"{key}\"")), ..request }.with_body(&json!({"end": time(end)}))
}

/// Declines the meeting, with a message to the organizer. A comment of `null` is not sent: Graph accepts a missing one.
pub(super) fn decline(room: &RoomAddress, id: &EventId, text: Option<&str>) -> GraphRequest {
    let body = match text {
        Some(text) => json!({"comment": text, "sendResponse": true}),
        None => json!({"sendResponse": true}),
    };
    action("decline", room, id).with_body(&body)
}

/// Cancels the meeting, with a message to the attendees.
pub(super) fn cancel(room: &RoomAddress, id: &EventId, text: Option<&str>) -> GraphRequest {
    let body = match text {
        Some(text) => json!({"comment": text}),
        None => json!({}),
    };
    action("cancel", room, id).with_body(&body)
}

/// Moves the event to Deleted Items. Graph ignores `If-Match` here.
pub(super) fn delete(room: &RoomAddress, id: &EventId) -> GraphRequest {
    GraphRequest::unguarded("delete", Method::DELETE, event_path(room, id))
}

/// Creates a plain event. A repetition with the same `transactionId` returns the first event.
pub(super) fn book(
    room: &RoomAddress,
    uid: &Uid,
    (start, end): (DateTime<Utc>, DateTime<Utc>),
    subject: &str,
) -> GraphRequest {
    let body = json!({
        "subject": subject,
        "start": time(start),
        "end": time(end),
        "showAs": "busy",
        "isReminderOn": false,
        "transactionId": uid.as_str(),
    });
    GraphRequest::write("create", Method::POST, format!("{}/events", user_path(room.as_str())))
        .with_body(&body)
}

/// The users with this SMTP address as their primary or a proxy address; two suffice to see that it is not unique.
pub(super) fn users_by_address(address: &str) -> GraphRequest {
    let quoted = encode(&format!("smtp:{}", address.replace('\'', "''")));
    let filter = format!("proxyAddresses/any(p:p%20eq%20'{quoted}')");
    let select = "id,mail,proxyAddresses";
    GraphRequest::get("users", format!("{VERSION}users?$filter={filter}&$select={select}&$top=2"))
}

/// The free/busy information of one recipient, requested by the room. Only whether the recipient exists matters.
pub(super) fn schedule(room: &RoomAddress, address: &str, window: Window) -> GraphRequest {
    let body = json!({
        "schedules": [address],
        "startTime": time(window.start()),
        "endTime": time(window.end()),
        "availabilityViewInterval": SCHEDULE_INTERVAL_MINUTES,
    });
    let path = format!("{}/calendar/getSchedule", user_path(room.as_str()));
    GraphRequest { effect: Effect::Read, ..GraphRequest::write("getSchedule", Method::POST, path) }
        .with_body(&body)
}

/// What the directory has about a room.
pub(super) fn place(room: &RoomAddress) -> GraphRequest {
    GraphRequest::get("places", format!("{VERSION}places/{}", encode(room.as_str())))
}

/// The rooms of a room list.
pub(super) fn rooms_of_list(room_list: &str) -> GraphRequest {
    let path =
        format!("{VERSION}places/{}/microsoft.graph.roomlist/rooms?$top={PAGE_SIZE}", encode(room_list));
    GraphRequest::get("places", path)
}

/// Messages of Sent Items since a time. `Mail.ReadBasic` returns them without bodies.
pub(super) fn sent_messages(room: &RoomAddress, since: DateTime<Utc>) -> GraphRequest {
    let since = encode(&since.to_rfc3339_opts(SecondsFormat::Secs, true));
    let folder = format!("{}/mailFolders/sentitems/messages", user_path(room.as_str()));
    let query = format!("$filter=sentDateTime%20ge%20{since}&$top={PAGE_SIZE}");
    GraphRequest::get("sentItems", format!("{folder}?{query}"))
}

/// The id of the room's mailbox in `admin/exchange`.
pub(super) fn mailbox_id(room: &RoomAddress) -> GraphRequest {
    GraphRequest::get("mailboxId", format!("{}/settings/exchange", user_path(room.as_str())))
}

/// Items of Deleted Items, with these MAPI properties: a `mailboxItem` has no subject, times or UID.
pub(super) fn deleted_items(mailbox: &str, properties: &[&str]) -> GraphRequest {
    let ids: Vec<_> = properties.iter().map(|id| format!("id eq '{id}'")).collect();
    let filter = encode(&ids.join(" or "));
    let folder = format!("{VERSION}admin/exchange/mailboxes/{}/folders/deleteditems/items", encode(mailbox));
    let expand = match properties {
        [] => String::new(),
        _ => format!("&$expand=singleValueExtendedProperties($filter={filter})"),
    };
    GraphRequest::get("deletedItems", format!("{folder}?$select=id,changeKey,type&$top={PAGE_SIZE}{expand}"))
}

/// One message of Sent Items: needs `Mail.ReadBasic`.
pub(super) fn one_sent_message(room: &RoomAddress) -> GraphRequest {
    let folder = format!("{}/mailFolders/sentitems/messages", user_path(room.as_str()));
    GraphRequest::get("sentItems", format!("{folder}?$select=id&$top=1"))
}

/// One item of Deleted Items: needs `MailboxItem.Read`.
pub(super) fn one_deleted_item(mailbox: &str) -> GraphRequest {
    let folder = format!("{VERSION}admin/exchange/mailboxes/{}/folders/deleteditems/items", encode(mailbox));
    GraphRequest::get("deletedItems", format!("{folder}?$select=id&$top=1"))
}

/// One room list: needs `Place.Read.All`.
pub(super) fn one_room_list() -> GraphRequest {
    GraphRequest::get("places", format!("{VERSION}places/microsoft.graph.roomlist?$top=1"))
}

/// One user: needs `User.ReadBasic.All`.
pub(super) fn one_user() -> GraphRequest {
    GraphRequest::get("users", format!("{VERSION}users?$select=id&$top=1"))
}

fn action(name: &'static str, room: &RoomAddress, id: &EventId) -> GraphRequest {
    GraphRequest::unguarded(name, Method::POST, format!("{}/{name}", event_path(room, id)))
}

fn view_path(room: &RoomAddress, window: Window, top: u32, properties: &str) -> String {
    let time = |time: DateTime<Utc>| encode(&time.to_rfc3339_opts(SecondsFormat::Secs, true));
    let view = format!("{}/calendarView", user_path(room.as_str()));
    let (start, end) = widened(window);
    let (start, end) = (time(start), time(end));
    format!("{view}?startDateTime={start}&endDateTime={end}&$top={top}&$select={properties}")
}

/// The window that is requested, in whole seconds.
pub(super) fn widened(window: Window) -> (DateTime<Utc>, DateTime<Utc>) {
    let (start, end) = (window.start(), window.end());
    let later = end.checked_add_signed(WIDENED_BY + TimeDelta::seconds(1));
    (start.checked_sub_signed(WIDENED_BY).unwrap_or(start), later.unwrap_or(end))
}

/// Names the event by its mailbox, not by its calendar: Graph refuses a PATCH below `calendar/events`. Writes ids of EWS in
/// Graph's alphabet, which has `-` for `/` and `_` for `+`.
fn event_path(room: &RoomAddress, id: &EventId) -> String {
    let id = id.as_str().replace('/', "-").replace('+', "_");
    format!("{}/events/{}", user_path(room.as_str()), encode(&id))
}

fn user_path(address: &str) -> String {
    format!("{VERSION}users/{}", encode(address))
}

fn time(time: DateTime<Utc>) -> serde_json::Value {
    json!({"dateTime": time.naive_utc().format("%Y-%m-%dT%H:%M:%S").to_string(), "timeZone": "UTC"})
}

/// Percent-encodes all but the unreserved characters (RFC 3986, section 2.3): ids have `=`, and `/` or `+` in their classic form.
fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len() + 8);
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte))
            }
            byte => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// A header value; an id of an unknown form may have characters that no header carries.
fn value(text: &str) -> Result<HeaderValue, TransportError> {
    HeaderValue::from_str(text).map_err(|error| {
        TransportError::ConnectionLost(format!("the request has an invalid header: {error}"))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn room() -> RoomAddress {
        "o'hara@example.com".parse().unwrap()
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn body(request: &GraphRequest) -> Value {
        serde_json::from_slice(request.body.as_ref().unwrap()).unwrap()
    }

    fn header_of(request: &GraphRequest, name: &str) -> Option<String> {
        let headers = request.http_request("3f1c").unwrap().headers;
        headers.get(name).map(|value| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn every_request_wants_immutable_ids_and_utc_and_has_an_id() {
        let request = calendar(&room());
        let preferences = Some("IdType=\"ImmutableId\", outlook.timezone=\"UTC\"".to_owned());
        assert_eq!(header_of(&request, "prefer"), preferences);
        assert_eq!(header_of(&request, "client-request-id").as_deref(), Some("3f1c"));
        assert_eq!(header_of(&request, "return-client-request-id").as_deref(), Some("true"));
        assert_eq!(header_of(&request, "content-type"), None);
    }

    #[test]
    fn a_view_is_wider_by_a_day_on_each_side() {
        let window = Window::new(at("2026-10-05T09:00:00Z"), at("2026-10-05T10:00:00Z")).unwrap();
        let request = calendar_view(&room(), window);
        let begin = "/v1.0/users/o%27hara%40example.com/calendarView?startDateTime=2026-10-04T09%3A00%3A00Z\
                     &endDateTime=2026-10-06T10%3A00%3A01Z&$top=100&$select=id,changeKey,";
        assert!(request.path.starts_with(begin), "{}", request.path);
        assert!(request.path_and_query().is_ok());
    }

    #[test]
    fn an_id_is_one_segment_of_the_path() {
        let path = event(&room(), &EventId::new("AA/..?#+=%")).path;
        assert!(
            path.starts_with("/v1.0/users/o%27hara%40example.com/events/AA-..%3F%23_%3D%25?$select="),
            "{path}"
        );
    }

    #[test]
    fn only_an_update_names_the_version_and_it_changes_the_end_alone() {
        let (id, key) = (EventId::new("A="), ChangeKey::new("DwAA=="));
        let request = set_end(&room(), &id, &key, at("2026-10-05T09:30:00Z"));
        assert_eq!((&request.method, request.effect), (&Method::PATCH, Effect::Write));
        assert_eq!(header_of(&request, "if-match").as_deref(), Some("W/\"DwAA==\""));
        assert_eq!(body(&request), json!({"end": {"dateTime": "2026-10-05T09:30:00", "timeZone": "UTC"}}));
        assert_eq!(header_of(&delete(&room(), &id), "if-match"), None);
    }

    #[test]
    fn a_key_that_no_header_carries_is_not_sent() {
        let request =
            set_end(&room(), &EventId::new("A"), &ChangeKey::new("D\r\nX: y"), at("2026-10-05T09:30:00Z"));
        assert!(request.http_request("3f1c").is_err());
    }

    #[test]
    fn a_decline_always_sends_its_response_and_a_cancellation_cannot_say_so() {
        let id = EventId::new("A");
        let with_text = decline(&room(), &id, Some("Released."));
        assert_eq!(body(&with_text), json!({"comment": "Released.", "sendResponse": true}));
        assert_eq!(body(&decline(&room(), &id, None)), json!({"sendResponse": true}));
        assert_eq!(body(&cancel(&room(), &id, Some("Released."))), json!({"comment": "Released."}));
        assert!(with_text.path.ends_with("/events/A/decline"));
    }

    #[test]
    fn a_booking_has_its_uid_as_transaction_id() {
        let times = (at("2026-10-05T09:00:00Z"), at("2026-10-05T09:30:00Z"));
        let request = book(&room(), &Uid::new("adjourn-1"), times, "Booked");
        assert_eq!(body(&request)["transactionId"], "adjourn-1");
        assert_eq!(body(&request)["start"], json!({"dateTime": "2026-10-05T09:00:00", "timeZone": "UTC"}));
        assert!(request.path.ends_with("/events"));
    }

    #[test]
    fn an_apostrophe_ends_no_filter() {
        let path = users_by_address("o'hara@example.com").path;
        assert!(path.contains("any(p:p%20eq%20'smtp%3Ao%27%27hara%40example.com')"), "{path}");
    }
}
