//! Decodes availability, whose response has its own shape: per mailbox a `m:FreeBusyResponse` with the message and the free/busy
//! view side by side.
//!
//! Never skips an unreadable event: the room would look free although it is busy. The event is kept without its unreadable values, so
//! that one mailbox's event costs no other mailbox its response.

use super::super::error::DecodeResult;
use super::super::rules::names;
use super::document::{XmlDocument, XmlElement};
use super::message::{self, missing};
use super::namespace::Namespace;
use super::{payload, value};
use crate::ews::op::{CalendarEvent, FreeBusyView};
use crate::ews::types::ResponseMessage;

type AvailabilityMessage<'a> = ResponseMessage<'a, FreeBusyView<'a>>;

/// `m:GetUserAvailabilityResponse`. Skips suggestions, which Adjourn never requests.
pub(super) fn availability<'a>(
    document: &mut XmlDocument<'a>,
    answer: &XmlElement<'a>,
) -> DecodeResult<Vec<AvailabilityMessage<'a>>> {
    let mut found = None;
    document.children(answer, |document, child| {
        if child.is(Namespace::Messages, "FreeBusyResponseArray") {
            found = Some(responses(document, child)?);
        }
        Ok(())
    })?;
    found.ok_or_else(|| missing("FreeBusyResponseArray", answer))
}

fn responses<'a>(
    document: &mut XmlDocument<'a>,
    array: &XmlElement<'a>,
) -> DecodeResult<Vec<AvailabilityMessage<'a>>> {
    let mut responses = Vec::new();
    document.children(array, |document, child| {
        if child.is(Namespace::Messages, "FreeBusyResponse") {
            responses.push(response(document, child)?);
        }
        Ok(())
    })?;
    Ok(responses)
}

fn response<'a>(
    document: &mut XmlDocument<'a>,
    element: &XmlElement<'a>,
) -> DecodeResult<AvailabilityMessage<'a>> {
    let (mut message, mut free_busy) = (None, FreeBusyView::default());
    document.children(element, |document, child| {
        match child.local_name_in(Namespace::Messages) {
            "ResponseMessage" => message = Some(message::message(document, child, payload::no_payload)?),
            "FreeBusyView" => free_busy = view(document, child)?,
            _ => {}
        }
        Ok(())
    })?;
    let ResponseMessage { class, code, message_text, message_xml, payload: () } =
        message.ok_or_else(|| missing("ResponseMessage", element))?;
    Ok(ResponseMessage { class, code, message_text, message_xml, payload: free_busy })
}

fn view<'a>(document: &mut XmlDocument<'a>, element: &XmlElement<'a>) -> DecodeResult<FreeBusyView<'a>> {
    let mut view = FreeBusyView::default();
    document.children(element, |document, child| {
        match child.local_name_in(Namespace::Types) {
            "FreeBusyViewType" => view.view_type = value::token(document, child)?,
            "MergedFreeBusy" => view.merged = value::token(document, child)?,
            "CalendarEventArray" => view.events = events(document, child)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(view)
}

fn events<'a>(
    document: &mut XmlDocument<'a>,
    array: &XmlElement<'a>,
) -> DecodeResult<Vec<CalendarEvent<'a>>> {
    let mut events = Vec::new();
    document.children(array, |document, child| {
        if child.is(Namespace::Types, "CalendarEvent") {
            document.count_entry(child)?;
            events.push(event(document, child)?);
        }
        Ok(())
    })?;
    Ok(events)
}

fn event<'a>(document: &mut XmlDocument<'a>, element: &XmlElement<'a>) -> DecodeResult<CalendarEvent<'a>> {
    let mut event = CalendarEvent::default();
    document.children(element, |document, child| {
        match child.local_name_in(Namespace::Types) {
            "StartTime" => event.start = value::time(document, child)?,
            "EndTime" => event.end = value::time(document, child)?,
            "BusyType" => event.busy_type = value::token(document, child)?.map(names::free_busy_status),
            _ => {}
        }
        Ok(())
    })?;
    Ok(event)
}
