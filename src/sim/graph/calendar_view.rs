//! `calendarView`: single events and occurrences that overlap a time window.

use chrono::{DateTime, TimeDelta, Utc};

use super::context::GraphContext;
use super::error::GraphError;
use super::event_collection;
use super::reply::GraphReply;
use super::times;
use crate::sim::views::{self, EventInstance};

/// Limit of the window.
const SPAN_MAX: TimeDelta = TimeDelta::days(1_825);

pub(super) fn list(
    context: &GraphContext<'_>,
    mailbox: u32,
    fragment: &str,
) -> Result<GraphReply, GraphError> {
    if !context.options.expands_views && context.call.field("$expand").is_some() {
        return Err(GraphError::invalid_request("$expand is not supported on calendarView."));
    }
    let (from, to) = window(context)?;
    let mailbox = context.mailbox(mailbox)?;
    // All-day events float: their midnights in UTC may lie in a window that their instants miss.
    let day = TimeDelta::days(1);
    let mut events: Vec<EventInstance<'_>> = views::window(mailbox, from - day, to + day)
        .into_iter()
        .filter(|view| {
            let (start, end) = times::span(view);
            start < to && (end > from || start == end && start >= from)
        })
        .collect();
    events.sort_by_key(|view| (times::span(view).0, view.item.number));
    event_collection::answer(context, events, fragment)
}

/// `startDateTime` and `endDateTime` of the request.
pub(super) fn window(context: &GraphContext<'_>) -> Result<(DateTime<Utc>, DateTime<Utc>), GraphError> {
    let edge = |name: &str| {
        let text = context.call.field(name).ok_or_else(|| {
            GraphError::bad_request(
                "ErrorInvalidParameter",
                "This request requires a time window specified by the query string parameters StartDateTime and \
                 EndDateTime.",
            )
        })?;
        times::instant(text, context.preferences.zone).ok_or_else(|| {
            let text = format!("The value '{text}' of parameter '{name}' is invalid.");
            GraphError::bad_request("ErrorInvalidParameter", text)
        })
    };
    let (from, to) = (edge("startDateTime")?, edge("endDateTime")?);
    if to < from {
        let text = "The parameter EndDateTime must be after StartDateTime.";
        return Err(GraphError::bad_request("ErrorInvalidParameter", text));
    }
    if to - from > SPAN_MAX {
        let text = "Your request can't be completed. The range between the start and end dates is greater than the \
                    allowed range. Maximum number of days: 1825";
        return Err(GraphError::invalid_request(text));
    }
    Ok((from, to))
}
