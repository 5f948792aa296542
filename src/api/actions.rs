//! Actions: asking for one, and what became of it.
//!
//! Whoever asks says how long they wait (`Prefer: wait=SECONDS`, RFC 7240). What takes longer is answered with `202` and
//! the action's address, and is carried out all the same.

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

use super::Api;
use super::caller::Caller;
use super::cursor;
use super::extract::{JsonBody, JsonObject, PathParams, QueryParams as Params, page_size};
use super::problem::{ActionResponses, BackendErrors, Problem};
use super::view::{ActionView, CandidateView, ExpectedTimes};
use crate::access::Right;
use crate::action::{
    Action, ActionId, ActionKind, AllDay, Answer, DeleteMode, Notify, Outcome, Refusal, Target, TimeRange,
};
use crate::calendar::{EventId, RoomAddress};
use crate::engine::Mode;
use crate::journal::{ActionRecord, ActionStatus, Position, Query};
use crate::service::Submission;

/// The longest a caller may wait.
const WAIT_MAX: Duration = Duration::from_secs(60);
/// Longest reason: it goes into a mail.
const REASON_MAX: usize = 1_000;
/// The longest extension or booking.
const MINUTES_MAX: u16 = 1_440;
const PAGE_DEFAULT: usize = 50;
pub(super) const PAGE_MAX: usize = 500;

/// How a request is carried out.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes headers, which are read one by one")]
pub(super) struct ActionHeaders {
    /// Asking twice with it is asking once: 1 to 180 printable ASCII characters without blanks.
    #[param(rename = "Idempotency-Key", max_length = 180)]
    idempotency_key: Option<String>,
    /// `wait=SECONDS`: answer within that time.
    #[param(rename = "Prefer")]
    prefer: Option<String>,
}

/// About which event, and how.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EndEventRequest {
    /// The event's id; without it, what is on.
    event: Option<String>,
    /// What the display showed: an event that has changed since is left alone. Needs `event`.
    #[schema(value_type = Option<ExpectedTimes>)]
    seen: Option<JsonObject<ExpectedTimes>>,
    /// Do not tell the attendees of a meeting that the room itself organized.
    #[serde(default)]
    silent: bool,
    /// Do it to an all-day event too.
    #[serde(default)]
    all_day: bool,
    /// Kept for the audit; told to people where a message is sent.
    #[schema(max_length = 1000)]
    reason: Option<String>,
    /// Do everything but the write, and say what would be done.
    #[serde(default)]
    dry_run: bool,
}

/// By how much.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ExtendEventRequest {
    /// So many minutes, until the next event at most.
    #[schema(minimum = 1, maximum = 1440)]
    minutes: u16,
    /// The event's id; without it, what is on.
    event: Option<String>,
    /// What the display showed: an event that has changed since is left alone. Needs `event`.
    #[schema(value_type = Option<ExpectedTimes>)]
    seen: Option<JsonObject<ExpectedTimes>>,
    /// Kept for the audit.
    #[schema(max_length = 1000)]
    reason: Option<String>,
    /// Do everything but the write, and say what would be done.
    #[serde(default)]
    dry_run: bool,
}

/// For how long.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BookRoomRequest {
    /// So many minutes from now, until the next event at most.
    #[schema(minimum = 1, maximum = 1440)]
    minutes: u16,
    /// Kept for the audit.
    #[schema(max_length = 1000)]
    reason: Option<String>,
    /// Do everything but the write, and say what would be done.
    #[serde(default)]
    dry_run: bool,
}

/// Why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UndoActionRequest {
    /// Kept for the audit.
    #[schema(max_length = 1000)]
    reason: Option<String>,
    /// Do everything but the write, and say what would be done.
    #[serde(default)]
    dry_run: bool,
}

impl EndEventRequest {
    fn into_request(self, ask: ActionKind) -> Result<ActionRequest, Problem> {
        let target = target(self.event, self.seen)?;
        Ok(ActionRequest { ask, target, all_day: self.all_day, reason: self.reason, dry_run: self.dry_run })
    }
}

/// What a request asks for, besides who asks.
struct ActionRequest {
    ask: ActionKind,
    target: Target,
    all_day: bool,
    reason: Option<String>,
    dry_run: bool,
}

/// End what is on, now.
#[utoipa::path(post, path = "/v1/rooms/{room}/end", tag = "actions",
    params(("room" = String, Path, description = "SMTP address"), ActionHeaders),
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

/// Take an event off the calendar: decline, cancel or remove it, as its copy demands.
#[utoipa::path(post, path = "/v1/rooms/{room}/delete", tag = "actions",
    params(("room" = String, Path, description = "SMTP address"), ActionHeaders),
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

/// Let what is on last longer.
#[utoipa::path(post, path = "/v1/rooms/{room}/extend", tag = "actions",
    params(("room" = String, Path, description = "SMTP address"), ActionHeaders),
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
    let wish = ActionRequest { ask, target, all_day: false, reason: asked.reason, dry_run: asked.dry_run };
    perform(&api, &caller, &room, &headers, wish).await
}

/// Book a free room from now on.
#[utoipa::path(post, path = "/v1/rooms/{room}/book", tag = "actions",
    params(("room" = String, Path, description = "SMTP address"), ActionHeaders),
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
    let wish = ActionRequest { ask, target, all_day: false, reason, dry_run: asked.dry_run };
    perform(&api, &caller, &room, &headers, wish).await
}

/// Put back what an action changed. Asks the right `undo`, and the same as reading the action.
#[utoipa::path(post, path = "/v1/actions/{action}/undo", tag = "actions",
    params(("action" = Uuid, Path, description = "The action to undo"), ActionHeaders),
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
    let life = api.service.engine.journal().action_record(of).await?;
    let life =
        life.filter(|life| caller.may_read(&life.action)).ok_or_else(|| Problem::not_found("action"))?;
    let (ask, target) = (ActionKind::Undo { of }, Target::Current);
    let wish = ActionRequest { ask, target, all_day: true, reason: asked.reason, dry_run: asked.dry_run };
    perform(&api, &caller, life.action.room.as_str(), &headers, wish).await
}

async fn perform(
    api: &Api,
    caller: &Caller,
    room: &str,
    headers: &HeaderMap,
    wish: ActionRequest,
) -> Result<Response, Problem> {
    let room = api.visible_room(caller, room)?;
    if wish.reason.as_ref().is_some_and(|reason| reason.chars().count() > REASON_MAX) {
        return Err(Problem::bad_request(format!("reason has at most {REASON_MAX} characters")));
    }
    let action = Action {
        id: ActionId::random(),
        room: room.clone(),
        target: wish.target,
        kind: wish.ask,
        actor: caller.actor(),
        reason: wish.reason,
        all_day: if wish.all_day { AllDay::Include } else { AllDay::Spare },
        key: caller.idempotency_key(headers)?,
    };
    if let Some(key) = &action.key
        && api.service.check_ins.has(key, api.service.now())
    {
        return Err(Problem::key_reused());
    }
    let mode = if wish.dry_run { Mode::DryRun } else { Mode::Perform };
    let patience = preferred_wait(headers).unwrap_or(api.options().deadline);
    let answer = match api.service.actions.submit(action.clone(), mode, patience).await {
        Submission::Completed(answer) => answer,
        Submission::InProgress(id) => {
            return Ok(accepted_response(ActionView::under_way(id.0, room.to_string())));
        }
        Submission::JournalFailed(error) => return Err(error.into()),
        Submission::ShuttingDown => return Err(Problem::shutting_down()),
        Submission::ShareExhausted(exhausted) => return Err(Problem::share_exhausted("actions", exhausted)),
    };
    if answer.is_in_doubt() {
        return Ok(accepted_response(ActionView::in_doubt(answer.action.0, room.to_string())));
    }
    api.metrics.count_action(&answer.outcome);
    if let Some(problem) = Problem::from_outcome(answer.action, &answer.outcome) {
        return Err(redact_refusal(api, caller, &action, &answer, problem).await?);
    }
    let action = Action { id: answer.action, ..action };
    let view = ActionView::answered(&action, &answer.outcome, answer.repeated, caller.naming());
    Ok(Json(view).into_response())
}

/// The problem as this caller may know it.
async fn redact_refusal(
    api: &Api,
    caller: &Caller,
    asked: &Action,
    answer: &Answer,
    mut problem: Problem,
) -> Result<Problem, Problem> {
    if answer.action != asked.id {
        // An earlier one, under the same idempotency key.
        problem.action = caller.visible_action(api, problem.action).await?;
    }
    if let Outcome::Refused { refusal } = &answer.outcome
        && refusal.named_action().is_some()
    {
        problem.detail = refusal.message(caller.naming()).into();
    }
    problem.candidates = candidates(api, &asked.room, &answer.outcome).await;
    Ok(problem)
}

/// The events that an ambiguous wish may have meant, with names where the room's calendar can be read.
async fn candidates(api: &Api, room: &RoomAddress, outcome: &Outcome) -> Option<Box<[CandidateView]>> {
    let Outcome::Refused { refusal: Refusal::Ambiguous { events } } = outcome else { return None };
    let kept = api.service.rooms.get(room, api.service.options().max_state_age).await;
    let known = kept.map_or_else(|_| Arc::default(), |kept| kept.events);
    let subjects = api.options().subjects;
    Some(events.iter().map(|seen| CandidateView::of(seen, &known, subjects)).collect())
}

fn accepted_response(view: ActionView) -> Response {
    let location = format!("/v1/actions/{}", view.action);
    (StatusCode::ACCEPTED, [(header::LOCATION, location), (header::RETRY_AFTER, "1".to_owned())], Json(view))
        .into_response()
}

fn check_minutes(minutes: u16) -> Result<u16, Problem> {
    match minutes {
        1..=MINUTES_MAX => Ok(minutes),
        _ => Err(Problem::bad_request(format!("minutes is between 1 and {MINUTES_MAX}"))),
    }
}

fn target(event: Option<String>, seen: Option<JsonObject<ExpectedTimes>>) -> Result<Target, Problem> {
    let seen = seen.map(|JsonObject(seen)| TimeRange { start: seen.start, end: seen.end });
    match (event, seen) {
        (None, None) => Ok(Target::Current),
        (None, Some(_)) => Err(Problem::bad_request("seen needs the event's id too")),
        (Some(id), _) if id.is_empty() || id.len() > EVENT_ID_MAX => {
            Err(Problem::bad_request(format!("event has 1 to {EVENT_ID_MAX} bytes")))
        }
        (Some(id), seen) => Ok(Target::Event { id: EventId::new(id), seen }),
    }
}

/// Exchange's ids have some hundred bytes, all of them ASCII.
const EVENT_ID_MAX: usize = 2_000;

/// `Prefer: wait=SECONDS`, the first of them (RFC 7240, 2 and 4.3). A preference that is not understood is ignored, and so are the
/// parameters of one.
pub(super) fn preferred_wait(headers: &HeaderMap) -> Option<Duration> {
    let preferences = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    let mut waits = preferences.flat_map(|text| text.split(',')).filter_map(|one| {
        let preference = one.split(';').next().unwrap_or_default();
        let (name, value) = preference.split_once('=')?;
        name.trim().eq_ignore_ascii_case("wait").then(|| value.trim().trim_matches('"'))
    });
    let seconds = waits.next()?;
    let is_number = !seconds.is_empty() && seconds.bytes().all(|byte| byte.is_ascii_digit());
    // More digits than a number holds are longer than the longest wait.
    is_number.then(|| seconds.parse().map_or(WAIT_MAX, Duration::from_secs).min(WAIT_MAX))
}

/// What became of an action.
///
/// With the right `audit`, any action in the rooms the key may know of; with `cleanup`, those of sweeps; without either, the key's
/// own.
#[utoipa::path(get, path = "/v1/actions/{action}", tag = "actions",
    params(("action" = Uuid, Path, description = "Its name")),
    responses((status = 200, body = ActionView), BackendErrors),
)]
pub(super) async fn get(
    State(api): State<Api>,
    caller: Caller,
    PathParams(action): PathParams<Uuid>,
) -> Result<Json<ActionView>, Problem> {
    caller.require(Right::Read)?;
    let id = ActionId(action);
    if let Some(life) = api.service.engine.journal().action_record(id).await? {
        return if caller.may_read(&life.action) {
            Ok(Json(ActionView::of(&life, caller.naming())))
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
    let waiting = api.service.actions.find_running(id);
    waiting
        .filter(|(room, actor)| caller.may_read_actions(room, Some(actor)))
        .map(|(room, _)| Json(ActionView::under_way(action, room.to_string())))
        .ok_or_else(|| Problem::not_found("action"))
}

/// Which actions.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ActionQuery {
    /// In this room.
    #[param(value_type = Option<String>)]
    room: Option<String>,
    /// Asked at this time or later.
    since: Option<DateTime<Utc>>,
    /// Asked before this time.
    until: Option<DateTime<Utc>>,
    /// Asked by this user, key or rule.
    #[param(value_type = Option<String>)]
    actor: Option<String>,
    /// `open`, `done`, `already-done`, `refused` or `needs-attention`.
    #[param(value_type = Option<String>)]
    state: Option<String>,
    /// `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<String>,
    /// At most so many; 1 to 500.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<usize>,
}

/// Some actions.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ActionPage {
    /// The newest first by the time they were taken on. A page may have fewer than `limit`, or none, and still a cursor: one
    /// request looks at 5000 actions at most.
    actions: Vec<ActionView>,
    /// Goes on with the next page; null on the last. Opaque, and valid until the service restarts.
    next_cursor: Option<String>,
}

/// The record: who asked for what, and what became of it.
///
/// With the right `audit`, all actions in the rooms the key may know of; with `cleanup`, those of sweeps; without either, the
/// key's own.
#[utoipa::path(get, path = "/v1/actions", tag = "actions", params(ActionQuery), responses((status = 200, body = ActionPage), BackendErrors))]
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Params(filter): Params<ActionQuery>,
) -> Result<Json<ActionPage>, Problem> {
    caller.require(Right::Read)?;
    let limit = page_size(filter.limit, PAGE_DEFAULT, PAGE_MAX)?;
    let room = filter.room.as_deref().map(|room| api.visible_room(&caller, room)).transpose()?;
    let ending = match filter.state.as_deref() {
        None => None,
        Some(text) => Some(
            ActionStatus::from_name(text)
                .ok_or_else(|| Problem::bad_request("state is none of the words for one"))?,
        ),
    };
    let others = caller.require(Right::Audit).is_ok() || caller.require(Right::Cleanup).is_ok();
    let actor = if others { filter.actor } else { Some(caller.name().to_owned()) };
    let (since, until) = (filter.since, filter.until);
    let query = Query { room, since, until, actor, status: ending, ..Query::default() };
    let after = filter.cursor.as_deref().map(cursor::open).transpose()?;
    let (lives, next) = read_page(&api, &caller, query, after, limit).await?;
    let actions = lives.iter().map(|life| ActionView::of(life, caller.naming())).collect();
    Ok(Json(ActionPage { actions, next_cursor: next.and_then(cursor::seal) }))
}

/// The actions of one page that the caller may know of, and where the next one begins.
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
        // One more than fits, so that a full page knows whether it is the last.
        let query = Query { limit: Some(limit + 1 - found.len()), ..query.clone() };
        let page = journal.page(&query, after, EXAMINED_PER_QUERY.min(left)).await?;
        left = left.saturating_sub(page.examined);
        for (position, life) in page.records.into_iter().filter(|(_, life)| caller.may_read(&life.action)) {
            if found.len() == limit {
                return Ok((found, last));
            }
            last = Some(position);
            found.push(life);
        }
        if page.next.is_none() || left == 0 {
            return Ok((found, page.next));
        }
        after = page.next;
    }
}

/// Actions that one request looks at, whether they are shown or not: some 20 ms on a small machine. Then the answer has a
/// cursor, and as many actions as were found until there.
const EXAMINED_MAX: usize = 5_000;
/// Looked at by one statement, so that readers of the audit take turns.
const EXAMINED_PER_QUERY: usize = 500;
