//! The time in the body of a booking or an extension: exactly one of `minutes`, `end` and `until`. Translates only: the engine decides
//! what of the time is free.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use utoipa::ToSchema;

use super::problem::Problem;
use crate::action::{BookingTime, RequestedEnd, RequestedMinutes};

/// An end without a time of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Until {
    /// The start of the next event.
    Next,
}

/// The members that name the end of a request.
pub(super) struct EndOfRequest {
    pub(super) minutes: Option<u16>,
    pub(super) end: Option<DateTime<Utc>>,
    pub(super) until: Option<Until>,
}

impl EndOfRequest {
    /// The end that the request names. `until_next` is the longest time until the next event.
    pub(super) fn check(self, until_next: RequestedMinutes) -> Result<RequestedEnd, Problem> {
        match (self.minutes, self.end, self.until) {
            (Some(minutes), None, None) => check_minutes(minutes).map(RequestedEnd::AtMost),
            (None, Some(end), None) => Ok(RequestedEnd::At(end)),
            (None, None, Some(Until::Next)) => Ok(RequestedEnd::AtMost(until_next)),
            _ => Err(Problem::invalid_member("", "Send exactly one of `minutes`, `end` and `until`.")),
        }
    }

    /// The time of a booking. With a start, minutes are a time that is booked as a whole.
    pub(super) fn of_booking(
        self,
        start: Option<DateTime<Utc>>,
        until_next: RequestedMinutes,
    ) -> Result<BookingTime, Problem> {
        let has_minutes = self.minutes.is_some();
        match (start, self.check(until_next)?) {
            (Some(start), RequestedEnd::AtMost(minutes)) if has_minutes => {
                Ok(BookingTime::exactly(start, minutes))
            }
            (Some(start), RequestedEnd::At(end)) if end <= start => {
                Err(Problem::invalid_member("/end", "`end` must be after `start`."))
            }
            (start, end) => Ok(BookingTime { start, end }),
        }
    }
}

fn check_minutes(minutes: u16) -> Result<RequestedMinutes, Problem> {
    let (least, most) = (RequestedMinutes::MIN, RequestedMinutes::MAX);
    RequestedMinutes::try_from(minutes).map_err(|_| {
        Problem::invalid_member("/minutes", format!("`minutes` must be between {least} and {most}."))
    })
}
