//! Answers that are no: RFC 9457, with whose fault it is and what to do next.

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

/// When a caller should ask again that was told "later", in seconds.
const RETRY_S: u32 = 10;
/// When one of the places that callers share may be free again, in seconds.
const SHARE_RETRY_S: u32 = 5;
const SHUTTING_DOWN: &str = "It is being stopped.";
/// When a sign that was refused may be sent again, in seconds: signs whose time is over make room.
const EVIDENCE_RETRY_S: u32 = 600;
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Why the answer is no.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Problem {
    /// Names the kind of problem: `urn:adjourn:problem:` and a word.
    #[serde(rename = "type", serialize_with = "as_urn")]
    #[schema(value_type = String, example = "urn:adjourn:problem:not-started")]
    pub kind: &'static str,
    /// The kind in words.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// What is so in this case.
    pub detail: Box<str>,
    /// Who has to do something about it.
    #[schema(value_type = String, example = "caller")]
    pub fault: &'static str,
    /// What to do next.
    pub next: &'static str,
    /// The action it is about, where one was begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Uuid>)]
    pub action: Option<ActionId>,
    /// With `ambiguous`: the events that may be meant. Name one of them in the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub candidates: Option<Box<[CandidateView]>>,
    #[serde(skip)]
    retry_after: Option<NonZeroU32>,
}

impl Problem {
    fn new(status: StatusCode, kind: &'static str, title: &'static str, detail: impl ToString) -> Self {
        let (fault, next) = match status {
            StatusCode::UNAUTHORIZED => ("caller", "send a valid API key or token: Authorization: Bearer …"),
            StatusCode::FORBIDDEN => ("administrator", "ask the administrator for a key with this right"),
            StatusCode::NOT_FOUND => ("caller", "check the address; GET /v1/rooms lists what there is"),
            StatusCode::TOO_MANY_REQUESTS => ("caller", "ask less often; wait as long as Retry-After says"),
            status if status.is_client_error() => {
                ("caller", "change the request; asking the same again will not help")
            }
            _ => ("server", "ask again later"),
        };
        Self {
            kind,
            title,
            status: status.as_u16(),
            detail: detail.to_string().into(),
            fault,
            next,
            action: None,
            candidates: None,
            retry_after: None,
        }
    }

    pub(super) fn no_such_room() -> Self {
        Self::new(StatusCode::NOT_FOUND, "no-such-room", "There is no such room", "No room of that address.")
    }

    /// The same of a list: which entries they are.
    pub(super) fn unknown_rooms(detail: String) -> Self {
        Self::new(StatusCode::NOT_FOUND, "no-such-room", "There is no such room", detail)
    }

    pub(super) fn not_found(what: &'static str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "There is no such thing", format!("No such {what}."))
    }

    pub(super) fn unauthenticated(detail: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", "The request has no valid API key", detail)
    }

    /// Only the holder of the right secret is told.
    pub(super) fn key_expired() -> Self {
        let detail = "The secret is right, but the API key has expired.";
        Self {
            fault: "administrator",
            next: "ask the administrator for a new key, or to extend this one: adjourn key change ID --expires DATE",
            ..Self::new(StatusCode::UNAUTHORIZED, "key-expired", "The API key has expired", detail)
        }
    }

    /// Only the holder of the right secret is told.
    pub(super) fn certificate_mismatch() -> Self {
        let detail = "The secret is right, but the API key opens only over TLS with the client certificate it is bound to.";
        Self {
            fault: "administrator",
            next: "present that certificate, or ask the administrator to bind the key to another: \
                   adjourn key change ID --certificate-sha256 HEX",
            ..Self::new(StatusCode::UNAUTHORIZED, "other-certificate", "The certificate is another", detail)
        }
    }

    pub(super) fn forbidden(right: &str) -> Self {
        let detail = format!("The key has no right to `{right}`.");
        Self::new(StatusCode::FORBIDDEN, "forbidden", "The key may not do this", detail)
    }

    /// The provider of tokens cannot be asked for its keys.
    pub(super) fn provider_unavailable() -> Self {
        let detail = "Whoever signs these tokens cannot be asked for the keys yet.";
        let problem =
            Self::new(StatusCode::SERVICE_UNAVAILABLE, "no-provider", "Tokens cannot be checked", detail);
        Self {
            fault: "administrator",
            next: "ask again later; if it stays so, the administrator looks at [api.oidc] and the service's log",
            retry_after: NonZeroU32::new(RETRY_S),
            ..problem
        }
    }

    pub(super) fn rate_limited(wait_s: u32) -> Self {
        let detail = format!("The key's limit is reached for another {wait_s} s.");
        let problem = Self::new(StatusCode::TOO_MANY_REQUESTS, "too-often", "Too many requests", detail);
        Self { retry_after: NonZeroU32::new(wait_s), ..problem }
    }

    /// A share of the places for these operations is used up: the key's own (429), or that of a room or of all callers (503).
    pub(super) fn share_exhausted(operations: &str, exhausted: ShareExhausted) -> Self {
        let detail = format!("{operations}: {exhausted}.");
        let problem = match exhausted {
            ShareExhausted::Key => {
                let status = StatusCode::TOO_MANY_REQUESTS;
                Self::new(status, "too-often", "Too many requests", detail)
            }
            ShareExhausted::Room | ShareExhausted::Total => {
                let status = StatusCode::SERVICE_UNAVAILABLE;
                Self::new(status, "not-now", "Adjourn takes nothing on now", detail)
            }
        };
        Self { retry_after: NonZeroU32::new(SHARE_RETRY_S), ..problem }
    }

    /// A limit on evidence is reached.
    pub(super) fn evidence_full(detail: impl ToString) -> Self {
        let title = "No more evidence is kept";
        let problem = Self::new(StatusCode::TOO_MANY_REQUESTS, "evidence-full", title, detail);
        Self { retry_after: NonZeroU32::new(EVIDENCE_RETRY_S), ..problem }
    }

    pub(super) fn shutting_down() -> Self {
        let problem = Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "not-now",
            "Adjourn takes nothing on now",
            SHUTTING_DOWN,
        );
        Self { retry_after: NonZeroU32::new(RETRY_S), ..problem }
    }

    /// Exchange does not answer in the caller's time, and nothing recent is known.
    pub(super) fn exchange_timeout() -> Self {
        let detail =
            "Exchange did not answer in time, and nothing was read of this room in the last 15 minutes.";
        let problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, "late", "Exchange does not answer", detail);
        Self { retry_after: NonZeroU32::new(RETRY_S), ..problem }
    }

    pub(super) fn bad_request(detail: impl ToString) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request", "The request cannot be understood", detail)
    }

    pub(super) fn bad_request_with(status: StatusCode, detail: impl ToString) -> Self {
        let status = if status.is_client_error() { status } else { StatusCode::BAD_REQUEST };
        Self::new(status, "bad-request", "The request cannot be understood", detail)
    }

    /// The key names another request, which was a check-in or an action.
    pub(super) fn key_reused() -> Self {
        let detail = "The Idempotency-Key belongs to another request; use a new one.";
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "key-reused", "The request does not fit", detail)
    }

    /// What is under way in the room has not ended within the caller's time.
    pub(super) fn still_in_doubt(detail: impl ToString) -> Self {
        Self {
            retry_after: NonZeroU32::new(RETRY_S),
            next: "ask again later",
            ..Self::conflict("still-in-doubt", "An earlier action is in doubt", detail)
        }
    }

    pub(super) fn conflict(kind: &'static str, title: &'static str, detail: impl ToString) -> Self {
        let problem = Self::new(StatusCode::CONFLICT, kind, title, detail);
        Self { fault: "nobody", next: "look at the room again and decide again", ..problem }
    }

    /// The same, about this action.
    pub(super) fn with_action(self, action: Option<ActionId>) -> Self {
        Self { action, ..self }
    }

    /// The answer to an action that was refused or needs a person; `None` for one that is as was asked.
    pub(super) fn from_outcome(action: ActionId, outcome: &Outcome) -> Option<Self> {
        let problem = match outcome {
            Outcome::Done(_) | Outcome::AlreadyDone { .. } => return None,
            Outcome::Refused { refusal } => Self::from_refusal(refusal),
            Outcome::NeedsAttention { advice, .. } => Self {
                fault: "administrator",
                next: "have a person look at the room's calendar",
                ..Self::new(
                    StatusCode::BAD_GATEWAY,
                    "needs-attention",
                    "It is not known what happened",
                    advice,
                )
            },
        };
        Some(Self { action: Some(action), ..problem })
    }

    fn from_refusal(refusal: &Refusal) -> Self {
        let kind = refusal_kind(refusal);
        match refusal {
            Refusal::OutOfScope { .. } => Self::no_such_room(),
            Refusal::NoSuchAction { .. } | Refusal::MaybeArchived { .. } => Self::not_found("action"),
            Refusal::EventNotFound => Self {
                next: "read the room again (GET /v1/rooms/{room}) and name the event that is there",
                ..Self::new(StatusCode::NOT_FOUND, kind, "The calendar has no such event", refusal)
            },
            Refusal::Exchange { responsible: fault, .. } => Self::from_exchange(*fault, refusal),
            Refusal::StillInDoubt { .. } => Self {
                retry_after: NonZeroU32::new(RETRY_S),
                next: "ask again later",
                ..Self::conflict(kind, "An earlier action is in doubt", refusal)
            },
            _ => match refusal.responsible() {
                ResponsibleParty::Caller => {
                    Self::new(StatusCode::UNPROCESSABLE_ENTITY, kind, "The request does not fit", refusal)
                }
                ResponsibleParty::Administrator => Self {
                    fault: "administrator",
                    next: "ask the administrator",
                    ..Self::new(
                        StatusCode::UNPROCESSABLE_ENTITY,
                        kind,
                        "The configuration forbids it",
                        refusal,
                    )
                },
                ResponsibleParty::Server | ResponsibleParty::Network => {
                    Self::from_exchange(ResponsibleParty::Server, refusal)
                }
                ResponsibleParty::Nobody => Self::conflict(kind, "The calendar is against it", refusal),
            },
        }
    }

    fn from_exchange(fault: ResponsibleParty, detail: impl ToString) -> Self {
        match fault {
            ResponsibleParty::Server | ResponsibleParty::Network => {
                let status = StatusCode::SERVICE_UNAVAILABLE;
                let problem = Self::new(status, "exchange-away", "Exchange cannot be reached now", detail);
                Self { retry_after: NonZeroU32::new(RETRY_S), ..problem }
            }
            ResponsibleParty::Administrator | ResponsibleParty::Caller | ResponsibleParty::Nobody => Self {
                fault: "administrator",
                next: "ask the administrator to look at Adjourn's rights in Exchange",
                ..Self::new(StatusCode::BAD_GATEWAY, "exchange-refused", "Exchange refused", detail)
            },
        }
    }
}

/// The answers of an operation that asks nobody but us.
pub(super) struct ClientErrors;

/// The answers of an operation that asks Exchange, or the disk.
pub(super) struct BackendErrors;

impl IntoResponses for ClientErrors {
    fn responses() -> BTreeMap<String, RefOr<Described>> {
        BTreeMap::from([("4XX".to_owned(), problem_response("Not as asked: the problem says why"))])
    }
}

/// The answers of an operation that asks for an action.
pub(super) struct ActionResponses;

impl IntoResponses for ActionResponses {
    fn responses() -> BTreeMap<String, RefOr<Described>> {
        let view = || ContentBuilder::new().schema(Some(Ref::from_schema_name("ActionView"))).build();
        let done = ResponseBuilder::new().content("application/json", view());
        let under_way = ResponseBuilder::new()
            .description("Under way: see `Location`")
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
        all.insert("502".to_owned(), problem_response("Exchange refused, or a person has to look"));
        all.insert("503".to_owned(), problem_response("Not now: ask again later"));
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

/// The word a refusal has in problems.
fn refusal_kind(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::NoCurrentEvent => "nothing-on",
        Refusal::Ambiguous { .. } => "ambiguous",
        Refusal::NotStarted { .. } => "not-started",
        Refusal::NotCurrent { .. } => "not-on",
        Refusal::Over { .. } => "over",
        Refusal::AllDay => "all-day",
        Refusal::Cancelled => "cancelled",
        Refusal::Declined => "declined",
        Refusal::UnknownCopy => "unknown-copy",
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
        tracing::error!(%error, "the journal failed");
        let detail = "Adjourn cannot store what it does, so it does nothing.";
        let status = StatusCode::SERVICE_UNAVAILABLE;
        let problem = Self::new(status, "journal", "The journal cannot be used", detail);
        Self { fault: "administrator", next: "have the administrator look at Adjourn's disk", ..problem }
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
    Problem::not_found("address")
}

pub(super) async fn method_not_allowed() -> Problem {
    Problem::bad_request_with(StatusCode::METHOD_NOT_ALLOWED, "This address does not take this method.")
}

/// Gives every request a name that stands in its answer and in the log: the caller's own, where it is one.
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
