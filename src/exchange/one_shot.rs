//! HTTP client for servers other than EWS (token endpoints, Autodiscover): one connection, one request, one response,
//! within limits. Follows no redirects and keeps no connection: such requests are sent a few times an hour.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::SendRequest;
use tokio::time::timeout;

use super::delivery::proves_authenticated;
use super::dial::{ClientIdentity, Dialer, HttpConnection};
use super::login::{AuthRound, ChallengeAction, Credential, NoAuth};
use super::settings::ConnectTarget;
use super::transport::{AUTH_ROUNDS_MAX, USER_AGENT};
use crate::autodiscover;
use crate::clock::{Clock as _, SystemClock};
use crate::http::error::TransportError;
use crate::http::field::{challenges, retry_after};
use crate::http::net::error_chain;

/// Largest response body that is read.
pub(super) const ANSWER_BYTES_MAX: usize = 1 << 20;

/// Sends single requests.
#[derive(Clone)]
pub(super) struct OneShotClient {
    pub(super) dialer: Arc<Dialer>,
    /// Time limit of one request, including the connection.
    pub(super) timeout: Duration,
}

/// One request.
pub(super) struct OneShotRequest<'a> {
    pub(super) method: Method,
    pub(super) url: &'a str,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) body: Bytes,
}

/// One response.
#[derive(Debug, Clone)]
pub(super) struct OneShotResponse {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl<'a> OneShotRequest<'a> {
    pub(super) fn post(url: &'a str, kind: &'static str, body: Bytes) -> Self {
        let headers = vec![(header::CONTENT_TYPE, HeaderValue::from_static(kind))];
        Self { method: Method::POST, url, headers, body }
    }

    /// The request that Autodiscover wants sent; `None` if one of its headers is not valid in HTTP.
    pub(super) fn for_discovery(discovery: &'a autodiscover::DiscoveryRequest) -> Option<Self> {
        let headers = discovery.headers.iter().map(|(name, value)| {
            Some((HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_str(value).ok()?))
        });
        Some(Self {
            method: discovery.method.clone(),
            url: &discovery.url,
            headers: headers.collect::<Option<_>>()?,
            body: discovery.body.clone().into(),
        })
    }
}

impl OneShotResponse {
    /// The `Location` header.
    pub(super) fn location(&self) -> Option<String> {
        Some(self.headers.get(header::LOCATION)?.to_str().ok()?.to_owned())
    }

    /// `Retry-After`, in any of its forms.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        retry_after(&self.headers, SystemClock.now())
    }
}

impl OneShotClient {
    /// Sends a request without credentials.
    pub(super) async fn send_anonymous(
        &self,
        request: &OneShotRequest<'_>,
    ) -> Result<OneShotResponse, String> {
        self.send(request, None).await.map_err(without_exchange)
    }

    /// Sends a request with this credential. A 401 that is returned is final.
    pub(super) async fn send(
        &self,
        request: &OneShotRequest<'_>,
        credential: Option<&dyn Credential>,
    ) -> Result<OneShotResponse, TransportError> {
        let sending = async {
            match self.authenticate_and_send(request, credential).await? {
                Some(response) => Ok(response),
                None => self.authenticate_and_send(request, credential).await?.ok_or_else(too_many_rounds),
            }
        };
        timeout(self.timeout, sending).await.map_err(|_| TransportError::ResponseTimeout(self.timeout))?
    }

    /// All authentication rounds, on one connection; `None` if a new connection is needed.
    async fn authenticate_and_send(
        &self,
        request: &OneShotRequest<'_>,
        credential: Option<&dyn Credential>,
    ) -> Result<Option<OneShotResponse>, TransportError> {
        let endpoint = match (credential, &request.method) {
            (None, &Method::GET) => ConnectTarget::parse_anonymous(request.url),
            _ => ConnectTarget::parse(request.url),
        };
        let endpoint = endpoint.map_err(|error| TransportError::Connect(error.to_string()))?;
        let identity = if credential.is_some() { ClientIdentity::Account } else { ClientIdentity::Anonymous };
        let HttpConnection { mut sender, certificate, .. } =
            self.dialer.dial::<Full<Bytes>>(&endpoint, identity).await?;
        let mut session = credential.unwrap_or(&NoAuth).session(certificate.as_deref());
        let mut round = session.first_round().await?;
        for _ in 0..AUTH_ROUNDS_MAX {
            sender.ready().await.map_err(|error| TransportError::ConnectionLost(error_chain(&error)))?;
            let response = send_round(&mut sender, build_request(&endpoint, request, &round)?).await?;
            if response.status != StatusCode::UNAUTHORIZED.as_u16() {
                if proves_authenticated(response.status, &response.headers) {
                    session.on_accepted();
                }
                return Ok(Some(response));
            }
            let challenges = challenges(&response.headers, &header::WWW_AUTHENTICATE);
            let challenges: Vec<&str> = challenges.iter().map(String::as_str).collect();
            match session.on_challenge(&challenges).await? {
                ChallengeAction::Retry(next) => round = next,
                ChallengeAction::Reconnect => return Ok(None),
                ChallengeAction::Reject(_) => return Ok(Some(response)),
            }
        }
        Err(too_many_rounds())
    }
}

fn build_request(
    endpoint: &ConnectTarget,
    request: &OneShotRequest<'_>,
    round: &AuthRound,
) -> Result<Request<Full<Bytes>>, TransportError> {
    let mut builder = Request::builder()
        .method(request.method.clone())
        .uri(&endpoint.target)
        .header(header::HOST, &endpoint.authority)
        .header(header::USER_AGENT, USER_AGENT);
    for (name, value) in &request.headers {
        builder = builder.header(name, value);
    }
    if let Some(authorization) = &round.authorization {
        builder = builder.header(header::AUTHORIZATION, authorization);
    }
    let body = if round.with_body { request.body.clone() } else { Bytes::new() };
    builder.body(Full::new(body)).map_err(|error| TransportError::ConnectionLost(error.to_string()))
}

async fn send_round(
    sender: &mut SendRequest<Full<Bytes>>,
    request: Request<Full<Bytes>>,
) -> Result<OneShotResponse, TransportError> {
    let response = sender
        .send_request(request)
        .await
        .map_err(|error| TransportError::ConnectionLost(error_chain(&error)))?;
    let (parts, body) = response.into_parts();
    let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
    let body = body.map_err(|error| TransportError::ConnectionLost(error.to_string()))?.to_bytes();
    Ok(OneShotResponse { status: parts.status.as_u16(), headers: parts.headers, body })
}

fn too_many_rounds() -> TransportError {
    TransportError::ConnectionLost("authentication did not end within the allowed rounds".to_owned())
}

/// The error in words that do not name Exchange, since the request was for another server.
fn without_exchange(failure: TransportError) -> String {
    match failure {
        TransportError::Resolve(why) => format!("the host name does not resolve: {why}"),
        TransportError::Connect(why) => format!("cannot connect: {why}"),
        TransportError::Tls(trouble, why) => format!("{}: {why}", trouble.as_str()),
        TransportError::ConnectTimeout(after) => format!("cannot connect within {after:?}"),
        other => other.to_string(),
    }
}
