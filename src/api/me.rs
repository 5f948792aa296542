//! Whoever asks, as the API knows them: so that a page shows only what its reader may do.

use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;

use super::caller::Caller;
use super::problem::{ClientErrors, Problem};

/// Whoever asks.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Me {
    /// The key's name, or the token's holder; as it stands in the audit.
    name: String,
    /// What may be asked for: `read`, `end`, …
    rights: Vec<&'static str>,
    /// In which rooms, by pattern.
    rooms: Vec<String>,
    /// In all rooms.
    everywhere: bool,
}

/// What this key or token is good for.
#[utoipa::path(get, path = "/v1/me", tag = "me", responses((status = 200, body = Me), ClientErrors))]
pub(super) async fn get(caller: Caller) -> Result<Json<Me>, Problem> {
    Ok(Json(Me {
        name: caller.name().to_owned(),
        rights: caller.rights().all().map(|right| right.as_str()).collect(),
        rooms: caller.rights().rooms().iter().map(ToString::to_string).collect(),
        everywhere: caller.require_all_rooms().is_ok(),
    }))
}
