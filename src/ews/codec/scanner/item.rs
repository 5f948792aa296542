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
            match Avx2::detect() {
                Some(avx2) => avx2.with_target_features(
                    #[inline(always)]
                    || calendar_items(avx2, cursor, items),
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
    let mut lengths = IdLengths::default();
    while cursor.skip_literal("<t:CalendarItem>") {
        cursor.count_entry()?;
        calendar_item(vector, cursor, items, &mut lengths)?;
    }
    Ok(())
}

/// Sets an empty property; declines if it is set already.
macro_rules! set_once {
    ($cursor:ident, $property:expr, $value:expr) => {{
        if $property.is_some() {
            return $cursor.decline(DeclineReason::Twice);
        }
        $property = Some($value);
    }};
}

/// Another kind of item. Messages are few, so this is not optimized.
fn other_item<'a>(cursor: &mut Cursor<'a>, tag: &Tag<'a>) -> ScanResult<Item<'a>> {
    let Some(element) = tag.name.strip_prefix("t:") else { return cursor.decline(DeclineReason::Namespace) };
    let mut item = OtherItem { element: element.into(), ..OtherItem::default() };
    while let Some(child) = cursor.next_child(tag)? {
        match child.name {
            "t:ItemId" => set_once!(cursor, item.item_id, mailboxes::item_id(cursor, &child)?),
            "t:ItemClass" => set_once!(cursor, item.item_class, cursor.text_of(&child)?),
            "t:DateTimeSent" => set_once!(cursor, item.date_time_sent, time_of(cursor, &child)?),
            "t:UID" => set_once!(cursor, item.uid, cursor.text_of(&child)?),
            "t:Start" => set_once!(cursor, item.start, time_of(cursor, &child)?),
            _ => cursor.skip_element(&child)?,
        }
    }
    Ok(Item::Other(Box::new(item)))
}

/// Reads a field if it is next, with one literal on either side of its value, into an empty property.
macro_rules! read_in_order {
    ($vector:ident, $rest:ident, $property:expr, $name:literal, $read:path) => {
        if let Some(inside) = $rest.strip_prefix(concat!("<t:", $name, ">"))
            && let Some(after) = $read($vector, inside, &mut $property)
        {
            match after.strip_prefix(concat!("</t:", $name, ">")) {
                Some(after) => $rest = after,
                None => $property = None,
            }
        }
    };
    // If one value is by far the most frequent, its whole element is one literal, so the next comparison need not wait for a length.
    ($vector:ident, $rest:ident, $property:expr, $name:literal, $read:path, mostly $text:literal $value:path) => {
        if let Some(after) = $rest.strip_prefix(concat!("<t:", $name, ">", $text, "</t:", $name, ">")) {
            value::set_empty(&mut $property, $value);
            $rest = after;
        } else {
            read_in_order!($vector, $rest, $property, $name, $read);
        }
    };
    ($vector:ident, $rest:ident, $property:expr, $read:path) => {
        if let Some(after) = $read($vector, $rest, &mut $property) {
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
    lengths: &mut IdLengths,
) -> &'a str {
    if let Some(after) = value::item_id_with_prediction(vector, rest, &mut item.item_id, lengths) {
        rest = after;
    }
    read_in_order!(vector, rest, item.subject, "Subject", value::text);
    read_in_order!(vector, rest, item.sensitivity, "Sensitivity", value::sensitivity, mostly "Normal" Sensitivity::Normal);
    read_in_order!(vector, rest, item.date_time_created, "DateTimeCreated", value::time);
    read_in_order!(vector, rest, item.last_modified_time, "LastModifiedTime", value::time);
    read_in_order!(vector, rest, item.uid, "UID", value::text);
    read_in_order!(vector, rest, item.recurrence_id, "RecurrenceId", value::time);
    read_in_order!(vector, rest, item.start, "Start", value::time);
    read_in_order!(vector, rest, item.end, "End", value::time);
    read_in_order!(vector, rest, item.original_start, "OriginalStart", value::time);
    read_in_order!(vector, rest, item.is_all_day_event, "IsAllDayEvent", value::boolean);
    read_in_order!(
        vector,
        rest,
        item.legacy_free_busy_status,
        "LegacyFreeBusyStatus",
        value::free_busy_status
    );
    read_in_order!(vector, rest, item.location, "Location", value::text);
    read_in_order!(vector, rest, item.is_meeting, "IsMeeting", value::boolean);
    read_in_order!(vector, rest, item.is_cancelled, "IsCancelled", value::boolean);
    read_in_order!(vector, rest, item.is_recurring, "IsRecurring", value::boolean);
    read_in_order!(vector, rest, item.calendar_item_type, "CalendarItemType", value::calendar_item_type);
    read_in_order!(vector, rest, item.my_response_type, "MyResponseType", value::response_type);
    read_in_order!(vector, rest, item.organizer, value::organizer);
    read_in_order!(vector, rest, item.appointment_state, "AppointmentState", value::number);
    read_in_order!(vector, rest, item.is_organizer, "IsOrganizer", value::boolean);
    rest
}

/// Reads the fields and the end tag after `<t:CalendarItem>`.
#[inline(always)]
fn calendar_item<'a, V: ByteScanner>(
    vector: V,
    cursor: &mut Cursor<'a>,
    items: &mut Vec<Item<'a>>,
    lengths: &mut IdLengths,
) -> ScanResult<()> {
    items.push(const { Item::Calendar(CalendarItem::EMPTY) });
    let Some(Item::Calendar(item)) = items.last_mut() else {
        return cursor.decline(DeclineReason::Structure);
    };
    cursor.jump_to(read_fields_in_order(vector, cursor.rest(), item, lengths));
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
macro_rules! read_by_name {
    ($vector:ident, $rest:ident, $property:expr, $inside:ident, $name:literal, $read:path) => {
        if $property.is_none()
            && let Some(inside) = $inside.strip_prefix(concat!($name, ">"))
            && let Some(after) = $read($vector, inside, &mut $property)
        {
            match after.strip_prefix(concat!("</t:", $name, ">")) {
                Some(after) => $rest = after,
                None => {
                    $property = None;
                    return $rest;
                }
            }
        } else {
            return $rest;
        }
    };
    ($vector:ident, $rest:ident, $property:expr, $read:path) => {
        if $property.is_none()
            && let Some(after) = $read($vector, $rest, &mut $property)
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
            Field::ItemId => read_by_name!(vector, rest, item.item_id, value::item_id),
            Field::Organizer => read_by_name!(vector, rest, item.organizer, value::organizer),
            Field::Subject => read_by_name!(vector, rest, item.subject, inside, "Subject", value::text),
            Field::Sensitivity => {
                read_by_name!(vector, rest, item.sensitivity, inside, "Sensitivity", value::sensitivity)
            }
            Field::DateTimeCreated => {
                read_by_name!(vector, rest, item.date_time_created, inside, "DateTimeCreated", value::time)
            }
            Field::LastModifiedTime => {
                read_by_name!(vector, rest, item.last_modified_time, inside, "LastModifiedTime", value::time)
            }
            Field::Uid => read_by_name!(vector, rest, item.uid, inside, "UID", value::text),
            Field::RecurrenceId => {
                read_by_name!(vector, rest, item.recurrence_id, inside, "RecurrenceId", value::time)
            }
            Field::Start => read_by_name!(vector, rest, item.start, inside, "Start", value::time),
            Field::End => read_by_name!(vector, rest, item.end, inside, "End", value::time),
            Field::OriginalStart => {
                read_by_name!(vector, rest, item.original_start, inside, "OriginalStart", value::time)
            }
            Field::IsAllDayEvent => {
                read_by_name!(vector, rest, item.is_all_day_event, inside, "IsAllDayEvent", value::boolean)
            }
            Field::LegacyFreeBusyStatus => read_by_name!(
                vector,
                rest,
                item.legacy_free_busy_status,
                inside,
                "LegacyFreeBusyStatus",
                value::free_busy_status
            ),
            Field::Location => read_by_name!(vector, rest, item.location, inside, "Location", value::text),
            Field::IsMeeting => {
                read_by_name!(vector, rest, item.is_meeting, inside, "IsMeeting", value::boolean)
            }
            Field::IsCancelled => {
                read_by_name!(vector, rest, item.is_cancelled, inside, "IsCancelled", value::boolean)
            }
            Field::IsRecurring => {
                read_by_name!(vector, rest, item.is_recurring, inside, "IsRecurring", value::boolean)
            }
            Field::CalendarItemType => read_by_name!(
                vector,
                rest,
                item.calendar_item_type,
                inside,
                "CalendarItemType",
                value::calendar_item_type
            ),
            Field::MyResponseType => {
                read_by_name!(
                    vector,
                    rest,
                    item.my_response_type,
                    inside,
                    "MyResponseType",
                    value::response_type
                )
            }
            Field::AppointmentState => {
                read_by_name!(vector, rest, item.appointment_state, inside, "AppointmentState", value::number)
            }
            Field::IsOrganizer => {
                read_by_name!(vector, rest, item.is_organizer, inside, "IsOrganizer", value::boolean)
            }
            Field::Categories | Field::RequiredAttendees | Field::OptionalAttendees | Field::Resources => {
                return rest;
            }
        }
    }
}

/// Sets an empty list; declines if it has entries already. An empty list leaves no trace, so two lists of which the first is empty
/// count as one, as in the reader.
macro_rules! set_list_once {
    ($cursor:ident, $property:expr, $value:expr) => {{
        if !$property.is_empty() {
            return $cursor.decline(DeclineReason::Twice);
        }
        $property = $value;
    }};
}

/// Reads any field in any well-formed spelling.
#[inline(never)]
fn field<'a>(cursor: &mut Cursor<'a>, tag: &Tag<'a>, item: &mut CalendarItem<'a>) -> ScanResult<()> {
    let Some(field) = tag.name.strip_prefix("t:").and_then(|name| Field::named(name.as_bytes())) else {
        return rare_field(cursor, tag, item);
    };
    match field {
        Field::ItemId => set_once!(cursor, item.item_id, mailboxes::item_id(cursor, tag)?),
        Field::Subject => set_once!(cursor, item.subject, cursor.text_of(tag)?),
        Field::Sensitivity => set_once!(cursor, item.sensitivity, names::sensitivity(cursor.token_of(tag)?)),
        Field::Categories => set_list_once!(cursor, item.categories, mailboxes::strings(cursor, tag)?),
        Field::DateTimeCreated => set_once!(cursor, item.date_time_created, time_of(cursor, tag)?),
        Field::LastModifiedTime => set_once!(cursor, item.last_modified_time, time_of(cursor, tag)?),
        Field::Uid => set_once!(cursor, item.uid, cursor.text_of(tag)?),
        Field::RecurrenceId => set_once!(cursor, item.recurrence_id, time_of(cursor, tag)?),
        Field::Start => set_once!(cursor, item.start, time_of(cursor, tag)?),
        Field::End => set_once!(cursor, item.end, time_of(cursor, tag)?),
        Field::OriginalStart => set_once!(cursor, item.original_start, time_of(cursor, tag)?),
        Field::IsAllDayEvent => set_once!(cursor, item.is_all_day_event, boolean_of(cursor, tag)?),
        Field::LegacyFreeBusyStatus => {
            set_once!(cursor, item.legacy_free_busy_status, names::free_busy_status(cursor.token_of(tag)?));
        }
        Field::Location => set_once!(cursor, item.location, cursor.text_of(tag)?),
        Field::IsMeeting => set_once!(cursor, item.is_meeting, boolean_of(cursor, tag)?),
        Field::IsCancelled => set_once!(cursor, item.is_cancelled, boolean_of(cursor, tag)?),
        Field::IsRecurring => set_once!(cursor, item.is_recurring, boolean_of(cursor, tag)?),
        Field::CalendarItemType => {
            set_once!(cursor, item.calendar_item_type, names::calendar_item_type(cursor.token_of(tag)?));
        }
        Field::MyResponseType => {
            set_once!(cursor, item.my_response_type, names::response_type(cursor.token_of(tag)?));
        }
        Field::Organizer => set_once!(cursor, item.organizer, mailboxes::organizer(cursor, tag)?),
        Field::RequiredAttendees => {
            set_list_once!(cursor, item.required_attendees, mailboxes::attendees(cursor, tag)?)
        }
        Field::OptionalAttendees => {
            set_list_once!(cursor, item.optional_attendees, mailboxes::attendees(cursor, tag)?)
        }
        Field::Resources => set_list_once!(cursor, item.resources, mailboxes::attendees(cursor, tag)?),
        Field::AppointmentState => set_once!(cursor, item.appointment_state, number_of(cursor, tag)?),
        Field::IsOrganizer => set_once!(cursor, item.is_organizer, boolean_of(cursor, tag)?),
    }
    Ok(())
}

/// A field of series masters, or an unknown one, which is skipped.
fn rare_field<'a>(cursor: &mut Cursor<'a>, tag: &Tag<'a>, item: &mut CalendarItem<'a>) -> ScanResult<()> {
    if tag.name != "t:ModifiedOccurrences" {
        return cursor.skip_element(tag);
    }
    set_list_once!(
        cursor,
        item.modified_occurrences,
        mailboxes::list(cursor, tag, "t:Occurrence", occurrence)?
    );
    Ok(())
}

fn occurrence<'a>(cursor: &mut Cursor<'a>, tag: &Tag<'a>) -> ScanResult<Occurrence<'a>> {
    let mut date = Occurrence::default();
    while let Some(child) = cursor.next_child(tag)? {
        match child.name {
            "t:ItemId" => set_once!(cursor, date.item_id, mailboxes::item_id(cursor, &child)?),
            "t:Start" => set_once!(cursor, date.start, time_of(cursor, &child)?),
            "t:End" => set_once!(cursor, date.end, time_of(cursor, &child)?),
            "t:OriginalStart" => set_once!(cursor, date.original_start, time_of(cursor, &child)?),
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
        let slot = slot(front, mix);
        if taken[slot] {
            return None;
        }
        taken[slot] = true;
        fields[slot] = field;
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
