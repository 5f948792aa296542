//! Availability, whose answer has a shape of its own: per mailbox a `m:FreeBusyResponse`, in which the message and what
//! it is about stand side by side.
//!
//! Never passes over an event it cannot read: a room would look free that is not.

use chrono::{DateTime, Utc};

use super::super::error::{DecodeError, Deviation};
use super::super::rules::names;
use super::document::{Document, Element};
use super::message::{self, missing};
use super::namespace::Namespace;
use super::{payload, value};
use crate::ews::op::{CalendarEvent, FreeBusyView};
use crate::ews::types::{FreeBusyStatus, ResponseMessage};

type Result<T> = std::result::Result<T, DecodeError>;

type Message<'a> = ResponseMessage<'a, FreeBusyView<'a>>;

/// `m:GetUserAvailabilityResponse`. Suggestions, which we never ask for, are stepped over.
pub(super) fn availability<'a>(
    document: &mut Document<'a>,
    answer: &Element<'a>,
) -> Result<Vec<Message<'a>>> {
    let mut found = None;
    document.children(answer, |document, child| {
        if child.is(Namespace::Messages, "FreeBusyResponseArray") {
            found = Some(responses(document, child)?);
        }
        Ok(())
    })?;
    found.ok_or_else(|| missing("FreeBusyResponseArray", answer))
}

fn responses<'a>(document: &mut Document<'a>, array: &Element<'a>) -> Result<Vec<Message<'a>>> {
    let mut responses = Vec::new();
    document.children(array, |document, child| {
        if child.is(Namespace::Messages, "FreeBusyResponse") {
            responses.push(response(document, child)?);
        }
        Ok(())
    })?;
    Ok(responses)
}

fn response<'a>(document: &mut Document<'a>, element: &Element<'a>) -> Result<Message<'a>> {
    let (mut said, mut seen) = (None, FreeBusyView::default());
    document.children(element, |document, child| {
        match child.local_in(Namespace::Messages) {
            "ResponseMessage" => said = Some(message::message(document, child, payload::nothing)?),
            "FreeBusyView" => seen = view(document, child)?,
            _ => {}
        }
        Ok(())
    })?;
    let ResponseMessage { class, code, message_text, message_xml, payload: () } =
        said.ok_or_else(|| missing("ResponseMessage", element))?;
    Ok(ResponseMessage { class, code, message_text, message_xml, payload: seen })
}

fn view<'a>(document: &mut Document<'a>, element: &Element<'a>) -> Result<FreeBusyView<'a>> {
    let mut view = FreeBusyView::default();
    document.children(element, |document, child| {
        match child.local_in(Namespace::Types) {
            "FreeBusyViewType" => view.view_type = value::token(document, child)?,
            "MergedFreeBusy" => view.merged = value::token(document, child)?,
            "CalendarEventArray" => view.events = events(document, child)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(view)
}

fn events<'a>(document: &mut Document<'a>, array: &Element<'a>) -> Result<Vec<CalendarEvent<'a>>> {
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

fn event<'a>(document: &mut Document<'a>, element: &Element<'a>) -> Result<CalendarEvent<'a>> {
    let (mut start, mut end, mut busy_type) = (None, None, None);
    document.children(element, |document, child| {
        match child.local_in(Namespace::Types) {
            "StartTime" => start = Some(moment(document, child, "StartTime")?),
            "EndTime" => end = Some(moment(document, child, "EndTime")?),
            "BusyType" => busy_type = Some(status(document, child)?),
            _ => {}
        }
        Ok(())
    })?;
    Ok(CalendarEvent {
        start: start.ok_or_else(|| missing("StartTime", element))?,
        end: end.ok_or_else(|| missing("EndTime", element))?,
        busy_type: busy_type.ok_or_else(|| missing("BusyType", element))?,
    })
}

fn moment<'a>(
    document: &mut Document<'a>,
    element: &Element<'a>,
    name: &'static str,
) -> Result<DateTime<Utc>> {
    value::time(document, element)?.ok_or_else(|| unreadable(name, element))
}

fn status<'a>(document: &mut Document<'a>, element: &Element<'a>) -> Result<FreeBusyStatus<'a>> {
    let name = value::token(document, element)?.ok_or_else(|| unreadable("BusyType", element))?;
    Ok(names::free_busy_status(name))
}

#[cold]
fn unreadable(name: &'static str, element: &Element<'_>) -> DecodeError {
    DecodeError::new(Deviation::Value { element: name }, element.offset)
}
