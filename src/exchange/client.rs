//! Executes one EWS operation with its retries: admit (`admission.rs`), attempt, decide (`decide.rs`, pure). Decides nothing
//! about events.
//!
//! It retries only where the server cannot have executed anything: the server reported that it did nothing, the request
//! was not sent, or the operation is a read. A write in doubt is returned to the engine, which reads the mailbox.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::HeaderMap;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};
use tracing::Instrument as _;

use super::affinity::Affinity;
use super::classify::{RetryDecision, classify};
use super::decide::{Next, Unfinished, decide, unexpected_body};
use super::decode_limits::decode_limits;
use super::decode_stats::DecodeStats;
use super::endpoints::EndpointResolver;
use super::lockout::LockoutGuard;
use super::progress::{AdmittedRequest, FoundServer, OperationProgress};
use super::request::EncodedRequest;
use super::request_error::RequestError;
use super::response::{proves_authenticated, request_id};
use super::server_state::{ServerKey, ServerStates};
use super::settings::{Access, ImpersonateBy, Settings};
use super::sign_in_attempt::SignInAttempt;
use super::version::NegotiatedVersions;
use crate::action::RequestIds;
use crate::calendar::RoomAddress;
use crate::clock::{Clock as _, SystemClock, WitnessedClock};
use crate::concurrency::{ConcurrencyLimit, call_when_slow};
use crate::engine::{ErrorKind, Trail};
use crate::ews::codec::{DecodeLimits, Decoded, SoapBody, decode};
use crate::ews::op::{DistinguishedFolder, Effect, FolderId, Operation};
use crate::ews::soap::{Impersonate, ServerVersion};
use crate::http::answer_budget::AnswerBudget;
use crate::http::connection_pool::{ConnectionPool, StreamingBody};
use crate::http::delivery::Delivery;
use crate::http::error::TransportError;
use crate::http::field::response_date;
use crate::http::settings::SettingsError;
use crate::throttle::{RoomState, RoomStates, Throttle, back_off, retry_delay};

/// Streams that start at once: as many can be rejected together after a password change.
const STREAM_STARTS_MAX: usize = 2;
/// A stream that takes longer to start lets the next one begin: its server has not rejected the account.
const STREAM_START_SLOW_AFTER: Duration = Duration::from_secs(3);
/// A request that holds the sign-in lock lets the next one try when it has no response for so long: its mailbox may
/// hang …
const SIGN_IN_LOCK_MAX: Duration = Duration::from_secs(3);
/// … but only so many times at once, since each may turn out to be another attempt with a wrong password.
const SLOW_SIGN_INS_MAX: usize = 2;

/// Why a stream did not start, or ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StreamFailure {
    pub(super) error: RequestError,
    /// Wait that the server requested (`BackOffMilliseconds`, `Retry-After`).
    pub(super) retry_after: Option<Duration>,
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
    pub(super) servers: ServerStates,
    pub(super) rooms: RoomStates,
    pub(super) throttle: Throttle,
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
    Unfinished(Unfinished),
}

impl<T> AttemptOutcome<T> {
    fn decision(decision: RetryDecision) -> Self {
        Self::Unfinished(Unfinished::Decision(decision))
    }

    /// Whether the server returned a response that can be used: its mailbox does not hang.
    fn is_answered(&self) -> bool {
        match self {
            Self::Answer(_) => true,
            Self::Unfinished(Unfinished::NotSent(_)) => false,
            Self::Unfinished(Unfinished::Decision(decision)) => {
                !matches!(decision, RetryDecision::Retry { .. } | RetryDecision::InDoubt { .. })
            }
        }
    }

    /// The server's rejection of the account, if the response is one.
    fn rejection(&self) -> Option<(ErrorKind, &str)> {
        match self {
            Self::Unfinished(Unfinished::Decision(
                RetryDecision::RetryOnce(kind, code)
                | RetryDecision::Refused(kind @ ErrorKind::Account, code),
            )) if kind.is_account_rejection() => Some((*kind, code)),
            _ => None,
        }
    }
}

impl EwsClient {
    pub(super) fn new(settings: &Settings) -> Result<Self, SettingsError> {
        let (limits, servers) = (decode_limits(), ServerStates::default());
        let lockout = Arc::new(LockoutGuard::new(servers.clone()));
        let answers = AnswerBudget::of_process();
        Ok(Self {
            endpoints: EndpointResolver::new(settings, answers.clone(), servers.clone(), lockout.clone())?,
            servers,
            answer_budget: answers,
            rooms: RoomStates::new(settings.max_concurrent_requests_per_room),
            throttle: Throttle::new(settings.max_concurrent_requests, settings.first_byte_timeout),
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
    pub(super) fn impersonation<'r>(&self, room: &'r RoomAddress) -> Option<Impersonate<'r>> {
        match self.access {
            Access::Impersonation => Some(self.impersonate_by.name(room.as_str())),
            Access::Delegate => None,
        }
    }

    /// Resolves the room's server, running Autodiscover on a cache miss.
    pub(super) async fn find_server(&self, room: &RoomAddress) -> Result<ServerKey, RequestError> {
        match self.endpoints.resolve(room).await {
            Ok(_) => Ok(self.endpoints.server_key(room)),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether this server accepted the account and has not rejected it since.
    pub(super) fn is_authenticated(&self, server: &ServerKey) -> bool {
        self.lockout.is_authenticated(server)
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
    pub(super) async fn execute<O, T, R>(
        &self,
        room: &RoomAddress,
        op: &O,
        read: R,
    ) -> Result<T, RequestError>
    where
        O: Operation + Sync,
        T: Send,
        R: Fn(&SoapBody<'_>) -> Result<T, RetryDecision> + Send + Sync,
    {
        self.execute_traced(room, op, read, &mut Trail::default()).await
    }

    /// The same on the back end that holds the state of the group's earlier requests.
    pub(super) async fn execute_with_affinity<O, T, R>(
        &self,
        affinity: &Affinity,
        room: &RoomAddress,
        op: &O,
        read: R,
    ) -> Result<T, RequestError>
    where
        O: Operation + Sync,
        T: Send,
        R: Fn(&SoapBody<'_>) -> Result<T, RetryDecision> + Send + Sync,
    {
        Box::pin(self.execute_with_retries(room, op, read, &mut Trail::default(), Some(affinity))).await
    }

    /// The same; `trail` is asked before each request leaves, and receives its ids.
    pub(super) async fn execute_traced<O, T, R>(
        &self,
        room: &RoomAddress,
        op: &O,
        read: R,
        trail: &mut Trail<'_>,
    ) -> Result<T, RequestError>
    where
        O: Operation + Sync,
        T: Send,
        R: Fn(&SoapBody<'_>) -> Result<T, RetryDecision> + Send + Sync,
    {
        Box::pin(self.execute_with_retries(room, op, read, trail, None)).await
    }

    /// Admit, attempt, decide, until there is a result. The future takes tens of KiB, so callers box it: a request that waits
    /// elsewhere then takes none of it.
    async fn execute_with_retries<O, T, R>(
        &self,
        room: &RoomAddress,
        op: &O,
        read: R,
        trail: &mut Trail<'_>,
        affinity: Option<&Affinity>,
    ) -> Result<T, RequestError>
    where
        O: Operation + Sync,
        T: Send,
        R: Fn(&SoapBody<'_>) -> Result<T, RetryDecision> + Send + Sync,
    {
        let mut progress = OperationProgress::new(op, self.rooms.of(room), self.operation_timeout);
        loop {
            let admission = self.admit(room, &mut progress).await?;
            let version = self.versions.for_room(&progress.room);
            let request = EncodedRequest::new(self.impersonation(room), room, op, version, affinity);
            let outcome = self.attempt_admitted(admission, &request, &read, trail, &mut progress).await?;
            match outcome {
                AttemptOutcome::Answer(value) => return Ok(value),
                AttemptOutcome::Unfinished(outcome) => {
                    let next = decide(progress.retry, outcome);
                    self.follow(next, room, version, &mut progress).await?;
                }
            }
        }
    }

    /// Sends an admitted request, and records what its response proves about the account and the server. An account that the
    /// server rejects finally is an error.
    async fn attempt_admitted<T, R>(
        &self,
        admission: AdmittedRequest,
        request: &EncodedRequest<'_>,
        read: &R,
        trail: &mut Trail<'_>,
        progress: &mut OperationProgress,
    ) -> Result<AttemptOutcome<T>, RequestError>
    where
        T: Send,
        R: Fn(&SoapBody<'_>) -> Result<T, RetryDecision> + Sync,
    {
        let AdmittedRequest { server, found, mut permit, began } = admission;
        let outcome = match &found {
            FoundServer::Unavailable(error) => AttemptOutcome::Unfinished(Unfinished::NotSent(error.clone())),
            FoundServer::Connections(connections) => {
                let room = progress.room.clone();
                let response = self.attempt(connections, &server, request, read, trail, &room);
                // A mailbox that hangs must not keep other requests from signing in.
                let mut slow_slot = None;
                let release_lock = || {
                    slow_slot = self.slow_sign_ins.try_acquire().ok();
                    if slow_slot.is_some() {
                        progress.sign_in_lock = None;
                    }
                };
                call_when_slow(SIGN_IN_LOCK_MAX, permit.run(response), release_lock).await
            }
        };
        self.record_auth_result(&server, &outcome);
        if outcome.is_answered() {
            permit.mark_answered();
        }
        drop(permit);
        match (outcome.rejection(), &found) {
            (Some((kind, code)), FoundServer::Connections(transport)) => {
                let attempt =
                    SignInAttempt { transport, server: &server, room: request.room.as_str(), began };
                self.handle_rejection(&attempt, kind, code, progress.retry.attempt).await?;
            }
            // The sign-in lock is held across the one retry after a 401: no other request is sent before it.
            _ => progress.sign_in_lock = None,
        }
        Ok(outcome)
    }

    /// Records a rejection of the account: after the first one the request is sent once more, alone.
    async fn handle_rejection(
        &self,
        rejected: &SignInAttempt<'_>,
        kind: ErrorKind,
        code: &str,
        attempt: u32,
    ) -> Result<(), RequestError> {
        let is_final = kind == ErrorKind::Account || attempt >= 1;
        if is_final || !self.lockout.may_retry(rejected.server, rejected.room) {
            let (kind, code) = Box::pin(self.record_rejection(rejected, kind, code.to_owned())).await;
            return Err(RequestError::Refused(kind, code));
        }
        self.mark_suspect(rejected.server, kind);
        Ok(())
    }

    /// Prepares the next attempt, or fails.
    async fn follow(
        &self,
        next: Next,
        room: &RoomAddress,
        version: ServerVersion,
        progress: &mut OperationProgress,
    ) -> Result<(), RequestError> {
        match next {
            Next::Fail(error) => return Err(error),
            Next::Downgrade { or_fail } => {
                let room = (room, &*progress.room);
                return self.versions.downgrade(room, version).then_some(()).ok_or(or_fail);
            }
            Next::Rediscover { or_fail } => {
                progress.retry.was_rediscovered = true;
                return self.endpoints.invalidate(room).then_some(()).ok_or(or_fail);
            }
            Next::PauseAndFail { at_least, reduce_concurrency, error } => {
                self.pause(progress, at_least, reduce_concurrency);
                return Err(error);
            }
            Next::Pause { at_least, reduce_concurrency, last } => {
                self.pause(progress, at_least, reduce_concurrency);
                progress.last_error = last;
            }
            Next::Delay { last, rediscover } => {
                if rediscover {
                    self.endpoints.invalidate(room);
                }
                if let Some(last) = last {
                    progress.last_error = last;
                }
                sleep(retry_delay(progress.retry.attempt)).await;
            }
        }
        progress.retry.attempt += 1;
        Ok(())
    }

    /// Sends nothing for this room for a while, after its server reported that it is busy.
    fn pause(&self, progress: &OperationProgress, at_least: Option<Duration>, reduce_concurrency: bool) {
        self.throttled.fetch_add(1, Ordering::Relaxed);
        if reduce_concurrency {
            self.throttle.halve_limit();
        }
        progress.room.pause(back_off(at_least, progress.retry.attempt));
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
        let room = affinity.anchor();
        let server = self.endpoints.server_key(room);
        if !self.lockout.is_authenticated(&server) {
            return Err(RequestError::Busy(String::from("signing in")).into());
        }
        self.lockout
            .check_room(&server, room.as_str())
            .map_err(|(kind, code)| RequestError::Refused(kind, code))?;
        let transport = match self.endpoints.resolve(room).await {
            Ok(transport) => transport,
            Err(error) => return Err(RequestError::from(error).into()),
        };
        let request = EncodedRequest::new(
            self.impersonation(room),
            room,
            op,
            self.versions.for_room(&self.rooms.of(room)),
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
    fn mark_suspect(&self, server: &ServerKey, kind: ErrorKind) {
        if kind != ErrorKind::Token {
            self.lockout.mark_suspect(server);
        }
    }

    /// Records results that reject the account by themselves.
    fn record_auth_result<T>(&self, server: &ServerKey, outcome: &AttemptOutcome<T>) {
        match outcome {
            // A KDC rejected the password, or a token endpoint rejected the application.
            AttemptOutcome::Unfinished(Unfinished::NotSent(TransportError::SignIn {
                is_permanent: true,
                reason,
                ..
            })) => self.lockout.record_failure(server, ErrorKind::SignIn, reason),
            AttemptOutcome::Answer(_) | AttemptOutcome::Unfinished(_) => {}
        }
    }

    async fn attempt<T, R>(
        &self,
        transport: &ConnectionPool,
        server: &ServerKey,
        request: &EncodedRequest<'_>,
        read: &R,
        trail: &mut Trail<'_>,
        room: &RoomState,
    ) -> AttemptOutcome<T>
    where
        R: Fn(&SoapBody<'_>) -> Result<T, RetryDecision>,
    {
        let effect = request.effect;
        let began = Instant::now();
        let delivery = match request.http_request() {
            Ok(http_request) => {
                transport.send_if(trail.before, &http_request).instrument(request.span()).await
            }
            Err(error) => Delivery::NotSent(error),
        };
        let theirs = match &delivery {
            Delivery::NotSent(_) | Delivery::MaybeSent(_) => None,
            Delivery::Answered(answer) => request_id(answer).map(str::to_owned),
        };
        if !matches!(delivery, Delivery::NotSent(_)) {
            trail.requests.push(RequestIds { ours: request.request_id.clone(), theirs });
        }
        match delivery {
            Delivery::NotSent(failure) => AttemptOutcome::Unfinished(Unfinished::NotSent(failure)),
            Delivery::MaybeSent(failure) => AttemptOutcome::decision(lost_response(effect, &failure)),
            Delivery::Answered(answer) => {
                let decoded = decode(&answer.body, &self.limits);
                let decision = classify(effect, &answer, &decoded);
                if proves_authenticated(answer.status, &answer.headers)
                    && !matches!(decision, RetryDecision::Refused(ErrorKind::Account, _))
                {
                    self.lockout.record_room_success(
                        server,
                        request.room.as_str(),
                        began,
                        answer.sent_credentials,
                    );
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
                        return AttemptOutcome::decision(RetryDecision::InDoubt { code });
                    }
                    decision => return AttemptOutcome::decision(decision),
                }
                let Ok(decoded) = decoded else {
                    return AttemptOutcome::decision(lost_response(effect, &TransportError::InvalidGzip));
                };
                self.versions.observe(room, request.version, decoded.envelope.server.as_ref());
                self.read_body(&decoded, read)
            }
        }
    }

    /// Reports the servers' `Date` headers to this clock. The first call counts.
    pub(super) fn report_time_to(&self, clock: Arc<WitnessedClock>) {
        let _ = self.clock.set(clock);
    }

    fn record_server_time(&self, server: &ServerKey, headers: &HeaderMap) {
        if let Some(clock) = self.clock.get() {
            clock.record_answer(server.as_str(), response_date(headers, SystemClock.now()));
        }
    }

    fn read_body<T, R>(&self, decoded: &Decoded<'_>, read: &R) -> AttemptOutcome<T>
    where
        R: Fn(&SoapBody<'_>) -> Result<T, RetryDecision>,
    {
        self.decode_stats.count(decoded.path);
        match read(&decoded.envelope.body) {
            Err(decision) => AttemptOutcome::decision(decision),
            Ok(value) => {
                self.throttle.record_success();
                AttemptOutcome::Answer(value)
            }
        }
    }
}

fn lost_response(effect: Effect, failure: &TransportError) -> RetryDecision {
    let code = failure.describe("Exchange");
    match effect {
        Effect::Read => RetryDecision::Retry { code },
        Effect::Write => RetryDecision::InDoubt { code },
    }
}
