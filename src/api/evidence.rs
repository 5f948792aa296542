//! Handler of `POST /v1/evidence`: signs of presence in bulk, from sensors, badge readers, check-in services and calls. One
//! invalid sign does not reject the others; the response names it.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::caller::Caller;
use super::extract::{JsonBody, JsonObject};
use super::idempotency::{self, IdempotencyHeader};
use super::kept_answers::KeptAnswer;
use super::problem::Problem;
use super::responses::{BodyErrors, ClientErrors, KeyErrors};
use super::rooms::SOURCE_MAX;
use super::state::Api;
use crate::access::Right;
use crate::calendar::{RoomAddress, RoomPattern};
use crate::presence::{CLOCK_AHEAD_MAX, EVENT_REFERENCE_BYTES_MAX, EvidenceLimit, Sign as Evidence};
use crate::service::Intake;

/// Signs per request.
pub(super) const SIGNS_MAX: usize = 5_000;
/// Heartbeats per request.
pub(super) const HEARTBEATS_MAX: usize = 100;
/// Room patterns per heartbeat.
pub(super) const HEARTBEAT_ROOMS_MAX: usize = 100;
/// How long one request waits while Exchange resolves rooms by their aliases.
const ALIAS_LOOKUP_TIMEOUT: Duration = Duration::from_secs(3);

/// Signs of presence, and heartbeats of sources.
#[derive(Debug, Hash, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EvidenceRequest {
    /// Signs of presence.
    #[schema(max_items = 5000, value_type = Option<Vec<ReportedSign>>)]
    signs: Option<Vec<JsonObject<ReportedSign>>>,
    /// Sources that work and have nothing to report. A source without a sign or heartbeat for an hour (`cleanup.evidence`)
    /// watches no room, and no meeting in its rooms is released.
    #[schema(max_items = 100, value_type = Option<Vec<Heartbeat>>)]
    heartbeats: Option<Vec<JsonObject<Heartbeat>>>,
}

/// One sign of presence.
#[derive(Debug, Hash, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReportedSign {
    /// The room's SMTP address.
    #[schema(example = "room-aurora@example.com")]
    room: String,
    /// The event that the sign is about, if known: its id (EWS or Graph), UID or iCalUId. Default: the event that takes place at
    /// `at`.
    event: Option<String>,
    /// Time of the sign. Default: now.
    at: Option<DateTime<Utc>>,
    /// The kind of source: `motion`, `badge`, …
    #[schema(min_length = 1, max_length = 100, example = "motion")]
    source: String,
}

/// A heartbeat of one source.
#[derive(Debug, Hash, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Heartbeat {
    /// The source's name, as in its signs.
    #[schema(min_length = 1, max_length = 100, example = "motion")]
    source: String,
    /// The rooms that the source watches, as patterns such as `berlin-*@example.com`. Default: all rooms of this key.
    #[schema(max_items = 100)]
    rooms: Option<Vec<String>>,
}

/// The result for each sign.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EvidenceReceipt {
    /// Number of signs that were stored.
    accepted: usize,
    /// Of these, signs that match an event so far.
    matched: usize,
    /// Stored signs that name an event or time without a match. No meeting of their room is released that they may be about.
    unmatched: Vec<UnusedSign>,
    /// Signs that were not stored. If a limit on evidence is the reason, no meeting of the room is released that the sign may be
    /// about.
    rejected: Vec<UnusedSign>,
}

/// A sign that was not stored or not matched, and why.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct UnusedSign {
    /// Index in the request's `signs`, from 0.
    index: usize,
    /// The sign's room.
    room: String,
    /// The sign's event.
    event: Option<String>,
    /// Why.
    message: String,
}

/// Report signs of presence.
///
/// Signs for rooms that this key cannot see, or with an impossible time, are returned in `rejected`; the others are stored. A
/// room may be named by an alias (proxy address) or by a new primary address. Stored signs that match no event are returned in
/// `unmatched`. A sign of the same source for the same room and event within an hour is merged into the previous one. If a limit
/// on evidence rejects all signs, the response is `429` (`evidence-full`).
#[utoipa::path(post, path = "/v1/evidence", operation_id = "addEvidence", tag = "rooms",
    params(IdempotencyHeader),
    request_body = EvidenceRequest,
    responses(
        (status = 200, description = "The result for each sign", body = EvidenceReceipt),
        ClientErrors,
        BodyErrors,
        KeyErrors,
    ),
)]
pub(super) async fn add(
    State(api): State<Api>,
    caller: Caller,
    headers: HeaderMap,
    JsonBody(asked): JsonBody<EvidenceRequest>,
) -> Result<Response, Problem> {
    caller.require(Right::Evidence)?;
    let Some(key) = caller.idempotency_key(&headers)? else {
        return Ok(Json(store(&api, &caller, asked).await?).into_response());
    };
    let _lock = api.kept_answers.lock(&key).await;
    let (request, now) = (hash_of(&asked), api.service.now());
    let body = match api.kept_answers.get(&key, now) {
        Some(kept) if kept.request != request => return Err(Problem::key_reused()),
        Some(kept) => kept.body,
        None if idempotency::is_used_by_action_or_check_in(&api, &key).await? => {
            return Err(Problem::key_reused());
        }
        // A failed request is not kept: a retry is a new request.
        None => {
            let receipt = store(&api, &caller, asked).await?;
            let body = Bytes::from(serde_json::to_vec(&receipt).unwrap_or_default());
            let (caller, until) = (caller.id().clone(), now + api.service.engine.key_ttl());
            let answer = KeptAnswer { caller, request, body: body.clone(), until };
            api.kept_answers.keep(key, answer, now);
            body
        }
    };
    Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response())
}

fn hash_of(request: &EvidenceRequest) -> u64 {
    let mut hash = DefaultHasher::new();
    request.hash(&mut hash);
    hash.finish()
}

/// Stores the signs and heartbeats.
async fn store(api: &Api, caller: &Caller, asked: EvidenceRequest) -> Result<EvidenceReceipt, Problem> {
    let (signs, heartbeats) = check_request(asked)?;
    for JsonObject(heartbeat) in &heartbeats {
        record_heartbeat(api, caller, heartbeat);
    }
    let rooms = find_rooms(api, caller, &signs).await;
    let (mut kept, mut places, mut rejected) = (Vec::new(), Vec::new(), Vec::new());
    for (index, JsonObject(sign)) in signs.into_iter().enumerate() {
        match validate_sign(&sign, rooms.get(sign.room.as_str()), api.service.now()) {
            Ok(evidence) => {
                places.push((index, sign));
                kept.push(evidence.reported_by(caller.id().to_string()));
            }
            Err(error) => rejected.push(unused_sign(index, sign, error.to_string())),
        }
    }
    if let (true, Some(UnusedSign { index, message, .. })) = (kept.is_empty(), rejected.first()) {
        let detail = format!("No sign was stored. signs[{index}]: {message}.");
        return Err(Problem::invalid_member(format!("/signs/{index}"), detail));
    }
    let intake = api.service.add_signs(kept).await?;
    if let (0, Some((_, bound))) = (intake.kept, intake.refused.first()) {
        return Err(Problem::evidence_full(format!("No sign was stored: {}.", bound.reason())));
    }
    Ok(EvidenceReceipt::of(intake, places, rejected))
}

type SignsAndHeartbeats = (Vec<JsonObject<ReportedSign>>, Vec<JsonObject<Heartbeat>>);

/// Checks the lists' lengths and the heartbeats; each sign is checked by itself.
fn check_request(asked: EvidenceRequest) -> Result<SignsAndHeartbeats, Problem> {
    if asked.signs.is_none() && asked.heartbeats.is_none() {
        let detail = "The body has neither `signs` nor `heartbeats`: send at least one of them.";
        return Err(Problem::invalid_member("", detail));
    }
    let (signs, heartbeats) = (asked.signs.unwrap_or_default(), asked.heartbeats.unwrap_or_default());
    if signs.len() > SIGNS_MAX || heartbeats.len() > HEARTBEATS_MAX {
        let pointer = if signs.len() > SIGNS_MAX { "/signs" } else { "/heartbeats" };
        let detail = format!(
            "The request is too large: at most {SIGNS_MAX} signs and {HEARTBEATS_MAX} heartbeats are allowed."
        );
        return Err(Problem::invalid_member(pointer, detail));
    }
    for (index, JsonObject(heartbeat)) in heartbeats.iter().enumerate() {
        validate_heartbeat(index, heartbeat)?;
    }
    Ok((signs, heartbeats))
}

impl EvidenceReceipt {
    /// Builds the response from the intake's result and the signs that were rejected before it.
    fn of(intake: Intake, places: Vec<(usize, ReportedSign)>, mut rejected: Vec<UnusedSign>) -> Self {
        let mut unmatched: HashMap<usize, String> = intake.unmatched.into_iter().collect();
        let refused: HashMap<usize, EvidenceLimit> = intake.refused.into_iter().collect();
        let mut odd = Vec::new();
        for (kept, (index, sign)) in places.into_iter().enumerate() {
            if let Some(bound) = refused.get(&kept) {
                rejected.push(unused_sign(index, sign, bound.reason().to_owned()));
            } else if let Some(why) = unmatched.remove(&kept) {
                odd.push(unused_sign(index, sign, why));
            }
        }
        rejected.sort_by_key(|unused| unused.index);
        Self { accepted: intake.kept, matched: intake.matched, unmatched: odd, rejected }
    }
}

/// Why a sign cannot be stored.
#[derive(Debug, thiserror::Error)]
enum InvalidSign {
    #[error("this key can see no room with that address")]
    NoSuchRoom,
    #[error("`source` must have 1 to {SOURCE_MAX} characters")]
    SourceLength,
    #[error("`event` is too long: at most {EVENT_REFERENCE_BYTES_MAX} bytes are allowed")]
    EventTooLong,
    #[error("`at` is in the future ({0}): check the sensor's clock")]
    InFuture(DateTime<Utc>),
}

fn validate_source(source: &str) -> Result<(), InvalidSign> {
    let fits = (1..=SOURCE_MAX).contains(&source.chars().count());
    if fits { Ok(()) } else { Err(InvalidSign::SourceLength) }
}

fn validate_heartbeat(index: usize, heartbeat: &Heartbeat) -> Result<(), Problem> {
    let invalid = |member: &str, detail: String| {
        Problem::invalid_member(format!("/heartbeats/{index}/{member}"), detail)
    };
    validate_source(&heartbeat.source).map_err(|error| invalid("source", error.to_string()))?;
    match &heartbeat.rooms {
        Some(rooms) if rooms.len() > HEARTBEAT_ROOMS_MAX => Err(invalid(
            "rooms",
            format!("A heartbeat names too many rooms: at most {HEARTBEAT_ROOMS_MAX} patterns are allowed."),
        )),
        _ => Ok(()),
    }
}

fn validate_sign(
    sign: &ReportedSign,
    room: Option<&RoomAddress>,
    now: DateTime<Utc>,
) -> Result<Evidence, InvalidSign> {
    let room = room.ok_or(InvalidSign::NoSuchRoom)?;
    validate_source(&sign.source)?;
    if sign.event.as_ref().is_some_and(|event| event.len() > EVENT_REFERENCE_BYTES_MAX) {
        return Err(InvalidSign::EventTooLong);
    }
    let at = sign.at.unwrap_or(now);
    // A sign that names its event does not need a correct clock.
    if at > now + CLOCK_AHEAD_MAX && sign.event.is_none() {
        return Err(InvalidSign::InFuture(at));
    }
    Ok(Evidence { event: sign.event.clone(), ..Evidence::new(room.clone(), at, sign.source.clone()) })
}

fn unused_sign(index: usize, sign: ReportedSign, message: String) -> UnusedSign {
    UnusedSign { index, room: sign.room, event: sign.event, message }
}

/// Maps the addresses in the signs to rooms: primary addresses, else aliases.
async fn find_rooms(
    api: &Api,
    caller: &Caller,
    signs: &[JsonObject<ReportedSign>],
) -> HashMap<String, RoomAddress> {
    let mut rooms = HashMap::new();
    let mut strange = Vec::new();
    for JsonObject(sign) in signs {
        if rooms.contains_key(&sign.room) || strange.contains(&sign.room) {
            continue;
        }
        match caller.visible_room(api, &sign.room) {
            Some(room) => drop(rooms.insert(sign.room.clone(), room)),
            None => strange.push(sign.room.clone()),
        }
    }
    let resolved = api.service.rooms_by_alias(&strange);
    let resolved = tokio::time::timeout(ALIAS_LOOKUP_TIMEOUT, resolved).await.unwrap_or_default();
    rooms.extend(resolved.into_iter().filter(|(_, room)| caller.can_see(room)));
    rooms
}

fn record_heartbeat(api: &Api, caller: &Caller, Heartbeat { source, rooms }: &Heartbeat) {
    let patterns: Option<Vec<RoomPattern>> =
        rooms.as_ref().map(|rooms| rooms.iter().flat_map(|room| room.parse()).collect());
    let speaks_for = |room: &RoomAddress| {
        patterns.as_ref().is_none_or(|all| all.iter().any(|pattern| pattern.matches(room)))
    };
    let scope = api.service.engine.scope();
    let rooms = scope.rooms().filter(|room| caller.can_see(room) && speaks_for(room)).cloned();
    api.service.heartbeat(source, &caller.id().to_string(), rooms);
}
