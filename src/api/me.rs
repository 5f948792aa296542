//! Handler of `GET /v1/me`: the caller's own name and rights, so that a page shows only what its user may do.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::caller::Caller;
use super::problem::Problem;
use super::responses::ClientErrors;
use super::state::Api;
use crate::access::Right;

/// The caller's name and rights.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Me {
    /// The key's name or the token's holder, as the audit records it.
    name: String,
    /// The caller's rights.
    rights: Vec<Right>,
    /// The rooms that the rights apply to, as patterns.
    rooms: Vec<String>,
    /// The rights apply to all rooms (`*`).
    all_rooms: bool,
    /// Whether `GET /v1/rooms/{room}/check-in-link` makes links for this caller: it has the right `check-in`, and the configuration has
    /// `api.public_url`.
    check_in_links: bool,
}

/// Get the rights of this key or token.
#[utoipa::path(get, path = "/v1/me", operation_id = "getMe", tag = "me", responses((status = 200, description = "Name, rights and rooms", body = Me), ClientErrors))]
pub(super) async fn get(State(api): State<Api>, caller: Caller) -> Result<Json<Me>, Problem> {
    Ok(Json(Me {
        name: caller.name().to_owned(),
        rights: caller.rights().all().collect(),
        rooms: caller.rights().rooms().iter().map(ToString::to_string).collect(),
        all_rooms: caller.require_all_rooms().is_ok(),
        check_in_links: caller.require(Right::CheckIn).is_ok() && api.options().public_url.is_some(),
    }))
}
