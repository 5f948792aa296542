//! The time that an extension or a booking asks for. Values only: `calendar/occupancy.rs` decides what of it is free.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::RequestedMinutes;

/// The end that a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RequestedEnd {
    /// After these minutes, or at the start of the next event if that is earlier.
    #[serde(rename = "minutes")]
    AtMost(RequestedMinutes),
    /// At this time exactly: refused if another event is in the way.
    #[serde(rename = "end")]
    At(DateTime<Utc>),
}

/// The time that a booking asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BookingTime {
    /// The start; `None` for a booking from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<DateTime<Utc>>,
    /// The end.
    #[serde(flatten)]
    pub end: RequestedEnd,
}

impl BookingTime {
    /// From now on, until the next event at most.
    pub const fn from_now(minutes: RequestedMinutes) -> Self {
        Self { start: None, end: RequestedEnd::AtMost(minutes) }
    }

    /// From `start` on, for exactly these minutes.
    pub fn exactly(start: DateTime<Utc>, minutes: RequestedMinutes) -> Self {
        let length = TimeDelta::minutes(minutes.get().into());
        let end = start.checked_add_signed(length).unwrap_or(start);
        Self { start: Some(start), end: RequestedEnd::At(end) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Journals of formats 2 to 7 have the minutes alone.
    #[test]
    fn a_recorded_time_is_read_as_it_was_meant() {
        let minutes = RequestedMinutes::new(30).unwrap();
        let text = |time: &BookingTime| serde_json::to_string(time).unwrap();
        let read = |text: &str| serde_json::from_str::<BookingTime>(text).unwrap();
        assert_eq!(text(&BookingTime::from_now(minutes)), r#"{"minutes":30}"#);
        let start = DateTime::UNIX_EPOCH;
        let later = BookingTime { start: Some(start), ..BookingTime::from_now(minutes) };
        assert_eq!(text(&later), r#"{"start":"1970-01-01T00:00:00Z","minutes":30}"#);
        let exactly = BookingTime::exactly(start, minutes);
        assert_eq!(text(&exactly), r#"{"start":"1970-01-01T00:00:00Z","end":"1970-01-01T00:30:00Z"}"#);
        for time in [BookingTime::from_now(minutes), later, exactly] {
            assert_eq!(read(&text(&time)), time);
        }
        assert!(serde_json::from_str::<BookingTime>("{}").is_err());
    }
}
