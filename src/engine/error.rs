//! The error of a calendar operation: its kind, who can resolve it, and what to do next. It becomes a refusal of the action.
//! Values only.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::action::{Refusal, ResponsibleParty};
use crate::journal::JournalError;

/// A failed operation: advice for the caller, and a code for diagnosis.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CalendarError {
    /// What failed, for programs.
    pub kind: ErrorKind,
    /// Who can resolve it.
    pub responsible: ResponsibleParty,
    /// What to do next, for the caller.
    pub advice: String,
    /// Response code, HTTP status or kind of failure, for diagnosis.
    pub code: String,
    /// The error below, such as the transport's.
    pub source: Option<Arc<dyn Error + Send + Sync>>,
}

/// The kind of a failed operation, whatever the server and its protocol. It decides who can remedy it and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The server rejected user name or password.
    Credentials,
    /// The server rejected the bearer token (audience, issuer, age).
    Token,
    /// The account or application is authenticated, and a permission or its consent is missing.
    Permission,
    /// The server offers no authentication scheme that the configuration allows.
    AuthScheme,
    /// Sign-in failed before a server was asked: the token endpoint or the KDC rejected the account, or its secret is unusable.
    SignIn,
    /// The server accepts the account for other rooms and rejects it for this one.
    BackEnd,
    /// The account is locked, or its password has expired.
    Account,
    /// The server's API is turned off for this mailbox, organization or application.
    ApiDisabled,
    /// The account may not act for this room.
    ImpersonationDenied,
    /// The account may act for the room, and lacks the right for this operation.
    Denied,
    /// The mailbox does not exist.
    NoMailbox,
    /// The room's mailbox is on another server.
    WrongServer,
    /// Autodiscover found no server for the room.
    ServerNotFound,
    /// The server at this URL does not speak the expected protocol.
    WrongProtocol,
    /// The item does not exist, or is invisible to the account.
    Gone,
    /// The id in the request is not an item id of this server.
    InvalidId,
    /// The stored item is damaged or incomplete.
    Corrupt,
    /// The item changed since it was read.
    Conflict,
    /// The server's calendar rules forbid the change.
    Forbidden,
    /// The request or its result is too large.
    TooLarge,
    /// The server grants no further subscription for this room.
    SubscriptionLimit,
    /// The server no longer knows the subscription or the synchronization state.
    StateExpired,
    /// The directory has no entry of that name.
    PersonNotFound,
    /// The server supports none of our protocol versions.
    Version,
    /// The server rejected the form of the request.
    BadRequest,
    /// A code that this crate does not know.
    Unknown,
    /// The server stayed busy until the operation timeout. Nothing was changed.
    Busy,
    /// No usable response after all retries. Nothing was changed.
    InvalidResponse,
    /// No connection to the server, or to the one that issues tokens. Nothing was changed.
    Unreachable,
    /// The server may have executed the write.
    InDoubt,
    /// An item of the calendar cannot be read.
    UnreadableItem,
    /// The room's calendar, or all calendars together, exceed a limit of Adjourn.
    LimitExceeded,
    /// No connection is configured for the room, or a setting is unusable.
    Configuration,
    /// The journal or the service store failed.
    Journal,
}

impl CalendarError {
    /// An error without an error below it.
    pub fn new(
        kind: ErrorKind,
        responsible: ResponsibleParty,
        advice: impl Into<String>,
        code: impl Into<String>,
    ) -> Self {
        Self { kind, responsible, advice: advice.into(), code: code.into(), source: None }
    }

    /// The same error with its cause.
    #[must_use]
    pub fn caused_by(self, source: impl Error + Send + Sync + 'static) -> Self {
        Self { source: Some(Arc::new(source)), ..self }
    }

    /// An error that only the configuration can cause.
    pub(crate) fn configuration(what: &str) -> Self {
        Self::new(ErrorKind::Configuration, ResponsibleParty::Administrator, what, "configuration")
    }

    /// Whether the failure is temporary: the same request may succeed later.
    pub fn is_transient(&self) -> bool {
        matches!(self.responsible, ResponsibleParty::Server | ResponsibleParty::Network)
    }
}

impl fmt::Display for CalendarError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.advice, self.code)
    }
}

impl Error for CalendarError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}

/// Two errors are equal if they say the same; the errors below them are not compared.
impl PartialEq for CalendarError {
    fn eq(&self, other: &Self) -> bool {
        let said = |error: &Self| (error.kind, error.responsible);
        said(self) == said(other) && self.advice == other.advice && self.code == other.code
    }
}

impl Eq for CalendarError {}

impl ErrorKind {
    /// Whether the server rejected the credentials. Repeated rejections can lock the account.
    pub(crate) fn is_auth_rejection(self) -> bool {
        matches!(self, Self::Credentials | Self::Token)
    }

    /// The same, or the account is locked or expired.
    pub(crate) fn is_account_rejection(self) -> bool {
        self.is_auth_rejection() || self == Self::Account
    }
}

impl From<JournalError> for CalendarError {
    fn from(error: JournalError) -> Self {
        Self::new(ErrorKind::Journal, ResponsibleParty::Administrator, error.to_string(), "journal")
    }
}

impl From<CalendarError> for Refusal {
    fn from(error: CalendarError) -> Self {
        Self::Exchange { responsible: error.responsible, advice: error.advice, code: error.code }
    }
}
