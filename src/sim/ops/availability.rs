//! `GetUserAvailability`: when each mailbox is taken, in the order asked. The request's zone counts by its standing bias
//! alone; daylight saving is not done.

use chrono::{DateTime, TimeDelta, Utc};
use roxmltree::Node;

use super::Desk;
use crate::sim::event::Busy;
use crate::sim::soap_in::{Refusal, elements, instant, need_m, need_t, t, t_text};
use crate::sim::soap_out::{element, explanation, response};
use crate::sim::views::{self, View};
use crate::sim::world::{Mailbox, key};

/// Mailboxes of one request.
const MAILBOXES_MAX: usize = 100;
/// The longest window.
const SPAN_MAX: TimeDelta = TimeDelta::days(42);

/// What was asked about every mailbox.
struct Asked {
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    step: TimeDelta,
    bias: TimeDelta,
}

pub(super) fn answer(desk: &Desk<'_>, request: Node<'_, '_>) -> Result<String, Refusal> {
    let asked = asked(request)?;
    let mailboxes: Vec<_> = elements(need_m(request, "MailboxDataArray")?).collect();
    if mailboxes.is_empty() {
        return Err(Refusal::new("ErrorMailboxDataArrayEmpty", "There is no mailbox in the request."));
    }
    if mailboxes.len() > MAILBOXES_MAX {
        return Err(Refusal::new(
            "ErrorMailboxDataArrayTooBig",
            "There are more than 100 mailboxes in the request.",
        ));
    }
    let all: String = mailboxes.into_iter().map(|data| one(desk, &asked, data)).collect();
    let array = format!("<m:FreeBusyResponseArray>{all}</m:FreeBusyResponseArray>");
    Ok(response("GetUserAvailability", "", &array))
}

fn asked(request: Node<'_, '_>) -> Result<Asked, Refusal> {
    let bias = bias(request)?;
    let options = need_t(request, "FreeBusyViewOptions")?;
    let window = need_t(options, "TimeWindow")?;
    let edge = |name| {
        let at = t_text(window, name).as_deref().and_then(instant);
        at.map(|at| at + bias).ok_or_else(|| Refusal::schema(window, "The window has no such edge."))
    };
    let (from, to) = (edge("StartTime")?, edge("EndTime")?);
    if to <= from {
        return Err(Refusal::new("ErrorInvalidTimeInterval", "The window ends before it starts."));
    }
    if to - from > SPAN_MAX {
        return Err(Refusal::new("ErrorTimeIntervalTooBig", "The window is longer than 42 days."));
    }
    let minutes = t_text(options, "MergedFreeBusyIntervalInMinutes").and_then(|minutes| minutes.parse().ok());
    let minutes: i64 = minutes.unwrap_or(30);
    if !(5..=1440).contains(&minutes) {
        return Err(Refusal::new(
            "ErrorInvalidMergedFreeBusyInterval",
            "The interval is not within 5 and 1440.",
        ));
    }
    Ok(Asked { from, to, step: TimeDelta::minutes(minutes), bias })
}

/// The zone's distance from UTC: of the request's own zone, or of that in its header, which newer clients send instead.
fn bias(request: Node<'_, '_>) -> Result<TimeDelta, Refusal> {
    let refused = |text: &str| Refusal::new("ErrorTimeZone", text);
    if let Some(zone) = t(request, "TimeZone") {
        let minutes = t_text(zone, "Bias").and_then(|bias| bias.parse::<i16>().ok());
        let minutes = minutes.ok_or_else(|| refused("The time zone has no bias."))?;
        return Ok(TimeDelta::minutes(i64::from(minutes)));
    }
    let mut header = request.document().root_element().descendants();
    let context = header.find(|node| node.tag_name().name() == "TimeZoneContext");
    match context.and_then(|context| t(context, "TimeZoneDefinition")?.attribute("Id")) {
        Some("UTC") => Ok(TimeDelta::zero()),
        Some(_) => Err(refused("Of the zones of a TimeZoneContext the simulator has UTC only.")),
        None => Err(refused("The request has no time zone.")),
    }
}

fn one(desk: &Desk<'_>, asked: &Asked, data: Node<'_, '_>) -> String {
    let address = t(data, "Email").and_then(|email| t_text(email, "Address")).unwrap_or_default();
    let by_x500 = || desk.world.mailboxes().find(|mailbox| key(&mailbox.entry.legacy_dn) == key(&address));
    match desk.world.mailbox(&address).or_else(by_x500) {
        Some(mailbox) => match mailbox.entry.availability_fails {
            Some(code) => failure(&Refusal::new(code, "Scripted.")),
            None => free_busy(asked, mailbox),
        },
        None => failure(&Refusal::new(
            "ErrorMailRecipientNotFound",
            "Unable to resolve the address to a mailbox.",
        )),
    }
}

/// What one mailbox's failure is among the answers for the others.
fn failure(refusal: &Refusal) -> String {
    format!(
        r#"<m:FreeBusyResponse><m:ResponseMessage ResponseClass="Error">{}</m:ResponseMessage></m:FreeBusyResponse>"#,
        explanation(refusal)
    )
}

fn free_busy(asked: &Asked, mailbox: &Mailbox) -> String {
    let events = views::window(mailbox, asked.from, asked.to);
    let shown: String = events.iter().map(|event| calendar_event(asked, event)).collect();
    let array = if events.is_empty() {
        shown
    } else {
        format!("<t:CalendarEventArray>{shown}</t:CalendarEventArray>")
    };
    format!(
        r#"<m:FreeBusyResponse><m:ResponseMessage ResponseClass="Success"><m:ResponseCode>NoError</m:ResponseCode></m:ResponseMessage><m:FreeBusyView>{}{}{array}</m:FreeBusyView></m:FreeBusyResponse>"#,
        element("FreeBusyViewType", "DetailedMerged"),
        element("MergedFreeBusy", &merged(asked, &events))
    )
}

/// Times are in the zone of the request, without an offset.
fn calendar_event(asked: &Asked, event: &View<'_>) -> String {
    let local = |at: DateTime<Utc>| (at - asked.bias).format("%Y-%m-%dT%H:%M:%S").to_string();
    format!(
        "<t:CalendarEvent>{}{}{}</t:CalendarEvent>",
        element("StartTime", &local(event.start)),
        element("EndTime", &local(event.end)),
        element("BusyType", event.details.busy.word())
    )
}

fn merged(asked: &Asked, events: &[View<'_>]) -> String {
    let mut digits = String::new();
    let mut at = asked.from;
    while at < asked.to {
        let next = at + asked.step;
        let states = events.iter().filter(|event| event.start < next && at < event.end).map(state);
        digits.push(states.max().unwrap_or('0'));
        at = next;
    }
    digits
}

fn state(event: &View<'_>) -> char {
    match event.details.busy {
        Busy::Free | Busy::Elsewhere => '0',
        Busy::Tentative => '1',
        Busy::Busy => '2',
        Busy::Away => '3',
        Busy::NoData => '4',
    }
}
