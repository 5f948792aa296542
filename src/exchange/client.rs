//! Executes one EWS operation with its retries: authenticate, acquire a throttle permit, send, decode, decide. Decides
//! nothing about events.
//!
//! It retries only where the server cannot have executed anything: the server reported that it did nothing, the request
//! was not sent, or the operation is a read. A write in doubt is returned to the engine, which reads the mailbox.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::{HeaderMap, header};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout_at};
use tracing::Instrument as _;
use uuid::Uuid;

use super::affinity::Affinity;
use super::classify::{RetryDecision, classify};
use super::decode_limits::decode_limits;
use super::decode_stats::DecodeStats;
use super::endpoints::EndpointResolver;
use super::lockout::{AUTODISCOVER, LockoutGuard};
use super::request::EncodedRequest;
use super::resolve_error::ResolveError;
use super::response::{proves_authenticated, request_id};
use super::settings::{Access, ImpersonateBy, Settings};
use super::sign_in_attempt::SignInAttempt;
use super::throttle::{Throttle, back_off};
use super::version::NegotiatedVersions;
use crate::action::RequestIds;
use crate::calendar::RoomAddress;
use crate::clock::{Clock as _, SystemClock, WitnessedClock};
use crate::concurrency::{ConcurrencyLimit, call_when_slow};
use crate::engine::ErrorKind;
use crate::ews::codec::{DecodeLimits, Decoded, SoapBody, decode};
use crate::ews::op::{DistinguishedFolder, Effect, FolderId, Operation};
use crate::ews::soap::Impersonate;
use crate::http::answer_budget::AnswerBudget;
use crate::http::connection_pool::{ConnectionPool, StreamingBody};
use crate::http::delivery::Delivery;
use crate::http::error::TransportError;
use crate::http::field::parse_date;
use crate::http::settings::SettingsError;

/// Retries of a read, or of a request that was not sent.
const RETRIES_MAX: u32 = 3;
/// Delay before the first retry; doubles.
const RETRY_FIRST: Duration = Duration::from_millis(250);
/// Longest wait of a write for a permit or for a busy server. The engine decided it on a calendar that it read a moment
/// ago; after this time the engine decides again. Autodiscover is not counted: it runs once and can take longer.
const WRITE_WAIT_MAX: Duration = Duration::from_secs(2);
/// Streams that start at once: as many can be rejected together after a password change.
const STREAM_STARTS_MAX: usize = 2;
/// A stream that takes longer to start lets the next one begin: its server has not rejected the account.
const STREAM_START_SLOW_AFTER: Duration = Duration::from_secs(3);
/// A request that holds the sign-in lock lets the next one try when it has no response for so long: its mailbox may
/// hang …
const SIGN_IN_LOCK_MAX: Duration = Duration::from_secs(3);
/// … but only so many times at once, since each may turn out to be another attempt with a wrong password.
const SLOW_SIGN_INS_MAX: usize = 2;
/// Response code of a server that does not support the request's schema version.
const UNKNOWN_VERSION: &str = "ErrorInvalidServerVersion";
/// Response code while a mailbox is moved to another server.
const MOVING: &str = "ErrorMailboxMoveInProgress";

/// Why an operation has no result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestError {
    /// The server refused. Nothing was changed.
    Refused(ErrorKind, String),
    /// The server stayed busy until the operation timeout. Nothing was changed.
    Busy(String),
    /// No usable response after all retries. Nothing was changed.
    InvalidResponse(String),
    /// No connection to the server. Nothing was changed.
    Unreachable(TransportError),
    /// The server may have executed it.
    InDoubt(String),
}

/// Why a stream did not start, or ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StreamFailure {
    pub(super) error: RequestError,
    /// Wait that the server requested (`BackOffMilliseconds`, `Retry-After`).
    pub(super) retry_after: Option<Duration>,
}

impl From<ResolveError> for RequestError {
    fn from(error: ResolveError) -> Self {
        match error {
            ResolveError::Refused(kind, why) => Self::Refused(kind, why),
            ResolveError::Unavailable(failure) => Self::Unreachable(failure),
        }
    }
}

impl From<RequestError> for StreamFailure {
    fn from(failed: RequestError) -> Self {
        Self { error: failed, retry_after: None }
    }
}

impl From<RetryDecision> for StreamFailure {
    fn from(decision: RetryDecision) -> Self {
        let (failed, retry_after) = match decision {
            RetryDecision::Refused(kind, code) | RetryDecision::RetryOnce(kind, code) => {
                (RequestError::Refused(kind, code), None)
            }
            RetryDecision::Wait { at_least, code, .. } => (RequestError::Busy(code), at_least),
            RetryDecision::Retry { code } | RetryDecision::InDoubt { code } => {
                (RequestError::InvalidResponse(code), None)
            }
            RetryDecision::Done => (unexpected_body(Effect::Read), None),
        };
        Self { error: failed, retry_after }
    }
}

/// Client of one Exchange connection, for one service account.
pub(super) struct EwsClient {
    pub(super) endpoints: EndpointResolver,
    throttle: Throttle,
    limits: DecodeLimits,
    pub(super) answer_budget: AnswerBudget,
    access: Access,
    impersonate_by: ImpersonateBy,
    pub(super) versions: NegotiatedVersions,
    pub(super) lockout: Arc<LockoutGuard>,
    operation_timeout: Duration,
    pub(super) decode_stats: DecodeStats,
    throttled: AtomicU64,
    stream_starts: ConcurrencyLimit,
    /// Requests that released the sign-in lock and have no response yet.
    slow_sign_ins: Semaphore,
    /// Clock that the servers' `Date` headers are reported to.
    clock: OnceLock<Arc<WitnessedClock>>,
}

/// Outcome of one attempt.
enum AttemptOutcome<T> {
    Answer(T),
    Decision(RetryDecision),
    NotSent(TransportError),
}

impl EwsClient {
    pub(super) fn new(settings: &Settings) -> Result<Self, SettingsError> {
        let (limits, lockout) = (decode_limits(), Arc::new(LockoutGuard::default()));
        let answers = AnswerBudget::of_process();
        Ok(Self {
            endpoints: EndpointResolver::new(settings, answers.clone(), lockout.clone())?,
            answer_budget: answers,
            throttle: Throttle::new(
                settings.max_concurrent_requests_per_room,
                settings.max_concurrent_requests,
                settings.first_byte_timeout,
            ),
            limits,
            access: settings.access,
            impersonate_by: settings.impersonate_by,
            versions: NegotiatedVersions::new(settings.version),
            lockout,
            operation_timeout: settings.operation_timeout,
            decode_stats: DecodeStats::default(),
            throttled: AtomicU64::new(0),
            clock: OnceLock::new(),
            stream_starts: ConcurrencyLimit::new(STREAM_STARTS_MAX, STREAM_START_SLOW_AFTER),
            slow_sign_ins: Semaphore::new(SLOW_SIGN_INS_MAX),
        })
    }

    /// How the account gets access to rooms.
    pub(super) fn access(&self) -> Access {
        self.access
    }

    /// Id of a folder of the room: its own folder under impersonation, the named mailbox's with delegate access.
    pub(super) fn folder<'r>(&self, folder: DistinguishedFolder, room: &'r RoomAddress) -> FolderId<'r> {
        match self.access {
            Access::Impersonation => FolderId::Own(folder),
            Access::Delegate => FolderId::InMailbox(folder, room.as_str()),
        }
    }

    /// The `ExchangeImpersonation` header for this room; none with delegate access.
    pub(super) fn impersonation<'r>(&self, room: &'r str) -> Option<Impersonate<'r>> {
        match self.access {
            Access::Impersonation => Some(self.impersonate_by.name(room)),
            Access::Delegate => None,
        }
    }

    /// Resolves the EWS URL of the room's server, running Autodiscover on a cache miss.
    pub(super) async fn find_server(&self, room: &RoomAddress) -> Result<Option<String>, RequestError> {
        match self.endpoints.resolve(room.as_str()).await {
            Ok(_) => Ok(self.endpoints.cached_url(room)),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether this server accepted the account and has not rejected it since.
    pub(super) fn is_authenticated(&self, url: &str) -> bool {
        self.lockout.is_authenticated(url)
    }

    /// Build of the server that answered last.
    pub(super) fn build(&self) -> Option<String> {
        self.versions.build()
    }

    /// Number of responses that reported a busy server.
    pub(super) fn throttled(&self) -> u64 {
        self.throttled.load(Ordering::Relaxed)
    }

    /// Requests that wait for a throttle permit.
    pub(super) fn queued_requests(&self) -> usize {
        self.throttle.queued()
    }

    /// Executes an operation in the room's name. `read` extracts the result from the response's body, or returns the
    /// decision that one of its messages means for the whole request.
    pub(super) async fn execute<O, T, R>(&self, room: &str, op: &O, read: R) -> Result<T, RequestError>
    where
        O: Operation + Sync,
        T: Send,
        R: Fn(&SoapBody<'_>) -> Result<T, RetryDecision> + Send + Sync,
    {
        self.execute_traced(room, op, read, &mut Vec::new()).await
    }

    /// The same on the back end that holds the state of the group's earlier requests.
    pub(super) async fn execute_with_affinity<O, T, R>(
        &self,
        affinity: &Affinity,
        room: &str,
        op: &O,
        read: R,
    ) -> Result<T, RequestError>
    where
        O: Operation + Sync,
        T: Send,
        R: Fn(&SoapBody<'_>) -> Result<T, RetryDecision> + Send + Sync,
    {
        Box::pin(self.execute_with_retries(room, op, read, &mut Vec::new(), Some(affinity))).await
    }

    /// The same; `trail` receives the ids of every request that was sent.
    pub(super) async fn execute_traced<O, T, R>(
        &self,
        room: &str,
        op: &O,
        read: R,
        trail: &mut Vec<RequestIds>,
    ) -> Result<T, RequestError>
    where
        O: Operation + Sync,
        T: Send,
        R: Fn(&SoapBody<'_>) -> Result<T, RetryDecision> + Send + Sync,
    {
        Box::pin(self.execute_with_retries(room, op, read, trail, None)).await
    }

    /// The future takes tens of KiB, so callers box it: a request that waits elsewhere then takes none of it.
    async fn execute_with_retries<O, T, R>(
        &self,
        room: &str,
        op: &O,
        read: R,
        trail: &mut Vec<RequestIds>,
        affinity: Option<&Affinity>,
    ) -> Result<T, RequestError>
    where
        O: Operation + Sync,
        T: Send,
        R: Fn(&SoapBody<'_>) -> Result<T, RetryDecision> + Send + Sync,
    {
        let deadline = Instant::now() + self.operation_timeout;
        let mut send_by = match O::EFFECT {
            Effect::Read => deadline,
            Effect::Write => deadline.min(Instant::now() + WRITE_WAIT_MAX),
        };
        let (mut attempt, mut moved) = (0, false);
        let mut last_error = RequestError::Busy(String::from("waiting for a request slot"));
        let mut sign_in_lock = None;
        loop {
            let server = self.endpoints.server_key(room);
            // Take the sign-in lock before a throttle permit; the reverse order deadlocks: requests that hold permits
            // would wait for the request that holds the lock, which waits for a permit. While the server is unknown,
            // Autodiscover asks the lockout guard itself before it sends credentials.
            if sign_in_lock.is_none() && server != AUTODISCOVER {
                sign_in_lock = match timeout_at(send_by, self.lockout.admit_room(&server, room)).await {
                    Ok(Ok(lock)) => lock,
                    Ok(Err((kind, code))) => return Err(RequestError::Refused(kind, code)),
                    Err(_) => return Err(last_error),
                };
            }
            let resolve_began = Instant::now();
            let resolved = match timeout_at(deadline, self.endpoints.resolve(room)).await {
                Err(_) => {
                    return Err(RequestError::Busy(String::from(
                        "finding the room's server by Autodiscover",
                    )));
                }
                Ok(Ok(transport)) => Ok(transport),
                Ok(Err(ResolveError::Unavailable(failure))) => Err(failure),
                Ok(Err(error)) => return Err(error.into()),
            };
            send_by = deadline.min(send_by + resolve_began.elapsed());
            if resolved.is_ok() && self.endpoints.server_key(room) != server {
                sign_in_lock = None;
                continue; // the server was found just now; its sign-in state is another one
            }
            let Some(mut permit) = self.throttle.acquire(room, send_by).await else { return Err(last_error) };
            if sign_in_lock.is_none() && server != AUTODISCOVER && !self.lockout.is_authenticated(&server) {
                continue; // another request was rejected while this one waited
            }
            let began = Instant::now();
            if sign_in_lock.is_some()
                && let Ok(transport) = &resolved
            {
                let next = SignInAttempt { transport, server: &server, room, began };
                Box::pin(self.probe_before_sign_in(&next))
                    .await
                    .map_err(|(kind, code)| RequestError::Refused(kind, code))?;
            }
            let version = self.versions.for_room(room);
            let outcome = match &resolved {
                Ok(transport) => {
                    let request = EncodedRequest::new(self.impersonation(room), room, op, version, affinity);
                    let response = self.attempt(transport, &server, &request, &read, trail);
                    // A mailbox that hangs must not keep other requests from signing in.
                    let mut slow_slot = None;
                    let release_lock = || {
                        slow_slot = self.slow_sign_ins.try_acquire().ok();
                        if slow_slot.is_some() {
                            sign_in_lock = None;
                        }
                    };
                    call_when_slow(SIGN_IN_LOCK_MAX, permit.run(response), release_lock).await
                }
                Err(failure) => AttemptOutcome::NotSent(failure.clone()),
            };
            self.record_auth_result(&server, &outcome);
            if !matches!(
                outcome,
                AttemptOutcome::NotSent(_)
                    | AttemptOutcome::Decision(RetryDecision::Retry { .. } | RetryDecision::InDoubt { .. })
            ) {
                permit.mark_answered();
            }
            drop(permit);
            if let AttemptOutcome::Decision(
                RetryDecision::RetryOnce(kind, code)
                | RetryDecision::Refused(kind @ ErrorKind::Account, code),
            ) = &outcome
                && kind.is_account_rejection()
                && let Ok(transport) = &resolved
            {
                let is_final = *kind == ErrorKind::Account || attempt >= 1;
                if is_final || !self.lockout.may_retry(&server, room) {
                    let rejected = SignInAttempt { transport, server: &server, room, began };
                    let (kind, code) = Box::pin(self.record_rejection(&rejected, *kind, code.clone())).await;
                    return Err(RequestError::Refused(kind, code));
                }
                self.mark_suspect(&server, *kind);
            } else {
                // Hold the sign-in lock across the one retry after a 401: no other request is sent before it.
                sign_in_lock = None;
            }
            match outcome {
                AttemptOutcome::Answer(value) => return Ok(value),
                AttemptOutcome::NotSent(TransportError::SignIn {
                    is_permanent: true, reason: why, ..
                }) => {
                    return Err(RequestError::Refused(ErrorKind::SignIn, why));
                }
                AttemptOutcome::NotSent(failure) if attempt >= RETRIES_MAX => {
                    return Err(RequestError::Unreachable(failure));
                }
                AttemptOutcome::NotSent(failure) => {
                    last_error = RequestError::Unreachable(failure);
                    sleep(retry_delay(attempt)).await;
                }
                AttemptOutcome::Decision(RetryDecision::Wait { at_least, reduce_concurrency, code }) => {
                    self.throttled.fetch_add(1, Ordering::Relaxed);
                    if reduce_concurrency {
                        self.throttle.halve_limit();
                    }
                    self.throttle.pause_room(room, back_off(at_least, attempt, jitter()));
                    last_error = RequestError::Busy(code);
                    if op.creates_item() {
                        // A second new item would not conflict with the first, so the engine reads the calendar before.
                        return Err(last_error);
                    }
                }
                // The server rejected the request before executing it, so a write is retried too. Ends with the oldest
                // version.
                AttemptOutcome::Decision(RetryDecision::Refused(ErrorKind::Version, code))
                    if code == UNKNOWN_VERSION && self.versions.downgrade(room, version) =>
                {
                    continue;
                }
                AttemptOutcome::Decision(RetryDecision::Retry { code }) if attempt >= RETRIES_MAX => {
                    return Err(RequestError::InvalidResponse(code));
                }
                AttemptOutcome::Decision(RetryDecision::RetryOnce(kind, code)) if attempt >= 1 => {
                    return Err(RequestError::Refused(kind, code));
                }
                AttemptOutcome::Decision(
                    RetryDecision::Retry { code } | RetryDecision::RetryOnce(_, code),
                ) => {
                    if code == MOVING {
                        self.endpoints.invalidate(room);
                    }
                    sleep(retry_delay(attempt)).await
                }
                // The mailbox moved and nothing was done there: resolve its server anew, once.
                AttemptOutcome::Decision(RetryDecision::Refused(
                    kind @ (ErrorKind::WrongProtocol | ErrorKind::NoMailbox | ErrorKind::WrongServer),
                    _,
                )) if !(moved || op.creates_item() && kind == ErrorKind::WrongProtocol)
                    && self.endpoints.invalidate(room) =>
                {
                    moved = true;
                    continue;
                }
                AttemptOutcome::Decision(RetryDecision::Refused(kind, code)) => {
                    return Err(RequestError::Refused(kind, code));
                }
                AttemptOutcome::Decision(RetryDecision::InDoubt { code }) => {
                    return Err(RequestError::InDoubt(code));
                }
                AttemptOutcome::Decision(RetryDecision::Done) => return Err(unexpected_body(O::EFFECT)),
            }
            attempt += 1;
        }
    }

    /// Opens a stream, once, without a throttle permit: it does not count among the concurrent requests.
    pub(super) async fn open_stream<O>(
        &self,
        affinity: &Affinity,
        op: &O,
    ) -> Result<StreamingBody, StreamFailure>
    where
        O: Operation + Sync,
    {
        self.stream_starts.run(self.start_stream(affinity, op)).await
    }

    async fn start_stream<O>(&self, affinity: &Affinity, op: &O) -> Result<StreamingBody, StreamFailure>
    where
        O: Operation + Sync,
    {
        let room = affinity.anchor().as_str();
        let server = self.endpoints.server_key(room);
        if !self.lockout.is_authenticated(&server) {
            return Err(RequestError::Busy(String::from("signing in")).into());
        }
        self.lockout.check_room(&server, room).map_err(|(kind, code)| RequestError::Refused(kind, code))?;
        let transport = match self.endpoints.resolve(room).await {
            Ok(transport) => transport,
            Err(error) => return Err(RequestError::from(error).into()),
        };
        let request = EncodedRequest::new(
            self.impersonation(room),
            room,
            op,
            self.versions.for_room(room),
            Some(affinity),
        );
        let http_request = request.stream_request().map_err(RequestError::Unreachable)?;
        match transport.open_stream(&http_request).instrument(request.span()).await {
            Ok(body) => {
                affinity.learn(&body.headers, SystemClock.now());
                Ok(body)
            }
            Err(Delivery::NotSent(TransportError::SignIn { is_permanent: true, reason: why, .. })) => {
                self.lockout.record_failure(&server, ErrorKind::SignIn, &why);
                Err(RequestError::Refused(ErrorKind::SignIn, why).into())
            }
            Err(Delivery::NotSent(failure) | Delivery::MaybeSent(failure)) => {
                Err(RequestError::Unreachable(failure).into())
            }
            Err(Delivery::Answered(answer)) => {
                let decision = classify(Effect::Read, &answer, &decode(&answer.body, &self.limits));
                if let RetryDecision::RetryOnce(kind, _) = &decision
                    && kind.is_auth_rejection()
                {
                    self.mark_suspect(&server, *kind); // the next request signs in alone
                }
                Err(decision.into())
            }
        }
    }

    /// After the first rejection one request signs in alone before others are sent. Rejected tokens lock no account, so
    /// a rejected token stops no other request.
    fn mark_suspect(&self, server: &str, kind: ErrorKind) {
        if kind != ErrorKind::Token {
            self.lockout.mark_suspect(server);
        }
    }

    /// Records results that reject the account by themselves.
    fn record_auth_result<T>(&self, server: &str, outcome: &AttemptOutcome<T>) {
        match outcome {
            // A KDC rejected the password, or a token endpoint rejected the application.
            AttemptOutcome::NotSent(TransportError::SignIn { is_permanent: true, reason: why, .. }) => {
                self.lockout.record_failure(server, ErrorKind::SignIn, why)
            }
            AttemptOutcome::Answer(_) | AttemptOutcome::Decision(_) | AttemptOutcome::NotSent(_) => {}
        }
    }

    async fn attempt<T, R>(
        &self,
        transport: &ConnectionPool,
        server: &str,
        request: &EncodedRequest<'_>,
        read: &R,
        trail: &mut Vec<RequestIds>,
    ) -> AttemptOutcome<T>
    where
        R: Fn(&SoapBody<'_>) -> Result<T, RetryDecision>,
    {
        let effect = request.effect;
        let began = Instant::now();
        let delivery = match request.http_request() {
            Ok(http_request) => transport.send(&http_request).instrument(request.span()).await,
            Err(error) => Delivery::NotSent(error),
        };
        let theirs = match &delivery {
            Delivery::NotSent(_) | Delivery::MaybeSent(_) => None,
            Delivery::Answered(answer) => request_id(answer).map(str::to_owned),
        };
        if !matches!(delivery, Delivery::NotSent(_)) {
            trail.push(RequestIds { ours: request.request_id.clone(), theirs });
        }
        match delivery {
            Delivery::NotSent(failure) => AttemptOutcome::NotSent(failure),
            Delivery::MaybeSent(failure) => AttemptOutcome::Decision(lost_response(effect, &failure)),
            Delivery::Answered(answer) => {
                let decoded = decode(&answer.body, &self.limits);
                let decision = classify(effect, &answer, &decoded);
                if proves_authenticated(answer.status, &answer.headers)
                    && !matches!(decision, RetryDecision::Refused(ErrorKind::Account, _))
                {
                    self.lockout.record_room_success(server, request.room, began, answer.sent_credentials);
                    self.record_server_time(server, &answer.headers);
                }
                if let Some(affinity) = request.affinity {
                    affinity.learn(&answer.headers, SystemClock.now());
                }
                match decision {
                    RetryDecision::Done => {}
                    // Only Exchange's own fault proves that no item was created: an HTML page may come from a proxy
                    // that had passed the request on.
                    RetryDecision::Wait { code, .. } | RetryDecision::RetryOnce(_, code)
                        if request.makes_new && decoded.is_err() =>
                    {
                        return AttemptOutcome::Decision(RetryDecision::InDoubt { code });
                    }
                    decision => return AttemptOutcome::Decision(decision),
                }
                let Ok(decoded) = decoded else {
                    return AttemptOutcome::Decision(lost_response(effect, &TransportError::InvalidGzip));
                };
                self.versions.observe(request.room, request.version, decoded.envelope.server.as_ref());
                self.read_body(&decoded, read)
            }
        }
    }

    /// Reports the servers' `Date` headers to this clock. The first call counts.
    pub(super) fn report_time_to(&self, clock: Arc<WitnessedClock>) {
        let _ = self.clock.set(clock);
    }

    fn record_server_time(&self, server: &str, headers: &HeaderMap) {
        if let Some(clock) = self.clock.get() {
            let date = headers.get(header::DATE).and_then(|date| date.to_str().ok());
            clock.record_answer(server, date.and_then(|date| parse_date(date, SystemClock.now())));
        }
    }

    fn read_body<T, R>(&self, decoded: &Decoded<'_>, read: &R) -> AttemptOutcome<T>
    where
        R: Fn(&SoapBody<'_>) -> Result<T, RetryDecision>,
    {
        self.decode_stats.count(decoded.path);
        match read(&decoded.envelope.body) {
            Err(decision) => AttemptOutcome::Decision(decision),
            Ok(value) => {
                self.throttle.record_success();
                AttemptOutcome::Answer(value)
            }
        }
    }
}

/// The response belongs to another operation.
fn unexpected_body(effect: Effect) -> RequestError {
    let code = "a response to another operation".to_owned();
    match effect {
        Effect::Read => RequestError::Refused(ErrorKind::WrongProtocol, code),
        Effect::Write => RequestError::InDoubt(code),
    }
}

fn lost_response(effect: Effect, failure: &TransportError) -> RetryDecision {
    let code = failure.describe("Exchange");
    match effect {
        Effect::Read => RetryDecision::Retry { code },
        Effect::Write => RetryDecision::InDoubt { code },
    }
}

fn retry_delay(attempt: u32) -> Duration {
    RETRY_FIRST.saturating_mul(1 << attempt.min(8)).mul_f64(1.0 + jitter() / 4.0)
}

/// Random number between 0 and 1, from the same source as the request ids.
fn jitter() -> f64 {
    let (_, low) = Uuid::new_v4().as_u64_pair();
    f64::from((low & 0xFFFF) as u16) / f64::from(u16::MAX)
}
