//! Decodes items: a calendar item with its known properties, any other kind with its name and id. Never fails because of one value.

use super::super::error::DecodeResult;
use super::super::rules::names;
use super::document::{XmlDocument, XmlElement};
use super::namespace::Namespace;
use super::{mailboxes, value};
use crate::ews::types::{CalendarItem, Item, Occurrence, OtherItem};

/// A list of items, whatever the list's name.
pub(super) fn items<'a>(
    document: &mut XmlDocument<'a>,
    list: &XmlElement<'a>,
) -> DecodeResult<Vec<Item<'a>>> {
    let mut items = Vec::new();
    document.children(list, |document, child| {
        document.count_entry(child)?;
        items.push(item(document, child)?);
        Ok(())
    })?;
    Ok(items)
}

fn item<'a>(document: &mut XmlDocument<'a>, element: &XmlElement<'a>) -> DecodeResult<Item<'a>> {
    if element.is(Namespace::Types, "CalendarItem") {
        return calendar_item(document, element).map(Item::Calendar);
    }
    other_item(document, element).map(|other| Item::Other(Box::new(other)))
}

fn other_item<'a>(document: &mut XmlDocument<'a>, element: &XmlElement<'a>) -> DecodeResult<OtherItem<'a>> {
    let mut item = OtherItem { element: element.local_name.into(), ..OtherItem::default() };
    document.children(element, |document, child| {
        match child.local_name_in(Namespace::Types) {
            "ItemId" => item.item_id = mailboxes::id(child),
            "ItemClass" => item.item_class = Some(document.text(child)?),
            "DateTimeSent" => item.date_time_sent = value::time(document, child)?,
            "UID" => item.uid = Some(document.text(child)?),
            "Start" => item.start = value::time(document, child)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(item)
}

fn calendar_item<'a>(
    document: &mut XmlDocument<'a>,
    element: &XmlElement<'a>,
) -> DecodeResult<CalendarItem<'a>> {
    let mut item = CalendarItem::default();
    document.children(element, |document, child| property(document, child, &mut item))?;
    Ok(item)
}

/// One property; the caller skips an unknown one.
fn property<'a>(
    document: &mut XmlDocument<'a>,
    child: &XmlElement<'a>,
    item: &mut CalendarItem<'a>,
) -> DecodeResult<()> {
    match child.local_name_in(Namespace::Types) {
        "ItemId" => item.item_id = mailboxes::id(child),
        "Subject" => item.subject = Some(document.text(child)?),
        "Sensitivity" => item.sensitivity = value::token(document, child)?.map(names::sensitivity),
        "Categories" => item.categories = mailboxes::strings(document, child)?,
        "DateTimeCreated" => item.date_time_created = value::time(document, child)?,
        "LastModifiedTime" => item.last_modified_time = value::time(document, child)?,
        "UID" => item.uid = Some(document.text(child)?),
        "RecurrenceId" => item.recurrence_id = value::time(document, child)?,
        "Start" => item.start = value::time(document, child)?,
        "End" => item.end = value::time(document, child)?,
        "OriginalStart" => item.original_start = value::time(document, child)?,
        "IsAllDayEvent" => item.is_all_day_event = value::boolean(document, child)?,
        "LegacyFreeBusyStatus" => {
            item.legacy_free_busy_status = value::token(document, child)?.map(names::free_busy_status);
        }
        "Location" => item.location = Some(document.text(child)?),
        "IsMeeting" => item.is_meeting = value::boolean(document, child)?,
        "IsCancelled" => item.is_cancelled = value::boolean(document, child)?,
        "IsRecurring" => item.is_recurring = value::boolean(document, child)?,
        "CalendarItemType" => {
            item.calendar_item_type = value::token(document, child)?.map(names::calendar_item_type);
        }
        "MyResponseType" => {
            item.my_response_type = value::token(document, child)?.map(names::response_type);
        }
        "Organizer" => item.organizer = mailboxes::mailbox_inside(document, child, "Mailbox")?,
        "RequiredAttendees" => item.required_attendees = mailboxes::attendees(document, child)?,
        "OptionalAttendees" => item.optional_attendees = mailboxes::attendees(document, child)?,
        "Resources" => item.resources = mailboxes::attendees(document, child)?,
        "ModifiedOccurrences" => {
            item.modified_occurrences = mailboxes::list(document, child, "Occurrence", occurrence)?
        }
        "AppointmentState" => item.appointment_state = value::number(document, child)?,
        "IsOrganizer" => item.is_organizer = value::boolean(document, child)?,
        _ => {}
    }
    Ok(())
}

/// `t:OccurrenceInfo`.
fn occurrence<'a>(document: &mut XmlDocument<'a>, element: &XmlElement<'a>) -> DecodeResult<Occurrence<'a>> {
    let mut date = Occurrence::default();
    document.children(element, |document, child| {
        match child.local_name_in(Namespace::Types) {
            "ItemId" => date.item_id = mailboxes::id(child),
            "Start" => date.start = value::time(document, child)?,
            "End" => date.end = value::time(document, child)?,
            "OriginalStart" => date.original_start = value::time(document, child)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(date)
}
