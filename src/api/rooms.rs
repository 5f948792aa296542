//! Handlers of rooms: the list, a room's state, and check-ins.

use std::hash::{DefaultHasher, Hash, Hasher};

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::actions::{ActionHeaders, preferred_wait};
use super::caller::Caller;
use super::extract::{JsonBody, PathParams, QueryParams, page_size};
use super::problem::{BackendErrors, ClientErrors, Problem};
use super::state::Api;
use super::view::{EventView, RoomView};
use crate::access::Right;
use crate::action::IdempotencyKey;
use crate::calendar::RoomAddress;
use crate::journal::Query;
use crate::presence::EVENT_REFERENCE_BYTES_MAX;
use crate::service::{CheckInError, CheckInReceipt, CheckInRequest};

/// Rooms per page.
pub(super) const PAGE_MAX: usize = 1_000;
const PAGE_DEFAULT: usize = 100;

/// Parameters of the list of rooms.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct RoomListQuery {
    /// `next_cursor` of the previous page.
    #[param(value_type = Option<String>)]
    cursor: Option<String>,
    /// Rooms per page, 1 to 1000. Default: 100.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

/// A page of rooms.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RoomPage {
    /// Ordered by address.
    rooms: Vec<RoomEntry>,
    /// Cursor of the next page; null on the last page.
    next_cursor: Option<String>,
}

/// A room with its cached state, without a request to Exchange.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RoomEntry {
    /// The room's id: its SMTP address.
    id: String,
    /// Display name, if the configuration has one.
    name: Option<String>,
    /// Building, if the configuration has one.
    building: Option<String>,
    /// Time zone as an IANA name, if the configuration has one.
    time_zone: Option<String>,
    /// The last known state; null when the calendar was not read yet.
    state: Option<RoomView>,
}

/// List the rooms that this key can see.
#[utoipa::path(get, path = "/v1/rooms", tag = "rooms", params(RoomListQuery), responses((status = 200, body = RoomPage), ClientErrors))]
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    QueryParams(page): QueryParams<RoomListQuery>,
) -> Result<Json<RoomPage>, Problem> {
    caller.require(Right::Read)?;
    let limit = page_size(page.limit, PAGE_DEFAULT, PAGE_MAX)?;
    let after = page.cursor.unwrap_or_default();
    let scope = api.service.engine.scope();
    let seen = scope.rooms().filter(|room| caller.can_see(room));
    let mut rest = seen.filter(|room| room.as_str() > after.as_str());
    let rooms: Vec<_> = rest.by_ref().take(limit).collect();
    rooms.iter().for_each(|room| caller.record_contact(&api, room));
    let rooms: Vec<_> = rooms.into_iter().map(|room| room_entry(&api, room)).collect();
    let more = rest.next().is_some();
    let next_cursor = rooms.last().filter(|_| more).map(|last| last.id.clone());
    Ok(Json(RoomPage { rooms, next_cursor }))
}

fn room_entry(api: &Api, room: &RoomAddress) -> RoomEntry {
    let about = api.service.options().rules.room_info(room);
    RoomEntry {
        id: room.to_string(),
        name: about.name,
        building: about.building,
        time_zone: about.time_zone,
        state: api
            .service
            .last_known_status(room)
            .map(|status| RoomView::of(&status, api.options().subjects)),
    }
}

/// Get a room's current state.
///
/// Read from the room's calendar a moment ago (`read_at`). If Exchange does not respond in time, the last known state is returned
/// (`as_of`, at most 15 minutes ago), else `503`. `ETag` changes whenever anything shown changes; send it as `If-None-Match`.
#[utoipa::path(get, path = "/v1/rooms/{room}", tag = "rooms",
    params(("room" = String, Path, description = "SMTP address of the room")),
    responses(
        (status = 200, body = RoomView),
        (status = 304, description = "Unchanged since the `ETag` in `If-None-Match`"),
        BackendErrors,
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
    let view = RoomView::of(&api.service.status(&room, patience).await?, options.subjects);
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
    (&view.id, view.busy, &view.current, &view.current_events, &view.next).hash(&mut hash);
    (&view.name, &view.building, &view.time_zone).hash(&mut hash);
    (view.busy_until, view.free_until, view.checked_in, view.release_at).hash(&mut hash);
    (&view.awaiting_check_in, &view.allowed_actions).hash(&mut hash);
    format!("\"{:016x}\"", hash.finish())
}

/// A check-in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CheckInToEventRequest {
    /// The event's id or UID. Default: the event that the display shows and that awaits a check-in (`awaiting_check_in`).
    event: Option<String>,
    /// The source of the check-in: `panel`, `badge`, … Default: the key's name.
    #[schema(max_length = 100)]
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
    at: DateTime<Utc>,
}

/// Characters of a source's name.
pub(super) const SOURCE_MAX: usize = 100;

/// Check in to an event, so that it is not released as abandoned.
///
/// Waits while an action is in progress in the room, and returns `409` if that action removed the event.
#[utoipa::path(post, path = "/v1/rooms/{room}/check-in", tag = "rooms",
    params(("room" = String, Path, description = "SMTP address of the room"), ActionHeaders), request_body = Option<CheckInToEventRequest>,
    responses((status = 200, body = CheckedIn), BackendErrors),
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
        return Err(Problem::bad_request(format!(
            "`source` is too long: at most {SOURCE_MAX} characters are allowed."
        )));
    }
    if asked.event.as_ref().is_some_and(|event| event.len() > EVENT_REFERENCE_BYTES_MAX) {
        return Err(Problem::bad_request(format!(
            "`event` is too long: at most {EVENT_REFERENCE_BYTES_MAX} bytes are allowed."
        )));
    }
    let patience = preferred_wait(&headers).unwrap_or(api.options().deadline);
    let (patience, _share) = api.shares.room_read(caller.id(), &room, patience);
    let reporter = caller.id().to_string();
    let wanted = CheckInRequest { room, event: asked.event, source, reporter };
    let done = match caller.idempotency_key(&headers)? {
        None => api.service.check_in_and_confirm(&wanted, patience).await,
        Some(key) if is_used_by_action(&api, &key).await? => return Err(Problem::key_reused()),
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

/// Whether the idempotency key was used for an action.
async fn is_used_by_action(api: &Api, key: &IdempotencyKey) -> Result<bool, Problem> {
    let engine = &api.service.engine;
    let since = Some(api.service.now() - engine.key_ttl());
    let query = Query { key: Some(key.clone()), since, limit: Some(1), ..Query::default() };
    Ok(!engine.journal().find(&query).await?.is_empty())
}

impl CheckedIn {
    fn of(done: &CheckInReceipt, subjects: bool) -> Self {
        Self { room: done.room.to_string(), event: EventView::of(&done.event, subjects), at: done.at }
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
            CheckInError::ActionPending => Self::still_in_doubt(error),
            CheckInError::Timeout => Self::exchange_timeout(),
        }
    }
}
