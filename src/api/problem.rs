//! Error responses as problem details (RFC 9457): what failed, whose fault it is, and what to do next. Every problem type is
//! named in this file. Details never contain what the caller may not see.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use axum::Json;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::{Serialize, Serializer};
use tracing::Instrument as _;
use tracing::field::Empty;
use utoipa::openapi::response::Response as Described;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, ResponseBuilder};
use utoipa::{IntoResponses, ToSchema};
use uuid::Uuid;

use super::view::CandidateView;
use crate::action::{ActionId, Outcome, Refusal, ResponsibleParty};
use crate::engine::CalendarError;
use crate::journal::JournalError;
use crate::service::StatusError;
use crate::shares::ShareExhausted;
use crate::store::StoreError;
use crate::telemetry;

/// `Retry-After` of a temporary failure, in seconds.
const RETRY_S: u32 = 10;
/// `Retry-After` of a limit on concurrent operations, in seconds.
const SHARE_RETRY_S: u32 = 5;
const SHUTTING_DOWN: &str = "The service is shutting down.";
const NO_SUCH_ROOM: &str = "This key can see no room with that address.";
/// `Retry-After` of a limit on evidence, in seconds: expired signs make room.
const EVIDENCE_RETRY_S: u32 = 600;
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A problem: why a request was not carried out.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Problem {
    /// The problem type: `urn:adjourn:problem:` and a name.
    #[serde(rename = "type", serialize_with = "as_urn")]
    #[schema(value_type = String, example = "urn:adjourn:problem:not-started")]
    pub kind: &'static str,
    /// The problem type in words.
    pub title: &'static str,
    /// The HTTP status code.
    pub status: u16,
    /// What failed in this case.
    pub detail: Box<str>,
    /// Who has to act: `caller`, `administrator`, `server`, or `nobody`.
    #[schema(value_type = String, example = "caller")]
    pub fault: &'static str,
    /// What to do next, in the imperative.
    pub next: &'static str,
    /// The action that the problem is about, where one was accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Uuid>)]
    pub action_id: Option<ActionId>,
    /// With `ambiguous`: the events that may be meant; with `event-not-found` and `invalid-event-id`: the event whose id was most likely
    /// meant, if the key can see it. Send one of their ids as `event`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub candidates: Option<Box<[CandidateView]>>,
    #[serde(skip)]
    retry_after: Option<NonZeroU32>,
}

impl Problem {
    fn new(status: StatusCode, kind: &'static str, title: &'static str, detail: impl ToString) -> Self {
        let (fault, next) = match status {
            StatusCode::UNAUTHORIZED => {
                ("caller", "send a valid API key or token in the header Authorization: Bearer …")
            }
            StatusCode::FORBIDDEN => ("administrator", "ask the administrator for a key with this right"),
            StatusCode::NOT_FOUND => {
                ("caller", "check the address; GET /v1/rooms lists the rooms that this key can see")
            }
            StatusCode::TOO_MANY_REQUESTS => {
                ("caller", "send fewer requests; retry after the seconds in Retry-After")
            }
            status if status.is_client_error() => {
                ("caller", "correct the request; the same request will fail again")
            }
            _ => ("server", "retry later"),
        };
        Self {
            kind,
            title,
            status: status.as_u16(),
            detail: detail.to_string().into(),
            fault,
            next,
            action_id: None,
            candidates: None,
            retry_after: None,
        }
    }

    /// `meant` is the room that the caller can see with almost that address.
    pub(super) fn no_such_room(meant: Option<&str>) -> Self {
        let meant = meant.map_or_else(String::new, |room| format!(" Did you mean {room}?"));
        let detail = format!("{NO_SUCH_ROOM}{meant}");
        Self::new(StatusCode::NOT_FOUND, "no-such-room", "Room not found", detail)
    }

    /// The same for entries of a list.
    pub(super) fn unknown_rooms(detail: String) -> Self {
        Self::new(StatusCode::NOT_FOUND, "no-such-room", "Room not found", detail)
    }

    pub(super) fn not_found(what: &'static str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not-found",
            "Not found",
            format!("This key can see no such {what}."),
        )
    }

    pub(super) fn unauthenticated(detail: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", "Authentication failed", detail)
    }

    /// Returned only to a caller with the right secret.
    pub(super) fn key_expired() -> Self {
        let detail = "The API key has expired.";
        Self {
            fault: "administrator",
            next: "ask the administrator for a new key, or to extend this one with: adjourn key change ID --expires DATE",
            ..Self::new(StatusCode::UNAUTHORIZED, "key-expired", "API key expired", detail)
        }
    }

    /// Returned only to a caller with the right secret.
    pub(super) fn certificate_mismatch() -> Self {
        let detail = "The API key is bound to a client certificate, and this connection did not present it.";
        Self {
            fault: "administrator",
            next: "present that certificate, or ask the administrator to bind the key to yours with: \
                   adjourn key change ID --certificate-sha256 HEX",
            ..Self::new(
                StatusCode::UNAUTHORIZED,
                "other-certificate",
                "Client certificate does not match",
                detail,
            )
        }
    }

    pub(super) fn forbidden(right: &str) -> Self {
        let detail = format!("The key does not have the right `{right}`.");
        Self::new(StatusCode::FORBIDDEN, "forbidden", "Not allowed", detail)
    }

    /// A valid token whose claims are granted no rights.
    pub(super) fn no_grant() -> Self {
        let detail = "The token is valid, but its claims are granted no rights.";
        Self {
            next: "ask the administrator for a grant that matches the token's claims ([[api.oidc.grants]])",
            ..Self::new(StatusCode::FORBIDDEN, "forbidden", "Not allowed", detail)
        }
    }

    /// The response covers all rooms, and the caller's rights do not.
    pub(super) fn not_all_rooms() -> Self {
        let detail = "The key's rights do not cover all rooms (`*`).";
        Self::new(StatusCode::FORBIDDEN, "forbidden", "Not allowed", detail)
    }

    /// The signing keys of the OpenID provider could not be fetched.
    pub(super) fn provider_unavailable() -> Self {
        let detail = "The token cannot be verified: the signing keys of its issuer could not be fetched.";
        let problem = Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "provider-unavailable",
            "Token issuer unavailable",
            detail,
        );
        Self {
            fault: "administrator",
            next: "retry later; if it persists, ask the administrator to check [api.oidc] and the service's log",
            retry_after: NonZeroU32::new(RETRY_S),
            ..problem
        }
    }

    pub(super) fn rate_limited(wait_s: u32) -> Self {
        let detail =
            format!("The key has used up its requests per minute; the next one is allowed in {wait_s} s.");
        let problem = Self::new(StatusCode::TOO_MANY_REQUESTS, "rate-limited", "Too many requests", detail);
        Self { retry_after: NonZeroU32::new(wait_s), ..problem }
    }

    /// A limit on concurrent operations is reached: the key's own (429), or that of a room or of all callers (503).
    pub(super) fn share_exhausted(operations: &str, exhausted: ShareExhausted) -> Self {
        let detail = format!("{operations}: {exhausted}.");
        let problem = match exhausted {
            ShareExhausted::Key => {
                let status = StatusCode::TOO_MANY_REQUESTS;
                Self::new(status, "rate-limited", "Too many requests", detail)
            }
            ShareExhausted::Room | ShareExhausted::Total => {
                let status = StatusCode::SERVICE_UNAVAILABLE;
                Self::new(status, "unavailable", "Temporarily unavailable", detail)
            }
        };
        Self { retry_after: NonZeroU32::new(SHARE_RETRY_S), ..problem }
    }

    /// A limit on evidence is reached.
    pub(super) fn evidence_full(detail: impl ToString) -> Self {
        let title = "Evidence limit reached";
        let problem = Self::new(StatusCode::TOO_MANY_REQUESTS, "evidence-full", title, detail);
        Self { retry_after: NonZeroU32::new(EVIDENCE_RETRY_S), ..problem }
    }

    pub(super) fn shutting_down() -> Self {
        let problem = Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            "Temporarily unavailable",
            SHUTTING_DOWN,
        );
        Self { retry_after: NonZeroU32::new(RETRY_S), ..problem }
    }

    /// Exchange did not respond in the caller's time, and no recent state of the room is cached.
    pub(super) fn exchange_timeout() -> Self {
        let detail = "Exchange did not respond in time, and the room was not read in the last 15 minutes.";
        let problem = Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "exchange-timeout",
            "Exchange did not respond in time",
            detail,
        );
        Self { retry_after: NonZeroU32::new(RETRY_S), ..problem }
    }

    pub(super) fn bad_request(detail: impl ToString) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request", "Invalid request", detail)
    }

    pub(super) fn bad_request_with(status: StatusCode, detail: impl ToString) -> Self {
        let status = if status.is_client_error() { status } else { StatusCode::BAD_REQUEST };
        Self::new(status, "bad-request", "Invalid request", detail)
    }

    /// The idempotency key was used for another request, a check-in or an action.
    pub(super) fn key_reused() -> Self {
        let detail = "The Idempotency-Key was used for another request: send a new one.";
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "key-reused", "Idempotency key reused", detail)
    }

    /// The action in progress in the room did not end in the caller's time.
    pub(super) fn still_in_doubt(detail: impl ToString) -> Self {
        Self {
            retry_after: NonZeroU32::new(RETRY_S),
            next: "retry later",
            ..Self::conflict("still-in-doubt", "An earlier action in the room is in doubt", detail)
        }
    }

    /// No current event awaits a check-in.
    pub(super) fn no_event_to_check_in(detail: impl ToString) -> Self {
        Self::conflict("no-current-event", "No event to check in to", detail)
    }

    /// An action removed the event during the check-in.
    pub(super) fn event_removed(detail: impl ToString) -> Self {
        Self::conflict("changed-meanwhile", "The event was removed in the meantime", detail)
    }

    /// The sweep has no complete plan, or was applied already.
    pub(super) fn not_planned() -> Self {
        let detail = "A sweep can be applied once, when its plan is complete.";
        Self::conflict("not-planned", "The sweep cannot be applied now", detail)
    }

    fn conflict(kind: &'static str, title: &'static str, detail: impl ToString) -> Self {
        let problem = Self::new(StatusCode::CONFLICT, kind, title, detail);
        Self { fault: "nobody", next: "read the room again and decide again", ..problem }
    }

    /// Adds the action that the problem is about.
    pub(super) fn with_action(self, action_id: Option<ActionId>) -> Self {
        Self { action_id, ..self }
    }

    /// The problem of an action that was refused or needs a person; `None` for a successful one.
    pub(super) fn from_outcome(action: ActionId, outcome: &Outcome) -> Option<Self> {
        let problem = match outcome {
            Outcome::Done(_) | Outcome::AlreadyDone { .. } => return None,
            Outcome::Refused { refusal } => Self::from_refusal(refusal),
            Outcome::NeedsAttention { advice, .. } => Self {
                fault: "administrator",
                next: "have a person check the room's calendar",
                ..Self::new(StatusCode::BAD_GATEWAY, "needs-attention", "The outcome is unknown", advice)
            },
        };
        Some(Self { action_id: Some(action), ..problem })
    }

    fn from_refusal(refusal: &Refusal) -> Self {
        let kind = refusal_kind(refusal);
        match refusal {
            Refusal::OutOfScope { .. } => Self::no_such_room(None),
            Refusal::NoSuchAction { .. } | Refusal::MaybeArchived { .. } => Self::not_found("action"),
            Refusal::EventNotFound => Self {
                next: "read the room again (GET /v1/rooms/{room}) and send the id of an event that it lists",
                ..Self::new(StatusCode::NOT_FOUND, kind, "Event not found", refusal)
            },
            Refusal::Exchange { responsible: fault, .. } => Self::from_exchange(*fault, refusal),
            Refusal::StillInDoubt { .. } => Self {
                retry_after: NonZeroU32::new(RETRY_S),
                next: "retry later",
                ..Self::conflict(kind, "An earlier action in the room is in doubt", refusal)
            },
            _ => match refusal.responsible() {
                ResponsibleParty::Caller => Self::new(
                    StatusCode::UNPROCESSABLE_ENTITY,
                    kind,
                    "The request cannot be carried out",
                    refusal,
                ),
                ResponsibleParty::Administrator => Self {
                    fault: "administrator",
                    next: "ask the administrator to change the configuration",
                    ..Self::new(
                        StatusCode::UNPROCESSABLE_ENTITY,
                        kind,
                        "Refused by the configuration",
                        refusal,
                    )
                },
                ResponsibleParty::Server | ResponsibleParty::Network => {
                    Self::from_exchange(ResponsibleParty::Server, refusal)
                }
                ResponsibleParty::Nobody => {
                    Self::conflict(kind, "The room's calendar has a conflict", refusal)
                }
            },
        }
    }

    fn from_exchange(fault: ResponsibleParty, detail: impl ToString) -> Self {
        match fault {
            ResponsibleParty::Server | ResponsibleParty::Network => {
                let status = StatusCode::SERVICE_UNAVAILABLE;
                let problem = Self::new(status, "exchange-unavailable", "Exchange is unavailable", detail);
                Self { retry_after: NonZeroU32::new(RETRY_S), ..problem }
            }
            ResponsibleParty::Administrator | ResponsibleParty::Caller | ResponsibleParty::Nobody => Self {
                fault: "administrator",
                next: "ask the administrator to check Adjourn's rights in Exchange: adjourn doctor",
                ..Self::new(
                    StatusCode::BAD_GATEWAY,
                    "exchange-refused",
                    "Exchange refused the request",
                    detail,
                )
            },
        }
    }
}

/// Error responses of operations that use only the service's memory.
pub(super) struct ClientErrors;

/// Error responses of operations that use Exchange or the journal.
pub(super) struct BackendErrors;

impl IntoResponses for ClientErrors {
    fn responses() -> BTreeMap<String, RefOr<Described>> {
        BTreeMap::from([(
            "4XX".to_owned(),
            problem_response("The request was not carried out: the problem says why"),
        )])
    }
}

/// Responses of operations that request an action.
pub(super) struct ActionResponses;

impl IntoResponses for ActionResponses {
    fn responses() -> BTreeMap<String, RefOr<Described>> {
        let view = || ContentBuilder::new().schema(Some(Ref::from_schema_name("ActionView"))).build();
        let done = ResponseBuilder::new().content("application/json", view());
        let under_way = ResponseBuilder::new()
            .description("In progress: poll the address in `Location`")
            .content("application/json", view());
        let mut all = BackendErrors::responses();
        all.insert("200".to_owned(), done.build().into());
        all.insert("202".to_owned(), under_way.build().into());
        all
    }
}

impl IntoResponses for BackendErrors {
    fn responses() -> BTreeMap<String, RefOr<Described>> {
        let mut all = ClientErrors::responses();
        all.insert(
            "502".to_owned(),
            problem_response("Exchange refused the request, or a person has to check the calendar"),
        );
        all.insert("503".to_owned(), problem_response("Temporarily unavailable: retry later"));
        all
    }
}

fn problem_response(what: &str) -> RefOr<Described> {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    ResponseBuilder::new().description(what).content("application/problem+json", content).build().into()
}

fn as_urn<S: Serializer>(kind: &&'static str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("urn:adjourn:problem:{kind}"))
}

/// The problem type of a refusal.
fn refusal_kind(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::NoCurrentEvent => "no-current-event",
        Refusal::Ambiguous { .. } => "ambiguous",
        Refusal::NotStarted { .. } => "not-started",
        Refusal::NotCurrent { .. } => "not-on",
        Refusal::Over { .. } => "over",
        Refusal::AllDay => "all-day",
        Refusal::Cancelled => "cancelled",
        Refusal::Declined => "declined",
        Refusal::UnknownCopy => "unknown-copy",
        Refusal::ServerAlwaysNotifies => "server-always-notifies",
        Refusal::WholeSeries => "whole-series",
        Refusal::EventNotFound => "event-not-found",
        Refusal::InvalidEventId { .. } => "invalid-event-id",
        Refusal::NotAsSeen { .. } => "not-as-seen",
        Refusal::ChangedMeanwhile { .. } => "changed-meanwhile",
        Refusal::KeepsChanging => "keeps-changing",
        Refusal::NoLongerApplies { .. } => "no-longer-applies",
        Refusal::IrreversibleForbidden => "cannot-be-undone",
        Refusal::KeyReused { .. } => "key-reused",
        Refusal::Interrupted => "interrupted",
        Refusal::StillInDoubt { .. } => "still-in-doubt",
        Refusal::NothingToUndo => "nothing-to-undo",
        Refusal::NotUndoable { .. } => "not-undoable",
        Refusal::Collides { .. } => "collides",
        Refusal::LeftDeletedItems => "left-deleted-items",
        Refusal::OutOfScope { .. } | Refusal::NoSuchAction { .. } | Refusal::MaybeArchived { .. } => {
            "not-found"
        }
        Refusal::Exchange { .. } => "exchange",
    }
}

impl From<CalendarError> for Problem {
    fn from(trouble: CalendarError) -> Self {
        Self::from_exchange(trouble.responsible, trouble)
    }
}

impl From<StatusError> for Problem {
    fn from(unknown: StatusError) -> Self {
        match unknown {
            StatusError::Calendar(trouble) => trouble.into(),
            StatusError::Timeout => Self::exchange_timeout(),
        }
    }
}

impl From<JournalError> for Problem {
    fn from(error: JournalError) -> Self {
        tracing::error!(%error, "journal unavailable");
        let detail = "The journal cannot be written, so nothing was changed.";
        let status = StatusCode::SERVICE_UNAVAILABLE;
        let problem = Self::new(status, "journal-unavailable", "Journal unavailable", detail);
        Self {
            fault: "administrator",
            next: "ask the administrator to check the disk of Adjourn's state directory",
            ..problem
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        JournalError::Unusable(error.to_string()).into()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let retry_after = self.retry_after;
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, seconds.get().into());
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.append(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            headers.append(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"Adjourn\""));
        }
        response
    }
}

pub(super) async fn unknown_route() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not-found", "Not found", "The API has no such path.")
}

pub(super) async fn method_not_allowed() -> Problem {
    Problem::bad_request_with(StatusCode::METHOD_NOT_ALLOWED, "This address does not support the method.")
}

/// Middleware: gives each request an id that is returned in `X-Request-Id` and logged: the caller's own if valid, else a new one.
pub(super) async fn assign_request_id(request: Request, next: Next) -> Response {
    let given = request.headers().get(&REQUEST_ID).filter(|value| is_request_id(value)).cloned();
    let name = given.or_else(|| HeaderValue::from_str(&Uuid::new_v4().to_string()).ok());
    let said = name.as_ref().and_then(|name| name.to_str().ok()).unwrap_or_default();
    let span = tracing::info_span!("request", method = %request.method(), request_id = said, status = Empty);
    telemetry::adopt_parent_span(&span, request.headers());
    let mut response = next.run(request).instrument(span.clone()).await;
    span.record("status", response.status().as_u16());
    if let Some(name) = name {
        response.headers_mut().insert(REQUEST_ID, name);
    }
    response
}

fn is_request_id(value: &HeaderValue) -> bool {
    (1..=128).contains(&value.len()) && value.as_bytes().iter().all(u8::is_ascii_graphic)
}
