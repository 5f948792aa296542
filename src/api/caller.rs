//! The authenticated caller of a request: extraction from headers, rights, and which rooms and actions it can see. Never decides
//! what an action does.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::key_ring::{AuthError, TokenSession};
use super::local_peer::LocalPeer;
use super::peer_address::PeerAddress;
use super::peer_certificate::PeerCertificate;
use super::principal::{Allowance, Principal};
use super::problem::Problem;
use super::rate_limit;
use super::request_log::AuthenticatedKey;
use super::state::Api;
use crate::access::{DEFAULT_PER_MINUTE, Holder, KeyId, Right, Rights};
use crate::action::{Action, ActionId, Actor, IdempotencyKey, Naming};
use crate::calendar::{RoomAddress, RoomPattern};
use crate::journal::AdminActor;
use crate::os_user::NamedUser;
use crate::service::is_display;
use crate::suggestion::{EDITS_MAX, closest_within};

/// Characters of an `Idempotency-Key`; the OpenAPI description states the same number. The caller's id (at most 20 characters) is
/// put before it, and the result must fit into an [`IdempotencyKey`]. Nothing is put before the key of a command of this machine, so it
/// may have as many as an [`IdempotencyKey`].
const KEY_LEN_MAX: usize = 180;

/// The header in which a display sends the build of its page.
const DISPLAY_VERSION: &str = "adjourn-display-version";

/// The id of callers at the service's Unix socket, where keys have theirs. No key has this one: keys' ids are hexadecimal.
const LOCAL_ID: &str = "local";

/// The authenticated caller: its rights, and how it was authenticated.
#[derive(Clone)]
pub(super) struct Caller(Arc<Principal>, Authentication);

/// How a caller was authenticated.
#[derive(Clone)]
enum Authentication {
    Key,
    /// An OIDC token gives a session.
    Token(TokenSession),
    /// By the operating system, at the Unix socket.
    Local {
        /// The account.
        uid: Option<u32>,
        /// What the name of the caller does not show.
        origin: Option<String>,
    },
}

impl Caller {
    /// A user of this machine who may change the state directory, and so may request everything in every configured room.
    fn local(uid: Option<u32>, NamedUser { name, origin }: NamedUser) -> Self {
        let rights = Rights::new([RoomPattern::any()], Right::ALL);
        let holder = Holder { id: KeyId(LOCAL_ID.to_owned()), name, rights, per_minute: DEFAULT_PER_MINUTE };
        Self(Arc::new(Principal::new(holder)), Authentication::Local { uid, origin })
    }

    /// Whether the caller is a command of this machine, at the Unix socket.
    pub(super) fn is_local(&self) -> bool {
        matches!(self.1, Authentication::Local { .. })
    }

    /// Whether the caller's rights include this room.
    pub(super) fn can_see(&self, room: &RoomAddress) -> bool {
        self.0.holder.rights.can_see(room)
    }

    /// The rooms of the scope that the caller's rights include.
    pub(super) fn visible_rooms(&self, api: &Api) -> Vec<RoomAddress> {
        let scope = api.service.engine.scope();
        scope.rooms().filter(|room| self.can_see(room)).cloned().collect()
    }

    pub(super) fn require(&self, right: Right) -> Result<(), Problem> {
        if self.0.holder.rights.allow(right) { Ok(()) } else { Err(Problem::forbidden(right.as_str())) }
    }

    /// For responses that cover all rooms and cannot be filtered by room.
    pub(super) fn require_all_rooms(&self) -> Result<(), Problem> {
        let everywhere = self.0.holder.rights.rooms().iter().any(|pattern| pattern.to_string() == "*");
        if everywhere { Ok(()) } else { Err(Problem::not_all_rooms()) }
    }

    /// The room with this address, if the caller can see it and it is in scope.
    pub(super) fn visible_room(&self, api: &Api, address: &str) -> Option<RoomAddress> {
        let room = address.parse().ok()?;
        (self.can_see(&room) && api.service.engine.scope().contains(&room)).then_some(room)
    }

    /// The same, or `404`: "not found" and "not visible" look alike. The problem proposes the visible room that was most likely meant.
    pub(super) fn require_room(&self, api: &Api, address: &str) -> Result<RoomAddress, Problem> {
        self.visible_room(api, address).ok_or_else(|| {
            let scope = api.service.engine.scope();
            let rooms = scope.rooms().filter(|room| self.can_see(room)).map(RoomAddress::as_str);
            Problem::no_such_room(closest_within(address, rooms, EDITS_MAX))
        })
    }

    /// Records that a display is in contact: it could report presence in this room.
    pub(super) fn record_contact(&self, api: &Api, room: &RoomAddress) {
        if self.is_display() {
            api.service.record_display_contact(room, self.name());
        }
    }

    /// The caller as the audit records it.
    pub(super) fn actor(&self) -> Actor {
        let name = self.name().to_owned();
        match &self.1 {
            Authentication::Local { origin, .. } => Actor::User { name, origin: origin.clone() },
            _ => Actor::Program { name, key_id: Some(self.id().to_string()) },
        }
    }

    /// The caller as the journal records it beside a change of keys.
    pub(super) fn admin_actor(&self) -> AdminActor {
        let name = Some(self.name().to_owned());
        match &self.1 {
            Authentication::Local { uid, .. } => AdminActor::CommandLine { uid: *uid, user: name },
            _ => AdminActor::Caller { key_id: self.id().to_string(), name },
        }
    }

    /// Whether the key or token is still valid: not expired, not revoked, with the same rights, its provider still trusted.
    pub(super) fn is_still_authorized(&self, api: &Api) -> bool {
        match &self.1 {
            Authentication::Token(pass) => api.keys.is_valid_session(pass, api.service.now()),
            Authentication::Key => api.keys.is_valid_key(self.id(), self.rights(), api.service.now()),
            Authentication::Local { .. } => true,
        }
    }

    /// Whether the caller is a door display: an API key with a display's rights, not a token.
    pub(super) fn is_display(&self) -> bool {
        matches!(self.1, Authentication::Key) && is_display(self.rights())
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

    /// Whether the caller may read this action. Without further rights: its own actions; with `cleanup`: those of sweeps; with
    /// `audit`: all; always only in rooms it can see. Reading, undoing and naming an action in a response use this one rule.
    pub(super) fn may_read(&self, action: &Action) -> bool {
        self.may_read_actions(&action.room, Some(&action.actor))
    }

    /// The same, by room and actor. No actor means a sweep.
    pub(super) fn may_read_actions(&self, room: &RoomAddress, actor: Option<&Actor>) -> bool {
        let may = match actor {
            None | Some(Actor::Sweep { .. }) => self.rights().allow(Right::Cleanup),
            Some(actor) => self.is_actor(actor),
        };
        self.can_see(room) && (may || self.rights().allow(Right::Audit))
    }

    /// Compares key ids. Actions of journals before format 6 have no key id and are compared by name.
    fn is_actor(&self, actor: &Actor) -> bool {
        match actor.key_id() {
            Some(id) => id == self.id().0,
            None => *actor == Actor::program(self.name()),
        }
    }

    /// Whether messages for this caller may name other callers' actions in the same room.
    pub(super) fn naming(&self) -> Naming {
        if self.rights().allow(Right::Audit) { Naming::Named } else { Naming::Unnamed }
    }

    /// Returns the id if the caller may read the action, else `None`.
    pub(super) async fn visible_action(
        &self,
        api: &Api,
        action: Option<ActionId>,
    ) -> Result<Option<ActionId>, Problem> {
        let Some(action) = action else { return Ok(None) };
        let record = api.service.engine.journal().action_record(action).await?;
        Ok(record.filter(|record| self.may_read(&record.action)).map(|record| record.action.id))
    }

    /// Reads the `Idempotency-Key` header. The caller's id is put before it, since two callers may use the same key.
    pub(super) fn idempotency_key(&self, headers: &HeaderMap) -> Result<Option<IdempotencyKey>, Problem> {
        let mut sent = headers.get_all("idempotency-key").iter();
        let Some(value) = sent.next() else { return Ok(None) };
        if sent.next().is_some() {
            return Err(Problem::bad_request(
                "The request has more than one Idempotency-Key header: send one.",
            ));
        }
        let text = value.to_str().map_err(|_| Problem::bad_request("The Idempotency-Key is not ASCII."))?;
        if !self.is_local() && text.len() > KEY_LEN_MAX {
            return Err(Problem::bad_request(format!(
                "The Idempotency-Key is too long: at most {KEY_LEN_MAX} characters are allowed."
            )));
        }
        text.parse::<IdempotencyKey>()
            .map_err(|error| Problem::bad_request(format!("The Idempotency-Key is not valid: {error}.")))?;
        // The command line uses the same key with the service and without it.
        let own = if self.is_local() { text.to_owned() } else { format!("{}:{text}", self.0.holder.id) };
        own.parse()
            .map(Some)
            .map_err(|error| Problem::bad_request(format!("The Idempotency-Key is not valid: {error}.")))
    }
}

/// Middleware: authenticates the request and applies the key's rate limit.
pub(super) async fn authenticate(
    State(api): State<Api>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    if let Some(peer) = request.extensions().get::<LocalPeer>() {
        let user = peer.user(request.headers());
        let caller = Caller::local(user.uid, LocalPeer::named(&user).await);
        let key = AuthenticatedKey(caller.id().clone());
        request.extensions_mut().insert(caller);
        let mut response = next.run(request).await;
        response.extensions_mut().insert(key);
        return Ok(response);
    }
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let token = sent_token(request.headers(), reads)
        .ok_or_else(|| Problem::unauthenticated("The request has no API key."))?;
    let certificate = request.extensions().get::<PeerCertificate>().copied();
    let opened = api.keys.authenticate(&token, certificate, api.service.now()).await;
    let (in_use, pass) = opened.map_err(problem_of).inspect_err(|problem| {
        if matches!(problem.status, 401 | 403) {
            let address = request.extensions().get::<PeerAddress>().map(|peer| peer.0);
            api.service.refused_sign_ins.add(address, problem.kind.as_str());
        }
    })?;
    if pass.is_none() {
        let version = request.headers().get(DISPLAY_VERSION).and_then(|version| version.to_str().ok());
        api.service.displays.record_contact(&in_use.holder.id, version, api.service.now());
    }
    let taken = in_use.take_request();
    let key = AuthenticatedKey(in_use.holder.id.clone());
    let mut response = match taken {
        Ok(_) => {
            let authentication = pass.map_or(Authentication::Key, Authentication::Token);
            request.extensions_mut().insert(Caller(in_use, authentication));
            next.run(request).await
        }
        Err(Allowance { reset_s, .. }) => Problem::rate_limited(reset_s).into_response(),
    };
    response.extensions_mut().insert(key);
    let (Ok(allowance) | Err(allowance)) = taken;
    rate_limit::add_headers(response.headers_mut(), allowance);
    Ok(response)
}

fn problem_of(shut: AuthError) -> Problem {
    match shut {
        AuthError::InvalidCredentials => Problem::unauthenticated("The API key or token is not valid."),
        AuthError::TokenExpired => Problem::unauthenticated("The token has expired, or is not valid yet."),
        AuthError::KeyExpired => Problem::key_expired(),
        AuthError::CertificateMismatch => Problem::certificate_mismatch(),
        AuthError::NoGrant => Problem::no_grant(),
        AuthError::ProviderUnavailable => Problem::provider_unavailable(),
    }
}

/// Reads a bearer token, or, for requests that change nothing, the password of Basic credentials. A browser would also send Basic
/// credentials with another site's form, so they are refused for writes.
pub(super) fn sent_token(headers: &HeaderMap, reads: bool) -> Option<String> {
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
            .ok_or_else(|| Problem::unauthenticated("The request has no API key."))
    }
}
