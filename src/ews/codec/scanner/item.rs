//! Items: the calendar item, field by field, and every other kind by its name and id.
//!
//! A calendar item is read in two stages. *As written*: each field that we ask for, in the order of the schema, is
//! compared as one literal, so that an item which has them all in order costs nothing but comparisons. Whatever is
//! left (another order, white space, fields nobody asked for) goes *in any order*, each field looked up by name.

use chrono::{DateTime, Utc};

use super::super::bytes::{Narrow, Vector, Wide};
use super::super::rules::{self, names};
use super::cursor::Cursor;
use super::markup::Tag;
use super::value::IdLens;
use super::{Reason, Scan, lists, value};
use crate::ews::types::{CalendarItem, Item, Occurrence, OtherItem, Sensitivity};

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
            match Wide::find() {
                Some(wide) => wide.run(
                    #[inline(always)]
                    || calendar_items(wide, cursor, items),
                )?,
                None => calendar_items(Narrow, cursor, items)?,
            }
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
fn calendar_items<'a, V: Vector>(vector: V, cursor: &mut Cursor<'a>, items: &mut Vec<Item<'a>>) -> Scan<()> {
    let mut lens = IdLens::default();
    while cursor.literal("<t:CalendarItem>") {
        cursor.count_entry()?;
        calendar_item(vector, cursor, items, &mut lens)?;
    }
    Ok(())
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

/// Another kind of item: messages are few and read without haste.
fn other<'a>(cursor: &mut Cursor<'a>, tag: &Tag<'a>) -> Scan<Item<'a>> {
    let Some(element) = tag.name.strip_prefix("t:") else { return cursor.decline(Reason::Namespace) };
    let mut item = OtherItem { element: element.into(), ..OtherItem::default() };
    while let Some(child) = cursor.child(tag)? {
        match child.name {
            "t:ItemId" => put!(cursor, item.item_id, lists::item_id(cursor, &child)?),
            "t:ItemClass" => put!(cursor, item.item_class, cursor.text_of(&child)?),
            "t:DateTimeSent" => put!(cursor, item.date_time_sent, time_of(cursor, &child)?),
            "t:UID" => put!(cursor, item.uid, cursor.text_of(&child)?),
            "t:Start" => put!(cursor, item.start, time_of(cursor, &child)?),
            _ => cursor.skip(&child)?,
        }
    }
    Ok(Item::Other(Box::new(item)))
}

/// A field if it is next, as one literal on either side of its value, into its empty place in an item.
macro_rules! next {
    ($vector:ident, $rest:ident, $place:expr, $name:literal, $read:path) => {
        if let Some(inside) = $rest.strip_prefix(concat!("<t:", $name, ">"))
            && let Some(after) = $read($vector, inside, &mut $place)
        {
            match after.strip_prefix(concat!("</t:", $name, ">")) {
                Some(after) => $rest = after,
                None => $place = None,
            }
        }
    };
    // Where one value is nearly always the one, its whole element is a literal: what follows need not wait for a length.
    ($vector:ident, $rest:ident, $place:expr, $name:literal, $read:path, mostly $text:literal $value:path) => {
        if let Some(after) = $rest.strip_prefix(concat!("<t:", $name, ">", $text, "</t:", $name, ">")) {
            value::fill(&mut $place, $value);
            $rest = after;
        } else {
            next!($vector, $rest, $place, $name, $read);
        }
    };
    ($vector:ident, $rest:ident, $place:expr, $read:path) => {
        if let Some(after) = $read($vector, $rest, &mut $place) {
            $rest = after;
        }
    };
}

/// Reads the fields that we ask for, as far as they come in the order of the schema, into a new item; answers what
/// follows them. Each value goes straight to its place: an item is too large to be moved about.
#[inline(always)]
fn as_written<'a, V: Vector>(
    vector: V,
    mut rest: &'a str,
    item: &mut CalendarItem<'a>,
    lens: &mut IdLens,
) -> &'a str {
    if let Some(after) = value::item_id_as_before(vector, rest, &mut item.item_id, lens) {
        rest = after;
    }
    next!(vector, rest, item.subject, "Subject", value::text);
    next!(vector, rest, item.sensitivity, "Sensitivity", value::sensitivity, mostly "Normal" Sensitivity::Normal);
    next!(vector, rest, item.date_time_created, "DateTimeCreated", value::time);
    next!(vector, rest, item.last_modified_time, "LastModifiedTime", value::time);
    next!(vector, rest, item.uid, "UID", value::text);
    next!(vector, rest, item.recurrence_id, "RecurrenceId", value::time);
    next!(vector, rest, item.start, "Start", value::time);
    next!(vector, rest, item.end, "End", value::time);
    next!(vector, rest, item.original_start, "OriginalStart", value::time);
    next!(vector, rest, item.is_all_day_event, "IsAllDayEvent", value::boolean);
    next!(vector, rest, item.legacy_free_busy_status, "LegacyFreeBusyStatus", value::free_busy_status);
    next!(vector, rest, item.location, "Location", value::text);
    next!(vector, rest, item.is_meeting, "IsMeeting", value::boolean);
    next!(vector, rest, item.is_cancelled, "IsCancelled", value::boolean);
    next!(vector, rest, item.is_recurring, "IsRecurring", value::boolean);
    next!(vector, rest, item.calendar_item_type, "CalendarItemType", value::calendar_item_type);
    next!(vector, rest, item.my_response_type, "MyResponseType", value::response_type);
    next!(vector, rest, item.organizer, value::organizer);
    next!(vector, rest, item.appointment_state, "AppointmentState", value::number);
    next!(vector, rest, item.is_organizer, "IsOrganizer", value::boolean);
    rest
}

/// After `<t:CalendarItem>`: the fields, and the end tag.
#[inline(always)]
fn calendar_item<'a, V: Vector>(
    vector: V,
    cursor: &mut Cursor<'a>,
    items: &mut Vec<Item<'a>>,
    lens: &mut IdLens,
) -> Scan<()> {
    items.push(const { Item::Calendar(CalendarItem::EMPTY) });
    let Some(Item::Calendar(item)) = items.last_mut() else { return cursor.decline(Reason::Structure) };
    cursor.jump(as_written(vector, cursor.rest(), item, lens));
    if cursor.literal("</t:CalendarItem>") { Ok(()) } else { in_any_order(vector, cursor, item) }
}

/// A calendar item among white space: field by field.
fn spaced_item<'a>(cursor: &mut Cursor<'a>, items: &mut Vec<Item<'a>>) -> Scan<()> {
    let mut item = CalendarItem::default();
    in_any_order(Narrow, cursor, &mut item)?;
    items.push(Item::Calendar(item));
    Ok(())
}

/// The rest of an item's fields, each looked up by name, and the item's end tag.
#[inline(never)]
fn in_any_order<'a, V: Vector>(vector: V, cursor: &mut Cursor<'a>, item: &mut CalendarItem<'a>) -> Scan<()> {
    loop {
        let rest = cursor.rest();
        cursor.jump(vector.run(
            #[inline(always)]
            || by_name(vector, rest, item),
        ));
        cursor.space();
        if cursor.literal("</t:CalendarItem>") {
            return Ok(());
        }
        let tag = cursor.open()?;
        field(cursor, &tag, item)?;
    }
}

/// A field that is not there yet, if it is the one that is next, into its place.
macro_rules! place {
    ($vector:ident, $rest:ident, $place:expr, $inside:ident, $name:literal, $read:path) => {
        if $place.is_none()
            && let Some(inside) = $inside.strip_prefix(concat!($name, ">"))
            && let Some(after) = $read($vector, inside, &mut $place)
        {
            match after.strip_prefix(concat!("</t:", $name, ">")) {
                Some(after) => $rest = after,
                None => {
                    $place = None;
                    return $rest;
                }
            }
        } else {
            return $rest;
        }
    };
    ($vector:ident, $rest:ident, $place:expr, $read:path) => {
        if $place.is_none()
            && let Some(after) = $read($vector, $rest, &mut $place)
        {
            $rest = after;
        } else {
            return $rest;
        }
    };
}

/// Fields in any order while each is as Exchange writes it; answers where the first begins that is not.
#[inline(always)]
fn by_name<'a, V: Vector>(vector: V, mut rest: &'a str, item: &mut CalendarItem<'a>) -> &'a str {
    loop {
        let Some(inside) = rest.strip_prefix("<t:") else { return rest };
        let Some(front) = inside.as_bytes().first_chunk() else { return rest };
        match Field::guess(*front) {
            Field::ItemId => place!(vector, rest, item.item_id, value::item_id),
            Field::Organizer => place!(vector, rest, item.organizer, value::organizer),
            Field::Subject => place!(vector, rest, item.subject, inside, "Subject", value::text),
            Field::Sensitivity => {
                place!(vector, rest, item.sensitivity, inside, "Sensitivity", value::sensitivity)
            }
            Field::DateTimeCreated => {
                place!(vector, rest, item.date_time_created, inside, "DateTimeCreated", value::time)
            }
            Field::LastModifiedTime => {
                place!(vector, rest, item.last_modified_time, inside, "LastModifiedTime", value::time)
            }
            Field::Uid => place!(vector, rest, item.uid, inside, "UID", value::text),
            Field::RecurrenceId => {
                place!(vector, rest, item.recurrence_id, inside, "RecurrenceId", value::time)
            }
            Field::Start => place!(vector, rest, item.start, inside, "Start", value::time),
            Field::End => place!(vector, rest, item.end, inside, "End", value::time),
            Field::OriginalStart => {
                place!(vector, rest, item.original_start, inside, "OriginalStart", value::time)
            }
            Field::IsAllDayEvent => {
                place!(vector, rest, item.is_all_day_event, inside, "IsAllDayEvent", value::boolean)
            }
            Field::LegacyFreeBusyStatus => place!(
                vector,
                rest,
                item.legacy_free_busy_status,
                inside,
                "LegacyFreeBusyStatus",
                value::free_busy_status
            ),
            Field::Location => place!(vector, rest, item.location, inside, "Location", value::text),
            Field::IsMeeting => place!(vector, rest, item.is_meeting, inside, "IsMeeting", value::boolean),
            Field::IsCancelled => {
                place!(vector, rest, item.is_cancelled, inside, "IsCancelled", value::boolean)
            }
            Field::IsRecurring => {
                place!(vector, rest, item.is_recurring, inside, "IsRecurring", value::boolean)
            }
            Field::CalendarItemType => place!(
                vector,
                rest,
                item.calendar_item_type,
                inside,
                "CalendarItemType",
                value::calendar_item_type
            ),
            Field::MyResponseType => {
                place!(vector, rest, item.my_response_type, inside, "MyResponseType", value::response_type)
            }
            Field::AppointmentState => {
                place!(vector, rest, item.appointment_state, inside, "AppointmentState", value::number)
            }
            Field::IsOrganizer => {
                place!(vector, rest, item.is_organizer, inside, "IsOrganizer", value::boolean)
            }
            Field::Categories | Field::RequiredAttendees | Field::OptionalAttendees | Field::Resources => {
                return rest;
            }
        }
    }
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
        return rare_field(cursor, tag, item);
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

/// What only a series master has, or nobody here knows.
fn rare_field<'a>(cursor: &mut Cursor<'a>, tag: &Tag<'a>, item: &mut CalendarItem<'a>) -> Scan<()> {
    if tag.name != "t:ModifiedOccurrences" {
        return cursor.skip(tag);
    }
    put_list!(cursor, item.modified_occurrences, lists::list(cursor, tag, "t:Occurrence", occurrence)?);
    Ok(())
}

fn occurrence<'a>(cursor: &mut Cursor<'a>, tag: &Tag<'a>) -> Scan<Occurrence<'a>> {
    let mut date = Occurrence::default();
    while let Some(child) = cursor.child(tag)? {
        match child.name {
            "t:ItemId" => put!(cursor, date.item_id, lists::item_id(cursor, &child)?),
            "t:Start" => put!(cursor, date.start, time_of(cursor, &child)?),
            "t:End" => put!(cursor, date.end, time_of(cursor, &child)?),
            "t:OriginalStart" => put!(cursor, date.original_start, time_of(cursor, &child)?),
            _ => cursor.skip(&child)?,
        }
    }
    Ok(date)
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

/// Their names.
const FIELDS: [(&str, Field); 25] = [
    ("ItemId", Field::ItemId),
    ("Subject", Field::Subject),
    ("Sensitivity", Field::Sensitivity),
    ("Categories", Field::Categories),
    ("DateTimeCreated", Field::DateTimeCreated),
    ("LastModifiedTime", Field::LastModifiedTime),
    ("UID", Field::Uid),
    ("RecurrenceId", Field::RecurrenceId),
    ("Start", Field::Start),
    ("End", Field::End),
    ("OriginalStart", Field::OriginalStart),
    ("IsAllDayEvent", Field::IsAllDayEvent),
    ("LegacyFreeBusyStatus", Field::LegacyFreeBusyStatus),
    ("Location", Field::Location),
    ("IsMeeting", Field::IsMeeting),
    ("IsCancelled", Field::IsCancelled),
    ("IsRecurring", Field::IsRecurring),
    ("CalendarItemType", Field::CalendarItemType),
    ("MyResponseType", Field::MyResponseType),
    ("Organizer", Field::Organizer),
    ("RequiredAttendees", Field::RequiredAttendees),
    ("OptionalAttendees", Field::OptionalAttendees),
    ("Resources", Field::Resources),
    ("AppointmentState", Field::AppointmentState),
    ("IsOrganizer", Field::IsOrganizer),
];

/// Places in the table of fields: enough that a multiplier which sends no two of them to one place is soon found.
const PLACES: usize = 64;

/// Sends every field to a place of its own; found by the compiler.
const MIX: u32 = {
    let mut mix = 0x9e37_79b1;
    while fields_by_place(mix).is_none() {
        mix += 2;
    }
    mix
};

/// Every field in its place, and any field in the places between: a guess is always compared with the name.
const PLACED: [Field; PLACES] = match fields_by_place(MIX) {
    Some(fields) => fields,
    None => [Field::ItemId; PLACES],
};

/// The fields' first four letters tell them apart, where `>` counts as a letter.
const fn place(front: [u8; 4], mix: u32) -> usize {
    (u32::from_le_bytes(front).wrapping_mul(mix) >> 26) as usize
}

const fn front(name: &[u8]) -> Option<[u8; 4]> {
    match name {
        [a, b, c] => Some([*a, *b, *c, b'>']),
        [a, b, c, d, ..] => Some([*a, *b, *c, *d]),
        _ => None,
    }
}

const fn fields_by_place(mix: u32) -> Option<[Field; PLACES]> {
    let mut fields = [Field::ItemId; PLACES];
    let mut taken = [false; PLACES];
    let mut at = 0;
    while at < FIELDS.len() {
        let (name, field) = FIELDS[at];
        let Some(front) = front(name.as_bytes()) else { return None };
        let place = place(front, mix);
        if taken[place] {
            return None;
        }
        taken[place] = true;
        fields[place] = field;
        at += 1;
    }
    Some(fields)
}

impl Field {
    /// The only field whose start tag can begin with `<t:` and these four bytes.
    #[inline(always)]
    fn guess(front: [u8; 4]) -> Self {
        PLACED[place(front, MIX)]
    }

    fn named(name: &[u8]) -> Option<Self> {
        let field = Self::guess(front(name)?);
        (FIELDS[field as usize].0.as_bytes() == name).then_some(field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_found_by_its_name_and_by_no_other() {
        for (at, (name, field)) in FIELDS.into_iter().enumerate() {
            assert_eq!(field as usize, at, "{name} stands in its own row");
            assert!(Field::named(name.as_bytes()).is_some_and(|found| found as usize == at), "{name}");
            for other in [&name[..name.len() - 1], &format!("{name}s"), ""] {
                assert!(Field::named(other.as_bytes()).is_none(), "{other}");
            }
        }
    }
}
