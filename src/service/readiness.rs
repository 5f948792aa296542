//! The readiness checks of `/readyz`. Each check performs an operation of its own: a commit to the journal, a read of the API
//! keys, a read from Exchange if none succeeded lately.
//!
//! `/readyz` needs no key, so its cost is bounded: a result is reused for five seconds, only one run is in progress at a time,
//! and requests meanwhile get the previous result. A run is a task of its own, so a client that disconnects does not cancel it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use chrono::{DateTime, Utc};
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::{Instant, timeout};

use super::Service;
use super::exchange_check::{ConnectionState, ExchangeAnswers};
use crate::journal::JournalError;

/// How long a result is reused: at most one trial commit in this time.
const FRESH: Duration = Duration::from_secs(5);
/// Time limit of a check; a disk or server that hangs counts as failed.
const CHECK_TIMEOUT: Duration = Duration::from_secs(4);

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
    /// This process is the active service. One that stands by has no other check.
    Active,
}

impl ReadinessCheck {
    /// The name in responses and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Journal => "journal",
            Self::Keys => "keys",
            Self::Exchange => "exchange",
            Self::Clock => "clock",
            Self::Active => "active",
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

impl CheckFinding {
    /// Whether the check failed.
    pub fn is_failure(&self) -> bool {
        matches!(self, Self::Failed(_))
    }

    /// Whether both are passed, warnings or failures, with any text.
    fn is_same_state(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

/// A check with its result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckResult {
    /// The check.
    pub check: ReadinessCheck,
    /// The result.
    pub finding: CheckFinding,
    /// When a run first found this state: passed, warning or failed.
    pub since: DateTime<Utc>,
}

/// The results of all checks in one run.
#[derive(Debug, Clone)]
pub struct Readiness {
    /// Each check with its result.
    pub results: Vec<CheckResult>,
    /// Each connection that has a known room, by its name, and whether its server responds. Not public: the names are for operators.
    pub connections: Vec<(String, bool)>,
    at: Instant,
}

impl Readiness {
    /// Whether no check failed.
    pub fn is_ready(&self) -> bool {
        !self.results.iter().any(|result| result.finding.is_failure())
    }

    /// The result of one check.
    fn result_of(&self, check: ReadinessCheck) -> Option<&CheckResult> {
        self.results.iter().find(|result| result.check == check)
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
            Err(_) => {
                let finding = CheckFinding::Failed("the readiness check ended unexpectedly".to_owned());
                let result = CheckResult { check: ReadinessCheck::Journal, finding, since: self.now() };
                Arc::new(Readiness { results: vec![result], connections: Vec::new(), at: Instant::now() })
            }
        }
    }

    /// The last result, if there is one.
    pub fn last_readiness(&self) -> Option<Arc<Readiness>> {
        self.readiness.last.load_full()
    }

    async fn check_readiness(&self, mut answers: OwnedMutexGuard<ExchangeAnswers>) -> Arc<Readiness> {
        let (journal, keys, connections) =
            tokio::join!(self.check_journal(), self.check_keys(), self.check_connections(&mut answers));
        let clock = match self.clock_doubt() {
            None => CheckFinding::Passed,
            Some(doubt) => CheckFinding::Warning(format!(
                "the system clock is not trusted ({}): cleanup is suspended; requested actions still run",
                doubt.as_str()
            )),
        };
        let findings = [
            (ReadinessCheck::Journal, journal),
            (ReadinessCheck::Keys, keys),
            (ReadinessCheck::Exchange, exchange_finding(&connections)),
            (ReadinessCheck::Clock, clock),
        ];
        let before = self.readiness.last.load_full();
        let found = Arc::new(Readiness {
            results: with_since(findings, before.as_deref(), self.now()),
            connections: connections.into_iter().map(|one| (one.name, one.silence.is_none())).collect(),
            at: Instant::now(),
        });
        report_readiness(before.as_deref(), &found);
        self.readiness.last.store(Some(found.clone()));
        found
    }

    async fn check_journal(&self) -> CheckFinding {
        match timeout(CHECK_TIMEOUT, self.engine.journal().try_commit()).await {
            Ok(Ok(())) => CheckFinding::Passed,
            Ok(Err(error)) => {
                tracing::warn!(%error, "the journal rejected a trial commit");
                let why = match error {
                    JournalError::MayLose(_) => "the journal's database may lose what it stores",
                    _ => "the journal cannot be written",
                };
                CheckFinding::Failed(format!("{why}: actions are rejected"))
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
}

/// Failed when no connection responds; a warning when some do, since the rooms of the others are served.
fn exchange_finding(connections: &[ConnectionState]) -> CheckFinding {
    let silences: Vec<_> = connections.iter().filter_map(|one| one.silence.as_deref()).collect();
    match silences.first() {
        None => CheckFinding::Passed,
        Some(silence) if silences.len() == connections.len() => {
            CheckFinding::Failed(format!("Exchange {silence}"))
        }
        Some(silence) => CheckFinding::Warning(format!(
            "{} of {} connections do not respond (the first {silence}): their rooms show an earlier state",
            silences.len(),
            connections.len()
        )),
    }
}

/// The results, each with the time since when its state is the same.
fn with_since(
    findings: [(ReadinessCheck, CheckFinding); 4],
    before: Option<&Readiness>,
    now: DateTime<Utc>,
) -> Vec<CheckResult> {
    let results = findings.into_iter().map(|(check, finding)| {
        let known = before.and_then(|before| before.result_of(check));
        let known = known.filter(|known| known.finding.is_same_state(&finding));
        CheckResult { check, since: known.map_or(now, |known| known.since), finding }
    });
    results.collect()
}

/// Logs each change once.
fn report_readiness(before: Option<&Readiness>, found: &Readiness) {
    for CheckResult { check, finding, .. } in &found.results {
        let known = before.and_then(|before| before.result_of(*check)).map(|known| &known.finding);
        let failed_before = matches!(known, Some(CheckFinding::Failed(_)));
        match finding {
            CheckFinding::Failed(why) if !failed_before => tracing::error!(%check, why, "not ready"),
            CheckFinding::Passed | CheckFinding::Warning(_) if failed_before => {
                tracing::info!(%check, "ready again")
            }
            _ => {}
        }
    }
    for (connection, responds) in &found.connections {
        let known = before.into_iter().flat_map(|before| &before.connections);
        let known = known.filter(|(name, _)| name == connection).map(|(_, responds)| *responds).next();
        match (known, responds) {
            (Some(true) | None, false) => {
                tracing::error!(connection, "the connection's server does not respond")
            }
            (Some(false), true) => tracing::info!(connection, "the connection's server responds again"),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(finding: CheckFinding, since: i64) -> Readiness {
        let since = DateTime::UNIX_EPOCH + chrono::TimeDelta::seconds(since);
        let result = CheckResult { check: ReadinessCheck::Clock, finding, since };
        Readiness { results: vec![result], connections: Vec::new(), at: Instant::now() }
    }

    #[test]
    fn one_silent_connection_of_two_is_a_warning_that_does_not_name_it() {
        let state = |name: &str, silence: Option<&str>| ConnectionState {
            name: name.to_owned(),
            silence: silence.map(str::to_owned),
        };
        let (here, away) = (state("berlin", None), state("oslo", Some("has not responded for 7 min")));
        assert_eq!(exchange_finding(&[]), CheckFinding::Passed);
        assert_eq!(exchange_finding(std::slice::from_ref(&here)), CheckFinding::Passed);
        let all = exchange_finding(&[away.clone(), away.clone()]);
        assert_eq!(all, CheckFinding::Failed("Exchange has not responded for 7 min".to_owned()));
        let CheckFinding::Warning(text) = exchange_finding(&[here, away]) else { panic!("no warning") };
        assert!(text.starts_with("1 of 2 connections") && !text.contains("oslo"), "{text}");
    }

    #[tokio::test]
    async fn a_state_lasts_since_it_began_whatever_its_words() {
        let now = DateTime::UNIX_EPOCH + chrono::TimeDelta::seconds(60);
        let findings = |clock: CheckFinding| {
            let [journal, keys, exchange] =
                [ReadinessCheck::Journal, ReadinessCheck::Keys, ReadinessCheck::Exchange]
                    .map(|check| (check, CheckFinding::Passed));
            [journal, keys, exchange, (ReadinessCheck::Clock, clock)]
        };
        let warning = |text: &str| CheckFinding::Warning(text.to_owned());
        let before = of(warning("1 min"), 5);
        let since = |finding| with_since(findings(finding), Some(&before), now)[3].since.timestamp();
        assert_eq!((since(warning("2 min")), since(CheckFinding::Passed)), (5, 60));
    }

    #[tokio::test(start_paused = true)]
    async fn a_result_serves_for_five_seconds_and_a_warning_is_ready() {
        let warned = of(CheckFinding::Warning("a step".to_owned()), 0);
        assert!(warned.is_ready() && warned.is_fresh());
        tokio::time::advance(FRESH).await;
        assert!(!warned.is_fresh());
        assert!(!of(CheckFinding::Failed("full".to_owned()), 0).is_ready());
    }
}
