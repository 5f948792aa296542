//! Handlers of `/v1/doctor`: the last doctor report, and starting a new run.

use std::borrow::Cow;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::openapi::{ObjectBuilder, RefOr, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use super::caller::Caller;
use super::doctor_runs::{DoctorRuns, LastRun, RunGuard};
use super::problem::Problem;
use super::responses::{ClientErrors, NotFound};
use super::state::Api;
use crate::access::Right;
use crate::doctor::{DoctorFinding, FINDINGS, FindingId, FindingStatus};
use crate::timestamp::Timestamp;

/// The last doctor report, and whether a run is in progress.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DoctorView {
    /// A run is in progress.
    running: bool,
    /// When the last run started.
    started_at: Option<Timestamp>,
    /// When the last run finished; null when no check has run since the service started.
    finished_at: Option<Timestamp>,
    /// Until then `POST /v1/doctor` returns this report; null without a report.
    valid_until: Option<Timestamp>,
    /// The worst status of the findings; null without a report.
    status: Option<FindingStatus>,
    /// The cause of the worst finding, in one line.
    headline: Option<String>,
    /// Ordered by dependency: a failed check explains those after it.
    findings: Vec<DoctorFinding>,
}

impl DoctorView {
    fn current(runs: &DoctorRuns) -> Self {
        runs.with_last(|last| Self::of(last))
    }

    fn of(last: &LastRun) -> Self {
        let report = last.finished.as_ref().map(|(_, report)| report);
        Self {
            running: last.running,
            started_at: last.started_at.map(Timestamp::from),
            finished_at: last.finished.as_ref().map(|(at, _)| (*at).into()),
            valid_until: last.valid_until().map(Timestamp::from),
            status: report.map(|report| report.status),
            headline: report.map(|report| report.headline.clone()),
            findings: report.map_or_else(Vec::new, |report| report.findings.clone()),
        }
    }
}

impl PartialSchema for FindingId {
    fn schema() -> RefOr<Schema> {
        let ids = FINDINGS.iter().map(|id| id.as_str());
        let schema = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(ids));
        schema.description(Some("The name of a warning or failure of the doctor.")).build().into()
    }
}

impl ToSchema for FindingId {
    fn name() -> Cow<'static, str> {
        "FindingId".into()
    }
}

/// The report covers the whole installation, so the caller must be allowed to see all of it.
fn check_rights(caller: &Caller) -> Result<(), Problem> {
    caller.require(Right::Audit)?;
    caller.require_all_rooms()
}

/// Get the last doctor report.
#[utoipa::path(get, path = "/v1/doctor", operation_id = "getDoctorReport", tag = "doctor",
    responses((status = 200, description = "The last report", body = DoctorView), ClientErrors),
)]
pub(super) async fn get(State(api): State<Api>, caller: Caller) -> Result<Json<DoctorView>, Problem> {
    check_rights(&caller)?;
    Ok(Json(DoctorView::current(&api.doctor_runs)))
}

/// Start a doctor run.
///
/// Changes nothing in Exchange. `GET /v1/doctor` shows progress. While a run is in progress, further requests join it. Until
/// `valid_until` the last report is returned instead (200): for one minute, and for fifteen after a failed sign-in, because a few
/// failed sign-ins lock the account out. `adjourn doctor` on the command line has no such wait.
#[utoipa::path(post, path = "/v1/doctor", operation_id = "runDoctor", tag = "doctor", responses(
    (status = 200, body = DoctorView, description = "The last report is recent enough: no run was started"),
    (status = 202, body = DoctorView, description = "A run is in progress"),
    ClientErrors,
    NotFound,
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
