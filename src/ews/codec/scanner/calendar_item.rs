//! Scans a calendar item in two stages. First, in order: each field, in the order of the table, is compared as one literal, so an
//! item with all fields in order costs only comparisons. Then the remaining fields (another order, white space, fields that the request
//! did not include) are looked up by name. Never allocates for an item that borrows its text.

use super::super::byte_scanner::{Baseline, ByteScanner};
use super::cursor::Cursor;
use super::declined::{DeclineReason, ScanResult};
use super::field::Field;
use super::markup::Tag;
use super::property;
use super::value::{self, IdLengths};
use crate::ews::fields::calendar_item_fields;
use crate::ews::types::{CalendarItem, Item, Omittable as _, Sensitivity};

/// Reads the fields and the end tag after `<t:CalendarItem>`.
#[inline(always)]
pub(super) fn calendar_item<'a, V: ByteScanner>(
    vector: V,
    cursor: &mut Cursor<'a>,
    items: &mut Vec<Item<'a>>,
    lengths: &mut IdLengths,
) -> ScanResult<()> {
    items.push(const { Item::Calendar(CalendarItem::EMPTY) });
    let Some(Item::Calendar(item)) = items.last_mut() else {
        return cursor.decline(DeclineReason::Structure);
    };
    if let Some(rest) = value::item_id_with_prediction(vector, cursor.rest(), &mut item.item_id, lengths) {
        cursor.jump_to(rest);
    }
    fields_after_id(vector, cursor, item, lengths)
}

/// Reads the fields after the id, and the end tag.
#[inline(always)]
pub(super) fn fields_after_id<'a, V: ByteScanner>(
    vector: V,
    cursor: &mut Cursor<'a>,
    item: &mut CalendarItem<'a>,
    lengths: &mut IdLengths,
) -> ScanResult<()> {
    cursor.jump_to(read_fields_in_order(vector, cursor.rest(), item, lengths));
    if cursor.skip_literal("</t:CalendarItem>") {
        Ok(())
    } else {
        read_remaining_fields(vector, cursor, item)
    }
}

/// A calendar item with white space around it, read field by field.
pub(super) fn spaced_item<'a>(cursor: &mut Cursor<'a>, items: &mut Vec<Item<'a>>) -> ScanResult<()> {
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

macro_rules! define_field_readers {
    ($($(#[$_:meta])* $property:ident: $Name:ident $element:literal $kind:ident $(, $($request:ident)+)?;)*) => {
        /// Reads the fields after the id as long as they follow the table's order, into a new item; returns the text after them. Writes each value in
        /// place, because an item is too large to move.
        #[inline(always)]
        fn read_fields_in_order<'a, V: ByteScanner>(
            vector: V,
            mut rest: &'a str,
            item: &mut CalendarItem<'a>,
            lengths: &mut IdLengths,
        ) -> &'a str {
            $(read_in_order!($kind $property, $element, item.$property, vector, rest, lengths);)*
            rest
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
                    $(Field::$Name => read_by_name!($kind, $element, item.$property, vector, rest, inside),)*
                }
            }
        }

        /// Reads any field in any well-formed spelling; skips an unknown one. An empty list leaves no trace, so two lists of which the
        /// first is empty count as one, as in the reader.
        #[inline(never)]
        fn field<'a>(cursor: &mut Cursor<'a>, tag: &Tag<'a>, item: &mut CalendarItem<'a>) -> ScanResult<()> {
            let Some(field) = tag.name.strip_prefix("t:").and_then(|name| Field::named(name.as_bytes())) else {
                return cursor.skip_element(tag);
            };
            match field {
                $(Field::$Name => {
                    if !item.$property.is_omitted() {
                        return cursor.decline(DeclineReason::Twice);
                    }
                    item.$property = property::$kind(cursor, tag)?.into();
                })*
            }
            Ok(())
        }
    };
}

/// Reads a field if it is next, with one literal on either side of its value, into an empty property.
macro_rules! read_in_order {
    // Few items have lists, so the second stage reads them.
    (strings $($_:tt)*) => {};
    (attendees $($_:tt)*) => {};
    (occurrences $($_:tt)*) => {};
    // The caller has read the id.
    (item_id $($_:tt)*) => {};
    (organizer $_:ident, $element:literal, $property:expr, $vector:ident, $rest:ident, $__:ident) => {
        if let Some(after) = value::organizer($vector, $rest, &mut $property) {
            $rest = after;
        }
    };
    // `Normal` is by far the most frequent, so its whole element is one literal, and the next comparison need not wait for a length.
    (sensitivity $_:ident, $element:literal, $property:expr, $vector:ident, $rest:ident, $__:ident) => {
        if let Some(after) = $rest.strip_prefix(concat!("<t:", $element, ">Normal</t:", $element, ">")) {
            value::set_empty(&mut $property, Sensitivity::Normal);
            $rest = after;
        } else {
            read_in_order!(@between_tags value::sensitivity, $element, $property, $vector, $rest);
        }
    };
    (text uid, $element:literal, $property:expr, $vector:ident, $rest:ident, $lengths:ident) => {
        if let Some(inside) = $rest.strip_prefix(concat!("<t:", $element, ">"))
            && let Some(after) = value::uid($vector, inside, &mut $property, $lengths)
        {
            match after.strip_prefix(concat!("</t:", $element, ">")) {
                Some(after) => $rest = after,
                None => $property = None,
            }
        }
    };
    ($kind:ident $_:ident, $element:literal, $property:expr, $vector:ident, $rest:ident, $__:ident) => {
        read_in_order!(@between_tags value::$kind, $element, $property, $vector, $rest);
    };
    (@between_tags $read:path, $element:literal, $property:expr, $vector:ident, $rest:ident) => {
        if let Some(inside) = $rest.strip_prefix(concat!("<t:", $element, ">"))
            && let Some(after) = $read($vector, inside, &mut $property)
        {
            match after.strip_prefix(concat!("</t:", $element, ">")) {
                Some(after) => $rest = after,
                None => $property = None,
            }
        }
    };
}

/// Reads a field that is not set yet, if it is next, else returns from the function.
macro_rules! read_by_name {
    (strings, $element:literal, $property:expr, $vector:ident, $rest:ident, $_:ident) => {
        return $rest
    };
    (attendees, $element:literal, $property:expr, $vector:ident, $rest:ident, $_:ident) => {
        return $rest
    };
    (occurrences, $element:literal, $property:expr, $vector:ident, $rest:ident, $_:ident) => {
        return $rest
    };
    (item_id, $element:literal, $property:expr, $vector:ident, $rest:ident, $_:ident) => {
        read_by_name!(@element value::item_id, $property, $vector, $rest)
    };
    (organizer, $element:literal, $property:expr, $vector:ident, $rest:ident, $_:ident) => {
        read_by_name!(@element value::organizer, $property, $vector, $rest)
    };
    ($kind:ident, $element:literal, $property:expr, $vector:ident, $rest:ident, $inside:ident) => {
        if $property.is_none()
            && let Some(inside) = $inside.strip_prefix(concat!($element, ">"))
            && let Some(after) = value::$kind($vector, inside, &mut $property)
        {
            match after.strip_prefix(concat!("</t:", $element, ">")) {
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
    (@element $read:path, $property:expr, $vector:ident, $rest:ident) => {
        if $property.is_none()
            && let Some(after) = $read($vector, $rest, &mut $property)
        {
            $rest = after;
        } else {
            return $rest;
        }
    };
}

calendar_item_fields!(define_field_readers);
