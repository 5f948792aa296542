//! One operation, asked until there is a word on it: encode, wait for leave, send, read, and what follows from the answer.
//!
//! Asks again by itself only when nothing can have happened: the server said it did nothing, the request never left, or
//! it changes nothing anyway. A write in doubt goes back to the caller, who can look.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::{HeaderMap, header};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout_at};
use tracing::Instrument as _;
use uuid::Uuid;

use super::affinity::Affinity;
use super::answer_budget::{self, AnswerBudget};
use super::classify::{Kind, Verdict, classify};
use super::delivery::{Delivery, Failure};
use super::gate::{Gate, back_off};
use super::letter::Letter;
use super::paths::Paths;
use super::places::{NoWay, Places};
use super::settings::{Access, ImpersonateBy, Settings, SettingsError};
use super::sign_in_probe::Refused;
use super::standing::{AUTODISCOVER, Standing};
use super::transport::{Begun, Transport};
use super::version::Spoken;
use crate::action::RequestIds;
use crate::calendar::RoomAddress;
use crate::clock::{Clock as _, SystemClock, WitnessedClock};
use crate::concurrency::{ConcurrencyLimit, within};
use crate::ews::codec::{DecodeLimits, Decoded, SoapBody, decode};
use crate::ews::op::{DistinguishedFolder, Effect, FolderId, Operation};
use crate::ews::soap::Impersonate;
use crate::http_field::date;

/// How often a read, or what never left, is asked again.
const RETRIES_MAX: u32 = 3;
/// Before the first of them; doubles.
const RETRY_FIRST: Duration = Duration::from_millis(250);
/// How long a write waits for leave or for a busy server. It was decided on what was read a moment ago; after more than
/// a moment it is to be decided again. Finding its server does not count: that is a matter of once, and can take longer.
const WRITE_PATIENCE: Duration = Duration::from_secs(2);
/// Streams that are begun at once: as many can be refused together when the password was changed.
const BEGUN_AT_ONCE: usize = 2;
/// One that takes longer than this keeps no other from beginning: its server refuses us no more.
const BEGUN_WITHIN: Duration = Duration::from_secs(3);
/// Whoever finds out whether a server knows us lets the next one try when there is no answer for so long: it may be the mailbox
/// that hangs …
const FINDING_OUT: Duration = Duration::from_secs(3);
/// … but no more than so many times at once, since each may turn out to be a wrong password said again.
const LATE_MAX: usize = 2;
/// What a server says that does not know the schema version of a request.
const UNKNOWN_VERSION: &str = "ErrorInvalidServerVersion";
/// What a server says whose mailbox is on its way to another one.
const MOVING: &str = "ErrorMailboxMoveInProgress";

/// Why an operation has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failed {
    /// The server said no. Nothing was changed.
    Refused(Kind, String),
    /// Asked as often and as long as is decent; nothing was changed.
    Busy(String),
    /// Asked a few times, and never an answer that could be used; nothing was changed.
    Unclear(String),
    /// No way to the server; nothing was changed.
    Unreachable(Failure),
    /// It may have been carried out.
    InDoubt(String),
}

/// Why a stream did not begin, or did not go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StreamFailure {
    pub(super) failed: Failed,
    /// How long the server asked to be left alone (`BackOffMilliseconds`, `Retry-After`).
    pub(super) retry_after: Option<Duration>,
}

impl From<NoWay> for Failed {
    fn from(no_way: NoWay) -> Self {
        match no_way {
            NoWay::Refused(kind, why) => Self::Refused(kind, why),
            NoWay::Away(failure) => Self::Unreachable(failure),
        }
    }
}

impl From<Failed> for StreamFailure {
    fn from(failed: Failed) -> Self {
        Self { failed, retry_after: None }
    }
}

impl From<Verdict> for StreamFailure {
    fn from(verdict: Verdict) -> Self {
        let (failed, retry_after) = match verdict {
            Verdict::Refused(kind, code) | Verdict::OnceMore(kind, code) => {
                (Failed::Refused(kind, code), None)
            }
            Verdict::Wait { at_least, code, .. } => (Failed::Busy(code), at_least),
            Verdict::Retry { code } | Verdict::InDoubt { code } => (Failed::Unclear(code), None),
            Verdict::Done => (unexpected(Effect::Read), None),
        };
        Self { failed, retry_after }
    }
}

/// Exchange, as one service account sees it.
pub(super) struct Client {
    pub(super) places: Places,
    gate: Gate,
    limits: DecodeLimits,
    pub(super) answers: AnswerBudget,
    access: Access,
    impersonate_by: ImpersonateBy,
    pub(super) spoken: Spoken,
    pub(super) standing: Arc<Standing>,
    patience: Duration,
    pub(super) paths: Paths,
    throttled: AtomicU64,
    beginning: ConcurrencyLimit,
    /// For requests that were to find out whether a server knows us, and have no answer yet.
    late: Semaphore,
    /// Who hears which time the servers have.
    clock: OnceLock<Arc<WitnessedClock>>,
}

/// What one sending came to.
enum Turn<T> {
    Answer(T),
    Verdict(Verdict),
    NotSent(Failure),
}

impl Client {
    pub(super) fn new(settings: &Settings) -> Result<Self, SettingsError> {
        let (limits, standing) = (answer_budget::limits(), Arc::new(Standing::default()));
        let answers = AnswerBudget::of_process();
        Ok(Self {
            places: Places::new(settings, answers.clone(), standing.clone())?,
            answers,
            gate: Gate::new(settings.per_room, settings.per_server, settings.first_byte_timeout),
            limits,
            access: settings.access,
            impersonate_by: settings.impersonate_by,
            spoken: Spoken::new(settings.version),
            standing,
            patience: settings.patience,
            paths: Paths::default(),
            throttled: AtomicU64::new(0),
            clock: OnceLock::new(),
            beginning: ConcurrencyLimit::new(BEGUN_AT_ONCE, BEGUN_WITHIN),
            late: Semaphore::new(LATE_MAX),
        })
    }

    /// By what right rooms are acted in.
    pub(super) fn access(&self) -> Access {
        self.access
    }

    /// A folder of the room's, as it is named by whom we act as.
    pub(super) fn folder<'r>(&self, folder: DistinguishedFolder, room: &'r RoomAddress) -> FolderId<'r> {
        match self.access {
            Access::Impersonation => FolderId::Own(folder),
            Access::Delegate => FolderId::InMailbox(folder, room.as_str()),
        }
    }

    /// As whom we act in this room.
    pub(super) fn named<'r>(&self, room: &'r str) -> Option<Impersonate<'r>> {
        match self.access {
            Access::Impersonation => Some(self.impersonate_by.name(room)),
            Access::Delegate => None,
        }
    }

    /// Where this room's server is. Asks Autodiscover when that is not known.
    pub(super) async fn find(&self, room: &RoomAddress) -> Result<Option<String>, Failed> {
        match self.places.of(room.as_str()).await {
            Ok(_) => Ok(self.places.url(room)),
            Err(no_way) => Err(no_way.into()),
        }
    }

    /// Whether this server has let us in, and has not refused us since.
    pub(super) fn is_known(&self, url: &str) -> bool {
        self.standing.is_known(url)
    }

    /// The build of the server that answered last.
    pub(super) fn build(&self) -> Option<String> {
        self.spoken.build()
    }

    /// How often the server said that it is busy.
    pub(super) fn throttled(&self) -> u64 {
        self.throttled.load(Ordering::Relaxed)
    }

    /// Requests that wait for leave to be sent.
    pub(super) fn waiting(&self) -> usize {
        self.gate.waiting()
    }

    /// Asks in the room's name. `read` takes what it wants from the answer's body, or says what one of its messages means
    /// for the whole request.
    pub(super) async fn call<O, T, R>(&self, room: &str, op: &O, read: R) -> Result<T, Failed>
    where
        O: Operation + Sync,
        T: Send,
        R: Fn(&SoapBody<'_>) -> Result<T, Verdict> + Send + Sync,
    {
        self.traced(room, op, read, &mut Vec::new()).await
    }

    /// The same, of the back end that keeps what the group's earlier requests began.
    pub(super) async fn call_near<O, T, R>(
        &self,
        affinity: &Affinity,
        room: &str,
        op: &O,
        read: R,
    ) -> Result<T, Failed>
    where
        O: Operation + Sync,
        T: Send,
        R: Fn(&SoapBody<'_>) -> Result<T, Verdict> + Send + Sync,
    {
        Box::pin(self.asked(room, op, read, &mut Vec::new(), Some(affinity))).await
    }

    /// The same; `trail` gets the names of every request that was sent.
    pub(super) async fn traced<O, T, R>(
        &self,
        room: &str,
        op: &O,
        read: R,
        trail: &mut Vec<RequestIds>,
    ) -> Result<T, Failed>
    where
        O: Operation + Sync,
        T: Send,
        R: Fn(&SoapBody<'_>) -> Result<T, Verdict> + Send + Sync,
    {
        Box::pin(self.asked(room, op, read, trail, None)).await
    }

    /// Its future takes tens of KiB. Its callers box it, so that requests which wait for their turn elsewhere take none of it.
    async fn asked<O, T, R>(
        &self,
        room: &str,
        op: &O,
        read: R,
        trail: &mut Vec<RequestIds>,
        affinity: Option<&Affinity>,
    ) -> Result<T, Failed>
    where
        O: Operation + Sync,
        T: Send,
        R: Fn(&SoapBody<'_>) -> Result<T, Verdict> + Send + Sync,
    {
        let at_last = Instant::now() + self.patience;
        let mut until = match O::EFFECT {
            Effect::Read => at_last,
            Effect::Write => at_last.min(Instant::now() + WRITE_PATIENCE),
        };
        let (mut attempt, mut moved) = (0, false);
        let mut last = Failed::Busy(String::from("waiting for its turn"));
        let mut finding_out = None;
        loop {
            let server = self.places.server(room);
            // Before the gate: whoever finds out must not wait for a place that is held by those who wait for it.
            // Whoever looks for the server asks for leave when it has to say who we are.
            if finding_out.is_none() && server != AUTODISCOVER {
                finding_out = match timeout_at(until, self.standing.enter_for(&server, room)).await {
                    Ok(Ok(turn)) => turn,
                    Ok(Err((kind, code))) => return Err(Failed::Refused(kind, code)),
                    Err(_) => return Err(last),
                };
            }
            let looked = Instant::now();
            let found = match timeout_at(at_last, self.places.of(room)).await {
                Err(_) => return Err(Failed::Busy(String::from("looking for the room's server"))),
                Ok(Ok(transport)) => Ok(transport),
                Ok(Err(NoWay::Away(failure))) => Err(failure),
                Ok(Err(no_way)) => return Err(no_way.into()),
            };
            until = at_last.min(until + looked.elapsed());
            if found.is_ok() && self.places.server(room) != server {
                finding_out = None;
                continue; // found now: whether that one knows us is another question
            }
            let Some(mut pass) = self.gate.enter(room, until).await else { return Err(last) };
            if finding_out.is_none() && server != AUTODISCOVER && !self.standing.is_known(&server) {
                continue; // somebody was refused while this waited
            }
            let began = Instant::now();
            if finding_out.is_some()
                && let Ok(transport) = &found
            {
                let next = Refused { transport, server: &server, room, began };
                Box::pin(self.probe_first(&next))
                    .await
                    .map_err(|(kind, code)| Failed::Refused(kind, code))?;
            }
            let version = self.spoken.to(room);
            let turn = match &found {
                Ok(transport) => {
                    let letter = Letter::new(self.named(room), room, op, version, affinity);
                    let turn = self.turn(transport, &server, &letter, &read, trail);
                    // A mailbox that hangs must not keep the others from finding out whether the server knows us.
                    let mut late = None;
                    let give_way = || {
                        late = self.late.try_acquire().ok();
                        if late.is_some() {
                            finding_out = None;
                        }
                    };
                    within(FINDING_OUT, pass.during(turn), give_way).await
                }
                Err(failure) => Turn::NotSent(failure.clone()),
            };
            self.judge(&server, &turn);
            if !matches!(
                turn,
                Turn::NotSent(_) | Turn::Verdict(Verdict::Retry { .. } | Verdict::InDoubt { .. })
            ) {
                pass.answered();
            }
            drop(pass);
            if let Turn::Verdict(Verdict::OnceMore(kind, code) | Verdict::Refused(kind @ Kind::Account, code)) =
                &turn
                && kind.is_refusal_of_account()
                && let Ok(transport) = &found
            {
                let is_final = *kind == Kind::Account || attempt >= 1;
                if is_final || !self.standing.may_retry(&server, room) {
                    let refused = Refused { transport, server: &server, room, began };
                    let (kind, code) = Box::pin(self.count_refusal(&refused, *kind, code.clone())).await;
                    return Err(Failed::Refused(kind, code));
                }
                self.suspect(&server, *kind);
            } else {
                // The turn is kept over the second try: no other request is sent before it.
                finding_out = None;
            }
            match turn {
                Turn::Answer(value) => return Ok(value),
                Turn::NotSent(Failure::SignIn { lasting: true, why, .. }) => {
                    return Err(Failed::Refused(Kind::SignIn, why));
                }
                Turn::NotSent(failure) if attempt >= RETRIES_MAX => return Err(Failed::Unreachable(failure)),
                Turn::NotSent(failure) => {
                    last = Failed::Unreachable(failure);
                    sleep(retry_after(attempt)).await;
                }
                Turn::Verdict(Verdict::Wait { at_least, fewer, code }) => {
                    self.throttled.fetch_add(1, Ordering::Relaxed);
                    if fewer {
                        self.gate.lower();
                    }
                    self.gate.park(room, back_off(at_least, attempt, chance()));
                    last = Failed::Busy(code);
                    if op.creates_item() {
                        // A second one would not meet the first as a conflict: the calendar is read before.
                        return Err(last);
                    }
                }
                // It did not get as far as the operation, so a write may go again too. Ends with the oldest version.
                Turn::Verdict(Verdict::Refused(Kind::Version, code))
                    if code == UNKNOWN_VERSION && self.spoken.refused(room, version) =>
                {
                    continue;
                }
                Turn::Verdict(Verdict::Retry { code }) if attempt >= RETRIES_MAX => {
                    return Err(Failed::Unclear(code));
                }
                Turn::Verdict(Verdict::OnceMore(kind, code)) if attempt >= 1 => {
                    return Err(Failed::Refused(kind, code));
                }
                Turn::Verdict(Verdict::Retry { code } | Verdict::OnceMore(_, code)) => {
                    if code == MOVING {
                        self.places.forget(room);
                    }
                    sleep(retry_after(attempt)).await
                }
                // The mailbox moved. Nothing was done there: ask where it went, once.
                Turn::Verdict(Verdict::Refused(
                    kind @ (Kind::NotEws | Kind::NoMailbox | Kind::Elsewhere),
                    _,
                )) if !(moved || op.creates_item() && kind == Kind::NotEws) && self.places.forget(room) => {
                    moved = true;
                    continue;
                }
                Turn::Verdict(Verdict::Refused(kind, code)) => return Err(Failed::Refused(kind, code)),
                Turn::Verdict(Verdict::InDoubt { code }) => return Err(Failed::InDoubt(code)),
                Turn::Verdict(Verdict::Done) => return Err(unexpected(O::EFFECT)),
            }
            attempt += 1;
        }
    }

    /// Asks what is answered without end, once, outside the gate: it does not count among the requests under way.
    pub(super) async fn listen<O>(&self, affinity: &Affinity, op: &O) -> Result<Begun, StreamFailure>
    where
        O: Operation + Sync,
    {
        self.beginning.run(self.begin(affinity, op)).await
    }

    async fn begin<O>(&self, affinity: &Affinity, op: &O) -> Result<Begun, StreamFailure>
    where
        O: Operation + Sync,
    {
        let room = affinity.anchor().as_str();
        let server = self.places.server(room);
        if !self.standing.is_known(&server) {
            return Err(Failed::Busy(String::from("signing in")).into());
        }
        self.standing.may_enter(&server, room).map_err(|(kind, code)| Failed::Refused(kind, code))?;
        let transport = match self.places.of(room).await {
            Ok(transport) => transport,
            Err(no_way) => return Err(Failed::from(no_way).into()),
        };
        let letter = Letter::new(self.named(room), room, op, self.spoken.to(room), Some(affinity));
        match transport.listen(&letter.post()).instrument(letter.span()).await {
            Ok(begun) => {
                affinity.learn(&begun.headers, SystemClock.now());
                Ok(begun)
            }
            Err(Delivery::NotSent(Failure::SignIn { lasting: true, why, .. })) => {
                self.standing.refused(&server, Kind::SignIn, &why);
                Err(Failed::Refused(Kind::SignIn, why).into())
            }
            Err(Delivery::NotSent(failure) | Delivery::MaybeSent(failure)) => {
                Err(Failed::Unreachable(failure).into())
            }
            Err(Delivery::Answered(answer)) => {
                let verdict = classify(Effect::Read, &answer, &decode(&answer.body, &self.limits));
                if let Verdict::OnceMore(kind, _) = &verdict
                    && kind.is_sign_in_refusal()
                {
                    self.suspect(&server, *kind); // the next request finds out
                }
                Err(verdict.into())
            }
        }
    }

    /// A sign-in was refused for the first time: one request finds out before others are sent. No number of refused tokens locks an
    /// account, so a refused token stops no other request.
    fn suspect(&self, server: &str, kind: Kind) {
        if kind != Kind::Token {
            self.standing.doubt(server);
        }
    }

    /// Remembers what says by itself that the account is refused.
    fn judge<T>(&self, server: &str, turn: &Turn<T>) {
        match turn {
            // A KDC said no to the password, or what gives tokens did.
            Turn::NotSent(Failure::SignIn { lasting: true, why, .. }) => {
                self.standing.refused(server, Kind::SignIn, why)
            }
            Turn::Answer(_) | Turn::Verdict(_) | Turn::NotSent(_) => {}
        }
    }

    async fn turn<T, R>(
        &self,
        transport: &Transport,
        server: &str,
        letter: &Letter<'_>,
        read: &R,
        trail: &mut Vec<RequestIds>,
    ) -> Turn<T>
    where
        R: Fn(&SoapBody<'_>) -> Result<T, Verdict>,
    {
        let effect = letter.effect;
        let began = Instant::now();
        let delivery = transport.post(&letter.post()).instrument(letter.span()).await;
        let theirs = match &delivery {
            Delivery::NotSent(_) | Delivery::MaybeSent(_) => None,
            Delivery::Answered(answer) => answer.request_id().map(str::to_owned),
        };
        if !matches!(delivery, Delivery::NotSent(_)) {
            trail.push(RequestIds { ours: letter.request_id.clone(), theirs });
        }
        match delivery {
            Delivery::NotSent(failure) => Turn::NotSent(failure),
            Delivery::MaybeSent(failure) => Turn::Verdict(lost(effect, &failure)),
            Delivery::Answered(answer) => {
                let decoded = decode(&answer.body, &self.limits);
                let verdict = classify(effect, &answer, &decoded);
                if answer.lets_in() && !matches!(verdict, Verdict::Refused(Kind::Account, _)) {
                    self.standing.accepted_for(server, letter.room, began, answer.said_who);
                    self.hear_time(server, &answer.headers);
                }
                if let Some(affinity) = letter.affinity {
                    affinity.learn(&answer.headers, SystemClock.now());
                }
                match verdict {
                    Verdict::Done => {}
                    // Only Exchange's own fault proves that nothing was made: a page may come from a proxy that passed it on.
                    Verdict::Wait { code, .. } | Verdict::OnceMore(_, code)
                        if letter.makes_new && decoded.is_err() =>
                    {
                        return Turn::Verdict(Verdict::InDoubt { code });
                    }
                    verdict => return Turn::Verdict(verdict),
                }
                let Ok(decoded) = decoded else {
                    return Turn::Verdict(lost(effect, &Failure::Inflate));
                };
                self.spoken.answered(letter.room, letter.version, decoded.envelope.server.as_ref());
                self.read(&decoded, read)
            }
        }
    }

    /// Reports the servers' time to this clock. Said once; the first counts.
    pub(super) fn report_time_to(&self, clock: Arc<WitnessedClock>) {
        let _ = self.clock.set(clock);
    }

    fn hear_time(&self, server: &str, headers: &HeaderMap) {
        if let Some(clock) = self.clock.get() {
            let said = headers.get(header::DATE).and_then(|said| said.to_str().ok());
            clock.hear(server, said.and_then(|said| date(said, SystemClock.now())));
        }
    }

    fn read<T, R>(&self, decoded: &Decoded<'_>, read: &R) -> Turn<T>
    where
        R: Fn(&SoapBody<'_>) -> Result<T, Verdict>,
    {
        self.paths.count(decoded.path);
        match read(&decoded.envelope.body) {
            Err(verdict) => Turn::Verdict(verdict),
            Ok(value) => {
                self.gate.answered();
                Turn::Answer(value)
            }
        }
    }
}

/// A body that does not answer the question.
fn unexpected(effect: Effect) -> Failed {
    let code = "an answer to something else".to_owned();
    match effect {
        Effect::Read => Failed::Refused(Kind::NotEws, code),
        Effect::Write => Failed::InDoubt(code),
    }
}

fn lost(effect: Effect, failure: &Failure) -> Verdict {
    let code = failure.to_string();
    match effect {
        Effect::Read => Verdict::Retry { code },
        Effect::Write => Verdict::InDoubt { code },
    }
}

fn retry_after(attempt: u32) -> Duration {
    RETRY_FIRST.saturating_mul(1 << attempt.min(8)).mul_f64(1.0 + chance() / 4.0)
}

/// Between 0 and 1, from the same source of randomness as the request ids.
fn chance() -> f64 {
    let (_, low) = Uuid::new_v4().as_u64_pair();
    f64::from((low & 0xFFFF) as u16) / f64::from(u16::MAX)
}
