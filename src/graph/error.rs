//! Converts a request's error into the engine's `CalendarError`: whose fault it is, and what to do next. People read these
//! sentences at the door, in logs and in the audit.

use super::request_error::RequestError;
use crate::action::ResponsibleParty;
use crate::engine::{CalendarError, ErrorKind};
use crate::http::error::TransportError;
use crate::http::field::printable_line;

/// Longest code that is passed on: a server or proxy can put any text there.
const CODE_CHARS_MAX: usize = 200;
/// The name of the server in sentences about connections.
pub(super) const SERVER: &str = "Microsoft Graph";

impl From<RequestError> for CalendarError {
    fn from(error: RequestError) -> Self {
        let (kind, code, transport) = match error {
            RequestError::Refused(kind, code) => (kind, code, None),
            RequestError::Busy(code) => (ErrorKind::Busy, code, None),
            RequestError::InvalidResponse(code) => (ErrorKind::InvalidResponse, code, None),
            RequestError::InDoubt(code) => (ErrorKind::InDoubt, code, None),
            RequestError::Unreachable(error) => (ErrorKind::Unreachable, error.describe(SERVER), Some(error)),
        };
        let (responsible, advice) = advice(kind, &code, transport.as_ref());
        let error = Self::new(kind, responsible, advice, printable_line(code.as_bytes(), CODE_CHARS_MAX));
        match transport {
            Some(transport) => error.caused_by(transport),
            None => error,
        }
    }
}

/// The error of a request that needs a right which the configuration does not name.
pub(super) fn missing_right(purpose: &str, right: &str) -> CalendarError {
    let advice = format!(
        "Adjourn may not {purpose} over Microsoft Graph; grant the application {right} and name it among the connection's rights"
    );
    CalendarError::new(
        ErrorKind::Permission,
        ResponsibleParty::Administrator,
        advice,
        format!("{right} is not configured"),
    )
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
            "the sign-in failed because the token endpoint cannot be reached; check its address and the network",
        ),
        _ => advice_of_code(code).unwrap_or_else(|| advice_of_kind(kind)),
    }
}

/// Causes that an error code names more exactly than its kind.
fn advice_of_code(code: &str) -> Option<(ResponsibleParty, &'static str)> {
    Some(match code.split(':').next()? {
        "ErrorQuotaExceeded" => (
            ResponsibleParty::Administrator,
            "the room's mailbox is full; empty it, or raise its quota (Set-Mailbox -ProhibitSendReceiveQuota)",
        ),
        "ErrorSubmissionQuotaExceeded" => (
            ResponsibleParty::Administrator,
            "the room's mailbox has reached its recipient rate limit and cannot send for now; try again tomorrow, or raise the limit",
        ),
        "ErrorOccurrenceCrossingBoundary" => (
            ResponsibleParty::Nobody,
            "Exchange does not let an occurrence reach or pass the next or previous one of its series",
        ),
        _ => return None,
    })
}

fn advice_of_kind(kind: ErrorKind) -> (ResponsibleParty, &'static str) {
    advice_of_access(kind).or_else(|| advice_of_event(kind)).unwrap_or_else(|| advice_of_server(kind))
}

/// Sign-in, rights, and where the mailbox is.
fn advice_of_access(kind: ErrorKind) -> Option<(ResponsibleParty, &'static str)> {
    Some(match kind {
        ErrorKind::Credentials | ErrorKind::Token => (
            ResponsibleParty::Administrator,
            "Microsoft Graph rejects the token; check its audience (the scope ends in /.default), its tenant and its cloud",
        ),
        ErrorKind::AuthScheme => (
            ResponsibleParty::Administrator,
            "the server takes no bearer tokens, so it is not Microsoft Graph; check the connection's cloud or url, and the \
             proxy",
        ),
        ErrorKind::SignIn | ErrorKind::Account => (
            ResponsibleParty::Administrator,
            "the application cannot sign in as configured: the code names the rejected secret, certificate or token source",
        ),
        ErrorKind::Permission => (
            ResponsibleParty::Administrator,
            "a permission is missing; grant the application the role that this request needs (calendars: Application \
             Calendars.ReadWrite, scoped to the rooms)",
        ),
        ErrorKind::ImpersonationDenied => (
            ResponsibleParty::Administrator,
            "an application access policy excludes this room; add the room to the policy's group \
             (Get-ApplicationAccessPolicy), or grant the role Application Calendars.ReadWrite in its place",
        ),
        ErrorKind::Denied => (
            ResponsibleParty::Administrator,
            "Exchange Online denies the application this room; grant Application Calendars.ReadWrite with a scope that \
             holds the room (New-ManagementRoleAssignment; a new right takes up to two hours)",
        ),
        ErrorKind::NoMailbox => {
            (ResponsibleParty::Caller, "there is no mailbox of this address; check the room's address")
        }
        ErrorKind::WrongServer => (
            ResponsibleParty::Administrator,
            "Exchange Online does not hold this mailbox: the room lives on premises, or its mailbox is inactive; give the \
             room an EWS connection",
        ),
        ErrorKind::WrongProtocol => (
            ResponsibleParty::Administrator,
            "the server at this URL is not Microsoft Graph, or a proxy answered in its place; check the connection's cloud \
             or url, and the proxy",
        ),
        _ => return None,
    })
}

/// The event and the request about it.
fn advice_of_event(kind: ErrorKind) -> Option<(ResponsibleParty, &'static str)> {
    Some(match kind {
        ErrorKind::Gone => (ResponsibleParty::Nobody, "the event no longer exists"),
        ErrorKind::InvalidId => (
            ResponsibleParty::Caller,
            "Microsoft Graph does not accept this event id; take it from `adjourn list` or from the API",
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
        _ => return None,
    })
}

fn advice_of_server(kind: ErrorKind) -> (ResponsibleParty, &'static str) {
    match kind {
        ErrorKind::BadRequest => (
            ResponsibleParty::Server,
            "Microsoft Graph rejected the form of the request; please report this as a bug of Adjourn",
        ),
        ErrorKind::Busy => (
            ResponsibleParty::Server,
            "Microsoft Graph is busy and changed nothing; try again in a few minutes",
        ),
        ErrorKind::InvalidResponse => (
            ResponsibleParty::Server,
            "Microsoft Graph returned no usable response several times; try again, then check any proxy in between",
        ),
        ErrorKind::Unreachable => (
            ResponsibleParty::Network,
            "Microsoft Graph cannot be reached; check the network, the proxy and the firewall",
        ),
        ErrorKind::InDoubt => (
            ResponsibleParty::Server,
            "Microsoft Graph did not report whether the change was made; check the room's calendar",
        ),
        _ => (
            ResponsibleParty::Server,
            "Microsoft Graph refused this request with a code that Adjourn does not know; nothing was done",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(kind: ErrorKind, code: &str) -> CalendarError {
        RequestError::Refused(kind, code.to_owned()).into()
    }

    #[test]
    fn a_room_on_premises_needs_another_connection() {
        let error = refused(ErrorKind::WrongServer, "MailboxNotEnabledForRESTAPI: m");
        assert_eq!(error.responsible, ResponsibleParty::Administrator);
        assert!(error.advice.contains("EWS connection"), "{error}");
    }

    #[test]
    fn a_code_of_any_length_becomes_one_short_line() {
        let error = refused(ErrorKind::Unknown, &format!("Error\r\n{}", "x".repeat(1 << 20)));
        assert!(error.code.chars().count() <= CODE_CHARS_MAX + 20 && !error.code.contains(char::is_control));
    }

    #[test]
    fn the_right_that_is_missing_is_named() {
        let error = missing_right("read room lists", "Place.Read.All");
        assert!(error.advice.contains("Place.Read.All") && error.kind == ErrorKind::Permission, "{error}");
    }

    #[test]
    fn a_code_can_name_the_cause_more_exactly_than_its_kind() {
        let error = refused(ErrorKind::Unknown, "ErrorQuotaExceeded: The mailbox is full.");
        assert!(error.advice.starts_with("the room's mailbox is full"), "{error}");
    }
}
