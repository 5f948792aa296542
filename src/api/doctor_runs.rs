//! The runs of the service's doctor: one at a time, with the last report. The checks themselves are behind the trait [`Doctor`].

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use crate::doctor::{DoctorFinding, DoctorReport, FindingStatus};

/// How long a report is returned instead of a new run: a run sends many requests to Exchange, and learns nothing new so soon.
const REPORT_TTL: TimeDelta = TimeDelta::seconds(60);
/// The same after a failed sign-in: each run signs in, and a few failed sign-ins lock the account out.
const REPORT_TTL_SIGN_IN_FAILED: TimeDelta = TimeDelta::minutes(15);
/// Checks whose failure counts as a failed sign-in.
const SIGN_IN_CHECKS: [&str; 4] = ["sign-in", "token", "account", "channel binding"];

/// Checks whether everything is set up.
#[async_trait::async_trait]
pub trait Doctor: Send + Sync + 'static {
    /// Runs all checks once.
    async fn examine(&self) -> DoctorReport;
}

/// Runs the service's doctor, one run at a time, and keeps its last report.
#[derive(Clone, Default)]
pub(super) struct DoctorRuns {
    pub(super) doctor: Option<Arc<dyn Doctor>>,
    last: Arc<Mutex<LastRun>>,
}

/// The last run, and the report of the last finished one.
#[derive(Default)]
pub(super) struct LastRun {
    pub(super) started_at: Option<DateTime<Utc>>,
    pub(super) running: bool,
    pub(super) finished: Option<(DateTime<Utc>, Arc<DoctorReport>)>,
}

impl LastRun {
    /// Until when the last report is returned instead of a new run.
    pub(super) fn valid_until(&self) -> Option<DateTime<Utc>> {
        let (at, report) = self.finished.as_ref()?;
        let shut_out = |finding: &DoctorFinding| {
            finding.status == FindingStatus::Fail && SIGN_IN_CHECKS.contains(&finding.check)
        };
        let stands =
            if report.findings.iter().any(shut_out) { REPORT_TTL_SIGN_IN_FAILED } else { REPORT_TTL };
        Some(*at + stands)
    }
}

impl DoctorRuns {
    pub(super) fn with_doctor(doctor: Arc<dyn Doctor>) -> Self {
        Self { doctor: Some(doctor), last: Arc::default() }
    }

    pub(super) fn with_last<R>(&self, look: impl FnOnce(&mut LastRun) -> R) -> R {
        look(&mut self.last.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Marks the run as finished when dropped, also after a panic.
pub(super) struct RunGuard(pub(super) DoctorRuns);

impl Drop for RunGuard {
    fn drop(&mut self) {
        self.0.with_last(|last| last.running = false);
    }
}
