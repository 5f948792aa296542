//! Handler of `GET /v1/report`: figures about the actions in the rooms that the caller can see. It translates; `crate::report`
//! counts.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use utoipa::IntoParams;

use super::actions::preferred_wait;
use super::caller::Caller;
use super::extract::QueryParams as Params;
use super::problem::{Fault, Problem};
use super::problem_type::ProblemType;
use super::responses::ClientErrors;
use super::state::Api;
use crate::access::Right;
use crate::calendar::{RoomAddress, RoomPattern, Window};
use crate::report::{Dimension, Report, ReportRequest, gather, period};
use crate::suggestion::closest;

/// Rows in a response; the others are summed up.
pub(super) const ROWS_SHOWN_MAX: usize = 1_000;

/// The period and the rows of a report.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ReportQuery {
    /// Only actions accepted at this time or later. Default: 30 days before `until`.
    since: Option<DateTime<Utc>>,
    /// Only actions accepted before this time, at most 366 days after `since`. Default: now.
    until: Option<DateTime<Utc>>,
    /// How the rows are grouped; `organizer` needs `report.organizers = true`. Default: `room`.
    #[param(value_type = Option<Dimension>)]
    by: Option<String>,
    /// Only actions in rooms that match this pattern, such as `berlin-*@example.com`.
    #[param(value_type = Option<String>)]
    rooms: Option<String>,
}

/// Report hours released, no-shows, early ends, extensions and undos.
///
/// Covers the actions of all callers in the rooms that the key can see. Needs the right `audit`. The response has the 1000 rows with
/// most time (of series, with most no-shows); `further` sums the others up.
#[utoipa::path(get, path = "/v1/report", operation_id = "getReport", tag = "report",
    params(ReportQuery, ("Prefer" = Option<String>, Header, description = "`wait=SECONDS` (0 to 60): how long the caller waits for the report")),
    responses((status = 200, description = "The report", body = Report), ClientErrors),
)]
pub(super) async fn get(
    State(api): State<Api>,
    caller: Caller,
    headers: HeaderMap,
    Params(query): Params<ReportQuery>,
) -> Result<Json<Report>, Problem> {
    caller.require(Right::Audit)?;
    let options = api.service.options();
    let by = dimension(query.by.as_deref())?;
    if by == Dimension::Organizer && !options.report_organizers {
        return Err(Problem::organizers_not_reported());
    }
    let pattern: Option<RoomPattern> = query.rooms.as_deref().and_then(|rooms| rooms.parse().ok());
    let includes = |room: &RoomAddress| {
        caller.can_see(room) && pattern.as_ref().is_none_or(|pattern| pattern.matches(room))
    };
    let request = ReportRequest {
        period: period(query.since, query.until, api.service.now()).map_err(|_| invalid_period())?,
        by,
        names_organizers: options.report_organizers,
        rules: &options.rules,
        includes: &includes,
    };
    let patience = preferred_wait(&headers).unwrap_or(api.options().deadline);
    let reading = gather(&**api.service.engine.journal(), &request, None);
    let report = tokio::time::timeout(patience, reading).await.map_err(|_| Problem::report_timeout())??;
    Ok(Json(report.with_rows_max(ROWS_SHOWN_MAX)))
}

fn dimension(name: Option<&str>) -> Result<Dimension, Problem> {
    let Some(name) = name else { return Ok(Dimension::Room) };
    Dimension::from_name(name).ok_or_else(|| {
        let names = Dimension::ALL.map(Dimension::as_str);
        let meant = closest(name, names).map_or_else(String::new, |name| format!(" Did you mean `{name}`?"));
        Problem::bad_request(format!("`by` must be one of {}.{meant}", names.join(", ")))
    })
}

fn invalid_period() -> Problem {
    let days = Window::SPAN_MAX.num_days();
    Problem::bad_request(format!("`since` must be before `until`, by at most {days} days."))
}

impl Problem {
    /// The configuration allows no report to name organizers.
    fn organizers_not_reported() -> Self {
        let detail = "Reports name no organizers, because `report.organizers` is off.";
        let next = "choose another `by`, or ask the administrator to set report.organizers = true";
        Self { next, ..Self::new(StatusCode::FORBIDDEN, ProblemType::Forbidden, "Not allowed", detail) }
    }

    /// Making the report took longer than the caller waits.
    fn report_timeout() -> Self {
        let detail =
            "The journal has more actions in this period than the service reads in the caller's time.";
        Self {
            fault: Fault::Caller,
            next: "request a shorter period, or send Prefer: wait=60; `adjourn report` has no time limit",
            ..Self::unavailable(detail)
        }
    }
}
