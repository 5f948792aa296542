//! Scans items: a calendar item field by field, any other kind with its name and id.
//!
//! A calendar item is read in two stages. First, in order: each requested field, in schema order, is compared as one literal, so an
//! item with all fields in order costs only comparisons. Then the remaining fields (another order, white space, fields that the request
//! did not include) are looked up by name. Never allocates for an item that borrows its text.

use chrono::{DateTime, Utc};

use super::super::byte_scanner::{Avx2, Baseline, ByteScanner};
use super::super::rules::{self, names};
use super::cursor::Cursor;
use super::declined::{DeclineReason, ScanResult};
use super::markup::Tag;
use super::value::IdLengths;
use super::{mailboxes, value};
use crate::ews::types::{CalendarItem, Item, Occurrence, OtherItem, Sensitivity};

/// Maximum items to reserve memory for in advance, because the count comes from the server.
const EXPECTED_MAX: usize = 1000;

/// The shortest possible item, so that the announced count never reserves more than the body can hold.
const ITEM_BYTES_MIN: usize = 64;

/// Content and end tag of a list of items.
pub(super) fn items<'a>(
    cursor: &mut Cursor<'a>,
    list: &Tag<'a>,
    expected: usize,
    items: &mut Vec<Item<'a>>,
) -> ScanResult<()> {
    items.reserve(expected.min(EXPECTED_MAX).min(cursor.rest().len() / ITEM_BYTES_MIN));
    loop {
        if !list.self_closing {
            match Avx2::find() {
                Some(wide) => wide.with_target_features(
                    #[inline(always)]
                    || calendar_items(wide, cursor, items),
                )?,
                None => calendar_items(Baseline, cursor, items)?,
            }
        }
        let Some(child) = cursor.next_child(list)? else { return Ok(()) };
        cursor.count_entry()?;
        match child.name {
            "t:CalendarItem" if child.self_closing => items.push(Item::Calendar(CalendarItem::default())),
            "t:CalendarItem" => spaced_item(cursor, items)?,
            _ => items.push(other_item(cursor, &child)?),
        }
    }
}

#[inline(always)]
fn calendar_items<'a, V: ByteScanner>(
    vector: V,
    cursor: &mut Cursor<'a>,
    items: &mut Vec<Item<'a>>,
) -> ScanResult<()> {
    let mut lens = IdLengths::default();
    while cursor.skip_literal("<t:CalendarItem>") {
        cursor.count_entry()?;
        calendar_item(vector, cursor, items, &mut lens)?;
    }
    Ok(())
}

/// Sets an empty property; declines if it is set already.
macro_rules! put {
    ($cursor:ident, $place:expr, $value:expr) => {{
        if $place.is_some() {
            return $cursor.decline(DeclineReason::Twice);
        }
        $place = Some($value);
    }};
}

/// Another kind of item. Messages are few, so this is not optimized.
fn other_item<'a>(cursor: &mut Cursor<'a>, tag: &Tag<'a>) -> ScanResult<Item<'a>> {
    let Some(element) = tag.name.strip_prefix("t:") else { return cursor.decline(DeclineReason::Namespace) };
    let mut item = OtherItem { element: element.into(), ..OtherItem::default() };
    while let Some(child) = cursor.next_child(tag)? {
        match child.name {
            "t:ItemId" => put!(cursor, item.item_id, mailboxes::item_id(cursor, &child)?),
            "t:ItemClass" => put!(cursor, item.item_class, cursor.text_of(&child)?),
            "t:DateTimeSent" => put!(cursor, item.date_time_sent, time_of(cursor, &child)?),
            "t:UID" => put!(cursor, item.uid, cursor.text_of(&child)?),
            "t:Start" => put!(cursor, item.start, time_of(cursor, &child)?),
            _ => cursor.skip_element(&child)?,
        }
    }
    Ok(Item::Other(Box::new(item)))
}

/// Reads a field if it is next, with one literal on either side of its value, into an empty property.
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
    // If one value is by far the most frequent, its whole element is one literal, so the next comparison need not wait for a length.
    ($vector:ident, $rest:ident, $place:expr, $name:literal, $read:path, mostly $text:literal $value:path) => {
        if let Some(after) = $rest.strip_prefix(concat!("<t:", $name, ">", $text, "</t:", $name, ">")) {
            value::set_empty(&mut $place, $value);
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

/// Reads the requested fields as long as they follow schema order, into a new item; returns the text after them. Writes each value in
/// place, because an item is too large to move.
#[inline(always)]
fn read_fields_in_order<'a, V: ByteScanner>(
    vector: V,
    mut rest: &'a str,
    item: &mut CalendarItem<'a>,
    lens: &mut IdLengths,
) -> &'a str {
    if let Some(after) = value::item_id_with_prediction(vector, rest, &mut item.item_id, lens) {
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

/// Reads the fields and the end tag after `<t:CalendarItem>`.
#[inline(always)]
fn calendar_item<'a, V: ByteScanner>(
    vector: V,
    cursor: &mut Cursor<'a>,
    items: &mut Vec<Item<'a>>,
    lens: &mut IdLengths,
) -> ScanResult<()> {
    items.push(const { Item::Calendar(CalendarItem::EMPTY) });
    let Some(Item::Calendar(item)) = items.last_mut() else {
        return cursor.decline(DeclineReason::Structure);
    };
    cursor.jump_to(read_fields_in_order(vector, cursor.rest(), item, lens));
    if cursor.skip_literal("</t:CalendarItem>") {
        Ok(())
    } else {
        read_remaining_fields(vector, cursor, item)
    }
}

/// A calendar item with white space around it, read field by field.
fn spaced_item<'a>(cursor: &mut Cursor<'a>, items: &mut Vec<Item<'a>>) -> ScanResult<()> {
    let mut item = CalendarItem::default();
    read_remaining_fields(Baseline, cursor, &mut item)?;
    items.push(Item::Calendar(item));
    Ok(())
}

/// Reads the remaining fields by name, and the item's end tag.
#[inline(never)]
fn read_remaining_fields<'a, V: ByteScanner>(
    vector: V,
    cursor: &mut Cursor<'a>,
    item: &mut CalendarItem<'a>,
) -> ScanResult<()> {
    loop {
        let rest = cursor.rest();
        cursor.jump_to(vector.with_target_features(
            #[inline(always)]
            || read_fields_by_name(vector, rest, item),
        ));
        cursor.skip_white_space();
        if cursor.skip_literal("</t:CalendarItem>") {
            return Ok(());
        }
        let tag = cursor.start_tag()?;
        field(cursor, &tag, item)?;
    }
}

/// Reads a field that is not set yet, if it is next.
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

/// Reads fields in any order as long as each has Exchange's form; returns the text from the first one that does not.
#[inline(always)]
fn read_fields_by_name<'a, V: ByteScanner>(
    vector: V,
    mut rest: &'a str,
    item: &mut CalendarItem<'a>,
) -> &'a str {
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

/// Sets an empty list; declines if it has entries already. An empty list leaves no trace, so two lists of which the first is empty
/// count as one, as in the reader.
macro_rules! put_list {
    ($cursor:ident, $place:expr, $value:expr) => {{
        if !$place.is_empty() {
            return $cursor.decline(DeclineReason::Twice);
        }
        $place = $value;
    }};
}

/// Reads any field in any well-formed spelling.
#[inline(never)]
fn field<'a>(cursor: &mut Cursor<'a>, tag: &Tag<'a>, item: &mut CalendarItem<'a>) -> ScanResult<()> {
    let Some(field) = tag.name.strip_prefix("t:").and_then(|name| Field::named(name.as_bytes())) else {
        return rare_field(cursor, tag, item);
    };
    match field {
        Field::ItemId => put!(cursor, item.item_id, mailboxes::item_id(cursor, tag)?),
        Field::Subject => put!(cursor, item.subject, cursor.text_of(tag)?),
        Field::Sensitivity => put!(cursor, item.sensitivity, names::sensitivity(cursor.token_of(tag)?)),
        Field::Categories => put_list!(cursor, item.categories, mailboxes::strings(cursor, tag)?),
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
        Field::Organizer => put!(cursor, item.organizer, mailboxes::organizer(cursor, tag)?),
        Field::RequiredAttendees => {
            put_list!(cursor, item.required_attendees, mailboxes::attendees(cursor, tag)?)
        }
        Field::OptionalAttendees => {
            put_list!(cursor, item.optional_attendees, mailboxes::attendees(cursor, tag)?)
        }
        Field::Resources => put_list!(cursor, item.resources, mailboxes::attendees(cursor, tag)?),
        Field::AppointmentState => put!(cursor, item.appointment_state, number_of(cursor, tag)?),
        Field::IsOrganizer => put!(cursor, item.is_organizer, boolean_of(cursor, tag)?),
    }
    Ok(())
}

/// A field of series masters, or an unknown one, which is skipped.
fn rare_field<'a>(cursor: &mut Cursor<'a>, tag: &Tag<'a>, item: &mut CalendarItem<'a>) -> ScanResult<()> {
    if tag.name != "t:ModifiedOccurrences" {
        return cursor.skip_element(tag);
    }
    put_list!(cursor, item.modified_occurrences, mailboxes::list(cursor, tag, "t:Occurrence", occurrence)?);
    Ok(())
}

fn occurrence<'a>(cursor: &mut Cursor<'a>, tag: &Tag<'a>) -> ScanResult<Occurrence<'a>> {
    let mut date = Occurrence::default();
    while let Some(child) = cursor.next_child(tag)? {
        match child.name {
            "t:ItemId" => put!(cursor, date.item_id, mailboxes::item_id(cursor, &child)?),
            "t:Start" => put!(cursor, date.start, time_of(cursor, &child)?),
            "t:End" => put!(cursor, date.end, time_of(cursor, &child)?),
            "t:OriginalStart" => put!(cursor, date.original_start, time_of(cursor, &child)?),
            _ => cursor.skip_element(&child)?,
        }
    }
    Ok(date)
}

fn time_of<'a>(cursor: &mut Cursor<'a>, tag: &Tag<'a>) -> ScanResult<DateTime<Utc>> {
    let text = cursor.token_of(tag)?;
    match rules::time::date_time(&text) {
        Some(time) => Ok(time),
        None => cursor.decline(DeclineReason::Value),
    }
}

fn boolean_of<'a>(cursor: &mut Cursor<'a>, tag: &Tag<'a>) -> ScanResult<bool> {
    let text = cursor.token_of(tag)?;
    match rules::boolean(&text) {
        Some(value) => Ok(value),
        None => cursor.decline(DeclineReason::Value),
    }
}

fn number_of<'a>(cursor: &mut Cursor<'a>, tag: &Tag<'a>) -> ScanResult<i32> {
    let digits = cursor.token_of(tag)?;
    match rules::number(&digits) {
        Some(value) => Ok(value),
        None => cursor.decline(DeclineReason::Value),
    }
}

/// The known fields.
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

/// The fields' names.
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

/// Slots of the perfect hash table of fields: enough that the search for a collision-free multiplier is short.
const SLOTS: usize = 64;

/// Multiplier that maps each field to its own slot; the compiler searches for it.
const HASH_MULTIPLIER: u32 = {
    let mut mix = 0x9e37_79b1;
    while fields_by_slot(mix).is_none() {
        mix += 2;
    }
    mix
};

/// The field of each slot; unused slots hold any field, because the name is always compared afterwards.
const FIELD_OF_SLOT: [Field; SLOTS] = match fields_by_slot(HASH_MULTIPLIER) {
    Some(fields) => fields,
    None => [Field::ItemId; SLOTS],
};

/// Hashes a field's first four letters, which are unique if `>` counts as a letter.
const fn slot(front: [u8; 4], mix: u32) -> usize {
    (u32::from_le_bytes(front).wrapping_mul(mix) >> 26) as usize
}

const fn front(name: &[u8]) -> Option<[u8; 4]> {
    match name {
        [a, b, c] => Some([*a, *b, *c, b'>']),
        [a, b, c, d, ..] => Some([*a, *b, *c, *d]),
        _ => None,
    }
}

const fn fields_by_slot(mix: u32) -> Option<[Field; SLOTS]> {
    let mut fields = [Field::ItemId; SLOTS];
    let mut taken = [false; SLOTS];
    let mut at = 0;
    while at < FIELDS.len() {
        let (name, field) = FIELDS[at];
        let Some(front) = front(name.as_bytes()) else { return None };
        let place = slot(front, mix);
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
    /// The only field whose start tag can start with `<t:` and these four bytes.
    #[inline(always)]
    fn guess(front: [u8; 4]) -> Self {
        FIELD_OF_SLOT[slot(front, HASH_MULTIPLIER)]
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
            assert_eq!(field as usize, at, "{name} is in its own row");
            assert!(Field::named(name.as_bytes()).is_some_and(|found| found as usize == at), "{name}");
            for other in [&name[..name.len() - 1], &format!("{name}s"), ""] {
                assert!(Field::named(other.as_bytes()).is_none(), "{other}");
            }
        }
    }
}
