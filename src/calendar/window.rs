//! Windows: bounded ranges of time on a calendar. Values only.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// The range from `start` (included) to `end` (excluded), both UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "(DateTime<Utc>, DateTime<Utc>)", into = "(DateTime<Utc>, DateTime<Utc>)")]
pub struct Window {
    start: DateTime<Utc>,
    end: DateTime<Utc>,
}

/// Two instants do not form a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WindowError {
    /// The end is not after the start.
    #[error("the window ends before it starts")]
    Empty,
    /// Longer than [`Window::SPAN_MAX`].
    #[error("the window is longer than 366 days")]
    TooLong,
}

impl Window {
    /// The longest window. Exchange refuses more than two years (`ErrorCalendarViewRangeTooBig`); a year is more than
    /// any action or sweep needs, and keeps a mistyped date from reading a decade.
    pub const SPAN_MAX: TimeDelta = TimeDelta::days(366);

    /// A window between two instants.
    pub fn new(start: DateTime<Utc>, end: DateTime<Utc>) -> Result<Self, WindowError> {
        if end <= start {
            return Err(WindowError::Empty);
        }
        if end - start > Self::SPAN_MAX {
            return Err(WindowError::TooLong);
        }
        Ok(Self { start, end })
    }

    /// The same, cut to [`Window::SPAN_MAX`]; `None` when it would be empty.
    pub fn clamped(start: DateTime<Utc>, end: DateTime<Utc>) -> Option<Self> {
        Self::new(start, end.min(start + Self::SPAN_MAX)).ok()
    }

    /// The second that begins at `now`, to read the events that are on at this instant.
    pub fn instant(now: DateTime<Utc>) -> Self {
        Self { start: now, end: now + TimeDelta::seconds(1) }
    }

    /// The two halves of the window; `None` when it is shorter than two seconds.
    pub fn halves(&self) -> Option<(Self, Self)> {
        let half_seconds = (self.end - self.start).num_seconds() / 2;
        if half_seconds < 1 {
            return None;
        }
        let middle = self.start + TimeDelta::seconds(half_seconds);
        Some((Self { start: self.start, end: middle }, Self { start: middle, end: self.end }))
    }

    /// First instant inside.
    pub fn start(&self) -> DateTime<Utc> {
        self.start
    }

    /// First instant outside.
    pub fn end(&self) -> DateTime<Utc> {
        self.end
    }
}

impl TryFrom<(DateTime<Utc>, DateTime<Utc>)> for Window {
    type Error = WindowError;

    fn try_from((start, end): (DateTime<Utc>, DateTime<Utc>)) -> Result<Self, WindowError> {
        Self::new(start, end)
    }
}

impl From<Window> for (DateTime<Utc>, DateTime<Utc>) {
    fn from(window: Window) -> Self {
        (window.start, window.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_meet_without_gap_or_overlap() {
        let start = DateTime::UNIX_EPOCH;
        let whole = Window::new(start, start + TimeDelta::seconds(7)).unwrap();
        let (left, right) = whole.halves().unwrap();
        assert_eq!((left.start(), right.end()), (whole.start(), whole.end()));
        assert_eq!(left.end(), right.start());
        assert!(Window::instant(start).halves().is_none());
    }

    #[test]
    fn impossible_windows_are_refused() {
        let start = DateTime::UNIX_EPOCH;
        assert_eq!(Window::new(start, start), Err(WindowError::Empty));
        assert_eq!(Window::new(start, start + TimeDelta::days(367)), Err(WindowError::TooLong));
    }
}
