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
use super::event_view::EventView;
use super::extract::{JsonBody, JsonObject, PathParams};
use super::problem::{InvalidMember, Problem};
use super::problem_type::ProblemType;
use super::responses::{BodyErrors, ClientErrors, NotFound};
use super::state::Api;
use super::view::ChangeView;
use crate::access::Right;
use crate::action::Naming;
use crate::calendar::{Copy, EventId, RoomAddress};
use crate::cleanup::{
    EvaluatedEvent, KeepReason, PlanEvidence, ReleaseMethod, ReleasePreview, SweepPlan, Verdict,
};
use crate::journal::ActionStatus;
use crate::service::{NotApplied, SweepPhase, SweepState, SweepView};
use crate::timestamp::Timestamp;

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

/// Events of the plan that are left out.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ApplySweepRequest {
    /// Events that the plan would release, and that are kept. Default: none. They count for the limits of a sweep all the same.
    #[schema(value_type = Option<Vec<LeftOutEvent>>)]
    except: Option<Vec<JsonObject<LeftOutEvent>>>,
}

/// An event of the plan.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LeftOutEvent {
    /// The room's SMTP address.
    #[schema(example = "room-aurora@example.com")]
    room: String,
    /// The event's id, as the plan has it.
    event: String,
}

/// A sweep: its progress, plan and results.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SweepStatusView {
    /// The sweep's id.
    id: Uuid,
    /// When the sweep was started.
    started_at: Timestamp,
    /// The state of the sweep.
    state: SweepState,
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
    /// The evidence when the plan was made; null before that, and when the sweep ended early.
    evidence: Option<EvidenceBasisView>,
    /// Every event that was read, with the decision about it.
    events: Vec<SweepEventView>,
    /// The results of the actions.
    applied: Vec<AppliedView>,
}

/// The evidence that a plan rests on, in its rooms with the rule on check-ins.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EvidenceBasisView {
    /// Rooms of the plan with the rule on check-ins. The other counts are of these rooms.
    rooms: usize,
    /// Rooms that a source watched when the plan was made.
    watched: usize,
    /// Rooms that have sources, all of them silent for too long.
    silent: usize,
    /// Rooms without a source: they keep their meetings.
    without_source: usize,
    /// Signs of presence that the service has of these rooms; repeated signs of a source within an hour count as one.
    signs: usize,
    /// Time of the oldest of them.
    oldest_sign: Option<Timestamp>,
    /// Time of the newest of them.
    newest_sign: Option<Timestamp>,
    /// Since when the service has received signs without a pause. Absence before this time is not known.
    receiving_since: Option<Timestamp>,
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
    event: EventView,
    /// The room's copy of the event; null where Exchange did not report it, and then the event is kept.
    copy: Option<Copy>,
    /// Whether applying the sweep acts on the event.
    acts: bool,
    /// How the event is released; null if it is kept.
    how: Option<ReleaseMethod>,
    /// Why the event is acted on, or kept.
    reason: String,
    /// Whether the caller that applied the plan left the event out.
    left_out: bool,
    /// What the release would change, as a dry run of it says; null if the event is kept or `refusal` says why nothing would be changed.
    /// Of a whole series: the change of this date.
    change: Option<ChangeView>,
    /// Number of messages that Exchange would send; null where it is not known: Adjourn does not read the attendees, and a series sends
    /// one for each changed date.
    messages: Option<u32>,
    /// Why the release would be refused, or change nothing.
    refusal: Option<String>,
}

/// The result of one action.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AppliedView {
    /// The room's SMTP address.
    pub(crate) room: String,
    /// The action's id.
    action_id: Uuid,
    /// What became of the action.
    pub(crate) state: ActionStatus,
    /// The outcome in a sentence.
    pub(crate) message: String,
    /// The type of the problem of an action that was refused or needs attention.
    problem_type: Option<ProblemType>,
}

/// Plan a sweep.
///
/// Changes nothing in Exchange. Poll the address in `Location` for progress.
#[utoipa::path(post, path = "/v1/sweeps", operation_id = "planSweep", tag = "sweeps", request_body = Option<PlanSweepRequest>,
    responses(
        (status = 202, description = "The sweep is being planned", body = SweepStatusView,
            headers(("Location" = String, description = "Address of the sweep"))),
        ClientErrors,
        NotFound,
        BodyErrors,
    ),
)]
pub(super) async fn begin(
    State(api): State<Api>,
    caller: Caller,
    JsonBody(asked): JsonBody<PlanSweepRequest>,
) -> Result<Response, Problem> {
    caller.require(Right::Cleanup)?;
    let rooms = match asked.rooms {
        Some(rooms) if rooms.len() > ROOMS_MAX => {
            let detail = format!("`rooms` is too long: at most {ROOMS_MAX} rooms are allowed.");
            return Err(Problem::invalid_member("/rooms", detail));
        }
        Some(rooms) => find_rooms(&api, &caller, &rooms)?,
        None => caller.visible_rooms(&api).into_iter().collect(),
    };
    let rooms: BTreeSet<RoomAddress> = rooms;
    let view = api.service.plan_sweep(caller.name().to_owned(), rooms.into_iter().collect());
    let view = view.map_err(|exhausted| Problem::share_exhausted("sweeps", exhausted))?;
    Ok(accepted(&api, &caller, &view))
}

/// Parses the rooms. The error names the first entries that are not rooms that the caller can see.
fn find_rooms(api: &Api, caller: &Caller, rooms: &[String]) -> Result<BTreeSet<RoomAddress>, Problem> {
    let (mut found, mut unknown) = (BTreeSet::new(), Vec::new());
    for (index, room) in rooms.iter().enumerate() {
        match caller.visible_room(api, room) {
            Some(room) => drop(found.insert(room)),
            None => unknown.push(index),
        }
    }
    match unknown.len() {
        0 => Ok(found),
        count => {
            unknown.truncate(UNKNOWN_SHOWN);
            let shown: Vec<_> = unknown.iter().map(|index| format!("rooms[{index}]")).collect();
            let (all, shown) = (rooms.len(), shown.join(", "));
            let detail = format!("This key can see no room for {count} of {all} entries: {shown}.");
            let error = |index| InvalidMember {
                pointer: format!("/rooms/{index}"),
                detail: "This key can see no room with that address.".to_owned(),
            };
            Err(Problem::unknown_rooms(detail, unknown.into_iter().map(error).collect()))
        }
    }
}

/// Get a sweep's progress, plan and results.
#[utoipa::path(get, path = "/v1/sweeps/{sweep}", operation_id = "getSweep", tag = "sweeps",
    params(("sweep" = Uuid, Path, description = "Id of the sweep")),
    responses((status = 200, description = "The sweep", body = SweepStatusView), ClientErrors, NotFound),
)]
pub(super) async fn get(
    State(api): State<Api>,
    caller: Caller,
    PathParams(sweep): PathParams<Uuid>,
) -> Result<Json<SweepStatusView>, Problem> {
    Ok(Json(SweepStatusView::of(&api, &find(&api, &caller, sweep)?, caller.naming())))
}

/// Apply a sweep's plan, once.
///
/// Every event is read and evaluated again before it is acted on. Events in `except` are kept.
#[utoipa::path(post, path = "/v1/sweeps/{sweep}/apply", operation_id = "applySweep", tag = "sweeps",
    params(("sweep" = Uuid, Path, description = "Id of the sweep")), request_body = Option<ApplySweepRequest>,
    responses(
        (status = 202, description = "The plan is being applied", body = SweepStatusView,
            headers(("Location" = String, description = "Address of the sweep"))),
        (status = 409, description = "The sweep has no complete plan, or was applied already", body = Problem,
            content_type = "application/problem+json"),
        (status = 422, description = "The plan does not release an event in `except`", body = Problem,
            content_type = "application/problem+json"),
        ClientErrors,
        NotFound,
        BodyErrors,
    ),
)]
pub(super) async fn apply(
    State(api): State<Api>,
    caller: Caller,
    PathParams(sweep): PathParams<Uuid>,
    JsonBody(asked): JsonBody<ApplySweepRequest>,
) -> Result<Response, Problem> {
    let SweepPhase::Planned(plan) = find(&api, &caller, sweep)?.phase else {
        return Err(Problem::not_planned());
    };
    let left_out = find_events(&plan, &asked.except.unwrap_or_default())?;
    api.service.apply_sweep(sweep, caller.name(), &left_out).map_err(|error| match error {
        NotApplied::NotPlanned => Problem::not_planned(),
        NotApplied::TooMany(exhausted) => Problem::share_exhausted("sweeps", exhausted),
    })?;
    Ok(accepted(&api, &caller, &find(&api, &caller, sweep)?))
}

/// Finds the events among those that the plan releases. The error names the first entries that are not among them.
fn find_events(
    plan: &SweepPlan,
    except: &[JsonObject<LeftOutEvent>],
) -> Result<BTreeSet<(RoomAddress, EventId)>, Problem> {
    let released: BTreeSet<_> =
        plan.actions().map(|(room, evaluated)| (room.clone(), evaluated.event.id.clone())).collect();
    let (mut found, mut unknown) = (BTreeSet::new(), Vec::new());
    for (index, JsonObject(LeftOutEvent { room, event })) in except.iter().enumerate() {
        let named = room.parse().ok().zip(event.parse().ok()).filter(|named| released.contains(named));
        match named {
            Some(named) => drop(found.insert(named)),
            None => unknown.push(index),
        }
    }
    if unknown.is_empty() {
        return Ok(found);
    }
    let detail =
        format!("The plan releases no such event for {} of {} entries.", unknown.len(), except.len());
    let error = |index| InvalidMember {
        pointer: format!("/except/{index}"),
        detail: "The plan releases no event with this id in this room.".to_owned(),
    };
    Err(Problem::not_in_plan(detail, unknown.into_iter().take(UNKNOWN_SHOWN).map(error).collect()))
}

/// Finds a sweep. The caller must be able to see all of its rooms.
fn find(api: &Api, caller: &Caller, id: Uuid) -> Result<SweepView, Problem> {
    caller.require(Right::Cleanup)?;
    let view = api.service.sweeps.get(id);
    view.filter(|view| view.rooms.iter().all(|room| caller.can_see(room)))
        .ok_or_else(|| Problem::not_found("sweep"))
}

fn accepted(api: &Api, caller: &Caller, view: &SweepView) -> Response {
    let location = format!("/v1/sweeps/{}", view.id);
    let body = SweepStatusView::of(api, view, caller.naming());
    (StatusCode::ACCEPTED, [(header::LOCATION, location)], Json(body)).into_response()
}

impl SweepStatusView {
    fn of(api: &Api, view: &SweepView, naming: Naming) -> Self {
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
            started_at: view.begun_at.into(),
            state: view.phase.state(),
            message,
            done,
            total,
            unread_rooms: plan.map_or(0, |plan| plan.unreadable_rooms()),
            unread: plan.map_or_else(Vec::new, |plan| unread_rooms(plan)),
            evidence: plan.and_then(|plan| plan.evidence).map(EvidenceBasisView::from),
            events: plan.map_or_else(Vec::new, |plan| event_views(api, plan)),
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

fn event_views(api: &Api, plan: &SweepPlan) -> Vec<SweepEventView> {
    let events = plan.rooms.iter().flat_map(|room| room.events.iter().map(move |one| (&room.room, one)));
    events.map(|(room, evaluated)| SweepEventView::of(api, room, evaluated, plan.made_at)).collect()
}

impl SweepEventView {
    fn of(api: &Api, room: &RoomAddress, evaluated: &EvaluatedEvent, planned_at: DateTime<Utc>) -> Self {
        let (how, reason, left_out) = match &evaluated.verdict {
            Verdict::Act { how, why, .. } => (Some(*how), why.clone(), false),
            Verdict::Keep { why } => (None, why.to_string(), matches!(why, KeepReason::LeftOut { .. })),
        };
        let read = evaluated.read.as_deref();
        let event = read.map(|event| EventView::of(event, api.options().subjects));
        let (change, messages, refusal) =
            match evaluated.preview_release(room, &api.service.engine, planned_at) {
                Some(ReleasePreview::Change { done, messages }) => {
                    (Some(ChangeView::from(&*done)), messages, None)
                }
                Some(ReleasePreview::NoChange(why)) => (None, None, Some(why)),
                None => (None, None, None),
            };
        Self {
            room: room.to_string(),
            event: event.unwrap_or_else(|| EventView::of_snapshot(&evaluated.event)),
            copy: read.and_then(|event| event.copy),
            acts: how.is_some(),
            how,
            reason,
            left_out,
            change,
            messages,
            refusal,
        }
    }
}

impl From<PlanEvidence> for EvidenceBasisView {
    fn from(evidence: PlanEvidence) -> Self {
        Self {
            rooms: evidence.rooms,
            watched: evidence.watched,
            silent: evidence.silent,
            without_source: evidence.without_source,
            signs: evidence.signs,
            oldest_sign: evidence.oldest_sign.map(Timestamp::from),
            newest_sign: evidence.newest_sign.map(Timestamp::from),
            receiving_since: evidence.receiving_since.map(Timestamp::from),
        }
    }
}

impl AppliedView {
    pub(crate) fn of(one: &crate::cleanup::AppliedAction, naming: Naming) -> Self {
        let message = one.outcome.message(naming);
        let problem = Problem::from_outcome(one.action, &one.outcome);
        Self {
            room: one.room.to_string(),
            action_id: one.action.0,
            state: ActionStatus::from(&one.outcome),
            message,
            problem_type: problem.map(|problem| problem.kind),
        }
    }
}

impl Problem {
    /// The sweep has no complete plan, or was applied already.
    fn not_planned() -> Self {
        let detail = "A sweep can be applied once, when its plan is complete.";
        Self::conflict(ProblemType::NotPlanned, "The sweep cannot be applied now", detail)
    }

    /// Entries of a list in the body name events that the plan does not release.
    fn not_in_plan(detail: String, errors: Vec<InvalidMember>) -> Self {
        Self {
            errors: errors.into(),
            next: "read the sweep again, and send room and id of events that it would release (`acts`)",
            ..Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                ProblemType::NotInPlan,
                "The plan does not release these events",
                detail,
            )
        }
    }
}
