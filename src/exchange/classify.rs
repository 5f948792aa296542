//! What an answer means for the request: one pure function, a row for every shape the answer can have.
//!
//! | answer | verdict |
//! | --- | --- |
//! | 200 and an envelope | the operation's own messages, each with its code |
//! | any status and a fault | by its code alone; texts are localized |
//! | 503, 429, `genericerrorpage.htm` | wait, as long as `Retry-After` says |
//! | 401 | the credentials, or an overload that looks like them: once more, then refused |
//! | 403 | EWS is off for the mailbox, the tenant or us: never asked again by itself |
//! | 440, other redirects, an HTML page at 200 | not an EWS address, or a login form before it |
//! | 200 and neither | the answer was spoilt on its way: a read goes again, a write is in doubt |
//! | 456 | the account is locked |
//! | 500, 502, 504 without a fault | a failure of the moment: a read goes again, a write is in doubt |
//!
//! The body is looked at before the status: Exchange sends faults as HTTP 500 even when we are to blame.

use std::time::Duration;

use super::delivery::HttpAnswer;
use super::login::Denied;
use crate::ews::code::{Meaning, meaning};
use crate::ews::codec::{Body, DecodeError, Decoded};
use crate::ews::op::Effect;
use crate::ews::types::MessageXmlEntry;

/// How much of a server's reason is passed on.
const REASON_CHARS_MAX: usize = 120;

/// What to do with a request after its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The server carried it out, or the operation answers for itself.
    Done,
    /// The server did nothing; ask again, not before this time if it said one.
    Wait {
        /// What the server said, uncapped.
        at_least: Option<Duration>,
        /// Ask fewer at once from now on.
        fewer: bool,
        /// What it said.
        code: String,
    },
    /// Nothing was changed (it was a read): ask again soon, a few times.
    Retry {
        /// What it said.
        code: String,
    },
    /// Nothing was changed. It has been seen to pass: once more, and then it is refused.
    OnceMore(Kind, String),
    /// No: asking again would change nothing.
    Refused(Kind, String),
    /// It may have been carried out.
    InDoubt {
        /// What it said.
        code: String,
    },
}

/// Why it is no, which decides what anyone can do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// User name or password.
    Credentials,
    /// The server wants another way of signing in than the configured one, or we have nothing to say there.
    SignIn,
    /// The account is locked or expired.
    Account,
    /// EWS is turned off for this mailbox, organization or application.
    EwsDisabled,
    /// The account may not act for this room.
    NotImpersonated,
    /// The account may, but not do this.
    Denied,
    /// There is no such mailbox.
    NoMailbox,
    /// The room's mailbox is another server's.
    Elsewhere,
    /// Autodiscover does not say where the room lives.
    NotFound,
    /// What answers there is not EWS.
    NotEws,
    /// The item is not there.
    Gone,
    /// It changed since it was read.
    Conflict,
    /// The calendar's rules forbid it.
    Forbidden,
    /// Too much asked for in one request.
    TooLarge,
    /// The server keeps no more subscriptions for this room.
    Full,
    /// The server does not know the subscription, or the state of synchronisation, any more.
    StartAnew,
    /// Nobody of that name.
    NobodyFound,
    /// The server does not speak our version.
    Version,
    /// The request was wrong.
    BadRequest,
    /// Something we do not know.
    Unknown,
}

/// Reads an answer. `decoded` is its body, as far as it is an envelope.
pub fn classify(effect: Effect, answer: &HttpAnswer, decoded: &Result<Decoded<'_>, DecodeError>) -> Verdict {
    match decoded {
        Ok(decoded) => match &decoded.envelope.body {
            Body::Fault(fault) => {
                by_code(effect, fault.code().unwrap_or("fault without a code"), &fault.message_xml)
            }
            _ if answer.status == 200 => Verdict::Done,
            _ => by_status(effect, answer),
        },
        Err(_) => by_status(effect, answer),
    }
}

/// What a response code means for the request, with what stands beside it.
pub fn by_code(effect: Effect, code: &str, details: &[MessageXmlEntry<'_>]) -> Verdict {
    let inner = detail(details, "InnerErrorResponseCode").filter(|inner| meaning(inner) == Meaning::Busy);
    let text = code.to_owned();
    match meaning(inner.unwrap_or(code)) {
        Meaning::Success => Verdict::Done,
        Meaning::Busy => Verdict::Wait { at_least: back_off(details), fewer: false, code: text },
        Meaning::TooManyAtOnce => Verdict::Wait { at_least: back_off(details), fewer: true, code: text },
        Meaning::NotReached => Verdict::Wait { at_least: None, fewer: false, code: text },
        Meaning::Transient => doubtful(effect, text),
        Meaning::Unknown => match effect {
            Effect::Read => Verdict::Refused(Kind::Unknown, text),
            Effect::Write => Verdict::InDoubt { code: text },
        },
        Meaning::NotImpersonated if code == "ErrorImpersonateUserDenied" => {
            Verdict::OnceMore(Kind::NotImpersonated, text)
        }
        clear => Verdict::Refused(kind(clear), text),
    }
}

fn kind(meaning: Meaning) -> Kind {
    match meaning {
        Meaning::Gone => Kind::Gone,
        Meaning::Conflict => Kind::Conflict,
        Meaning::Denied => Kind::Denied,
        Meaning::NotImpersonated => Kind::NotImpersonated,
        Meaning::NoMailbox => Kind::NoMailbox,
        Meaning::Elsewhere => Kind::Elsewhere,
        Meaning::NobodyFound => Kind::NobodyFound,
        Meaning::SeveralFound => Kind::BadRequest,
        Meaning::Forbidden => Kind::Forbidden,
        Meaning::TooLarge => Kind::TooLarge,
        Meaning::Full => Kind::Full,
        Meaning::StartAnew => Kind::StartAnew,
        Meaning::Version => Kind::Version,
        Meaning::BadRequest => Kind::BadRequest,
        Meaning::Account => Kind::Account,
        _ => Kind::Unknown,
    }
}

fn by_status(effect: Effect, answer: &HttpAnswer) -> Verdict {
    let code = format!("HTTP {}", answer.status);
    match answer.status {
        429 | 503 => Verdict::Wait { at_least: answer.retry_after(), fewer: false, code },
        301..=308 if is_error_page(answer) => {
            Verdict::Wait { at_least: answer.retry_after(), fewer: false, code }
        }
        200..=299 if !is_html(answer) => doubtful(effect, code),
        200..=399 | 404 | 405 | 440 => Verdict::Refused(Kind::NotEws, code),
        401 => match &answer.denied {
            Some(denied @ Denied::Offers(_)) => Verdict::Refused(Kind::SignIn, format!("{code}: {denied}")),
            Some(denied @ Denied::NotAccepted(_)) => {
                Verdict::OnceMore(Kind::Credentials, format!("{code} {denied}"))
            }
            None => Verdict::OnceMore(Kind::Credentials, code),
        },
        403 => Verdict::Refused(Kind::EwsDisabled, with_reason(code, answer)),
        456 => Verdict::Refused(Kind::Account, code),
        413 => Verdict::Refused(Kind::TooLarge, code),
        400..=499 => Verdict::Refused(Kind::BadRequest, code),
        _ => doubtful(effect, code),
    }
}

/// Exchange Online says which switch it was ("Control access to EWS in Exchange").
fn with_reason(code: String, answer: &HttpAnswer) -> String {
    let reason = answer.headers.get("x-ews-policy-reason").and_then(|reason| reason.to_str().ok());
    match reason {
        Some(reason) => format!("{code}: {}", reason.chars().take(REASON_CHARS_MAX).collect::<String>()),
        None => code,
    }
}

/// A read may be asked again at once. Of a write nobody knows.
fn doubtful(effect: Effect, code: String) -> Verdict {
    match effect {
        Effect::Read => Verdict::Retry { code },
        Effect::Write => Verdict::InDoubt { code },
    }
}

/// A page for people: something in front of Exchange answered, or a login form.
fn is_html(answer: &HttpAnswer) -> bool {
    let kind = answer.headers.get(http::header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.to_ascii_lowercase().starts_with("text/html"))
}

/// Where an overloaded Exchange redirects to.
fn is_error_page(answer: &HttpAnswer) -> bool {
    let location = answer.headers.get(http::header::LOCATION).and_then(|location| location.to_str().ok());
    location.is_some_and(|location| location.to_ascii_lowercase().contains("genericerrorpage"))
}

/// `t:Value Name="BackOffMilliseconds"`: the number is the element's text.
fn back_off(details: &[MessageXmlEntry<'_>]) -> Option<Duration> {
    detail(details, "BackOffMilliseconds")?.trim().parse().ok().map(Duration::from_millis)
}

fn detail<'d>(details: &'d [MessageXmlEntry<'_>], name: &str) -> Option<&'d str> {
    details.iter().find(|entry| entry.name.as_deref() == Some(name)).map(|entry| &*entry.value)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::HeaderMap;

    use super::*;
    use crate::ews::codec::{Limits, decode};

    fn answer(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> HttpAnswer {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        HttpAnswer {
            status,
            headers: map,
            body: Bytes::copy_from_slice(body.as_bytes()),
            denied: None,
            said_who: false,
        }
    }

    fn verdict(effect: Effect, answer: &HttpAnswer) -> Verdict {
        classify(effect, answer, &decode(&answer.body, &Limits::default()))
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

    fn wait(at_least: Option<u64>, code: &str) -> Verdict {
        Verdict::Wait { at_least: at_least.map(Duration::from_millis), fewer: false, code: code.to_owned() }
    }

    #[test]
    fn all_carriers_of_throttling_mean_wait_even_for_a_write() {
        let busy = fault("ErrorServerBusy", r#"<t:Value Name="BackOffMilliseconds">297749</t:Value>"#);
        let by_fault = verdict(Effect::Write, &answer(500, &[], &busy));
        assert_eq!(by_fault, wait(Some(297_749), "ErrorServerBusy"));
        let by_page = verdict(Effect::Write, &answer(503, &[("retry-after", "7")], "<html>"));
        assert_eq!(by_page, wait(Some(7_000), "HTTP 503"));
        let entry = |name: &'static str, value: &'static str| MessageXmlEntry {
            element: "Value".into(),
            name: Some(name.into()),
            value: value.into(),
        };
        let wrapped =
            [entry("InnerErrorResponseCode", "ErrorServerBusy"), entry("BackOffMilliseconds", "12")];
        let by_message = by_code(Effect::Write, "ErrorInternalServerError", &wrapped);
        assert_eq!(by_message, wait(Some(12), "ErrorInternalServerError"));
        let redirected = answer(302, &[("location", "/ews/genericerrorpage.htm")], "");
        assert_eq!(verdict(Effect::Write, &redirected), wait(None, "HTTP 302"));
    }

    #[test]
    fn too_many_connections_lower_the_limit() {
        let many = answer(500, &[], &fault("ErrorExceededConnectionCount", ""));
        assert!(matches!(verdict(Effect::Read, &many), Verdict::Wait { fewer: true, .. }));
    }

    #[test]
    fn statuses_without_a_fault() {
        let rows = [
            (401, Verdict::OnceMore(Kind::Credentials, "HTTP 401".into())),
            (403, Verdict::Refused(Kind::EwsDisabled, "HTTP 403".into())),
            (404, Verdict::Refused(Kind::NotEws, "HTTP 404".into())),
            (440, Verdict::Refused(Kind::NotEws, "HTTP 440".into())),
            (456, Verdict::Refused(Kind::Account, "HTTP 456".into())),
            (413, Verdict::Refused(Kind::TooLarge, "HTTP 413".into())),
            (200, Verdict::InDoubt { code: "HTTP 200".into() }),
            (302, Verdict::Refused(Kind::NotEws, "HTTP 302".into())),
            (500, Verdict::InDoubt { code: "HTTP 500".into() }),
            (502, Verdict::InDoubt { code: "HTTP 502".into() }),
        ];
        for (status, expected) in rows {
            let page = answer(status, &[], "<html><body>Sign in</body></html>");
            assert_eq!(verdict(Effect::Write, &page), expected, "{status}");
        }
        let why =
            answer(403, &[("x-ews-policy-reason", "EWS is blocked by policy for this user or tenant")], "");
        let expected = "HTTP 403: EWS is blocked by policy for this user or tenant";
        assert_eq!(verdict(Effect::Write, &why), Verdict::Refused(Kind::EwsDisabled, expected.into()));
        let login = answer(200, &[("content-type", "text/html; charset=utf-8")], "<html>");
        assert_eq!(verdict(Effect::Write, &login), Verdict::Refused(Kind::NotEws, "HTTP 200".into()));
        let page = answer(502, &[], "");
        assert_eq!(verdict(Effect::Read, &page), Verdict::Retry { code: "HTTP 502".into() });
    }

    #[test]
    fn what_is_not_known_is_a_doubt_after_a_write_and_a_refusal_after_a_read() {
        let strange = answer(500, &[], &fault("ErrorOfTomorrow", ""));
        assert_eq!(verdict(Effect::Write, &strange), Verdict::InDoubt { code: "ErrorOfTomorrow".into() });
        let read = verdict(Effect::Read, &strange);
        assert_eq!(read, Verdict::Refused(Kind::Unknown, "ErrorOfTomorrow".into()));
    }

    #[test]
    fn impersonation_faults_are_for_good_but_for_the_one_seen_to_pass() {
        let sporadic = answer(500, &[], &fault("ErrorImpersonateUserDenied", ""));
        assert!(matches!(verdict(Effect::Write, &sporadic), Verdict::OnceMore(Kind::NotImpersonated, _)));
        for code in ["ErrorImpersonationDenied", "ErrorImpersonationFailed"] {
            let denied = answer(500, &[], &fault(code, ""));
            assert_eq!(verdict(Effect::Write, &denied), Verdict::Refused(Kind::NotImpersonated, code.into()));
        }
    }
}
