//! What a response means for its request: one pure function, with a row for each kind of response. Reads no clock,
//! sends nothing.
//!
//! | response | decision |
//! | --- | --- |
//! | 200 with an envelope | by the codes of the operation's own response messages |
//! | any status with a SOAP fault | by the fault's code alone; its texts are localized |
//! | 503, 429, `genericerrorpage.htm` | wait, as long as `Retry-After` requests |
//! | 401 | rejected credentials, or an overload that looks like it: retry once, then refused |
//! | 403 | EWS is off for the mailbox, tenant or application: no retry; with `x-ms-diagnostics`, a permission is missing |
//! | 440, other redirects, an HTML page with 200 | not an EWS URL, or a login form in front of it |
//! | 200 with neither envelope nor page | damaged on the way: a read is retried, a write is in doubt |
//! | 456 | the account is locked |
//! | 500, 502, 504 without a fault | transient: a read is retried, a write is in doubt |
//!
//! After a write, a response that this table calls refused may follow a change all the same, unless
//! [`proves_nothing_done`].
//!
//! The body counts before the status: Exchange sends faults with HTTP 500 even for a client's mistakes.

use std::time::Duration;

use crate::engine::ErrorKind;
use crate::ews::code::{CodeMeaning, may_follow_a_change, meaning};
use crate::ews::codec::{DecodeError, Decoded, SoapBody};
use crate::ews::op::Effect;
use crate::ews::types::MessageXmlEntry;
use crate::http::auth::AuthRejection;
use crate::http::delivery::HttpResponse;
use crate::http::field::printable_line;
use crate::http::tls_port_page::is_tls_port_page;

/// Longest response code that is passed on; Exchange's have some 60 characters.
const CODE_BYTES_MAX: usize = 100;
/// Reported in place of the code of a fault without one.
pub(super) const NO_CODE: &str = "fault without a code";
/// How much of a server's reason is passed on.
const REASON_CHARS_MAX: usize = 240;

/// What to do with a request after its response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RetryDecision {
    /// The server executed it, or the operation's messages decide.
    Done,
    /// The server did nothing; retry, not before this time if it requested one.
    Wait {
        /// Wait that the server requested, uncapped.
        at_least: Option<Duration>,
        /// Send fewer requests at once from now on.
        reduce_concurrency: bool,
        /// The response code.
        code: String,
    },
    /// Nothing was changed (it was a read): retry soon, a few times.
    Retry {
        /// The response code.
        code: String,
    },
    /// Nothing was changed. Such a refusal can be momentary: retry once, then treat it as refused.
    RetryOnce(ErrorKind, String),
    /// Refused; a retry would be refused too.
    Refused(ErrorKind, String),
    /// The server may have executed it.
    InDoubt {
        /// The response code.
        code: String,
    },
}

/// Decides what a response means. `decoded` is its body, where that is an envelope.
pub(crate) fn classify(
    effect: Effect,
    answer: &HttpResponse,
    decoded: &Result<Decoded<'_>, DecodeError>,
) -> RetryDecision {
    match decoded {
        Ok(decoded) => match &decoded.envelope.body {
            SoapBody::Fault(fault) => {
                let code = fault.code().unwrap_or(NO_CODE);
                with_retry_after(answer, decide_by_code(effect, code, &fault.message_xml))
            }
            _ if answer.status == 200 => RetryDecision::Done,
            _ => decide_by_status(effect, answer),
        },
        Err(_) => decide_by_status(effect, answer),
    }
}

/// Uses `Retry-After` where the fault of a busy server has no `BackOffMilliseconds`.
fn with_retry_after(answer: &HttpResponse, decision: RetryDecision) -> RetryDecision {
    match decision {
        RetryDecision::Wait { at_least: None, reduce_concurrency: fewer, code } => {
            RetryDecision::Wait { at_least: answer.retry_after(), reduce_concurrency: fewer, code }
        }
        other => other,
    }
}

/// What a response code and its details mean for the request. This is the one place that reads `BackOffMilliseconds`,
/// of faults and of response messages.
pub(crate) fn decide_by_code(effect: Effect, code: &str, details: &[MessageXmlEntry<'_>]) -> RetryDecision {
    let inner = detail(details, "InnerErrorResponseCode").filter(|inner| meaning(inner) == CodeMeaning::Busy);
    let text = printable_code(code);
    match meaning(inner.unwrap_or(code)) {
        CodeMeaning::Success => RetryDecision::Done,
        CodeMeaning::Busy => {
            RetryDecision::Wait { at_least: back_off(details), reduce_concurrency: false, code: text }
        }
        CodeMeaning::TooManyConcurrentRequests => {
            RetryDecision::Wait { at_least: back_off(details), reduce_concurrency: true, code: text }
        }
        CodeMeaning::BatchStopped => {
            RetryDecision::Wait { at_least: None, reduce_concurrency: false, code: text }
        }
        CodeMeaning::Transient => transient_failure(effect, text),
        CodeMeaning::Unknown => match effect {
            Effect::Read => RetryDecision::Refused(ErrorKind::Unknown, text),
            Effect::Write => RetryDecision::InDoubt { code: text },
        },
        CodeMeaning::ImpersonationFailed if code == "ErrorImpersonateUserDenied" => {
            RetryDecision::RetryOnce(ErrorKind::ImpersonationDenied, text)
        }
        clear => RetryDecision::Refused(error_kind(clear), text),
    }
}

/// Whether this code of a refused write proves that Exchange changed nothing. An HTML page may come from a proxy that
/// had passed the request on; and errors of mail submission or of a full mailbox can follow the stored change.
pub(super) fn proves_nothing_done(code: &str) -> bool {
    !code.starts_with(PAGE) && !may_follow_a_change(code)
}

/// Prefix of the code of a response without an envelope; no response code contains a space ([`printable_code`]).
const PAGE: &str = "HTTP ";

/// The code as logs and callers may see it: a server can put any text there, of any length.
pub(super) fn printable_code(code: &str) -> String {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    match code == NO_CODE || code.len() <= CODE_BYTES_MAX && code.bytes().all(is_name) {
        true => code.to_owned(),
        false => format!("an unprintable response code of {} characters", code.chars().count()),
    }
}

fn error_kind(meaning: CodeMeaning) -> ErrorKind {
    match meaning {
        CodeMeaning::ItemNotFound => ErrorKind::Gone,
        CodeMeaning::InvalidId => ErrorKind::InvalidId,
        CodeMeaning::CorruptItem => ErrorKind::Corrupt,
        CodeMeaning::Conflict => ErrorKind::Conflict,
        // Every mailbox has a calendar, Sent Items and Deleted Items: a missing one is hidden from the account.
        CodeMeaning::Denied | CodeMeaning::FolderNotFound => ErrorKind::Denied,
        CodeMeaning::ImpersonationFailed => ErrorKind::ImpersonationDenied,
        CodeMeaning::MailboxNotFound => ErrorKind::NoMailbox,
        CodeMeaning::WrongServer => ErrorKind::WrongServer,
        CodeMeaning::NoMatch => ErrorKind::PersonNotFound,
        CodeMeaning::MultipleMatches => ErrorKind::BadRequest,
        CodeMeaning::Forbidden => ErrorKind::Forbidden,
        CodeMeaning::TooLarge => ErrorKind::TooLarge,
        CodeMeaning::SubscriptionLimit => ErrorKind::SubscriptionLimit,
        CodeMeaning::SubscriptionExpired => ErrorKind::StateExpired,
        CodeMeaning::UnsupportedVersion => ErrorKind::Version,
        CodeMeaning::BadRequest => ErrorKind::BadRequest,
        CodeMeaning::AccountUnusable => ErrorKind::Account,
        _ => ErrorKind::Unknown,
    }
}

fn decide_by_status(effect: Effect, answer: &HttpResponse) -> RetryDecision {
    let code = format!("{PAGE}{}", answer.status);
    match answer.status {
        429 | 503 => RetryDecision::Wait { at_least: answer.retry_after(), reduce_concurrency: false, code },
        301..=308 if is_error_page(answer) => {
            RetryDecision::Wait { at_least: answer.retry_after(), reduce_concurrency: false, code }
        }
        200..=299 if !is_html(answer) => transient_failure(effect, code),
        200..=399 | 404 | 405 | 440 => RetryDecision::Refused(ErrorKind::WrongProtocol, code),
        401 => match &answer.rejection {
            Some(rejection @ AuthRejection::Offers(_)) => RetryDecision::Refused(
                ErrorKind::AuthScheme,
                with_reason(format!("{code}: {rejection}"), answer),
            ),
            Some(rejection @ AuthRejection::NotAccepted(_)) => RetryDecision::RetryOnce(
                ErrorKind::Credentials,
                with_reason(format!("{code} {rejection}"), answer),
            ),
            Some(rejection @ AuthRejection::TokenNotAccepted(_)) => {
                RetryDecision::RetryOnce(ErrorKind::Token, with_reason(format!("{code} {rejection}"), answer))
            }
            None => RetryDecision::RetryOnce(ErrorKind::Credentials, with_reason(code, answer)),
        },
        403 if answer.headers.contains_key(DIAGNOSTICS) => {
            RetryDecision::Refused(ErrorKind::Permission, with_reason(code, answer))
        }
        403 => RetryDecision::Refused(ErrorKind::ApiDisabled, with_reason(code, answer)),
        400 | 497 if is_tls_port_page(&answer.body) => RetryDecision::Refused(
            ErrorKind::WrongProtocol,
            format!("{code}: this port speaks TLS; use https in the URL"),
        ),
        456 => RetryDecision::Refused(ErrorKind::Account, code),
        413 => RetryDecision::Refused(ErrorKind::TooLarge, code),
        400..=499 => RetryDecision::Refused(ErrorKind::BadRequest, with_reason(code, answer)),
        _ => transient_failure(effect, code),
    }
}

/// Header with Exchange's reason for rejecting a token or its permissions.
const DIAGNOSTICS: &str = "x-ms-diagnostics";
/// Header with the policy by which Exchange Online blocks EWS ("Control access to EWS in Exchange").
const POLICY: &str = "x-ews-policy-reason";

/// Appends the server's own reason, one line of limited length. These headers contain no calendar data.
fn with_reason(code: String, answer: &HttpResponse) -> String {
    let text = [POLICY, DIAGNOSTICS].iter().find_map(|name| answer.headers.get(*name));
    let reason = text.map(|text| printable_line(reason(text.as_bytes()), REASON_CHARS_MAX));
    match reason {
        Some(reason) if !reason.is_empty() => format!("{code}: {reason}"),
        _ => code,
    }
}

/// The value of `reason` in `2000008;reason="…";error_category="…"`; the whole text where there is none.
fn reason(text: &[u8]) -> &[u8] {
    const BEFORE: &[u8] = b"reason=\"";
    let begins = text.windows(BEFORE.len()).position(|part| part.eq_ignore_ascii_case(BEFORE));
    let Some(rest) = begins.and_then(|at| text.get(at + BEFORE.len()..)) else { return text };
    rest.split(|byte| *byte == b'"').next().unwrap_or(rest)
}

/// A read may be retried at once; a write may have been executed.
fn transient_failure(effect: Effect, code: String) -> RetryDecision {
    match effect {
        Effect::Read => RetryDecision::Retry { code },
        Effect::Write => RetryDecision::InDoubt { code },
    }
}

/// An HTML page: a device in front of Exchange answered, or a login form.
fn is_html(answer: &HttpResponse) -> bool {
    let kind = answer.headers.get(http::header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.to_ascii_lowercase().starts_with("text/html"))
}

/// Where an overloaded Exchange redirects to.
fn is_error_page(answer: &HttpResponse) -> bool {
    let location = answer.headers.get(http::header::LOCATION).and_then(|location| location.to_str().ok());
    location.is_some_and(|location| location.to_ascii_lowercase().contains("genericerrorpage"))
}

/// `t:Value Name="BackOffMilliseconds"`: the number is the element's text.
fn back_off(details: &[MessageXmlEntry<'_>]) -> Option<Duration> {
    let text = detail(details, "BackOffMilliseconds")?.trim();
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().map_or(Duration::MAX, Duration::from_millis))
}

fn detail<'d>(details: &'d [MessageXmlEntry<'_>], name: &str) -> Option<&'d str> {
    let is_it = |entry: &&MessageXmlEntry<'_>| {
        entry.name.as_deref().is_some_and(|name_of_entry| name_of_entry.trim() == name)
    };
    details.iter().find(is_it).map(|entry| &*entry.value)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::HeaderMap;

    use super::*;
    use crate::ews::codec::{DecodeLimits, decode};

    fn answer(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> HttpResponse {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        HttpResponse {
            status,
            headers: map,
            body: Bytes::copy_from_slice(body.as_bytes()),
            rejection: None,
            sent_credentials: false,
        }
    }

    fn decision(effect: Effect, answer: &HttpResponse) -> RetryDecision {
        classify(effect, answer, &decode(&answer.body, &DecodeLimits::default()))
    }

    fn fault(code: &str, xml: &str) -> String {
        format!(
            r#"<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><s:Fault><faultcode
            xmlns:a="http://schemas.microsoft.com/exchange/services/2006/types">a:{code}</faultcode><faultstring
            xml:lang="de-DE">Nein.</faultstring><detail><e:ResponseCode
            xmlns:e="http://schemas.microsoft.com/exchange/services/2006/errors">{code}</e:ResponseCode><t:MessageXml
            xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types">{xml}</t:MessageXml></detail></s:Fault>
            </s:Body></s:Envelope>"#
        )
    }

    fn wait(at_least: Option<u64>, code: &str) -> RetryDecision {
        RetryDecision::Wait {
            at_least: at_least.map(Duration::from_millis),
            reduce_concurrency: false,
            code: code.to_owned(),
        }
    }

    #[test]
    fn all_carriers_of_throttling_mean_wait_even_for_a_write() {
        let busy = fault("ErrorServerBusy", r#"<t:Value Name="BackOffMilliseconds">297749</t:Value>"#);
        let by_fault = decision(Effect::Write, &answer(500, &[], &busy));
        assert_eq!(by_fault, wait(Some(297_749), "ErrorServerBusy"));
        let by_page = decision(Effect::Write, &answer(503, &[("retry-after", "7")], "<html>"));
        assert_eq!(by_page, wait(Some(7_000), "HTTP 503"));
        let entry = |name: &'static str, value: &'static str| MessageXmlEntry {
            element: "Value".into(),
            name: Some(name.into()),
            value: value.into(),
        };
        let wrapped =
            [entry("InnerErrorResponseCode", "ErrorServerBusy"), entry("BackOffMilliseconds", "12")];
        let by_message = decide_by_code(Effect::Write, "ErrorInternalServerError", &wrapped);
        assert_eq!(by_message, wait(Some(12), "ErrorInternalServerError"));
        let redirected = answer(302, &[("location", "/ews/genericerrorpage.htm")], "");
        assert_eq!(decision(Effect::Write, &redirected), wait(None, "HTTP 302"));
    }

    #[test]
    fn too_many_connections_lower_the_limit() {
        let many = answer(500, &[], &fault("ErrorExceededConnectionCount", ""));
        assert!(matches!(
            decision(Effect::Read, &many),
            RetryDecision::Wait { reduce_concurrency: true, .. }
        ));
    }

    #[test]
    fn statuses_without_a_fault() {
        let rows = [
            (401, RetryDecision::RetryOnce(ErrorKind::Credentials, "HTTP 401".into())),
            (403, RetryDecision::Refused(ErrorKind::ApiDisabled, "HTTP 403".into())),
            (404, RetryDecision::Refused(ErrorKind::WrongProtocol, "HTTP 404".into())),
            (440, RetryDecision::Refused(ErrorKind::WrongProtocol, "HTTP 440".into())),
            (456, RetryDecision::Refused(ErrorKind::Account, "HTTP 456".into())),
            (413, RetryDecision::Refused(ErrorKind::TooLarge, "HTTP 413".into())),
            (200, RetryDecision::InDoubt { code: "HTTP 200".into() }),
            (302, RetryDecision::Refused(ErrorKind::WrongProtocol, "HTTP 302".into())),
            (500, RetryDecision::InDoubt { code: "HTTP 500".into() }),
            (502, RetryDecision::InDoubt { code: "HTTP 502".into() }),
        ];
        for (status, expected) in rows {
            let page = answer(status, &[], "<html><body>Sign in</body></html>");
            assert_eq!(decision(Effect::Write, &page), expected, "{status}");
        }
        let why =
            answer(403, &[("x-ews-policy-reason", "EWS is blocked by policy for this user or tenant")], "");
        let expected = "HTTP 403: EWS is blocked by policy for this user or tenant";
        assert_eq!(
            decision(Effect::Write, &why),
            RetryDecision::Refused(ErrorKind::ApiDisabled, expected.into())
        );
        let login = answer(200, &[("content-type", "text/html; charset=utf-8")], "<html>");
        assert_eq!(
            decision(Effect::Write, &login),
            RetryDecision::Refused(ErrorKind::WrongProtocol, "HTTP 200".into())
        );
        let diagnostics = "2000008;reason=\"The token contains not enough scope to make this call.\";error_category=\"invalid_grant\"";
        let scope = answer(403, &[("x-ms-diagnostics", diagnostics)], "");
        let expected = "HTTP 403: The token contains not enough scope to make this call.";
        assert_eq!(
            decision(Effect::Write, &scope),
            RetryDecision::Refused(ErrorKind::Permission, expected.into())
        );
        let nginx = answer(
            400,
            &[("content-type", "text/html")],
            "<h1>The plain HTTP request was sent to HTTPS port</h1>",
        );
        assert!(
            matches!(decision(Effect::Read, &nginx), RetryDecision::Refused(ErrorKind::WrongProtocol, code) if code.contains("https"))
        );
        let page = answer(502, &[], "");
        assert_eq!(decision(Effect::Read, &page), RetryDecision::Retry { code: "HTTP 502".into() });
    }

    #[test]
    fn a_reason_is_one_line_and_short() {
        let long = "x".repeat(10_000);
        for (said, shown) in [
            ("4000001;REASON=\"a\tb\"", r"HTTP 403: a\u{9}b"),
            ("no form at all", "HTTP 403: no form at all"),
            ("1;reason=\"never closed", "HTTP 403: never closed"),
            ("1;reason=\"\"", "HTTP 403"),
            ("", "HTTP 403"),
        ] {
            let mut refused = answer(403, &[], "");
            refused.headers.insert(DIAGNOSTICS, said.parse().unwrap());
            assert_eq!(
                decision(Effect::Read, &refused),
                RetryDecision::Refused(ErrorKind::Permission, shown.to_owned())
            );
        }
        let mut refused = answer(403, &[], "");
        refused.headers.insert(DIAGNOSTICS, long.parse().unwrap());
        let RetryDecision::Refused(_, code) = decision(Effect::Read, &refused) else { panic!() };
        assert!(code.len() < 300, "{}", code.len());
    }

    #[test]
    fn a_wait_is_read_wherever_it_stands() {
        let wait = |code: &str| RetryDecision::Wait {
            at_least: Some(Duration::from_secs(120)),
            reduce_concurrency: false,
            code: code.into(),
        };
        let busy = answer(503, &[("retry-after", "120")], &fault("ErrorServerBusy", ""));
        assert_eq!(decision(Effect::Write, &busy), wait("ErrorServerBusy"));
        let dates =
            [("retry-after", "Sun, 29 Nov 2026 08:02:00 GMT"), ("date", "Sun, 29 Nov 2026 08:00:00 GMT")];
        assert_eq!(decision(Effect::Write, &answer(503, &dates, "")), wait("HTTP 503"));
        let entry = |name: &'static str, value: &'static str| MessageXmlEntry {
            element: "Value".into(),
            name: Some(name.into()),
            value: value.into(),
        };
        for (value, expected) in
            [(" 500 ", Some(Duration::from_millis(500))), ("-1", None), ("soon", None), ("", None)]
        {
            let said =
                decide_by_code(Effect::Read, "ErrorServerBusy", &[entry("BackOffMilliseconds", value)]);
            assert!(
                matches!(said, RetryDecision::Wait { at_least, .. } if at_least == expected),
                "{value}: {said:?}"
            );
        }
        let huge = decide_by_code(
            Effect::Read,
            "ErrorServerBusy",
            &[entry("BackOffMilliseconds", "99999999999999999999")],
        );
        assert!(matches!(huge, RetryDecision::Wait { at_least: Some(Duration::MAX), .. }), "{huge:?}");
    }

    #[test]
    fn what_is_not_known_is_a_doubt_after_a_write_and_a_refusal_after_a_read() {
        let strange = answer(500, &[], &fault("ErrorOfTomorrow", ""));
        assert_eq!(
            decision(Effect::Write, &strange),
            RetryDecision::InDoubt { code: "ErrorOfTomorrow".into() }
        );
        let read = decision(Effect::Read, &strange);
        assert_eq!(read, RetryDecision::Refused(ErrorKind::Unknown, "ErrorOfTomorrow".into()));
    }

    #[test]
    fn impersonation_faults_are_for_good_but_for_the_one_seen_to_pass() {
        let sporadic = answer(500, &[], &fault("ErrorImpersonateUserDenied", ""));
        assert!(matches!(
            decision(Effect::Write, &sporadic),
            RetryDecision::RetryOnce(ErrorKind::ImpersonationDenied, _)
        ));
        for code in ["ErrorImpersonationDenied", "ErrorImpersonationFailed"] {
            let denied = answer(500, &[], &fault(code, ""));
            assert_eq!(
                decision(Effect::Write, &denied),
                RetryDecision::Refused(ErrorKind::ImpersonationDenied, code.into())
            );
        }
    }
}
