//! The doctor's report, and asking the doctor to look again. How anything is examined is known elsewhere ([`Doctor`]).

use std::sync::{Arc, Mutex, PoisonError};

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::Api;
use super::caller::Caller;
use super::problem::{ClientErrors, Problem};
use crate::access::Right;
use crate::doctor::{DoctorFinding, DoctorReport, FindingStatus};

/// A report stands for so long: whoever asks sooner learns nothing else, and Exchange is asked much.
const REPORT_TTL: TimeDelta = TimeDelta::seconds(60);
/// And for so long where the account was not let in: each examination signs in, and a few that fail lock an account out.
const REPORT_TTL_SIGN_IN_FAILED: TimeDelta = TimeDelta::minutes(15);
/// What is found there is about getting in.
const SIGN_IN_CHECKS: [&str; 4] = ["sign-in", "token", "account", "channel binding"];

/// Who can find out whether everything is set up.
#[async_trait::async_trait]
pub trait Doctor: Send + Sync + 'static {
    /// Looks at everything once.
    async fn examine(&self) -> DoctorReport;
}

/// The doctor of a service, and what was found last.
#[derive(Clone, Default)]
pub(super) struct DoctorRuns {
    doctor: Option<Arc<dyn Doctor>>,
    last: Arc<Mutex<LastRun>>,
}

#[derive(Default)]
struct LastRun {
    started_at: Option<DateTime<Utc>>,
    running: bool,
    finished: Option<(DateTime<Utc>, Arc<DoctorReport>)>,
}

impl LastRun {
    /// Until when the last report answers for another examination.
    fn valid_until(&self) -> Option<DateTime<Utc>> {
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

    fn with_last<R>(&self, look: impl FnOnce(&mut LastRun) -> R) -> R {
        look(&mut self.last.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn view(&self) -> DoctorView {
        self.with_last(|last| DoctorView::of(last))
    }
}

/// An examination that ends, however it ends.
struct RunGuard(DoctorRuns);

impl Drop for RunGuard {
    fn drop(&mut self) {
        self.0.with_last(|last| last.running = false);
    }
}

/// What the doctor found last, and whether an examination is under way.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DoctorView {
    /// An examination is under way.
    running: bool,
    /// When the last one began.
    begun_at: Option<DateTime<Utc>>,
    /// When the report was ready; null when nobody was examined since the service began.
    at: Option<DateTime<Utc>>,
    /// Until then asking for an examination is answered with this report; null when there is none.
    stands_until: Option<DateTime<Utc>>,
    /// The worst of the findings: `pass`, `skip`, `warn` or `fail`.
    status: Option<&'static str>,
    /// The cause of the worst of them, in one line.
    headline: Option<String>,
    /// In the order in which things depend on each other.
    findings: Vec<FindingView>,
}

/// One finding.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FindingView {
    /// Which connection it is about; null for the configuration as a whole.
    connection: Option<String>,
    /// Which room.
    room: Option<String>,
    /// What was looked at.
    check: String,
    /// `pass`, `skip`, `warn` or `fail`.
    status: &'static str,
    /// What was found.
    says: String,
    /// What to do about it.
    remedy: Option<String>,
    /// Response code, HTTP status or kind of failure.
    code: Option<String>,
}

impl DoctorView {
    fn of(last: &LastRun) -> Self {
        let report = last.finished.as_ref().map(|(_, report)| report);
        Self {
            running: last.running,
            begun_at: last.started_at,
            at: last.finished.as_ref().map(|(at, _)| *at),
            stands_until: last.valid_until(),
            status: report.map(|report| status_name(report.status)),
            headline: report.map(|report| report.headline.clone()),
            findings: report
                .map_or_else(Vec::new, |report| report.findings.iter().map(FindingView::of).collect()),
        }
    }
}

impl FindingView {
    fn of(finding: &DoctorFinding) -> Self {
        Self {
            connection: finding.connection.clone(),
            room: finding.room.clone(),
            check: finding.check.to_owned(),
            status: status_name(finding.status),
            says: finding.message.clone(),
            remedy: finding.remedy.clone(),
            code: finding.code.clone(),
        }
    }
}

fn status_name(status: FindingStatus) -> &'static str {
    match status {
        FindingStatus::Pass => "pass",
        FindingStatus::Skip => "skip",
        FindingStatus::Warn => "warn",
        FindingStatus::Fail => "fail",
    }
}

/// The report tells of the whole set-up, so it is for those who may know all of it.
fn check_rights(caller: &Caller) -> Result<(), Problem> {
    caller.require(Right::Audit)?;
    caller.require_all_rooms()
}

/// What the doctor found last.
#[utoipa::path(get, path = "/v1/doctor", tag = "doctor", responses((status = 200, body = DoctorView), ClientErrors))]
pub(super) async fn get(State(api): State<Api>, caller: Caller) -> Result<Json<DoctorView>, Problem> {
    check_rights(&caller)?;
    Ok(Json(api.doctor_runs.view()))
}

/// Examine everything again.
///
/// Changes nothing; see `GET /v1/doctor` for how far it is. While one examination runs, asking is asking for the same. Until
/// `valid_until` the last report is the answer (200): for a minute, and for fifteen where it failed at signing in, because a few
/// sign-ins that fail lock the account out. `adjourn doctor` does not wait.
#[utoipa::path(post, path = "/v1/doctor", tag = "doctor", responses(
    (status = 200, body = DoctorView, description = "The last report, which still stands: nothing is examined"),
    (status = 202, body = DoctorView, description = "An examination is under way"),
    ClientErrors,
))]
pub(super) async fn examine(
    State(api): State<Api>,
    caller: Caller,
) -> Result<(StatusCode, Json<DoctorView>), Problem> {
    check_rights(&caller)?;
    let practice = api.doctor_runs.clone();
    let doctor = practice.doctor.clone().ok_or_else(|| Problem::not_found("doctor"))?;
    let (service, now) = (api.service.clone(), api.service.now());
    let (begins, running) = practice.with_last(|last| {
        let stands = last.valid_until().is_some_and(|until| now < until);
        let begins = !last.running && !stands;
        if begins {
            (last.running, last.started_at) = (true, Some(now));
        }
        (begins, last.running)
    });
    if begins {
        let examination = RunGuard(practice.clone());
        tokio::spawn(async move {
            let report = Arc::new(doctor.examine().await);
            examination.0.with_last(|last| last.finished = Some((service.now(), report)));
        });
    }
    let status = if running { StatusCode::ACCEPTED } else { StatusCode::OK };
    Ok((status, Json(practice.view())))
}
