//! Decodes the value of a property: one function for each kind of value in the table of fields. Never fails because of a value: an
//! unreadable one is none.

use super::super::error::DecodeResult;
use super::super::rules::names;
use super::document::{XmlDocument, XmlElement};
use super::mailboxes;
pub(super) use super::mailboxes::{attendees, strings};
use super::namespace::Namespace;
use super::value;
pub(super) use super::value::{boolean, number, time};
use crate::ews::types::{
    CalendarItemType, FreeBusyStatus, ItemId, Mailbox, Occurrence, ResponseType, Sensitivity, Text,
};

/// `t:ItemId`.
pub(super) fn item_id<'a>(
    _: &mut XmlDocument<'a>,
    element: &XmlElement<'a>,
) -> DecodeResult<Option<ItemId<'a>>> {
    Ok(mailboxes::id(element))
}

/// Text.
pub(super) fn text<'a>(
    document: &mut XmlDocument<'a>,
    element: &XmlElement<'a>,
) -> DecodeResult<Option<Text<'a>>> {
    document.text(element).map(Some)
}

/// `t:Sensitivity`.
pub(super) fn sensitivity<'a>(
    document: &mut XmlDocument<'a>,
    element: &XmlElement<'a>,
) -> DecodeResult<Option<Sensitivity<'a>>> {
    Ok(value::token(document, element)?.map(names::sensitivity))
}

/// `t:LegacyFreeBusyStatus`.
pub(super) fn free_busy_status<'a>(
    document: &mut XmlDocument<'a>,
    element: &XmlElement<'a>,
) -> DecodeResult<Option<FreeBusyStatus<'a>>> {
    Ok(value::token(document, element)?.map(names::free_busy_status))
}

/// `t:CalendarItemType`.
pub(super) fn calendar_item_type<'a>(
    document: &mut XmlDocument<'a>,
    element: &XmlElement<'a>,
) -> DecodeResult<Option<CalendarItemType<'a>>> {
    Ok(value::token(document, element)?.map(names::calendar_item_type))
}

/// `t:MyResponseType`.
pub(super) fn response_type<'a>(
    document: &mut XmlDocument<'a>,
    element: &XmlElement<'a>,
) -> DecodeResult<Option<ResponseType<'a>>> {
    Ok(value::token(document, element)?.map(names::response_type))
}

/// `t:Organizer`.
pub(super) fn organizer<'a>(
    document: &mut XmlDocument<'a>,
    element: &XmlElement<'a>,
) -> DecodeResult<Option<Mailbox<'a>>> {
    mailboxes::mailbox_inside(document, element, "Mailbox")
}

/// `t:ModifiedOccurrences`.
pub(super) fn occurrences<'a>(
    document: &mut XmlDocument<'a>,
    list: &XmlElement<'a>,
) -> DecodeResult<Vec<Occurrence<'a>>> {
    mailboxes::list(document, list, "Occurrence", occurrence)
}

/// `t:OccurrenceInfo`.
fn occurrence<'a>(document: &mut XmlDocument<'a>, element: &XmlElement<'a>) -> DecodeResult<Occurrence<'a>> {
    let mut date = Occurrence::default();
    document.children(element, |document, child| {
        match child.local_name_in(Namespace::Types) {
            "ItemId" => date.item_id = mailboxes::id(child),
            "Start" => date.start = time(document, child)?,
            "End" => date.end = time(document, child)?,
            "OriginalStart" => date.original_start = time(document, child)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(date)
}
