//! Items: the calendar item, field by field, and every other kind by its name and id.
//!
//! A calendar item is read in two stages. *As written*: each field that we ask for, in the order of the schema, is
//! compared as one literal, so that an item which has them all in order costs nothing but comparisons. Whatever is
//! left (another order, white space, fields nobody asked for) goes *in any order*, each field looked up by name.

use chrono::{DateTime, Utc};

use super::super::bytes;
use super::super::rules::{self, names};
use super::cursor::Cursor;
use super::markup::Tag;
use super::{Reason, Scan, lists, value};
use crate::ews::types::{CalendarItem, Item};

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
        if !list.empty {
            bytes::widest(
                #[inline(always)]
                || calendar_items(cursor, items),
            )?;
        }
        let Some(child) = cursor.child(list)? else { return Ok(()) };
        cursor.count_entry()?;
        match child.name {
            "t:CalendarItem" if child.empty => items.push(Item::Calendar(CalendarItem::default())),
            "t:CalendarItem" => spaced_item(cursor, items)?,
            _ => items.push(other(cursor, &child)?),
        }
    }
}

#[inline(always)]
fn calendar_items<'a>(cursor: &mut Cursor<'a>, items: &mut Vec<Item<'a>>) -> Scan<()> {
    while cursor.literal("<t:CalendarItem>") {
        cursor.count_entry()?;
        calendar_item(cursor, items)?;
    }
    Ok(())
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

/// A field if it is next, as one literal on either side of its value, into its place in a new item.
macro_rules! next {
    ($rest:ident, $place:expr, $name:literal, $read:path) => {
        if let Some(after) = $rest.strip_prefix(concat!("<t:", $name, ">"))
            && let Some((value, after)) = $read(after)
            && let Some(after) = after.strip_prefix(concat!("</t:", $name, ">"))
        {
            $rest = after;
            fill(&mut $place, value);
        }
    };
    ($rest:ident, $place:expr, $read:path) => {
        if let Some((value, after)) = $read($rest) {
            $rest = after;
            fill(&mut $place, value);
        }
    };
}

/// Puts a value into an empty place, without looking whether there is anything to drop.
#[inline(always)]
fn fill<T>(place: &mut Option<T>, value: T) {
    std::mem::forget(place.replace(value));
}

/// Reads the fields that we ask for, as far as they come in the order of the schema, into a new item; answers what
/// follows them. Each value goes straight to its place: an item is too large to be moved about.
#[inline(always)]
fn as_written<'a>(mut rest: &'a str, item: &mut CalendarItem<'a>) -> &'a str {
    next!(rest, item.item_id, value::item_id);
    next!(rest, item.subject, "Subject", value::text);
    next!(rest, item.sensitivity, "Sensitivity", value::sensitivity);
    next!(rest, item.date_time_created, "DateTimeCreated", value::time);
    next!(rest, item.last_modified_time, "LastModifiedTime", value::time);
    next!(rest, item.uid, "UID", value::text);
    next!(rest, item.recurrence_id, "RecurrenceId", value::time);
    next!(rest, item.start, "Start", value::time);
    next!(rest, item.end, "End", value::time);
    next!(rest, item.original_start, "OriginalStart", value::time);
    next!(rest, item.is_all_day_event, "IsAllDayEvent", value::boolean);
    next!(rest, item.legacy_free_busy_status, "LegacyFreeBusyStatus", value::free_busy_status);
    next!(rest, item.location, "Location", value::text);
    next!(rest, item.is_meeting, "IsMeeting", value::boolean);
    next!(rest, item.is_cancelled, "IsCancelled", value::boolean);
    next!(rest, item.is_recurring, "IsRecurring", value::boolean);
    next!(rest, item.calendar_item_type, "CalendarItemType", value::calendar_item_type);
    next!(rest, item.my_response_type, "MyResponseType", value::response_type);
    next!(rest, item.organizer, value::organizer);
    rest
}

/// After `<t:CalendarItem>`: the fields, and the end tag.
#[inline(always)]
fn calendar_item<'a>(cursor: &mut Cursor<'a>, items: &mut Vec<Item<'a>>) -> Scan<()> {
    items.resize_with(items.len() + 1, || Item::Calendar(CalendarItem::default()));
    let Some(Item::Calendar(item)) = items.last_mut() else { return cursor.decline(Reason::Structure) };
    cursor.jump(as_written(cursor.rest(), item));
    if cursor.literal("</t:CalendarItem>") { Ok(()) } else { in_any_order(cursor, item) }
}

/// A calendar item among white space: field by field.
fn spaced_item<'a>(cursor: &mut Cursor<'a>, items: &mut Vec<Item<'a>>) -> Scan<()> {
    let mut item = CalendarItem::default();
    in_any_order(cursor, &mut item)?;
    items.push(Item::Calendar(item));
    Ok(())
}

/// The rest of an item's fields, each looked up by name, and the item's end tag.
#[inline(never)]
fn in_any_order<'a>(cursor: &mut Cursor<'a>, item: &mut CalendarItem<'a>) -> Scan<()> {
    loop {
        cursor.jump(by_name(cursor.rest(), item));
        cursor.space();
        if cursor.literal("</t:CalendarItem>") {
            return Ok(());
        }
        let tag = cursor.open()?;
        field(cursor, &tag, item)?;
    }
}

/// A field that is not there yet, known by its name already, put into its place.
macro_rules! place {
    ($place:expr, $rest:ident, $after:ident, $name:literal, $read:path) => {
        if $place.is_none()
            && let Some((value, after)) = $read($after)
            && let Some(after) = after.strip_prefix(concat!("</t:", $name, ">"))
        {
            $place = Some(value);
            $rest = after;
        } else {
            return $rest;
        }
    };
    ($place:expr, $rest:ident, $read:path) => {
        match $read($rest) {
            Some((value, after)) if $place.is_none() => {
                $place = Some(value);
                $rest = after;
            }
            _ => return $rest,
        }
    };
}

/// Fields in any order while each is as Exchange writes it; answers where the first begins that is not.
#[inline(always)]
fn by_name<'a>(mut rest: &'a str, item: &mut CalendarItem<'a>) -> &'a str {
    loop {
        let Some(inside) = rest.strip_prefix("<t:") else { return rest };
        let Some((name, after)) = inside.split_at_checked(bytes::name_len(inside.as_bytes())) else {
            return rest;
        };
        let Some(field) = Field::named(name.as_bytes()) else { return rest };
        let Some(after) = after.strip_prefix('>').or(field.has_attributes().then_some("")) else {
            return rest;
        };
        match field {
            Field::ItemId => place!(item.item_id, rest, value::item_id),
            Field::Subject => place!(item.subject, rest, after, "Subject", value::text),
            Field::Sensitivity => place!(item.sensitivity, rest, after, "Sensitivity", value::sensitivity),
            Field::DateTimeCreated => {
                place!(item.date_time_created, rest, after, "DateTimeCreated", value::time)
            }
            Field::LastModifiedTime => {
                place!(item.last_modified_time, rest, after, "LastModifiedTime", value::time);
            }
            Field::Uid => place!(item.uid, rest, after, "UID", value::text),
            Field::RecurrenceId => place!(item.recurrence_id, rest, after, "RecurrenceId", value::time),
            Field::Start => place!(item.start, rest, after, "Start", value::time),
            Field::End => place!(item.end, rest, after, "End", value::time),
            Field::OriginalStart => place!(item.original_start, rest, after, "OriginalStart", value::time),
            Field::IsAllDayEvent => {
                place!(item.is_all_day_event, rest, after, "IsAllDayEvent", value::boolean)
            }
            Field::LegacyFreeBusyStatus => {
                let place = &mut item.legacy_free_busy_status;
                place!(*place, rest, after, "LegacyFreeBusyStatus", value::free_busy_status);
            }
            Field::Location => place!(item.location, rest, after, "Location", value::text),
            Field::IsMeeting => place!(item.is_meeting, rest, after, "IsMeeting", value::boolean),
            Field::IsCancelled => place!(item.is_cancelled, rest, after, "IsCancelled", value::boolean),
            Field::IsRecurring => place!(item.is_recurring, rest, after, "IsRecurring", value::boolean),
            Field::CalendarItemType => {
                let place = &mut item.calendar_item_type;
                place!(*place, rest, after, "CalendarItemType", value::calendar_item_type);
            }
            Field::MyResponseType => {
                place!(item.my_response_type, rest, after, "MyResponseType", value::response_type);
            }
            Field::Organizer => place!(item.organizer, rest, value::organizer),
            Field::IsOrganizer => place!(item.is_organizer, rest, after, "IsOrganizer", value::boolean),
            Field::Categories
            | Field::RequiredAttendees
            | Field::OptionalAttendees
            | Field::Resources
            | Field::AppointmentState => return rest,
        }
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

/// Any field, in whatever well-formed way it is written.
#[inline(never)]
fn field<'a>(cursor: &mut Cursor<'a>, tag: &Tag<'a>, item: &mut CalendarItem<'a>) -> Scan<()> {
    let Some(field) = tag.name.strip_prefix("t:").and_then(|name| Field::named(name.as_bytes())) else {
        return cursor.skip(tag);
    };
    match field {
        Field::ItemId => put!(cursor, item.item_id, lists::item_id(cursor, tag)?),
        Field::Subject => put!(cursor, item.subject, cursor.text_of(tag)?),
        Field::Sensitivity => put!(cursor, item.sensitivity, names::sensitivity(cursor.token_of(tag)?)),
        Field::Categories => put_list!(cursor, item.categories, lists::strings(cursor, tag)?),
        Field::DateTimeCreated => put!(cursor, item.date_time_created, time_of(cursor, tag)?),
        Field::LastModifiedTime => put!(cursor, item.last_modified_time, time_of(cursor, tag)?),
        Field::Uid => put!(cursor, item.uid, cursor.text_of(tag)?),
        Field::RecurrenceId => put!(cursor, item.recurrence_id, time_of(cursor, tag)?),
        Field::Start => put!(cursor, item.start, time_of(cursor, tag)?),
        Field::End => put!(cursor, item.end, time_of(cursor, tag)?),
        Field::OriginalStart => put!(cursor, item.original_start, time_of(cursor, tag)?),
        Field::IsAllDayEvent => put!(cursor, item.is_all_day_event, boolean_of(cursor, tag)?),
        Field::LegacyFreeBusyStatus => {
            put!(cursor, item.legacy_free_busy_status, names::free_busy_status(cursor.token_of(tag)?));
        }
        Field::Location => put!(cursor, item.location, cursor.text_of(tag)?),
        Field::IsMeeting => put!(cursor, item.is_meeting, boolean_of(cursor, tag)?),
        Field::IsCancelled => put!(cursor, item.is_cancelled, boolean_of(cursor, tag)?),
        Field::IsRecurring => put!(cursor, item.is_recurring, boolean_of(cursor, tag)?),
        Field::CalendarItemType => {
            put!(cursor, item.calendar_item_type, names::calendar_item_type(cursor.token_of(tag)?));
        }
        Field::MyResponseType => {
            put!(cursor, item.my_response_type, names::response_type(cursor.token_of(tag)?));
        }
        Field::Organizer => put!(cursor, item.organizer, lists::organizer(cursor, tag)?),
        Field::RequiredAttendees => {
            put_list!(cursor, item.required_attendees, lists::attendees(cursor, tag)?)
        }
        Field::OptionalAttendees => {
            put_list!(cursor, item.optional_attendees, lists::attendees(cursor, tag)?)
        }
        Field::Resources => put_list!(cursor, item.resources, lists::attendees(cursor, tag)?),
        Field::AppointmentState => put!(cursor, item.appointment_state, number_of(cursor, tag)?),
        Field::IsOrganizer => put!(cursor, item.is_organizer, boolean_of(cursor, tag)?),
    }
    Ok(())
}

fn time_of<'a>(cursor: &mut Cursor<'a>, tag: &Tag<'a>) -> Scan<DateTime<Utc>> {
    let text = cursor.token_of(tag)?;
    match rules::time::date_time(&text) {
        Some(time) => Ok(time),
        None => cursor.decline(Reason::Value),
    }
}

fn boolean_of<'a>(cursor: &mut Cursor<'a>, tag: &Tag<'a>) -> Scan<bool> {
    let text = cursor.token_of(tag)?;
    match rules::boolean(&text) {
        Some(value) => Ok(value),
        None => cursor.decline(Reason::Value),
    }
}

fn number_of<'a>(cursor: &mut Cursor<'a>, tag: &Tag<'a>) -> Scan<i32> {
    let digits = cursor.token_of(tag)?;
    match rules::number(&digits) {
        Some(value) => Ok(value),
        None => cursor.decline(Reason::Value),
    }
}

/// The fields we know.
#[derive(Clone, Copy)]
enum Field {
    ItemId,
    Subject,
    Sensitivity,
    Categories,
    DateTimeCreated,
    LastModifiedTime,
    Uid,
    RecurrenceId,
    Start,
    End,
    OriginalStart,
    IsAllDayEvent,
    LegacyFreeBusyStatus,
    Location,
    IsMeeting,
    IsCancelled,
    IsRecurring,
    CalendarItemType,
    MyResponseType,
    Organizer,
    RequiredAttendees,
    OptionalAttendees,
    Resources,
    AppointmentState,
    IsOrganizer,
}

impl Field {
    /// By length first, so that a name costs two comparisons at most.
    #[inline(always)]
    fn named(name: &[u8]) -> Option<Self> {
        let first = *name.first()?;
        let (known, field): (&[u8], _) = match (name.len(), first) {
            (3, b'E') => (b"End", Self::End),
            (3, _) => (b"UID", Self::Uid),
            (5, _) => (b"Start", Self::Start),
            (6, _) => (b"ItemId", Self::ItemId),
            (7, _) => (b"Subject", Self::Subject),
            (8, _) => (b"Location", Self::Location),
            (9, b'I') => (b"IsMeeting", Self::IsMeeting),
            (9, b'O') => (b"Organizer", Self::Organizer),
            (9, _) => (b"Resources", Self::Resources),
            (10, _) => (b"Categories", Self::Categories),
            (11, b'S') => (b"Sensitivity", Self::Sensitivity),
            (11, _) if name[2] == b'C' => (b"IsCancelled", Self::IsCancelled),
            (11, _) if name[2] == b'R' => (b"IsRecurring", Self::IsRecurring),
            (11, _) => (b"IsOrganizer", Self::IsOrganizer),
            (12, _) => (b"RecurrenceId", Self::RecurrenceId),
            (13, b'I') => (b"IsAllDayEvent", Self::IsAllDayEvent),
            (13, _) => (b"OriginalStart", Self::OriginalStart),
            (14, _) => (b"MyResponseType", Self::MyResponseType),
            (15, _) => (b"DateTimeCreated", Self::DateTimeCreated),
            (16, b'L') => (b"LastModifiedTime", Self::LastModifiedTime),
            (16, b'C') => (b"CalendarItemType", Self::CalendarItemType),
            (16, _) => (b"AppointmentState", Self::AppointmentState),
            (17, b'R') => (b"RequiredAttendees", Self::RequiredAttendees),
            (17, _) => (b"OptionalAttendees", Self::OptionalAttendees),
            (20, _) => (b"LegacyFreeBusyStatus", Self::LegacyFreeBusyStatus),
            _ => return None,
        };
        (known == name).then_some(field)
    }

    /// Fields that are read from their start tag on.
    #[inline(always)]
    fn has_attributes(self) -> bool {
        matches!(self, Self::ItemId)
    }
}
