//! Signs of presence, in bulk: from sensors, badge readers, check-in services, calls. One bad sign does not take the others with
//! it: it is named in the answer.

use std::collections::HashMap;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Api;
use super::caller::Caller;
use super::extract::{JsonBody, JsonObject};
use super::problem::{BackendErrors, Problem};
use super::rooms::SOURCE_MAX;
use crate::access::Right;
use crate::calendar::{RoomAddress, RoomPattern};
use crate::presence::{CLOCK_AHEAD_MAX, EVENT_REFERENCE_BYTES_MAX, EvidenceLimit, Sign as Evidence};
use crate::service::Intake;

/// Signs in one request.
pub(super) const SIGNS_MAX: usize = 5_000;
/// Heartbeats in one request.
pub(super) const HEARTBEATS_MAX: usize = 100;
/// Patterns of rooms in one heartbeat.
pub(super) const HEARTBEAT_ROOMS_MAX: usize = 100;
/// How long one request waits for Exchange to find rooms by their aliases.
const ALIAS_LOOKUP_TIMEOUT: Duration = Duration::from_secs(3);

/// Signs that people are there, and sources that are alive.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EvidenceRequest {
    /// What was sensed.
    #[schema(max_items = 5000, value_type = Option<Vec<ReportedSign>>)]
    signs: Option<Vec<JsonObject<ReportedSign>>>,
    /// Sources that work and sensed nothing: without a sign or heartbeat within an hour (`cleanup.watching`), a source watches
    /// no room, and no meeting there is released.
    #[schema(max_items = 100, value_type = Option<Vec<Heartbeat>>)]
    heartbeats: Option<Vec<JsonObject<Heartbeat>>>,
}

/// One sign.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReportedSign {
    /// SMTP address.
    room: String,
    /// For which event, if that is known: its id (EWS or Graph), UID or iCalUId. Without it, for the event that is on at that time.
    event: Option<String>,
    /// When; without it, now.
    at: Option<DateTime<Utc>>,
    /// What says so: `motion`, `badge`, …
    #[schema(max_length = 100)]
    source: String,
}

/// A source that is alive.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Heartbeat {
    /// Its name, as in the signs it sends.
    #[schema(max_length = 100)]
    source: String,
    /// The rooms it speaks for, as patterns such as `berlin-*@example.com`; without it, all rooms of this key.
    #[schema(max_items = 100)]
    rooms: Option<Vec<String>>,
}

/// What became of the signs.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EvidenceReceipt {
    /// Signs that are kept.
    taken: usize,
    /// Those of them that match an event by now.
    matched: usize,
    /// Kept signs that should match an event and match none. No meeting of their room is released while they may be about it.
    unmatched: Vec<UnusedSign>,
    /// Signs that are not kept. Where a limit on evidence is the reason, no meeting of the room that the sign may be about is
    /// released.
    rejected: Vec<UnusedSign>,
}

/// A sign that was of no use, and why.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct UnusedSign {
    /// Its place in the request, from 0.
    index: usize,
    /// The room it names.
    room: String,
    /// The event it names.
    event: Option<String>,
    /// The reason.
    message: String,
}

/// Report presence.
///
/// Signs of rooms that this key may not know, or with an impossible time, are named in `rejected`; the others are kept. A room may
/// be named by an alias (proxy address) or by its new primary address. Accepted signs that match no event are named in
/// `unmatched`. A sign of the same source for the same room and event within an hour is merged into the one before. Where a limit
/// on evidence is reached for all signs, the answer is `429` (`evidence-full`).
#[utoipa::path(post, path = "/v1/evidence", tag = "rooms", request_body = EvidenceRequest, responses((status = 200, body = EvidenceReceipt), BackendErrors))]
pub(super) async fn add(
    State(api): State<Api>,
    caller: Caller,
    JsonBody(asked): JsonBody<EvidenceRequest>,
) -> Result<Json<EvidenceReceipt>, Problem> {
    caller.require(Right::Evidence)?;
    if asked.signs.is_none() && asked.heartbeats.is_none() {
        return Err(Problem::bad_request("the body has signs, heartbeats, or both"));
    }
    let (signs, heartbeats) = (asked.signs.unwrap_or_default(), asked.heartbeats.unwrap_or_default());
    if signs.len() > SIGNS_MAX || heartbeats.len() > HEARTBEATS_MAX {
        return Err(Problem::bad_request(format!(
            "at most {SIGNS_MAX} signs and {HEARTBEATS_MAX} heartbeats at once"
        )));
    }
    for JsonObject(heartbeat) in &heartbeats {
        validate_source(&heartbeat.source).map_err(Problem::bad_request)?;
        if heartbeat.rooms.as_ref().is_some_and(|rooms| rooms.len() > HEARTBEAT_ROOMS_MAX) {
            return Err(Problem::bad_request(format!(
                "rooms of a heartbeat has at most {HEARTBEAT_ROOMS_MAX} patterns"
            )));
        }
        record_heartbeat(&api, &caller, heartbeat);
    }
    let rooms = find_rooms(&api, &caller, &signs).await;
    let (mut kept, mut places, mut rejected) = (Vec::new(), Vec::new(), Vec::new());
    for (index, JsonObject(sign)) in signs.into_iter().enumerate() {
        match validate_sign(&sign, rooms.get(sign.room.as_str()), api.service.now()) {
            Ok(evidence) => {
                places.push((index, sign));
                kept.push(evidence.reported_by(caller.id().to_string()));
            }
            Err(message) => rejected.push(unused_sign(index, sign, message)),
        }
    }
    if let (true, Some(first)) = (kept.is_empty(), rejected.first()) {
        return Err(Problem::bad_request(format!(
            "no sign was taken; sign {}: {}",
            first.index, first.message
        )));
    }
    let intake = api.service.add_signs(kept).await?;
    if let (0, Some((_, bound))) = (intake.kept, intake.refused.first()) {
        return Err(Problem::evidence_full(format!("No sign was taken: {}.", bound.reason())));
    }
    Ok(Json(EvidenceReceipt::of(intake, places, rejected)))
}

impl EvidenceReceipt {
    /// The answer, from what became of the signs, each with its place in the request, and from those that were rejected before.
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
        Self { taken: intake.kept, matched: intake.matched, unmatched: odd, rejected }
    }
}

fn validate_source(source: &str) -> Result<(), String> {
    let fits = (1..=SOURCE_MAX).contains(&source.chars().count());
    if fits { Ok(()) } else { Err(format!("source has 1 to {SOURCE_MAX} characters")) }
}

fn validate_sign(
    sign: &ReportedSign,
    room: Option<&RoomAddress>,
    now: DateTime<Utc>,
) -> Result<Evidence, String> {
    let room = room.ok_or("no room of that address is known to this key")?;
    validate_source(&sign.source)?;
    if sign.event.as_ref().is_some_and(|event| event.len() > EVENT_REFERENCE_BYTES_MAX) {
        return Err(format!("event has at most {EVENT_REFERENCE_BYTES_MAX} bytes"));
    }
    let at = sign.at.unwrap_or(now);
    // A sign that names its event needs no clock.
    if at > now + CLOCK_AHEAD_MAX && sign.event.is_none() {
        return Err(format!("{at} lies ahead: check the sensor's clock"));
    }
    Ok(Evidence { event: sign.event.clone(), ..Evidence::new(room.clone(), at, sign.source.clone()) })
}

fn unused_sign(index: usize, sign: ReportedSign, message: String) -> UnusedSign {
    UnusedSign { index, room: sign.room, event: sign.event, message }
}

/// The rooms that the signs name, by what they name them: their address, or an alias.
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
        match api.visible_room(caller, &sign.room) {
            Ok(room) => drop(rooms.insert(sign.room.clone(), room)),
            Err(_) => strange.push(sign.room.clone()),
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
