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

use super::booking_subject;
use super::caller::Caller;
use super::cursor;
use super::event_view::{CandidateView, ExpectedTimes};
use super::extract::{JsonBody, JsonObject, PathParams, QueryParams as Params, page_size};
use super::idempotency;
use super::problem::Problem;
use super::requested_time::{EndOfRequest, Until};
use super::responses::{ActionResponses, ClientErrors, NotFound};
use super::state::Api;
use super::undone;
use super::view::ActionView;
use crate::access::Right;
use crate::action::{
    Action, ActionId, ActionKind, AllDay, Answer, BookingSubject, DeleteMode, Notify, Outcome, ReasonText,
    Refusal, Target, TimeRange,
};
use crate::calendar::{EventId, RoomAddress};
use crate::engine::{Mode, unknown_action};
use crate::journal::{ActionRecord, ActionStatus, Journal, JournalError, Position, Query};
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
    #[param(rename = "Idempotency-Key", value_type = Option<String>, min_length = 1, max_length = 180, example = "door-17-press-4711")]
    idempotency_key: Option<String>,
    /// `wait=SECONDS` (0 to 60): respond within that time, with `202` if the action is still in progress.
    #[param(rename = "Prefer", value_type = Option<String>, example = "wait=3")]
    prefer: Option<String>,
}

/// Ends or deletes an event. An empty body means the current event.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EndEventRequest {
    /// The event's id. Default: the current event. Not where the path names the event.
    pub(super) event: Option<String>,
    /// The times that the caller last saw. If the event has other times now, the request is refused with `not-as-seen`. Needs
    /// `event`.
    #[schema(value_type = Option<ExpectedTimes>)]
    seen: Option<JsonObject<ExpectedTimes>>,
    /// Do not send updates to the attendees of a meeting that the room itself organized.
    silent: Option<bool>,
    /// Also act on an all-day event.
    all_day: Option<bool>,
    /// Stored in the audit, and included in the message where Exchange sends one.
    #[schema(max_length = 1000, example = "Ended at the display.")]
    reason: Option<String>,
    /// Check the request and return what would be changed, without changing anything.
    dry_run: Option<bool>,
}

/// Extends an event. Has exactly one of `minutes`, `end` and `until`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ExtendEventRequest {
    /// Minutes to add. The new end is at most the start of the next event.
    #[schema(minimum = 1, maximum = 1440, example = 15)]
    minutes: Option<u16>,
    /// The new end, later than the present one by at most a day. Refused with `collides` if another event is in the way.
    end: Option<DateTime<Utc>>,
    /// `next`: extend until the next event, by at most the configured horizon of bookings.
    until: Option<Until>,
    /// The event's id. Default: the current event. Not where the path names the event.
    pub(super) event: Option<String>,
    /// The times that the caller last saw. If the event has other times now, the request is refused with `not-as-seen`. Needs
    /// `event`.
    #[schema(value_type = Option<ExpectedTimes>)]
    seen: Option<JsonObject<ExpectedTimes>>,
    /// Also act on an all-day event.
    all_day: Option<bool>,
    /// Stored in the audit.
    #[schema(max_length = 1000, example = "Ended at the display.")]
    reason: Option<String>,
    /// Check the request and return what would be changed, without changing anything.
    dry_run: Option<bool>,
}

/// Books a free room. Has exactly one of `minutes`, `end` and `until`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BookRoomRequest {
    /// Length of the booking. A booking from now on ends at the start of the next event at the latest; one with `start` is refused with
    /// `collides` if another event is in the way.
    #[schema(minimum = 1, maximum = 1440, example = 30)]
    minutes: Option<u16>,
    /// End of the booking (exclusive), at most a day after its start. Refused with `collides` if another event is in the way.
    end: Option<DateTime<Utc>>,
    /// `next`: book until the next event, for at most the configured horizon.
    until: Option<Until>,
    /// Start of the booking, at most the configured horizon ahead (`booking.horizon_minutes` of the room). Default: now.
    start: Option<DateTime<Utc>>,
    /// Subject of the event, if the configuration allows it (`booking.subjects_allowed` of the room). Default: the configured one.
    #[schema(min_length = 1, max_length = 255)]
    subject: Option<String>,
    /// Name of the person who books, under the same condition. It stands in the subject, since the event is the room's own.
    #[schema(min_length = 1, max_length = 255)]
    organizer_name: Option<String>,
    /// Stored in the audit.
    #[schema(max_length = 1000, example = "Ended at the display.")]
    reason: Option<String>,
    /// Check the request and return what would be changed, without changing anything.
    dry_run: Option<bool>,
}

/// Undoes an action.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UndoActionRequest {
    /// Stored in the audit.
    #[schema(max_length = 1000, example = "Ended at the display.")]
    reason: Option<String>,
    /// Check the request and return what would be changed, without changing anything.
    dry_run: Option<bool>,
}

impl EndEventRequest {
    fn into_request(self, ask: ActionKind) -> Result<ActionRequest, Problem> {
        let target = target(self.event, self.seen)?;
        let (all_day, dry_run) = (self.all_day.unwrap_or_default(), self.dry_run.unwrap_or_default());
        Ok(ActionRequest { all_day, ..ActionRequest::new(ask, target, self.reason, dry_run) })
    }
}

/// A request for an action, without its room and caller.
struct ActionRequest {
    ask: ActionKind,
    target: Target,
    all_day: bool,
    subject: Option<BookingSubject>,
    reason: Option<String>,
    dry_run: bool,
}

impl ActionRequest {
    fn new(ask: ActionKind, target: Target, reason: Option<String>, dry_run: bool) -> Self {
        Self { ask, target, all_day: false, subject: None, reason, dry_run }
    }
}

/// End an event now.
///
/// Sets the event's end to now. Without `event`, the current event is ended.
#[utoipa::path(post, path = "/v1/rooms/{room}/end", operation_id = "endMeeting", tag = "actions",
    params(("room" = String, Path, description = "SMTP address of the room", example = "room-aurora@example.com"), ActionHeaders),
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
    let ask =
        ActionKind::End(if asked.silent.unwrap_or_default() { Notify::Nobody } else { Notify::Attendees });
    perform(&api, &caller, &room, &headers, asked.into_request(ask)?).await
}

/// Remove an event from the room's calendar.
///
/// Depending on the room's copy, the event is declined (the room is an attendee), cancelled (the room is the organizer) or moved
/// to Deleted Items (any other event).
#[utoipa::path(post, path = "/v1/rooms/{room}/delete", operation_id = "deleteMeeting", tag = "actions",
    params(("room" = String, Path, description = "SMTP address of the room", example = "room-aurora@example.com"), ActionHeaders),
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
    let ask = ActionKind::Delete(if asked.silent.unwrap_or_default() {
        DeleteMode::Silent
    } else {
        DeleteMode::Notify
    });
    perform(&api, &caller, &room, &headers, asked.into_request(ask)?).await
}

/// Extend an event, until the next event at most.
///
/// By minutes, to an end, or until the next event.
#[utoipa::path(post, path = "/v1/rooms/{room}/extend", operation_id = "extendMeeting", tag = "actions",
    params(("room" = String, Path, description = "SMTP address of the room", example = "room-aurora@example.com"), ActionHeaders),
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
    let ExtendEventRequest { minutes, end, until, event, seen, all_day, reason, dry_run } = asked;
    let end = EndOfRequest { minutes, end, until }.check(api.service.engine.until_next_event())?;
    let (ask, dry_run) = (ActionKind::Extend(end), dry_run.unwrap_or_default());
    let request = ActionRequest {
        all_day: all_day.unwrap_or_default(),
        ..ActionRequest::new(ask, target(event, seen)?, reason, dry_run)
    };
    perform(&api, &caller, &room, &headers, request).await
}

/// Book a free room, from now on or at a later time.
///
/// A booking from now on with `minutes` or `until` ends at the start of the next event at the latest. A booking with an `end`, or with
/// `start` and `minutes`, needs all of its time free.
#[utoipa::path(post, path = "/v1/rooms/{room}/book", operation_id = "bookRoom", tag = "actions",
    params(("room" = String, Path, description = "SMTP address of the room", example = "room-aurora@example.com"), ActionHeaders),
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
    let BookRoomRequest { minutes, end, until, start, subject, organizer_name, reason, dry_run } = asked;
    let engine = &api.service.engine;
    let time = EndOfRequest { minutes, end, until }.of_booking(start, engine.until_next_event())?;
    let allowed = engine.booking_subjects_allowed() || caller.is_local();
    let subject = booking_subject::subject(subject, organizer_name, allowed)?;
    let (ask, target, dry_run) = (ActionKind::Book(time), Target::Current, dry_run.unwrap_or_default());
    let request = ActionRequest { subject, ..ActionRequest::new(ask, target, reason, dry_run) };
    perform(&api, &caller, &room, &headers, request).await
}

/// Undo an action.
///
/// Restores the end, or moves a removed event back. Needs the right `undo`, and the rights to read the action (`GET
/// /v1/actions/{action}`).
#[utoipa::path(post, path = "/v1/actions/{action}/undo", operation_id = "undoAction", tag = "actions",
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
    let journal = api.service.engine.journal();
    let record = journal.action_record(of).await?.filter(|record| caller.may_read(&record.action));
    let Some(record) = record else {
        return Err(match caller.is_local() {
            true => Problem::refused(unknown_action(&**journal, of).await?),
            false => Problem::not_found("action"),
        });
    };
    let Action { room, target, .. } = record.action;
    let dry_run = asked.dry_run.unwrap_or_default();
    let request = ActionRequest::new(ActionKind::Undo { of }, target, asked.reason, dry_run);
    perform(&api, &caller, room.as_str(), &headers, request).await
}

async fn perform(
    api: &Api,
    caller: &Caller,
    room: &str,
    headers: &HeaderMap,
    request: ActionRequest,
) -> Result<Response, Problem> {
    let room = room_of_action(api, caller, room)?;
    let reason = request.reason.map(check_reason).transpose()?;
    let action = Action {
        id: ActionId::random(),
        room,
        target: request.target,
        kind: request.ask,
        actor: caller.actor(),
        reason,
        all_day: if request.all_day { AllDay::Include } else { AllDay::Spare },
        subject: request.subject,
        key: caller.idempotency_key(headers)?,
    };
    if let Some(key) = &action.key
        && (idempotency::is_used_by_check_in(api, key) || idempotency::has_kept_answer(api, key))
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
        Submission::JournalFailed(error) => return journal_failed(api, &action, error).await,
        Submission::ShuttingDown => return Err(Problem::shutting_down()),
        Submission::ShareExhausted(exhausted) => return Err(Problem::share_exhausted("actions", exhausted)),
    };
    if answer.is_in_doubt() {
        return Ok(accepted_response(ActionView::in_doubt(&Action { id: answer.action, ..action })));
    }
    if let Some(problem) = problem_of(caller, &answer) {
        return Err(redact_refusal(api, caller, &action, &answer, problem).await?);
    }
    let action = Action { id: answer.action, ..action };
    let view = ActionView::answered(&action, &answer.outcome, answer.repeated, caller.naming());
    Ok(Json(view).into_response())
}

/// The response where the journal failed during the action. What it stored before decides: an action that is open is settled, or still
/// carried out, once the journal can be used, by this process or by the one that has taken over.
async fn journal_failed(api: &Api, action: &Action, error: JournalError) -> Result<Response, Problem> {
    let journal = api.service.engine.journal();
    let stored = stored_request(&**journal, action).await;
    tracing::error!(%error, "journal unavailable");
    match stored {
        Ok(Some(record)) if record.is_open() => {
            let action = Action { id: record.action.id, ..action.clone() };
            let may_be_sent = record.intent.is_some();
            let view =
                if may_be_sent { ActionView::in_doubt(&action) } else { ActionView::in_progress(&action) };
            Ok(accepted_response(view))
        }
        // Where other processes write too, the request may be stored a moment later.
        Ok(None) if !journal.is_shared() => {
            Err(Problem::journal_unavailable("The journal cannot be written, so nothing was changed."))
        }
        Ok(_) | Err(_) => {
            let why = match error {
                JournalError::MayLose(_) => "The journal's database may lose what it stores",
                _ => "The journal cannot be used",
            };
            Err(Problem::journal_unavailable(format!(
                "{why}, so it is not known whether anything was changed."
            )))
        }
    }
}

/// The record of this request, or of an earlier one under its idempotency key, which it may have settled.
async fn stored_request(
    journal: &dyn Journal,
    action: &Action,
) -> Result<Option<ActionRecord>, JournalError> {
    if let Some(record) = journal.action_record(action.id).await? {
        return Ok(Some(record));
    }
    let Some(key) = &action.key else { return Ok(None) };
    let query = Query { key: Some(key.clone()), limit: Some(1), ..Query::default() };
    Ok(journal.find(&query).await?.pop())
}

/// The room of a command of this machine may be outside the scope: the engine refuses it, and the journal has the refusal.
fn room_of_action(api: &Api, caller: &Caller, room: &str) -> Result<RoomAddress, Problem> {
    match room.parse() {
        Ok(room) if caller.is_local() => Ok(room),
        _ => caller.require_room(api, room),
    }
}

fn problem_of(caller: &Caller, answer: &Answer) -> Option<Problem> {
    match caller.is_local() {
        true => Problem::for_operator(answer),
        false => Problem::from_outcome(answer.action, &answer.outcome),
    }
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
        problem.candidates = candidates(api, caller, asked, refusal).await.unwrap_or_default();
        if !problem.candidates.is_empty() && !matches!(refusal, Refusal::Ambiguous { .. }) {
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

fn check_reason(reason: String) -> Result<ReasonText, Problem> {
    let most = ReasonText::CHARS_MAX;
    ReasonText::try_from(reason).map_err(|_| {
        let detail = format!("`reason` is too long: at most {most} characters are allowed.");
        Problem::invalid_member("/reason", detail)
    })
}

fn target(event: Option<String>, seen: Option<JsonObject<ExpectedTimes>>) -> Result<Target, Problem> {
    let seen = seen.map(|JsonObject(seen)| TimeRange { start: seen.start, end: seen.end });
    match (event, seen) {
        (None, None) => Ok(Target::Current),
        (None, Some(_)) => {
            let detail = "`seen` needs `event`: send the event's id with the times you saw.";
            Err(Problem::invalid_member("/seen", detail))
        }
        (Some(id), seen) => {
            let most = EventId::BYTES_MAX;
            let id = id.parse().map_err(|_| {
                Problem::invalid_member("/event", format!("`event` must have 1 to {most} bytes."))
            })?;
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
#[utoipa::path(get, path = "/v1/actions/{action}", operation_id = "getAction", tag = "actions",
    params(("action" = Uuid, Path, description = "Id of the action")),
    responses((status = 200, description = "The action", body = ActionView), ClientErrors, NotFound),
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
            Ok(Json(undone::view(&api, &caller, &record).await?))
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
    /// Only actions in this state.
    #[param(value_type = Option<ActionStatus>)]
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
#[utoipa::path(get, path = "/v1/actions", operation_id = "listActions", tag = "actions", params(ActionQuery),
    responses((status = 200, description = "A page of actions", body = ActionPage), ClientErrors, NotFound),
)]
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
    let actions = undone::views(&api, &caller, &records).await?;
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
