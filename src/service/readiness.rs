//! The readiness checks of `/readyz`. Each check performs an operation of its own: a commit to the journal, a read of the API
//! keys, a read from Exchange if none succeeded lately.
//!
//! `/readyz` needs no key, so its cost is bounded: a result is reused for five seconds, only one run is in progress at a time,
//! and requests meanwhile get the previous result. A run is a task of its own, so a client that disconnects does not cancel it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use chrono::TimeDelta;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::{Instant, timeout};

use super::Service;
use crate::calendar::{RoomAddress, Window};

/// How long a result is reused: at most one trial commit in this time.
const FRESH: Duration = Duration::from_secs(5);
/// Time limit of a check; a disk or server that hangs counts as failed.
const CHECK_TIMEOUT: Duration = Duration::from_secs(4);
/// How long a response of Exchange counts as proof. Tracked rooms cause responses more often than this.
const ANSWER_RECENT: Duration = Duration::from_secs(5 * 60);

/// A readiness check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReadinessCheck {
    /// The journal accepts a commit.
    Journal,
    /// The service store returns the API keys.
    Keys,
    /// Exchange responded lately.
    Exchange,
    /// The system clock is trusted.
    Clock,
}

impl ReadinessCheck {
    /// The name in responses and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Journal => "journal",
            Self::Keys => "keys",
            Self::Exchange => "exchange",
            Self::Clock => "clock",
        }
    }
}

impl fmt::Display for ReadinessCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The result of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckFinding {
    /// The check passed.
    Passed,
    /// The service is degraded, but serves requests.
    Warning(String),
    /// The service is not ready. The text is public: it names no server, room or file.
    Failed(String),
}

/// The results of all checks in one run.
#[derive(Debug, Clone)]
pub struct Readiness {
    /// Each check with its result.
    pub findings: Vec<(ReadinessCheck, CheckFinding)>,
    at: Instant,
}

impl Readiness {
    /// Whether no check failed.
    pub fn is_ready(&self) -> bool {
        !self.findings.iter().any(|(_, finding)| matches!(finding, CheckFinding::Failed(_)))
    }

    fn is_fresh(&self) -> bool {
        self.at.elapsed() < FRESH
    }
}

/// The last result, and the state for the next run.
#[derive(Default)]
pub(super) struct ReadinessState {
    last: ArcSwapOption<Readiness>,
    run: Arc<Mutex<ExchangeAnswers>>,
}

/// When Exchange last responded. Pure.
#[derive(Debug, Default)]
struct ExchangeAnswers {
    /// Responses counted so far.
    count: u64,
    last: Option<Instant>,
    /// The time of the first run.
    since: Option<Instant>,
}

impl ExchangeAnswers {
    /// Records the present count of responses.
    fn note(&mut self, count: u64, now: Instant) {
        self.since.get_or_insert(now);
        if count != self.count {
            (self.count, self.last) = (count, Some(now));
        }
    }

    fn is_recent(&self, now: Instant) -> bool {
        self.last.is_some_and(|last| now.duration_since(last) < ANSWER_RECENT)
    }

    fn overdue_message(&self, now: Instant) -> String {
        let minutes = |since: Instant| now.duration_since(since).as_secs() / 60;
        match (self.last, self.since) {
            (Some(last), _) => format!("Exchange has not responded for {} min", minutes(last)),
            (None, Some(since)) if minutes(since) > 0 => {
                format!("Exchange has not responded since the service started {} min ago", minutes(since))
            }
            (None, _) => "Exchange has not responded since the service started".to_owned(),
        }
    }
}

impl Service {
    /// The results of the checks, at most a few seconds old.
    pub async fn readiness(self: &Arc<Self>) -> Arc<Readiness> {
        let checks = &self.readiness;
        let last = checks.last.load_full();
        if let Some(last) = last.as_ref().filter(|last| last.is_fresh()) {
            return last.clone();
        }
        let run = match (checks.run.clone().try_lock_owned(), last) {
            (Ok(run), _) => run,
            (Err(_), Some(last)) => return last,
            (Err(_), None) => checks.run.clone().lock_owned().await,
        };
        if let Some(last) = checks.last.load_full().filter(|last| last.is_fresh()) {
            return last;
        }
        let service = self.clone();
        match tokio::spawn(async move { service.check_readiness(run).await }).await {
            Ok(found) => found,
            Err(_) => Arc::new(Readiness {
                findings: vec![(
                    ReadinessCheck::Journal,
                    CheckFinding::Failed("the readiness check ended unexpectedly".to_owned()),
                )],
                at: Instant::now(),
            }),
        }
    }

    /// The last result, if there is one.
    pub fn last_readiness(&self) -> Option<Arc<Readiness>> {
        self.readiness.last.load_full()
    }

    async fn check_readiness(&self, mut answers: OwnedMutexGuard<ExchangeAnswers>) -> Arc<Readiness> {
        let (journal, keys, exchange) =
            tokio::join!(self.check_journal(), self.check_keys(), self.check_exchange(&mut answers));
        let clock = match self.clock_doubt() {
            None => CheckFinding::Passed,
            Some(doubt) => CheckFinding::Warning(format!(
                "the system clock is not trusted ({}): cleanup is suspended; requested actions still run",
                doubt.as_str()
            )),
        };
        let findings = vec![
            (ReadinessCheck::Journal, journal),
            (ReadinessCheck::Keys, keys),
            (ReadinessCheck::Exchange, exchange),
            (ReadinessCheck::Clock, clock),
        ];
        let found = Arc::new(Readiness { findings, at: Instant::now() });
        self.report_readiness(&found);
        self.readiness.last.store(Some(found.clone()));
        found
    }

    /// Logs each change once.
    fn report_readiness(&self, found: &Readiness) {
        let before = self.readiness.last.load_full();
        for (check, finding) in &found.findings {
            let known = before.as_ref().and_then(|before| {
                before.findings.iter().find(|(other, _)| other == check).map(|(_, finding)| finding)
            });
            let failed_before = matches!(known, Some(CheckFinding::Failed(_)));
            match finding {
                CheckFinding::Failed(why) if !failed_before => tracing::error!(%check, why, "not ready"),
                CheckFinding::Passed | CheckFinding::Warning(_) if failed_before => {
                    tracing::info!(%check, "ready again")
                }
                _ => {}
            }
        }
    }

    async fn check_journal(&self) -> CheckFinding {
        match timeout(CHECK_TIMEOUT, self.engine.journal().try_commit()).await {
            Ok(Ok(())) => CheckFinding::Passed,
            Ok(Err(error)) => {
                tracing::warn!(%error, "the journal rejected a trial commit");
                CheckFinding::Failed("the journal cannot be written: actions are rejected".to_owned())
            }
            Err(_) => CheckFinding::Failed(format!(
                "a journal commit did not finish within {} s",
                CHECK_TIMEOUT.as_secs()
            )),
        }
    }

    async fn check_keys(&self) -> CheckFinding {
        match timeout(CHECK_TIMEOUT, self.store.count_keys()).await {
            Ok(Ok(_)) => CheckFinding::Passed,
            Ok(Err(error)) => {
                tracing::warn!(%error, "cannot read the API keys from the service store");
                CheckFinding::Failed("the API keys cannot be read".to_owned())
            }
            Err(_) => CheckFinding::Failed(format!(
                "reading the API keys did not finish within {} s",
                CHECK_TIMEOUT.as_secs()
            )),
        }
    }

    /// A response within the last minutes is proof; otherwise one room's calendar is read. Without a known room, the check
    /// passes.
    async fn check_exchange(&self, answers: &mut ExchangeAnswers) -> CheckFinding {
        answers.note(self.exchange_answers(), Instant::now());
        if answers.is_recent(Instant::now()) {
            return CheckFinding::Passed;
        }
        let Some(room) = self.probe_room() else { return CheckFinding::Passed };
        let now = self.now();
        let Some(window) = Window::clamped(now, now + TimeDelta::minutes(1)) else {
            return CheckFinding::Passed;
        };
        let read = timeout(CHECK_TIMEOUT, self.engine.calendar().events(&room, window)).await;
        let is_read = matches!(read, Ok(Ok(_)));
        answers.note(self.exchange_answers(), Instant::now());
        if is_read {
            answers.last = Some(Instant::now());
        } else if let Ok(Err(error)) = read {
            tracing::warn!(%room, %error, "readiness check: reading a room's calendar failed");
        }
        match answers.is_recent(Instant::now()) {
            true => CheckFinding::Passed,
            false => CheckFinding::Failed(answers.overdue_message(Instant::now())),
        }
    }

    fn probe_room(&self) -> Option<RoomAddress> {
        let named = self.engine.scope().rooms().next().cloned();
        named.or_else(|| self.followed_rooms().into_iter().next())
    }

    /// The number of decoded responses of Exchange. A rejection counts as well: the server responds.
    fn exchange_answers(&self) -> u64 {
        let numbers = self.connections.metrics();
        numbers.iter().filter(|number| number.kind == "decoded").map(|number| number.count).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_proof_for_five_minutes() {
        let mut answers = ExchangeAnswers::default();
        answers.note(0, Instant::now());
        assert!(!answers.is_recent(Instant::now()));
        assert_eq!(
            answers.overdue_message(Instant::now()),
            "Exchange has not responded since the service started"
        );
        answers.note(3, Instant::now());
        for (minutes, recent) in [(4, true), (1, false), (60, false)] {
            tokio::time::advance(Duration::from_secs(60 * minutes)).await;
            // The same count: no new response.
            answers.note(3, Instant::now());
            assert_eq!(answers.is_recent(Instant::now()), recent, "{minutes}");
        }
        assert_eq!(answers.overdue_message(Instant::now()), "Exchange has not responded for 65 min");
        answers.note(4, Instant::now());
        assert!(answers.is_recent(Instant::now()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_result_serves_for_five_seconds_and_a_warning_is_ready() {
        let of = |finding| Readiness { findings: vec![(ReadinessCheck::Clock, finding)], at: Instant::now() };
        let warned = of(CheckFinding::Warning("a step".to_owned()));
        assert!(warned.is_ready() && warned.is_fresh());
        tokio::time::advance(FRESH).await;
        assert!(!warned.is_fresh());
        assert!(!of(CheckFinding::Failed("full".to_owned())).is_ready());
    }
}
