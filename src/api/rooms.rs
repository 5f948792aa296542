//! Handlers of rooms: the list, a room's state, and check-ins.

use std::hash::{DefaultHasher, Hash, Hasher};

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::actions::{ActionHeaders, preferred_wait};
use super::caller::Caller;
use super::event_view::EventView;
use super::extract::{JsonBody, PathParams, QueryParams, first_page, page_size};
use super::idempotency;
use super::problem::Problem;
use super::problem_type::ProblemType;
use super::responses::{BackendErrors, BodyErrors, ClientErrors, KeyErrors, NotFound};
use super::room_filter::{RoomListQuery, rank};
use super::state::Api;
use super::view::{RoomView, ViewOptions};
use crate::access::Right;
use crate::calendar::RoomAddress;
use crate::presence::EVENT_REFERENCE_BYTES_MAX;
use crate::service::{CheckInError, CheckInReceipt, CheckInRequest};
use crate::timestamp::Timestamp;

/// Rooms per page.
pub(super) const PAGE_MAX: usize = 1_000;
const PAGE_DEFAULT: usize = 100;

/// A page of rooms.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RoomPage {
    /// Ordered by address; with `near`, the nearest first.
    rooms: Vec<RoomEntry>,
    /// Cursor of the next page; null on the last page.
    next_cursor: Option<String>,
}

/// A room with its cached state, without a request to Exchange.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RoomEntry {
    /// The room's id: its SMTP address.
    id: String,
    /// Display name, by the configuration, else by the directory.
    name: Option<String>,
    /// Building, by the configuration, else by the directory.
    building: Option<String>,
    /// Floor, by the configuration, else by the directory.
    floor: Option<String>,
    /// Number of people that the room holds, by the configuration, else by the directory.
    capacity: Option<u32>,
    /// What the room has, such as `video`, by the configuration, else by the directory.
    equipment: Vec<String>,
    /// Time zone as an IANA name, if the configuration has one.
    time_zone: Option<String>,
    /// The last known state; null when the calendar was not read yet.
    state: Option<RoomView>,
}

/// List the rooms that this key can see.
///
/// With filters, the page has the rooms that fit all of them.
#[utoipa::path(get, path = "/v1/rooms", operation_id = "listRooms", tag = "rooms", params(RoomListQuery),
    responses((status = 200, description = "A page of rooms", body = RoomPage), ClientErrors, NotFound),
)]
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    QueryParams(query): QueryParams<RoomListQuery>,
) -> Result<Json<RoomPage>, Problem> {
    caller.require(Right::Read)?;
    query.check()?;
    let limit = page_size(query.limit, PAGE_DEFAULT, PAGE_MAX)?;
    let rooms = rooms_after_cursor(&api, &caller, &query)?;
    let (now, options) = (api.service.now(), api.view_options());
    let entry = |room: &RoomAddress| wanted_entry(&api, &query, room, (now, options));
    let (rooms, more) = first_page(rooms.iter().filter_map(entry), limit);
    let next_cursor = rooms.last().filter(|_| more).map(|last| last.id.clone());
    Ok(Json(RoomPage { rooms, next_cursor }))
}

/// The rooms that the caller can see, in the order of the list, after the last room of the previous page.
fn rooms_after_cursor(
    api: &Api,
    caller: &Caller,
    query: &RoomListQuery,
) -> Result<Vec<RoomAddress>, Problem> {
    let scope = api.service.engine.scope();
    let visible = scope.rooms().filter(|room| caller.can_see(room)).cloned();
    let Some(near) = &query.near else {
        let after = query.cursor.as_deref().unwrap_or_default();
        return Ok(visible.filter(|room| room.as_str() > after).collect());
    };
    let near = api.service.room_info(&caller.require_room(api, near)?);
    let rank_of = |room: &RoomAddress| rank(room, &api.service.room_info(room), &near);
    let cursor = query.cursor.as_deref().map(str::parse::<RoomAddress>).transpose();
    let cursor = cursor.map_err(|_| Problem::unknown_cursor())?;
    // The place of another room in the order would reveal its building and size.
    if cursor.as_ref().is_some_and(|cursor| !caller.can_see(cursor)) {
        return Err(Problem::unknown_cursor());
    }
    let after = cursor.as_ref().map(rank_of);
    let mut ranked: Vec<_> = visible.map(|room| (rank_of(&room), room)).collect();
    ranked.retain(|(rank, _)| after.as_ref().is_none_or(|after| rank > after));
    ranked.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(ranked.into_iter().map(|(_, room)| room).collect())
}

/// The entry of a room; `None` if the query does not want it.
fn wanted_entry(
    api: &Api,
    query: &RoomListQuery,
    room: &RoomAddress,
    (now, options): (DateTime<Utc>, ViewOptions),
) -> Option<RoomEntry> {
    let info = api.service.room_info(room);
    if !query.wants(&info) {
        return None;
    }
    let status = api.service.last_known_status_of(room, &info);
    if !query.wants_state(status.as_ref(), now) {
        return None;
    }
    Some(RoomEntry {
        id: room.to_string(),
        name: info.name,
        building: info.building,
        floor: info.floor,
        capacity: info.capacity,
        equipment: info.equipment,
        time_zone: info.time_zone,
        state: status.map(|status| RoomView::without_agenda(&status, options)),
    })
}

/// Get a room's current state.
///
/// Read from the room's calendar a moment ago (`read_at`). If Exchange does not respond in time, the last known state is returned
/// (`as_of`, at most 15 minutes ago), else `503`. `ETag` changes whenever anything shown changes; send it as `If-None-Match`.
#[utoipa::path(get, path = "/v1/rooms/{room}", operation_id = "getRoom", tag = "rooms",
    params(
        ("room" = String, Path, description = "SMTP address of the room", example = "room-aurora@example.com"),
        ("If-None-Match" = Option<String>, Header, description = "`ETag` of the state that the caller has"),
    ),
    responses(
        (status = 200, description = "The room's state", body = RoomView,
            headers(("ETag" = String, description = "Changes whenever anything shown changes"))),
        (status = 304, description = "Unchanged since the `ETag` in `If-None-Match`",
            headers(("ETag" = String, description = "The `ETag` of the unchanged state"))),
        BackendErrors,
        NotFound,
    ),
)]
pub(super) async fn get(
    State(api): State<Api>,
    caller: Caller,
    PathParams(room): PathParams<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    caller.require(Right::Read)?;
    let room = caller.require_room(&api, &room)?;
    caller.record_contact(&api, &room);
    let options = api.options();
    let (patience, _share) = api.shares.room_read(caller.id(), &room, options.deadline);
    let view = RoomView::of(&api.service.status(&room, patience).await?, api.view_options());
    let tag = etag(&view);
    let known = matches_etag(&headers, &tag);
    let mut response =
        if known { StatusCode::NOT_MODIFIED.into_response() } else { Json(view).into_response() };
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    Ok(response)
}

/// Whether `If-None-Match` matches the tag. The comparison is weak (RFC 9110, 13.1.2): a compressing proxy turns our tag into
/// `W/`.
fn matches_etag(headers: &HeaderMap, tag: &str) -> bool {
    let values = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut tags = values.flat_map(|value| value.split(',')).map(str::trim);
    tags.any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag)
}

/// Hashes everything shown except the times of reading.
fn etag(view: &RoomView) -> String {
    let mut hash = DefaultHasher::new();
    (&view.language, &view.accent, &view.logo).hash(&mut hash);
    (&view.id, view.busy, &view.current, &view.current_events, &view.next).hash(&mut hash);
    (&view.name, &view.building, &view.time_zone).hash(&mut hash);
    (&view.floor, view.capacity, &view.equipment, &view.booking).hash(&mut hash);
    (view.busy_until, view.free_until, view.checked_in, view.release_at).hash(&mut hash);
    (&view.awaiting_check_in, &view.allowed_actions).hash(&mut hash);
    (&view.agenda, view.agenda_from, view.agenda_to).hash(&mut hash);
    format!("\"{:016x}\"", hash.finish())
}

/// A check-in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CheckInToEventRequest {
    /// The event's id or UID. Default: the event that the display shows and that awaits a check-in (`awaiting_check_in`). Not where
    /// the path names the event.
    pub(super) event: Option<String>,
    /// The source of the check-in: `panel`, `badge`, … Default: the key's name.
    #[schema(max_length = 100, example = "panel")]
    source: Option<String>,
}

/// A stored check-in.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CheckedIn {
    /// The room's SMTP address.
    room: String,
    /// The event that was checked in to.
    event: EventView,
    /// Time of the check-in.
    at: Timestamp,
}

/// Characters of a source's name.
pub(super) const SOURCE_MAX: usize = 100;

/// Check in to an event, so that it is not released as abandoned.
///
/// Waits while an action is in progress in the room, and returns `409` if that action removed the event.
#[utoipa::path(post, path = "/v1/rooms/{room}/check-in", operation_id = "checkIn", tag = "rooms",
    params(
        ("room" = String, Path, description = "SMTP address of the room", example = "room-aurora@example.com"),
        ActionHeaders,
    ),
    request_body = Option<CheckInToEventRequest>,
    responses(
        (status = 200, description = "The check-in is stored", body = CheckedIn),
        (status = 409, description = "No event awaits a check-in, or an action removed it", body = Problem,
            content_type = "application/problem+json"),
        BackendErrors,
        NotFound,
        BodyErrors,
        KeyErrors,
    ),
)]
pub(super) async fn check_in(
    State(api): State<Api>,
    caller: Caller,
    PathParams(room): PathParams<String>,
    headers: HeaderMap,
    JsonBody(asked): JsonBody<CheckInToEventRequest>,
) -> Result<Json<CheckedIn>, Problem> {
    caller.require(Right::CheckIn)?;
    let room = caller.require_room(&api, &room)?;
    caller.record_contact(&api, &room);
    let source = asked.source.unwrap_or_else(|| caller.name().to_owned());
    if source.chars().count() > SOURCE_MAX {
        let detail = format!("`source` is too long: at most {SOURCE_MAX} characters are allowed.");
        return Err(Problem::invalid_member("/source", detail));
    }
    if asked.event.as_ref().is_some_and(|event| event.len() > EVENT_REFERENCE_BYTES_MAX) {
        let detail = format!("`event` is too long: at most {EVENT_REFERENCE_BYTES_MAX} bytes are allowed.");
        return Err(Problem::invalid_member("/event", detail));
    }
    let patience = preferred_wait(&headers).unwrap_or(api.options().deadline);
    let (patience, _share) = api.shares.room_read(caller.id(), &room, patience);
    let reporter = caller.id().to_string();
    let wanted = CheckInRequest { room, event: asked.event, source, reporter };
    let done = match caller.idempotency_key(&headers)? {
        None => api.service.check_in_and_confirm(&wanted, patience).await,
        Some(key)
            if idempotency::has_kept_answer(&api, &key)
                || idempotency::is_used_by_action(&api, &key).await? =>
        {
            return Err(Problem::key_reused());
        }
        Some(key) => api.service.check_in_once(key, &wanted, patience).await,
    };
    match done {
        Ok(done) => Ok(Json(CheckedIn::of(&done, api.options().subjects))),
        Err(CheckInError::EventRemoved { action }) => {
            let action = caller.visible_action(&api, action).await?;
            Err(CheckInError::EventRemoved { action }.into())
        }
        Err(error) => Err(error.into()),
    }
}

impl CheckedIn {
    fn of(done: &CheckInReceipt, subjects: bool) -> Self {
        Self { room: done.room.to_string(), event: EventView::of(&done.event, subjects), at: done.at.into() }
    }
}

impl From<CheckInError> for Problem {
    fn from(error: CheckInError) -> Self {
        match error {
            CheckInError::Calendar(trouble) => trouble.into(),
            CheckInError::Store(error) => error.into(),
            CheckInError::KeyReused => Self::key_reused(),
            CheckInError::NoEvent => Self::no_event_to_check_in(error),
            CheckInError::EventRemoved { action } => Self::event_removed(error).with_action(action),
            CheckInError::EvidenceRefused(_) => Self::evidence_full(error),
            CheckInError::LinkRefused(_) => Self::link_not_valid(error),
            CheckInError::ActionPending => Self::still_in_doubt(error),
            CheckInError::Timeout => Self::exchange_timeout(),
        }
    }
}

impl Problem {
    /// No current event awaits a check-in.
    fn no_event_to_check_in(detail: impl ToString) -> Self {
        Self::conflict(ProblemType::NoCurrentEvent, "No event to check in to", detail)
    }

    /// A check-in link permits no check-in.
    fn link_not_valid(detail: impl ToString) -> Self {
        let problem =
            Self::new(StatusCode::GONE, ProblemType::LinkNotValid, "Check-in link not valid", detail);
        Self { next: "scan the code at the door again", ..problem }
    }

    /// An action removed the event during the check-in.
    fn event_removed(detail: impl ToString) -> Self {
        Self::conflict(ProblemType::ChangedMeanwhile, "The event was removed in the meantime", detail)
    }
}
