//! Error responses as problem details (RFC 9457): what failed, whose fault it is, and what to do next. Details never contain what the
//! caller may not see.

use std::num::NonZeroU32;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::event_view::CandidateView;
use super::problem_type::ProblemType;
use crate::action::{ActionId, Answer, Outcome, Refusal, ResponsibleParty};
use crate::engine::CalendarError;
use crate::journal::JournalError;
use crate::service::StatusError;
use crate::shares::ShareExhausted;
use crate::store::StoreError;

/// `Retry-After` of a temporary failure, in seconds.
const RETRY_S: u32 = 10;
/// `Retry-After` of a limit on concurrent operations, in seconds.
const SHARE_RETRY_S: u32 = 5;
const SHUTTING_DOWN: &str = "The service is shutting down.";
const STANDING_BY: &str = "This process stands by: another one is the active service. Nothing was changed.";
/// `Retry-After` of a process that stands by, in seconds: it may take over, and another address may serve already.
const STANDBY_RETRY_S: u32 = 1;
const NO_SUCH_ROOM: &str = "This key can see no room with that address.";
/// `Retry-After` of a limit on evidence, in seconds: expired signs make room.
const EVIDENCE_RETRY_S: u32 = 600;

/// A problem: why a request was not carried out.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// The type of the problem.
    #[serde(rename = "type")]
    pub kind: ProblemType,
    /// The type of the problem in words.
    #[schema(value_type = String, example = "The request cannot be carried out")]
    pub title: &'static str,
    /// The HTTP status code.
    #[schema(example = 422)]
    pub status: u16,
    /// What failed in this case.
    #[schema(value_type = String)]
    pub detail: Box<str>,
    /// Who has to act.
    pub fault: Fault,
    /// What to do next, in the imperative.
    #[schema(value_type = String)]
    pub next: &'static str,
    /// The members of the request's body that are wrong, with `bad-request`, `no-such-room` and `not-in-plan`.
    #[schema(value_type = Vec<InvalidMember>)]
    pub errors: Box<[InvalidMember]>,
    /// The action that the problem is about; null where none was accepted.
    #[schema(value_type = Option<Uuid>)]
    pub action_id: Option<ActionId>,
    /// With `ambiguous`: the events that may be meant; with `event-not-found` and `invalid-event-id`: the event whose id was most likely
    /// meant, if the key can see it. Send one of their ids as `event`.
    #[schema(value_type = Vec<CandidateView>)]
    pub candidates: Box<[CandidateView]>,
    #[serde(skip)]
    pub(super) retry_after: Option<NonZeroU32>,
}

/// Who has to act: the caller, the administrator of Adjourn or Exchange, the server (the failure is temporary), or nobody (the state of
/// the calendar is the reason).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Fault {
    Caller,
    Administrator,
    Server,
    Nobody,
}

/// A wrong member of a request's body.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct InvalidMember {
    /// JSON Pointer (RFC 6901) to the member; for a missing member, to the object that lacks it; empty for the whole body.
    #[schema(example = "/signs/3/source")]
    pub pointer: String,
    /// What is wrong with it.
    pub detail: String,
}

impl Problem {
    pub(super) fn new(
        status: StatusCode,
        kind: ProblemType,
        title: &'static str,
        detail: impl ToString,
    ) -> Self {
        let (fault, next) = match status {
            StatusCode::UNAUTHORIZED => {
                (Fault::Caller, "send a valid API key or token in the header Authorization: Bearer …")
            }
            StatusCode::FORBIDDEN => {
                (Fault::Administrator, "ask the administrator for a key with this right")
            }
            StatusCode::NOT_FOUND => {
                (Fault::Caller, "check the address; GET /v1/rooms lists the rooms that this key can see")
            }
            StatusCode::TOO_MANY_REQUESTS => {
                (Fault::Caller, "send fewer requests; retry after the seconds in Retry-After")
            }
            status if status.is_client_error() => {
                (Fault::Caller, "correct the request; the same request will fail again")
            }
            _ => (Fault::Server, "retry later"),
        };
        Self {
            kind,
            title,
            status: status.as_u16(),
            detail: detail.to_string().into(),
            fault,
            next,
            errors: Box::default(),
            action_id: None,
            candidates: Box::default(),
            retry_after: None,
        }
    }

    /// `meant` is the room that the caller can see with almost that address.
    pub(super) fn no_such_room(meant: Option<&str>) -> Self {
        let meant = meant.map_or_else(String::new, |room| format!(" Did you mean {room}?"));
        let detail = format!("{NO_SUCH_ROOM}{meant}");
        Self::new(StatusCode::NOT_FOUND, ProblemType::NoSuchRoom, "Room not found", detail)
    }

    /// The same for entries of a list in the body.
    pub(super) fn unknown_rooms(detail: String, errors: Vec<InvalidMember>) -> Self {
        let problem = Self::new(StatusCode::NOT_FOUND, ProblemType::NoSuchRoom, "Room not found", detail);
        Self { errors: errors.into(), ..problem }
    }

    pub(super) fn not_found(what: &'static str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            ProblemType::NotFound,
            "Not found",
            format!("This key can see no such {what}."),
        )
    }

    pub(super) fn unauthenticated(detail: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, ProblemType::Unauthenticated, "Authentication failed", detail)
    }

    /// Returned only to a caller with the right secret.
    pub(super) fn key_expired() -> Self {
        let detail = "The API key has expired.";
        Self {
            fault: Fault::Administrator,
            next: "ask the administrator for a new key, or to extend this one with: adjourn key change ID --expires DATE",
            ..Self::new(StatusCode::UNAUTHORIZED, ProblemType::KeyExpired, "API key expired", detail)
        }
    }

    /// Returned only to a caller with the right secret.
    pub(super) fn certificate_mismatch() -> Self {
        let detail = "The API key is bound to a client certificate, and this connection did not present it.";
        Self {
            fault: Fault::Administrator,
            next: "present that certificate, or ask the administrator to bind the key to yours with: \
                   adjourn key change ID --certificate-sha256 HEX",
            ..Self::new(
                StatusCode::UNAUTHORIZED,
                ProblemType::OtherCertificate,
                "Client certificate does not match",
                detail,
            )
        }
    }

    pub(super) fn forbidden(right: &str) -> Self {
        let detail = format!("The key does not have the right `{right}`.");
        Self::new(StatusCode::FORBIDDEN, ProblemType::Forbidden, "Not allowed", detail)
    }

    /// A valid token whose claims are granted no rights.
    pub(super) fn no_grant() -> Self {
        let detail = "The token is valid, but its claims are granted no rights.";
        Self {
            next: "ask the administrator for a grant that matches the token's claims ([[api.oidc.grants]])",
            ..Self::new(StatusCode::FORBIDDEN, ProblemType::Forbidden, "Not allowed", detail)
        }
    }

    /// The response covers all rooms, and the caller's rights do not.
    pub(super) fn not_all_rooms() -> Self {
        let detail = "The key's rights do not cover all rooms (`*`).";
        Self::new(StatusCode::FORBIDDEN, ProblemType::Forbidden, "Not allowed", detail)
    }

    /// The signing keys of the OpenID provider could not be fetched.
    pub(super) fn provider_unavailable() -> Self {
        let detail = "The token cannot be verified: the signing keys of its issuer could not be fetched.";
        let problem = Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            ProblemType::ProviderUnavailable,
            "Token issuer unavailable",
            detail,
        );
        Self {
            fault: Fault::Administrator,
            next: "retry later; if it persists, ask the administrator to check [api.oidc] and the service's log",
            retry_after: NonZeroU32::new(RETRY_S),
            ..problem
        }
    }

    pub(super) fn rate_limited(wait_s: u32) -> Self {
        let detail =
            format!("The key has used up its requests per minute; the next one is allowed in {wait_s} s.");
        let problem =
            Self::new(StatusCode::TOO_MANY_REQUESTS, ProblemType::RateLimited, "Too many requests", detail);
        Self { retry_after: NonZeroU32::new(wait_s), ..problem }
    }

    /// A limit on concurrent operations is reached: the key's own (429), or that of a room or of all callers (503).
    pub(super) fn share_exhausted(operations: &str, exhausted: ShareExhausted) -> Self {
        let detail = format!("{operations}: {exhausted}.");
        let problem = match exhausted {
            ShareExhausted::Key => {
                let status = StatusCode::TOO_MANY_REQUESTS;
                Self::new(status, ProblemType::RateLimited, "Too many requests", detail)
            }
            ShareExhausted::Room | ShareExhausted::Total => Self::unavailable(detail),
        };
        Self { retry_after: NonZeroU32::new(SHARE_RETRY_S), ..problem }
    }

    /// A limit on evidence is reached.
    pub(super) fn evidence_full(detail: impl ToString) -> Self {
        let title = "Evidence limit reached";
        let problem = Self::new(StatusCode::TOO_MANY_REQUESTS, ProblemType::EvidenceFull, title, detail);
        Self { retry_after: NonZeroU32::new(EVIDENCE_RETRY_S), ..problem }
    }

    pub(super) fn shutting_down() -> Self {
        Self { retry_after: NonZeroU32::new(RETRY_S), ..Self::unavailable(SHUTTING_DOWN) }
    }

    /// Another process is the active service.
    pub(super) fn standing_by() -> Self {
        Self { retry_after: NonZeroU32::new(STANDBY_RETRY_S), ..Self::unavailable(STANDING_BY) }
    }

    /// Exchange did not respond in the caller's time, and no recent state of the room is cached.
    pub(super) fn exchange_timeout() -> Self {
        let detail = "Exchange did not respond in time, and the room was not read in the last 15 minutes.";
        let problem = Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            ProblemType::ExchangeTimeout,
            "Exchange did not respond in time",
            detail,
        );
        Self { retry_after: NonZeroU32::new(RETRY_S), ..problem }
    }

    pub(crate) fn bad_request(detail: impl ToString) -> Self {
        Self::new(StatusCode::BAD_REQUEST, ProblemType::BadRequest, "Invalid request", detail)
    }

    /// One member of the body is wrong. `pointer` is a JSON Pointer.
    pub(super) fn unknown_cursor() -> Self {
        Self::bad_request("`cursor` is not one that this list returned.")
    }

    pub(super) fn invalid_member(pointer: impl Into<String>, detail: impl ToString) -> Self {
        let errors = [InvalidMember { pointer: pointer.into(), detail: detail.to_string() }];
        Self { errors: errors.into(), ..Self::bad_request(detail) }
    }

    pub(super) fn bad_request_with(status: StatusCode, detail: impl ToString) -> Self {
        let status = if status.is_client_error() { status } else { StatusCode::BAD_REQUEST };
        Self::new(status, ProblemType::BadRequest, "Invalid request", detail)
    }

    pub(super) fn unavailable(detail: impl ToString) -> Self {
        let (status, title) = (StatusCode::SERVICE_UNAVAILABLE, "Temporarily unavailable");
        Self::new(status, ProblemType::Unavailable, title, detail)
    }

    pub(super) fn refused_by_configuration(kind: ProblemType, detail: impl ToString) -> Self {
        Self {
            fault: Fault::Administrator,
            next: "ask the administrator to change the configuration",
            ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, kind, "Refused by the configuration", detail)
        }
    }

    /// The configuration does not let callers choose the subject of a booking.
    pub(super) fn booking_subject_forbidden() -> Self {
        let detail = "The configuration allows no `subject` and no `organizer_name` (engine.booking_subjects_allowed).";
        Self {
            next: "leave both out, or ask the administrator to change the configuration",
            ..Self::refused_by_configuration(ProblemType::SubjectNotAllowed, detail)
        }
    }

    /// The idempotency key was used for another request, a check-in or an action.
    pub(super) fn key_reused() -> Self {
        let detail = "The Idempotency-Key was used for another request: send a new one.";
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, ProblemType::KeyReused, "Idempotency key reused", detail)
    }

    /// The action in progress in the room did not end in the caller's time.
    pub(super) fn still_in_doubt(detail: impl ToString) -> Self {
        Self {
            retry_after: NonZeroU32::new(RETRY_S),
            next: "retry later",
            ..Self::conflict(ProblemType::StillInDoubt, "An earlier action in the room is in doubt", detail)
        }
    }

    pub(super) fn conflict(kind: ProblemType, title: &'static str, detail: impl ToString) -> Self {
        let problem = Self::new(StatusCode::CONFLICT, kind, title, detail);
        Self { fault: Fault::Nobody, next: "read the room again and decide again", ..problem }
    }

    /// A command refused its request, and changed nothing.
    pub(crate) fn refused(detail: impl ToString) -> Self {
        Self {
            fault: Fault::Caller,
            next: "change the request or the configuration; `detail` says which",
            ..Self::conflict(ProblemType::Refused, "The command refused the request", detail)
        }
    }

    /// A sweep exceeded its limits, and changed nothing.
    pub(crate) fn sweep_stopped(detail: impl ToString) -> Self {
        Self {
            fault: Fault::Administrator,
            next: "check the plan, and change cleanup.limits if it is right",
            ..Self::conflict(ProblemType::SweepStopped, "The sweep exceeds its limits", detail)
        }
    }

    /// The journal cannot be read or written, or is damaged.
    pub(crate) fn journal_unavailable(detail: impl ToString) -> Self {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Self {
            fault: Fault::Administrator,
            next: "ask the administrator to check the journal: the disk of the state directory, or its database (`adjourn doctor`)",
            ..Self::new(status, ProblemType::JournalUnavailable, "Journal unavailable", detail)
        }
    }

    /// Nothing is known about the outcome, so a person has to look.
    pub(crate) fn needs_attention(detail: impl ToString) -> Self {
        Self {
            fault: Fault::Administrator,
            next: "have a person check the room's calendar",
            ..Self::new(
                StatusCode::BAD_GATEWAY,
                ProblemType::NeedsAttention,
                "The outcome is unknown",
                detail,
            )
        }
    }

    /// The same problem with another next step, for a caller that is no HTTP client.
    pub(crate) fn with_next(self, next: &'static str) -> Self {
        Self { next, ..self }
    }

    /// Adds the action that the problem is about.
    pub(super) fn with_action(self, action_id: Option<ActionId>) -> Self {
        Self { action_id, ..self }
    }

    /// The problem of an action that was refused or needs a person; `None` for a successful one.
    pub(crate) fn from_outcome(action: ActionId, outcome: &Outcome) -> Option<Self> {
        let problem = match outcome {
            Outcome::Done(_) | Outcome::AlreadyDone { .. } => return None,
            Outcome::Refused { refusal } => Self::from_refusal(refusal),
            Outcome::NeedsAttention { advice, .. } => Self::needs_attention(advice),
        };
        Some(Self { action_id: Some(action), ..problem })
    }

    /// The same for a user of the command line, who may know of every room and action: nothing is hidden as it is from an API key.
    pub(crate) fn for_operator(answer: &Answer) -> Option<Self> {
        let problem = Self::from_outcome(answer.action, &answer.outcome)?;
        let Outcome::Refused { refusal } = &answer.outcome else { return Some(problem) };
        let next = match refusal {
            Refusal::OutOfScope { .. } => "add the room to [scope] of the configuration",
            Refusal::NoSuchAction { .. } | Refusal::MaybeArchived { .. } => {
                "list the actions with adjourn audit, and give the id of one of them"
            }
            Refusal::EventNotFound => {
                "list the room's events with adjourn events, and give the id of one of them in --event"
            }
            _ => return Some(problem),
        };
        Some(Self { detail: refusal.to_string().into(), next, ..problem })
    }

    fn from_refusal(refusal: &Refusal) -> Self {
        let kind = ProblemType::of(refusal);
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
                ResponsibleParty::Administrator => Self::refused_by_configuration(kind, refusal),
                ResponsibleParty::Server | ResponsibleParty::Network => {
                    Self::from_exchange(ResponsibleParty::Server, refusal)
                }
                ResponsibleParty::Nobody => {
                    Self::conflict(kind, "The room's calendar has a conflict", refusal)
                }
            },
        }
    }

    pub(crate) fn from_exchange(fault: ResponsibleParty, detail: impl ToString) -> Self {
        match fault {
            ResponsibleParty::Server | ResponsibleParty::Network => {
                let status = StatusCode::SERVICE_UNAVAILABLE;
                let problem =
                    Self::new(status, ProblemType::ExchangeUnavailable, "Exchange is unavailable", detail);
                Self { retry_after: NonZeroU32::new(RETRY_S), ..problem }
            }
            ResponsibleParty::Administrator | ResponsibleParty::Caller | ResponsibleParty::Nobody => Self {
                fault: Fault::Administrator,
                next: "ask the administrator to check Adjourn's rights in Exchange: adjourn doctor",
                ..Self::new(
                    StatusCode::BAD_GATEWAY,
                    ProblemType::ExchangeRefused,
                    "Exchange refused the request",
                    detail,
                )
            },
        }
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
        Self::journal_unavailable("The journal cannot be used.")
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        if error.may_be_stored() {
            tracing::error!(%error, "service store unavailable");
            return Self::journal_unavailable(
                "The database did not confirm the change. It may have been made.",
            );
        }
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
    Problem::new(StatusCode::NOT_FOUND, ProblemType::NotFound, "Not found", "The API has no such path.")
}

pub(super) async fn method_not_allowed() -> Problem {
    Problem::bad_request_with(StatusCode::METHOD_NOT_ALLOWED, "This address does not support the method.")
}
