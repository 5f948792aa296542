//! Probes a server without credentials, for `doctor`: whether it responds, which certificate it shows, which
//! authentication schemes it offers, and what its clock reads. Judges nothing.

use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use x509_cert::der::Decode as _;

use super::classify::is_tls_port_page;
use super::settings::Settings;
use crate::clock::{Clock as _, SystemClock};
use crate::http::connection_pool::USER_AGENT;
use crate::http::dialer::{ClientIdentity, Dialer, HttpConnection};
use crate::http::error::{TlsFailure, TransportError, error_chain};
use crate::http::field::{challenges, parse_date};
use crate::http::settings::SettingsError;
use crate::http::url::ConnectTarget;

/// Authentication schemes that are kept.
const SCHEMES_MAX: usize = 8;

/// How much of an error page is read.
const PAGE_BYTES_MAX: usize = 64 << 10;

/// Wait for the reason why a connection was closed, after a lost response.
const CLOSE_REASON_WAIT: Duration = Duration::from_secs(1);

/// What a probe learned about the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProbeResult {
    /// The server's certificate, over TLS.
    pub certificate: Option<ServerCertificate>,
    /// Status of the response to an anonymous request.
    pub status: u16,
    /// The response is an HTML page.
    pub is_html: bool,
    /// Names of the authentication schemes that the server offers.
    pub auth_schemes: Vec<String>,
    /// The server's `Date` header.
    pub server_time: Option<DateTime<Utc>>,
    /// The server refused GET, and accepted POST.
    pub answers_post: bool,
    /// The server reports that a plain HTTP request reached its TLS port.
    pub is_tls_port: bool,
}

/// Names and validity of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServerCertificate {
    /// Subject.
    pub subject: String,
    /// Issuer.
    pub issuer: String,
    /// End of its validity.
    pub not_after: DateTime<Utc>,
}

/// Probes the server at this URL.
///
/// # Errors
/// Why the server does not respond.
pub(crate) async fn probe(settings: &Settings, url: &str) -> Result<ProbeResult, TransportError> {
    let bad = |error: SettingsError| TransportError::Connect(error_chain(&error));
    let endpoint = ConnectTarget::parse(url).map_err(bad)?;
    let dialer = Dialer::new(&settings.dialer()).map_err(bad)?;
    let within = settings.first_byte_timeout;
    let meeting = send_probe(&dialer, &endpoint, Method::GET, within).await?;
    if !refuses_method(meeting.status) {
        return Ok(meeting);
    }
    // A reverse proxy may let only POST through, the one method of EWS.
    let posted = send_probe(&dialer, &endpoint, Method::POST, within).await.ok();
    let posted = posted.filter(|posted| !refuses_method(posted.status));
    Ok(posted.map_or(meeting, |posted| ProbeResult { answers_post: true, ..posted }))
}

fn refuses_method(status: u16) -> bool {
    matches!(status, 404 | 405 | 501)
}

async fn send_probe(
    dialer: &Dialer,
    endpoint: &ConnectTarget,
    method: Method,
    within: Duration,
) -> Result<ProbeResult, TransportError> {
    let HttpConnection { mut sender, certificate, closed: end } =
        dialer.dial::<Full<Bytes>>(endpoint, ClientIdentity::Account).await?;
    let request = Request::builder()
        .method(method)
        .uri(&endpoint.target)
        .header(header::HOST, &endpoint.authority)
        .header(header::USER_AGENT, USER_AGENT)
        .header(header::CONTENT_TYPE, "text/xml; charset=utf-8")
        .body(Full::default())
        .map_err(|error| TransportError::Connect(error.to_string()))?;
    let answer = timeout(within, sender.send_request(request)).await;
    let answer = match answer.map_err(|_| TransportError::FirstByteTimeout(within))? {
        Ok(answer) => answer,
        Err(error) if error.is_parse() && !endpoint.tls => {
            return Err(TransportError::NotHttp(error_chain(&error)));
        }
        Err(error) => return Err(lost_response(&error, end).await),
    };
    let (head, body) = answer.into_parts();
    let headers = &head.headers;
    let names = challenges(headers, &header::WWW_AUTHENTICATE);
    let names = names.iter().filter_map(|challenge| challenge.split_whitespace().next());
    let now = SystemClock.now();
    Ok(ProbeResult {
        certificate: certificate.as_deref().and_then(read),
        status: head.status.as_u16(),
        is_html: text(headers, header::CONTENT_TYPE)
            .is_some_and(|kind| kind.to_ascii_lowercase().starts_with("text/html")),
        auth_schemes: names.take(SCHEMES_MAX).map(|name| name.chars().take(20).collect()).collect(),
        server_time: text(headers, header::DATE).and_then(|text| parse_date(text, now)),
        answers_post: false,
        is_tls_port: !endpoint.tls && head.status == StatusCode::BAD_REQUEST && {
            let body = timeout(within, Limited::new(body, PAGE_BYTES_MAX).collect()).await;
            body.is_ok_and(|page| page.is_ok_and(|page| is_tls_port_page(&page.to_bytes())))
        },
    })
}

/// In TLS 1.3 a server reports only after the handshake that it requires a client certificate, possibly before the
/// first request; then only the connection has the reason.
async fn lost_response(error: &hyper::Error, end: JoinHandle<Option<String>>) -> TransportError {
    let end = timeout(CLOSE_REASON_WAIT, end).await;
    let why = end.ok().and_then(Result::ok).flatten().unwrap_or_else(|| error_chain(error));
    let about_us = ["CertificateRequired", "BadCertificate", "UnknownCA", "CertificateUnknown"];
    if about_us.iter().any(|alert| why.contains(alert)) {
        return TransportError::Tls(TlsFailure::ClientCertificate, why);
    }
    TransportError::ConnectionLost(why)
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

fn read(der: &[u8]) -> Option<ServerCertificate> {
    let certificate = x509_cert::Certificate::from_der(der).ok()?;
    let facts = certificate.tbs_certificate();
    let until = facts.validity().not_after.to_unix_duration().as_secs();
    Some(ServerCertificate {
        subject: facts.subject().to_string(),
        issuer: facts.issuer().to_string(),
        not_after: DateTime::from_timestamp(i64::try_from(until).ok()?, 0)?,
    })
}
