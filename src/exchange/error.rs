//! Converts a request's error into the engine's `CalendarError`: whose fault it is, and what to do next. People read
//! these sentences at the door, in logs and in the audit.

use super::request_error::RequestError;
use crate::action::ResponsibleParty;
use crate::engine::{CalendarError, ErrorKind};
use crate::http::error::TransportError;

impl From<RequestError> for CalendarError {
    fn from(error: RequestError) -> Self {
        let calendar_error = calendar_error(error);
        Self { code: short_code(&calendar_error.code), ..calendar_error }
    }
}

/// Longest code that is passed on: a server or proxy can put any text there.
const CODE_CHARS_MAX: usize = 200;

/// One short line, for callers, the journal and logs.
fn short_code(code: &str) -> String {
    let clean = |char: char| if char.is_control() { ' ' } else { char };
    let mut line: String = code.chars().take(CODE_CHARS_MAX).map(clean).collect();
    if code.chars().nth(CODE_CHARS_MAX).is_some() {
        line.push('…');
    }
    line
}

fn calendar_error(error: RequestError) -> CalendarError {
    let (kind, code, transport) = match error {
        RequestError::Refused(kind, code) => (kind, code, None),
        RequestError::Busy(code) => (ErrorKind::Busy, code, None),
        RequestError::InvalidResponse(code) => (ErrorKind::InvalidResponse, code, None),
        RequestError::InDoubt(code) => (ErrorKind::InDoubt, code, None),
        RequestError::Unreachable(error) => (ErrorKind::Unreachable, error.describe("Exchange"), Some(error)),
    };
    let (responsible, advice) = advice(kind, &code, transport.as_ref());
    let error = CalendarError::new(kind, responsible, advice, code);
    match transport {
        Some(transport) => error.caused_by(transport),
        None => error,
    }
}

fn advice(
    kind: ErrorKind,
    code: &str,
    transport: Option<&TransportError>,
) -> (ResponsibleParty, &'static str) {
    match (kind, transport) {
        (ErrorKind::Busy | ErrorKind::InDoubt, _) => advice_of_kind(kind),
        (ErrorKind::Unreachable, Some(TransportError::SignIn { .. })) => (
            ResponsibleParty::Network,
            "the sign-in failed because the token endpoint or the Kerberos KDC cannot be reached; check its address and the \
             network",
        ),
        // Exchange itself returned this error code.
        (ErrorKind::InvalidResponse, _) if code.starts_with("Error") => advice_of_code(code).unwrap_or((
            ResponsibleParty::Server,
            "Exchange returned the same error several times; try again, then look up the code in the server's logs",
        )),
        (ErrorKind::InvalidResponse, _) => advice_of_kind(kind),
        _ => advice_of_code(code).unwrap_or_else(|| advice_of_kind(kind)),
    }
}

/// Causes that a response code names more exactly than its kind.
fn advice_of_code(code: &str) -> Option<(ResponsibleParty, &'static str)> {
    Some(match code {
        "ErrorQuotaExceeded" | "ErrorQuotaExceededOnDelete" => (
            ResponsibleParty::Administrator,
            "the room's mailbox is full; empty it, or raise its quota (Set-Mailbox -ProhibitSendReceiveQuota)",
        ),
        "ErrorSubmissionQuotaExceeded" => (
            ResponsibleParty::Administrator,
            "the room's mailbox has reached its recipient rate limit and cannot send for now; try again tomorrow, or raise the limit",
        ),
        "ErrorInvalidLicense" => (
            ResponsibleParty::Administrator,
            "Exchange reports a missing or invalid licence of the account or the room; assign one",
        ),
        "ErrorMailboxStoreUnavailable" => (
            ResponsibleParty::Server,
            "the database of the room's mailbox is not available; try again, then check it (Get-MailboxDatabaseCopyStatus)",
        ),
        "ErrorOccurrenceCrossingBoundary" => (
            ResponsibleParty::Nobody,
            "Exchange does not let an occurrence reach or pass the next or previous one of its series",
        ),
        "ErrorOccurrenceTimeSpanTooBig" => (
            ResponsibleParty::Nobody,
            "Exchange does not let an occurrence last longer than the time between two occurrences",
        ),
        _ => return None,
    })
}

fn advice_of_kind(kind: ErrorKind) -> (ResponsibleParty, &'static str) {
    match kind {
        ErrorKind::Credentials => (
            ResponsibleParty::Administrator,
            "Exchange rejects the service account; check user name and password",
        ),
        ErrorKind::Token => (
            ResponsibleParty::Administrator,
            "Exchange rejects the token; check its audience \
             (scope), its tenant, and the application's permissions",
        ),
        ErrorKind::Permission => (
            ResponsibleParty::Administrator,
            "a permission is missing; grant the one that Exchange names (for an \
             application full_access_as_app, or the role Application EWS.AccessAsApp) and give admin consent",
        ),
        ErrorKind::AuthScheme => (
            ResponsibleParty::Administrator,
            "the server offers no authentication scheme that server.auth allows; the code names those that it offers",
        ),
        ErrorKind::SignIn => (
            ResponsibleParty::Administrator,
            "the service account cannot sign in as configured: the code names the rejected password, keytab or secret",
        ),
        ErrorKind::BackEnd => (
            ResponsibleParty::Administrator,
            "Exchange accepts the service account for other rooms and rejects it for this one; check the mailbox server of this \
             room (IIS authentication of /EWS, Test-WebServicesConnectivity)",
        ),
        ErrorKind::Account => (
            ResponsibleParty::Administrator,
            "the service account is locked or its password expired; unlock it",
        ),
        ErrorKind::ApiDisabled => (
            ResponsibleParty::Administrator,
            "EWS is turned off for this mailbox, organization or application; allow it (EWSEnabled, EwsAllowedAppIDs)",
        ),
        ErrorKind::ImpersonationDenied => (
            ResponsibleParty::Administrator,
            "the service account may not act for this room; give it the impersonation role with a scope that holds the \
             room (a new right takes up to two hours)",
        ),
        ErrorKind::Denied => (
            ResponsibleParty::Administrator,
            "Exchange denies access to this mailbox; check the account's rights",
        ),
        ErrorKind::NoMailbox => {
            (ResponsibleParty::Caller, "there is no mailbox of this address; check the room's address")
        }
        ErrorKind::WrongServer => (
            ResponsibleParty::Administrator,
            "this room's mailbox is on another server, and this one does not proxy to it; set server.url = \"autodiscover\", or give \
             the room its own connection",
        ),
        ErrorKind::ServerNotFound => (
            ResponsibleParty::Administrator,
            "Autodiscover found no Exchange server for this room; run `adjourn doctor`, or set server.url",
        ),
        ErrorKind::WrongProtocol => (
            ResponsibleParty::Administrator,
            "the server at this URL is not EWS; the URL should end in /EWS/Exchange.asmx",
        ),
        ErrorKind::Gone => (ResponsibleParty::Nobody, "the event no longer exists"),
        ErrorKind::InvalidId => (
            ResponsibleParty::Caller,
            "Exchange does not accept this item id; take it from `adjourn list` or from the API",
        ),
        ErrorKind::Corrupt => (
            ResponsibleParty::Nobody,
            "Exchange cannot process this event, because its stored item is damaged or incomplete (often the organizer is \
             missing); it can be neither declined nor cancelled: remove it silently instead (delete --silent)",
        ),
        ErrorKind::Conflict => {
            (ResponsibleParty::Nobody, "the event was changed meanwhile; nothing was done")
        }
        ErrorKind::Forbidden => {
            (ResponsibleParty::Nobody, "Exchange's calendar rules do not allow this change of the event")
        }
        ErrorKind::TooLarge => {
            (ResponsibleParty::Caller, "the request is too large; choose a shorter time range")
        }
        ErrorKind::PersonNotFound => (ResponsibleParty::Caller, "the directory has no entry of that name"),
        ErrorKind::SubscriptionLimit => (
            ResponsibleParty::Administrator,
            "Exchange grants no further subscription for this room; end those of other programs, or \
             raise EwsMaxSubscriptions",
        ),
        ErrorKind::StateExpired => (
            ResponsibleParty::Nobody,
            "Exchange no longer knows the subscription or synchronization state; Adjourn starts a new one",
        ),
        ErrorKind::Version => (
            ResponsibleParty::Administrator,
            "this Exchange is older than Exchange 2010 SP2, the oldest that Adjourn supports",
        ),
        ErrorKind::BadRequest => (
            ResponsibleParty::Server,
            "Exchange rejected the form of the request; please report this as a bug of Adjourn",
        ),
        ErrorKind::Busy => {
            (ResponsibleParty::Server, "Exchange is busy and changed nothing; try again in a few minutes")
        }
        ErrorKind::InvalidResponse => (
            ResponsibleParty::Server,
            "Exchange returned no usable response several times; try again, then check the server and any proxy or load \
             balancer in front of it",
        ),
        ErrorKind::Unreachable => (
            ResponsibleParty::Network,
            "Exchange cannot be reached; check the URL, the network and the certificate",
        ),
        ErrorKind::InDoubt => (
            ResponsibleParty::Server,
            "Exchange did not report whether the change was made; check the room's calendar",
        ),
        // Adjourn's own errors (CalendarView, live, the journal) have sentences of their own.
        ErrorKind::UnreadableItem
        | ErrorKind::LimitExceeded
        | ErrorKind::Configuration
        | ErrorKind::Journal
        | ErrorKind::Unknown => (
            ResponsibleParty::Server,
            "Exchange refused this request with a code that Adjourn does not know; nothing was done",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_of_any_length_becomes_one_short_line() {
        let long = format!("Error\r\nSubject: {}", "x".repeat(1 << 20));
        let calendar_error = CalendarError::from(RequestError::Refused(ErrorKind::Unknown, long));
        assert_eq!(calendar_error.code.chars().count(), CODE_CHARS_MAX + 1);
        assert!(!calendar_error.code.contains(char::is_control));
    }
}
