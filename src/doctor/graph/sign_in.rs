//! Checks that the token endpoint issues a token and that Graph accepts it: one request in a room's name. A secret is never tried for
//! several rooms at once.

use super::super::token::token_finding;
use super::super::{FindingId, Findings};
use super::GraphDoctorTarget;
use crate::engine::{CalendarError, ErrorKind};
use crate::exchange::{SignInMethod, TransportError};
use crate::graph::RequestError;

/// Whether Graph accepts the application. Its rights in rooms are another check.
pub(super) async fn check_sign_in(target: &GraphDoctorTarget, findings: &mut Findings) -> bool {
    let Some(first) = findings.first_room(&target.rooms) else { return false };
    match target.graph.check_calendar(first).await {
        Err(failed) if affects_every_room(&failed) => {
            report_rejected(&target.settings.sign_in, failed, findings);
            false
        }
        Ok(()) | Err(_) => {
            findings.pass("token", "a token was issued, and Microsoft Graph accepts it");
            true
        }
    }
}

fn report_rejected(method: &SignInMethod, failed: RequestError, findings: &mut Findings) {
    let is_token = is_about_token(&failed);
    let error = CalendarError::from(failed);
    let code = error.code.clone();
    let (check, (id, message, remedy)) = match is_token {
        true => ("token", finding_of_source(method, error)),
        false => rejection(error),
    };
    findings.fail(id, check, message, remedy).code = Some(code);
}

/// Whether no token was there to send.
fn is_about_token(failed: &RequestError) -> bool {
    matches!(
        failed,
        RequestError::Refused(ErrorKind::SignIn, _)
            | RequestError::Unreachable(TransportError::SignIn { .. })
    )
}

fn finding_of_source(method: &SignInMethod, error: CalendarError) -> (FindingId, String, &'static str) {
    match token_finding(error.responsible, &error.code) {
        (FindingId::TokenNotIssued, ..) if !matches!(method, SignInMethod::OAuth(_)) => (
            FindingId::TokenNotIssued,
            error.advice.to_string(),
            "check the file or the program that provides the token, or the managed identity of this machine",
        ),
        finding => finding,
    }
}

/// The check that a rejection of Graph belongs to, and the finding.
fn rejection(error: CalendarError) -> (&'static str, (FindingId, String, &'static str)) {
    let advice = error.advice.to_string();
    match error.kind {
        ErrorKind::Credentials | ErrorKind::Token | ErrorKind::AuthScheme | ErrorKind::Account => (
            "token",
            (
                FindingId::TokenRejected,
                advice,
                "check oauth.scope (remove it, so that it follows from the cloud), oauth.cloud and the tenant; the code holds \
                 Graph's own reason. A token for EWS is of no use here",
            ),
        ),
        ErrorKind::WrongProtocol => (
            "Graph",
            (
                FindingId::GraphWrongRoot,
                advice,
                "remove server.url, so that the root follows from oauth.cloud; then check the proxies on the way",
            ),
        ),
        _ => (
            "answer",
            (
                FindingId::SignInFailed,
                advice,
                "try again; then check the service's health, and the proxies and firewalls on the way",
            ),
        ),
    }
}

/// Whether every room would fail alike.
fn affects_every_room(failed: &RequestError) -> bool {
    match failed {
        RequestError::Refused(kind, _) => matches!(
            kind,
            ErrorKind::Credentials
                | ErrorKind::Token
                | ErrorKind::SignIn
                | ErrorKind::AuthScheme
                | ErrorKind::Account
                | ErrorKind::ApiDisabled
                | ErrorKind::WrongProtocol
                | ErrorKind::BadRequest
        ),
        RequestError::Busy(_)
        | RequestError::InvalidResponse(_)
        | RequestError::Unreachable(_)
        | RequestError::InDoubt(_) => true,
    }
}
