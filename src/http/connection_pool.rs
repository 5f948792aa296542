//! HTTP/1.1 to one server with one credential: a request and its response over kept-alive connections, or a streamed
//! response on a connection of its own. Handles authentication rounds and deadlines; never interprets a body.
//!
//! This file decides the fate of a request: *not sent* until its first byte was handed to a connection; *maybe sent*
//! from then on, until the whole response has arrived. The one exception: hyper reports that a kept connection was
//! closed before it took the request.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
#[cfg(feature = "negotiate")]
use futures_util::FutureExt as _;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
#[cfg(feature = "negotiate")]
use http_body_util::Limited;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::answer_budget::AnswerBudget;
use super::auth::{AuthRound, AuthSession, ChallengeAction, Credential};
use super::delivery::{Delivery, HttpResponse};
use super::dialer::{ClientIdentity, Dialer};
use super::error::{TlsFailure, TransportError, error_chain};
use super::field::{challenges, list_contains};
use super::url::ConnectTarget;
use crate::before_send::{BeforeSend, Unconditional};

/// Authentication rounds of one request on one connection; NTLM needs two, three if the server forgot an earlier
/// sign-in.
const AUTH_ROUNDS_MAX: usize = 4;
/// New connections for one request: a second one after the sign-in on the first was rejected.
const NEW_CONNECTIONS_MAX: usize = 2;
/// Longest idle time of a connection, unless the server names less. IIS closes idle connections after 120 s, load
/// balancers after 60 s, and a write that races with the close is in doubt.
const IDLE_MAX: Duration = Duration::from_secs(50);
/// Margin before the server's own idle timeout, for the time that a request takes to arrive.
const IDLE_MARGIN: Duration = Duration::from_secs(1);
/// The largest ignored body whose connection is kept.
#[cfg(feature = "negotiate")]
const IGNORED_BYTES_MAX: usize = 64 << 10;
/// Wait for the reason why a connection was closed, after a lost response.
const CLOSE_REASON_WAIT: Duration = Duration::from_secs(1);
/// Identifies this client in servers' logs.
const USER_AGENT: HeaderValue = HeaderValue::from_static(concat!("adjourn/", env!("CARGO_PKG_VERSION")));

/// The connections to one server with one credential.
pub(crate) struct ConnectionPool {
    target: ConnectTarget,
    dialer: Arc<Dialer>,
    credential: Box<dyn Credential>,
    options: PoolOptions,
    idle: Mutex<Vec<IdleConnection>>,
}

/// How a pool's requests are sent, and its responses received.
pub(crate) struct PoolOptions {
    /// Which client certificate the handshake offers.
    pub(crate) identity: ClientIdentity,
    /// Longest wait for the first byte of a response.
    pub(crate) first_byte_timeout: Duration,
    /// Time limit of a complete response, counted from the request.
    pub(crate) response_timeout: Duration,
    /// Memory for the responses.
    pub(crate) answer_budget: AnswerBudget,
    /// Whether a compressed body is inflated; requests then accept gzip.
    pub(crate) inflate: bool,
    /// Whether only an authenticated client gets a response with this status and these headers.
    pub(crate) proves_authenticated: fn(u16, &HeaderMap) -> bool,
}

/// An idle connection, usable until a deadline.
struct IdleConnection {
    connection: AuthConnection,
    until: Instant,
}

/// A connection with its authentication state.
struct AuthConnection {
    sender: SendRequest<Full<Bytes>>,
    auth: Box<dyn AuthSession>,
    /// The error that ended it.
    closed: JoinHandle<Option<String>>,
}

/// A request as the pool sends it: `Host`, `User-Agent` and `Authorization` are added.
#[derive(Clone)]
pub(crate) struct HttpRequest {
    pub(crate) method: Method,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// A request, its path and query on the server, and what is asked before it leaves.
#[derive(Clone, Copy)]
struct Outgoing<'r> {
    path: &'r str,
    request: &'r HttpRequest,
    before: &'r dyn BeforeSend,
}

/// How the body of a response is received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BodyMode {
    Whole,
    /// Streamed while it arrives, if the status is 200.
    Streamed,
    /// Dropped: status and headers are the answer.
    #[cfg(feature = "negotiate")]
    Ignored,
}

/// Outcome of a request on one connection.
enum SendOutcome {
    /// The connection was closed before it took the request.
    NotSent(TransportError),
    /// The server did not execute the request; retry it on a new connection.
    Reconnect,
    Delivered(Delivery),
    /// The response body streams; it owns the connection.
    Streaming(StreamingBody),
}

/// A response body that is received while the server sends it.
pub(crate) struct StreamingBody {
    /// Headers of the response.
    pub(crate) headers: HeaderMap,
    incoming: Incoming,
    /// Closed when this is dropped.
    _connection: AuthConnection,
}

impl StreamingBody {
    /// The next bytes; `None` at the end.
    pub(crate) async fn next_chunk(&mut self) -> Result<Option<Bytes>, TransportError> {
        loop {
            let Some(frame) = self.incoming.frame().await else { return Ok(None) };
            let frame = frame.map_err(|error| TransportError::ConnectionLost(error_chain(&error)))?;
            if let Ok(data) = frame.into_data() {
                return Ok(Some(data));
            }
        }
    }
}

impl ConnectionPool {
    pub(crate) fn new(
        target: ConnectTarget,
        dialer: Arc<Dialer>,
        credential: Box<dyn Credential>,
        options: PoolOptions,
    ) -> Self {
        Self { target, dialer, credential, options, idle: Mutex::new(Vec::new()) }
    }

    /// Sends a request and waits for the complete response.
    #[cfg(feature = "negotiate")]
    pub(crate) async fn send(&self, request: &HttpRequest) -> Delivery {
        self.deliver(self.outgoing(request), BodyMode::Whole).await
    }

    /// Sends a request and waits for the complete response. Asks `before` right before the request's body leaves.
    pub(crate) async fn send_if(&self, before: &dyn BeforeSend, request: &HttpRequest) -> Delivery {
        self.deliver(Outgoing { before, ..self.outgoing(request) }, BodyMode::Whole).await
    }

    /// The same to another path of the server than the pool's own.
    pub(crate) async fn send_to_if(
        &self,
        path: &PathAndQuery,
        before: &dyn BeforeSend,
        request: &HttpRequest,
    ) -> Delivery {
        self.deliver(Outgoing { path: path.as_str(), request, before }, BodyMode::Whole).await
    }

    /// The same, without the response's body, of whatever length.
    #[cfg(feature = "negotiate")]
    pub(crate) async fn send_ignoring_body(&self, request: &HttpRequest) -> Delivery {
        self.deliver(self.outgoing(request), BodyMode::Ignored).await
    }

    /// The same as [`Self::send`] on a new connection, on which the server has to authenticate the account anew.
    pub(crate) async fn send_on_new_connection(&self, request: &HttpRequest) -> Delivery {
        self.deliver_fresh(self.outgoing(request), BodyMode::Whole).await
    }

    fn outgoing<'r>(&'r self, request: &'r HttpRequest) -> Outgoing<'r> {
        Outgoing { path: &self.target.target, request, before: &Unconditional }
    }

    async fn deliver(&self, request: Outgoing<'_>, mode: BodyMode) -> Delivery {
        while let Some(idle) = self.take_idle() {
            if let SendOutcome::Delivered(delivery) = self.authenticate_and_send(idle, request, mode).await {
                return delivery;
            }
        }
        self.deliver_fresh(request, mode).await
    }

    async fn deliver_fresh(&self, request: Outgoing<'_>, mode: BodyMode) -> Delivery {
        match self.send_fresh(request, mode).await {
            Err(delivery) => delivery,
            Ok(_) => Delivery::NotSent(too_many_rounds()),
        }
    }

    /// Sends a request with a streamed response, on a connection of its own. Fails with the delivery if the server did
    /// not begin to stream.
    pub(crate) async fn open_stream(&self, request: &HttpRequest) -> Result<StreamingBody, Delivery> {
        self.send_fresh(self.outgoing(request), BodyMode::Streamed).await
    }

    async fn send_fresh(&self, request: Outgoing<'_>, mode: BodyMode) -> Result<StreamingBody, Delivery> {
        for _ in 0..NEW_CONNECTIONS_MAX {
            let fresh = self.connect().await.map_err(Delivery::NotSent)?;
            match self.authenticate_and_send(fresh, request, mode).await {
                SendOutcome::Streaming(streaming) => return Ok(streaming),
                SendOutcome::Delivered(delivery) => return Err(delivery),
                SendOutcome::NotSent(failure) => return Err(Delivery::NotSent(failure)),
                SendOutcome::Reconnect => {}
            }
        }
        Err(Delivery::NotSent(too_many_rounds()))
    }

    /// All authentication rounds of one request, on one connection.
    async fn authenticate_and_send(
        &self,
        mut connection: AuthConnection,
        request: Outgoing<'_>,
        mode: BodyMode,
    ) -> SendOutcome {
        let mut round = match connection.auth.first_round().await {
            Ok(round) => round,
            Err(failure) => return SendOutcome::Delivered(Delivery::NotSent(failure)),
        };
        let mut sent_credentials = false;
        for _ in 0..AUTH_ROUNDS_MAX {
            if let Err(error) = connection.sender.ready().await {
                let lost = TransportError::ConnectionLost(error.to_string());
                return SendOutcome::NotSent(closing_error(&mut connection, lost).await);
            }
            if round.with_body && !request.before.may_send().await {
                return SendOutcome::Delivered(Delivery::NotSent(TransportError::TooLate));
            }
            sent_credentials |= round.authorization.is_some();
            let sent_at = Instant::now();
            let response = match self.send_round(&mut connection, request, &round).await {
                Err(sent) => return sent,
                Ok(response) => response,
            };
            if mode == BodyMode::Streamed && round.with_body && response.status() == StatusCode::OK {
                if (self.options.proves_authenticated)(response.status().as_u16(), response.headers()) {
                    connection.auth.on_accepted();
                }
                let (head, incoming) = response.into_parts();
                return SendOutcome::Streaming(StreamingBody {
                    headers: head.headers,
                    incoming,
                    _connection: connection,
                });
            }
            #[cfg(feature = "negotiate")]
            if mode == BodyMode::Ignored {
                return SendOutcome::Delivered(Delivery::Answered(self.drop_body(connection, response)));
            }
            let mut answer = match self.receive(response, sent_at).await {
                Err(failure) => return lost_after_send(&round, failure),
                Ok(answer) => HttpResponse { sent_credentials, ..answer },
            };
            if answer.status != StatusCode::UNAUTHORIZED {
                if (self.options.proves_authenticated)(answer.status, &answer.headers) {
                    connection.auth.on_accepted();
                }
                if !round.with_body && wants_body(answer.status) {
                    round = AuthRound { authorization: None, with_body: true };
                    continue;
                }
                self.return_idle(connection, &answer);
                return SendOutcome::Delivered(Delivery::Answered(answer));
            }
            let challenges = challenges(&answer.headers, &header::WWW_AUTHENTICATE);
            let challenges: Vec<&str> = challenges.iter().map(String::as_str).collect();
            match connection.auth.on_challenge(&challenges).await {
                Err(failure) => return SendOutcome::Delivered(Delivery::NotSent(failure)),
                Ok(ChallengeAction::Retry(next)) => round = next,
                Ok(ChallengeAction::Reconnect) => return SendOutcome::Reconnect,
                Ok(ChallengeAction::Reject(denied)) => {
                    answer.rejection = Some(denied);
                    return SendOutcome::Delivered(Delivery::Answered(answer));
                }
            }
        }
        SendOutcome::Delivered(Delivery::NotSent(too_many_rounds()))
    }

    async fn send_round(
        &self,
        connection: &mut AuthConnection,
        request: Outgoing<'_>,
        round: &AuthRound,
    ) -> Result<Response<Incoming>, SendOutcome> {
        let request = self.build_request(request, round).map_err(|error| {
            SendOutcome::Delivered(Delivery::NotSent(TransportError::ConnectionLost(format!(
                "the request has an invalid URL: {error}"
            ))))
        })?;
        let response = connection.sender.try_send_request(request);
        match timeout(self.options.first_byte_timeout, response).await {
            Err(_) => {
                Err(lost_after_send(round, TransportError::FirstByteTimeout(self.options.first_byte_timeout)))
            }
            Ok(Ok(response)) => Ok(response),
            Ok(Err(mut failed)) => {
                let untouched = failed.take_message().is_some();
                let failure = self.connection_error(failed.error());
                let failure = closing_error(connection, failure).await;
                Err(if untouched { SendOutcome::NotSent(failure) } else { lost_after_send(round, failure) })
            }
        }
    }

    /// The complete response, within the rest of its time.
    async fn receive(
        &self,
        response: Response<Incoming>,
        sent_at: Instant,
    ) -> Result<HttpResponse, TransportError> {
        let limit = self.options.response_timeout;
        let left = limit.saturating_sub(sent_at.elapsed());
        let received = timeout(left, self.read_response(response, Instant::now() + left)).await;
        received.unwrap_or(Err(TransportError::ResponseTimeout(limit)))
    }

    /// The response without its body. The connection is kept if the body has arrived already; nothing waits for it.
    #[cfg(feature = "negotiate")]
    fn drop_body(&self, connection: AuthConnection, response: Response<Incoming>) -> HttpResponse {
        let (head, body) = response.into_parts();
        let answer = HttpResponse {
            status: head.status.as_u16(),
            headers: head.headers,
            body: Bytes::new(),
            rejection: None,
            sent_credentials: false,
        };
        let received = Limited::new(body, IGNORED_BYTES_MAX).collect().now_or_never();
        if let Some(Ok(_)) = received {
            self.return_idle(connection, &answer);
        }
        answer
    }

    /// A TLS server answers plain HTTP with a TLS alert, which hyper cannot parse.
    fn connection_error(&self, error: &hyper::Error) -> TransportError {
        let why = error_chain(error);
        if error.is_parse() && !self.target.tls {
            TransportError::NotHttp(why)
        } else {
            TransportError::ConnectionLost(why)
        }
    }

    fn build_request(
        &self,
        Outgoing { path, request, .. }: Outgoing<'_>,
        round: &AuthRound,
    ) -> Result<Request<Full<Bytes>>, http::Error> {
        let body = if round.with_body { request.body.clone() } else { Bytes::new() };
        let mut built = Request::builder()
            .method(request.method.clone())
            .uri(path)
            .header(header::HOST, &self.target.authority)
            .header(header::USER_AGENT, USER_AGENT)
            .body(Full::new(body))?;
        let headers = built.headers_mut();
        headers.extend(request.headers.clone());
        if let Some(authorization) = &round.authorization {
            headers.insert(header::AUTHORIZATION, authorization.clone());
        }
        Ok(built)
    }

    /// Reads the body to its end within the limits, and inflates it.
    async fn read_response(
        &self,
        response: Response<Incoming>,
        until: Instant,
    ) -> Result<HttpResponse, TransportError> {
        let (parts, mut incoming) = response.into_parts();
        let mut body = self.options.answer_budget.start_body();
        while let Some(frame) = incoming.frame().await {
            let frame = frame.map_err(|error| TransportError::ConnectionLost(error_chain(&error)))?;
            if let Some(data) = frame.data_ref() {
                body.push(data, until).await?;
            }
        }
        // `x-gzip` means the same (RFC 9110, section 8.4.1.3).
        let zipped = self.options.inflate
            && ["gzip", "x-gzip"]
                .iter()
                .any(|name| list_contains(&parts.headers, &header::CONTENT_ENCODING, name));
        let body = if zipped { body.inflate(until).await? } else { body.finish() };
        Ok(HttpResponse {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body,
            rejection: None,
            sent_credentials: false,
        })
    }

    async fn connect(&self) -> Result<AuthConnection, TransportError> {
        let opened = self.dialer.dial(&self.target, self.options.identity).await?;
        let dialogue = self.credential.session(opened.certificate.as_deref());
        Ok(AuthConnection { sender: opened.sender, auth: dialogue, closed: opened.closed })
    }

    fn take_idle(&self) -> Option<AuthConnection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|idle| !idle.connection.sender.is_closed() && Instant::now() < idle.until);
        idle.pop().map(|idle| idle.connection)
    }

    fn return_idle(&self, connection: AuthConnection, answer: &HttpResponse) {
        let closing = list_contains(&answer.headers, &header::CONNECTION, "close");
        // A connection with an unfinished sign-in is not reused.
        if !closing && !connection.sender.is_closed() && connection.auth.is_reusable() {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            idle.push(IdleConnection { connection, until: Instant::now() + idle_for(&answer.headers) });
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

/// In TLS 1.3 a server reports only after the handshake that it requires another client certificate, possibly before the first
/// request; then the closed connection has the reason, or `failure` itself. Without one, the error is `failure`.
async fn closing_error(connection: &mut AuthConnection, failure: TransportError) -> TransportError {
    let reason = timeout(CLOSE_REASON_WAIT, &mut connection.closed).await.ok().and_then(Result::ok).flatten();
    let about_us = ["CertificateRequired", "BadCertificate", "UnknownCA", "CertificateUnknown"];
    let own = match &failure {
        TransportError::ConnectionLost(why) => Some(why.clone()),
        _ => None,
    };
    let mut reasons = reason.into_iter().chain(own);
    match reasons.find(|why| about_us.iter().any(|alert| why.contains(alert))) {
        Some(why) => TransportError::Tls(TlsFailure::ClientCertificate, why),
        None => failure,
    }
}

/// A request without its body cannot be executed.
fn lost_after_send(round: &AuthRound, failure: TransportError) -> SendOutcome {
    SendOutcome::Delivered(if round.with_body {
        Delivery::MaybeSent(failure)
    } else {
        Delivery::NotSent(failure)
    })
}

/// Whether this status answers a request without a body: the server authenticated the client at once and expects the
/// body.
fn wants_body(status: u16) -> bool {
    matches!(status, 200..=299 | 400 | 411 | 415 | 500)
}

fn too_many_rounds() -> TransportError {
    TransportError::ConnectionLost("authentication did not end within the allowed rounds".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_kept_no_longer_than_the_server_keeps_it() {
        let idle = |values: &[&'static str]| {
            let values =
                values.iter().map(|value| ("keep-alive".parse().unwrap(), HeaderValue::from_static(value)));
            idle_for(&values.collect())
        };
        assert_eq!(idle(&[]), IDLE_MAX);
        assert_eq!(idle(&["timeout=5, max=100"]), Duration::from_secs(4));
        assert_eq!(idle(&["max=100", "Timeout = \"5\""]), Duration::from_secs(4));
        assert_eq!(idle(&["timeout=0"]), Duration::ZERO);
        for long in ["timeout=3600", "timeout=99999999999999999999", "timeout=soon", "timeout"] {
            assert_eq!(idle(&[long]), IDLE_MAX, "{long}");
        }
    }
}
