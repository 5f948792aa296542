//! A question to a server that is not EWS (a token endpoint, Autodiscover): one connection, one answer, within limits.
//! Follows no redirects and keeps no connection: these are asked a few times an hour.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::SendRequest;
use tokio::time::timeout;

use super::autodiscover as quest;
use super::delivery::{Failure, lets_in};
use super::dial::{Dialer, Line, Who};
use super::login::{Credential, Leg, Next, Silent};
use super::settings::Endpoint;
use super::transport::{LEGS_MAX, USER_AGENT};
use crate::clock::{Clock as _, SystemClock};
use crate::http_field::{challenges, retry_after};
use crate::peer::chain;

/// The largest answer that is read.
pub(super) const ANSWER_BYTES_MAX: usize = 1 << 20;

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

    /// What a quest wants asked; `None` when a header of it cannot be written.
    pub(super) fn of(wanted: &'a quest::Ask) -> Option<Self> {
        let headers = wanted.headers.iter().map(|(name, value)| {
            Some((HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_str(value).ok()?))
        });
        Some(Self {
            method: wanted.method.clone(),
            url: &wanted.url,
            headers: headers.collect::<Option<_>>()?,
            body: wanted.body.clone().into(),
        })
    }
}

impl Said {
    /// `Location`.
    pub(super) fn location(&self) -> Option<String> {
        Some(self.headers.get(header::LOCATION)?.to_str().ok()?.to_owned())
    }

    /// `Retry-After`, in any of its forms.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        retry_after(&self.headers, SystemClock.now())
    }
}

impl Asker {
    /// The answer to a question from nobody, or why there is none.
    pub(super) async fn ask(&self, ask: &Ask<'_>) -> Result<Said, String> {
        self.ask_as(ask, None).await.map_err(bare)
    }

    /// The answer to a question in somebody's name. A 401 that comes back is final.
    pub(super) async fn ask_as(&self, ask: &Ask<'_>, who: Option<&dyn Credential>) -> Result<Said, Failure> {
        let asked = async {
            match self.converse(ask, who).await? {
                Some(said) => Ok(said),
                None => self.converse(ask, who).await?.ok_or_else(endless),
            }
        };
        timeout(self.within, asked).await.map_err(|_| Failure::AnswerTimeout(self.within))?
    }

    /// All legs, on one connection; `None` when a new one is wanted.
    async fn converse(&self, ask: &Ask<'_>, who: Option<&dyn Credential>) -> Result<Option<Said>, Failure> {
        let endpoint = match (who, &ask.method) {
            (None, &Method::GET) => Endpoint::of_nobodys(ask.url),
            _ => Endpoint::parse(ask.url),
        };
        let endpoint = endpoint.map_err(|error| Failure::Connect(error.to_string()))?;
        let named = if who.is_some() { Who::Us } else { Who::Nobody };
        let Line { mut sender, certificate, .. } = self.dialer.dial::<Full<Bytes>>(&endpoint, named).await?;
        let mut dialogue = who.unwrap_or(&Silent).dialogue(certificate.as_deref());
        let mut leg = dialogue.begin().await?;
        for _ in 0..LEGS_MAX {
            sender.ready().await.map_err(|error| Failure::Broken(chain(&error)))?;
            let said = send(&mut sender, request(&endpoint, ask, &leg)?).await?;
            if said.status != StatusCode::UNAUTHORIZED.as_u16() {
                if lets_in(said.status, &said.headers) {
                    dialogue.accepted();
                }
                return Ok(Some(said));
            }
            let challenges = challenges(&said.headers, &header::WWW_AUTHENTICATE);
            let challenges: Vec<&str> = challenges.iter().map(String::as_str).collect();
            match dialogue.challenged(&challenges).await? {
                Next::Again(next) => leg = next,
                Next::Afresh => return Ok(None),
                Next::Refused(_) => return Ok(Some(said)),
            }
        }
        Err(endless())
    }
}

fn request(endpoint: &Endpoint, ask: &Ask<'_>, leg: &Leg) -> Result<Request<Full<Bytes>>, Failure> {
    let mut request = Request::builder()
        .method(ask.method.clone())
        .uri(&endpoint.target)
        .header(header::HOST, &endpoint.authority)
        .header(header::USER_AGENT, USER_AGENT);
    for (name, value) in &ask.headers {
        request = request.header(name, value);
    }
    if let Some(authorization) = &leg.authorization {
        request = request.header(header::AUTHORIZATION, authorization);
    }
    let body = if leg.body { ask.body.clone() } else { Bytes::new() };
    request.body(Full::new(body)).map_err(|error| Failure::Broken(error.to_string()))
}

async fn send(sender: &mut SendRequest<Full<Bytes>>, request: Request<Full<Bytes>>) -> Result<Said, Failure> {
    let response = sender.send_request(request).await.map_err(|error| Failure::Broken(chain(&error)))?;
    let (parts, body) = response.into_parts();
    let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
    let body = body.map_err(|error| Failure::Broken(error.to_string()))?.to_bytes();
    Ok(Said { status: parts.status.as_u16(), headers: parts.headers, body })
}

fn endless() -> Failure {
    Failure::Broken("authentication never came to an end".to_owned())
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
