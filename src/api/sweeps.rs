//! Handlers of sweeps: plan one, get its plan and progress, apply it once.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::caller::Caller;
use super::extract::{JsonBody, PathParams};
use super::problem::{ClientErrors, Problem};
use super::state::Api;
use super::view::EventSnapshotView;
use crate::access::Right;
use crate::action::Naming;
use crate::calendar::RoomAddress;
use crate::cleanup::{SweepPlan, Verdict};
use crate::service::{NotApplied, SweepPhase, SweepView};

/// Rooms per sweep.
const ROOMS_MAX: usize = 10_000;

/// Unknown rooms that a problem names.
const UNKNOWN_SHOWN: usize = 20;

/// The rooms to sweep.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PlanSweepRequest {
    /// SMTP addresses. Default: all rooms that the key can see.
    #[schema(max_items = 10000)]
    rooms: Option<Vec<String>>,
}

/// A sweep: its progress, plan and results.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SweepStatusView {
    /// The sweep's id.
    id: Uuid,
    /// When the sweep was started.
    started_at: DateTime<Utc>,
    /// `planning`, `planned`, `applying`, `applied`, `stopped` or `failed`.
    state: &'static str,
    /// Why the sweep stopped or failed.
    message: Option<String>,
    /// Steps done in this state.
    done: usize,
    /// Steps in total in this state.
    total: usize,
    /// Number of rooms that could not be read.
    unread_rooms: usize,
    /// The rooms that could not be read completely, and why.
    unread: Vec<UnreadRoomView>,
    /// Every event that was read, with the decision about it.
    events: Vec<SweepEventView>,
    /// The results of the actions.
    applied: Vec<AppliedView>,
}

/// A room that could not be read completely.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct UnreadRoomView {
    /// The room's SMTP address.
    room: String,
    /// The reason.
    reason: String,
}

/// An event and the decision about it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SweepEventView {
    /// The room's SMTP address.
    room: String,
    /// The event.
    event: EventSnapshotView,
    /// Whether applying the sweep acts on the event.
    acts: bool,
    /// The action: `decline`, `remove` or `end`; null if the event is kept.
    how: Option<String>,
    /// Why the event is acted on, or kept.
    reason: String,
}

/// The result of one action.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AppliedView {
    /// The room's SMTP address.
    room: String,
    /// The action's id.
    action_id: Uuid,
    /// The outcome in a sentence.
    message: String,
}

/// Plan a sweep.
///
/// Changes nothing in Exchange. Poll the address in `Location` for progress.
#[utoipa::path(post, path = "/v1/sweeps", tag = "sweeps", request_body = Option<PlanSweepRequest>, responses((status = 202, body = SweepStatusView), ClientErrors))]
pub(super) async fn begin(
    State(api): State<Api>,
    caller: Caller,
    JsonBody(asked): JsonBody<PlanSweepRequest>,
) -> Result<Response, Problem> {
    caller.require(Right::Cleanup)?;
    let rooms = match asked.rooms {
        Some(rooms) if rooms.len() > ROOMS_MAX => {
            return Err(Problem::bad_request(format!(
                "`rooms` is too long: at most {ROOMS_MAX} rooms are allowed."
            )));
        }
        Some(rooms) => find_rooms(&api, &caller, &rooms)?,
        None => api.service.engine.scope().rooms().filter(|room| caller.can_see(room)).cloned().collect(),
    };
    let rooms: BTreeSet<RoomAddress> = rooms;
    let view = api.service.plan_sweep(caller.name().to_owned(), rooms.into_iter().collect());
    let view = view.map_err(|exhausted| Problem::share_exhausted("sweeps", exhausted))?;
    Ok(accepted(&view, caller.naming()))
}

/// Parses the rooms. The error names the index of every entry that is not a room that the caller can see.
fn find_rooms(api: &Api, caller: &Caller, rooms: &[String]) -> Result<BTreeSet<RoomAddress>, Problem> {
    let (mut found, mut unknown) = (BTreeSet::new(), Vec::new());
    for (index, room) in rooms.iter().enumerate() {
        match caller.visible_room(api, room) {
            Some(room) => drop(found.insert(room)),
            None => unknown.push(format!("rooms[{index}]")),
        }
    }
    match unknown.len() {
        0 => Ok(found),
        count => {
            let shown: Vec<_> = unknown.into_iter().take(UNKNOWN_SHOWN).collect();
            Err(Problem::unknown_rooms(format!(
                "This key can see no room for {count} of {} entries: {}.",
                rooms.len(),
                shown.join(", ")
            )))
        }
    }
}

/// Get a sweep's progress, plan and results.
#[utoipa::path(get, path = "/v1/sweeps/{sweep}", tag = "sweeps",
    params(("sweep" = Uuid, Path, description = "Id of the sweep")), responses((status = 200, body = SweepStatusView), ClientErrors))]
pub(super) async fn get(
    State(api): State<Api>,
    caller: Caller,
    PathParams(sweep): PathParams<Uuid>,
) -> Result<Json<SweepStatusView>, Problem> {
    Ok(Json(SweepStatusView::of(&find(&api, &caller, sweep)?, caller.naming())))
}

/// Apply a sweep's plan, once.
///
/// Every event is read and evaluated again before it is acted on.
#[utoipa::path(post, path = "/v1/sweeps/{sweep}/apply", tag = "sweeps",
    params(("sweep" = Uuid, Path, description = "Id of the sweep")), responses((status = 202, body = SweepStatusView), ClientErrors))]
pub(super) async fn apply(
    State(api): State<Api>,
    caller: Caller,
    PathParams(sweep): PathParams<Uuid>,
) -> Result<Response, Problem> {
    find(&api, &caller, sweep)?;
    api.service.apply_sweep(sweep, caller.name()).map_err(|error| match error {
        NotApplied::NotPlanned => Problem::not_planned(),
        NotApplied::TooMany(exhausted) => Problem::share_exhausted("sweeps", exhausted),
    })?;
    Ok(accepted(&find(&api, &caller, sweep)?, caller.naming()))
}

/// Finds a sweep. The caller must be able to see all of its rooms.
fn find(api: &Api, caller: &Caller, id: Uuid) -> Result<SweepView, Problem> {
    caller.require(Right::Cleanup)?;
    let view = api.service.sweeps.get(id);
    view.filter(|view| view.rooms.iter().all(|room| caller.can_see(room)))
        .ok_or_else(|| Problem::not_found("sweep"))
}

fn accepted(view: &SweepView, naming: Naming) -> Response {
    let location = format!("/v1/sweeps/{}", view.id);
    (StatusCode::ACCEPTED, [(header::LOCATION, location)], Json(SweepStatusView::of(view, naming)))
        .into_response()
}

impl SweepStatusView {
    fn of(view: &SweepView, naming: Naming) -> Self {
        let (plan, message) = match &view.phase {
            SweepPhase::Planning => (None, None),
            SweepPhase::Planned(plan) => (Some(plan), plan.stop.map(|stop| stop.to_string())),
            SweepPhase::Applying(plan) | SweepPhase::Applied(plan, _) => (Some(plan), None),
            SweepPhase::Stopped(plan, stop) => (Some(plan), Some(stop.to_string())),
            SweepPhase::Failed(why, _) => (None, Some(why.clone())),
        };
        let applied = match &view.phase {
            SweepPhase::Applied(_, applied) | SweepPhase::Failed(_, applied) => {
                applied.iter().map(|one| AppliedView::of(one, naming)).collect()
            }
            _ => Vec::new(),
        };
        let (done, total) = view.progress;
        Self {
            id: view.id,
            started_at: view.begun_at,
            state: view.phase.as_str(),
            message,
            done,
            total,
            unread_rooms: plan.map_or(0, |plan| plan.unreadable_rooms()),
            unread: plan.map_or_else(Vec::new, |plan| unread_rooms(plan)),
            events: plan.map_or_else(Vec::new, |plan| event_views(plan)),
            applied,
        }
    }
}

fn unread_rooms(plan: &SweepPlan) -> Vec<UnreadRoomView> {
    let unread = plan.rooms.iter().filter_map(|room| {
        let reason = room.trouble.clone()?;
        Some(UnreadRoomView { room: room.room.to_string(), reason })
    });
    unread.collect()
}

fn event_views(plan: &SweepPlan) -> Vec<SweepEventView> {
    let events = plan.rooms.iter().flat_map(|room| room.events.iter().map(move |judged| (room, judged)));
    events
        .map(|(room, judged)| {
            let (how, reason) = match &judged.verdict {
                Verdict::Act { how, why, .. } => (Some(how.to_string()), why.clone()),
                Verdict::Keep { why } => (None, why.to_string()),
            };
            SweepEventView {
                room: room.room.to_string(),
                event: EventSnapshotView::from(&judged.event),
                acts: how.is_some(),
                how,
                reason,
            }
        })
        .collect()
}

impl AppliedView {
    fn of(one: &crate::cleanup::AppliedAction, naming: Naming) -> Self {
        let message = one.outcome.message(naming);
        Self { room: one.room.to_string(), action_id: one.action.0, message }
    }
}
