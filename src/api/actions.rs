//! Handlers of actions: end, delete, extend, book and undo an event, read one action, and list actions. They translate between
//! JSON and [`crate::action`]; the engine decides. They never write to a calendar or to the journal.
//!
//! A caller may limit its wait with `Prefer: wait=SECONDS` (RFC 7240). If the action takes longer, the response is `202` with the
//! action's address in `Location`, and the action is carried out all the same.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::caller::Caller;
use super::cursor;
use super::extract::{JsonBody, JsonObject, PathParams, QueryParams as Params, page_size};
use super::problem::{ActionResponses, BackendErrors, Problem};
use super::state::Api;
use super::view::{ActionView, CandidateView, ExpectedTimes};
use crate::access::Right;
use crate::action::{
    Action, ActionId, ActionKind, AllDay, Answer, DeleteMode, Notify, Outcome, ReasonText, Refusal,
    RequestedMinutes, Target, TimeRange,
};
use crate::calendar::EventId;
use crate::engine::Mode;
use crate::journal::{ActionRecord, ActionStatus, Position, Query};
use crate::service::Submission;
use crate::suggestion::{closest, closest_id};

/// The largest `wait` that is honoured.
const WAIT_MAX: Duration = Duration::from_secs(60);
const PAGE_DEFAULT: usize = 50;
pub(super) const PAGE_MAX: usize = 500;

/// Headers of a request for an action.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes headers, which are read one by one")]
pub(super) struct ActionHeaders {
    /// The caller's own key for this request, 1 to 180 printable ASCII characters without blanks. A second request with the same
    /// key returns the first response and changes nothing.
    #[param(rename = "Idempotency-Key", max_length = 180)]
    idempotency_key: Option<String>,
    /// `wait=SECONDS` (0 to 60): respond within that time, with `202` if the action is still in progress.
    #[param(rename = "Prefer")]
    prefer: Option<String>,
}

/// Ends or deletes an event. An empty body means the current event.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EndEventRequest {
    /// The event's id. Default: the current event.
    event: Option<String>,
    /// The times that the caller last saw. If the event has other times now, the request is refused with `not-as-seen`. Needs
    /// `event`.
    #[schema(value_type = Option<ExpectedTimes>)]
    seen: Option<JsonObject<ExpectedTimes>>,
    /// Do not send updates to the attendees of a meeting that the room itself organized.
    #[serde(default)]
    silent: bool,
    /// Also act on an all-day event.
    #[serde(default)]
    all_day: bool,
    /// Stored in the audit, and included in the message where Exchange sends one.
    #[schema(max_length = 1000)]
    reason: Option<String>,
    /// Check the request and return what would be changed, without changing anything.
    #[serde(default)]
    dry_run: bool,
}

/// Extends an event.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ExtendEventRequest {
    /// Minutes to add. The new end is at most the start of the next event.
    #[schema(minimum = 1, maximum = 1440)]
    minutes: u16,
    /// The event's id. Default: the current event.
    event: Option<String>,
    /// The times that the caller last saw. If the event has other times now, the request is refused with `not-as-seen`. Needs
    /// `event`.
    #[schema(value_type = Option<ExpectedTimes>)]
    seen: Option<JsonObject<ExpectedTimes>>,
    /// Stored in the audit.
    #[schema(max_length = 1000)]
    reason: Option<String>,
    /// Check the request and return what would be changed, without changing anything.
    #[serde(default)]
    dry_run: bool,
}

/// Books a free room.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BookRoomRequest {
    /// Minutes from now. The booking ends at the start of the next event at the latest.
    #[schema(minimum = 1, maximum = 1440)]
    minutes: u16,
    /// Stored in the audit.
    #[schema(max_length = 1000)]
    reason: Option<String>,
    /// Check the request and return what would be changed, without changing anything.
    #[serde(default)]
    dry_run: bool,
}

/// Undoes an action.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UndoActionRequest {
    /// Stored in the audit.
    #[schema(max_length = 1000)]
    reason: Option<String>,
    /// Check the request and return what would be changed, without changing anything.
    #[serde(default)]
    dry_run: bool,
}

impl EndEventRequest {
    fn into_request(self, ask: ActionKind) -> Result<ActionRequest, Problem> {
        let target = target(self.event, self.seen)?;
        Ok(ActionRequest { ask, target, all_day: self.all_day, reason: self.reason, dry_run: self.dry_run })
    }
}

/// A request for an action, without its room and caller.
struct ActionRequest {
    ask: ActionKind,
    target: Target,
    all_day: bool,
    reason: Option<String>,
    dry_run: bool,
}

/// End an event now.
///
/// Sets the event's end to now. Without `event`, the current event is ended.
#[utoipa::path(post, path = "/v1/rooms/{room}/end", tag = "actions",
    params(("room" = String, Path, description = "SMTP address of the room"), ActionHeaders),
    request_body = Option<EndEventRequest>,
    responses(ActionResponses),
)]
pub(super) async fn end(
    State(api): State<Api>,
    caller: Caller,
    PathParams(room): PathParams<String>,
    headers: HeaderMap,
    JsonBody(asked): JsonBody<EndEventRequest>,
) -> Result<Response, Problem> {
    caller.require(Right::End)?;
    let ask = ActionKind::End(if asked.silent { Notify::Nobody } else { Notify::Attendees });
    perform(&api, &caller, &room, &headers, asked.into_request(ask)?).await
}

/// Remove an event from the room's calendar.
///
/// Depending on the room's copy, the event is declined (the room is an attendee), cancelled (the room is the organizer) or moved
/// to Deleted Items (any other event).
#[utoipa::path(post, path = "/v1/rooms/{room}/delete", tag = "actions",
    params(("room" = String, Path, description = "SMTP address of the room"), ActionHeaders),
    request_body = Option<EndEventRequest>,
    responses(ActionResponses),
)]
pub(super) async fn delete(
    State(api): State<Api>,
    caller: Caller,
    PathParams(room): PathParams<String>,
    headers: HeaderMap,
    JsonBody(asked): JsonBody<EndEventRequest>,
) -> Result<Response, Problem> {
    caller.require(Right::Delete)?;
    let ask = ActionKind::Delete(if asked.silent { DeleteMode::Silent } else { DeleteMode::Notify });
    perform(&api, &caller, &room, &headers, asked.into_request(ask)?).await
}

/// Extend an event, until the next event at most.
#[utoipa::path(post, path = "/v1/rooms/{room}/extend", tag = "actions",
    params(("room" = String, Path, description = "SMTP address of the room"), ActionHeaders),
    request_body = ExtendEventRequest,
    responses(ActionResponses),
)]
pub(super) async fn extend(
    State(api): State<Api>,
    caller: Caller,
    PathParams(room): PathParams<String>,
    headers: HeaderMap,
    JsonBody(asked): JsonBody<ExtendEventRequest>,
) -> Result<Response, Problem> {
    caller.require(Right::Extend)?;
    let ask = ActionKind::Extend { minutes: check_minutes(asked.minutes)? };
    let target = target(asked.event, asked.seen)?;
    let request = ActionRequest { ask, target, all_day: false, reason: asked.reason, dry_run: asked.dry_run };
    perform(&api, &caller, &room, &headers, request).await
}

/// Book a free room from now on, until the next event at most.
#[utoipa::path(post, path = "/v1/rooms/{room}/book", tag = "actions",
    params(("room" = String, Path, description = "SMTP address of the room"), ActionHeaders),
    request_body = BookRoomRequest,
    responses(ActionResponses),
)]
pub(super) async fn book(
    State(api): State<Api>,
    caller: Caller,
    PathParams(room): PathParams<String>,
    headers: HeaderMap,
    JsonBody(asked): JsonBody<BookRoomRequest>,
) -> Result<Response, Problem> {
    caller.require(Right::Book)?;
    let ask = ActionKind::Book { minutes: check_minutes(asked.minutes)? };
    let (target, reason) = (Target::Current, asked.reason);
    let request = ActionRequest { ask, target, all_day: false, reason, dry_run: asked.dry_run };
    perform(&api, &caller, &room, &headers, request).await
}

/// Undo an action.
///
/// Restores the end, or moves a removed event back. Needs the right `undo`, and the rights to read the action (`GET
/// /v1/actions/{action}`).
#[utoipa::path(post, path = "/v1/actions/{action}/undo", tag = "actions",
    params(("action" = Uuid, Path, description = "Id of the action to undo"), ActionHeaders),
    request_body = Option<UndoActionRequest>,
    responses(ActionResponses),
)]
pub(super) async fn undo(
    State(api): State<Api>,
    caller: Caller,
    PathParams(action): PathParams<Uuid>,
    headers: HeaderMap,
    JsonBody(asked): JsonBody<UndoActionRequest>,
) -> Result<Response, Problem> {
    caller.require(Right::Undo)?;
    let of = ActionId(action);
    let record = api.service.engine.journal().action_record(of).await?;
    let record = record
        .filter(|record| caller.may_read(&record.action))
        .ok_or_else(|| Problem::not_found("action"))?;
    let (ask, target) = (ActionKind::Undo { of }, Target::Current);
    let request = ActionRequest { ask, target, all_day: true, reason: asked.reason, dry_run: asked.dry_run };
    perform(&api, &caller, record.action.room.as_str(), &headers, request).await
}

async fn perform(
    api: &Api,
    caller: &Caller,
    room: &str,
    headers: &HeaderMap,
    request: ActionRequest,
) -> Result<Response, Problem> {
    let room = caller.require_room(api, room)?;
    let reason = request.reason.map(check_reason).transpose()?;
    let action = Action {
        id: ActionId::random(),
        room,
        target: request.target,
        kind: request.ask,
        actor: caller.actor(),
        reason,
        all_day: if request.all_day { AllDay::Include } else { AllDay::Spare },
        key: caller.idempotency_key(headers)?,
    };
    if let Some(key) = &action.key
        && api.service.check_ins.has(key, api.service.now())
    {
        return Err(Problem::key_reused());
    }
    let mode = if request.dry_run { Mode::DryRun } else { Mode::Perform };
    let patience = preferred_wait(headers).unwrap_or(api.options().deadline);
    let answer = match api.service.actions.submit(action.clone(), mode, patience).await {
        Submission::Completed(answer) => answer,
        Submission::InProgress(id) => {
            return Ok(accepted_response(ActionView::in_progress(&Action { id, ..action })));
        }
        Submission::JournalFailed(error) => return Err(error.into()),
        Submission::ShuttingDown => return Err(Problem::shutting_down()),
        Submission::ShareExhausted(exhausted) => return Err(Problem::share_exhausted("actions", exhausted)),
    };
    if answer.is_in_doubt() {
        return Ok(accepted_response(ActionView::in_doubt(&Action { id: answer.action, ..action })));
    }
    api.metrics.count_action(&answer.outcome);
    if let Some(problem) = Problem::from_outcome(answer.action, &answer.outcome) {
        return Err(redact_refusal(api, caller, &action, &answer, problem).await?);
    }
    let action = Action { id: answer.action, ..action };
    let view = ActionView::answered(&action, &answer.outcome, answer.repeated, caller.naming());
    Ok(Json(view).into_response())
}

/// Removes from the problem what this caller may not read: ids of other callers' actions.
async fn redact_refusal(
    api: &Api,
    caller: &Caller,
    asked: &Action,
    answer: &Answer,
    mut problem: Problem,
) -> Result<Problem, Problem> {
    if answer.action != asked.id {
        // An earlier action with the same idempotency key.
        problem.action_id = caller.visible_action(api, problem.action_id).await?;
    }
    if let Outcome::Refused { refusal } = &answer.outcome {
        if refusal.named_action().is_some() {
            problem.detail = refusal.message(caller.naming()).into();
        }
        problem.candidates = candidates(api, caller, asked, refusal).await;
        if problem.candidates.is_some() && !matches!(refusal, Refusal::Ambiguous { .. }) {
            problem.next = "check the event's id; the one in `candidates` is almost the same";
        }
    }
    Ok(problem)
}

/// The events that an ambiguous request may mean, or the one whose id was most likely meant, with subjects where the room's calendar
/// is cached and subjects are shown.
async fn candidates(
    api: &Api,
    caller: &Caller,
    asked: &Action,
    refusal: &Refusal,
) -> Option<Box<[CandidateView]>> {
    let subjects = api.options().subjects;
    match (refusal, &asked.target) {
        (Refusal::Ambiguous { events }, _) => {
            let cached = api.service.rooms.get(&asked.room, api.service.options().max_state_age).await;
            let known = cached.map_or_else(|_| Arc::default(), |cached| cached.events);
            Some(events.iter().map(|event| CandidateView::of(event, &known, subjects)).collect())
        }
        (Refusal::EventNotFound | Refusal::InvalidEventId { .. }, Target::Event { id, .. }) => {
            // Without the right to read the room, its ids are not for this caller.
            caller.require(Right::Read).ok()?;
            let known = api.service.rooms.any(&asked.room)?.events;
            let meant = closest_id(id.as_str(), known.iter().map(|event| event.id.as_str()))?;
            let meant = known.iter().find(|event| event.id.as_str() == meant)?;
            Some([CandidateView::from_event(meant, subjects)].into())
        }
        _ => None,
    }
}

fn accepted_response(view: ActionView) -> Response {
    let location = format!("/v1/actions/{}", view.id);
    (StatusCode::ACCEPTED, [(header::LOCATION, location), (header::RETRY_AFTER, "1".to_owned())], Json(view))
        .into_response()
}

fn check_minutes(minutes: u16) -> Result<RequestedMinutes, Problem> {
    let (least, most) = (RequestedMinutes::MIN, RequestedMinutes::MAX);
    RequestedMinutes::try_from(minutes)
        .map_err(|_| Problem::bad_request(format!("`minutes` must be between {least} and {most}.")))
}

fn check_reason(reason: String) -> Result<ReasonText, Problem> {
    let most = ReasonText::CHARS_MAX;
    ReasonText::try_from(reason).map_err(|_| {
        Problem::bad_request(format!("`reason` is too long: at most {most} characters are allowed."))
    })
}

fn target(event: Option<String>, seen: Option<JsonObject<ExpectedTimes>>) -> Result<Target, Problem> {
    let seen = seen.map(|JsonObject(seen)| TimeRange { start: seen.start, end: seen.end });
    match (event, seen) {
        (None, None) => Ok(Target::Current),
        (None, Some(_)) => {
            Err(Problem::bad_request("`seen` needs `event`: send the event's id with the times you saw."))
        }
        (Some(id), seen) => {
            let most = EventId::BYTES_MAX;
            let id = id
                .parse()
                .map_err(|_| Problem::bad_request(format!("`event` must have 1 to {most} bytes.")))?;
            Ok(Target::Event { id, seen })
        }
    }
}

/// Reads the first `wait` preference (RFC 7240, 2 and 4.3). Unknown preferences and parameters are ignored.
pub(super) fn preferred_wait(headers: &HeaderMap) -> Option<Duration> {
    let preferences = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    let mut waits = preferences.flat_map(|text| text.split(',')).filter_map(|one| {
        let preference = one.split(';').next().unwrap_or_default();
        let (name, value) = preference.split_once('=')?;
        name.trim().eq_ignore_ascii_case("wait").then(|| value.trim().trim_matches('"'))
    });
    let seconds = waits.next()?;
    let is_number = !seconds.is_empty() && seconds.bytes().all(|byte| byte.is_ascii_digit());
    // A number that overflows is longer than the longest wait.
    is_number.then(|| seconds.parse().map_or(WAIT_MAX, Duration::from_secs).min(WAIT_MAX))
}

/// Get an action and its outcome.
///
/// The right `audit` covers all actions in the rooms that the key can see, `cleanup` the actions of sweeps. Without either, only
/// the key's own actions are returned.
#[utoipa::path(get, path = "/v1/actions/{action}", tag = "actions",
    params(("action" = Uuid, Path, description = "Id of the action")),
    responses((status = 200, body = ActionView), BackendErrors),
)]
pub(super) async fn get(
    State(api): State<Api>,
    caller: Caller,
    PathParams(action): PathParams<Uuid>,
) -> Result<Json<ActionView>, Problem> {
    caller.require(Right::Read)?;
    let id = ActionId(action);
    if let Some(record) = api.service.engine.journal().action_record(id).await? {
        return if caller.may_read(&record.action) {
            Ok(Json(ActionView::of(&record, caller.naming())))
        } else {
            Err(Problem::not_found("action"))
        };
    }
    if let Some((action, answer)) =
        api.service.actions.late_answer(id).filter(|(action, _)| caller.may_read(action))
    {
        let action = Action { id: answer.action, ..action };
        let view = ActionView::answered(&action, &answer.outcome, answer.repeated, caller.naming());
        return Ok(Json(view));
    }
    let running = api.service.actions.find_running(id);
    running
        .filter(|action| caller.may_read(action))
        .map(|action| Json(ActionView::in_progress(&action)))
        .ok_or_else(|| Problem::not_found("action"))
}

/// Filters for a list of actions.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ActionQuery {
    /// Only actions in this room (SMTP address).
    #[param(value_type = Option<String>)]
    room: Option<String>,
    /// Only actions accepted at this time or later.
    since: Option<DateTime<Utc>>,
    /// Only actions accepted before this time.
    until: Option<DateTime<Utc>>,
    /// Only actions of this user, key or rule.
    #[param(value_type = Option<String>)]
    actor: Option<String>,
    /// Only actions in this state: `open`, `done`, `already-done`, `refused` or `needs-attention`.
    #[param(value_type = Option<String>)]
    state: Option<String>,
    /// `next_cursor` of the previous page.
    #[param(value_type = Option<String>)]
    cursor: Option<String>,
    /// Actions per page, 1 to 500. Default: 50.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<usize>,
}

/// A page of actions.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ActionPage {
    /// Newest first by `accepted_at`. One request examines 5000 actions at most, so a page may have fewer actions than `limit`,
    /// or none, and still have a cursor.
    actions: Vec<ActionView>,
    /// Cursor of the next page; null on the last page. Opaque, and valid until the service restarts.
    next_cursor: Option<String>,
}

/// List actions: who requested what, and the outcome.
///
/// The right `audit` covers all actions in the rooms that the key can see, `cleanup` the actions of sweeps. Without either, only
/// the key's own actions are listed.
#[utoipa::path(get, path = "/v1/actions", tag = "actions", params(ActionQuery), responses((status = 200, body = ActionPage), BackendErrors))]
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Params(filter): Params<ActionQuery>,
) -> Result<Json<ActionPage>, Problem> {
    caller.require(Right::Read)?;
    let limit = page_size(filter.limit, PAGE_DEFAULT, PAGE_MAX)?;
    let room = filter.room.as_deref().map(|room| caller.require_room(&api, room)).transpose()?;
    let ending = match filter.state.as_deref() {
        None => None,
        Some(text) => Some(ActionStatus::from_name(text).ok_or_else(|| unknown_state(text))?),
    };
    let others = caller.require(Right::Audit).is_ok() || caller.require(Right::Cleanup).is_ok();
    let actor = if others { filter.actor } else { Some(caller.name().to_owned()) };
    let (since, until) = (filter.since, filter.until);
    let query = Query { room, since, until, actor, status: ending, ..Query::default() };
    let after = filter.cursor.as_deref().map(cursor::open).transpose()?;
    let (records, next) = read_page(&api, &caller, query, after, limit).await?;
    let actions = records.iter().map(|record| ActionView::of(record, caller.naming())).collect();
    Ok(Json(ActionPage { actions, next_cursor: next.and_then(cursor::seal) }))
}

fn unknown_state(text: &str) -> Problem {
    let states = ActionStatus::ALL.map(ActionStatus::as_str);
    let meant = closest(text, states).map_or_else(String::new, |state| format!(" Did you mean `{state}`?"));
    Problem::bad_request(format!("`state` must be one of {}.{meant}", states.join(", ")))
}

/// Reads one page of actions that the caller may read. Returns them with the position of the next page.
async fn read_page(
    api: &Api,
    caller: &Caller,
    query: Query,
    mut after: Option<Position>,
    limit: usize,
) -> Result<(Vec<ActionRecord>, Option<Position>), Problem> {
    let journal = api.service.engine.journal();
    let (mut found, mut last, mut left) = (Vec::new(), None, EXAMINED_MAX);
    loop {
        // Reads one more than fits, so that a full page knows whether it is the last.
        let query = Query { limit: Some(limit + 1 - found.len()), ..query.clone() };
        let page = journal.page(&query, after, EXAMINED_PER_QUERY.min(left)).await?;
        left = left.saturating_sub(page.examined);
        for (position, record) in
            page.records.into_iter().filter(|(_, record)| caller.may_read(&record.action))
        {
            if found.len() == limit {
                return Ok((found, last));
            }
            last = Some(position);
            found.push(record);
        }
        if page.next.is_none() || left == 0 {
            return Ok((found, page.next));
        }
        after = page.next;
    }
}

/// Actions that one request examines, shown or not: about 20 ms on a small machine. At this limit the page ends with a cursor and
/// the actions found so far.
const EXAMINED_MAX: usize = 5_000;
/// Actions examined by one SQL statement, so that concurrent audit queries interleave.
const EXAMINED_PER_QUERY: usize = 500;
