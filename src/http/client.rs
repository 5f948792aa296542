//! HTTP client for servers that receive a few requests a minute at most (token endpoints, Autodiscover, identity providers,
//! collectors): each request on a connection of its own, within one time limit. A webhook gets connections that are
//! kept ([`HttpClient::pool_to`]). Follows no redirect.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
#[cfg(feature = "service")]
use http::Uri;
use http::{HeaderMap, HeaderValue, Method, header};
#[cfg(feature = "service")]
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::answer_budget::AnswerBudget;
use super::auth::{Credential, NoAuth};
use super::connection_pool::{ConnectionPool, HttpRequest, PoolOptions};
use super::delivery::{Delivery, HttpResponse};
use super::dialer::{ClientIdentity, Dialer};
use super::error::TransportError;
#[cfg(feature = "service")]
use super::settings::SettingsError;
use super::url::ConnectTarget;
#[cfg(feature = "service")]
use crate::json;

/// Largest response body that is read.
pub(crate) const ANSWER_BYTES_MAX: usize = 1 << 20;

/// Time limit of a request of [`HttpClient::direct`].
#[cfg(feature = "service")]
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a document could not be fetched.
#[cfg(feature = "service")]
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    /// There is no response.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The response has another status than success.
    #[error("{url} returned HTTP {status}")]
    Status { url: Uri, status: u16 },
    /// The response is not the expected JSON.
    #[error("{url} returned a response in another format")]
    Format { url: Uri, source: serde_json::Error },
}

/// Sends single requests.
#[derive(Clone)]
pub(crate) struct HttpClient {
    dialer: Arc<Dialer>,
    timeout: Duration,
    answer_budget: AnswerBudget,
}

impl HttpClient {
    /// A client whose requests take at most this time, including the connection.
    pub(crate) fn new(dialer: Arc<Dialer>, timeout: Duration) -> Self {
        Self { dialer, timeout, answer_budget: AnswerBudget::of_other_servers(ANSWER_BYTES_MAX) }
    }

    /// A client that trusts the platform's authorities and needs no proxy: for webhooks, identity providers and collectors.
    #[cfg(feature = "service")]
    pub(crate) fn direct() -> Result<Self, rustls::Error> {
        Ok(Self::new(Arc::new(Dialer::direct(REQUEST_TIMEOUT)?), REQUEST_TIMEOUT))
    }

    /// Fetches JSON.
    #[cfg(feature = "service")]
    pub(crate) async fn get_json<T: DeserializeOwned>(&self, url: &Uri) -> Result<T, FetchError> {
        let accept = HeaderValue::from_static("application/json");
        let request = HttpRequest::get(HeaderMap::from_iter([(header::ACCEPT, accept)]));
        // The document names signing keys, so it may not come in plain HTTP from another machine.
        let target = ConnectTarget::parse(&url.to_string())
            .map_err(|error| TransportError::Connect(error.to_string()))?;
        let identity = ClientIdentity::Anonymous;
        let response = self.send_to(target, Box::new(NoAuth), identity, |_, _| false, &request).await?;
        if !(200..300).contains(&response.status) {
            return Err(FetchError::Status { url: url.clone(), status: response.status });
        }
        json::from_slice(&response.body).map_err(|source| FetchError::Format { url: url.clone(), source })
    }

    /// Sends a request without credentials, and without the account's client certificate. A GET may go to any host in plain HTTP.
    pub(crate) async fn send_anonymous(
        &self,
        url: &str,
        request: &HttpRequest,
    ) -> Result<HttpResponse, TransportError> {
        let target = match request.method {
            Method::GET => ConnectTarget::parse_anonymous(url),
            _ => ConnectTarget::parse(url),
        };
        let target = target.map_err(|error| TransportError::Connect(error.to_string()))?;
        self.send_to(target, Box::new(NoAuth), ClientIdentity::Anonymous, |_, _| false, request).await
    }

    /// Sends a request with this credential. A 401 that is returned is final. `proves_authenticated` recognizes a
    /// response that only an authenticated client gets.
    pub(crate) async fn send_authenticated(
        &self,
        url: &str,
        credential: Box<dyn Credential>,
        proves_authenticated: fn(u16, &HeaderMap) -> bool,
        request: &HttpRequest,
    ) -> Result<HttpResponse, TransportError> {
        let target = ConnectTarget::parse(url).map_err(|error| TransportError::Connect(error.to_string()))?;
        self.send_to(target, credential, ClientIdentity::Account, proves_authenticated, request).await
    }

    async fn send_to(
        &self,
        target: ConnectTarget,
        credential: Box<dyn Credential>,
        identity: ClientIdentity,
        proves_authenticated: fn(u16, &HeaderMap) -> bool,
        request: &HttpRequest,
    ) -> Result<HttpResponse, TransportError> {
        let pool = self.pool(target, credential, identity, proves_authenticated);
        match timeout(self.timeout, pool.send_on_new_connection(request)).await {
            Err(_) => Err(TransportError::ResponseTimeout(self.timeout)),
            Ok(Delivery::Answered(response)) => Ok(response),
            Ok(Delivery::NotSent(error) | Delivery::MaybeSent(error)) => Err(error),
        }
    }

    /// Connections that are kept, to a server that receives more requests. Requests need a time limit of their own.
    #[cfg(feature = "service")]
    pub(crate) fn pool_to(&self, url: &str) -> Result<ConnectionPool, SettingsError> {
        let target = ConnectTarget::parse(url)?;
        Ok(self.pool(target, Box::new(NoAuth), ClientIdentity::Anonymous, |_, _| false))
    }

    fn pool(
        &self,
        target: ConnectTarget,
        credential: Box<dyn Credential>,
        identity: ClientIdentity,
        proves_authenticated: fn(u16, &HeaderMap) -> bool,
    ) -> ConnectionPool {
        let options = PoolOptions {
            identity,
            first_byte_timeout: self.timeout,
            response_timeout: self.timeout,
            answer_budget: self.answer_budget.clone(),
            inflate: false,
            proves_authenticated,
        };
        ConnectionPool::new(target, self.dialer.clone(), credential, options)
    }
}

impl HttpRequest {
    /// A GET without a body.
    pub(crate) fn get(headers: HeaderMap) -> Self {
        Self { method: Method::GET, headers, body: Bytes::new() }
    }

    /// A POST with a body of this content type.
    pub(crate) fn post(content_type: &'static str, body: Bytes) -> Self {
        let content_type = HeaderValue::from_static(content_type);
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, content_type)]);
        Self { method: Method::POST, headers, body }
    }
}
