//! Scans lists of items: calendar items, and any other kind with its name and id. Never reserves more memory than the body can fill.

use super::super::byte_scanner::{Avx2, Baseline, ByteScanner};
use super::calendar_item::{calendar_item, fields_after_id, spaced_item};
use super::cursor::Cursor;
use super::declined::{DeclineReason, ScanResult};
use super::markup::Tag;
use super::property::{self, set_once};
use super::value::{self, IdLengths};
use crate::ews::types::{CalendarItem, Item, OtherItem};

/// Maximum items to reserve memory for in advance, because the count comes from the server.
const EXPECTED_MAX: usize = 1000;

/// The shortest possible item, so that the announced count never reserves more than the body can hold.
const ITEM_BYTES_MIN: usize = 64;

/// Content and end tag of `m:Items`. The response to a write has one item with nothing but its id, which is read without vectors: to start
/// with them costs more than they save.
#[inline(always)]
pub(super) fn written_items<'a>(cursor: &mut Cursor<'a>, items: &mut Vec<Item<'a>>) -> ScanResult<()> {
    if cursor.skip_literal("<t:CalendarItem>") {
        cursor.count_entry()?;
        *items = Vec::with_capacity(1);
        items.push(const { Item::Calendar(CalendarItem::EMPTY) });
        let Some(Item::Calendar(item)) = items.last_mut() else {
            return cursor.decline(DeclineReason::Structure);
        };
        if let Some(rest) = value::item_id(Baseline, cursor.rest(), &mut item.item_id) {
            cursor.jump_to(rest);
            if cursor.skip_literal("</t:CalendarItem></m:Items>") {
                return Ok(());
            }
        }
        fields_of_one(cursor, item)?;
    }
    self::items(cursor, &Tag::plain("m:Items"), 0, items)
}

#[inline(never)]
fn fields_of_one<'a>(cursor: &mut Cursor<'a>, item: &mut CalendarItem<'a>) -> ScanResult<()> {
    let lengths = &mut IdLengths::default();
    match Avx2::detect() {
        Some(avx2) => avx2.with_target_features(
            #[inline(always)]
            || fields_after_id(avx2, cursor, item, lengths),
        ),
        None => fields_after_id(Baseline, cursor, item, lengths),
    }
}

/// Content and end tag of a list of items, of which some may have been read.
#[inline(never)]
pub(super) fn items<'a>(
    cursor: &mut Cursor<'a>,
    list: &Tag<'a>,
    expected: usize,
    items: &mut Vec<Item<'a>>,
) -> ScanResult<()> {
    if items.is_empty() && !list.self_closing && cursor.may_reserve() {
        *items = Vec::with_capacity(expected.min(EXPECTED_MAX).min(cursor.rest().len() / ITEM_BYTES_MIN));
    }
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

/// Another kind of item. Messages are few, so this is not optimized.
fn other_item<'a>(cursor: &mut Cursor<'a>, tag: &Tag<'a>) -> ScanResult<Item<'a>> {
    let Some(element) = tag.name.strip_prefix("t:") else { return cursor.decline(DeclineReason::Namespace) };
    let mut item = OtherItem { element: element.into(), ..OtherItem::default() };
    while let Some(child) = cursor.next_child(tag)? {
        match child.name {
            "t:ItemId" => set_once!(cursor, item.item_id, property::item_id(cursor, &child)?),
            "t:ItemClass" => set_once!(cursor, item.item_class, property::text(cursor, &child)?),
            "t:DateTimeSent" => set_once!(cursor, item.date_time_sent, property::time(cursor, &child)?),
            "t:UID" => set_once!(cursor, item.uid, property::text(cursor, &child)?),
            "t:Start" => set_once!(cursor, item.start, property::time(cursor, &child)?),
            _ => cursor.skip_element(&child)?,
        }
    }
    Ok(Item::Other(Box::new(item)))
}
