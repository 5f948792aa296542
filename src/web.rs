//! Asking other programs over HTTPS (plain HTTP to this machine only): webhooks, and whoever signs callers' tokens. Not for
//! Exchange, whose requests may change something and need more care.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::de::DeserializeOwned;

use crate::peer::{chain, client_config, is_this_machine};

/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The largest answer that is read.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// A way to other programs. Follows no redirects.
pub(crate) struct Web(Client<HttpsConnector<HttpConnector>, Full<Bytes>>);

/// Not an address we would send anything to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not of the form https://host/path (http is for this machine only)")]
pub struct NoAddress(String);

/// The address, if what is said to it is readable for nobody else.
pub(crate) fn address(url: &str) -> Result<Uri, NoAddress> {
    let no_address = || NoAddress(url.to_owned());
    let uri: Uri = url.parse().map_err(|_| no_address())?;
    match (uri.scheme_str(), uri.host()) {
        (Some("https"), Some(host)) if !host.is_empty() => Ok(uri),
        (Some("http"), Some(host)) if is_this_machine(host) => Ok(uri),
        _ => Err(no_address()),
    }
}

impl Web {
    /// Trusts whom the platform trusts.
    pub(crate) fn new() -> Result<Self, rustls::Error> {
        let config = client_config(Vec::new(), None)?;
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(config).https_or_http().enable_http1().build();
        Ok(Self(Client::builder(TokioExecutor::new()).build(connector)))
    }

    /// Sends JSON; the status of the answer, or why there is none.
    pub(crate) async fn post(
        &self,
        to: &Uri,
        body: String,
        headers: &[(&'static str, String)],
    ) -> Result<u16, String> {
        let mut request = request(Method::POST, to).header(header::CONTENT_TYPE, "application/json");
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let request = request.body(Bytes::from(body)).map_err(|error| error.to_string())?;
        // What is said besides the status is nothing to us.
        in_time(async { Ok(self.ask(request).await?.status().as_u16()) }).await
    }

    /// Sends this, and reads the whole answer.
    pub(crate) async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, String> {
        in_time(async {
            let (head, body) = self.ask(request).await?.into_parts();
            let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
            Ok(Response::from_parts(head, body.map_err(|error| error.to_string())?.to_bytes()))
        })
        .await
    }

    async fn ask(&self, request: Request<Bytes>) -> Result<Response<Incoming>, String> {
        self.0.request(request.map(Full::from)).await.map_err(|error| chain(&error))
    }

    /// Reads JSON, or says why there is none.
    pub(crate) async fn get<T: DeserializeOwned>(&self, from: &Uri) -> Result<T, String> {
        let request = request(Method::GET, from).header(header::ACCEPT, "application/json");
        let request = request.body(Bytes::new()).map_err(|error| error.to_string())?;
        let answer = self.send(request).await?;
        if !answer.status().is_success() {
            return Err(format!("{from} answered {}", answer.status()));
        }
        serde_json::from_slice(answer.body())
            .map_err(|error| format!("{from} answered something else: {error}"))
    }
}

fn request(method: Method, uri: &Uri) -> http::request::Builder {
    let agent = concat!("adjourn/", env!("CARGO_PKG_VERSION"));
    Request::builder().method(method).uri(uri).header(header::USER_AGENT, agent)
}

async fn in_time<T>(asked: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let late = |_| Err(format!("no answer within {} s", PATIENCE.as_secs()));
    tokio::time::timeout(PATIENCE, asked).await.unwrap_or_else(late)
}
