//! Handlers for a display that waits to be paired: it has no key yet, shows a code, and polls until an operator has entered it
//! ([`super::displays`]). They reveal nothing but the pairing whose secret the request has.

use std::num::NonZeroU32;

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::caller::sent_token;
use super::extract::PathParams;
use super::peer_address::PeerAddress;
use super::problem::Problem;
use super::problem_type::ProblemType;
use super::state::Api;
use crate::service::{PairedDisplay, PairingState, PairingsFull};
use crate::timestamp::Timestamp;

/// `Retry-After` of a limit on pairings, in seconds: displays that no longer poll make room.
const PAIRING_RETRY_S: u32 = 30;

/// A pairing that was begun.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct NewPairingView {
    /// The pairing's id.
    id: Uuid,
    /// The six digits to show.
    #[schema(example = "482913", min_length = 6, max_length = 6)]
    code: String,
    /// The secret with which to poll: `Authorization: Bearer …`.
    secret: String,
    /// When the code becomes invalid.
    expires_at: Timestamp,
}

/// The state of a pairing.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PairingView {
    /// The pairing's id.
    id: Uuid,
    /// Whether an operator has entered the code.
    state: PairingStateName,
    /// When the code becomes invalid; null when it was entered.
    expires_at: Option<Timestamp>,
    /// SMTP address of the display's room; null while it waits.
    #[schema(example = "room-aurora@example.com")]
    room: Option<String>,
    /// The display's name; null while it waits.
    name: Option<String>,
    /// The display's API key. In the first answer after the pairing only, else null.
    key: Option<String>,
    /// The PIN that signs the display out. In the same answer as `key`, if the operator chose one.
    pin: Option<String>,
}

/// The state of a pairing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = PairingState)]
enum PairingStateName {
    Waiting,
    Paired,
}

/// Begin the pairing of a display.
///
/// Needs no key: the display shows the code, and polls `GET /v1/pairings/{id}` every two seconds until an operator has entered it. A
/// display that does not poll for two minutes is forgotten.
#[utoipa::path(post, path = "/v1/pairings", operation_id = "beginPairing", tag = "displays", security(()), responses(
    (status = 201, description = "The pairing waits for an operator", body = NewPairingView),
    (status = 429, description = "Too many displays at this address wait", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "Too many displays wait", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn begin(
    State(api): State<Api>,
    peer: Option<Extension<PeerAddress>>,
) -> Result<(StatusCode, Json<NewPairingView>), Problem> {
    let address = peer.map(|Extension(PeerAddress(address))| address).filter(|_| !api.is_behind_proxy);
    let new = api.service.pairings.begin(address, api.service.now()).map_err(Problem::pairings_full)?;
    let secret = new.secret.expose().to_owned();
    let view = NewPairingView { id: new.id, code: new.code, secret, expires_at: new.expires.into() };
    Ok((StatusCode::CREATED, Json(view)))
}

/// Get the state of a pairing.
///
/// Needs the pairing's secret instead of a key. Once the display is paired, one answer has its key; the service forgets it then.
#[utoipa::path(get, path = "/v1/pairings/{id}", operation_id = "getPairing", tag = "displays", security(()),
    params(
        ("id" = Uuid, Path, description = "The pairing's id"),
        ("Authorization" = String, Header, description = "`Bearer` and the pairing's secret"),
    ),
    responses(
        (status = 200, description = "The state of the pairing", body = PairingView),
        (status = 404, description = "No such pairing, another secret, or the code became invalid: begin a new pairing",
            body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn poll(
    State(api): State<Api>,
    PathParams(id): PathParams<Uuid>,
    headers: HeaderMap,
) -> Result<Json<PairingView>, Problem> {
    let secret = sent_token(&headers, false).unwrap_or_default();
    let state = api.service.pairings.poll(id, &secret, api.service.now());
    let state = state.ok_or_else(Problem::no_such_pairing)?;
    Ok(Json(PairingView::of(id, state)))
}

impl PairingView {
    fn of(id: Uuid, state: PairingState) -> Self {
        match state {
            PairingState::Waiting(expires) => Self {
                id,
                state: PairingStateName::Waiting,
                expires_at: Some(expires.into()),
                room: None,
                name: None,
                key: None,
                pin: None,
            },
            PairingState::Paired(PairedDisplay { room, name, .. }, secrets) => Self {
                id,
                state: PairingStateName::Paired,
                expires_at: None,
                room: Some(room.to_string()),
                name: Some(name),
                key: secrets.as_ref().map(|secrets| secrets.key.expose().to_owned()),
                pin: secrets.and_then(|secrets| Some(secrets.pin?.expose().to_owned())),
            },
        }
    }
}

impl Problem {
    /// The pairing has ended, or the request has another secret: both look alike.
    fn no_such_pairing() -> Self {
        let detail = "The pairing has ended, or the request does not have its secret.";
        let problem = Self::new(StatusCode::NOT_FOUND, ProblemType::NotFound, "Not found", detail);
        Self { next: "begin a new pairing with POST /v1/pairings", ..problem }
    }

    /// Too many displays wait to be paired: at this address (429), or in all (503).
    fn pairings_full(full: PairingsFull) -> Self {
        let problem = match full {
            PairingsFull::Address => {
                let detail = "Too many displays at this address wait to be paired.";
                let status = StatusCode::TOO_MANY_REQUESTS;
                Self::new(status, ProblemType::RateLimited, "Too many requests", detail)
            }
            PairingsFull::Total => Self::unavailable("Too many displays wait to be paired."),
        };
        Self { retry_after: NonZeroU32::new(PAIRING_RETRY_S), ..problem }
    }
}
