//! Sends one request to Graph with its retries: admit, attempt, decide (`decide.rs`, pure). Decides nothing about events.
//!
//! It retries only where the server cannot have executed anything: the server reported that it did nothing, the request was not sent,
//! or the request is a read. A write in doubt is returned to the engine, which reads the mailbox.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::HeaderMap;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep, timeout_at};
use tracing::Instrument as _;
use uuid::Uuid;

use super::classify::{ResponseParts, RetryDecision, classify, failed, request_id_of_error};
use super::decide::{Next, Unfinished, decide};
use super::effect::Effect;
use super::error::SERVER;
use super::request::GraphRequest;
use super::request_error::RequestError;
use super::root::GraphRoot;
use super::settings::{GraphSettings, REQUESTS_PER_ROOM};
use crate::action::RequestIds;
use crate::before_send::BeforeSend;
use crate::calendar::RoomAddress;
use crate::clock::{Clock as _, SystemClock, WitnessedClock};
use crate::engine::Trail;
use crate::http::answer_budget::AnswerBudget;
use crate::http::connection_pool::{ConnectionPool, PoolOptions};
use crate::http::delivery::{Delivery, HttpResponse};
use crate::http::dialer::{ClientIdentity, Dialer};
use crate::http::field::response_date;
use crate::http::settings::SettingsError;
use crate::http::url::ConnectTarget;
use crate::login::CredentialProvider;
use crate::throttle::{Permit, RoomState, RoomStates, Throttle, WRITE_WAIT_MAX, back_off, retry_delay};

/// Longest request id that is kept: it goes into the journal and to callers, and Microsoft's is a GUID.
const REQUEST_ID_BYTES_MAX: usize = 128;

/// Client of one connection, for one application.
pub(super) struct GraphClient {
    pub(super) root: GraphRoot,
    pool: ConnectionPool,
    /// All requests of each room.
    rooms: RoomStates,
    /// Its reads.
    reads: RoomStates,
    throttle: Throttle,
    operation_timeout: Duration,
    throttled: AtomicU64,
    pub(super) answer_budget: AnswerBudget,
    /// Clock that the server's `Date` headers are reported to.
    clock: OnceLock<Arc<WitnessedClock>>,
}

/// The state of one request across its attempts.
struct RequestProgress {
    room: Arc<RoomState>,
    attempt: u32,
    /// The result if time ends before the next attempt.
    last_error: RequestError,
    /// It is not sent after this time.
    send_by: Instant,
    /// Held by a read until its end.
    _read_slot: Option<OwnedSemaphorePermit>,
}

impl GraphClient {
    pub(super) fn new(settings: &GraphSettings) -> Result<Self, SettingsError> {
        let root = GraphRoot::parse(&settings.root)?;
        let dialer = Arc::new(Dialer::new(&settings.dialer())?);
        let token_timeout = settings.timeouts.connect.saturating_mul(2);
        let credentials = CredentialProvider::new(&settings.sign_in, &dialer, token_timeout)?;
        let answer_budget = AnswerBudget::of_process();
        let options = PoolOptions {
            identity: ClientIdentity::Anonymous,
            first_byte_timeout: settings.timeouts.first_byte,
            response_timeout: settings.timeouts.response,
            answer_budget: answer_budget.clone(),
            inflate: true,
            proves_authenticated: |status, _| (200..300).contains(&status),
        };
        let target = ConnectTarget::parse(root.as_str())?;
        Ok(Self {
            pool: ConnectionPool::new(target, dialer, credentials.for_url(root.as_str())?, options),
            root,
            rooms: RoomStates::new(settings.max_concurrent_requests_per_room.min(REQUESTS_PER_ROOM)),
            reads: RoomStates::new(settings.reads_per_room()),
            throttle: Throttle::new(settings.max_concurrent_requests, settings.timeouts.first_byte),
            operation_timeout: settings.timeouts.operation,
            throttled: AtomicU64::new(0),
            answer_budget,
            clock: OnceLock::new(),
        })
    }

    /// Number of responses that reported a busy server.
    pub(super) fn throttled(&self) -> u64 {
        self.throttled.load(Ordering::Relaxed)
    }

    /// Requests that wait for a throttle permit.
    pub(super) fn queued_requests(&self) -> usize {
        self.throttle.queued()
    }

    /// Reports the server's `Date` headers to this clock. The first call counts.
    pub(super) fn report_time_to(&self, clock: Arc<WitnessedClock>) {
        let _ = self.clock.set(clock);
    }

    /// Sends a request in the room's name. `read` extracts the result from a successful response, or returns what its content means
    /// for the whole request.
    pub(super) async fn execute<T, R>(
        &self,
        room: &RoomAddress,
        request: &GraphRequest,
        read: R,
    ) -> Result<T, RequestError>
    where
        T: Send,
        R: Fn(&HttpResponse) -> Result<T, RetryDecision> + Send + Sync,
    {
        self.execute_traced(room, request, read, &mut Trail::default()).await
    }

    /// The same; `trail` receives the ids of every request that was sent.
    pub(super) async fn execute_traced<T, R>(
        &self,
        room: &RoomAddress,
        request: &GraphRequest,
        read: R,
        trail: &mut Trail<'_>,
    ) -> Result<T, RequestError>
    where
        T: Send,
        R: Fn(&HttpResponse) -> Result<T, RetryDecision> + Send + Sync,
    {
        // The future takes tens of KiB; a request that waits elsewhere then takes none of it.
        Box::pin(self.execute_with_retries(room, request, read, trail)).await
    }

    async fn execute_with_retries<T, R>(
        &self,
        room: &RoomAddress,
        request: &GraphRequest,
        read: R,
        trail: &mut Trail<'_>,
    ) -> Result<T, RequestError>
    where
        T: Send,
        R: Fn(&HttpResponse) -> Result<T, RetryDecision> + Send + Sync,
    {
        let mut progress = self.begin(room, request.effect).await?;
        loop {
            let Some(mut permit) = self.throttle.acquire(&progress.room, progress.send_by).await else {
                return Err(progress.last_error);
            };
            let outcome = self.attempt(room, request, &read, trail, &mut permit).await;
            drop(permit);
            match outcome {
                Ok(value) => return Ok(value),
                Err(outcome) => {
                    self.follow(decide(request.effect, progress.attempt, outcome), &mut progress).await?;
                }
            }
        }
    }

    /// Takes a slot for a read: the last slot of a room is left for a write.
    async fn begin(&self, room: &RoomAddress, effect: Effect) -> Result<RequestProgress, RequestError> {
        let busy = || RequestError::Busy(String::from("waiting for a request slot"));
        let deadline = Instant::now() + self.operation_timeout;
        let (send_by, read_slot) = match effect {
            Effect::Write | Effect::UnguardedWrite => (deadline.min(Instant::now() + WRITE_WAIT_MAX), None),
            Effect::Read => {
                let reads = self.reads.of(room);
                let slot = timeout_at(deadline, reads.requests.clone().acquire_owned()).await;
                (deadline, Some(slot.map_err(|_| busy())?.map_err(|_| busy())?))
            }
        };
        let room = self.rooms.of(room);
        Ok(RequestProgress { room, attempt: 0, last_error: busy(), send_by, _read_slot: read_slot })
    }

    /// Prepares the next attempt, or fails.
    async fn follow(&self, next: Next, progress: &mut RequestProgress) -> Result<(), RequestError> {
        match next {
            Next::Fail(error) => return Err(error),
            Next::PauseAndFail { at_least, error } => {
                self.pause(&progress.room, at_least, progress.attempt);
                return Err(error);
            }
            Next::Pause { at_least, last } => {
                self.pause(&progress.room, at_least, progress.attempt);
                progress.last_error = last;
            }
            Next::Delay { last } => {
                if let Some(last) = last {
                    progress.last_error = last;
                }
                sleep(retry_delay(progress.attempt)).await;
            }
        }
        progress.attempt += 1;
        Ok(())
    }

    fn pause(&self, room: &RoomState, at_least: Option<Duration>, attempt: u32) {
        self.throttled.fetch_add(1, Ordering::Relaxed);
        room.pause(back_off(at_least, attempt));
    }

    /// Sends the request once.
    async fn attempt<T, R>(
        &self,
        room: &RoomAddress,
        request: &GraphRequest,
        read: &R,
        trail: &mut Trail<'_>,
        permit: &mut Permit,
    ) -> Result<T, Unfinished>
    where
        R: Fn(&HttpResponse) -> Result<T, RetryDecision>,
    {
        let ours = Uuid::new_v4().to_string();
        let span = tracing::info_span!(
            "graph",
            operation = request.operation,
            client_request_id = ours,
            room = room.as_str()
        );
        let delivery = permit.run(self.send(request, &ours, trail.before).instrument(span)).await;
        if !matches!(delivery, Delivery::NotSent(_)) {
            trail.requests.push(RequestIds { ours, theirs: request_id(&delivery) });
        }
        let response = match delivery {
            Delivery::NotSent(error) => return Err(Unfinished::NotSent(error)),
            Delivery::MaybeSent(error) => {
                return Err(Unfinished::Decision(failed(request.effect, error.describe(SERVER))));
            }
            Delivery::Answered(response) => response,
        };
        let decision = classify(request.effect, ResponseParts::of(&response));
        if !matches!(decision, RetryDecision::Retry { .. } | RetryDecision::InDoubt { .. }) {
            permit.mark_answered();
        }
        if decision != RetryDecision::Done {
            return Err(Unfinished::Decision(decision));
        }
        self.record_server_time(&response.headers);
        let value = read(&response).map_err(Unfinished::Decision)?;
        self.throttle.record_success();
        Ok(value)
    }

    async fn send(&self, request: &GraphRequest, request_id: &str, before: &dyn BeforeSend) -> Delivery {
        let built = request.http_request(request_id);
        match built.and_then(|built| Ok((built, request.path_and_query()?))) {
            Ok((built, path)) => self.pool.send_to_if(&path, before, &built).await,
            Err(error) => Delivery::NotSent(error),
        }
    }

    fn record_server_time(&self, headers: &HeaderMap) {
        if let Some(clock) = self.clock.get() {
            clock.record_answer(self.root.as_str(), response_date(headers, SystemClock.now()));
        }
    }
}

/// Microsoft's own id of the request, which its support finds in its logs.
fn request_id(delivery: &Delivery) -> Option<String> {
    let Delivery::Answered(response) = delivery else { return None };
    let header = response.headers.get("request-id").and_then(|id| id.to_str().ok());
    let of_error = || (response.status >= 400).then(|| request_id_of_error(&response.body)).flatten();
    let id = header.map(str::to_owned).or_else(of_error)?;
    let is_printable = id.bytes().all(|byte| byte.is_ascii_graphic());
    (is_printable && id.len() <= REQUEST_ID_BYTES_MAX).then_some(id)
}
