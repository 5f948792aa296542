//! A question to a server that is not EWS (a token endpoint, Autodiscover): one connection, one answer, within limits.
//! Follows no redirects and keeps no connection: these are asked a few times an hour.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, header};
use http_body_util::{BodyExt as _, Full, Limited};
use tokio::time::timeout;

use super::delivery::Failure;
use super::dial::{Dialer, Line};
use super::settings::Endpoint;
use super::transport::USER_AGENT;
use crate::peer::chain;

/// The largest answer that is read.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// Asks.
#[derive(Clone)]
pub(super) struct Asker {
    pub(super) dialer: Arc<Dialer>,
    /// How long one question may take, connection included.
    pub(super) within: Duration,
}

/// One question.
pub(super) struct Ask<'a> {
    pub(super) method: Method,
    pub(super) url: &'a str,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) body: Bytes,
}

/// One answer.
#[derive(Debug, Clone)]
pub(super) struct Said {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl<'a> Ask<'a> {
    pub(super) fn post(url: &'a str, kind: &'static str, body: Bytes) -> Self {
        let headers = vec![(header::CONTENT_TYPE, HeaderValue::from_static(kind))];
        Self { method: Method::POST, url, headers, body }
    }
}

impl Said {
    /// `Retry-After` in whole seconds.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        let seconds = self.headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
        Some(Duration::from_secs(seconds))
    }
}

impl Asker {
    /// The answer, or why there is none.
    pub(super) async fn ask(&self, ask: &Ask<'_>) -> Result<Said, String> {
        let late = || format!("no answer within {} s", self.within.as_secs());
        timeout(self.within, self.converse(ask)).await.map_err(|_| late())?
    }

    async fn converse(&self, ask: &Ask<'_>) -> Result<Said, String> {
        let endpoint = Endpoint::parse(ask.url).map_err(|error| error.to_string())?;
        let mut request = Request::builder()
            .method(ask.method.clone())
            .uri(&endpoint.target)
            .header(header::HOST, &endpoint.authority)
            .header(header::USER_AGENT, USER_AGENT)
            .header(header::CONNECTION, "close");
        for (name, value) in &ask.headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(ask.body.clone())).map_err(|error| error.to_string())?;
        let Line { mut sender, .. } = self.dialer.dial::<Full<Bytes>>(&endpoint).await.map_err(bare)?;
        let response = sender.send_request(request).await.map_err(|error| chain(&error))?;
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await.map_err(|error| error.to_string())?;
        Ok(Said { status: parts.status.as_u16(), headers: parts.headers, body: body.to_bytes() })
    }
}

/// Not Exchange is meant here.
fn bare(failure: Failure) -> String {
    match failure {
        Failure::Resolve(why) => format!("the name has no address: {why}"),
        Failure::Connect(why) => format!("no connection: {why}"),
        Failure::Tls(trouble, why) => format!("{}: {why}", trouble.as_str()),
        Failure::ConnectTimeout(after) => format!("no connection within {after:?}"),
        other => other.to_string(),
    }
}
