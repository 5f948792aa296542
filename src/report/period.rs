//! The period of a report. Time comes in as a value.

use chrono::{DateTime, TimeDelta, Utc};

use crate::calendar::{Window, WindowError};

/// Length of a period that names no begin.
const DEFAULT: TimeDelta = TimeDelta::days(30);

/// The period from `since` (30 days before its end) until `until` (now).
///
/// # Errors
/// It does not begin before it ends, or is longer than [`Window::SPAN_MAX`].
pub(crate) fn period(
    since: Option<DateTime<Utc>>,
    until: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<Window, WindowError> {
    let until = until.unwrap_or(now);
    let since = since.or_else(|| until.checked_sub_signed(DEFAULT)).ok_or(WindowError::Empty)?;
    Window::new(since, until)
}
