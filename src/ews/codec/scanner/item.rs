//! Items: the calendar item, field by field, and every other kind by its name and id.
//!
//! A calendar item is read in two stages. *As written*: each field that we ask for, in the order of the schema, is
//! compared as one literal, so that an item which has them all in order costs nothing but comparisons. Whatever is
//! left (another order, white space, fields nobody asked for) goes *in any order*, each field looked up by name.

use chrono::{DateTime, Utc};

use super::super::rules::{self, names};
use super::cursor::Cursor;
use super::markup::Tag;
use super::{Reason, Scan, lists};
use crate::ews::types::{CalendarItem, FreeBusyStatus, Item, ItemId, Sensitivity, Text};

/// Items we make room for before we have seen them: the number comes from a stranger.
const EXPECTED_MAX: usize = 1000;

/// The smallest element an item can be, so that no promise makes us reserve more than the body can hold.
const ITEM_BYTES_MIN: usize = 64;

/// What is inside a list of items, and its end tag.
pub(super) fn items<'a>(
    cursor: &mut Cursor<'a>,
    list: &Tag<'a>,
    expected: usize,
    items: &mut Vec<Item<'a>>,
) -> Scan<()> {
    items.reserve(expected.min(EXPECTED_MAX).min(cursor.rest().len() / ITEM_BYTES_MIN));
    loop {
        while !list.empty && cursor.literal("<t:CalendarItem>") {
            cursor.count_entry()?;
            items.push(Item::Calendar(calendar_item(cursor)?));
        }
        let Some(child) = cursor.child(list)? else { return Ok(()) };
        cursor.count_entry()?;
        items.push(match child.name {
            "t:CalendarItem" if child.empty => Item::Calendar(CalendarItem::default()),
            "t:CalendarItem" => Item::Calendar(calendar_item(cursor)?),
            _ => other(cursor, &child)?,
        });
    }
}

fn other<'a>(cursor: &mut Cursor<'a>, tag: &Tag<'a>) -> Scan<Item<'a>> {
    let Some(element) = tag.name.strip_prefix("t:") else { return cursor.decline(Reason::Namespace) };
    let mut item_id = None;
    while let Some(child) = cursor.child(tag)? {
        if child.name != "t:ItemId" {
            cursor.skip(&child)?;
        } else if item_id.replace(lists::item_id(cursor, &child)?).is_some() {
            return cursor.decline(Reason::Twice);
        }
    }
    Ok(Item::Other { element: element.into(), item_id })
}

/// A field as one literal on either side: `text!(cursor, "Subject")`.
macro_rules! as_written {
    ($cursor:ident, $name:literal, $read:expr) => {
        if $cursor.literal(concat!("<t:", $name, ">")) {
            let value = $read($cursor)?;
            $cursor.expect(concat!("</t:", $name, ">"))?;
            Some(value)
        } else {
            None
        }
    };
}

/// After `<t:CalendarItem>`: the fields, and the end tag.
#[inline]
fn calendar_item<'a>(cursor: &mut Cursor<'a>) -> Scan<CalendarItem<'a>> {
    let c = cursor;
    let mut item = CalendarItem {
        item_id: item_id_as_written(c)?,
        subject: as_written!(c, "Subject", Cursor::text),
        sensitivity: as_written!(c, "Sensitivity", sensitivity),
        categories: Vec::new(),
        date_time_created: as_written!(c, "DateTimeCreated", time),
        last_modified_time: as_written!(c, "LastModifiedTime", time),
        uid: as_written!(c, "UID", Cursor::text),
        recurrence_id: as_written!(c, "RecurrenceId", time),
        start: as_written!(c, "Start", time),
        end: as_written!(c, "End", time),
        original_start: as_written!(c, "OriginalStart", time),
        is_all_day_event: as_written!(c, "IsAllDayEvent", boolean),
        legacy_free_busy_status: as_written!(c, "LegacyFreeBusyStatus", free_busy_status),
        location: as_written!(c, "Location", Cursor::text),
        is_meeting: as_written!(c, "IsMeeting", boolean),
        is_cancelled: as_written!(c, "IsCancelled", boolean),
        is_recurring: as_written!(c, "IsRecurring", boolean),
        calendar_item_type: as_written!(c, "CalendarItemType", token).map(names::calendar_item_type),
        my_response_type: as_written!(c, "MyResponseType", token).map(names::response_type),
        organizer: organizer_as_written(c)?,
        required_attendees: Vec::new(),
        optional_attendees: Vec::new(),
        resources: Vec::new(),
        appointment_state: None,
        is_organizer: None,
    };
    if !c.literal("</t:CalendarItem>") {
        in_any_order(c, &mut item)?;
    }
    Ok(item)
}

#[inline(always)]
fn item_id_as_written<'a>(cursor: &mut Cursor<'a>) -> Scan<Option<ItemId<'a>>> {
    let start = cursor.rest();
    if cursor.literal("<t:ItemId Id=\"") {
        let id = cursor.value()?;
        if cursor.literal("\" ChangeKey=\"") {
            let change_key = Some(cursor.value()?);
            if cursor.literal("\"/>") {
                return Ok(Some(ItemId { id, change_key }));
            }
        }
        cursor.jump(start);
    }
    Ok(None)
}

#[inline(always)]
fn organizer_as_written<'a>(cursor: &mut Cursor<'a>) -> Scan<Option<crate::ews::types::Mailbox<'a>>> {
    if !cursor.rest().starts_with("<t:Organizer>") {
        return Ok(None);
    }
    let tag = cursor.open()?;
    lists::organizer(cursor, &tag).map(Some)
}

#[inline(always)]
fn time(cursor: &mut Cursor<'_>) -> Scan<DateTime<Utc>> {
    if let Some(fixed) = cursor.rest().as_bytes().first_chunk::<20>()
        && let Some(time) = rules::time::utc_seconds(fixed)
    {
        cursor.take(20);
        return Ok(time);
    }
    slow_time(cursor)
}

#[cold]
fn slow_time(cursor: &mut Cursor<'_>) -> Scan<DateTime<Utc>> {
    match rules::time::date_time(&cursor.text()?) {
        Some(time) => Ok(time),
        None => cursor.decline(Reason::Value),
    }
}

#[inline(always)]
fn boolean(cursor: &mut Cursor<'_>) -> Scan<bool> {
    if cursor.literal("false") {
        return Ok(false);
    }
    if cursor.literal("true") {
        return Ok(true);
    }
    match rules::boolean(&cursor.text()?) {
        Some(value) => Ok(value),
        None => cursor.decline(Reason::Value),
    }
}

/// A name: never empty, no white space around it.
#[inline(always)]
fn token<'a>(cursor: &mut Cursor<'a>) -> Scan<Text<'a>> {
    match cursor.text()? {
        Text::Borrowed(text) if !text.is_empty() && !text.starts_with(SPACE) && !text.ends_with(SPACE) => {
            Ok(Text::Borrowed(text))
        }
        _ => cursor.decline(Reason::Value),
    }
}

const SPACE: [char; 4] = [' ', '\t', '\n', '\r'];

#[inline(always)]
fn sensitivity<'a>(cursor: &mut Cursor<'a>) -> Scan<Sensitivity<'a>> {
    if cursor.literal("Normal") && cursor.rest().starts_with('<') {
        return Ok(Sensitivity::Normal);
    }
    token(cursor).map(names::sensitivity)
}

#[inline(always)]
fn free_busy_status<'a>(cursor: &mut Cursor<'a>) -> Scan<FreeBusyStatus<'a>> {
    token(cursor).map(names::free_busy_status)
}

/// The rest of an item's fields, each looked up by name, and the item's end tag.
fn in_any_order<'a>(cursor: &mut Cursor<'a>, item: &mut CalendarItem<'a>) -> Scan<()> {
    loop {
        cursor.space();
        if cursor.literal("</t:CalendarItem>") {
            return Ok(());
        }
        let tag = cursor.open()?;
        field(cursor, &tag, item)?;
    }
}

/// Puts a value into its place, which must be free.
macro_rules! put {
    ($cursor:ident, $place:expr, $value:expr) => {{
        if $place.is_some() {
            return $cursor.decline(Reason::Twice);
        }
        $place = Some($value);
    }};
}

/// Puts a list into its place. An empty list is no mark of having been there, so that two lists where the first is
/// empty are one: the reader says the same.
macro_rules! put_list {
    ($cursor:ident, $place:expr, $value:expr) => {{
        if !$place.is_empty() {
            return $cursor.decline(Reason::Twice);
        }
        $place = $value;
    }};
}

#[inline]
fn field<'a>(cursor: &mut Cursor<'a>, tag: &Tag<'a>, item: &mut CalendarItem<'a>) -> Scan<()> {
    let Some(name) = tag.name.strip_prefix("t:") else { return cursor.skip(tag) };
    match name {
        "ItemId" => put!(cursor, item.item_id, lists::item_id(cursor, tag)?),
        "Subject" => put!(cursor, item.subject, cursor.text_of(tag)?),
        "Sensitivity" => put!(cursor, item.sensitivity, names::sensitivity(cursor.token_of(tag)?)),
        "Categories" => put_list!(cursor, item.categories, lists::strings(cursor, tag)?),
        "DateTimeCreated" => put!(cursor, item.date_time_created, time_of(cursor, tag)?),
        "LastModifiedTime" => put!(cursor, item.last_modified_time, time_of(cursor, tag)?),
        "UID" => put!(cursor, item.uid, cursor.text_of(tag)?),
        "RecurrenceId" => put!(cursor, item.recurrence_id, time_of(cursor, tag)?),
        "Start" => put!(cursor, item.start, time_of(cursor, tag)?),
        "End" => put!(cursor, item.end, time_of(cursor, tag)?),
        "OriginalStart" => put!(cursor, item.original_start, time_of(cursor, tag)?),
        "IsAllDayEvent" => put!(cursor, item.is_all_day_event, boolean_of(cursor, tag)?),
        "LegacyFreeBusyStatus" => {
            put!(cursor, item.legacy_free_busy_status, names::free_busy_status(cursor.token_of(tag)?));
        }
        "Location" => put!(cursor, item.location, cursor.text_of(tag)?),
        "IsMeeting" => put!(cursor, item.is_meeting, boolean_of(cursor, tag)?),
        "IsCancelled" => put!(cursor, item.is_cancelled, boolean_of(cursor, tag)?),
        "IsRecurring" => put!(cursor, item.is_recurring, boolean_of(cursor, tag)?),
        "CalendarItemType" => {
            put!(cursor, item.calendar_item_type, names::calendar_item_type(cursor.token_of(tag)?));
        }
        "MyResponseType" => put!(cursor, item.my_response_type, names::response_type(cursor.token_of(tag)?)),
        "Organizer" => put!(cursor, item.organizer, lists::organizer(cursor, tag)?),
        "RequiredAttendees" => put_list!(cursor, item.required_attendees, lists::attendees(cursor, tag)?),
        "OptionalAttendees" => put_list!(cursor, item.optional_attendees, lists::attendees(cursor, tag)?),
        "Resources" => put_list!(cursor, item.resources, lists::attendees(cursor, tag)?),
        "AppointmentState" => put!(cursor, item.appointment_state, number_of(cursor, tag)?),
        "IsOrganizer" => put!(cursor, item.is_organizer, boolean_of(cursor, tag)?),
        _ => cursor.skip(tag)?,
    }
    Ok(())
}

fn time_of(cursor: &mut Cursor<'_>, tag: &Tag<'_>) -> Scan<DateTime<Utc>> {
    valued(cursor, tag)?;
    let value = time(cursor)?;
    cursor.close(tag.name)?;
    Ok(value)
}

fn boolean_of(cursor: &mut Cursor<'_>, tag: &Tag<'_>) -> Scan<bool> {
    valued(cursor, tag)?;
    let value = boolean(cursor)?;
    cursor.close(tag.name)?;
    Ok(value)
}

fn number_of<'a>(cursor: &mut Cursor<'a>, tag: &Tag<'a>) -> Scan<i32> {
    let digits = cursor.token_of(tag)?;
    match rules::number(&digits) {
        Some(value) => Ok(value),
        None => cursor.decline(Reason::Value),
    }
}

/// A tag before a value: neither empty nor with attributes.
#[inline(always)]
fn valued(cursor: &Cursor<'_>, tag: &Tag<'_>) -> Scan<()> {
    if tag.empty || tag.attributes().next().is_some() { cursor.decline(Reason::Value) } else { Ok(()) }
}
