//! Scans availability, whose elements have no prefix: the messages namespace is the default one, and each value declares the types
//! namespace anew. Every tag is one literal, so no namespace remains to be resolved; declines whatever is spelt otherwise.

use super::super::byte_scanner::{Avx2, Baseline, ByteScanner};
use super::super::rules::time;
use super::cursor::Cursor;
use super::declarations::namespace;
use super::declined::{DeclineReason, ScanResult};
use super::value::{self, ValueAndRest};
use crate::ews::code::ResponseCode;
use crate::ews::op::{CalendarEvent, FreeBusyView, GetUserAvailabilityAnswer};
use crate::ews::types::{ResponseClass, ResponseMessage, Text};

/// The start tag of a value, with its declaration.
macro_rules! start_tag {
    ($name:literal) => {
        concat!("<", $name, " xmlns=\"", namespace!(types), "\">")
    };
}

const SUCCESS: &str =
    "<ResponseMessage ResponseClass=\"Success\"><ResponseCode>NoError</ResponseCode></ResponseMessage>";

/// `WorkingHours` up to the periods, without the texts between the literals.
const TIME_ZONE: &[&str] = &[
    "<TimeZone><Bias>",
    "</Bias><StandardTime><Bias>",
    "</Bias><Time>",
    "</Time><DayOrder>",
    "</DayOrder><Month>",
    "</Month><DayOfWeek>",
    "</DayOfWeek></StandardTime><DaylightTime><Bias>",
    "</Bias><Time>",
    "</Time><DayOrder>",
    "</DayOrder><Month>",
    "</Month><DayOfWeek>",
    "</DayOfWeek></DaylightTime></TimeZone><WorkingPeriodArray>",
];

const WORKING_PERIOD: &[&str] = &[
    "<WorkingPeriod><DayOfWeek>",
    "</DayOfWeek><StartTimeInMinutes>",
    "</StartTimeInMinutes><EndTimeInMinutes>",
    "</EndTimeInMinutes></WorkingPeriod>",
];

/// The children of `CalendarEventDetails`, some of which are missing.
const DETAILS: [&[&str]; 8] = [
    &["<ID>", "</ID>"],
    &["<Subject>", "</Subject>"],
    &["<Location>", "</Location>"],
    &["<IsMeeting>", "</IsMeeting>"],
    &["<IsRecurring>", "</IsRecurring>"],
    &["<IsException>", "</IsException>"],
    &["<IsReminderSet>", "</IsReminderSet>"],
    &["<IsPrivate>", "</IsPrivate>"],
];

/// Content and end tag of `GetUserAvailabilityResponse`, into an empty list.
pub(super) fn availability<'a>(
    cursor: &mut Cursor<'a>,
    responses: &mut GetUserAvailabilityAnswer<'a>,
) -> ScanResult<()> {
    cursor.expect_literal("<FreeBusyResponseArray>")?;
    while cursor.skip_literal("<FreeBusyResponse>") {
        cursor.count_entry()?;
        responses.push(ResponseMessage {
            class: ResponseClass::Success,
            code: ResponseCode("NoError".into()),
            message_text: None,
            message_xml: Vec::new(),
            payload: FreeBusyView::default(),
        });
        let Some(added) = responses.last_mut() else { return cursor.decline(DeclineReason::Structure) };
        response(cursor, added)?;
    }
    cursor.expect_literal("</FreeBusyResponseArray></GetUserAvailabilityResponse>")
}

/// Content and end tag of `FreeBusyResponse`.
#[inline]
fn response<'a>(
    cursor: &mut Cursor<'a>,
    response: &mut ResponseMessage<'a, FreeBusyView<'a>>,
) -> ScanResult<()> {
    if !cursor.skip_literal(SUCCESS) {
        cursor.expect_literal("<ResponseMessage ResponseClass=\"Error\"><MessageText>")?;
        response.class = ResponseClass::Error;
        cursor.text_into(&mut response.message_text)?;
        cursor.expect_literal("</MessageText><ResponseCode>")?;
        response.code = ResponseCode(Text::Borrowed(cursor.token()?));
        cursor
            .expect_literal("</ResponseCode><DescriptiveLinkKey>0</DescriptiveLinkKey></ResponseMessage>")?;
    }
    if cursor.skip_literal("<FreeBusyView>") {
        view(cursor, &mut response.payload)?;
    }
    cursor.expect_literal("</FreeBusyResponse>")
}

/// Content and end tag of `FreeBusyView`.
fn view<'a>(cursor: &mut Cursor<'a>, view: &mut FreeBusyView<'a>) -> ScanResult<()> {
    if cursor.skip_literal(start_tag!("FreeBusyViewType")) {
        view.view_type = Some(Text::Borrowed(cursor.token()?));
        cursor.expect_literal("</FreeBusyViewType>")?;
    }
    if cursor.skip_literal(start_tag!("MergedFreeBusy")) {
        view.merged = Some(Text::Borrowed(cursor.token()?));
        cursor.expect_literal("</MergedFreeBusy>")?;
    }
    if cursor.skip_literal(start_tag!("CalendarEventArray")) {
        match Avx2::detect() {
            Some(avx2) => avx2.with_target_features(
                #[inline(always)]
                || events(avx2, cursor, &mut view.events),
            )?,
            None => events(Baseline, cursor, &mut view.events)?,
        }
    }
    if cursor.skip_literal(start_tag!("WorkingHours")) {
        skip_working_hours(cursor)?;
    }
    cursor.expect_literal("</FreeBusyView>")
}

/// The events, and the end tag of their list.
#[inline(always)]
fn events<'a, V: ByteScanner>(
    vector: V,
    cursor: &mut Cursor<'a>,
    events: &mut Vec<CalendarEvent<'a>>,
) -> ScanResult<()> {
    while let Some((event, rest)) = event(vector, cursor.rest()) {
        cursor.count_entry()?;
        cursor.jump_to(rest);
        events.push(event);
        if cursor.skip_literal("<CalendarEventDetails>") {
            skip_details(cursor)?;
        }
        cursor.expect_literal("</CalendarEvent>")?;
    }
    cursor.expect_literal("</CalendarEventArray>")
}

/// Times in the zone of the request, and the status; the end tag may follow, or details.
#[inline(always)]
fn event<'a, V: ByteScanner>(vector: V, rest: &'a str) -> ValueAndRest<'a, CalendarEvent<'a>> {
    let rest = rest.strip_prefix("<CalendarEvent><StartTime>")?;
    let start = time::zoneless_seconds(rest.as_bytes().first_chunk()?)?;
    let rest = rest.get(19..)?.strip_prefix("</StartTime><EndTime>")?;
    let end = time::zoneless_seconds(rest.as_bytes().first_chunk()?)?;
    let rest = rest.get(19..)?.strip_prefix("</EndTime><BusyType>")?;
    let mut busy_type = None;
    let rest = value::free_busy_status(vector, rest, &mut busy_type)?.strip_prefix("</BusyType>")?;
    Some((CalendarEvent { start: Some(start), end: Some(end), busy_type }, rest))
}

#[inline(never)]
fn skip_details(cursor: &mut Cursor<'_>) -> ScanResult<()> {
    for child in DETAILS {
        if cursor.rest().starts_with(child[0]) {
            skip_between(cursor, child)?;
        }
    }
    cursor.expect_literal("</CalendarEventDetails>")
}

fn skip_working_hours(cursor: &mut Cursor<'_>) -> ScanResult<()> {
    skip_between(cursor, TIME_ZONE)?;
    while cursor.rest().starts_with(WORKING_PERIOD[0]) {
        skip_between(cursor, WORKING_PERIOD)?;
    }
    cursor.expect_literal("</WorkingPeriodArray></WorkingHours>")
}

/// Skips the literals and the texts between them.
fn skip_between(cursor: &mut Cursor<'_>, literals: &[&str]) -> ScanResult<()> {
    let Some((last, others)) = literals.split_last() else { return Ok(()) };
    for literal in others {
        cursor.expect_literal(literal)?;
        let Some(next) = memchr::memchr(b'<', cursor.rest().as_bytes()) else {
            return cursor.decline(DeclineReason::Markup);
        };
        cursor.take(next);
    }
    cursor.expect_literal(last)
}
