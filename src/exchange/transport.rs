//! One request, one answer, over kept-alive connections; or an answer without end, on a connection of its own. Knows HTTP and
//! deadlines; never what the bytes mean.
//!
//! The fate of a request is told apart here, so the rule stands here: until the first byte of the request has been
//! handed to a connection it is *not sent*; from then on, until the whole answer is in, it is *maybe sent*. The one
//! exception is hyper's own word that a kept connection was closed before it took the request.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use tokio::time::{Instant, timeout};

use super::affinity::Affinity;
use super::answer_budget::AnswerBudget;
use super::delivery::{Delivery, Failure, HttpAnswer, lets_in};
use super::dial::{Dialer, Who};
use super::login::{Credential, Dialogue, Leg, Next};
use super::settings::{Endpoint, Settings, SettingsError};
use crate::http_field::{challenges, has_word};
use crate::peer::chain;

/// How many legs one request may take on one connection; NTLM needs two, after a forgotten sign-in three.
pub(super) const LEGS_MAX: usize = 4;
/// How many new connections one request may take: a second one when the first one's sign-in was refused.
const FRESH_MAX: usize = 2;
/// How long an idle connection is kept, unless the server names less. IIS closes idle connections after 120 s, load balancers
/// after 60 s, and a write that races with the close is in doubt.
const IDLE_MAX: Duration = Duration::from_secs(50);
/// Margin before the server's own idle timeout, for the time that a request is under way.
const IDLE_MARGIN: Duration = Duration::from_secs(1);
/// Names us in Exchange's logs.
pub(super) const USER_AGENT: HeaderValue =
    HeaderValue::from_static(concat!("adjourn/", env!("CARGO_PKG_VERSION")));

/// One server, one credential.
pub(super) struct Transport {
    endpoint: Endpoint,
    dialer: Arc<Dialer>,
    credential: Box<dyn Credential>,
    deadlines: Deadlines,
    answers: AnswerBudget,
    idle: Mutex<Vec<Idle>>,
}

/// An idle connection, and until when it may be used.
struct Idle {
    connection: Connection,
    until: Instant,
}

/// A connection, and what has been said of us on it.
struct Connection {
    sender: SendRequest<Full<Bytes>>,
    dialogue: Box<dyn Dialogue>,
}

#[derive(Debug, Clone, Copy)]
struct Deadlines {
    first_byte: Duration,
    answer: Duration,
}

/// A request as the transport sees it.
pub(super) struct Post<'a> {
    pub(super) soap_action: &'a str,
    /// `X-AnchorMailbox`: the impersonated room, so that Exchange routes to its server at once.
    pub(super) anchor: Option<&'a str>,
    /// `client-request-id`: our name for the request in Exchange's logs.
    pub(super) request_id: &'a str,
    /// To stay with the server that keeps what earlier requests began.
    pub(super) affinity: Option<&'a Affinity>,
    pub(super) body: Bytes,
}

/// How an answer is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Take {
    Whole,
    /// What the server has to say as it says it, if it says anything but no.
    AsItComes,
}

/// What one connection came to.
enum Sent {
    /// It was dead before the request was handed over.
    Unused(Failure),
    /// The request was not carried out; a new connection may have more luck.
    Afresh,
    Used(Delivery),
    /// The answer has begun, and the connection is its own.
    Begun(Begun),
}

/// An answer that has begun and does not end.
pub(super) struct Begun {
    /// What came before it.
    pub(super) headers: HeaderMap,
    incoming: Incoming,
    /// Closed with this.
    _connection: Connection,
}

impl Begun {
    /// More of it; `None` at its end.
    pub(super) async fn more(&mut self) -> Result<Option<Bytes>, Failure> {
        loop {
            let Some(frame) = self.incoming.frame().await else { return Ok(None) };
            let frame = frame.map_err(|error| Failure::Broken(chain(&error)))?;
            if let Ok(data) = frame.into_data() {
                return Ok(Some(data));
            }
        }
    }
}

impl Transport {
    pub(super) fn new(
        settings: &Settings,
        url: &str,
        dialer: Arc<Dialer>,
        credential: Box<dyn Credential>,
        answers: AnswerBudget,
    ) -> Result<Self, SettingsError> {
        Ok(Self {
            endpoint: Endpoint::parse(url)?,
            dialer,
            credential,
            deadlines: Deadlines { first_byte: settings.first_byte_timeout, answer: settings.answer_timeout },
            answers,
            idle: Mutex::new(Vec::new()),
        })
    }

    /// Sends a request and waits for the whole answer.
    pub(super) async fn post(&self, post: &Post<'_>) -> Delivery {
        while let Some(kept) = self.kept() {
            if let Sent::Used(delivery) = self.converse(kept, post, Take::Whole).await {
                return delivery;
            }
        }
        self.post_anew(post).await
    }

    /// The same on a new connection, on which the server has to check who we are.
    pub(super) async fn post_anew(&self, post: &Post<'_>) -> Delivery {
        match self.afresh(post, Take::Whole).await {
            Err(delivery) => delivery,
            Ok(_) => Delivery::NotSent(endless()),
        }
    }

    /// Sends a request whose answer does not end, on a connection that is used for nothing else. What it came to instead, if
    /// the server did not begin.
    pub(super) async fn listen(&self, post: &Post<'_>) -> Result<Begun, Delivery> {
        self.afresh(post, Take::AsItComes).await
    }

    async fn afresh(&self, post: &Post<'_>, take: Take) -> Result<Begun, Delivery> {
        for _ in 0..FRESH_MAX {
            let fresh = self.connect().await.map_err(Delivery::NotSent)?;
            match self.converse(fresh, post, take).await {
                Sent::Begun(begun) => return Ok(begun),
                Sent::Used(delivery) => return Err(delivery),
                Sent::Unused(failure) => return Err(Delivery::NotSent(failure)),
                Sent::Afresh => {}
            }
        }
        Err(Delivery::NotSent(endless()))
    }

    /// All legs of one request, on one connection.
    async fn converse(&self, mut connection: Connection, post: &Post<'_>, take: Take) -> Sent {
        let mut leg = match connection.dialogue.begin().await {
            Ok(leg) => leg,
            Err(failure) => return Sent::Used(Delivery::NotSent(failure)),
        };
        let mut said_who = false;
        for _ in 0..LEGS_MAX {
            if let Err(error) = connection.sender.ready().await {
                return Sent::Unused(Failure::Broken(error.to_string()));
            }
            said_who |= leg.authorization.is_some();
            let begun = Instant::now();
            let response = match self.leg(&mut connection.sender, post, &leg, take).await {
                Err(sent) => return sent,
                Ok(response) => response,
            };
            if take == Take::AsItComes && leg.body && response.status() == StatusCode::OK {
                if lets_in(response.status().as_u16(), response.headers()) {
                    connection.dialogue.accepted();
                }
                let (head, incoming) = response.into_parts();
                return Sent::Begun(Begun { headers: head.headers, incoming, _connection: connection });
            }
            let left = self.deadlines.answer.saturating_sub(begun.elapsed());
            let mut answer = match timeout(left, self.whole(response, Instant::now() + left)).await {
                Err(_) => return maybe(&leg, Failure::AnswerTimeout(self.deadlines.answer)),
                Ok(Err(failure)) => return maybe(&leg, failure),
                Ok(Ok(answer)) => answer,
            };
            answer.said_who = said_who;
            if answer.status != StatusCode::UNAUTHORIZED {
                if answer.lets_in() {
                    connection.dialogue.accepted();
                }
                if !leg.body && asks_for_the_body(answer.status) {
                    leg = Leg { authorization: None, body: true };
                    continue;
                }
                self.keep(connection, &answer);
                return Sent::Used(Delivery::Answered(answer));
            }
            let challenges = challenges(&answer.headers, &header::WWW_AUTHENTICATE);
            let challenges: Vec<&str> = challenges.iter().map(String::as_str).collect();
            match connection.dialogue.challenged(&challenges).await {
                Err(failure) => return Sent::Used(Delivery::NotSent(failure)),
                Ok(Next::Again(next)) => leg = next,
                Ok(Next::Afresh) => return Sent::Afresh,
                Ok(Next::Refused(denied)) => {
                    answer.denied = Some(denied);
                    return Sent::Used(Delivery::Answered(answer));
                }
            }
        }
        Sent::Used(Delivery::NotSent(endless()))
    }

    async fn leg(
        &self,
        sender: &mut SendRequest<Full<Bytes>>,
        post: &Post<'_>,
        leg: &Leg,
        take: Take,
    ) -> Result<Response<Incoming>, Sent> {
        let request = self.request(post, leg, take).map_err(|error| {
            Sent::Used(Delivery::NotSent(Failure::Broken(format!("the request cannot be written: {error}"))))
        })?;
        match timeout(self.deadlines.first_byte, sender.try_send_request(request)).await {
            Err(_) => Err(maybe(leg, Failure::FirstByteTimeout(self.deadlines.first_byte))),
            Ok(Ok(response)) => Ok(response),
            Ok(Err(mut failed)) => {
                let untouched = failed.take_message().is_some();
                let failure = self.broken(failed.error());
                Err(if untouched { Sent::Unused(failure) } else { maybe(leg, failure) })
            }
        }
    }

    /// A TLS server answers a plain HTTP request with a TLS alert, which is no HTTP.
    fn broken(&self, error: &hyper::Error) -> Failure {
        let why = chain(error);
        if error.is_parse() && !self.endpoint.tls { Failure::NotHttp(why) } else { Failure::Broken(why) }
    }

    fn request(&self, post: &Post<'_>, leg: &Leg, take: Take) -> Result<Request<Full<Bytes>>, http::Error> {
        let body = if leg.body { post.body.clone() } else { Bytes::new() };
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(&self.endpoint.target)
            .header(header::HOST, &self.endpoint.authority)
            .header(header::USER_AGENT, USER_AGENT)
            .header(header::CONTENT_TYPE, "text/xml; charset=utf-8")
            .header(header::ACCEPT, "text/xml")
            .header("SOAPAction", post.soap_action)
            .header("client-request-id", post.request_id)
            .header("return-client-request-id", "true");
        if take == Take::Whole {
            // What is packed comes when the packer thinks fit.
            request = request.header(header::ACCEPT_ENCODING, "gzip");
        }
        if let Some(affinity) = post.affinity {
            request = request.header("X-PreferServerAffinity", "true");
            if let Some(cookie) = affinity.cookie() {
                request = request.header(header::COOKIE, cookie);
            }
        }
        if let Some(anchor) = post.anchor {
            request = request.header("X-AnchorMailbox", anchor);
        }
        if let Some(authorization) = &leg.authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        request.body(Full::new(body))
    }

    /// Reads the body to its end, within the limit, and inflates it.
    async fn whole(&self, response: Response<Incoming>, until: Instant) -> Result<HttpAnswer, Failure> {
        let (parts, mut incoming) = response.into_parts();
        let mut body = self.answers.begin();
        while let Some(frame) = incoming.frame().await {
            let frame = frame.map_err(|error| Failure::Broken(chain(&error)))?;
            if let Some(data) = frame.data_ref() {
                body.push(data, until).await?;
            }
        }
        // `x-gzip` is the same (RFC 9110, section 8.4.1.3).
        let zipped =
            ["gzip", "x-gzip"].iter().any(|name| has_word(&parts.headers, &header::CONTENT_ENCODING, name));
        let body = if zipped { body.inflate(until).await? } else { body.finish() };
        Ok(HttpAnswer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body,
            denied: None,
            said_who: false,
        })
    }

    async fn connect(&self) -> Result<Connection, Failure> {
        let line = self.dialer.dial(&self.endpoint, Who::Us).await?;
        let dialogue = self.credential.dialogue(line.certificate.as_deref());
        Ok(Connection { sender: line.sender, dialogue })
    }

    fn kept(&self) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|idle| !idle.connection.sender.is_closed() && Instant::now() < idle.until);
        idle.pop().map(|idle| idle.connection)
    }

    fn keep(&self, connection: Connection, answer: &HttpAnswer) {
        let closing = has_word(&answer.headers, &header::CONNECTION, "close");
        // Half a sign-in is not taken up again.
        if !closing && !connection.sender.is_closed() && connection.dialogue.is_settled() {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            idle.push(Idle { connection, until: Instant::now() + idle_for(&answer.headers) });
        }
    }
}

/// How long the connection may stay idle: `timeout` of `Keep-Alive` (RFC 2068, section 19.7.1), within our own limit.
fn idle_for(headers: &HeaderMap) -> Duration {
    let values = headers.get_all("keep-alive").iter().filter_map(|value| value.to_str().ok());
    let parameters = values.flat_map(|value| value.split(',')).filter_map(|one| one.split_once('='));
    let mut timeouts = parameters.filter(|(name, _)| name.trim().eq_ignore_ascii_case("timeout"));
    let said = timeouts.find_map(|(_, value)| value.trim().trim_matches('"').parse().ok());
    said.map_or(IDLE_MAX, |seconds| Duration::from_secs(seconds).saturating_sub(IDLE_MARGIN)).min(IDLE_MAX)
}

/// Without its body, a request is none that could be carried out.
fn maybe(leg: &Leg, failure: Failure) -> Sent {
    Sent::Used(if leg.body { Delivery::MaybeSent(failure) } else { Delivery::NotSent(failure) })
}

/// Whether this answers a request without a body as such: the server let us in at once, and wants to know what for.
fn asks_for_the_body(status: u16) -> bool {
    matches!(status, 200..=299 | 400 | 411 | 415 | 500)
}

fn endless() -> Failure {
    Failure::Broken("authentication never came to an end".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_kept_no_longer_than_the_server_keeps_it() {
        let kept = |values: &[&'static str]| {
            let values =
                values.iter().map(|value| ("keep-alive".parse().unwrap(), HeaderValue::from_static(value)));
            idle_for(&values.collect())
        };
        assert_eq!(kept(&[]), IDLE_MAX);
        assert_eq!(kept(&["timeout=5, max=100"]), Duration::from_secs(4));
        assert_eq!(kept(&["max=100", "Timeout = \"5\""]), Duration::from_secs(4));
        assert_eq!(kept(&["timeout=0"]), Duration::ZERO);
        for long in ["timeout=3600", "timeout=99999999999999999999", "timeout=soon", "timeout"] {
            assert_eq!(kept(&[long]), IDLE_MAX, "{long}");
        }
    }
}
