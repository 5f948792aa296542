//! HTTPS client (plain HTTP to this machine only) for webhooks, identity providers and collectors. Follows no redirect.
//! Not for Exchange, whose writes need to know whether a request was sent.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::uri::Authority;
use http::{Method, Request, Response, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;
use tower_service::Service;

use crate::clock::{Clock as _, SystemClock};
use crate::http::field::retry_after;
use crate::http::happy_eyeballs::{ConnectError, resolve_and_connect};
use crate::http::net::{client_config, error_chain, is_loopback_host, without_userinfo};
use crate::json;

/// Time limit of one request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// Largest response body that is read.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// Longest idle time of a connection: many load balancers close it after 60 s.
const IDLE_MAX: Duration = Duration::from_secs(50);
/// How much of an invalid URL is shown.
const SHOWN_MAX: usize = 200;

/// Sends requests over pooled connections. Follows no redirects.
pub(crate) struct HttpsClient(Client<HttpsConnector<TcpConnector>, Full<Bytes>>);

/// The response to a POST.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PostResult {
    pub(crate) status: u16,
    /// `Retry-After`, unlimited; the caller limits the wait.
    pub(crate) retry_after: Option<Duration>,
}

/// Connects by [`resolve_and_connect`].
#[derive(Clone)]
struct TcpConnector;

impl Service<Uri> for TcpConnector {
    type Response = TokioIo<TcpStream>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        Box::pin(async move {
            let host = to.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
            let default = if to.scheme_str() == Some("http") { 80 } else { 443 };
            match resolve_and_connect(host, to.port_u16().unwrap_or(default)).await {
                Ok(stream) => Ok(TokioIo::new(stream)),
                Err(ConnectError::Resolve(error)) => Err(io::Error::other(format!("dns error: {error}"))),
                Err(ConnectError::Connect(error)) => Err(error),
            }
        })
    }
}

/// A URL that no request may go to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not of the form https://host/path (http only to this machine)")]
pub struct InvalidUrl(String);

/// Parses a URL to which a request stays unreadable for others: `https`, or `http` to this machine.
pub(crate) fn parse_url(url: &str) -> Result<Uri, InvalidUrl> {
    let no_address = || InvalidUrl(redacted(url));
    let uri: Uri = url.parse().map_err(|_| no_address())?;
    // A user name and password would be printed with the URL, and no server would get them. A port that is not a number
    // is the beginning of a password that contains a slash.
    let authority = uri.authority().map_or("", Authority::as_str);
    let ends_in_host = authority.ends_with(']') || authority.rsplit_once(':').is_none();
    if authority.contains('@') || !ends_in_host && uri.port_u16().is_none() {
        return Err(no_address());
    }
    match (uri.scheme_str(), uri.host()) {
        (Some("https"), Some(host)) if !host.is_empty() => Ok(uri),
        (Some("http"), Some(host)) if is_loopback_host(host) => Ok(uri),
        _ => Err(no_address()),
    }
}

/// A URL for messages: user info and path of a webhook's URL are often secrets.
fn redacted(url: &str) -> String {
    let url = without_userinfo(url);
    let host = url.find("://").map_or(0, |scheme| scheme + 3);
    let end = url[host..].find(['/', '?', '#']).map_or(url.len(), |path| host + path);
    let rest = if url[end..].len() > 1 { "/…" } else { &url[end..] };
    url[..end].chars().take(SHOWN_MAX).chain(rest.chars()).collect()
}

impl HttpsClient {
    /// Trusts the authorities of the platform.
    pub(crate) fn new() -> Result<Self, rustls::Error> {
        let config = client_config(Vec::new(), None)?;
        let connector = HttpsConnectorBuilder::new().with_tls_config(config).https_or_http().enable_http1();
        let mut client = Client::builder(TokioExecutor::new());
        client.pool_idle_timeout(IDLE_MAX);
        Ok(Self(client.build(connector.wrap_connector(TcpConnector))))
    }

    /// Sends JSON; returns status and `Retry-After`, or why there is no response.
    pub(crate) async fn post(
        &self,
        to: &Uri,
        body: String,
        headers: &[(&'static str, String)],
    ) -> Result<PostResult, String> {
        let mut request = request(Method::POST, to).header(header::CONTENT_TYPE, "application/json");
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let request = request.body(Bytes::from(body)).map_err(|error| error.to_string())?;
        // The response body is not read.
        with_timeout(async {
            let answer = self.send_request(request).await?;
            let retry_after = retry_after(answer.headers(), SystemClock.now());
            Ok(PostResult { status: answer.status().as_u16(), retry_after })
        })
        .await
    }

    /// Sends a request and reads the complete response.
    pub(crate) async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, String> {
        with_timeout(async {
            let (head, body) = self.send_request(request).await?.into_parts();
            let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
            Ok(Response::from_parts(head, body.map_err(|error| error.to_string())?.to_bytes()))
        })
        .await
    }

    async fn send_request(&self, request: Request<Bytes>) -> Result<Response<Incoming>, String> {
        self.0.request(request.map(Full::from)).await.map_err(|error| error_chain(&error))
    }

    /// Fetches JSON.
    pub(crate) async fn get<T: DeserializeOwned>(&self, from: &Uri) -> Result<T, String> {
        let request = request(Method::GET, from).header(header::ACCEPT, "application/json");
        let request = request.body(Bytes::new()).map_err(|error| error.to_string())?;
        let answer = self.send(request).await?;
        if !answer.status().is_success() {
            return Err(format!("{from} returned HTTP {}", answer.status()));
        }
        json::from_slice(answer.body())
            .map_err(|error| format!("{from} returned a response in another format: {error}"))
    }
}

fn request(method: Method, uri: &Uri) -> http::request::Builder {
    let agent = concat!("adjourn/", env!("CARGO_PKG_VERSION"));
    Request::builder().method(method).uri(uri).header(header::USER_AGENT, agent)
}

async fn with_timeout<T>(asked: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let late = |_| Err(format!("no response within {} s", REQUEST_TIMEOUT.as_secs()));
    tokio::time::timeout(REQUEST_TIMEOUT, asked).await.unwrap_or_else(late)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_address_is_shown_without_what_may_be_secret() {
        for url in [
            "http://user:hunter2@hooks.example/T0/B1/hunter2?token=hunter2",
            "https:///hunter2",
            "ftp://x/hunter2",
            "https://user:hunter2@hooks.example/x",
            "https://user@hooks.example/hunter2",
            "https://user:hun/ter2@hooks.example/hunter2",
            "https://user:hunter2?@hooks.example/x",
        ] {
            let error = parse_url(url).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
        assert!(parse_url("http://hooks.example/x").unwrap_err().to_string().contains("hooks.example"));
        assert!(parse_url("https://hooks.example/a@b/c?d=e@f").is_ok(), "Teams writes such paths");
        assert!(parse_url("https://[::1]/x").is_ok() && parse_url("https://[::1]:8443/x").is_ok());
        assert!(parse_url("http://127.0.0.1:80/x").is_ok() && parse_url("https://hooks.example/x").is_ok());
    }
}
