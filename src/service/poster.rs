//! A POST to another program, over HTTPS, or over plain HTTP to this machine only.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Uri, header};
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use crate::peer::{client_config, is_this_machine};

/// How long one POST may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A way to one address.
pub struct Poster {
    uri: Uri,
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum PosterError {
    /// Not an address we would send anything to.
    #[error("`{0}` is not of the form https://host/path (http is for this machine only)")]
    Url(String),
    /// TLS would not start.
    #[error("TLS cannot be used: {0}")]
    Tls(#[from] rustls::Error),
}

impl Poster {
    /// To this address.
    ///
    /// # Errors
    /// When it is none, or would send what it says readable over the network.
    pub fn new(url: &str) -> Result<Self, PosterError> {
        let uri: Uri = url.parse().map_err(|_| PosterError::Url(url.to_owned()))?;
        match (uri.scheme_str(), uri.host()) {
            (Some("https"), _) => {}
            (Some("http"), Some(host)) if is_this_machine(host) => {}
            _ => return Err(PosterError::Url(url.to_owned())),
        }
        let config = client_config(Vec::new())?;
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(config).https_or_http().enable_http1().build();
        Ok(Self { uri, client: Client::builder(TokioExecutor::new()).build(connector) })
    }

    /// Sends JSON; the status of the answer, or why there is none.
    pub async fn post(&self, body: String, headers: &[(&'static str, String)]) -> Result<u16, String> {
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(&self.uri)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::USER_AGENT, concat!("adjourn/", env!("CARGO_PKG_VERSION")));
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let request = request.body(Full::from(body)).map_err(|error| error.to_string())?;
        match tokio::time::timeout(PATIENCE, self.client.request(request)).await {
            Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
            Ok(Err(error)) => Err(error.to_string()),
            // What is said besides the status is nothing to us.
            Ok(Ok(answer)) => Ok(answer.status().as_u16()),
        }
    }
}
