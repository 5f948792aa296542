//! Handlers of `/v1/doctor`: the last doctor report, and starting a new run.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::caller::Caller;
use super::doctor_runs::{DoctorRuns, LastRun, RunGuard};
use super::problem::{ClientErrors, Problem};
use super::state::Api;
use crate::access::Right;
use crate::doctor::{DoctorFinding, FindingId, FindingStatus};

/// The last doctor report, and whether a run is in progress.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DoctorView {
    /// A run is in progress.
    running: bool,
    /// When the last run started.
    started_at: Option<DateTime<Utc>>,
    /// When the last run finished; null when no check has run since the service started.
    finished_at: Option<DateTime<Utc>>,
    /// Until then `POST /v1/doctor` returns this report; null without a report.
    valid_until: Option<DateTime<Utc>>,
    /// The worst status of the findings: `pass`, `skip`, `warn` or `fail`.
    status: Option<&'static str>,
    /// The cause of the worst finding, in one line.
    headline: Option<String>,
    /// Ordered by dependency: a failed check explains those after it.
    findings: Vec<FindingView>,
}

/// One finding.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FindingView {
    /// The connection that was checked; null for the configuration as a whole.
    connection: Option<String>,
    /// The room that was checked; null for a whole connection.
    room: Option<String>,
    /// The name of the check.
    check: String,
    /// The stable name of a warning or failure, such as `certificate-expired`; null for other findings.
    id: Option<&'static str>,
    /// `pass`, `skip`, `warn` or `fail`.
    status: &'static str,
    /// The result in a sentence.
    message: String,
    /// What to do next.
    remedy: Option<String>,
    /// Exchange's response code, an HTTP status, or the kind of failure.
    code: Option<String>,
}

impl DoctorView {
    fn current(runs: &DoctorRuns) -> Self {
        runs.with_last(|last| Self::of(last))
    }

    fn of(last: &LastRun) -> Self {
        let report = last.finished.as_ref().map(|(_, report)| report);
        Self {
            running: last.running,
            started_at: last.started_at,
            finished_at: last.finished.as_ref().map(|(at, _)| *at),
            valid_until: last.valid_until(),
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
            id: finding.id.map(FindingId::as_str),
            status: status_name(finding.status),
            message: finding.message.clone(),
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

/// The report covers the whole installation, so the caller must be allowed to see all of it.
fn check_rights(caller: &Caller) -> Result<(), Problem> {
    caller.require(Right::Audit)?;
    caller.require_all_rooms()
}

/// Get the last doctor report.
#[utoipa::path(get, path = "/v1/doctor", tag = "doctor", responses((status = 200, body = DoctorView), ClientErrors))]
pub(super) async fn get(State(api): State<Api>, caller: Caller) -> Result<Json<DoctorView>, Problem> {
    check_rights(&caller)?;
    Ok(Json(DoctorView::current(&api.doctor_runs)))
}

/// Start a doctor run.
///
/// Changes nothing in Exchange. `GET /v1/doctor` shows progress. While a run is in progress, further requests join it. Until
/// `valid_until` the last report is returned instead (200): for one minute, and for fifteen after a failed sign-in, because a few
/// failed sign-ins lock the account out. `adjourn doctor` on the command line has no such wait.
#[utoipa::path(post, path = "/v1/doctor", tag = "doctor", responses(
    (status = 200, body = DoctorView, description = "The last report is recent enough: no run was started"),
    (status = 202, body = DoctorView, description = "A run is in progress"),
    ClientErrors,
))]
pub(super) async fn examine(
    State(api): State<Api>,
    caller: Caller,
) -> Result<(StatusCode, Json<DoctorView>), Problem> {
    check_rights(&caller)?;
    let runs = api.doctor_runs.clone();
    let doctor = runs.doctor.clone().ok_or_else(|| Problem::not_found("doctor"))?;
    let (service, now) = (api.service.clone(), api.service.now());
    let (begins, running) = runs.with_last(|last| {
        let stands = last.valid_until().is_some_and(|until| now < until);
        let begins = !last.running && !stands;
        if begins {
            (last.running, last.started_at) = (true, Some(now));
        }
        (begins, last.running)
    });
    if begins {
        let examination = RunGuard(runs.clone());
        tokio::spawn(async move {
            let report = Arc::new(doctor.examine().await);
            examination.0.with_last(|last| last.finished = Some((service.now(), report)));
        });
    }
    let status = if running { StatusCode::ACCEPTED } else { StatusCode::OK };
    Ok((status, Json(DoctorView::current(&runs))))
}
