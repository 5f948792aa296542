//! Who asks, and whether they may.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Api;
use super::key_ring::{AuthError, Principal, TokenSession};
use super::peer_address::PeerAddress;
use super::peer_certificate::PeerCertificate;
use super::problem::Problem;
use crate::access::{KeyId, Right, Rights};
use crate::action::{Action, ActionId, Actor, IdempotencyKey, Naming};
use crate::calendar::RoomAddress;
use crate::service::is_display;

/// Longest key a caller may choose; the description says the same. It is filed with its caller's id before it (20
/// characters at most), within what [`IdempotencyKey`] holds.
const KEY_LEN_MAX: usize = 180;

/// Who asks, and on whose word.
#[derive(Clone)]
pub(super) struct Caller(Arc<Principal>, Option<TokenSession>);

impl Caller {
    /// Whether the room exists for this caller.
    pub(super) fn can_see(&self, room: &RoomAddress) -> bool {
        self.0.holder.rights.can_see(room)
    }

    pub(super) fn require(&self, right: Right) -> Result<(), Problem> {
        if self.0.holder.rights.allow(right) { Ok(()) } else { Err(Problem::forbidden(right.as_str())) }
    }

    /// For what cannot be told room by room.
    pub(super) fn require_all_rooms(&self) -> Result<(), Problem> {
        let everywhere = self.0.holder.rights.rooms().iter().any(|pattern| pattern.to_string() == "*");
        if everywhere { Ok(()) } else { Err(Problem::forbidden("all rooms")) }
    }

    /// As it stands in the audit.
    pub(super) fn actor(&self) -> Actor {
        Actor::Program { name: self.name().to_owned(), key_id: Some(self.id().to_string()) }
    }

    /// Whether what it came with opens anything still.
    pub(super) fn is_still_authorized(&self, api: &Api) -> bool {
        match &self.1 {
            Some(pass) => api.keys.is_valid_session(pass, api.service.now()),
            None => api.keys.is_valid_key(self.id(), api.service.now()),
        }
    }

    /// A display at a door, by an API key of its own.
    pub(super) fn is_display(&self) -> bool {
        self.1.is_none() && is_display(self.rights())
    }

    pub(super) fn rights(&self) -> &Rights {
        &self.0.holder.rights
    }

    pub(super) fn id(&self) -> &KeyId {
        &self.0.holder.id
    }

    pub(super) fn name(&self) -> &str {
        &self.0.holder.name
    }

    /// Whether the caller may know of this action: its own ones, with the right `cleanup` those of sweeps, and with the right
    /// `audit` all of them, in rooms it may know of. One rule for reading an action, undoing it, and naming it in an answer.
    pub(super) fn may_read(&self, action: &Action) -> bool {
        self.may_read_actions(&action.room, Some(&action.actor))
    }

    /// The same of an action in this room by this actor; without an actor, by a sweep.
    pub(super) fn may_read_actions(&self, room: &RoomAddress, actor: Option<&Actor>) -> bool {
        let may = match actor {
            None | Some(Actor::Sweep { .. }) => self.rights().allow(Right::Cleanup),
            Some(actor) => self.is_actor(actor),
        };
        self.can_see(room) && (may || self.rights().allow(Right::Audit))
    }

    /// By the key's id; an action of a journal before format 6 has none, and counts by the holder's name.
    fn is_actor(&self, actor: &Actor) -> bool {
        match actor.key_id() {
            Some(id) => id == self.id().0,
            None => *actor == Actor::program(self.name()),
        }
    }

    /// Whether a sentence for the caller may name other actions in the same room.
    pub(super) fn naming(&self) -> Naming {
        if self.rights().allow(Right::Audit) { Naming::Named } else { Naming::Unnamed }
    }

    /// The same id, where the caller may know of the action.
    pub(super) async fn visible_action(
        &self,
        api: &Api,
        action: Option<ActionId>,
    ) -> Result<Option<ActionId>, Problem> {
        let Some(action) = action else { return Ok(None) };
        let life = api.service.engine.journal().action_record(action).await?;
        Ok(life.filter(|life| self.may_read(&life.action)).map(|life| life.action.id))
    }

    /// A caller's own keys: two callers may use the same word.
    pub(super) fn idempotency_key(&self, headers: &HeaderMap) -> Result<Option<IdempotencyKey>, Problem> {
        let mut sent = headers.get_all("idempotency-key").iter();
        let Some(value) = sent.next() else { return Ok(None) };
        if sent.next().is_some() {
            return Err(Problem::bad_request("Idempotency-Key was sent twice: which of the two is it?"));
        }
        let text = value.to_str().map_err(|_| Problem::bad_request("Idempotency-Key is not ASCII"))?;
        if text.len() > KEY_LEN_MAX {
            return Err(Problem::bad_request(format!(
                "Idempotency-Key is longer than {KEY_LEN_MAX} characters"
            )));
        }
        text.parse::<IdempotencyKey>()
            .map_err(|error| Problem::bad_request(format!("Idempotency-Key: {error}")))?;
        let own = format!("{}:{text}", self.0.holder.id);
        own.parse().map(Some).map_err(|error| Problem::bad_request(format!("Idempotency-Key: {error}")))
    }
}

/// Lets requests with a valid key through, and counts them against its allowance.
pub(super) async fn authenticate(
    State(api): State<Api>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let token = sent_token(request.headers(), reads)
        .ok_or_else(|| Problem::unauthenticated("No API key was sent."))?;
    let certificate = request.extensions().get::<PeerCertificate>().copied();
    let opened = api.keys.authenticate(&token, certificate, api.service.now()).await;
    let (in_use, pass) = opened.map_err(problem_of).inspect_err(|problem| {
        if matches!(problem.status, 401 | 403) {
            let address = request.extensions().get::<PeerAddress>().map(|peer| peer.0);
            api.service.refused_sign_ins.add(address, problem.kind);
        }
    })?;
    in_use.take_request().map_err(Problem::rate_limited)?;
    request.extensions_mut().insert(Caller(in_use, pass));
    Ok(next.run(request).await)
}

fn problem_of(shut: AuthError) -> Problem {
    match shut {
        AuthError::InvalidCredentials => Problem::unauthenticated("The API key or token is not valid."),
        AuthError::TokenExpired => Problem::unauthenticated("The token is not valid at this time."),
        AuthError::KeyExpired => Problem::key_expired(),
        AuthError::CertificateMismatch => Problem::certificate_mismatch(),
        AuthError::NoGrant => Problem::forbidden("anything, by this token's claims"),
        AuthError::ProviderUnavailable => Problem::provider_unavailable(),
    }
}

/// As a bearer token, or, where nothing is changed, as the password of a browser's Basic credentials: a browser would
/// send those with another site's form as well.
fn sent_token(headers: &HeaderMap, reads: bool) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, credentials) = value.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(credentials.trim().to_owned());
    }
    let decoded = (reads && scheme.eq_ignore_ascii_case("basic"))
        .then(|| STANDARD.decode(credentials.trim()).ok())??;
    Some(String::from_utf8(decoded).ok()?.split_once(':')?.1.to_owned())
}

impl FromRequestParts<Api> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, Problem> {
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(|| Problem::unauthenticated("No API key was sent."))
    }
}
