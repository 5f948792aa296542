//! Occupancy signals, in bulk: from sensors, badge readers, calls.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Api;
use super::caller::Caller;
use super::extract::{Body, Object};
use super::problem::{Away, Problem};
use super::rooms::SOURCE_MAX;
use crate::access::Right;
use crate::cleanup::Evidence;

/// Signs in one request.
const SIGNS_MAX: usize = 5_000;
/// Longest id or UID of an event.
const EVENT_MAX: usize = 2_000;
/// How far a sensor's clock may be ahead of ours.
const AHEAD_MAX: TimeDelta = TimeDelta::minutes(5);

/// Signs that somebody is there.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Signs {
    /// All or none are taken.
    #[schema(max_items = 5000, value_type = Vec<Sign>)]
    signs: Vec<Object<Sign>>,
}

/// One sign.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Sign {
    /// SMTP address.
    room: String,
    /// For which event (its id or UID), if that is known; without it, for whatever is on at that time.
    event: Option<String>,
    /// When; without it, now. Signs older than a day speak for nothing.
    at: Option<DateTime<Utc>>,
    /// What says so: `motion`, `badge`, …
    #[schema(max_length = 100)]
    source: String,
}

/// How many were kept.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Taken {
    /// All of them.
    taken: usize,
}

/// Report occupancy.
#[utoipa::path(post, path = "/v1/evidence", tag = "rooms", request_body = Signs, responses((status = 200, body = Taken), Away))]
pub(super) async fn add(
    State(api): State<Api>,
    caller: Caller,
    Body(asked): Body<Signs>,
) -> Result<Json<Taken>, Problem> {
    caller.need(Right::Evidence)?;
    if asked.signs.len() > SIGNS_MAX {
        return Err(Problem::bad(format!("at most {SIGNS_MAX} signs at once")));
    }
    let now = api.service.now();
    let signs = asked.signs.into_iter().map(|Object(sign)| {
        let at = sign.at.unwrap_or(now);
        if sign.source.is_empty() || sign.source.len() > SOURCE_MAX {
            return Err(Problem::bad(format!("source has 1 to {SOURCE_MAX} characters")));
        }
        if sign.event.as_ref().is_some_and(|event| event.len() > EVENT_MAX) {
            return Err(Problem::bad(format!("event has at most {EVENT_MAX} characters")));
        }
        if at > now + AHEAD_MAX {
            return Err(Problem::bad(format!("{at} lies ahead: is the sensor's clock right?")));
        }
        Ok(Evidence { room: api.room(&caller, &sign.room)?, event: sign.event, at, source: sign.source })
    });
    let signs = signs.collect::<Result<Vec<_>, Problem>>()?;
    let taken = signs.len();
    api.service.add_evidence(signs).await?;
    Ok(Json(Taken { taken }))
}
