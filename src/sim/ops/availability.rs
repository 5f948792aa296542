//! `GetUserAvailability`: free/busy times of mailboxes, in the order of the request. Only the standard bias of the
//! request's time zone counts; daylight saving is not applied.

use chrono::{DateTime, TimeDelta, Utc};
use roxmltree::Node;

use super::request_context::RequestContext;
use crate::sim::details::FreeBusyType;
use crate::sim::ews_error::EwsError;
use crate::sim::free_busy::{Intervals, merged};
use crate::sim::mailbox::{Mailbox, key};
use crate::sim::soap_request::{elements, instant, require_m, require_t, t, t_text};
use crate::sim::soap_response::{element, error_elements, response};
use crate::sim::views::{self, EventInstance};

/// Limit of mailboxes in one request.
const MAILBOXES_MAX: usize = 100;
/// Limit of the time window.
const SPAN_MAX: TimeDelta = TimeDelta::days(42);

/// The parameters that apply to every mailbox of a request.
struct AvailabilityQuery {
    intervals: Intervals,
    bias: TimeDelta,
}

pub(super) fn answer(context: &RequestContext<'_>, request: Node<'_, '_>) -> Result<String, EwsError> {
    let query = parse_query(request)?;
    let mailboxes: Vec<_> = elements(require_m(request, "MailboxDataArray")?).collect();
    if mailboxes.is_empty() {
        return Err(EwsError::new("ErrorMailboxDataArrayEmpty", "MailboxDataArray is empty."));
    }
    if mailboxes.len() > MAILBOXES_MAX {
        return Err(EwsError::new(
            "ErrorMailboxDataArrayTooBig",
            "There are more than 100 mailboxes in the request.",
        ));
    }
    let all: String = mailboxes.into_iter().map(|data| one(context, &query, data)).collect();
    let array = format!("<m:FreeBusyResponseArray>{all}</m:FreeBusyResponseArray>");
    Ok(response("GetUserAvailability", "", &array))
}

fn parse_query(request: Node<'_, '_>) -> Result<AvailabilityQuery, EwsError> {
    let bias = bias(request)?;
    let options = require_t(request, "FreeBusyViewOptions")?;
    let window = require_t(options, "TimeWindow")?;
    let edge = |name| {
        let at = t_text(window, name).as_deref().and_then(instant);
        at.map(|at| at + bias)
            .ok_or_else(|| EwsError::schema_violation(window, "The time window is incomplete."))
    };
    let (from, to) = (edge("StartTime")?, edge("EndTime")?);
    if to <= from {
        return Err(EwsError::new(
            "ErrorInvalidTimeInterval",
            "The end of the time window is before its start.",
        ));
    }
    if to - from > SPAN_MAX {
        return Err(EwsError::new("ErrorTimeIntervalTooBig", "The window is longer than 42 days."));
    }
    let minutes = t_text(options, "MergedFreeBusyIntervalInMinutes").and_then(|minutes| minutes.parse().ok());
    let minutes: i64 = minutes.unwrap_or(30);
    if !(5..=1440).contains(&minutes) {
        return Err(EwsError::new(
            "ErrorInvalidMergedFreeBusyInterval",
            "The interval is not within 5 and 1440.",
        ));
    }
    Ok(AvailabilityQuery { intervals: Intervals { from, to, step: TimeDelta::minutes(minutes) }, bias })
}

/// The offset from UTC: that of the request's `TimeZone`, or of the `TimeZoneContext` header that newer clients send
/// instead.
fn bias(request: Node<'_, '_>) -> Result<TimeDelta, EwsError> {
    let refused = |text: &str| EwsError::new("ErrorTimeZone", text);
    if let Some(zone) = t(request, "TimeZone") {
        let minutes = t_text(zone, "Bias").and_then(|bias| bias.parse::<i16>().ok());
        let minutes = minutes.ok_or_else(|| refused("The time zone has no bias."))?;
        return Ok(TimeDelta::minutes(i64::from(minutes)));
    }
    let mut header = request.document().root_element().descendants();
    let context = header.find(|node| node.tag_name().name() == "TimeZoneContext");
    match context.and_then(|context| t(context, "TimeZoneDefinition")?.attribute("Id")) {
        Some("UTC") => Ok(TimeDelta::zero()),
        Some(_) => Err(refused("The simulator supports only UTC in TimeZoneContext.")),
        None => Err(refused("The request has no time zone.")),
    }
}

fn one(context: &RequestContext<'_>, query: &AvailabilityQuery, data: Node<'_, '_>) -> String {
    let address = t(data, "Email").and_then(|email| t_text(email, "Address")).unwrap_or_default();
    let by_x500 = || context.world.mailboxes().find(|mailbox| key(&mailbox.entry.legacy_dn) == key(&address));
    match context.world.mailbox(&address).or_else(by_x500) {
        Some(mailbox) => match mailbox.entry.availability_fails {
            Some(code) => failure(&EwsError::new(code, "Scripted.")),
            None => free_busy(query, mailbox),
        },
        None => failure(&EwsError::new(
            "ErrorMailRecipientNotFound",
            "Unable to resolve the address to a mailbox.",
        )),
    }
}

/// The error of one mailbox among the results of the others.
fn failure(refusal: &EwsError) -> String {
    format!(
        r#"<m:FreeBusyResponse><m:ResponseMessage ResponseClass="Error">{}</m:ResponseMessage></m:FreeBusyResponse>"#,
        error_elements(refusal)
    )
}

fn free_busy(query: &AvailabilityQuery, mailbox: &Mailbox) -> String {
    let events = views::window(mailbox, query.intervals.from, query.intervals.to);
    let shown: String = events.iter().map(|event| calendar_event(query, event)).collect();
    let array = if events.is_empty() {
        shown
    } else {
        format!("<t:CalendarEventArray>{shown}</t:CalendarEventArray>")
    };
    format!(
        r#"<m:FreeBusyResponse><m:ResponseMessage ResponseClass="Success"><m:ResponseCode>NoError</m:ResponseCode></m:ResponseMessage><m:FreeBusyView>{}{}{array}</m:FreeBusyView></m:FreeBusyResponse>"#,
        element("FreeBusyViewType", "DetailedMerged"),
        element("MergedFreeBusy", &merged(query.intervals, &events, state))
    )
}

/// Times are local to the request's time zone and have no offset.
fn calendar_event(query: &AvailabilityQuery, event: &EventInstance<'_>) -> String {
    let local = |at: DateTime<Utc>| (at - query.bias).format("%Y-%m-%dT%H:%M:%S").to_string();
    format!(
        "<t:CalendarEvent>{}{}{}</t:CalendarEvent>",
        element("StartTime", &local(event.start)),
        element("EndTime", &local(event.end)),
        element("BusyType", event.details.busy.wire_name())
    )
}

fn state(event: &EventInstance<'_>) -> char {
    match event.details.busy {
        FreeBusyType::Free | FreeBusyType::Elsewhere => '0',
        FreeBusyType::Tentative => '1',
        FreeBusyType::Busy => '2',
        FreeBusyType::Away => '3',
        FreeBusyType::NoData => '4',
    }
}
