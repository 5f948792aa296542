//! Handler of `GET /v1/me`: the caller's own name and rights, so that a page shows only what its user may do.

use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;

use super::caller::Caller;
use super::problem::{ClientErrors, Problem};

/// The caller's name and rights.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Me {
    /// The key's name or the token's holder, as the audit records it.
    name: String,
    /// The caller's rights: `read`, `end`, …
    rights: Vec<&'static str>,
    /// The rooms that the rights apply to, as patterns.
    rooms: Vec<String>,
    /// The rights apply to all rooms (`*`).
    all_rooms: bool,
}

/// Get the rights of this key or token.
#[utoipa::path(get, path = "/v1/me", tag = "me", responses((status = 200, body = Me), ClientErrors))]
pub(super) async fn get(caller: Caller) -> Result<Json<Me>, Problem> {
    Ok(Json(Me {
        name: caller.name().to_owned(),
        rights: caller.rights().all().map(|right| right.as_str()).collect(),
        rooms: caller.rights().rooms().iter().map(ToString::to_string).collect(),
        all_rooms: caller.require_all_rooms().is_ok(),
    }))
}
