//! The types of problems (RFC 9457). Programs compare them, and `docs/troubleshooting.md` explains each one. A type that was released
//! never changes its meaning.

use std::borrow::Cow;

use serde::{Serialize, Serializer};
use utoipa::openapi::{ObjectBuilder, RefOr, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::action::Refusal;

/// What precedes the name in the member `type`.
const URN: &str = "urn:adjourn:problem:";

macro_rules! problem_types {
    ($($variant:ident = $name:literal,)*) => {
        /// The type of a problem.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub(crate) enum ProblemType {
            $($variant,)*
        }

        /// The names of all problem types.
        pub const PROBLEM_TYPES: &[&str] = &[$($name,)*];

        impl ProblemType {
            /// The name, without the URN before it.
            pub(super) fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

problem_types! {
    Unauthenticated = "unauthenticated",
    KeyExpired = "key-expired",
    OtherCertificate = "other-certificate",
    Forbidden = "forbidden",
    ProviderUnavailable = "provider-unavailable",
    RateLimited = "rate-limited",
    BadRequest = "bad-request",
    NotFound = "not-found",
    NoSuchRoom = "no-such-room",
    LinkNotValid = "link-not-valid",
    KeyReused = "key-reused",
    Ambiguous = "ambiguous",
    EventNotFound = "event-not-found",
    InvalidEventId = "invalid-event-id",
    NotAsSeen = "not-as-seen",
    WholeSeries = "whole-series",
    ServerAlwaysNotifies = "server-always-notifies",
    AllDay = "all-day",
    NotStarted = "not-started",
    NotOn = "not-on",
    Cancelled = "cancelled",
    Declined = "declined",
    CannotBeUndone = "cannot-be-undone",
    NoCurrentEvent = "no-current-event",
    Over = "over",
    Collides = "collides",
    TimeOutOfRange = "time-out-of-range",
    SubjectNotAllowed = "subject-not-allowed",
    ChangedMeanwhile = "changed-meanwhile",
    KeepsChanging = "keeps-changing",
    NoLongerApplies = "no-longer-applies",
    Interrupted = "interrupted",
    StillInDoubt = "still-in-doubt",
    NothingToUndo = "nothing-to-undo",
    NotUndoable = "not-undoable",
    LeftDeletedItems = "left-deleted-items",
    NotPlanned = "not-planned",
    SweepStopped = "sweep-stopped",
    Refused = "refused",
    NotInPlan = "not-in-plan",
    ExchangeUnavailable = "exchange-unavailable",
    ExchangeTimeout = "exchange-timeout",
    ExchangeRefused = "exchange-refused",
    NeedsAttention = "needs-attention",
    Unavailable = "unavailable",
    EvidenceFull = "evidence-full",
    JournalUnavailable = "journal-unavailable",
    NoSuchCode = "no-such-code",
    OwnKey = "own-key",
    KeyNameTaken = "key-name-taken",
    TooManyKeys = "too-many-keys",
    SecretNotStored = "secret-not-stored",
}

impl ProblemType {
    /// The problem type of a refusal.
    pub(super) fn of(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::NoCurrentEvent => Self::NoCurrentEvent,
            Refusal::Ambiguous { .. } => Self::Ambiguous,
            Refusal::NotStarted { .. } => Self::NotStarted,
            Refusal::NotCurrent { .. } => Self::NotOn,
            Refusal::Over { .. } => Self::Over,
            Refusal::AllDay => Self::AllDay,
            Refusal::Cancelled => Self::Cancelled,
            Refusal::Declined => Self::Declined,
            Refusal::ServerAlwaysNotifies => Self::ServerAlwaysNotifies,
            Refusal::WholeSeries => Self::WholeSeries,
            Refusal::EventNotFound => Self::EventNotFound,
            Refusal::InvalidEventId { .. } => Self::InvalidEventId,
            Refusal::NotAsSeen { .. } => Self::NotAsSeen,
            Refusal::ChangedMeanwhile { .. } => Self::ChangedMeanwhile,
            Refusal::KeepsChanging => Self::KeepsChanging,
            Refusal::NoLongerApplies { .. } => Self::NoLongerApplies,
            Refusal::IrreversibleForbidden => Self::CannotBeUndone,
            Refusal::KeyReused { .. } => Self::KeyReused,
            Refusal::Interrupted => Self::Interrupted,
            Refusal::StillInDoubt { .. } => Self::StillInDoubt,
            Refusal::NothingToUndo => Self::NothingToUndo,
            Refusal::NotUndoable { .. } => Self::NotUndoable,
            Refusal::Collides { .. } => Self::Collides,
            Refusal::TimeOutOfRange { .. } => Self::TimeOutOfRange,
            Refusal::LeftDeletedItems => Self::LeftDeletedItems,
            Refusal::OutOfScope { .. } => Self::NoSuchRoom,
            Refusal::NoSuchAction { .. } | Refusal::MaybeArchived { .. } => Self::NotFound,
            Refusal::UnknownCopy | Refusal::Exchange { .. } => Self::ExchangeUnavailable,
        }
    }
}

impl Serialize for ProblemType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{URN}{}", self.as_str()))
    }
}

impl PartialSchema for ProblemType {
    fn schema() -> RefOr<Schema> {
        let types = PROBLEM_TYPES.iter().map(|name| format!("{URN}{name}"));
        let schema = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(types));
        schema
            .description(Some("The type of a problem. docs/troubleshooting.md explains each one."))
            .build()
            .into()
    }
}

impl ToSchema for ProblemType {
    fn name() -> Cow<'static, str> {
        "ProblemType".into()
    }
}
