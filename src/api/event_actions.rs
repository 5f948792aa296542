//! Handlers of requests whose path names the event: end, delete, extend, check in. Each does what the request on the room does with
//! `event` in its body.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use utoipa::IntoParams;

use super::actions::{self, ActionHeaders, EndEventRequest, ExtendEventRequest};
use super::caller::Caller;
use super::extract::{JsonBody, PathParams};
use super::problem::Problem;
use super::responses::{ActionResponses, BackendErrors, BodyErrors, KeyErrors, NotFound};
use super::rooms::{self, CheckInToEventRequest, CheckedIn};
use super::state::Api;

/// The room and the event.
type EventPath = PathParams<(String, String)>;

/// The parameters of such a path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "describes the path, which is read as a pair")]
pub(super) struct EventPathParams {
    /// SMTP address of the room.
    room: String,
    /// Id of the event, percent-encoded; for a check-in, also its UID.
    event: String,
}

/// End this event now.
///
/// Sets the event's end to now.
#[utoipa::path(post, path = "/v1/rooms/{room}/events/{event}/end", operation_id = "endEvent", tag = "actions",
    params(EventPathParams, ActionHeaders),
    request_body = Option<EndEventRequest>,
    responses(ActionResponses),
)]
pub(super) async fn end(
    api: State<Api>,
    caller: Caller,
    PathParams((room, event)): EventPath,
    headers: HeaderMap,
    JsonBody(mut asked): JsonBody<EndEventRequest>,
) -> Result<Response, Problem> {
    only_in_path(&mut asked.event, event)?;
    actions::end(api, caller, PathParams(room), headers, JsonBody(asked)).await
}

/// Remove this event from the room's calendar.
///
/// Depending on the room's copy, the event is declined (the room is an attendee), cancelled (the room is the organizer) or moved
/// to Deleted Items (any other event).
#[utoipa::path(post, path = "/v1/rooms/{room}/events/{event}/delete", operation_id = "deleteEvent", tag = "actions",
    params(EventPathParams, ActionHeaders),
    request_body = Option<EndEventRequest>,
    responses(ActionResponses),
)]
pub(super) async fn delete(
    api: State<Api>,
    caller: Caller,
    PathParams((room, event)): EventPath,
    headers: HeaderMap,
    JsonBody(mut asked): JsonBody<EndEventRequest>,
) -> Result<Response, Problem> {
    only_in_path(&mut asked.event, event)?;
    actions::delete(api, caller, PathParams(room), headers, JsonBody(asked)).await
}

/// Extend this event, until the next event at most.
///
/// By minutes, to an end, or until the next event. Only an event that is on can be extended.
#[utoipa::path(post, path = "/v1/rooms/{room}/events/{event}/extend", operation_id = "extendEvent", tag = "actions",
    params(EventPathParams, ActionHeaders),
    request_body = ExtendEventRequest,
    responses(ActionResponses),
)]
pub(super) async fn extend(
    api: State<Api>,
    caller: Caller,
    PathParams((room, event)): EventPath,
    headers: HeaderMap,
    JsonBody(mut asked): JsonBody<ExtendEventRequest>,
) -> Result<Response, Problem> {
    only_in_path(&mut asked.event, event)?;
    actions::extend(api, caller, PathParams(room), headers, JsonBody(asked)).await
}

/// Check in to this event, so that it is not released as abandoned.
///
/// Waits while an action is in progress in the room, and returns `409` if that action removed the event.
#[utoipa::path(post, path = "/v1/rooms/{room}/events/{event}/check-in", operation_id = "checkInToEvent", tag = "rooms",
    params(EventPathParams, ActionHeaders),
    request_body = Option<CheckInToEventRequest>,
    responses(
        (status = 200, description = "The check-in is stored", body = CheckedIn),
        (status = 409, description = "An action removed the event", body = Problem, content_type = "application/problem+json"),
        BackendErrors,
        NotFound,
        BodyErrors,
        KeyErrors,
    ),
)]
pub(super) async fn check_in(
    api: State<Api>,
    caller: Caller,
    PathParams((room, event)): EventPath,
    headers: HeaderMap,
    JsonBody(mut asked): JsonBody<CheckInToEventRequest>,
) -> Result<Json<CheckedIn>, Problem> {
    only_in_path(&mut asked.event, event)?;
    rooms::check_in(api, caller, PathParams(room), headers, JsonBody(asked)).await
}

/// Sets the event that the path names, if the body names none.
fn only_in_path(in_body: &mut Option<String>, event: String) -> Result<(), Problem> {
    match in_body.replace(event) {
        None => Ok(()),
        Some(_) => {
            let detail = "The path names the event: leave `event` out of the body.";
            Err(Problem::invalid_member("/event", detail))
        }
    }
}
