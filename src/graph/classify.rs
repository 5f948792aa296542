//! What a response of Graph means for its request: one pure function, with a row for each kind of response. Reads no clock, sends
//! nothing.
//!
//! | response | decision |
//! | --- | --- |
//! | 2xx | done, if the content agrees with the request (`contents.rs`) |
//! | 401 | the token is rejected, after a new one was tried |
//! | 404 `ErrorItemNotFound` | the event does not exist |
//! | other 404 | no such mailbox, or it is elsewhere: an error, never "no event" |
//! | 409 `ErrorIrresolvableConflict`, or 412 | the event was changed; a PATCH with `If-Match` wrote nothing (`writer.rs`) |
//! | 429 | wait, as long as `Retry-After` requests; a write needs Graph's error, else it is in doubt |
//! | 503 with `Retry-After` | the same |
//! | 408, 500, 502, 503, 504 | a read is retried, a write is in doubt |
//! | other 4xx, 501 | refused, by the error's code |
//! | redirects, and responses without Graph's error | another server or a device in front of it answered |
//!
//! The code decides, and the status where the code is unknown. After a write, a refusal counts as nothing done only for the codes
//! of [`proves_nothing_done`].

use std::time::Duration;

use super::decode::decode;
use super::effect::Effect;
use super::resources::{ErrorBody, ErrorResource};
use crate::engine::ErrorKind;
use crate::http::auth::AuthRejection;
use crate::http::delivery::HttpResponse;
use crate::http::field::printable_line;

/// Longest error code that is passed on.
const CODE_BYTES_MAX: usize = 100;
/// How much of an error's message is passed on. It names no person but the mailbox in the request.
const MESSAGE_CHARS_MAX: usize = 240;
/// Errors inside an error that are read.
const INNER_ERRORS_MAX: usize = 8;
/// Begins the code of a response without Graph's error; no error code contains a space.
const NOT_GRAPH: &str = "HTTP ";

/// What to do with a request after its response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RetryDecision {
    /// The server executed it, or the content decides.
    Done,
    /// The server did nothing; retry, not before this time if it requested one.
    Wait {
        /// Wait that the server requested, unlimited.
        at_least: Option<Duration>,
        /// The error code.
        code: String,
    },
    /// Nothing was changed (it was a read): retry soon, a few times.
    Retry {
        /// The error code.
        code: String,
    },
    /// Refused; a retry would be refused too.
    Refused(ErrorKind, String),
    /// The server may have executed it.
    InDoubt {
        /// The error code.
        code: String,
    },
}

/// The parts of a response that decide.
#[derive(Debug, Clone, Copy)]
pub(super) struct ResponseParts<'r> {
    pub(super) status: u16,
    pub(super) retry_after: Option<Duration>,
    pub(super) rejection: Option<&'r AuthRejection>,
    pub(super) body: &'r [u8],
}

impl<'r> ResponseParts<'r> {
    pub(super) fn of(response: &'r HttpResponse) -> Self {
        Self {
            status: response.status,
            retry_after: response.retry_after(),
            rejection: response.rejection.as_ref(),
            body: &response.body,
        }
    }
}

/// Decides what a response means.
pub(super) fn classify(effect: Effect, response: ResponseParts<'_>) -> RetryDecision {
    let status = response.status;
    if (200..300).contains(&status) {
        return RetryDecision::Done;
    }
    let error = GraphError::read(response.body);
    let code = error.as_ref().map_or_else(|| format!("{NOT_GRAPH}{status}"), GraphError::text);
    let may_be_of_proxy = error.is_none() && effect != Effect::Read;
    match status {
        429 | 503 if may_be_of_proxy => failed(effect, code),
        429 => RetryDecision::Wait { at_least: response.retry_after, code },
        503 if response.retry_after.is_some() => RetryDecision::Wait { at_least: response.retry_after, code },
        401 => RetryDecision::Refused(rejection_kind(response.rejection), code_of_rejection(response, code)),
        501 => RetryDecision::Refused(ErrorKind::BadRequest, code),
        408 => failed(effect, code),
        300..=499 => match error {
            Some(error) => RetryDecision::Refused(error.kind(effect, status), code),
            None => RetryDecision::Refused(kind_of_status(status), code),
        },
        _ => failed(effect, code),
    }
}

/// Whether this code of a refused write proves that Graph changed nothing. Other codes may follow a stored change (mail that cannot be
/// sent, a full mailbox), and a page without Graph's error may come from a proxy that had passed the request on.
pub(super) fn proves_nothing_done(code: &str) -> bool {
    let name = code.split(':').next().unwrap_or_default();
    kind_of_code(name).is_some_and(|known| known.proves_nothing_done)
}

/// A read may be retried; a write may have been executed.
pub(super) fn failed(effect: Effect, code: String) -> RetryDecision {
    match effect {
        Effect::Read => RetryDecision::Retry { code },
        Effect::Write | Effect::UnguardedWrite => RetryDecision::InDoubt { code },
    }
}

/// A success that does not agree with its request.
pub(super) fn unexpected_response(effect: Effect, code: String) -> RetryDecision {
    match effect {
        Effect::Read => RetryDecision::Refused(ErrorKind::Unknown, code),
        Effect::Write | Effect::UnguardedWrite => RetryDecision::InDoubt { code },
    }
}

/// Microsoft's id of the request, in an error's body.
pub(super) fn request_id_of_error(body: &[u8]) -> Option<String> {
    GraphError::read(body)?.request_id
}

/// An error as Graph reports it: its codes from the outer to the inner one, and its message.
struct GraphError {
    codes: Vec<String>,
    message: String,
    request_id: Option<String>,
}

impl GraphError {
    fn read(body: &[u8]) -> Option<Self> {
        let body: ErrorBody<'_> = decode(body).ok()?;
        let outer = body.error?;
        let message = outer.message.as_deref().unwrap_or_default().to_owned();
        let (mut codes, mut request_id) = (Vec::new(), None);
        let mut next: Option<&ErrorResource<'_>> = Some(&outer);
        for _ in 0..INNER_ERRORS_MAX {
            let Some(error) = next else { break };
            codes.extend(error.code.as_ref().map(|code| printable_code(&code.to_string())));
            request_id = request_id.or_else(|| error.request_id.as_deref().map(str::to_owned));
            next = error.inner();
        }
        codes.retain(|code| !code.is_empty());
        (!codes.is_empty()).then_some(Self { codes, message, request_id })
    }

    /// The first code that is known, else the outer one.
    fn code(&self) -> &str {
        let known = self.codes.iter().find(|code| kind_of_code(code).is_some());
        known.or(self.codes.first()).map_or("", String::as_str)
    }

    /// The code and the message, for diagnosis.
    fn text(&self) -> String {
        let message = printable_line(self.message.as_bytes(), MESSAGE_CHARS_MAX);
        match (self.code(), message.as_str()) {
            (code, "") => code.to_owned(),
            (code, message) => format!("{code}: {message}"),
        }
    }

    fn kind(&self, effect: Effect, status: u16) -> ErrorKind {
        if self.code() == "ErrorAccessDenied" && self.message.contains("OData is disabled") {
            return ErrorKind::ImpersonationDenied; // an application access policy excludes the room
        }
        match (kind_of_code(self.code()), status) {
            // No rule of calendars forbids reading.
            (Some(KnownCode { kind: ErrorKind::Forbidden, .. }), _) if effect == Effect::Read => {
                ErrorKind::BadRequest
            }
            (Some(known), _) => known.kind,
            (None, 412) => ErrorKind::Conflict,
            (None, 403) => ErrorKind::Permission,
            (None, 410) => ErrorKind::StateExpired,
            (None, 413) => ErrorKind::TooLarge,
            (None, _) => ErrorKind::Unknown,
        }
    }
}

/// What an error code means.
#[derive(Clone, Copy)]
struct KnownCode {
    kind: ErrorKind,
    proves_nothing_done: bool,
}

/// The codes that mean the same at every status.
fn kind_of_code(code: &str) -> Option<KnownCode> {
    let nothing_done = |kind| Some(KnownCode { kind, proves_nothing_done: true });
    let perhaps_done = |kind| Some(KnownCode { kind, proves_nothing_done: false });
    match code {
        "ErrorItemNotFound" => nothing_done(ErrorKind::Gone),
        "ErrorIrresolvableConflict" => nothing_done(ErrorKind::Conflict),
        "ErrorInvalidUser" | "ErrorNonExistentMailbox" | "ResourceNotFound" | "Request_ResourceNotFound" => {
            nothing_done(ErrorKind::NoMailbox)
        }
        "MailboxNotEnabledForRESTAPI" | "MailboxNotSupportedForRESTAPI" => {
            nothing_done(ErrorKind::WrongServer)
        }
        "ErrorInvalidIdMalformed" | "ErrorInvalidId" | "ErrorInvalidMailboxItemId" => {
            nothing_done(ErrorKind::InvalidId)
        }
        // "You need to be an organizer to cancel a meeting.", and other rules of calendars.
        "ErrorInvalidRequest" | "ErrorOccurrenceCrossingBoundary" | "ErrorCannotDeleteObject" => {
            nothing_done(ErrorKind::Forbidden)
        }
        "ErrorTimeIntervalTooBig" | "ErrorCalendarViewRangeTooBig" => nothing_done(ErrorKind::TooLarge),
        "ErrorInvalidParameter"
        | "ErrorInvalidUrlQueryFilter"
        | "RequestBroker--ParseUri"
        | "TimeZoneNotSupportedException" => nothing_done(ErrorKind::BadRequest),
        "ErrorAccessDenied" | "ErrorSendAsDenied" => nothing_done(ErrorKind::Denied),
        "Authorization_RequestDenied" | "Forbidden" | "AccessDenied" => nothing_done(ErrorKind::Permission),
        "InvalidAuthenticationToken" => nothing_done(ErrorKind::Token),
        "SyncStateNotFound" | "syncStateNotFound" => nothing_done(ErrorKind::StateExpired),
        // EWS reports these after the change was stored, when its message cannot be sent. Graph's case is not documented.
        "ErrorMessageSizeExceeded" => perhaps_done(ErrorKind::TooLarge),
        "ErrorQuotaExceeded" | "ErrorSubmissionQuotaExceeded" => perhaps_done(ErrorKind::Unknown),
        _ => None,
    }
}

fn kind_of_status(status: u16) -> ErrorKind {
    match status {
        412 => ErrorKind::Conflict,
        413 => ErrorKind::TooLarge,
        _ => ErrorKind::WrongProtocol,
    }
}

fn rejection_kind(rejection: Option<&AuthRejection>) -> ErrorKind {
    match rejection {
        Some(AuthRejection::Offers(_)) => ErrorKind::AuthScheme,
        _ => ErrorKind::Token,
    }
}

fn code_of_rejection(response: ResponseParts<'_>, code: String) -> String {
    response.rejection.map_or(code.clone(), |rejection| format!("{code} {rejection}"))
}

/// The code as logs and callers may see it: a server can put any text there, of any length.
fn printable_code(code: &str) -> String {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    match code.len() <= CODE_BYTES_MAX && code.bytes().all(is_name) {
        true => code.to_owned(),
        false => format!("an-unprintable-code-of-{}-characters", code.chars().count()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(code: &str) -> String {
        format!(r#"{{"error":{{"code":"{code}","message":"m","innerError":{{"request-id":"9b"}}}}}}"#)
    }

    fn decision(effect: Effect, status: u16, retry_after: Option<u64>, body: &str) -> RetryDecision {
        let retry_after = retry_after.map(Duration::from_secs);
        classify(effect, ResponseParts { status, retry_after, rejection: None, body: body.as_bytes() })
    }

    /// Both effects are refused alike, with this kind.
    fn refused(status: u16, body: &str) -> ErrorKind {
        let all = [Effect::Read, Effect::Write].map(|effect| decision(effect, status, None, body));
        match all {
            [RetryDecision::Refused(read, _), RetryDecision::Refused(write, _)] if read == write => read,
            other => panic!("{status} {body}: {other:?}"),
        }
    }

    #[test]
    fn a_missing_item_is_gone_and_a_missing_mailbox_is_an_error() {
        assert_eq!(refused(404, &error("ErrorItemNotFound")), ErrorKind::Gone);
        assert_eq!(refused(404, &error("ErrorInvalidUser")), ErrorKind::NoMailbox);
        assert_eq!(refused(404, &error("ResourceNotFound")), ErrorKind::NoMailbox);
        assert_eq!(refused(404, &error("MailboxNotEnabledForRESTAPI")), ErrorKind::WrongServer);
        assert_eq!(refused(404, &error("AFutureCode")), ErrorKind::Unknown);
        assert_eq!(refused(404, "<html>"), ErrorKind::WrongProtocol);
    }

    #[test]
    fn a_conflict_is_one_by_its_code_or_as_a_failed_precondition() {
        for status in [409, 412] {
            assert_eq!(refused(status, &error("ErrorIrresolvableConflict")), ErrorKind::Conflict);
        }
        assert_eq!(refused(412, &error("AFutureCode")), ErrorKind::Conflict);
        assert_eq!(refused(412, ""), ErrorKind::Conflict);
        assert_eq!(refused(409, &error("AFutureCode")), ErrorKind::Unknown);
        assert_eq!(refused(409, ""), ErrorKind::WrongProtocol);
    }

    #[test]
    fn a_bad_request_is_refused_by_its_code() {
        for code in ["ErrorInvalidRequest", "ErrorOccurrenceCrossingBoundary", "ErrorCannotDeleteObject"] {
            let kind = |effect| match decision(effect, 400, None, &error(code)) {
                RetryDecision::Refused(kind, _) => kind,
                other => panic!("{code}: {other:?}"),
            };
            assert_eq!(kind(Effect::Write), ErrorKind::Forbidden, "{code}");
            assert_eq!(kind(Effect::Read), ErrorKind::BadRequest, "{code}");
        }
        for (code, kind) in [
            ("ErrorInvalidParameter", ErrorKind::BadRequest),
            ("ErrorTimeIntervalTooBig", ErrorKind::TooLarge),
            ("TimeZoneNotSupportedException", ErrorKind::BadRequest),
            ("ErrorInvalidIdMalformed", ErrorKind::InvalidId),
            ("RequestBroker--ParseUri", ErrorKind::BadRequest),
            ("AFutureCode", ErrorKind::Unknown),
        ] {
            assert_eq!(refused(400, &error(code)), kind, "{code}");
        }
        assert_eq!(refused(501, &error("ErrorInvalidUrlQueryFilter")), ErrorKind::BadRequest);
    }

    #[test]
    fn a_refused_mailbox_is_told_apart_from_a_policy() {
        assert_eq!(refused(403, &error("ErrorAccessDenied")), ErrorKind::Denied);
        let policy = r#"{"error":{"code":"ErrorAccessDenied","message":"Access to OData is disabled: [RAOP] : Blocked by tenant configured AppOnly AccessPolicy settings."}}"#;
        assert_eq!(refused(403, policy), ErrorKind::ImpersonationDenied);
        assert_eq!(refused(403, &error("Authorization_RequestDenied")), ErrorKind::Permission);
    }

    #[test]
    fn a_rejected_token_is_the_tokens_fault() {
        assert_eq!(refused(401, &error("InvalidAuthenticationToken")), ErrorKind::Token);
        let rejection = AuthRejection::TokenNotAccepted("a fresh token (Bearer)");
        let parts = ResponseParts { status: 401, retry_after: None, rejection: Some(&rejection), body: b"" };
        let expected = "HTTP 401 after a fresh token (Bearer)".to_owned();
        assert_eq!(classify(Effect::Write, parts), RetryDecision::Refused(ErrorKind::Token, expected));
    }

    #[test]
    fn throttling_did_nothing_and_says_how_long_to_wait() {
        for effect in [Effect::Read, Effect::Write] {
            for (status, after) in [(429, Some(7)), (429, None), (503, Some(7))] {
                let expected = after.map(Duration::from_secs);
                let decided = decision(effect, status, after, &error("ApplicationThrottled"));
                assert!(
                    matches!(&decided, RetryDecision::Wait { at_least, .. } if *at_least == expected),
                    "{status}: {decided:?}"
                );
            }
        }
    }

    #[test]
    fn a_busy_page_without_graphs_error_leaves_a_write_in_doubt() {
        for status in [429, 503] {
            for effect in [Effect::Write, Effect::UnguardedWrite] {
                let write = decision(effect, status, Some(1), "<html>");
                assert!(matches!(write, RetryDecision::InDoubt { .. }), "{status}: {write:?}");
            }
            let read = decision(Effect::Read, status, Some(1), "<html>");
            assert!(matches!(read, RetryDecision::Wait { .. }), "{status}: {read:?}");
        }
    }

    #[test]
    fn a_server_error_leaves_a_write_in_doubt() {
        for (status, code) in [
            (408, "RequestTimeout"),
            (500, "ErrorInternalServerError"),
            (502, "UnknownError"),
            (503, "ServiceUnavailable"),
            (504, "x"),
        ] {
            for body in [error(code), String::new(), error("ErrorItemNotFound")] {
                let write = decision(Effect::Write, status, None, &body);
                assert!(matches!(write, RetryDecision::InDoubt { .. }), "{status}: {write:?}");
                let read = decision(Effect::Read, status, None, &body);
                assert!(matches!(read, RetryDecision::Retry { .. }), "{status}: {read:?}");
            }
        }
    }

    #[test]
    fn only_known_codes_prove_that_a_refused_write_did_nothing() {
        for proof in ["ErrorItemNotFound: m", "ErrorAccessDenied", "ErrorInvalidRequest: You need to be: x"] {
            assert!(proves_nothing_done(proof), "{proof}");
        }
        for none in
            ["HTTP 404", "AFutureCode: m", "ErrorQuotaExceeded: m", "ErrorSubmissionQuotaExceeded", ""]
        {
            assert!(!proves_nothing_done(none), "{none}");
        }
    }

    #[test]
    fn the_inner_code_counts_where_the_outer_one_is_unknown() {
        let body = r#"{"error":{"code":"UnknownError","message":"","innererror":{"code":"x","innerError":{"code":"ErrorItemNotFound","request-id":"9b"}}}}"#;
        assert_eq!(refused(404, body), ErrorKind::Gone);
        assert_eq!(request_id_of_error(body.as_bytes()).as_deref(), Some("9b"));
        let number = r#"{"error":{"code":404,"message":"m"}}"#;
        assert_eq!(refused(404, number), ErrorKind::Unknown);
    }

    #[test]
    fn a_page_of_another_server_proves_nothing() {
        for (status, body) in
            [(302, ""), (405, "<html>"), (400, "{"), (400, r#"{"error":null}"#), (400, r#"{"error":{}}"#)]
        {
            assert_eq!(refused(status, body), ErrorKind::WrongProtocol, "{status}");
        }
        assert_eq!(refused(403, "<html>blocked by the proxy"), ErrorKind::WrongProtocol);
        assert_eq!(refused(413, ""), ErrorKind::TooLarge);
    }

    #[test]
    fn a_code_of_any_length_is_shortened() {
        let long = "x".repeat(1 << 20);
        let RetryDecision::Refused(_, code) = decision(Effect::Read, 400, None, &error(&long)) else {
            panic!()
        };
        assert_eq!(code, "an-unprintable-code-of-1048576-characters: m");
    }
}
