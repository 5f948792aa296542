//! Handler of `GET /v1/rooms/{room}/events`: the events of a room within a time that the caller names. Changes nothing.

use std::ops::RangeInclusive;

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Datelike as _, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::caller::Caller;
use super::event_view::EventView;
use super::extract::{PathParams, QueryParams};
use super::problem::Problem;
use super::responses::{BackendErrors, NotFound};
use super::state::Api;
use crate::access::Right;
use crate::calendar::{RoomAddress, Window};
use crate::engine::ErrorKind;
use crate::live::EVENTS_PER_ROOM_MAX;
use crate::service::StatusError;
use crate::timestamp::Timestamp;

/// Days between `from` and `to`: a month.
pub(super) const SPAN_DAYS_MAX: u16 = 31;

/// The years that calendars have times in.
const YEARS: RangeInclusive<i32> = 1900..=4500;

/// The time to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct EventsQuery {
    /// Start of the time. Default: the start of the room's local day.
    from: Option<DateTime<Utc>>,
    /// End of the time (exclusive), at most 31 days after `from`. Default: a day after `from`; without `from`, the end of the room's
    /// local day.
    to: Option<DateTime<Utc>>,
}

/// The events of a room.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RoomEventsView {
    /// The room's SMTP address.
    room: String,
    /// Start of the time.
    from: Timestamp,
    /// End of the time (exclusive).
    to: Timestamp,
    /// When the calendar was read.
    read_at: Timestamp,
    /// The events that take the room within the time, in order of start. Cancelled and declined events, and those shown as Free, do
    /// not take the room.
    events: Vec<EventView>,
}

/// List the events of a room.
///
/// Read from the room's calendar, or from memory where the room is followed and the time is near. At most 1000 events are returned:
/// a request for a time with more is refused.
#[utoipa::path(get, path = "/v1/rooms/{room}/events", operation_id = "listEvents", tag = "rooms",
    params(("room" = String, Path, description = "SMTP address of the room", example = "room-aurora@example.com"), EventsQuery),
    responses((status = 200, description = "The events", body = RoomEventsView), BackendErrors, NotFound),
)]
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    PathParams(room): PathParams<String>,
    QueryParams(asked): QueryParams<EventsQuery>,
) -> Result<Json<RoomEventsView>, Problem> {
    caller.require(Right::Read)?;
    let room = caller.require_room(&api, &room)?;
    let window = asked.window(&api, &room)?;
    let options = api.options();
    let (patience, _share) = api.shares.room_read(caller.id(), &room, options.deadline);
    let read = api.service.events(&room, window, patience).await.map_err(read_problem)?;
    Ok(Json(RoomEventsView {
        room: room.to_string(),
        from: window.start().into(),
        to: window.end().into(),
        read_at: read.read_at.into(),
        events: EventView::list(&read.events, options.subjects),
    }))
}

impl EventsQuery {
    fn window(&self, api: &Api, room: &RoomAddress) -> Result<Window, Problem> {
        let day = api.service.local_day(room, api.service.now());
        let (from, end) = match self.from {
            None => (day.start(), day.end()),
            Some(from) => (from, from.checked_add_signed(TimeDelta::days(1)).unwrap_or(from)),
        };
        let to = self.to.unwrap_or(end);
        let is_calendar_time = |at: DateTime<Utc>| YEARS.contains(&at.year());
        let window = Window::new(from, to).ok().filter(|_| {
            to - from <= TimeDelta::days(SPAN_DAYS_MAX.into())
                && is_calendar_time(from)
                && is_calendar_time(to)
        });
        window.ok_or_else(|| {
            let (first, last) = (YEARS.start(), YEARS.end());
            let detail = format!(
                "`to` must be after `from`, by at most {SPAN_DAYS_MAX} days, in the years {first} to {last}."
            );
            Problem::bad_request(detail)
        })
    }
}

fn read_problem(error: StatusError) -> Problem {
    match error {
        StatusError::Calendar(error)
            if matches!(error.kind, ErrorKind::LimitExceeded | ErrorKind::TooLarge) =>
        {
            let detail = format!(
                "The room has more than {EVENTS_PER_ROOM_MAX} events between `from` and `to`. Request a shorter time."
            );
            Problem::bad_request(detail)
        }
        StatusError::Timeout => {
            let mut problem = Problem::exchange_timeout();
            problem.detail = "Exchange did not respond in time.".into();
            problem
        }
        error @ StatusError::Calendar(_) => error.into(),
    }
}
