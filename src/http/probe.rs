//! Probes a server without credentials, for `doctor`: whether it responds, which certificate it shows, which
//! authentication schemes it offers, and what its clock reads. Knows no server's protocol, and judges nothing.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::{HeaderMap, Method, StatusCode, header};
use x509_cert::der::Decode as _;

use super::answer_budget::AnswerBudget;
use super::auth::{AuthSession, Credential, NoAuth};
use super::connection_pool::{ConnectionPool, HttpRequest, PoolOptions};
use super::delivery::{Delivery, HttpResponse};
use super::dialer::{ClientIdentity, Dialer};
use super::error::{TransportError, error_chain};
use super::field::{challenges, response_date};
use super::settings::{DialerSettings, SettingsError};
use super::tls_port_page::is_tls_port_page;
use super::url::ConnectTarget;
use crate::clock::{Clock as _, SystemClock};

/// Authentication schemes that are kept.
const SCHEMES_MAX: usize = 8;

/// How much of an error page is read.
const PAGE_BYTES_MAX: usize = 64 << 10;

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

/// The connections of a probe, and the certificate that the server shows on them.
pub(crate) struct Prober {
    connections: ConnectionPool,
    shown: ShownCertificate,
    is_tls: bool,
}

/// Sends no credentials, and keeps the server's certificate in DER.
#[derive(Clone, Default)]
struct ShownCertificate(Arc<Mutex<Option<Vec<u8>>>>);

impl Credential for ShownCertificate {
    fn session(&self, certificate: Option<&[u8]>) -> Box<dyn AuthSession> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = certificate.map(<[u8]>::to_vec);
        NoAuth.session(certificate)
    }
}

impl Prober {
    /// Prepares a probe of the server at this URL. `identity` decides whether a configured client certificate is offered.
    ///
    /// # Errors
    /// Why no connection can be opened.
    pub(crate) fn new(
        url: &str,
        dialer: &DialerSettings,
        identity: ClientIdentity,
        first_byte_timeout: Duration,
    ) -> Result<Self, TransportError> {
        let unusable = |error: SettingsError| TransportError::Connect(error_chain(&error));
        let target = ConnectTarget::parse(url).map_err(unusable)?;
        let dialer = Arc::new(Dialer::new(dialer).map_err(unusable)?);
        let (shown, is_tls) = (ShownCertificate::default(), target.tls);
        let options = PoolOptions {
            identity,
            first_byte_timeout,
            response_timeout: first_byte_timeout,
            answer_budget: AnswerBudget::of_other_servers(PAGE_BYTES_MAX),
            inflate: false,
            proves_authenticated: |_, _| false,
        };
        let connections = ConnectionPool::new(target, dialer, Box::new(shown.clone()), options);
        Ok(Self { connections, shown, is_tls })
    }

    /// Sends a request of this method and this type of content, without content.
    ///
    /// # Errors
    /// Why the server does not respond.
    pub(crate) async fn send(
        &self,
        method: Method,
        content_type: &'static str,
    ) -> Result<ProbeResult, TransportError> {
        let request = HttpRequest { method, ..HttpRequest::post(content_type, Bytes::new()) };
        let HttpResponse { status, headers, .. } =
            answer(self.connections.send_ignoring_body(&request).await)?;
        let names = challenges(&headers, &header::WWW_AUTHENTICATE);
        let names = names.iter().filter_map(|challenge| challenge.split_whitespace().next());
        let shown = self.shown.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        Ok(ProbeResult {
            certificate: shown.as_deref().and_then(read),
            status,
            is_html: text(&headers, header::CONTENT_TYPE)
                .is_some_and(|kind| kind.to_ascii_lowercase().starts_with("text/html")),
            auth_schemes: names.take(SCHEMES_MAX).map(|name| name.chars().take(20).collect()).collect(),
            server_time: response_date(&headers, SystemClock.now()),
            answers_post: false,
            is_tls_port: !self.is_tls
                && status == StatusCode::BAD_REQUEST
                && self.shows_tls_port_page(&request).await,
        })
    }

    /// Whether the response's page, requested once more, says that plain HTTP reached a TLS port.
    async fn shows_tls_port_page(&self, request: &HttpRequest) -> bool {
        let page = answer(self.connections.send(request).await);
        page.is_ok_and(|page| is_tls_port_page(&page.body))
    }
}

fn answer(delivery: Delivery) -> Result<HttpResponse, TransportError> {
    match delivery {
        Delivery::Answered(response) => Ok(response),
        Delivery::NotSent(error) | Delivery::MaybeSent(error) => Err(error),
    }
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
